"""Test of proportional hazards: the score test for coefficients that change with time.

For each term the model is extended by x g(t), with g a transform of time, and its score test is
taken at the fitted coefficients. Sources: Grambsch and Therneau 1994; in this exact form,
cox.zph of R's survival since version 3.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from graftline.stats.chi_square import ChiSquare, chi_square
from graftline.stats.cox import CoxFit
from graftline.stats.cox_likelihood import evaluate_partial_likelihood
from graftline.stats.event_counts import FloatArray, count_events
from graftline.stats.inputs import StatsInputError, check_choice
from graftline.stats.result_text import text_p_value, text_table

TimeTransform: TypeAlias = Literal["km", "identity", "rank", "log"]


@dataclass(frozen=True, slots=True)
class ProportionalHazardsTest:
    """One chi-square per term of the model, and one for all together."""

    terms: dict[str, ChiSquare]
    overall: ChiSquare
    transform: TimeTransform

    def to_frame(self) -> pl.DataFrame:
        """One row per term and one, ``GLOBAL``, for all."""
        everything = {**self.terms, "GLOBAL": self.overall}
        return pl.DataFrame(
            {
                "term": list(everything),
                "chi_square": [test.statistic for test in everything.values()],
                "df": [test.df for test in everything.values()],
                "p_value": [test.p_value for test in everything.values()],
            }
        )

    def __str__(self) -> str:
        """The table of tests."""
        rows = [(*row[:-1], text_p_value(row[-1])) for row in self.to_frame().iter_rows()]
        title = f"Test of proportional hazards against time ({self.transform})"
        return f"{title}\n{text_table(('', 'chi-square', 'df', 'p'), rows)}"


def proportional_hazards_test(
    fit: CoxFit, *, transform: TimeTransform = "km"
) -> ProportionalHazardsTest:
    """Score test of each term against a trend of its coefficient with time.

    Parameters
    ----------
    fit : CoxFit
        Efron or Breslow ties.
    transform : {"km", "identity", "rank", "log"}
        Time as 1 - S(t-), S the Kaplan-Meier curve of all rows without weights and strata; as it
        is; as the rank among all times; as its logarithm.

    Raises
    ------
    StatsInputError
        Exact ties; an event at time 0 with ``log``; events at too few times to show a trend.
    """
    check_choice("transform", transform, ("km", "identity", "rank", "log"))
    if fit.ties == "exact":
        raise StatsInputError("ties: the test needs Efron's or Breslow's\n  fit with ties='efron'")
    g = _transformed(fit, transform)
    last = fit.layout.cells.last[fit.data.event]
    g = g - float(np.mean(g[last]))
    moments = np.vstack((np.ones_like(g), g, g * g))
    rows = fit.layout.rows
    _, score, information = evaluate_partial_likelihood(rows, fit.scaled_coef, fit.efron, moments)
    p = fit.coef.size
    joint = np.block([[information[0], information[1]], [information[1], information[2]]])
    if np.linalg.matrix_rank(_scaled(joint), hermitian=True) < 2 * p:
        raise StatsInputError(
            "event: the events that compare patients are at too few times\n"
            "  expected a trend of each coefficient with time to be told from its mean\n"
            "  leave covariates out, or do without the test"
        )
    terms = {
        name: _score_test(joint, score[1], np.array(columns), p)
        for name, columns in fit.terms.items()
    }
    return ProportionalHazardsTest(terms, _score_test(joint, score[1], np.arange(p), p), transform)


def _scaled(information: FloatArray) -> FloatArray:
    root = np.sqrt(np.diag(information))
    return information / np.outer(root, root) if np.all(root > 0.0) else np.zeros_like(information)


def _score_test(
    joint: FloatArray, trend_score: FloatArray, columns: NDArray[np.intp], p: int
) -> ChiSquare:
    keep = np.concatenate((np.arange(p), p + columns))
    u = np.concatenate((np.zeros(p), trend_score[columns]))
    return chi_square(float(u @ np.linalg.solve(joint[np.ix_(keep, keep)], u)), columns.size)


def _transformed(fit: CoxFit, transform: TimeTransform) -> FloatArray:
    """Value of the transform at each cell of the model."""
    time = fit.layout.cells.time
    if transform == "identity":
        return time
    if transform == "log":
        if np.any(time <= 0.0):
            raise StatsInputError("transform: an event at time 0 has no logarithm\n  use 'km'")
        return np.asarray(np.log(time))
    if transform == "rank":
        ordered = np.sort(fit.data.time)
        ranks = rankdata(ordered)
        return np.asarray(ranks[np.searchsorted(ordered, time, side="left")])
    counts = count_events(fit.data.time, fit.data.event.astype(np.int64), 1, entry=fit.data.start)
    with np.errstate(divide="ignore", invalid="ignore"):
        stay = np.where(counts.at_risk > 0.0, 1.0 - counts.events[0] / counts.at_risk, 1.0)
    before = np.concatenate(([1.0], np.cumprod(stay)))
    return np.asarray(1.0 - before[np.searchsorted(counts.time, time, side="left")])
