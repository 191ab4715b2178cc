"""Adverse events: worst grade per term and patient, relatedness, the serious ones one by one."""

from collections.abc import Mapping

import polars as pl

from graftline.rules import Rule
from graftline.tables.format import count, number, sentence
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial

GRADES = (1, 2, 3, 4, 5)
LISTING_LIMIT = 500


def worst_grades(ae: pl.DataFrame) -> pl.DataFrame:
    """Worst grade per patient and term, and the closest relation stated to either infusion.

    Returns
    -------
    DataFrame [patient, system, term, grade, related_car_t, related_hsct, serious]
        ``related_*`` true where any event of that term was related or possibly so, null where the
        relation of every one is unknown.
    """
    close = {
        name: pl.col(name).replace_strict(
            {"related": True, "possible": True, "unrelated": False},
            default=None,
            return_dtype=pl.Boolean,
        )
        for name in ("related_car_t", "related_hsct")
    }
    return (
        ae.with_columns(**close)
        .group_by("patient", "term")
        .agg(
            system=pl.col("system").drop_nulls().sort().first(),
            grade=pl.col("grade").max(),
            related_car_t=pl.col("related_car_t").max(),
            related_hsct=pl.col("related_hsct").max(),
            serious=pl.col("serious").max(),
        )
        .sort("patient", "term")
    )


def count_adverse_events(ae: pl.DataFrame) -> pl.DataFrame:
    """Patients per term and worst grade.

    Returns
    -------
    DataFrame [system, term, grade_1 ... grade_5, any_grade, grade_3_plus, related_car_t,
    related_hsct, relation_unknown], most frequent term first within its system
    """
    worst = worst_grades(ae)
    return (
        worst.group_by("term")
        .agg(
            system=pl.col("system").drop_nulls().sort().first(),
            **{f"grade_{g}": (pl.col("grade") == g).sum() for g in GRADES},
            any_grade=pl.len(),
            grade_3_plus=(pl.col("grade") >= 3).sum(),
            related_car_t=pl.col("related_car_t").sum(),
            related_hsct=pl.col("related_hsct").sum(),
            relation_unknown=(
                pl.col("related_car_t").is_null() & pl.col("related_hsct").is_null()
            ).sum(),
        )
        .with_columns(pl.col("system").fill_null("System organ class not recorded"))
        .sort("system", "any_grade", "term", descending=[False, True, False])
    )


def adverse_event_table(trial: Trial) -> ReportTable:
    """Term by worst grade; each patient counts once per term."""
    numbers = count_adverse_events(trial["ae"])
    total = int(trial.patients["status"].is_in(["infused", "transplanted"]).sum())
    rows = []
    for row in numbers.iter_rows(named=True):
        cells = [row["term"], *(str(row[f"grade_{g}"]) for g in GRADES)]
        cells += [count(row["any_grade"], total), count(row["grade_3_plus"], total)]
        cells += [str(row[k]) for k in ("related_car_t", "related_hsct", "relation_unknown")]
        rows.append(TableRow(tuple(cells), row["system"]))
    labels = ["Grade 1", "2", "3", "4", "5", "Any grade", "Grade 3 or higher"]
    labels += ["Related to CAR-T", "Related to HSCT", "Relation unknown"]
    return ReportTable(
        "adverse-events",
        "Adverse events by term and worst grade",
        (TableColumn("Term", "left"), *(TableColumn(label) for label in labels)),
        tuple(rows),
        numbers.with_columns(infused=pl.lit(total)),
        (
            f"Each patient counts once per term, at the worst grade; N = {total} infused patients.",
            "Related includes possibly related.",
        ),
    )


def serious_event_table(trial: Trial) -> ReportTable:
    """Every serious adverse event, one by one."""
    events = trial["ae"].filter(pl.col("serious")).sort("patient", "start_day", "row")
    unknown = int(trial["ae"]["serious"].null_count())
    shown = events.head(LISTING_LIMIT)
    text = [
        TableRow(
            (
                row["patient"],
                row["term"],
                str(row["grade"]),
                number(row["start_day"], digits=0),
                "ongoing" if row["end_day"] is None else number(row["end_day"], digits=0),
                row["related_car_t"] or "not recorded",
                row["related_hsct"] or "not recorded",
                row["outcome"] or "not recorded",
            )
        )
        for row in shown.iter_rows(named=True)
    ]
    notes = [f"Seriousness not recorded for {unknown} of {trial['ae'].height} events."]
    if events.height > LISTING_LIMIT:
        notes.append(f"The first {LISTING_LIMIT} of {events.height} events; all are in the data.")
    return ReportTable(
        "serious-events",
        "Serious adverse events",
        (
            TableColumn("Patient", "left"),
            TableColumn("Term", "left"),
            TableColumn("Grade"),
            TableColumn("First day"),
            TableColumn("Last day"),
            TableColumn("Relation to CAR-T", "left"),
            TableColumn("Relation to HSCT", "left"),
            TableColumn("Outcome", "left"),
        ),
        tuple(text),
        events.select(
            "patient",
            "term",
            "system",
            "grade",
            "start_day",
            "end_day",
            "related_car_t",
            "related_hsct",
            "outcome",
        ),
        tuple(notes),
    )


def laboratory_grade_table(chosen: pl.DataFrame, rules: Mapping[str, Rule]) -> ReportTable:
    """Worst CTCAE grade of each laboratory value, from the results of ``assess.ctcae``."""
    graded = chosen.filter(
        pl.col("rule").str.starts_with("ctcae_") & pl.col("state").is_in(["yes", "no"])
    ).with_columns(grade=pl.when(pl.col("state") == "yes").then("value").otherwise(0.0))
    numbers = (
        graded.group_by("rule")
        .agg(
            **{f"grade_{g}": (pl.col("grade") == g).sum() for g in (0, *GRADES[:4])},
            grade_3_plus=(pl.col("grade") >= 3).sum(),
            evaluable=pl.len(),
        )
        .sort("rule")
    )
    rows = [
        TableRow(
            (
                rules[row["rule"]].title if row["rule"] in rules else sentence(row["rule"]),
                *(str(row[f"grade_{g}"]) for g in (0, *GRADES[:4])),
                count(row["grade_3_plus"], row["evaluable"]),
            )
        )
        for row in numbers.iter_rows(named=True)
    ]
    labels = ("Grade 0", "1", "2", "3", "4", "Grade 3 or higher")
    return ReportTable(
        "laboratory-grades",
        "Laboratory values by worst CTCAE grade",
        (TableColumn("Value", "left"), *(TableColumn(label) for label in labels)),
        tuple(rows),
        numbers,
        ("After the index infusion; N = patients with at least one value that can be graded.",),
    )
