"""Laboratory grades by CTCAE v5.0, with the baseline the wording asks for."""

from typing import Any

import polars as pl

from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.cell_counts import with_calculated_anc
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import (
    bounded_grade,
    is_above,
    is_at_least,
    is_below,
)
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.sorted_rows import gather_rows
from graftline.rules import Read, Rule
from graftline.trial import Trial

LOW = ("anc", "platelets", "alc", "wbc", "hemoglobin")
HIGH = ("alt", "ast", "bilirubin", "creatinine")
_READ = ("patient", "day", "analyte", "value", "quantification", "upper_normal")

RULES: tuple[Rule, ...] = tuple(
    Rule(
        id=f"ctcae_{analyte}",
        title=f"{printed_criteria('ctcae_v5')[analyte]['term']} (CTCAE v5.0)",
        words=(
            "Worst laboratory grade after day 0. "
            + " | ".join(
                f"{g['grade']}: {g['printed']}"
                for g in printed_criteria("ctcae_v5")[analyte]["grades"]
            )
            + ". A boundary belongs to the milder grade. Without the lower limit of normal grade 1 "
            "cannot be told from 0. The baseline is the last value up to day 0 and is itself "
            "graded against the upper limit of normal only."
        ),
        citation="ctcae5",
        reads=(
            Read("labs", "analyte", (analyte, "wbc", "neutrophil_percent"))
            if analyte == "anc"
            else Read("labs", "analyte", (analyte,)),
        ),
        parameters=("baseline_until_day", "baseline_window_days"),
    )
    for analyte in (*LOW, *HIGH)
)


def grade_ctcae_days(
    labs: pl.DataFrame,
    analyte: str,
    *,
    baseline_until_day: float = 0,
    baseline_window_days: float = 30,
) -> pl.DataFrame:
    """CTCAE v5.0 grade of one analyte on every day it was measured.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table in canonical units
    analyte : one of ``LOW`` or ``HIGH``
    baseline_until_day, baseline_window_days : float
        Baseline is the last value on or before ``baseline_until_day``, at most
        ``baseline_window_days`` older.

    Returns
    -------
    DataFrame [patient, day, analyte, grade, lower_bound, treatment_emergent, after, grade_after,
    possible_after]
        Worst of each day; ``day`` whole. ``lower_bound``: what is not known (limit of normal, limit
        of quantification, baseline of creatinine) could raise the grade. ``grade`` is null where
        nothing can be said. ``after``: samples after ``baseline_until_day``; ``grade_after`` and
        ``possible_after`` are their lowest and highest grade. ``treatment_emergent``: worse than
        the baseline's grade; null without baseline.

    Notes
    -----
    Source: NCI, CTCAE v5.0 (2017). The baseline is itself graded against the limit of normal only.
    Without a baseline, enzymes are graded against the upper limit of normal.
    """
    rows = (
        labs.select(*_READ, *(["lower_normal"] if analyte in LOW else []))
        .filter((pl.col("analyte") == analyte) & pl.col("value").is_not_null())
        .with_columns(after=pl.col("day") > baseline_until_day)
    )
    baseline = _baselines(rows, analyte, oldest=baseline_until_day - baseline_window_days)
    graded = rows.join(baseline, on="patient", how="left", validate="m:1").with_columns(
        _bounds(analyte)
    )
    days = gather_rows(
        graded.with_columns(
            pl.col("day").floor(),
            certain_after=pl.when("after").then("certain"),
            possible_after=pl.when("after").then("possible"),
        ),
        ("patient", "day"),
        {
            "grade": pl.col("certain").max(),
            "possible": pl.col("possible").max(),
            "baseline_grade": pl.col("baseline_grade").first(),
            "after": pl.col("after").any(),
            "grade_after": pl.col("certain_after").max(),
            "possible_after": pl.col("possible_after").max(),
        },
    )
    return days.select(
        "patient",
        "day",
        analyte=pl.lit(analyte),
        grade="grade",
        lower_bound=(pl.col("possible") > pl.col("grade")).fill_null(value=True),
        treatment_emergent=pl.col("grade_after") > pl.col("baseline_grade"),
        after="after",
        grade_after="grade_after",
        possible_after="possible_after",
    )


def _baselines(rows: pl.DataFrame, analyte: str, *, oldest: float) -> pl.DataFrame:
    """Last value before treatment and its grade: patient, baseline, its limit and its grade."""
    return (
        rows.filter(~pl.col("after") & (pl.col("day") >= oldest))
        .sort("patient", "day", "value", descending=[False, False, analyte in LOW])
        .unique("patient", keep="last", maintain_order=True)
        .with_columns(baseline=pl.lit(None, dtype=pl.Float64), baseline_limit=pl.lit(None))
        .with_columns(_bounds(analyte))
        .select(
            "patient",
            baseline="value",
            baseline_limit="upper_normal",
            baseline_grade=pl.when(pl.col("certain") == pl.col("possible")).then("certain"),
        )
    )


