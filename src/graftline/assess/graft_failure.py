"""Graft failure: primary, secondary, autologous recovery, poor graft function; days from HSPC."""

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.after_hspc import adjudicated_after_hspc, graft_followup, relapse_after_hspc
from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.chimerism import autologous_answers, tests_with_relapse
from graftline.assess.counts_after_hspc import (
    hemoglobin_after_hspc,
    neutrophils_after_hspc,
    platelets_after_hspc,
)
from graftline.assess.donor_share import graft_donor_tests
from graftline.assess.engraftment import recovery_answers
from graftline.assess.poor_graft import line_is_low, low_spells, poor_graft_function
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.runs import condition_runs
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("graft_failure")
_KINDS = ("autologous_recovery", "primary", "poor_graft_function", "secondary")
GROWTH_FACTORS = ("filgrastim", "lenograstim", "pegfilgrastim", "g-csf", "lipegfilgrastim")

RULES: tuple[Rule, ...] = (
    Rule(
        id="graft_failure",
        title="Graft failure",
        words=" ".join(
            f"{kind['label'].capitalize()}: {kind['printed']} {kind['reading']}"
            for kind in (_PRINTED[name] for name in _KINDS)
        )
        + " The first that applies in this order. Relapse before ends the watch.",
        citation="kharfan2021",
        reads=(
            Read("labs", "analyte", ("anc", "platelets", "hemoglobin"), (0, None)),
            Read("transfusions", "product", ("platelets", "red_cells")),
            Read("chimerism"),
            Read("products", "tissue", ("cord",)),
            Read("drugs", "drug", GROWTH_FACTORS),
            Read("events", "event", ("relapse", "acute_gvhd", "chronic_gvhd")),
        ),
        origin="hspc",
        parameters=("graft_failure_day", "engraftment_max_gap_days", "engraftment_sustained"),
    ),
)


def pancytopenic_at(
    lines: pl.DataFrame, checks: pl.DataFrame, *, lines_needed: int = 2, within_days: float = 7
) -> pl.DataFrame:
    """Whether all lines were low around one day of each patient.

    Parameters
    ----------
    lines : DataFrame [patient, line, day, low]
    checks : DataFrame [patient, check_day]
    lines_needed : int
        Lines that must be known low.
    within_days : float
        The nearest measured day so near decides; of two equally near the earlier.

    Returns
    -------
    DataFrame [patient, pancytopenic]; null where a line is unknown and none is known not to be low
    """
    near = (
        lines.join(checks, on="patient", how="inner", validate="m:1")
        .with_columns(apart=(pl.col("day") - pl.col("check_day")).abs())
        .filter(pl.col("apart") <= within_days)
        .sort("patient", "line", "apart", "day")
        .unique(["patient", "line"], keep="first", maintain_order=True)
    )
    known = near.group_by("patient").agg(
        any_normal=(~pl.col("low")).any(), lines=pl.col("low").count()
    )
    return checks.join(known, on="patient", how="left", validate="1:1").select(
        "patient",
        pancytopenic=pl.when("any_normal")
        .then(pl.lit(value=False))
        .when(pl.col("lines") >= lines_needed)
        .then(pl.lit(value=True)),
    )


