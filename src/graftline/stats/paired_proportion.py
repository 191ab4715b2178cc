"""Difference of two proportions measured on the same patients."""

import math
from dataclasses import dataclass

import polars as pl
from scipy.optimize import brentq
from scipy.stats import norm

from graftline.stats.inputs import StatsInputError, check_level
from graftline.stats.result_text import text_number


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Second proportion less first among ``n`` pairs, and its interval.

    ``gained`` pairs have the event in the second only, ``lost`` in the first only.
    """

    gained: int
    lost: int
    n: int
    estimate: float
    lower: float
    upper: float
    level: float

    def to_frame(self) -> pl.DataFrame:
        """One row with the columns gained, lost, n, estimate, lower, upper, level."""
        names = ("gained", "lost", "n", "estimate", "lower", "upper", "level")
        return pl.DataFrame({name: [getattr(self, name)] for name in names})

    def __str__(self) -> str:
        """Difference and interval in percentage points on one line."""
        if self.n == 0:
            return "no pairs, no estimate (Tango score)"
        return (
            f"{100 * self.estimate:+.1f} points, {text_number(100 * self.level)}% interval "
            f"{100 * self.lower:+.1f} to {100 * self.upper:+.1f} "
            f"({self.gained} gained, {self.lost} lost of {self.n} pairs; Tango score)"
        )


def paired_difference(gained: int, lost: int, n: int, *, level: float = 0.95) -> PairedDifference:
    """Difference of paired proportions with Tango's score interval.

    It keeps its coverage where few pairs differ, and has a width where none does; the usual
    normal interval has neither virtue.

    Parameters
    ----------
    gained, lost : int
        Pairs with the event only under the second, and only under the first, of two conditions.
    n : int
        All pairs, those that agree included.

    Raises
    ------
    StatsInputError
        Counts that are not whole, are negative, or together exceed ``n``.

    Notes
    -----
    Source: Tango 1998. R: ``contingencytables::Tango_asymptotic_score_CI_paired_2x2``.
    """
    check_level(level)
    counts = (gained, lost, n)
    if any(int(count) != count or count < 0 for count in counts) or gained + lost > n:
        raise StatsInputError(
            f"gained, lost, n: found {gained!r}, {lost!r} of {n!r}\n"
            "  expected whole numbers of 0 or more, with gained + lost <= n"
        )
    if n == 0:
        return PairedDifference(0, 0, 0, float("nan"), -1.0, 1.0, level)
    estimate = (gained - lost) / n
    z = float(norm.isf((1.0 - level) / 2.0))

    def beyond(difference: float) -> float:
        return _squared_score_excess(difference, gained, lost, n, z)

    # The excess is 0 at the estimate where all pairs agree; the limits are further out.
    lower = -1.0 if lost == n else brentq(beyond, -1.0, estimate - _STEP, xtol=1e-14)
    upper = 1.0 if gained == n else brentq(beyond, estimate + _STEP, 1.0, xtol=1e-14)
    return PairedDifference(
        int(gained), int(lost), int(n), estimate, float(lower), float(upper), level
    )


_STEP = 1e-12


def _squared_score_excess(difference: float, gained: int, lost: int, n: int, z: float) -> float:
    """Squared distance from a difference less what its restricted variance allows."""
    spread = difference * (1.0 - difference)
    b = -gained - lost + (2 * n - gained + lost) * difference
    root = math.sqrt(max(b * b + 8.0 * n * lost * spread, 0.0))
    lost_share = (root - b) / (4.0 * n)
    distance = gained - lost - n * difference
    return distance * distance - z * z * n * (2.0 * lost_share + spread)
