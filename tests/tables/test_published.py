"""Published figures held against facts: verdicts worked by hand for the ten patients."""

import polars as pl
import pytest

from graftline.assess.results import RESULT_SCHEMA
from graftline.tables.published import (
    AGGREGATE,
    AGREES,
    DIFFERS,
    WITHIN,
    compare_published,
    decimals,
    judge,
    printed_text,
    published_table,
)
from graftline.tables.published_facts import Computed, Facts
from graftline.tables.published_quantities import QUANTITIES, quantity_title
from graftline.trial import trial_from_tables
from tests.reference import reference_path
from tests.tables.ten_patients import endpoint_rows, ten_patients

ROW = {
    "statistic": "count",
    "value": None,
    "low": None,
    "high": None,
    "n": None,
    "N": None,
    "unit": None,
}


def facts_with(published):
    trial = ten_patients()
    columns = {"cohort": "nejm10", "source": "paper", "comment": None}
    rows = pl.DataFrame([{**ROW, **columns, **row} for row in published], infer_schema_length=None)
    tables = {name: trial[name] for name in trial.present}
    return Facts(
        trial_from_tables(trial.protocol, {**tables, "published": rows}),
        pl.DataFrame(schema=RESULT_SCHEMA),
        endpoint_rows(),
    )


def estimate(value, low, high, quantity="os_12mo"):
    return {
        "quantity": quantity,
        "statistic": "estimate_ci95",
        "value": value,
        "low": low,
        "high": high,
        "N": 10,
        "unit": "percent",
    }


def test_the_papers_survival_comes_out_of_the_event_times():
    rows = compare_published(
        facts_with([estimate("68", 43, 100), estimate("54", 29, 100, "dfs_12mo")])
    )
    assert rows["verdict"].to_list() == [AGREES, AGREES]
    assert rows["computed"].to_list() == ["68% (43\N{EN DASH}100)", "54% (29\N{EN DASH}100)"]
    assert rows["value"][0] == pytest.approx(67.5)  # full precision behind the print


def test_another_figure_differs_and_says_by_how_much():
    (row,) = compare_published(facts_with([estimate("70", 43, 100)])).iter_rows(named=True)
    assert row["verdict"] == DIFFERS
    assert row["note"] == "value 68 against 70"


def test_what_is_known_of_no_patient_is_never_made_up():
    published = [
        {"quantity": "sex_female", "n": 6, "N": 10, "value": "60", "unit": "percent"},
        {"quantity": "a_quantity_of_the_future", "n": 1, "N": 10},
        {"quantity": "crs_none", "n": 1, "N": 10},
    ]
    rows = compare_published(facts_with(published))
    assert rows["verdict"].to_list() == [AGGREGATE] * 3
    assert rows["computed"].to_list() == ["", "", ""]


def test_deaths_are_counted_exactly():
    published = [{"quantity": "deaths", "n": 3, "N": 10}, {"quantity": "deaths", "n": 3, "N": 9}]
    rows = compare_published(facts_with(published))
    assert rows["verdict"].to_list() == [AGREES, DIFFERS]
    # two rows of one quantity that do not say the same: each names the other
    assert "printed as 3/9 in paper" in rows["note"][0]


def test_survivors_follow_up_of_known_days_agrees():
    published = [
        {
            "quantity": "followup_survivors",
            "statistic": "median_range",
            "value": "15.1",
            "low": 3.1,
            "high": 24.0,
            "N": 7,
            "unit": "month",
        }
    ]
    assert compare_published(facts_with(published))["verdict"][0] == AGREES


@pytest.mark.parametrize(
    ("row", "made", "verdict"),
    [
        # seven of ten stated: a part says nothing about the whole
        ({"n": 6, "N": 10}, Computed("b", n=5, total=7), AGGREGATE),
        ({"n": 6, "N": 10}, Computed("b", n=6, total=10), AGREES),
        ({"n": 6, "N": 10}, Computed("b", n=5, total=10), DIFFERS),
        # three infections are told, five are counted
        ({"n": 5, "N": 10}, Computed("b", n=3, total=10, told_only=True), AGGREGATE),
        ({"n": 2, "N": 10}, Computed("b", n=3, total=10, told_only=True), DIFFERS),
        ({"statistic": "value", "value": "2e6"}, Computed("b", value=2e6), AGREES),
        ({"statistic": "value", "value": "2e6"}, Computed("b", value=3e6), DIFFERS),
        ({"statistic": "value", "value": "3.7"}, Computed("b", value=112.6 / 30.4375), AGREES),
        (
            {"statistic": "median_range", "value": "15.1", "low": 3.1, "high": 24.0, "N": 7},
            Computed(
                "b",
                total=7,
                value=15.1,
                value_to=15.1,
                low=3.1,
                low_to=3.1,
                high=18.0,
                high_to=24.0,
            ),
            WITHIN,
        ),
        (
            {"statistic": "median_range", "value": "12", "low": 8, "high": 29, "N": 8},
            Computed("b", total=3, value=12.0, low=8.0, high=29.0),
            AGGREGATE,
        ),
        ({"statistic": "date", "value": "2023-11-08"}, Computed("b", text="2023-11-08"), AGREES),
        ({"statistic": "date", "value": "2023-11-08"}, Computed("b"), AGGREGATE),
    ],
)
def test_verdicts(row, made, verdict):
    assert judge({**ROW, **row}, made)[0] == verdict


@pytest.mark.parametrize(
    ("printed", "digits"), [("68", 0), ("88.35", 2), ("2e6", 0), ("1.5e6", 0), ("1e-4", 4)]
)
def test_printed_digits(printed, digits):
    assert decimals(printed) == digits


def test_printed_text():
    assert printed_text({**ROW, "n": 7, "N": 9, "value": "78"}) == "7/9 (78%)"
    row = {**ROW, "statistic": "lower_bound", "value": "70", "unit": "percent"}
    assert printed_text(row) == "more than 70%"


def test_names_of_quantities_read_as_words():
    assert quantity_title("crs_grade1_2") == "CRS grade 1 to 2"
    assert quantity_title("os_12mo") == "Overall survival at 12 months"
    assert quantity_title("disease_t_all") == "Disease T-ALL"
    assert quantity_title("disease_t_lbl") == "Disease T-LBL"
    assert quantity_title("full_donor_chimerism_ever_of_all").endswith("of all")
    assert quantity_title("ebv_cmv_reactivation") == "EBV or CMV reactivation"


def test_every_published_row_of_the_paper_gets_a_verdict():
    source = pl.read_csv(reference_path("seeds/published.csv"), infer_schema_length=None)
    rows = source.filter(pl.col("cohort") == "nejm10").with_columns(
        pl.col("value").cast(pl.String), pl.col("low", "high").cast(pl.Float64)
    )
    trial = ten_patients()
    tables = {name: trial[name] for name in trial.present}
    facts = Facts(
        trial_from_tables(trial.protocol, {**tables, "published": rows}),
        pl.DataFrame(schema=RESULT_SCHEMA),
        endpoint_rows(),
    )
    table = published_table(facts)
    assert len(table.rows) == rows.height
    assert {row.cells[3] for row in table.rows} <= {AGREES, WITHIN, DIFFERS, AGGREGATE}


def test_quantities_survive_an_empty_trial():
    facts = facts_with([{"quantity": "deaths", "n": 3, "N": 10}])
    for name, compute in QUANTITIES.items():
        assert isinstance(compute(facts), Computed), name
