"""Viral DNA in blood: DNAemia by threshold, significant CMV, reactivation, PTLD."""

from collections.abc import Sequence
from functools import reduce

import polars as pl

from graftline.assess.answers import join_flags
from graftline.assess.quantified import is_at_least

_BLOOD = ("plasma", "whole blood")


def blood_loads(viral: pl.DataFrame, virus: str, *, from_day: float = 0) -> pl.DataFrame:
    """Loads of one virus in blood from a day on, with what the limit of quantification says.

    Plasma and whole blood, copies and international units stay as they are: they are not
    comparable and never converted.

    Returns
    -------
    DataFrame [patient, day, value, unit, quantification, quantified, detected]
    """
    in_blood = pl.col("specimen").is_in(list(_BLOOD)) | pl.col("specimen").is_null()
    word = pl.col("quantification")
    positive = (pl.col("value") > 0) & (pl.col("value") >= pl.col("lloq")).fill_null(value=True)
    return (
        viral.filter((pl.col("virus") == virus) & in_blood & (pl.col("day") >= from_day))
        .with_columns(
            quantified=pl.when(word.is_in(["below", "not_detected"]))
            .then(pl.lit(value=False))
            .when(word == "above")
            .then(pl.lit(value=True))
            .otherwise(positive),
            detected=(word != "not_detected").fill_null(value=True) & (pl.col("value") > 0),
        )
        .select("patient", "day", "value", "unit", "quantification", "quantified", "detected")
        .sort("patient", "day", "value")
    )


def dnaemia(
    loads: pl.DataFrame, *, threshold: float | None = None, low_level_below: float = 1000
) -> pl.DataFrame:
    """First day with viral DNA in blood at or above a threshold.

    Parameters
    ----------
    loads : DataFrame as from ``blood_loads``
    threshold : float, optional
        Copies or international units per mL as recorded; without it the lower limit of
        quantification.
    low_level_below : float
        A peak below it is flagged ``low_level``.

    Returns
    -------
    DataFrame [patient, state, value, label, day, flags, reason, cleared_day]
        Patients with a sample. ``value`` is the highest load, ``label`` its unit; ``cleared_day``
        the first of two consecutive samples below the threshold afterwards. Flags: ``low_level``;
        ``unconfirmed`` (the next sample is lower than the threshold, or there is none);
        ``detected_below_lloq`` where nothing more was found. "Below" a limit that lies above the
        threshold leaves the answer open: ``limit_above_threshold``.
    """
    reached = pl.col("quantified")
    if threshold is not None:
        quantification = (
            pl.when(pl.col("quantification") == "not_detected")
            .then(pl.lit("below"))
            .otherwise("quantification")
        )
        nothing = ~pl.col("detected")
        loads = loads.with_columns(limit=quantification)
        reached = (
            pl.when(nothing)
            .then(pl.lit(value=False))
            .otherwise(is_at_least(threshold, quantification="limit"))
        )
    marked = loads.with_columns(reached=reached).with_columns(
        next=pl.col("reached").shift(-1).over("patient"),
        first=pl.col("day").filter(pl.col("reached")).min().over("patient"),
    )
    yes = pl.col("day").is_not_null()
    high = pl.col("value").filter(pl.col("reached"))
    return (
        marked.group_by("patient", maintain_order=True)
        .agg(
            day=pl.col("first").first(),
            value=high.max(),
            label=pl.col("unit").filter(pl.col("reached")).sort_by(high).last(),
            confirmed=pl.col("next").filter(pl.col("reached")).first(),
            cleared_day=pl.col("day")
            .filter((pl.col("day") > pl.col("first")) & ~pl.col("reached") & ~pl.col("next"))
            .min(),
            unknown=pl.col("reached").is_null().any(),
            detected=pl.col("detected").any(),
        )
        .select(
            "patient",
            "value",
            "label",
            "day",
            "cleared_day",
            state=pl.when(yes)
            .then(pl.lit("yes"))
            .when("unknown")
            .then(pl.lit("not_evaluable"))
            .otherwise(pl.lit("no")),
            reason=pl.when(~yes & pl.col("unknown")).then(pl.lit("limit_above_threshold")),
            flags=join_flags(
                [
                    pl.when(yes & (pl.col("value") < low_level_below)).then(pl.lit("low_level")),
                    pl.when(yes & ~pl.col("confirmed").fill_null(value=False)).then(
                        pl.lit("unconfirmed")
                    ),
                    pl.when(~yes & pl.col("detected")).then(pl.lit("detected_below_lloq")),
                ]
            ),
        )
        .sort("patient")
    )


