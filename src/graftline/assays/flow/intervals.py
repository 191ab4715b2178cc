"""Exact intervals of shares and counts of events."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, chi2

Floats = NDArray[np.float64]


def share_intervals(
    events: NDArray[np.int64], totals: NDArray[np.int64], *, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Clopper-Pearson limits of ``events / totals``; NaN where the total is 0."""
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(events > 0, beta.ppf(tail, events, totals - events + 1), 0.0)
        high = np.where(events < totals, beta.ppf(1 - tail, events + 1, totals - events), 1.0)
    return np.where(totals > 0, low, np.nan), np.where(totals > 0, high, np.nan)


def share_interval(events: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson limits of one share."""
    low, high = share_intervals(np.array([events]), np.array([total]), confidence=confidence)
    return float(low[0]), float(high[0])


def count_interval(events: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact Poisson limits of the events expected, given those seen (Garwood 1936)."""
    tail = (1 - confidence) / 2
    low = float(chi2.ppf(tail, 2 * events) / 2) if events else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * events + 2) / 2)
