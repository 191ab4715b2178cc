"""Lymphocytes: CD7+ T cells eradicated and back (from CAR-T), recovery after HSPC."""

from typing import Any

import polars as pl

from graftline.assess.after_hspc import graft_followup
from graftline.assess.answers import adjudicated_for, answer_everybody, join_flags
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import is_at_least, is_below
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("lymphocytes")
_RECOVERY: tuple[dict[str, Any], ...] = tuple(_PRINTED["recovery"]["rules"])
_CD7_COUNT, _CD7_SHARE = "cd3_cd7_positive", "cd3_cd7_positive_percent"

RULES: tuple[Rule, ...] = (
    *(
        Rule(
            id=name,
            title=_PRINTED[name]["title"],
            words=_PRINTED[name]["printed"],
            citation=_PRINTED[name]["citation"],
            reads=(Read("labs", "analyte", (_CD7_COUNT, _CD7_SHARE), (0, None)),),
            parameters=("cd7_eradication_cells_per_ul",),
        )
        for name in ("cd7_t_eradication", "cd7_t_reappearance")
    ),
    *(
        Rule(
            id=rule["id"],
            title=rule["title"],
            words=f"{rule['title']}. {_PRINTED['recovery']['reading']}",
            citation=rule["citation"],
            reads=(Read("labs", "analyte", (rule["analyte"],), (0, rule.get("within_days"))),),
            origin="hspc",
        )
        for rule in _RECOVERY
    ),
)


def confirmed_by_next(samples: pl.DataFrame) -> pl.DataFrame:
    """First sample per patient that meets a condition together with the next sample.

    Parameters
    ----------
    samples : DataFrame [patient, day, value, met]
        ``met`` null where a limit of quantification leaves it open.

    Returns
    -------
    DataFrame [patient, samples, day, value, pending, open]
        One row per patient with a sample. ``day`` null where no pair meets it; ``pending``: the
        last sample meets it and waits for the next; ``open``: an unknown sample could have made a
        pair.
    """
    ordered = samples.sort("patient", "day", "value")
    following = pl.col("met").shift(-1).over("patient")
    last = pl.col("day") == pl.col("day").max().over("patient")
    possible = pl.col("met").fill_null(value=True)
    return (
        ordered.with_columns(
            pair=(pl.col("met") & following).fill_null(value=False),
            pending=(pl.col("met") & last).fill_null(value=False),
            # a last sample of unknown meaning could be waiting for the next
            open=pl.when(last)
            .then(pl.col("met").is_null())
            .otherwise(possible & following.fill_null(value=True)),
        )
        .group_by("patient", maintain_order=True)
        .agg(
            samples=pl.len(),
            day=pl.col("day").filter(pl.col("pair")).first(),
            value=pl.col("value").filter(pl.col("pair")).first(),
            pending=pl.col("pending").any(),
            open=pl.col("open").any(),
        )
        .sort("patient")
    )


def _state_of_pair(found: pl.DataFrame) -> pl.DataFrame:
    """Answers [patient, state, value, day, reason] from ``confirmed_by_next``."""
    yes = pl.col("day").is_not_null()
    reason = (
        pl.when(yes)
        .then(None)
        .when(pl.col("pending"))
        .then(pl.lit("unconfirmed"))
        .when(pl.col("open"))
        .then(pl.lit("limit_above_threshold"))
        .when(pl.col("samples") < 2)
        .then(pl.lit("one_sample"))
    )
    return found.select(
        "patient",
        "value",
        "day",
        reason=reason,
        state=pl.when(yes)
        .then(pl.lit("yes"))
        .when(reason == "unconfirmed")
        .then(pl.lit("not_yet_evaluable"))
        .when(reason.is_not_null())
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("no")),
    )


def cd7_eradication(
    labs: pl.DataFrame, *, cells_per_ul_below: float = 1, percent_of_cd3_below: float = 0.1
) -> pl.DataFrame:
    """First day without CD7+ T cells, confirmed by the next sample.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table; days from CAR-T
        Counts are used where a patient has any after infusion, else shares of CD3+.
    cells_per_ul_below, percent_of_cd3_below : float

    Returns
    -------
    DataFrame [patient, state, value, day, flags, reason]
        Patients with a sample from day 0 on. ``value`` in cells/uL, or % with flag
        ``percent_of_cd3``.
    """
    rows = labs.filter(
        pl.col("analyte").is_in([_CD7_COUNT, _CD7_SHARE]) & (pl.col("day") >= 0)
    ).with_columns(share=pl.col("analyte") == _CD7_SHARE)
    chosen = rows.filter(~pl.col("share") | pl.col("share").all().over("patient"))
    shares = chosen.group_by("patient").agg(share=pl.col("share").any())
    threshold = pl.when("share").then(percent_of_cd3_below).otherwise(cells_per_ul_below)
    answers = _state_of_pair(confirmed_by_next(chosen.with_columns(met=is_below(threshold))))
    return (
        answers.join(shares, on="patient", how="left", validate="1:1")
        .with_columns(
            flags=join_flags(
                [
                    pl.when("share").then(pl.lit("percent_of_cd3")),
                    pl.when(pl.col("day") == 0).then(pl.lit("low_at_infusion")),
                ]
            )
        )
        .drop("share")
    )


