"""Hematotoxicity after CAR-T (ICAHT): early, late and platelets, with HSCT inside the window."""

from typing import Any, Literal

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import adjudicated_for, answer_everybody, join_flags
from graftline.assess.cell_counts import with_calculated_anc, worst_of_day
from graftline.assess.count_spells import coverage, daily_course, low_spells
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import is_at_most, is_below
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial, followup_ends

Method = Literal["cumulative", "longest_run"]
_PRINTED = printed_criteria("icaht")
_PARAMETERS = (
    "method",
    "bridge_days",
    "max_missing_days",
    "never_above_min_window_days",
    "fallen_by_day",
)
_STOPS = Read("events", "event", ("relapse", "progression", "next_therapy", "death"))
_ANC = Read("labs", "analyte", ("anc", "wbc", "neutrophil_percent"))


def _words(name: str) -> str:
    lines = [*_PRINTED[name]["lines"]]
    if "never_above" in _PRINTED[name]:
        lines.append(_PRINTED[name]["never_above"])
    return " | ".join(f"{line['grade']}: {line['printed']}" for line in lines)


_DAYS = (
    ". Days are cumulative over the window; a rise of fewer than 3 days does not interrupt. "
    "Up to 3 missing days are interpolated. Stops at progression, next therapy or death"
)

RULES: tuple[Rule, ...] = (
    Rule(
        id="icaht_early",
        title="Early ICAHT (day 0 to 30), ended by HSCT",
        words=_words("early_anc")
        + _DAYS
        + " and at HSCT (truncated: a lower bound; never above 500 only from a window of 14 days).",
        citation="rejeski2023",
        reads=(_ANC, _STOPS, Read("infusions", "kind", ("hspc",))),
        parameters=_PARAMETERS,
    ),
    Rule(
        id="icaht_early_full_window",
        title="Early ICAHT (day 0 to 30), HSCT or not",
        words=_words("early_anc") + _DAYS + "; counts after HSCT are included.",
        citation="rejeski2023",
        reads=(_ANC, _STOPS),
        parameters=_PARAMETERS,
    ),
    Rule(
        id="icaht_late",
        title="Late ICAHT (after day 30), before HSCT",
        words=_words("late_anc") + ". Lowest ANC confirmed on a second day; ends at HSCT.",
        citation="rejeski2023",
        reads=(_ANC, _STOPS, Read("infusions", "kind", ("hspc",))),
        parameters=("confirmations",),
    ),
    Rule(
        id="thrombocytopenia_icaht_early",
        title="Early thrombocytopenia by ICAHT (day 0 to 30), ended by HSCT",
        words=_words("early_platelets") + _DAYS + " and at HSCT.",
        citation="rejeski2023",
        reads=(Read("labs", "analyte", ("platelets",)), _STOPS),
        parameters=_PARAMETERS,
    ),
    Rule(
        id="thrombocytopenia_icaht_late",
        title="Late thrombocytopenia by ICAHT (day 31 to 100), ended by HSCT",
        words=_words("late_platelets") + _DAYS + " and at HSCT.",
        citation="rejeski2023",
        reads=(Read("labs", "analyte", ("platelets",)), _STOPS),
        parameters=_PARAMETERS,
    ),
)


def icaht_windows(
    trial: Trial, *, begin: float, end: float, stop_at_hsct: bool = True
) -> pl.DataFrame:
    """Days each patient is looked at.

    Returns
    -------
    DataFrame [patient, begin, end, truncated, stopped_by, still_open]
        ``end`` is the earliest of the window's end, HSCT, progression, next therapy and death;
        ``truncated`` says one of these came first, ``stopped_by`` which. ``still_open``: follow-up
        ends alive first, and ``end`` is its last day. One row per infused patient.
    """
    events = adjudicated_events(trial, ["relapse", "progression", "next_therapy"])
    stops = [events.filter("occurred").select("patient", "day", by="event")]
    if stop_at_hsct:
        stops.append(
            transplanted_patients(trial).select("patient", day="hsct_day", by=pl.lit("HSCT"))
        )
    ends = followup_ends(trial)
    stops.append(ends.filter("dead").select("patient", day="death_day", by=pl.lit("death")))
    first = (
        pl.concat(stops)
        .drop_nulls("day")
        .with_columns(pl.col("day").floor())
        .sort("patient", "day", "by")
        .unique("patient", keep="first", maintain_order=True)
    )
    limit = pl.lit(float(end))
    waits = pl.col("day").is_null() & (pl.col("end_day") < limit)
    return (
        infused_patients(trial)
        .join(first, on="patient", how="left", validate="1:1")
        .join(ends.select("patient", "end_day"), on="patient", how="left", validate="1:1")
        .select(
            "patient",
            begin=pl.lit(float(begin)),
            end=pl.min_horizontal(limit, "day", pl.when(waits).then(pl.col("end_day").floor())),
            truncated=(pl.col("day") < limit).fill_null(value=False),
            stopped_by=pl.when(pl.col("day") < limit).then("by"),
            still_open=waits.fill_null(value=False),
        )
    )


