"""Boundaries of the Bayesian optimal interval design (BOIN) for finding a dose."""

from dataclasses import dataclass
from math import log

import polars as pl

from graftline.stats.inputs import StatsInputError


@dataclass(frozen=True, slots=True)
class DoseBoundaries:
    """Observed toxicity rates at or below which to go up, and at or above which to go down."""

    target: float
    escalate: float
    deescalate: float

    def to_frame(self) -> pl.DataFrame:
        """One row."""
        return pl.DataFrame({name: [getattr(self, name)] for name in self.__slots__})

    def __str__(self) -> str:
        """The rule in one sentence."""
        return (
            f"target {self.target:g}: escalate at a rate of {self.escalate:.3f} or less, "
            f"de-escalate at {self.deescalate:.3f} or more"
        )


def boin_boundaries(
    target: float, *, too_low: float | None = None, too_high: float | None = None
) -> DoseBoundaries:
    """Escalation and de-escalation boundaries for a target toxicity rate.

    Parameters
    ----------
    target : float
        Target rate, of the protocol.
    too_low, too_high : float, optional
        Rates that are clearly too low and too high; 0.6 and 1.4 times the target by default.

    Raises
    ------
    StatsInputError
        Rates that are not 0 < too_low < target < too_high < 1.

    Notes
    -----
    Source: Liu and Yuan 2015. R: ``BOIN::get.boundary(target, ...)``.
    """
    low = 0.6 * target if too_low is None else too_low
    high = 1.4 * target if too_high is None else too_high
    if not 0.0 < low < target < high < 1.0:
        raise StatsInputError(
            f"target, too_low, too_high: found {target!r}, {low!r}, {high!r}\n"
            "  expected 0 < too_low < target < too_high < 1"
        )
    return DoseBoundaries(target, _boundary(low, target), _boundary(target, high))


def _boundary(low: float, high: float) -> float:
    """Rate at which two true rates explain the data equally well."""
    return log((1.0 - low) / (1.0 - high)) / log(high * (1.0 - low) / (low * (1.0 - high)))
