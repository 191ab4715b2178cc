"""Engraftment: neutrophils, platelets, independence of red cells, donor; days from HSPC."""

from collections.abc import Iterator, Sequence

import polars as pl

from graftline.assess.after_hspc import adjudicated_after_hspc, graft_followup
from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.cell_counts import with_calculated_anc
from graftline.assess.counts_after_hspc import (
    ANALYTES_OF_ANC,
    hemoglobin_after_hspc,
    neutrophils_after_hspc,
    platelets_after_hspc,
)
from graftline.assess.donor_share import graft_donor_tests
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import is_at_least, is_below
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.runs import condition_runs, first_lasting_run
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("engraftment")
_ANC = Read("labs", "analyte", ANALYTES_OF_ANC, (0, None))
_MYELOID = ("cd33", "cd15")

RULES: tuple[Rule, ...] = tuple(
    Rule(
        id=name,
        title=_PRINTED[name]["title"],
        words=f"{_PRINTED[name]['printed']} {_PRINTED[name]['reading']}",
        citation=_PRINTED[name]["citation"],
        reads=reads,
        origin="hspc",
        parameters=tuple(_PRINTED[name]["parameters"]),
    )
    for name, reads in {
        "neutrophil_engraftment": (_ANC,),
        "platelet_engraftment_20": (
            Read("labs", "analyte", ("platelets",), (0, None)),
            Read("transfusions", "product", ("platelets",)),
        ),
        "platelet_engraftment_50": (
            Read("labs", "analyte", ("platelets",), (0, None)),
            Read("transfusions", "product", ("platelets",)),
        ),
        "hemoglobin_independence": (
            Read("labs", "analyte", ("hemoglobin",), (0, None)),
            Read("transfusions", "product", ("red_cells",)),
        ),
        "donor_engraftment": (_ANC, Read("chimerism", "lineage", (*_MYELOID, "unsorted"))),
    }.items()
)


def time_to_recovery(
    days: pl.DataFrame,
    *,
    consecutive: int = 3,
    max_gap_days: float = 3,
    sustained: bool = True,
    transient_within_days: float = 7,
) -> pl.DataFrame:
    """First of several consecutive measured days of recovery after the first low day.

    Parameters
    ----------
    days : DataFrame [patient, day, recovered, low]
        One row per patient and measured day; ``recovered`` and ``low`` may be unknown (null).
    consecutive : int
        Measured values on different days (ASTCT consensus 2021: 3).
    max_gap_days : float
        A larger gap between two measured days breaks the run.
    sustained : bool
        Whether a run lost again counts as transient.
    transient_within_days : float
        Lost: as many consecutive low days begin within so many days after the run's last needed
        day.

    Returns
    -------
    DataFrame [patient, day, gaps, transient_before, unmeasured_before]
        Patients who recovered. ``unmeasured_before``: the measured day before lies further back
        than ``max_gap_days``, so that recovery may have come earlier.
    """
    first_low = days.filter("low").group_by("patient").agg(first_low=pl.col("day").min())
    counted = days.join(first_low, on="patient", how="inner", validate="m:1").filter(
        pl.col("day") >= pl.col("first_low")
    )
    runs = condition_runs(counted, "recovered", consecutive=consecutive, max_gap_days=max_gap_days)
    losses = condition_runs(counted, "low", consecutive=consecutive, max_gap_days=max_gap_days)
    losses = losses if sustained else losses.clear()
    return (
        first_lasting_run(runs, losses, within_days=transient_within_days)
        .select(
            "patient",
            "gaps",
            "transient_before",
            day="start",
            unmeasured_before=(pl.col("step") > max_gap_days).fill_null(value=False),
        )
        .sort("patient")
    )


def explain_no_recovery(
    days: pl.DataFrame,
    grafts: pl.DataFrame,
    *,
    horizon_days: float,
    max_gap_days: float = 3,
) -> pl.DataFrame:
    """State and reason of patients without recovery.

    Parameters
    ----------
    days : DataFrame [patient, day, recovered, low]
    grafts : DataFrame [patient, end, dead, second_graft]; days from HSPC
    horizon_days : float
        "No" is said only when counts reach this day (less one permitted gap).

    Returns
    -------
    DataFrame [patient, state, reason, until]
        One row per patient of ``grafts``. Reasons: ``no_records``, ``never_below``,
        ``died_before``, ``second_graft_before``, ``values_too_sparse`` (the last value had
        recovered), ``records_stop``; not yet evaluable until ``horizon_days``.
    """
    seen = (
        days.sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(
            last=pl.col("day").last(),
            ends_recovered=pl.col("recovered").fill_null(value=False).last(),
            ever_low=pl.col("low").fill_null(value=False).any(),
        )
    )
    short = pl.col("end") < horizon_days
    replaced = pl.col("second_graft") < horizon_days
    rows = grafts.join(seen, on="patient", how="left", validate="1:1").with_columns(
        reason=pl.when(pl.col("last").is_null())
        .then(pl.lit("no_records"))
        .when(~pl.col("ever_low"))
        .then(pl.lit("never_below"))
        .when(pl.col("dead") & short)
        .then(pl.lit("died_before"))
        .when(replaced)
        .then(pl.lit("second_graft_before"))
        .when(short)
        .then(pl.lit("followed_too_short"))
        .when("ends_recovered")
        .then(pl.lit("values_too_sparse"))
        .when(pl.col("last") < horizon_days - max_gap_days)
        .then(pl.lit("records_stop"))
    )
    not_yet = (pl.col("reason") == "followed_too_short").fill_null(value=False)
    return rows.select(
        "patient",
        "reason",
        state=pl.when(pl.col("reason").is_null())
        .then(pl.lit("no"))
        .when(not_yet)
        .then(pl.lit("not_yet_evaluable"))
        .otherwise(pl.lit("not_evaluable")),
        until=pl.when(not_yet).then(pl.lit(float(horizon_days))),
    )