def grade_low_days(
    counts: pl.DataFrame,
    windows: pl.DataFrame,
    criteria: str,
    *,
    method: Method = "cumulative",
    bridge_days: int = 3,
    max_missing_days: int = 3,
    never_above_min_window_days: float = 14,
    fallen_by_day: float = 3,
) -> pl.DataFrame:
    """Grade of ICAHT from the days below each limit.

    Parameters
    ----------
    counts : DataFrame [patient, day, value, quantification]
        Lowest of each day, in the unit of the criteria (ANC in cells/uL, platelets in 1e9/L).
    windows : DataFrame from ``icaht_windows``
    criteria : str
        Table of ``criteria/icaht.toml``.
    method : {"cumulative", "longest_run"}
        Days over the whole window, or of the longest spell. With ``longest_run`` "never above"
        asks for a fall up to ``fallen_by_day``.
    bridge_days, max_missing_days : int
        See ``low_spells`` and ``daily_course``.
    never_above_min_window_days : float
        In a truncated window "never above" is judged only from so many days.

    Returns
    -------
    DataFrame [patient, grade, cumulative, longest_run, never_above, first_day, gaps, unsure]
        One row per patient with a value in the window; the grade by either method beside the one
        asked for. ``unsure``: a result below quantification whose limit lies above a threshold.

    Notes
    -----
    Rejeski (2023). Values after the end of the window never enter, not even by interpolation.
    """
    table = _PRINTED[criteria]
    inside = counts.join(windows, on="patient", how="inner", validate="m:1")
    # a window ended by HSCT, progression or death may not borrow from what came after, and no
    # window from days further off than the widest gap that is filled
    reach = max_missing_days + 1
    usable = inside.filter(
        ((pl.col("day") <= pl.col("end")) | ~pl.col("truncated"))
        & (pl.col("day") >= pl.col("begin") - reach)
        & (pl.col("day") <= pl.col("end") + reach)
    )
    course = daily_course(
        usable.select(counts.columns),
        offset=table["interpolation_offset"],
        max_missing_days=max_missing_days,
    )
    known = coverage(course, windows, max_missing_days=max_missing_days)
    course = (
        course.join(windows, on="patient", how="inner", validate="m:1")
        .filter((pl.col("day") >= pl.col("begin")) & (pl.col("day") <= pl.col("end")))
        .select("patient", "day", "value", "quantification", "measured")
    )
    answers = known.join(windows, on="patient", how="left", validate="1:1")
    for limit in sorted({_limit(line) for line in table["lines"]}, reverse=True):
        line = next(x for x in table["lines"] if _limit(x) == limit)
        answers = answers.join(
            _days_at(course, line, bridge_days=bridge_days, suffix=f"{limit:g}"),
            on="patient",
            how="left",
            validate="1:1",
        )
    graded = answers.with_columns(
        never_above=_never_above(table, never_above_min_window_days),
        cumulative=_by_days(table, "total"),
        longest_run=_by_days(table, "longest"),
        first_day=pl.col(f"first_{max(_limit(x) for x in table['lines']):g}"),
    )
    never = pl.col("never_above").fill_null(value=False)
    early = never & (pl.col("first_day") <= fallen_by_day)
    top = table.get("never_above", {"grade": 0})["grade"]
    return graded.with_columns(
        cumulative=pl.when(never).then(top).otherwise("cumulative").cast(pl.Int64),
        longest_run=pl.when(early).then(top).otherwise("longest_run").cast(pl.Int64),
    ).select(
        "patient",
        "cumulative",
        "longest_run",
        "never_above",
        "first_day",
        "gaps",
        grade=pl.col(method),
        unsure=pl.any_horizontal(
            pl.col(f"unsure_{_limit(x):g}").fill_null(value=False) for x in table["lines"]
        ),
    )