def cd7_reappearance(
    labs: pl.DataFrame, eradication: pl.DataFrame, *, cells_per_ul_from: float = 10
) -> pl.DataFrame:
    """First of two samples running with CD7+ T cells again, after their eradication.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table
    eradication : DataFrame [patient, state, day, reason]

    Returns
    -------
    DataFrame [patient, state, value, day, reason]
        Patients of ``eradication``; not evaluable where CD7+ T cells were never eradicated, or only
        shares of CD3+ are known.
    """
    gone = eradication.filter(pl.col("state") == "yes").select("patient", gone="day")
    later = (
        labs.filter(pl.col("analyte") == _CD7_COUNT)
        .join(gone, on="patient", how="inner", validate="m:1")
        .filter(pl.col("day") >= pl.col("gone"))
        .with_columns(met=is_at_least(cells_per_ul_from))
    )
    answers = _state_of_pair(confirmed_by_next(later))
    rows = eradication.select("patient", gone_state="state", gone_reason="reason").join(
        answers, on="patient", how="left", validate="1:1"
    )
    reason = (
        pl.when(pl.col("gone_state") == "no")
        .then(pl.lit("never_eradicated"))
        .when(pl.col("gone_state") != "yes")
        .then("gone_reason")
        .when(pl.col("state").is_null())
        .then(pl.lit("counts_missing"))
        .otherwise("reason")
    )
    return rows.select(
        "patient",
        "value",
        "day",
        reason=reason,
        state=pl.col("state").fill_null("not_evaluable"),
    )


def lymphocyte_recovery(
    labs: pl.DataFrame,
    grafts: pl.DataFrame,
    analyte: str,
    *,
    cells_per_ul_from: float,
    within_days: float | None = None,
) -> pl.DataFrame:
    """First of two consecutive samples after HSPC at or above a threshold.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table; days from CAR-T
    grafts : DataFrame [patient, hsct_day, end, dead]
    analyte : str
    cells_per_ul_from : float
    within_days : float, optional
        Both samples lie within so many days of HSPC; "no" is then said only with follow-up and a
        sample up to that day.

    Returns
    -------
    DataFrame [patient, state, value, day, reason, until]
        Patients with a sample after HSPC. Without ``within_days`` "no" means: not up to the last
        sample.
    """
    samples = (
        labs.filter(pl.col("analyte") == analyte)
        .join(
            grafts.select("patient", "hsct_day", "end", "dead"),
            on="patient",
            how="inner",
            validate="m:1",
        )
        .with_columns(day=pl.col("day") - pl.col("hsct_day"))
        .filter(pl.col("day") > 0)
        .with_columns(met=is_at_least(cells_per_ul_from))
    )
    if within_days is None:
        return _state_of_pair(confirmed_by_next(samples)).with_columns(
            until=pl.lit(None, dtype=pl.Float64)
        )
    inside = _state_of_pair(confirmed_by_next(samples.filter(pl.col("day") <= within_days)))
    seen = samples.group_by("patient").agg(
        last=pl.col("day").max(), end=pl.col("end").first(), dead=pl.col("dead").first()
    )
    rows = seen.join(inside, on="patient", how="left", validate="1:1").sort("patient")
    short = (pl.col("end") < within_days).fill_null(value=False)
    settled = (pl.col("state") == "yes").fill_null(value=False)
    reason = (
        pl.when(settled)
        .then(None)
        .when(short & pl.col("dead"))
        .then(pl.lit("died_before"))
        .when(short)
        .then(pl.lit("followed_too_short"))
        .when(pl.col("reason") == "limit_above_threshold")
        .then("reason")
        .when(pl.col("last") < within_days)
        .then(pl.lit("records_stop"))
    )
    return rows.select(
        "patient",
        "value",
        "day",
        reason=reason,
        until=pl.when(reason == "followed_too_short").then(pl.lit(float(within_days))),
        state=pl.when(settled)
        .then(pl.lit("yes"))
        .when(reason == "followed_too_short")
        .then(pl.lit("not_yet_evaluable"))
        .when(reason.is_not_null())
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("no")),
    )


def assess(trial: Trial) -> Assessed:
    """Lymphocytes of a trial; CD7+ T-cell eradication as adjudicated too."""
    infused, grafts = infused_patients(trial), graft_followup(trial)
    asked = {analyte for rule in RULES for read in rule.reads for analyte in read.values}
    labs = trial["labs"].filter(pl.col("analyte").is_in(sorted(asked)))
    eradication = answer_everybody(
        infused,
        cd7_eradication(
            labs.join(infused, on="patient", how="semi"),
            cells_per_ul_below=trial.protocol.definitions.cd7_eradication_cells_per_ul,
            percent_of_cd3_below=_PRINTED["cd7_t_eradication"]["percent_of_cd3_below"],
        ),
    )
    back = cd7_reappearance(
        labs, eradication, cells_per_ul_from=_PRINTED["cd7_t_reappearance"]["cells_per_ul_from"]
    )
    recovered = [
        as_results(
            answer_everybody(
                grafts,
                lymphocyte_recovery(
                    labs,
                    grafts,
                    rule["analyte"],
                    cells_per_ul_from=rule["cells_per_ul_from"],
                    within_days=rule.get("within_days"),
                ),
            ),
            rule=rule["id"],
        )
        for rule in _RECOVERY
    ]
    frames = [
        as_results(eradication, rule="cd7_t_eradication"),
        as_results(back, rule="cd7_t_reappearance"),
        adjudicated_for(trial, infused, "cd7_t_eradication", rule="cd7_t_eradication"),
        *recovered,
    ]
    return Assessed(combine_results(frames))
