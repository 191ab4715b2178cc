"""Whether a measure rises or falls with time: rank correlation within patients, exact."""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr
from scipy.stats import rankdata

from graftline.assays.tcr.spectrum import Floats

_EXACT = 8
_QUARTERS = 4  # products of centred midranks are multiples of 1/4


class Trend(NamedTuple):
    """Rank correlation, two-sided p, the smallest p that any order could give, and the method."""

    rho: float
    p: float
    least_p: float
    method: str


def rank_trend(courses: Sequence[tuple[Floats, Floats]]) -> Trend:
    """Spearman correlation of value and time within each course, and the test over all of them.

    The statistic is the sum over courses of the products of centred midranks. Under the hypothesis
    every order of a course's values is equally likely, each course by itself.

    Parameters
    ----------
    courses : sequence of (times, values)
        One pair of arrays per patient; courses of fewer than two points say nothing.

    Returns
    -------
    Trend
        ``rho`` is the sum over the square root of the product of the sums of squares: Spearman's
        coefficient for one course. NaN where no order differs from another.

    Notes
    -----
    The rank form of Mantel's (1963) correlation statistic, stratified by patient (Landis, Heyman
    and Koch 1978). All orders are enumerated for courses of up to eight points and convolved over
    courses; with a longer course the normal approximation with the exact variance is used.
    """
    ranked = [_centred(times, values) for times, values in courses if len(times) > 1]
    spread = math.sqrt(sum(float((x**2).sum()) for x, _ in ranked)) * math.sqrt(
        sum(float((y**2).sum()) for _, y in ranked)
    )
    if spread == 0:
        return Trend(math.nan, math.nan, math.nan, "not estimable")
    seen = sum(float(x @ y) for x, y in ranked)
    if max(x.size for x, _ in ranked) > _EXACT:
        variance = sum(float((x**2).sum() * (y**2).sum()) / (x.size - 1) for x, y in ranked)
        p = 2 * float(ndtr(-abs(seen) / math.sqrt(variance)))
        return Trend(seen / spread, p, 0.0, "normal approximation")
    chances = np.array([1.0])
    for x, y in ranked:
        chances = np.convolve(chances, _chances(x, y))
    values = np.arange(chances.size) - chances.size // 2
    far = round(abs(seen) * _QUARTERS)
    p = float(chances[np.abs(values) >= far].sum())
    possible = np.abs(values[chances > 0]).max()
    least = float(chances[np.abs(values) == possible].sum())
    return Trend(seen / spread, min(p, 1.0), least, "exact permutation")


def _centred(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    middle = (len(times) + 1) / 2
    return rankdata(times) - middle, rankdata(values) - middle


def _chances(x: Floats, y: Floats) -> Floats:
    """Chance of each value of 4 sum xy over all orders of y; the middle is 0."""
    orders = y[np.array(list(permutations(range(y.size))))]
    sums = np.rint(orders @ x * _QUARTERS).astype(np.int64)
    largest = int(np.abs(sums).max())
    counts = np.bincount(sums + largest, minlength=2 * largest + 1)
    chances: Floats = counts / counts.sum()
    return chances


def course_trends(
    table: pl.DataFrame,
    *,
    measures: Sequence[str],
    least_points: int = 4,
    level: float = 0.05,
) -> pl.DataFrame:
    """Trend over time of each measure, per patient and over all patients.

    Parameters
    ----------
    table : DataFrame [patient, month, measures]
        Samples of patients; rows without a value are left out.
    least_points : int
        A patient with fewer samples has no coefficient of his own; he counts in the test over all.
    level : float
        The test over all is not estimable where no order of the samples could give a p below this.

    Returns
    -------
    DataFrame [measure, patient, patients, samples, rho, p, method, reason]
        ``patient`` is null for the test over all. ``reason`` says why there is no value.
    """
    rows = []
    for measure in measures:
        known = table.drop_nulls(["patient", "month", measure]).sort("month")
        courses = {
            str(patient): (
                part["month"].to_numpy().astype(np.float64),
                part[measure].to_numpy().astype(np.float64),
            )
            for (patient,), part in known.partition_by(
                "patient", as_dict=True, maintain_order=True
            ).items()
        }
        for patient in table["patient"].drop_nulls().unique(maintain_order=True):
            course = courses.get(patient, (np.array([]), np.array([])))
            rows.append(_row(measure, patient, [course], least_points=least_points))
        rows.append(_row(measure, None, list(courses.values()), level=level))
    schema = {
        "measure": pl.String,
        "patient": pl.String,
        "patients": pl.Int64,
        "samples": pl.Int64,
        "rho": pl.Float64,
        "p": pl.Float64,
        "method": pl.String,
        "reason": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _row(
    measure: str,
    patient: str | None,
    courses: Sequence[tuple[Floats, Floats]],
    *,
    least_points: int = 2,
    level: float = 1.0,
) -> tuple[object, ...]:
    used = [course for course in courses if course[0].size > 1]
    samples = sum(course[0].size for course in courses)
    counts = (measure, patient, len(used), samples)
    if patient is not None and samples < least_points:
        return (*counts, None, None, None, f"fewer than {least_points} samples")
    trend = rank_trend(used)
    if math.isnan(trend.rho):
        return (*counts, None, None, None, "no patient with two different samples")
    if trend.least_p > level:
        return (*counts, None, None, None, f"no order of {samples} samples could reach p < {level}")
    return (*counts, trend.rho, trend.p, trend.method, None)