def _limit(line: dict[str, Any]) -> float:
    return float(line["at_most"] if "at_most" in line else line["below"])


def _low(line: dict[str, Any]) -> pl.Expr:
    return is_at_most(_limit(line)) if "at_most" in line else is_below(_limit(line))


def _days_at(
    course: pl.DataFrame, line: dict[str, Any], *, bridge_days: int, suffix: str
) -> pl.DataFrame:
    """Low days of one limit, and whether any day after the first low one is above it."""
    spells = low_spells(course, _low(line), bridge_days=bridge_days)
    marked = course.with_columns(low=_low(line)).join(
        spells.select("patient", "first_day"), on="patient", how="left", validate="m:1"
    )
    after = marked.group_by("patient").agg(
        above=(~pl.col("low") & (pl.col("day") > pl.col("first_day"))).any(),
        unsure=pl.col("low").is_null().any(),
    )
    return after.join(spells, on="patient", how="left", validate="1:1").select(
        "patient",
        pl.col("total_days").fill_null(0).alias(f"total_{suffix}"),
        pl.col("longest_days").fill_null(0).alias(f"longest_{suffix}"),
        pl.col("first_day").alias(f"first_{suffix}"),
        pl.col("above").alias(f"above_{suffix}"),
        pl.col("unsure").alias(f"unsure_{suffix}"),
    )


def _by_days(table: dict[str, Any], which: str) -> pl.Expr:
    return pl.max_horizontal(
        pl.lit(0),
        *(
            pl.when(pl.col(f"{which}_{_limit(line):g}") >= line["days_from"]).then(line["grade"])
            for line in table["lines"]
        ),
    )


def _never_above(table: dict[str, Any], min_window_days: float) -> pl.Expr:
    """Fallen and never above the limit again, in a window without gaps and long enough."""
    if "never_above" not in table:
        return pl.lit(value=False)
    limit = f"{_limit(table['never_above']):g}"
    long_enough = ~pl.col("truncated") | (pl.col("end") - pl.col("begin") >= min_window_days)
    return (
        pl.col(f"first_{limit}").is_not_null()
        & ~pl.col(f"above_{limit}")
        & ~pl.col(f"unsure_{limit}")
        & ~pl.col("gaps")
        & long_enough
        & ~pl.col("still_open")
    )


def grade_late_icaht(
    counts: pl.DataFrame, windows: pl.DataFrame, *, confirmations: int = 2
) -> pl.DataFrame:
    """Late ICAHT: the lowest ANC (cells/uL) confirmed on ``confirmations`` days of the window.

    Returns
    -------
    DataFrame [patient, grade, possible, first_day, days]
        ``possible`` is the grade of the single lowest value; ``days`` the days with a value.
    """
    lines = _PRINTED["late_anc"]["lines"]
    inside = counts.join(windows, on="patient", how="inner", validate="m:1").filter(
        (pl.col("day") >= pl.col("begin")) & (pl.col("day") <= pl.col("end"))
    )
    met = {line["grade"]: _low(line).fill_null(value=False) for line in lines}
    return (
        inside.sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(
            grade=pl.max_horizontal(
                pl.lit(0), *(pl.when(m.sum() >= confirmations).then(g) for g, m in met.items())
            ),
            possible=pl.max_horizontal(
                pl.lit(0), *(pl.when(m.any()).then(g) for g, m in met.items())
            ),
            first_day=pl.col("day").filter(met[1]).min(),
            days=pl.len(),
        )
        .sort("patient")
    )


