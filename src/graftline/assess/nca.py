"""Non-compartmental analysis of concentration-time profiles: one table in, one row per profile.

Works on any profile table (CAR transgene copies, CAR-T cells, a drug). Pure formulas first, then
what decides about values below quantification, then the parameters.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Literal

import numpy as np
import polars as pl

from graftline.assess.areas import CONCENTRATION as _C
from graftline.assess.areas import TIME as _T
from graftline.assess.areas import TRAPEZOIDS, Trapezoid, area_under_curve
from graftline.assess.profiles import (
    BLQ_RULES,
    LLOQ,
    BlqRule,
    detectable_at,
    read_profiles,
    replace_below_quantification,
)
from graftline.assess.sorted_rows import is_first_row
from graftline.assess.terminal_phase import terminal_phase

__all__ = [
    "BLQ_RULES",
    "START_RULES",
    "TRAPEZOIDS",
    "BlqRule",
    "StartRule",
    "Trapezoid",
    "area_to_infinity",
    "nca",
    "summarise_parameters",
]

StartRule = Literal["zero", "sample"]
START_RULES: dict[StartRule, str] = {
    "zero": "an infusion without a sample starts at 0",
    "sample": "without a sample at infusion there is no area (PKNCA)",
}
DAYS_PER_MONTH = 30.4375
_PROFILE = "_profile"


def nca(
    profiles: pl.DataFrame,
    *,
    by: Sequence[str] = ("patient",),
    time: str = "day",
    concentration: str = "value",
    below: str | None = None,
    lloq: str | None = None,
    blq: BlqRule = "pknca",
    trapezoid: Trapezoid = "linear_up_log_down",
    start: StartRule = "zero",
    auc_until: float = 28,
    auc_complete_from: float = 21,
    peak_window: tuple[float, float] = (0, 28),
    sampling_window: tuple[float, float] = (5, 21),
    minimum_samples: int = 3,
    half_life_points: int = 3,
    half_life_r2: float = 0.8,
    detectable_months: Sequence[float] = (1, 3, 6, 12),
    detectable_within_days: float = 21,
) -> pl.DataFrame:
    """Non-compartmental parameters of every profile of a table.

    Parameters
    ----------
    profiles : DataFrame
        One row per sample, in any order. Samples before time 0 are left out; several of one time
        count as their mean in the area.
    by : sequence of str
        Columns that name a profile.
    time, concentration : str
        Columns; time counts from the dose (here: infusion, in days), a missing value is null.
    below, lloq : str, optional
        Boolean column "below quantification" (``concentration`` then holds the limit or anything),
        and column with the lower limit of quantification. A value of 0, or less than ``lloq``, is
        below quantification.
    blq : key of ``BLQ_RULES``
        What such values count as in the area; a half-life never uses them.
    trapezoid : key of ``TRAPEZOIDS``
    start : key of ``START_RULES``
    auc_until : float
        End of the area. The concentration there is interpolated; nothing is extrapolated.
    auc_complete_from : float
        With a last sample before this time, or where values below quantification are dropped, the
        area ends at the last quantifiable value.
    peak_window, sampling_window, minimum_samples
        Peak looked for in ``peak_window``; it and the area need ``minimum_samples`` samples in
        ``sampling_window`` (both ends included).
    half_life_points, half_life_r2
        Fewest points after the peak, smallest adjusted r2.
    detectable_months, detectable_within_days
        Nearest sample so near to each month (30.4375 days) decides.

    Returns
    -------
    DataFrame [*by, samples, quantifiable, first_sample, last_sample, peak_samples, cmax, tmax, auc,
    auc_to, zero_at_start, tlast, clast, half_life, lambda_z, half_life_points, half_life_from,
    half_life_to, half_life_r2, half_life_adjusted_r2, half_life_span, clast_predicted,
    detectable_last, detectable_month_*, lloq, blq_rule, reason_cmax, reason_auc, reason_half_life]
        One row per profile with a sample, sorted. The earliest of equal peaks counts; a profile
        never above the limit has no peak. ``half_life_span``: time fitted in half-lives.

    Raises
    ------
    InputError
        A concentration is negative.

    Notes
    -----
    Sources: PKNCA (R) for the conventions; Stein et al. 2019 for CAR-T.
    """
    numbered = _numbered(
        read_profiles(
            profiles, by=by, time=time, concentration=concentration, below=below, lloq=lloq
        ).filter(pl.col(_T) >= 0),
        by,
    )
    names = numbered.select(_PROFILE, *by).filter(is_first_row(_PROFILE))
    samples, keys = numbered.drop(by), [_PROFILE]
    rows = _describe(samples, keys, peak_window=peak_window, sampling_window=sampling_window)
    complete_from = np.inf if blq == "drop" else auc_complete_from
    rows = rows.with_columns(auc_to=_end_of_area(auc_until, complete_from))
    parts = [
        _peak(samples, keys, peak_window),
        area_under_curve(
            replace_below_quantification(samples, by=keys, rule=blq),
            rows.select(*keys, "auc_to").drop_nulls(),
            by=keys,
            method=trapezoid,
        ),
        terminal_phase(
            samples.filter("quantified").select(*keys, time=_T, concentration=_C),
            by=keys,
            minimum_points=half_life_points,
            minimum_r2=half_life_r2,
        ),
        *_months(samples, keys, detectable_months, detectable_within_days),
    ]
    joined = reduce(_beside, parts, names.join(rows, on=keys, how="left", validate="1:1"))
    return _with_reasons(joined, minimum_samples, blq, start).sort(*by).drop(_PROFILE)


def area_to_infinity(
    profiles: pl.DataFrame,
    rows: pl.DataFrame,
    *,
    by: Sequence[str] = ("patient",),
    time: str = "day",
    concentration: str = "value",
    below: str | None = None,
    lloq: str | None = None,
    blq: BlqRule = "pknca",
    trapezoid: Trapezoid = "linear_up_log_down",
    start: StartRule = "zero",
) -> pl.DataFrame:
    """Area to the last quantifiable value, to the last sample, and what a half-life adds.

    Parameters
    ----------
    profiles : DataFrame as for `nca`
    rows : DataFrame as from `nca` of these profiles

    Returns
    -------
    DataFrame [*by, auc_last, auc_all, auc_infinity, auc_infinity_predicted, extrapolated_percent,
    extrapolated_percent_predicted]
        ``auc_last`` ends at the last quantifiable value, ``auc_all`` adds what lies between it and
        the samples below quantification that follow. ``auc_infinity`` is ``auc_last`` and the last
        quantifiable value times half-life over ln 2; ``..._predicted`` takes the value that the
        half-life's line has there. ``extrapolated_percent`` of the area to infinity. Null without a
        half-life, for a lone sample at time 0, and where ``start`` asks for a sample that is not
        there.
    """
    read = read_profiles(
        profiles, by=by, time=time, concentration=concentration, below=below, lloq=lloq
    ).filter(pl.col(_T) >= 0)
    clean = replace_below_quantification(read, by=by, rule=blq)
    known = rows.select(
        *(*by, "last_sample", "tlast", "clast", "clast_predicted", "half_life")
    ).drop_nulls("tlast")
    points = clean.group_by(by).agg(points=pl.len())
    joined = known.join(points, on=list(by), how="left", validate="1:1")
    for name, end in (("auc_last", "tlast"), ("auc_all", "last_sample")):
        ends = known.select(*by, auc_to=pl.col(end).cast(pl.Float64))
        area = area_under_curve(clean, ends, by=by, method=trapezoid)
        given = pl.lit(start == "zero") | ~pl.col("zero_at_start")
        # a first sample that is also the last quantifiable one encloses nothing
        nothing = pl.when(pl.col("zero_at_start").is_null() & (pl.col("points") > 1)).then(0.0)
        joined = joined.join(area, on=list(by), how="left", validate="1:1").with_columns(
            pl.coalesce(pl.when(given).then("auc"), nothing).alias(name)
        )
        joined = joined.drop("auc", "zero_at_start")
    per_unit = pl.col("half_life") / np.log(2)
    whole, predicted = pl.col("auc_infinity"), pl.col("auc_infinity_predicted")
    return (
        joined.with_columns(
            auc_infinity=pl.col("auc_last") + pl.col("clast") * per_unit,
            auc_infinity_predicted=pl.col("auc_last") + pl.col("clast_predicted") * per_unit,
        )
        .select(
            *by,
            *("auc_last", "auc_all", "auc_infinity", "auc_infinity_predicted"),
            extrapolated_percent=100 * (1 - pl.col("auc_last") / whole),
            extrapolated_percent_predicted=100 * (1 - pl.col("auc_last") / predicted),
        )
        .sort(*by)
    )


def _numbered(samples: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Add one integer per profile: names are compared once, not at every step."""
    return samples.with_columns(is_first_row(*by).cum_sum().set_sorted().alias(_PROFILE))


