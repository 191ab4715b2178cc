"""Areas under concentration-time profiles, and concentrations between two samples."""

from collections.abc import Sequence
from typing import Literal

import polars as pl

from graftline.assess.sorted_rows import is_first_row, is_last_row

TIME, CONCENTRATION = "_time", "_concentration"
Trapezoid = Literal["linear_up_log_down", "linear", "linear_log"]
TRAPEZOIDS: dict[Trapezoid, str] = {
    "linear_up_log_down": "linear where rising or touching 0, logarithmic where falling",
    "linear": "linear everywhere",
    "linear_log": "linear up to the peak and where touching 0, logarithmic after the peak",
}


def is_logarithmic(
    c1: pl.Expr, c2: pl.Expr, *, method: Trapezoid = "linear_up_log_down", after_peak: pl.Expr
) -> pl.Expr:
    """Whether a rule of ``TRAPEZOIDS`` takes a piece between two points as an exponential.

    Parameters
    ----------
    c1, c2 : Expr
        Concentrations at its two ends.
    after_peak : Expr
        Whether the piece starts at the highest concentration or later; used by ``linear_log``.
    """
    if method == "linear":
        return pl.lit(value=False)
    if method == "linear_log":
        # two equal values have no logarithmic mean, and need none
        return after_peak & (c1 > 0) & (c2 > 0) & (c1 != c2)
    return (c2 > 0) & (c1 > c2)


def trapezoid(
    t1: pl.Expr, c1: pl.Expr, t2: pl.Expr, c2: pl.Expr, *, logarithmic: pl.Expr
) -> pl.Expr:
    """Area between two points, linear or, where ``is_logarithmic``, of an exponential."""
    # log1p keeps its digits when the two values are nearly equal
    exponential = (c1 - c2) / ((c1 - c2) / c2).log1p() * (t2 - t1)
    return pl.when(logarithmic).then(exponential).otherwise((c1 + c2) / 2 * (t2 - t1))


def interpolate(
    t1: pl.Expr,
    c1: pl.Expr,
    t2: pl.Expr,
    c2: pl.Expr,
    at: pl.Expr,
    *,
    logarithmic: pl.Expr,
) -> pl.Expr:
    """Concentration between two points, by the same rule as the area between them."""
    share = (at - t1) / (t2 - t1)
    return pl.when(logarithmic).then(c1 * (c2 / c1).pow(share)).otherwise(c1 + (c2 - c1) * share)


def area_under_curve(
    clean: pl.DataFrame,
    ends: pl.DataFrame,
    *,
    by: Sequence[str],
    start: float = 0,
    method: Trapezoid = "linear_up_log_down",
) -> pl.DataFrame:
    """Area from ``start`` to each profile's end.

    Parameters
    ----------
    clean : DataFrame [*by, _time, _concentration], sorted
        As from ``profiles.replace_below_quantification``. Several values of one time count as their
        mean.
    ends : DataFrame [*by, auc_to]
    start : float
        Where there is no sample at ``start`` the concentration there is taken to be 0.
    method : key of ``TRAPEZOIDS``

    Returns
    -------
    DataFrame [*by, auc, zero_at_start]
    """
    points = (
        _one_per_time(clean, by)
        .filter(pl.col(TIME) >= start)
        .join(ends, on=list(by), how="inner", validate="m:1")
    )
    has_start = points.group_by(by).agg(zero_at_start=pl.col(TIME).min() > start)
    added = (
        points.unique(list(by), keep="first", maintain_order=True)
        .join(has_start.filter("zero_at_start"), on=list(by), how="semi")
        .with_columns(pl.lit(float(start)).alias(TIME), pl.lit(0.0).alias(CONCENTRATION))
    )
    pieces = _pieces(pl.concat([added, points]).sort(*by, TIME, CONCENTRATION), by, method)
    areas = pieces.group_by(by, maintain_order=True).agg(auc=pl.col("area").sum())
    return areas.join(has_start, on=list(by), how="left", validate="1:1")


def _pieces(points: pl.DataFrame, by: Sequence[str], method: Trapezoid) -> pl.DataFrame:
    """What lies between each two points up to the end, with its area."""
    t1, c1, end = pl.col(TIME), pl.col(CONCENTRATION), pl.col("auc_to")
    inside = ~is_last_row(*by)
    t2, c2 = (pl.when(inside).then(column.shift(-1)) for column in (t1, c1))
    cut = t2 > end
    drawn = is_logarithmic(c1, c2, method=method, after_peak=_after(c1.max().over(by), by, method))
    at_end = interpolate(t1, c1, t2, c2, end, logarithmic=drawn)
    pieces = points.with_columns(
        stop=pl.when(cut).then(end).otherwise(t2), at_stop=pl.when(cut).then(at_end).otherwise(c2)
    ).filter((t1 < end) & pl.col("stop").is_not_null())
    # the peak of the area itself: what is higher after its end is not in it
    stop, at_stop = pl.col("stop"), pl.col("at_stop")
    peak = pl.max_horizontal(c1, at_stop).max().over(by)
    curved = is_logarithmic(c1, at_stop, method=method, after_peak=_after(peak, by, method))
    return pieces.with_columns(area=trapezoid(t1, c1, stop, at_stop, logarithmic=curved))


def _after(peak: pl.Expr, by: Sequence[str], method: Trapezoid) -> pl.Expr:
    """Whether a point is the first of the highest of its profile, or follows it."""
    if method != "linear_log":
        return pl.lit(value=False)
    return (pl.col(CONCENTRATION) == peak).cast(pl.Int8).cum_max().over(by) == 1


def _one_per_time(clean: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    keys = [*by, TIME]
    # most profiles have one sample a time: grouping is dear where there are a million
    if clean.select((~is_first_row(*keys)).any()).item():
        return clean.group_by(keys).agg(pl.col(CONCENTRATION).mean()).sort(keys)
    return clean
