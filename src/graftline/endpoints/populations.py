"""Origin, entry and population of an endpoint, and who was left out at which step."""

from typing import Final

import polars as pl

from graftline.protocol import Endpoint

_POPULATION: Final = {
    "enrolled": (pl.col("enrolled"), "enrolled", "not enrolled"),
    "infused": (pl.col("infused"), "with the index infusion", "no index infusion"),
    "transplanted": (pl.col("transplanted"), "with HSPC", "no HSPC"),
    "remission": (
        (pl.col("remission") == "yes").fill_null(value=False),
        "in remission at least once",
        "no remission recorded",
    ),
}
_ORIGIN: Final = {
    "car_t": (pl.col("car_t_day"), pl.lit(value=False), "CAR-T"),
    "hspc": (pl.col("hsct_day"), pl.col("hsct_assumed"), "HSPC"),
    "enrolment": (pl.col("enrolled_day"), pl.lit(value=False), "enrolment"),
    "first_remission": (
        pl.col("remission_day"),
        pl.col("remission_assumed"),
        "first remission",
    ),
}
ATTRITION_SCHEMA: Final[dict[str, pl.DataType]] = {
    "endpoint": pl.String(),
    "step": pl.String(),
    "patients": pl.Int64(),
    "left_out": pl.Int64(),
    "reason": pl.String(),
}


def place_at_risk(people: pl.DataFrame, spec: Endpoint) -> pl.DataFrame:
    """Origin, entry and censoring of every patient of the trial, and why some are left out.

    Parameters
    ----------
    people : DataFrame of ``people_of``
    spec : Endpoint
        Population, origin, entry and censoring.

    Returns
    -------
    DataFrame [patient, origin_day, entry_day, censor_day, end_day, assumed, end_assumed, left_out]
        ``left_out`` is null for patients at risk. Censoring at the last response assessment takes
        the origin where there was none, so that nothing is claimed.
    """
    member, _, why_not = _POPULATION[spec.population]
    origin, origin_assumed, origin_name = _ORIGIN[spec.origin]
    entry = pl.col("hsct_day") if spec.entry == "hspc" else pl.col("origin_day")
    delayed = pl.col("hsct_assumed") if spec.entry == "hspc" else pl.lit(value=False)
    last = (
        pl.coalesce("last_response_day", "origin_day")
        if spec.censor == "last_response"
        else pl.col("end_day")
    )
    return people.with_columns(origin_day=origin).select(
        "patient",
        "origin_day",
        "end_day",
        end_assumed=pl.col("last_response_assumed")
        if spec.censor == "last_response"
        else pl.col("end_assumed"),
        entry_day=entry,
        censor_day=pl.min_horizontal(last, "end_day"),
        assumed=origin_assumed | delayed,
        left_out=pl.when(~member)
        .then(pl.lit(why_not))
        .when(pl.col("origin_day").is_null())
        .then(pl.lit(f"day of {origin_name} unknown"))
        .when(entry.is_null())
        .then(pl.lit("never entered: no HSPC"))
        .when(pl.col("end_day").is_null())
        .then(pl.lit("no follow-up recorded"))
        .when(pl.col("end_day") < pl.col("origin_day"))
        .then(pl.lit(f"follow-up ends before {origin_name}")),
    )


def attrition_table(placed: pl.DataFrame, spec: Endpoint, *, endpoint: str) -> pl.DataFrame:
    """Who was left out, step by step.

    Parameters
    ----------
    placed : DataFrame [patient, left_out]
        Every patient of the trial; ``left_out`` null for those analysed.

    Returns
    -------
    DataFrame [endpoint, step, patients, left_out, reason]
        First row: patients of the trial. Then the population (listed even when nobody left), and
        one row per further reason, in alphabetical order; ``patients`` counts those remaining.
    """
    _, step, why_not = _POPULATION[spec.population]
    counted = (
        placed.filter(pl.col("left_out").is_not_null())
        .group_by(reason="left_out")
        .agg(left_out=pl.len().cast(pl.Int64))
    )
    members = pl.DataFrame({"reason": [why_not], "left_out": [0]}).join(
        counted, on="reason", how="left", validate="1:1", suffix="_seen"
    )
    population = members.select(
        step=pl.lit(step),
        left_out=pl.coalesce("left_out_seen", "left_out"),
        reason=pl.when(pl.col("left_out_seen") > 0).then("reason"),
    )
    others = counted.filter(pl.col("reason") != why_not).sort("reason")
    rest = others.select(step=pl.lit("analysed"), left_out="left_out", reason="reason")
    start = pl.DataFrame(
        {"step": ["in the trial"], "left_out": [0], "reason": [None]},
        schema={"step": pl.String, "left_out": pl.Int64, "reason": pl.String},
    )
    return (
        pl.concat([start, population, rest])
        .with_columns(
            endpoint=pl.lit(endpoint),
            patients=placed.height - pl.col("left_out").cum_sum(),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in ATTRITION_SCHEMA.items())
    )
