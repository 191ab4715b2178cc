"""Terminal half-life by log-linear regression over the last points after the peak."""

import math
from collections.abc import Sequence

import polars as pl

from graftline.assess.sorted_rows import is_first_row


def terminal_phase(
    quantified: pl.DataFrame,
    *,
    by: Sequence[str],
    minimum_points: int = 3,
    minimum_r2: float = 0.8,
    r2_tolerance: float = 1e-4,
) -> pl.DataFrame:
    """Half-life of every profile from the best of all fits that end at the last value.

    Parameters
    ----------
    quantified : DataFrame [*by, time, concentration]
        Quantifiable values only.
    by : sequence of str
    minimum_points : int
        Distinct times after the (overall, earliest) peak; the peak itself is not used.
    minimum_r2 : float
        Smallest adjusted r2 at which a half-life is given.
    r2_tolerance : float
        Among falling fits within this distance of the best adjusted r2 of all fits the longest is
        taken.

    Returns
    -------
    DataFrame [*by, half_life, lambda_z, half_life_points, half_life_from, half_life_to,
    half_life_r2, half_life_adjusted_r2, half_life_span, clast_predicted, reason_half_life]
        ``lambda_z``: the rate, ln 2 over the half-life. ``clast_predicted``: the fit's value at the
        last time. ``reason_half_life``: ``too_few_points``, ``not_declining``, ``poor_fit``.
        Points, times, r2 and span are given for a poor fit too.

    Notes
    -----
    Source: PKNCA's choice of points (peak left out, best adjusted r2, tolerance 1e-4), without
    negative half-lives.
    """
    keys = list(by)
    fits = _fits_to_the_end(_after_peak(quantified, keys), keys)
    enough = fits.filter(pl.col("times") >= minimum_points)
    best = (
        # the best of all fits, rising ones too: where the last points rise there is no half-life
        enough.filter(pl.col("r2") > pl.col("r2").max().over(keys) - r2_tolerance)
        .filter(pl.col("slope") < 0)
        .sort([*keys, "times"], descending=[False] * len(keys) + [True])
        .filter(is_first_row(*keys))
        .select(
            *(*keys, "slope", "plain_r2", "r2", "points", "from_time", "to_time"),
            "clast_predicted",
        )
    )
    half_life = math.log(2) / -pl.col("slope")
    good = (pl.col("r2") >= minimum_r2).fill_null(value=False)
    tried = enough.select(keys).unique().with_columns(tried=pl.lit(value=True))
    return (
        quantified.select(keys)
        .unique()
        .join(tried, on=keys, how="left", validate="1:1")
        .join(best, on=keys, how="left", validate="1:1")
        .select(
            *keys,
            half_life=pl.when(good).then(half_life),
            lambda_z=pl.when(good).then(-pl.col("slope")),
            half_life_points="points",
            half_life_from="from_time",
            half_life_to="to_time",
            half_life_r2="plain_r2",
            half_life_adjusted_r2="r2",
            half_life_span=(pl.col("to_time") - pl.col("from_time")) / half_life,
            clast_predicted=pl.when(good).then("clast_predicted"),
            reason_half_life=pl.when(pl.col("tried").is_null())
            .then(pl.lit("too_few_points"))
            .when(pl.col("slope").is_null())
            .then(pl.lit("not_declining"))
            .when(~good)
            .then(pl.lit("poor_fit")),
        )
        .sort(keys)
    )


def _after_peak(quantified: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    highest = (
        quantified.sort(
            [*keys, "concentration", "time"], descending=[False] * len(keys) + [True, False]
        )
        .filter(is_first_row(*keys))
        .select(*keys, peak_time="time")
    )
    return quantified.join(highest, on=keys, how="left", validate="m:1").filter(
        pl.col("time") > pl.col("peak_time")
    )


def _fits_to_the_end(points: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Regression over the last 1, 2, ... points of every profile, by running sums from the end."""
    # measured from the last time and value, so that the running sums do not cancel
    x = (pl.col("time") - pl.col("time").max().over(keys)).alias("x")
    y = pl.col("concentration").log().alias("y")
    n, sx, sy = pl.col("points"), pl.col("sx"), pl.col("sy")
    sxx = pl.col("sxx") - sx * sx / n
    sxy = pl.col("sxy") - sx * sy / n
    syy = pl.col("syy") - sy * sy / n
    r2 = (sxy * sxy / (sxx * syy)).clip(0, 1)
    return (
        points.sort([*keys, "time", "concentration"], descending=[False] * len(keys) + [True, True])
        .with_columns(x, y)
        .with_columns(
            y=pl.col("y") - pl.col("y").first().over(keys), last_y=pl.col("y").first().over(keys)
        )
        .with_columns(
            points=pl.int_range(1, pl.len() + 1).over(keys),
            times=(pl.col("time") != pl.col("time").shift(1))
            .fill_null(value=True)
            .cast(pl.Int64)
            .cum_sum()
            .over(keys),
            last_of_time=(pl.col("time") != pl.col("time").shift(-1))
            .fill_null(value=True)
            .over(keys),
            sx=pl.col("x").cum_sum().over(keys),
            sy=pl.col("y").cum_sum().over(keys),
            sxx=(pl.col("x") ** 2).cum_sum().over(keys),
            sxy=(pl.col("x") * pl.col("y")).cum_sum().over(keys),
            syy=(pl.col("y") ** 2).cum_sum().over(keys),
        )
        .filter("last_of_time")
        .with_columns(
            slope=sxy / sxx,
            plain_r2=r2,
            r2=1 - (1 - r2) * (n - 1) / (n - 2),
            clast_predicted=(pl.col("last_y") + (sy - sxy / sxx * sx) / n).exp(),
            from_time=pl.col("time"),
            to_time=pl.col("time").max().over(keys),
        )
        .with_columns(r2=pl.when(pl.col("r2").is_finite()).then("r2"))
    )