def _bounds(analyte: str) -> list[pl.Expr]:
    """Lowest (``certain``) and highest (``possible``) grade of each row of one analyte."""
    criteria = printed_criteria("ctcae_v5")[analyte]
    if analyte in LOW:
        certain, possible = bounded_grade({g["grade"]: _low(g) for g in criteria["grades"]})
        return [certain.alias("certain"), possible.alias("possible")]
    either = bool(criteria.get("either", False))
    met = {g["grade"]: _high(g, either=either) for g in criteria["grades"]}
    certain, possible = bounded_grade(met)
    known = pl.col("upper_normal").is_not_null()
    return [
        pl.when(known).then(certain).alias("certain"),
        pl.when(known).then(possible).alias("possible"),
    ]


def _low(grade: dict[str, Any]) -> pl.Expr:
    return is_below(pl.col("lower_normal") if grade["below"] == "LLN" else float(grade["below"]))


def _high(grade: dict[str, Any], *, either: bool) -> pl.Expr:
    by_limit = is_above(pl.col("upper_normal") * grade["above_uln"])
    if "above_baseline" in grade:
        by_baseline = is_above(pl.col("baseline") * grade["above_baseline"])
    elif "from_baseline" in grade:
        by_baseline = is_at_least(pl.col("baseline") * grade["from_baseline"])
    else:
        return by_limit
    if either:
        return by_limit | (pl.col("after") & by_baseline)
    limit = pl.coalesce("baseline_limit", "upper_normal")
    abnormal = pl.col("after") & (pl.col("baseline").round(9) > limit.round(9))
    return pl.when(abnormal).then(by_baseline).otherwise(by_limit)


def assess(trial: Trial) -> Assessed:
    """Worst CTCAE v5.0 grade per analyte after day 0.

    Returns
    -------
    Assessed
        ``results``: ``value`` the worst grade, ``day`` the first day of it, ``flags`` whether it is
        worse than baseline. Grade 0 that could be 1 is ``not_evaluable`` (``no_lower_normal``).
        ``details["ctcae_grades"]``: [patient, day, analyte, grade, lower_bound,
        treatment_emergent].
    """
    labs = with_calculated_anc(trial["labs"])
    days = {analyte: grade_ctcae_days(labs, analyte) for analyte in (*LOW, *HIGH)}
    population = infused_patients(trial)
    answers = [
        as_results(
            answer_everybody(population, _worst(days[analyte])),
            rule=f"ctcae_{analyte}",
        )
        for analyte in (*LOW, *HIGH)
    ]
    grades = pl.concat(days[analyte] for analyte in sorted(days)).select(
        "patient", "day", "analyte", "grade", "lower_bound", "treatment_emergent"
    )
    return Assessed(results=combine_results(answers), details={"ctcae_grades": grades})


def _worst(days: pl.DataFrame) -> pl.DataFrame:
    """Worst grade after the baseline per patient, with the first day it was reached."""
    grade = pl.col("grade_after")
    worst = (
        days.filter("after")
        .sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(
            value=grade.max(),
            possible=pl.col("possible_after").max(),
            day=pl.col("day").filter(grade == grade.max()).first(),
            analyte=pl.col("analyte").first(),
            emergent=pl.col("treatment_emergent").any(),
            compared=pl.col("treatment_emergent").is_not_null().any(),
            ungraded=grade.is_null().any(),
        )
    )
    unknown = (
        pl.when(pl.col("analyte").is_in(LOW))
        .then(pl.lit("no_lower_normal"))
        .when(pl.col("value").is_null() | pl.col("ungraded"))
        .then(pl.lit("no_upper_normal"))
        .otherwise(pl.lit("no_baseline"))
    )
    open_zero = (pl.col("value") == 0) & ((pl.col("possible") > 0) | pl.col("ungraded"))
    no_grade = pl.col("value").is_null() | open_zero
    return worst.select(
        "patient",
        "value",
        state=pl.when(no_grade)
        .then(pl.lit("not_evaluable"))
        .when(pl.col("value") >= 1)
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        day=pl.when(pl.col("value") >= 1).then("day"),
        lower_bound=(pl.col("possible") > pl.col("value")) | pl.col("ungraded"),
        reason=pl.when(no_grade).then(unknown),
        flags=join_flags(
            [
                pl.when("emergent").then(pl.lit("treatment-emergent")),
                pl.when(pl.col("compared") & ~pl.col("emergent")).then(
                    pl.lit("not worse than baseline")
                ),
                pl.when(~pl.col("compared")).then(pl.lit("no baseline")),
            ]
        ),
    )