def primary_failure(
    neutrophils: pl.DataFrame, grafts: pl.DataFrame, pancytopenia: pl.DataFrame
) -> pl.DataFrame:
    """Primary graft failure at each patient's evaluation day.

    Parameters
    ----------
    neutrophils : DataFrame [patient, state, day, flags, reason]; neutrophil recovery
    grafts : DataFrame [patient, check_day, end, dead, second_graft]
    pancytopenia : DataFrame [patient, pancytopenic]

    Returns
    -------
    DataFrame [patient, primary, why]
        ``primary`` null where it cannot be known, for the reason ``why``.
    """
    rows = (
        grafts.join(
            neutrophils.select("patient", "state", "reason", "flags", recovered="day"),
            on="patient",
            how="left",
            validate="1:1",
        )
        .join(pancytopenia, on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    in_time = (pl.col("recovered") <= pl.col("check_day")).fill_null(value=False)
    late = (pl.col("recovered") > pl.col("check_day")).fill_null(value=False)
    unwatched = pl.col("flags").str.contains("unmeasured_before").fill_null(value=False)
    early_end = (pl.col("end") < pl.col("check_day")).fill_null(value=False)
    never = pl.col("reason") == "never_below"
    why = (
        pl.when(in_time | never)
        .then(None)
        .when(early_end & pl.col("dead"))
        .then(pl.lit("died_before"))
        .when((pl.col("second_graft") < pl.col("check_day")).fill_null(value=False))
        .then(pl.lit("second_graft_before"))
        .when(early_end)
        .then(pl.lit("followed_too_short"))
        .when(late & unwatched)
        .then(pl.lit("records_stop"))
        .when((pl.col("state") != "no") & ~late)
        .then(pl.coalesce("reason", pl.lit("no_records")))
        .when(pl.col("pancytopenic").is_null())
        .then(pl.lit("pancytopenia_not_recorded"))
    )
    return rows.select(
        "patient",
        why=why,
        primary=pl.when(in_time | never)
        .then(pl.lit(value=False))
        .when(why.is_null())
        .then("pancytopenic"),
    )


def neutrophil_loss(
    days: pl.DataFrame,
    neutrophils: pl.DataFrame,
    *,
    consecutive: int = 3,
    max_gap_days: float = 3,
) -> pl.DataFrame:
    """First of several consecutive low days after neutrophil recovery.

    Parameters
    ----------
    days : DataFrame [patient, day, low]
    neutrophils : DataFrame [patient, day]; recovery

    Returns
    -------
    DataFrame [patient, loss_day]
    """
    after = (
        days.select("patient", "day", "low")
        .join(
            neutrophils.select("patient", recovered="day").drop_nulls(),
            on="patient",
            how="inner",
            validate="m:1",
        )
        .filter(pl.col("day") > pl.col("recovered"))
    )
    return (
        condition_runs(after, "low", consecutive=consecutive, max_gap_days=max_gap_days)
        .group_by("patient")
        .agg(loss_day=pl.col("start").min())
        .sort("patient")
    )


def classify_failure(
    grafts: pl.DataFrame,
    primary: pl.DataFrame,
    autologous: pl.DataFrame,
    losses: pl.DataFrame,
    poor: pl.DataFrame,
) -> pl.DataFrame:
    """The first kind of failure that applies, or none, or why it cannot be said.

    Parameters
    ----------
    grafts : DataFrame [patient, check_day]
    primary : DataFrame [patient, primary, why]
    autologous : DataFrame [patient, state, day]
    losses : DataFrame [patient, loss_day, supported]
    poor : DataFrame [patient, poor_day]

    Returns
    -------
    DataFrame [patient, state, value, label, day, flags, reason, until]
        "None" needs neutrophil recovery in time and a chimerism test: without conditioning the
        counts may be the patient's own.
    """
    rows = (
        grafts.select("patient", "check_day")
        .join(primary, on="patient", how="left", validate="1:1")
        .join(
            autologous.select("patient", donor_lost="state", lost_day="day"),
            on="patient",
            how="left",
            validate="1:1",
        )
        .join(losses, on="patient", how="left", validate="1:1")
        .join(poor, on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    is_lost = (pl.col("donor_lost") == "yes").fill_null(value=False)
    is_primary = pl.col("primary").fill_null(value=False)
    is_poor = pl.col("poor_day").is_not_null()
    is_secondary = pl.col("loss_day").is_not_null()
    failed = is_lost | is_primary | is_poor | is_secondary
    reason = (
        pl.when(failed)
        .then(None)
        .when(pl.col("why").is_not_null())
        .then("why")
        .when(pl.col("donor_lost").is_null())
        .then(pl.lit("no_chimerism_test"))
    )
    open_ = (reason == "followed_too_short").fill_null(value=False)
    day = (
        pl.when(is_lost)
        .then("lost_day")
        .when(is_primary)
        .then("check_day")
        .when(is_poor)
        .then("poor_day")
        .when(is_secondary)
        .then("loss_day")
    )
    return rows.select(
        "patient",
        day=day,
        value=day,
        reason=reason,
        until=pl.when(open_).then("check_day"),
        state=pl.when(failed)
        .then(pl.lit("yes"))
        .when(open_)
        .then(pl.lit("not_yet_evaluable"))
        .when(reason.is_not_null())
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("no")),
        label=pl.when(is_lost)
        .then(pl.lit("autologous recovery"))
        .when(is_primary)
        .then(pl.lit("primary"))
        .when(is_poor)
        .then(pl.lit("poor graft function"))
        .when(is_secondary)
        .then(pl.lit("secondary"))
        .when(reason.is_null())
        .then(pl.lit("none")),
        flags=join_flags(
            [
                pl.when(is_secondary & ~is_lost & ~is_primary & pl.col("supported")).then(
                    pl.lit("support_given")
                ),
            ]
        ),
    )


def assess(trial: Trial) -> Assessed:
    """Graft failure of a trial, derived and adjudicated."""
    settled = trial.protocol.definitions
    grafts = _with_check_day(trial, graft_followup(trial), settled.graft_failure_day)
    tests = tests_with_relapse(
        trial, graft_donor_tests(trial, grafts).filter(~pl.col("before_hspc")), grafts
    )
    relapse = relapse_after_hspc(trial, grafts)
    days = _before_relapse(neutrophils_after_hspc(trial), relapse)
    neutrophils = recovery_answers(
        days,
        grafts,
        horizon_days=settled.graft_failure_day,
        max_gap_days=settled.engraftment_max_gap_days,
        sustained=settled.engraftment_sustained,
    )
    printed = _PRINTED["primary"]
    support = _lines(trial, printed["platelets_below"], printed["hemoglobin_below"], relapse)
    pancytopenia = pancytopenic_at(
        support, grafts.select("patient", "check_day"), within_days=printed["within_days"]
    )
    primary = primary_failure(neutrophils, grafts, pancytopenia)
    losses = neutrophil_loss(days, neutrophils, max_gap_days=settled.engraftment_max_gap_days)
    answers = classify_failure(
        grafts,
        primary,
        autologous_answers(tests),
        _with_support(trial, losses, grafts),
        _poor(trial, grafts, days, neutrophils, tests, relapse),
    )
    derived = as_results(answer_everybody(grafts, answers), rule="graft_failure")
    judged = adjudicated_after_hspc(trial, grafts, "graft_failure", rule="graft_failure")
    none = (pl.col("state") == "no") & pl.col("label").is_null()
    judged = judged.with_columns(label=pl.when(none).then(pl.lit("none")).otherwise("label"))
    return Assessed(combine_results([derived, judged]))


def _with_check_day(trial: Trial, grafts: pl.DataFrame, day: float) -> pl.DataFrame:
    cord = trial["products"].filter((pl.col("kind") == "hspc") & (pl.col("tissue") == "cord"))
    is_cord = pl.col("patient").is_in(cord["patient"].unique().implode())
    late = float(max(day, _PRINTED["primary"]["day_cord"]))
    return grafts.with_columns(
        check_day=pl.when(is_cord).then(pl.lit(late)).otherwise(pl.lit(float(day)))
    )


def _before_relapse(days: pl.DataFrame, relapse: pl.DataFrame) -> pl.DataFrame:
    if relapse.height == 0:
        return days
    return (
        days.join(relapse, on="patient", how="left", validate="m:1")
        .filter((pl.col("day") < pl.col("relapse")).fill_null(value=True))
        .drop("relapse")
    )


def _lines(
    trial: Trial, platelets_below: float, hemoglobin_below: float, relapse: pl.DataFrame
) -> pl.DataFrame:
    lines = [
        line_is_low(days, below=below, recorded="transfusions" in trial.present).with_columns(
            line=pl.lit(line)
        )
        for line, days, below in (
            ("platelets", platelets_after_hspc(trial), platelets_below),
            ("hemoglobin", hemoglobin_after_hspc(trial), hemoglobin_below),
        )
    ]
    return _before_relapse(pl.concat(lines), relapse)


def _poor(
    trial: Trial,
    grafts: pl.DataFrame,
    days: pl.DataFrame,
    neutrophils: pl.DataFrame,
    tests: pl.DataFrame,
    relapse: pl.DataFrame,
) -> pl.DataFrame:
    printed = _PRINTED["poor_graft_function"]
    lines = pl.concat(
        [
            _lines(trial, printed["platelets_below"], printed["hemoglobin_below"], relapse),
            days.select("patient", "day", "low", line=pl.lit("anc")),
        ],
        how="diagonal",
    )
    recovered = neutrophils.select("patient", recovered="day").drop_nulls()
    after = lines.join(recovered, on="patient", how="inner", validate="m:1").filter(
        pl.col("day") >= pl.col("recovered")
    )
    spells = low_spells(
        after,
        count=printed["lines"],
        duration_days=printed["days"],
        max_gap_days=printed["max_gap_days"],
    )
    return poor_graft_function(
        _without_gvhd(trial, spells, grafts),
        tests,
        donor_percent_from=printed["donor_percent_from"],
        test_within_days=printed["donor_test_within_days"],
    )


def _without_gvhd(trial: Trial, spells: pl.DataFrame, grafts: pl.DataFrame) -> pl.DataFrame:
    gvhd = (
        adjudicated_events(trial, ["acute_gvhd", "chronic_gvhd"])
        .filter("occurred")
        .join(grafts.select("patient", "hsct_day"), on="patient", how="inner", validate="m:1")
        .select(
            "patient",
            begins=pl.col("day") - pl.col("hsct_day"),
            ends=pl.col("end_day") - pl.col("hsct_day"),
        )
    )
    overlapping = (
        spells.join(gvhd, on="patient", how="inner")
        .filter(
            (pl.col("begins") <= pl.col("last")).fill_null(value=True)
            & (pl.col("ends") >= pl.col("start")).fill_null(value=True)
        )
        .select("patient", "start")
        .unique()
    )
    return spells.join(overlapping, on=["patient", "start"], how="anti")


def _with_support(trial: Trial, losses: pl.DataFrame, grafts: pl.DataFrame) -> pl.DataFrame:
    within = float(_PRINTED["secondary"]["within_days"])
    given = pl.concat(
        [
            trial["transfusions"].select("patient", first="day", last="day"),
            trial["drugs"]
            .filter(pl.col("drug").str.to_lowercase().is_in(list(GROWTH_FACTORS)))
            .select("patient", first="start_day", last=pl.coalesce("end_day", "start_day")),
        ]
    ).join(grafts.select("patient", "hsct_day"), on="patient", how="inner", validate="m:1")
    near = (
        losses.join(given, on="patient", how="inner", validate="1:m")
        .with_columns(at=pl.col("loss_day") + pl.col("hsct_day"))
        .filter(
            (pl.col("first") <= pl.col("at") + within) & (pl.col("last") >= pl.col("at") - within)
        )["patient"]
        .unique()
    )
    return losses.with_columns(supported=pl.col("patient").is_in(near.implode()))