def significant_cmv(
    cmv: pl.DataFrame,
    viral: pl.DataFrame,
    drugs: pl.DataFrame,
    *,
    drugs_recorded: bool = True,
    prophylactic: Sequence[str] = (),
) -> pl.DataFrame:
    """CMV disease, or DNA leading to pre-emptive therapy.

    Parameters
    ----------
    cmv : DataFrame as from ``dnaemia``, of everybody
    viral, drugs : DataFrame, the tables; days from CAR-T
    drugs_recorded : bool
        Whether the drugs were recorded at all: without them untreated DNAemia is not known to be
        untreated.
    prophylactic : sequence of str
        Drugs that are not pre-emptive therapy, lower case.

    Returns
    -------
    DataFrame [patient, state, label, day, reason]
        ``label`` disease or pre-emptive therapy, whichever came first.
    """
    name = pl.col("drug").str.to_lowercase()
    treated = (
        drugs.filter(
            (pl.col("indication") == "cmv")
            & ~reduce(
                lambda a, b: a | b,
                (name.str.contains(p) for p in prophylactic),
                pl.lit(value=False),
            )
            & (pl.coalesce("end_day", "start_day") >= 0)
        )
        .group_by("patient")
        .agg(therapy=pl.col("start_day").min())
    )
    diseased = (
        viral.filter((pl.col("virus") == "CMV") & pl.col("disease") & (pl.col("day") >= 0))
        .group_by("patient")
        .agg(disease=pl.col("day").min())
    )
    rows = (
        cmv.select("patient", "state", "reason")
        .join(treated, on="patient", how="left", validate="1:1")
        .join(diseased, on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    day = pl.min_horizontal("therapy", "disease")
    yes = day.is_not_null()
    untold = (pl.col("state") == "yes") & pl.lit(not drugs_recorded)
    return rows.select(
        "patient",
        day=day,
        label=pl.when(yes & (pl.col("disease") == day))
        .then(pl.lit("disease"))
        .when(yes)
        .then(pl.lit("pre-emptive therapy")),
        state=pl.when(yes)
        .then(pl.lit("yes"))
        .when(untold)
        .then(pl.lit("not_evaluable"))
        .when(pl.col("state") == "yes")
        .then(pl.lit("no"))
        .otherwise("state"),
        reason=pl.when(yes)
        .then(None)
        .when(untold)
        .then(pl.lit("no_drug_records"))
        .otherwise("reason"),
    )


def any_reactivation(answers: Sequence[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """First DNAemia by any of several viruses.

    Parameters
    ----------
    answers : sequence of (virus, DataFrame [patient, state, day, reason]), of everybody

    Returns
    -------
    DataFrame [patient, state, label, day, reason]
        ``label`` names the viruses found. "No" needs an answer about every virus.
    """
    named = pl.concat(
        [
            frame.select("patient", "state", "day", "reason", virus=pl.lit(virus))
            for virus, frame in answers
        ]
    )
    found = pl.col("state") == "yes"
    return (
        named.sort("patient", "virus")
        .group_by("patient", maintain_order=True)
        .agg(
            any=found.any(),
            none=(pl.col("state") == "no").all(),
            day=pl.col("day").filter(found).min(),
            names=pl.col("virus").filter(found).str.join(" and "),
            why=pl.col("reason").filter(pl.col("reason").is_not_null()).first(),
        )
        .select(
            "patient",
            "day",
            label=pl.when("any").then("names"),
            state=pl.when("any")
            .then(pl.lit("yes"))
            .when("none")
            .then(pl.lit("no"))
            .otherwise(pl.lit("not_evaluable")),
            reason=pl.when(~pl.col("any") & ~pl.col("none")).then("why"),
        )
        .sort("patient")
    )


def lymphoproliferation(
    ebv: pl.DataFrame,
    viral: pl.DataFrame,
    infections: pl.DataFrame,
    *,
    infections_recorded: bool = True,
) -> pl.DataFrame:
    """Post-transplant lymphoproliferative disease.

    Parameters
    ----------
    ebv : DataFrame as from ``dnaemia``, of everybody
    viral, infections : DataFrame, the tables
        An EBV finding with histology is proven disease; with imaging and DNAemia, or end-organ
        disease stated with the load, probable.
    infections_recorded : bool

    Returns
    -------
    DataFrame [patient, state, label, day, reason]
        "No" needs EBV to have been looked for and, after DNAemia, findings to have been recorded.
    """
    organism = pl.col("organism").str.to_lowercase()
    findings = infections.filter(
        organism.str.contains("ebv")
        | organism.str.contains("epstein")
        | organism.str.contains("lymphoproliferative")
    ).with_columns(
        at=pl.coalesce("start_day", (pl.col("start_day_low") + pl.col("start_day_high")) / 2)
    )
    stated = viral.filter((pl.col("virus") == "EBV") & pl.col("disease") & (pl.col("day") >= 0))
    evidence = pl.concat(
        [
            findings.filter(pl.col("evidence").is_in(["histology", "imaging"])).select(
                "patient", kind="evidence", at="at"
            ),
            stated.select("patient", kind=pl.lit("stated"), at="day"),
        ]
    )
    seen = evidence.group_by("patient").agg(
        proven=pl.col("at").filter(pl.col("kind") == "histology").min(),
        is_proven=(pl.col("kind") == "histology").any(),
        imaged=pl.col("at").filter(pl.col("kind") == "imaging").min(),
        is_imaged=(pl.col("kind") == "imaging").any(),
        stated=pl.col("at").filter(pl.col("kind") == "stated").min(),
    )
    rows = (
        ebv.select("patient", "state", "reason")
        .join(seen, on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    ill = pl.col("state") == "yes"
    proven = pl.col("is_proven").fill_null(value=False)
    imaged = pl.col("is_imaged").fill_null(value=False) & ill
    probable = imaged | pl.col("stated").is_not_null()
    untold = ill & pl.lit(not infections_recorded)
    return rows.select(
        "patient",
        day=pl.when(proven)
        .then("proven")
        .when(probable)
        .then(pl.min_horizontal(pl.when(imaged).then("imaged"), "stated")),
        label=pl.when(proven).then(pl.lit("proven")).when(probable).then(pl.lit("probable")),
        state=pl.when(proven | probable)
        .then(pl.lit("yes"))
        .when(untold)
        .then(pl.lit("not_evaluable"))
        .when(ill)
        .then(pl.lit("no"))
        .otherwise("state"),
        reason=pl.when(proven | probable)
        .then(None)
        .when(untold)
        .then(pl.lit("no_infection_records"))
        .otherwise("reason"),
    )
