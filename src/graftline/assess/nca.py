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
from graftline.assess.sorted_rows import is_first_row
from graftline.assess.terminal_phase import terminal_phase
from graftline.problems import InputError, Problem

__all__ = [
    "BLQ_RULES",
    "TRAPEZOIDS",
    "BlqRule",
    "Trapezoid",
    "area_to_infinity",
    "nca",
    "summarise_parameters",
]

BlqRule = Literal["pknca", "lloq_half_after_last"]
BLQ_RULES: dict[BlqRule, str] = {
    "pknca": (
        "below quantification: before the first quantifiable value 0, between dropped, after the "
        "last 0 (PKNCA default)"
    ),
    "lloq_half_after_last": (
        "below quantification: before the first quantifiable value 0, between dropped, the first "
        "after the last half the lower limit of quantification, later ones 0"
    ),
}
DAYS_PER_MONTH = 30.4375
_LLOQ, _PROFILE = "_lloq", "_profile"


def read_profiles(
    profiles: pl.DataFrame,
    *,
    by: Sequence[str],
    time: str,
    concentration: str,
    below: str | None,
    lloq: str | None,
) -> pl.DataFrame:
    """Samples with what was quantified and what was not.

    A sample is below quantification where the column ``below`` says so, where its value is less
    than ``lloq``, or where it is 0. Rows without time or concentration are missing, not 0.

    Returns
    -------
    DataFrame [*by, _time, _concentration, _lloq, quantified], sorted

    Raises
    ------
    InputError
        A concentration is negative or a time is not finite; every such row is listed.
    """
    reported = pl.lit(value=False) if below is None else pl.col(below).fill_null(value=False)
    limit = pl.lit(None, dtype=pl.Float64) if lloq is None else pl.col(lloq).cast(pl.Float64)
    value = pl.col(concentration).cast(pl.Float64)
    rows = profiles.select(
        *by,
        pl.col(time).cast(pl.Float64).alias(_T),
        value.fill_nan(None).alias(_C),
        limit.fill_nan(None).alias(_LLOQ),
        reported=reported,
    )
    _refuse_impossible(rows, time=time, concentration=concentration)
    below_limit = pl.col("reported") | (pl.col(_C) < pl.col(_LLOQ)) | (pl.col(_C) <= 0)
    return (
        rows.drop_nulls([_T, _C])
        .with_columns(
            quantified=~below_limit.fill_null(value=False),
        )
        .with_columns(
            pl.coalesce(
                _LLOQ, pl.when(pl.col("reported") & (pl.col(_C) > 0)).then(pl.col(_C))
            ).alias(_LLOQ)
        )
        .drop("reported")
        .sort(*by, _T, _C)
    )


def _refuse_impossible(rows: pl.DataFrame, *, time: str, concentration: str) -> None:
    faulty = rows.with_row_index("at").filter(
        (pl.col(_C) < 0) | pl.col(_C).is_infinite() | ~pl.col(_T).is_finite()
    )
    problems = [
        Problem(
            "profiles",
            "a finite time and a concentration of 0 or more",
            "mark a value below quantification in its own column; leave a missing value empty",
            row=at + 2,
            column=concentration if c is None or not 0 <= c < np.inf else time,
            found=f"{time} {t}, {concentration} {c}",
        )
        for at, t, c in faulty.select("at", _T, _C).iter_rows()
    ]
    if problems:
        raise InputError(problems)


def replace_below_quantification(
    samples: pl.DataFrame, *, by: Sequence[str], rule: BlqRule = "pknca"
) -> pl.DataFrame:
    """Give samples below quantification the value a rule says, or drop them.

    Parameters
    ----------
    samples : DataFrame as from ``read_profiles``
    rule : {"pknca", "lloq_half_after_last"}
        See ``BLQ_RULES``.

    Returns
    -------
    DataFrame [*by, _time, _concentration, quantified], sorted
    """
    bounds = (
        samples.filter("quantified")
        .group_by(by)
        .agg(_first=pl.col(_T).min(), _last=pl.col(_T).max())
    )
    before = (pl.col(_T) < pl.col("_first")).fill_null(value=True)
    after = (pl.col(_T) > pl.col("_last")).fill_null(value=False)
    first_after = after & (is_first_row(*by) | ~after.shift(1))
    half = pl.lit(rule == "lloq_half_after_last") & first_after
    replaced = (
        pl.when("quantified")
        .then(_C)
        .when(half)
        .then(pl.coalesce(pl.col(_LLOQ) / 2, 0.0))
        .when(before | after)
        .then(0.0)
    )
    return (
        samples.join(bounds, on=list(by), how="left", validate="m:1")
        .sort(*by, _T, _C)
        .with_columns(replaced.alias(_C))
        .drop_nulls(_C)
        .select(*by, _T, _C, "quantified")
    )


