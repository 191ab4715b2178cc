"""Summaries of rules; expected counts worked by hand from six invented answers."""

import polars as pl

from graftline.assess.results import as_results, combine_results
from graftline.tables.layout import statistics_table
from graftline.tables.rule_summary import RuleLine, evaluable_counts, summarise_rules


def answers():
    frame = pl.DataFrame(
        {
            "patient": ["A", "B", "C", "D", "E", "F"],
            "state": ["yes", "yes", "no", "no", "not_evaluable", "yes"],
            "value": [1.0, 3.0, None, None, None, None],
            "label": ["mild", "severe", "none", "none", None, None],
            "day": [2.0, 5.0, None, None, None, None],
            "reason": [None, None, None, None, "no_records", None],
        }
    )
    return as_results(frame, rule="crs")


def test_a_no_is_grade_0_and_an_unknown_grade_is_missing():
    levels = ((0.0, "none"), (1.0, "grade 1"), (3.0, "grade 3"))
    rows = summarise_rules(answers(), [RuleLine("crs", "CRS", "grades", "G", levels)])
    assert rows["n"].to_list() == [2, 1, 1]
    assert rows["total"].to_list() == [4, 4, 4]
    assert rows["missing"].to_list() == [2, 2, 2]  # E without records, F without a grade


def test_yes_counts_only_who_could_be_judged():
    (row,) = summarise_rules(answers(), [RuleLine("crs", "CRS", "yes", "G")]).iter_rows(named=True)
    assert (row["n"], row["total"], row["missing"]) == (3, 5, 1)


def test_days_are_summarised_over_the_events():
    (row,) = summarise_rules(answers(), [RuleLine("crs", "Onset", "day", "G")]).iter_rows(
        named=True
    )
    assert (row["value"], row["n"], row["missing"]) == (3.5, 2, 2)


def test_a_class_that_was_not_foreseen_is_printed():
    line = RuleLine("crs", "Class", "labels", "G", (("none", "none"),))
    rows = summarise_rules(answers(), [line])
    assert rows["label"].to_list() == ["Class: none", "Class: mild", "Class: severe"]


def test_rules_without_rows_are_left_out():
    assert summarise_rules(answers(), [RuleLine("icans", "ICANS", "yes", "G")]).is_empty()


def test_what_nobody_has_an_answer_to_is_named_in_a_note_not_filled_in():
    silent = as_results(
        pl.DataFrame({"patient": ["A"], "state": ["not_evaluable"], "reason": ["no_records"]}),
        rule="icans",
    )
    rows = summarise_rules(
        combine_results([answers(), silent]),
        [RuleLine("crs", "CRS", "yes", "G"), RuleLine("icans", "ICANS", "yes", "G")],
    )
    table = statistics_table("t", "T", rows, missing_label="Not evaluable")
    assert [row.cells[0] for row in table.rows] == ["CRS"]
    assert table.rows[0].cells[1:] == ("3/5 (60%; 14.7\N{EN DASH}94.7)", "1")
    assert "ICANS" in table.footnotes[-1]
    assert table.data.height == 2


def test_reasons_are_counted():
    (row,) = evaluable_counts(answers()).iter_rows(named=True)
    assert (row["yes"], row["no"], row["not_evaluable"], row["reasons"]) == (
        3,
        2,
        1,
        "no_records 1",
    )