def assess(trial: Trial) -> Assessed:
    """ICAHT, early (to HSCT and full window), late, and thrombocytopenia.

    Returns
    -------
    Assessed
        ``value`` = grade, ``day`` = first low day, ``flags`` why it is a lower bound and the grade
        by the other way of counting where that differs. No details.
    """
    method = trial.protocol.definitions.icaht
    population = infused_patients(trial)
    labs = with_calculated_anc(trial["labs"])
    anc = worst_of_day(labs, "anc", worst="lowest").with_columns(pl.col("value") * 1000)
    platelets = worst_of_day(labs, "platelets", worst="lowest")
    results = []
    for rule, counts, criteria, to_hsct in (
        ("icaht_early", anc, "early_anc", True),
        ("icaht_early_full_window", anc, "early_anc", False),
        ("thrombocytopenia_icaht_early", platelets, "early_platelets", True),
        ("thrombocytopenia_icaht_late", platelets, "late_platelets", True),
    ):
        begin, end = _PRINTED[criteria]["window"]
        windows = icaht_windows(trial, begin=begin, end=end, stop_at_hsct=to_hsct)
        grades = grade_low_days(counts, windows, criteria, method=method)
        answers = _answers(grades, windows, other=_other(method), end=end)
        answers = answer_everybody(population, answers)
        results.append(as_results(_before_window(answers, windows), rule=rule))
    windows = icaht_windows(trial, begin=31, end=float("inf"))
    late = answer_everybody(population, _late_answers(grade_late_icaht(anc, windows), windows))
    results += [
        as_results(_before_window(late, windows), rule="icaht_late"),
        adjudicated_for(trial, population, "icaht", rule="icaht_early"),
    ]
    return Assessed(combine_results(results))


def _other(method: Method) -> Method:
    return "longest_run" if method == "cumulative" else "cumulative"


def _answers(
    grades: pl.DataFrame, windows: pl.DataFrame, *, other: Method, end: float
) -> pl.DataFrame:
    joined = grades.join(windows, on="patient", how="left", validate="1:1")
    grade, cut, wait = pl.col("grade"), pl.col("truncated"), pl.col("still_open")
    open_end = (cut | wait | pl.col("gaps") | pl.col("unsure")) & (grade < 4)
    clean = grade == 0
    holes = clean & ~wait & (pl.col("gaps") | pl.col("unsure"))
    return joined.select(
        "patient",
        state=pl.when(clean & wait)
        .then(pl.lit("not_yet_evaluable"))
        .when(holes)
        .then(pl.lit("not_evaluable"))
        .when(clean)
        .then(pl.lit("no"))
        .otherwise(pl.lit("yes")),
        value=grade.cast(pl.Float64),
        day=pl.when(~clean).then("first_day"),
        lower_bound=open_end,
        reason=pl.when(holes).then(pl.lit("gaps")),
        until=pl.when(wait).then(float(end)),
        flags=join_flags(
            [
                pl.when(cut).then(
                    pl.format(
                        "truncated at day {} by {}", pl.col("end").cast(pl.Int64), "stopped_by"
                    )
                ),
                pl.when(pl.col("gaps")).then(pl.lit("gaps")),
                pl.when(pl.col("never_above")).then(pl.lit("never above 500/uL")),
                pl.when(pl.col(other) != grade).then(pl.format(other + " grade {}", other)),
            ]
        ),
    )


def _late_answers(grades: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    joined = grades.join(windows, on="patient", how="left", validate="1:1")
    clean = pl.col("grade") == 0
    single = clean & (pl.col("possible") > 0)
    return joined.select(
        "patient",
        state=pl.when(single)
        .then(pl.lit("not_evaluable"))
        .when(clean)
        .then(pl.lit("no"))
        .otherwise(pl.lit("yes")),
        value=pl.col("grade").cast(pl.Float64),
        day=pl.when(~clean).then("first_day"),
        lower_bound=pl.col("possible") > pl.col("grade"),
        until=pl.lit(None, dtype=pl.Float64),
        reason=pl.when(single).then(pl.lit("not_confirmed")),
    )


def _before_window(answers: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Why a patient has no day in the window: HSCT, death or relapse first, or not there yet."""
    joined = answers.join(
        windows.select("patient", "begin", "end", "stopped_by", "still_open"),
        on="patient",
        how="left",
        validate="1:1",
    )
    early = (pl.col("reason") == "no_records") & (pl.col("end") < pl.col("begin"))
    wait = early & pl.col("still_open")
    word = (
        pl.when(pl.col("stopped_by") == "death")
        .then(pl.lit("died_before"))
        .otherwise(pl.col("stopped_by").str.to_lowercase() + "_before")
    )
    return joined.with_columns(
        state=pl.when(wait).then(pl.lit("not_yet_evaluable")).otherwise("state"),
        until=pl.when(wait).then("begin").otherwise("until"),
        reason=pl.when(early).then(word).otherwise("reason"),
    )