def recovery_answers(
    days: pl.DataFrame,
    grafts: pl.DataFrame,
    *,
    horizon_days: float,
    consecutive: int = 3,
    max_gap_days: float = 3,
    sustained: bool = True,
    transient_within_days: float = 7,
) -> pl.DataFrame:
    """Recovery of one count in every transplanted patient, with why where there is none.

    Returns
    -------
    DataFrame [patient, state, value, day, flags, reason, until]
        ``day`` = ``value`` = day from HSPC.
    """
    found = time_to_recovery(
        days,
        consecutive=consecutive,
        max_gap_days=max_gap_days,
        sustained=sustained,
        transient_within_days=transient_within_days,
    )
    others = explain_no_recovery(days, grafts, horizon_days=horizon_days, max_gap_days=max_gap_days)
    recovered = pl.col("day").is_not_null()
    rows = (
        others.join(found, on="patient", how="left", validate="1:1")
        .join(grafts.select("patient", "hsct_assumed"), on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    return rows.select(
        "patient",
        "day",
        value="day",
        state=pl.when(recovered).then(pl.lit("yes")).otherwise("state"),
        reason=pl.when(~recovered).then("reason"),
        until=pl.when(~recovered).then("until"),
        flags=join_flags(
            [
                pl.when("gaps").then(pl.lit("gaps")),
                pl.when("transient_before").then(pl.lit("transient_before")),
                pl.when("unmeasured_before").then(pl.lit("unmeasured_before")),
                pl.when(recovered & pl.col("hsct_assumed")).then(pl.lit("assumed")),
            ]
        ),
    )


def with_recovery(days: pl.DataFrame, *, threshold: float, free_days: float = 7) -> pl.DataFrame:
    """Mark on which measured days a transfusion-dependent count had recovered or was low.

    A day within ``free_days`` of a transfusion is not recovered, and is low: whoever is transfused
    had a low count, whether or not it was recorded.

    Parameters
    ----------
    days : DataFrame [patient, day, value, quantification, free, transfused]
        As from ``without_transfusion``.

    Returns
    -------
    DataFrame [patient, day, value, quantification, recovered, low]
    """
    lately = pl.col("transfused") >= -free_days
    return days.with_columns(
        recovered=is_at_least(threshold) & pl.col("free"),
        low=is_below(threshold) | ~pl.col("free") | lately.fill_null(value=False),
    ).select("patient", "day", "value", "quantification", "recovered", "low")


def donor_engraftment_answers(
    neutrophils: pl.DataFrame,
    tests: pl.DataFrame,
    *,
    minimum_donor_percent: float = 5,
    within_days: float = 14,
) -> pl.DataFrame:
    """Neutrophil engraftment by the graft's own cells.

    Parameters
    ----------
    neutrophils : DataFrame as from ``recovery_answers``
    tests : DataFrame [patient, hsct_day, lineage, donor_percent]; of the graft's donor, after HSPC
    minimum_donor_percent : float
    within_days : float
        The nearest test of the myeloid lineage so near to the day of neutrophil engraftment counts;
        without one, the nearest of unsorted cells, as ``provisional``: the CAR-T's donor DNA is in
        it.

    Returns
    -------
    DataFrame [patient, state, value, day, label, flags, reason, until]
    """
    apart = (pl.col("hsct_day") - pl.col("engrafted")).abs()
    near = (
        tests.filter(pl.col("lineage").is_in([*_MYELOID, "unsorted"]))
        .join(
            neutrophils.select("patient", engrafted="day"),
            on="patient",
            how="inner",
            validate="m:1",
        )
        .with_columns(apart=apart, provisional=pl.col("lineage") == "unsorted")
        .filter(pl.col("apart") <= within_days)
        .sort("patient", "provisional", "apart", "hsct_day", "donor_percent")
        .unique("patient", keep="first", maintain_order=True)
        .select("patient", "provisional", "donor_percent")
    )
    rows = neutrophils.join(near, on="patient", how="left", validate="1:1")
    engrafted = pl.col("state") == "yes"
    untested = engrafted & pl.col("donor_percent").is_null()
    donor = engrafted & (pl.col("donor_percent") >= minimum_donor_percent).fill_null(value=False)
    return rows.select(
        "patient",
        "until",
        day=pl.when(donor).then("day"),
        value=pl.when(donor).then("day"),
        state=pl.when(donor)
        .then(pl.lit("yes"))
        .when(untested)
        .then(pl.lit("not_evaluable"))
        .when(engrafted)
        .then(pl.lit("no"))
        .otherwise("state"),
        label=pl.when(engrafted & ~donor & ~untested).then(pl.lit("recipient cells")),
        reason=pl.when(untested).then(pl.lit("no_chimerism_test")).otherwise("reason"),
        flags=join_flags(
            [
                pl.col("flags"),
                pl.when(pl.col("provisional") & ~untested).then(pl.lit("provisional")),
            ]
        ),
    ).sort("patient")


def assess(trial: Trial) -> Assessed:
    """Engraftment of a trial, derived and adjudicated.

    Platelet and haemoglobin recovery need the ``transfusions`` table: without it nobody can be
    called independent of transfusions.
    """
    grafts = graft_followup(trial)
    gap = trial.protocol.definitions.engraftment_max_gap_days
    neutrophils = recovery_answers(
        neutrophils_after_hspc(trial),
        grafts,
        horizon_days=trial.protocol.definitions.graft_failure_day,
        max_gap_days=gap,
        sustained=trial.protocol.definitions.engraftment_sustained,
    )
    calculated = _calculated_patients(trial)
    neutrophils = neutrophils.with_columns(
        flags=join_flags(
            [
                pl.col("flags"),
                pl.when(
                    pl.col("patient").is_in(calculated.implode()) & (pl.col("state") == "yes")
                ).then(pl.lit("anc_calculated")),
            ]
        )
    )
    donors = donor_engraftment_answers(
        neutrophils, graft_donor_tests(trial, grafts).filter(~pl.col("before_hspc"))
    )
    frames = [
        as_results(answer_everybody(grafts, neutrophils), rule="neutrophil_engraftment"),
        as_results(answer_everybody(grafts, donors), rule="donor_engraftment"),
    ]
    for rules in (
        ("platelet_engraftment_20", "platelet_engraftment_50"),
        ("hemoglobin_independence",),
    ):
        frames += _independence(trial, grafts, rules, gap)
    for event, rule in {
        "neutrophil_engraftment": "neutrophil_engraftment",
        "platelet_engraftment": "platelet_engraftment_20",
    }.items():
        frames.append(adjudicated_after_hspc(trial, grafts, event, rule=rule))
    return Assessed(combine_results(frames))


def _calculated_patients(trial: Trial) -> pl.Series:
    # without white cells nothing is calculated, and then nobody with ANC need be looked at
    white = trial["labs"].filter(pl.col("analyte").is_in(["wbc", "neutrophil_percent"]))
    patients = white.select("patient").unique()
    labs = trial["labs"].filter(pl.col("analyte").is_in(list(_ANC.values)))
    rows = with_calculated_anc(labs.join(patients, on="patient", how="semi")).filter("calculated")
    return rows["patient"].unique().sort()


def _independence(
    trial: Trial, grafts: pl.DataFrame, rules: Sequence[str], max_gap_days: float
) -> Iterator[pl.DataFrame]:
    """Answers of rules on one count, whose days are looked up once."""
    counted = _PRINTED[rules[0]]["analyte"]
    days = (platelets_after_hspc if counted == "platelets" else hemoglobin_after_hspc)(trial)
    for rule in rules:
        printed = _PRINTED[rule]
        answers = recovery_answers(
            with_recovery(
                days, threshold=printed["threshold"], free_days=printed["transfusion_free_days"]
            ),
            grafts,
            horizon_days=printed["horizon_days"],
            consecutive=printed["consecutive"],
            max_gap_days=max_gap_days,
            sustained=False,
        )
        if "transfusions" not in trial.present:
            answers = _without_transfusion_records(answers)
        yield as_results(answer_everybody(grafts, answers), rule=rule)


def _without_transfusion_records(answers: pl.DataFrame) -> pl.DataFrame:
    unknown = pl.col("reason").is_null() | (pl.col("reason") != "no_records")
    return answers.with_columns(
        state=pl.lit("not_evaluable"),
        reason=pl.when(unknown).then(pl.lit("no_transfusion_records")).otherwise("reason"),
        **{name: pl.lit(None, dtype=pl.Float64) for name in ("value", "day", "until")},
    )