def _beside(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return left.join(right, on=_PROFILE, how="left", validate="1:1")


def _end_of_area(until: float, complete_from: float) -> pl.Expr:
    last = pl.col("last_sample")
    end = pl.when(last >= complete_from).then(last).otherwise("tlast")
    return pl.min_horizontal(end, pl.when(end.is_not_null()).then(pl.lit(float(until))))


def _months(
    samples: pl.DataFrame, keys: list[str], months: Sequence[float], within_days: float
) -> list[pl.DataFrame]:
    return [
        detectable_at(samples, by=keys, day=month * DAYS_PER_MONTH, within_days=within_days).rename(
            {"detectable": f"detectable_month_{month:g}"}
        )
        for month in months
    ]


def _describe(
    samples: pl.DataFrame,
    keys: list[str],
    *,
    peak_window: tuple[float, float],
    sampling_window: tuple[float, float],
) -> pl.DataFrame:
    quantified = pl.col(_T).filter("quantified")
    at_last = pl.col("quantified").filter(pl.col(_T) == pl.col(_T).max())
    at_tlast = pl.col(_C).filter(pl.col("quantified") & (pl.col(_T) == quantified.max()))
    return samples.group_by(keys, maintain_order=True).agg(
        samples=pl.len(),
        quantifiable=pl.col("quantified").sum(),
        first_sample=pl.col(_T).min(),
        last_sample=pl.col(_T).max(),
        peak_samples=pl.col(_T).is_between(*sampling_window).sum(),
        tlast=quantified.max(),
        clast=at_tlast.max(),
        detectable_last=at_last.any(),
        lloq=pl.col(LLOQ).max(),
    )


def _peak(samples: pl.DataFrame, keys: list[str], peak_window: tuple[float, float]) -> pl.DataFrame:
    return (
        samples.filter(pl.col("quantified") & pl.col(_T).is_between(*peak_window))
        .sort([*keys, _C, _T], descending=[False] * len(keys) + [True, False])
        .filter(is_first_row(*keys))
        .select(*keys, cmax=_C, tmax=_T)
    )


def _with_reasons(
    rows: pl.DataFrame, minimum_samples: int, blq: BlqRule, start: StartRule
) -> pl.DataFrame:
    never = pl.col("quantifiable") == 0
    few = pl.col("peak_samples") < minimum_samples
    reason = (
        pl.when(few).then(pl.lit("too_few_samples")).when(never).then(pl.lit("never_quantified"))
    )
    peak = pl.coalesce(
        reason, pl.when(pl.col("cmax").is_null()).then(pl.lit("not_quantified_in_window"))
    )
    lacking = pl.when(pl.lit(start == "sample") & pl.col("zero_at_start"))
    area = pl.coalesce(
        reason,
        lacking.then(pl.lit("no_sample_at_infusion")),
        pl.when(pl.col("auc").is_null()).then(pl.lit("no_area")),
    )
    slope = pl.coalesce(
        pl.when(never).then(pl.lit("never_quantified")),
        "reason_half_life",
        pl.when(pl.col("half_life").is_null()).then(pl.lit("too_few_points")),
    )
    return rows.with_columns(
        reason_cmax=peak, reason_auc=area, reason_half_life=slope, blq_rule=pl.lit(blq)
    ).with_columns(
        cmax=pl.when(pl.col("reason_cmax").is_null()).then("cmax"),
        tmax=pl.when(pl.col("reason_cmax").is_null()).then("tmax"),
        auc=pl.when(pl.col("reason_auc").is_null()).then("auc"),
    )


def summarise_parameters(
    rows: pl.DataFrame,
    *,
    parameters: Sequence[str] = ("cmax", "tmax", "auc", "tlast", "half_life"),
    by: Sequence[str] = (),
) -> pl.DataFrame:
    """Geometric mean with geometric CV, median and range of each parameter.

    Parameters
    ----------
    rows : DataFrame as from ``nca``
    parameters : sequence of str
    by : sequence of str
        Columns that divide the cohort, such as the assay.

    Returns
    -------
    DataFrame [*by, parameter, n, n_positive, geometric_mean, geometric_cv_percent, median, minimum,
    maximum]
        A row for every parameter, with n = 0 where no profile has it.
        ``geometric_cv_percent`` = 100 sqrt(exp(s2) - 1), s2 the variance (n - 1) of the logarithms;
        both geometric figures are over the ``n_positive`` values above 0.
    """
    keys = list(by)
    long = rows.select(*keys, *(pl.col(p).cast(pl.Float64) for p in parameters)).unpivot(
        index=keys, variable_name="parameter", value_name="value"
    )
    logs = pl.col("value").filter(pl.col("value") > 0).log()
    order = pl.Enum(list(parameters))
    return (
        long.with_columns(pl.col("parameter").cast(order))
        .sort(*keys, "parameter", "value")
        .group_by(*keys, "parameter", maintain_order=True)
        .agg(
            n=pl.col("value").count(),
            n_positive=(pl.col("value") > 0).sum(),
            geometric_mean=logs.mean().exp(),
            geometric_cv_percent=100 * (logs.var().exp() - 1).sqrt(),
            median=pl.col("value").median(),
            minimum=pl.col("value").min(),
            maximum=pl.col("value").max(),
        )
        .with_columns(pl.col("parameter").cast(pl.String))
    )