def detectable_at(
    samples: pl.DataFrame, *, by: Sequence[str], day: float, within_days: float
) -> pl.DataFrame:
    """Whether the sample nearest to a day was quantifiable; of two equally near the earlier.

    Returns
    -------
    DataFrame [*by, detectable]; profiles with a sample in the window
    """
    return (
        samples.with_columns(apart=(pl.col(_T) - day).abs())
        .filter(pl.col("apart") <= within_days)
        .sort([*by, "apart", _T, "quantified"], descending=[False] * (len(by) + 2) + [True])
        .filter(is_first_row(*by))
        .select(*by, detectable="quantified")
    )


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
    blq : {"pknca", "lloq_half_after_last"}
        What such values count as; see ``BLQ_RULES``.
    trapezoid : {"linear_up_log_down", "linear"}
        See ``TRAPEZOIDS``.
    auc_until : float
        End of the area. The concentration there is interpolated; nothing is extrapolated.
    auc_complete_from : float
        With a last sample before this time the area ends at the last quantifiable value.
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
    auc_to, zero_at_start, tlast, clast, half_life, half_life_points, half_life_from,
    half_life_adjusted_r2, half_life_span, clast_predicted, detectable_last, detectable_month_*,
    lloq, blq_rule, reason_cmax, reason_auc, reason_half_life]
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
    rows = rows.with_columns(auc_to=_end_of_area(auc_until, auc_complete_from))
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
    return _with_reasons(joined, minimum_samples, blq).sort(*by).drop(_PROFILE)


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
) -> pl.DataFrame:
    """Area to the last quantifiable value, and what a half-life adds beyond it.

    Parameters
    ----------
    profiles : DataFrame as for `nca`
    rows : DataFrame as from `nca` of these profiles

    Returns
    -------
    DataFrame [*by, auc_last, auc_infinity, auc_infinity_predicted, extrapolated_percent]
        ``auc_infinity`` adds the last quantifiable value times half-life over ln 2,
        ``..._predicted`` the value that the half-life's line has there; null without a half-life.
        ``extrapolated_percent`` of ``auc_infinity``.
    """
    read = read_profiles(
        profiles, by=by, time=time, concentration=concentration, below=below, lloq=lloq
    ).filter(pl.col(_T) >= 0)
    known = rows.select(
        *by, "clast", "clast_predicted", "half_life", auc_to=pl.col("tlast").cast(pl.Float64)
    ).drop_nulls("auc_to")
    area = area_under_curve(
        replace_below_quantification(read, by=by, rule=blq), known, by=by, method=trapezoid
    ).select(*by, auc_last="auc")
    per_unit = pl.col("half_life") / np.log(2)
    return (
        known.join(area, on=list(by), how="left", validate="1:1")
        # a first sample that is also the last one encloses nothing
        .with_columns(pl.col("auc_last").fill_null(0.0))
        .with_columns(
            auc_infinity=pl.col("auc_last") + pl.col("clast") * per_unit,
            auc_infinity_predicted=pl.col("auc_last") + pl.col("clast_predicted") * per_unit,
        )
        .select(
            *by,
            *("auc_last", "auc_infinity", "auc_infinity_predicted"),
            extrapolated_percent=100 * (1 - pl.col("auc_last") / pl.col("auc_infinity")),
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
        lloq=pl.col(_LLOQ).max(),
    )


def _peak(samples: pl.DataFrame, keys: list[str], peak_window: tuple[float, float]) -> pl.DataFrame:
    return (
        samples.filter(pl.col("quantified") & pl.col(_T).is_between(*peak_window))
        .sort([*keys, _C, _T], descending=[False] * len(keys) + [True, False])
        .filter(is_first_row(*keys))
        .select(*keys, cmax=_C, tmax=_T)
    )


def _with_reasons(rows: pl.DataFrame, minimum_samples: int, blq: BlqRule) -> pl.DataFrame:
    never = pl.col("quantifiable") == 0
    few = pl.col("peak_samples") < minimum_samples
    reason = (
        pl.when(few).then(pl.lit("too_few_samples")).when(never).then(pl.lit("never_quantified"))
    )
    peak = pl.coalesce(
        reason, pl.when(pl.col("cmax").is_null()).then(pl.lit("not_quantified_in_window"))
    )
    area = pl.coalesce(reason, pl.when(pl.col("auc").is_null()).then(pl.lit("no_area")))
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
