"""Cause-specific Cox regression: one model per competing cause, and the incidence they imply.

Each model counts the other causes as censored; its hazard ratio describes the rate among patients
still free of every cause. Sources: Prentice and others 1978; Putter, Fiocco and Geskus 2007.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graftline.stats.competing_data import competing_data
from graftline.stats.cox import CoxFit, Ties, cox
from graftline.stats.cox_baseline import hazard_jumps
from graftline.stats.design import Covariates
from graftline.stats.inputs import StatsInputError


@dataclass(frozen=True, slots=True)
class CauseSpecificFit:
    """A Cox model for each cause, by its code."""

    fits: dict[int, CoxFit]

    def to_frame(self) -> pl.DataFrame:
        """One row per cause and coefficient."""
        return pl.concat(
            fit.to_frame().select(pl.lit(cause).alias("cause"), pl.all())
            for cause, fit in self.fits.items()
        )

    def __str__(self) -> str:
        """The models one below the other."""
        return "\n\n".join(f"Cause {cause}: {fit}" for cause, fit in self.fits.items())

    def predict(
        self, covariates: Covariates, times: ArrayLike, *, stratum: object = None
    ) -> pl.DataFrame:
        """Cumulative incidence of each cause for patients with the given covariates.

        The product over event times of 1 minus all causes' hazard jumps gives event-free
        survival, of which each jump takes its share: exactly Aalen-Johansen when no covariate
        matters (Breslow's ties). One row per patient (counted from 0), cause and time.
        """
        jumps = {
            cause: hazard_jumps(fit, covariates, stratum=stratum)
            for cause, fit in self.fits.items()
        }
        grid = np.unique(np.concatenate([time for time, _ in jumps.values()]))
        patients = next(iter(jumps.values()))[1].shape[0]
        spread = {cause: np.zeros((patients, grid.size)) for cause in jumps}
        for cause, (time, jump) in jumps.items():
            spread[cause][:, np.searchsorted(grid, time)] = jump
        total = np.sum(list(spread.values()), axis=0)
        # A patient at very high risk can have jumps that sum to more than 1.
        shrink = np.where(total > 1.0, 1.0 / np.maximum(total, 1.0), 1.0)
        free = np.cumprod(1.0 - total * shrink, axis=1)
        before = np.hstack((np.ones((patients, 1)), free[:, :-1]))
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        place = np.searchsorted(grid, asked, side="right")
        frames = []
        for cause, jump in spread.items():
            steps = np.cumsum(before * jump * shrink, axis=1)
            incidence = np.hstack((np.zeros((patients, 1)), steps))[:, place]
            frames.append(
                pl.DataFrame(
                    {
                        "patient": np.repeat(np.arange(patients), asked.size),
                        "cause": np.full(incidence.size, cause),
                        "time": np.tile(asked, patients),
                        "incidence": incidence.ravel(),
                    }
                )
            )
        return pl.concat(frames)


def cause_specific_cox(
    time: ArrayLike,
    status: ArrayLike,
    covariates: Covariates,
    *,
    causes: Sequence[int] | None = None,
    start: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    ties: Ties = "efron",
    robust: bool | None = None,
    names: Sequence[str] | None = None,
    reference: Mapping[str, object] | None = None,
    level: float = 0.95,
) -> CauseSpecificFit:
    """Fit a Cox model for each cause.

    Parameters
    ----------
    time, status : array (n)
        As for `cumulative_incidence`: 0 censored, 1, 2, ... the cause.
    causes : sequence of int, optional
        Causes to model; by default every cause that occurs.

    The other parameters and errors are those of `cox`.
    """
    data = competing_data(time, status, entry=start, weights=weights)
    codes = np.asarray(status, dtype=np.int64)
    present = sorted({data.causes[place - 1] for place in np.unique(data.cause).tolist() if place})
    wanted = present if causes is None else list(causes)
    if not wanted:
        raise StatsInputError("status: found no event\n  expected at least one")
    return CauseSpecificFit(
        {
            cause: cox(
                time,
                (codes == cause).astype(np.int64),
                covariates,
                start=start,
                weights=weights,
                strata=strata,
                cluster=cluster,
                ties=ties,
                robust=robust,
                names=names,
                reference=reference,
                level=level,
            )
            for cause in wanted
        }
    )
