"""Cox models of the transitions between states, prediction from them, and the Markov check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graftline.stats.chi_square import ChiSquare, chi_square
from graftline.stats.cox import CoxFit, Ties, cox
from graftline.stats.cox_baseline import hazard_jumps
from graftline.stats.cox_likelihood import FitError
from graftline.stats.design import Covariates, Design, design_matrix
from graftline.stats.event_counts import FloatArray
from graftline.stats.inputs import StatsInputError
from graftline.stats.multistate_data import StateModel, Stays
from graftline.stats.result_text import text_p_value, text_table


@dataclass(frozen=True, slots=True)
class PredictedStates:
    """Probability of each state over time for m patients: ``probability`` is m x S x (T + 1)."""

    model: StateModel
    start: float
    time: FloatArray
    probability: FloatArray

    def to_frame(self) -> pl.DataFrame:
        """One row per patient (counted from 0), state and time."""
        m, k, steps = self.probability.shape
        return pl.DataFrame(
            {
                "patient": np.repeat(np.arange(m), k * steps),
                "state": [s for _ in range(m) for s in self.model.states for _ in range(steps)],
                "time": np.tile(self.time, m * k),
                "probability": self.probability.ravel(),
            }
        )

    def __str__(self) -> str:
        """Probabilities at the last time."""
        rows = [(i, *map(float, row)) for i, row in enumerate(self.probability[:, :, -1])]
        table = text_table(("patient", *self.model.states), rows)
        return f"Predicted states at {self.time[-1]:g}\n{table}"


@dataclass(frozen=True, slots=True)
class MarkovCheck:
    """For each transition, whether its rate depends on when the state was entered.

    ``frame`` has a row per transition out of a state that is entered after the start: hazard
    ratio per unit of entry time, p-value, and why a transition could not be tested.
    """

    frame: pl.DataFrame
    overall: ChiSquare | None

    def to_frame(self) -> pl.DataFrame:
        """One row per transition checked."""
        return self.frame

    def __str__(self) -> str:
        """The table and the joint test."""
        rows = [(*row[:-2], text_p_value(row[-2]), row[-1]) for row in self.frame.iter_rows()]
        table = text_table(self.frame.columns, rows)
        joint = "nothing could be tested" if self.overall is None else f"all: {self.overall}"
        return f"Markov check: effect of the time of entry\n{table}\n{joint}"


def transition_cox(
    stays: Stays,
    covariates: Covariates,
    *,
    transitions: Sequence[int] | None = None,
    ties: Ties = "efron",
    reference: Mapping[str, object] | None = None,
    level: float = 0.95,
) -> dict[int, CoxFit]:
    """Fit a Cox model to each transition, in time since the origin (clock forward).

    Parameters
    ----------
    stays : Stays
    covariates : array or polars DataFrame
        One row per patient, in the order of ``stays.patients``.
    transitions : sequence of int, optional
        Numbers of the transitions to model; by default those that anybody made.
    ties, reference, level
        As `cox`.

    Returns
    -------
    dict from transition number to CoxFit
        The same fit as coxph on the rows of that transition in the long format.

    Raises
    ------
    StatsInputError, FitError : as `cox`.
    """
    design = design_matrix(covariates, reference=reference)
    if design.matrix.shape[0] != len(stays.patients):
        raise StatsInputError(
            f"covariates: found {design.matrix.shape[0]} rows\n  expected one for each of the "
            f"{len(stays.patients)} patients"
        )
    made = _made(stays)
    wanted = [j + 1 for j in np.flatnonzero(made).tolist()] if transitions is None else transitions
    return {number: _fit(stays, number, design, ties, level) for number in wanted}


def predict_states(
    fits: Mapping[int, CoxFit],
    model: StateModel,
    covariates: Covariates,
    *,
    start: float = 0.0,
    initial: str | None = None,
) -> PredictedStates:
    """Probability of each state over time for patients with the given covariates.

    The product over event times of I + dA(t | x), each transition's jump from its own Cox model;
    transitions without a model do not happen.

    Parameters
    ----------
    fits : mapping from transition number to CoxFit
        From `transition_cox`.
    covariates : array (m x p) or polars DataFrame
    start : float
        Time from which to predict.
    initial : str, optional
        State at ``start``; by default the first.
    """
    first = model.states[0] if initial is None else initial
    if first not in model.states:
        raise StatsInputError(f"initial: found {first!r}\n  expected one of {list(model.states)}")
    jumps = {number: hazard_jumps(fit, covariates) for number, fit in fits.items()}
    if not jumps:
        raise StatsInputError("fits: found none\n  expected the model of at least one transition")
    grid = np.unique(np.concatenate([time for time, _ in jumps.values()]))
    grid = grid[grid > start]
    m, k = next(iter(jumps.values()))[1].shape[0], len(model.states)
    step = np.zeros((grid.size, m, k, k))
    for number, (time, jump) in jumps.items():
        source, target = model.transitions[number - 1]
        after = time > start
        step[np.searchsorted(grid, time[after]), :, source, target] = jump[:, after].T
    leaving = step.sum(axis=3, keepdims=True)
    # A patient at very high risk can have jumps out of a state that sum to more than 1.
    step /= np.maximum(leaving, 1.0)
    step += np.eye(k) * (1.0 - step.sum(axis=3, keepdims=True))
    probability = np.zeros((grid.size + 1, m, k))
    probability[0, :, model.states.index(first)] = 1.0
    for t in range(grid.size):
        probability[t + 1] = np.einsum("mi,mij->mj", probability[t], step[t])
    return PredictedStates(
        model, start, np.concatenate(([start], grid)), probability.transpose(1, 2, 0)
    )


def markov_check(stays: Stays, *, level: float = 0.95) -> MarkovCheck:
    """Test whether transition rates depend on when the state was entered.

    In a Markov model they do not: only the time since the origin counts. For each transition out
    of a state entered after the start, a Cox model in time since the origin (late entry at the
    time of entry) has that time as its covariate. Source: Andersen and Keiding 2002.
    """
    rows: list[tuple[str, int, float, float, float, str]] = []
    tested = []
    made = _made(stays)
    for number, (source, _) in enumerate(stays.model.transitions, start=1):
        inside = stays.state == source
        entries = stays.start[inside]
        if entries.size == 0 or np.all(entries == 0.0):
            continue
        name, events = stays.model.name(number), int(made[number - 1])
        if events == 0 or np.ptp(entries) == 0.0:
            rows.append((name, events, np.nan, np.nan, np.nan, "no transition or one entry time"))
            continue
        design = Design(entries[:, None], ("entry",), {"entry": (0,)})
        try:
            fit = _fit_rows(stays, number, design, "efron", level)
        except FitError as error:
            rows.append((name, events, np.nan, np.nan, np.nan, str(error).split("\n")[0]))
            continue
        tested.append(fit.wald.statistic)
        ratio = float(np.exp(fit.coef[0]))
        rows.append((name, events, ratio, float(fit.std_error[0]), float(fit.p_value[0]), ""))
    header = ("transition", "events", "hazard_ratio", "std_error", "p_value", "note")
    frame = pl.DataFrame(rows, schema=header, orient="row")
    return MarkovCheck(frame, chi_square(sum(tested), len(tested)) if tested else None)


def _made(stays: Stays) -> FloatArray:
    numbers = np.where(stays.next_state >= 0, stays.model.matrix[stays.state, stays.next_state], 0)
    counts = np.bincount(numbers, minlength=len(stays.model.transitions) + 1)[1:]
    return counts.astype(np.float64)


def _fit(stays: Stays, number: int, design: Design, ties: Ties, level: float) -> CoxFit:
    source = stays.model.transitions[number - 1][0]
    rows = stays.patient[stays.state == source]
    own = Design(design.matrix[rows], design.names, design.terms, design.levels)
    return _fit_rows(stays, number, own, ties, level)


def _fit_rows(stays: Stays, number: int, design: Design, ties: Ties, level: float) -> CoxFit:
    source, target = stays.model.transitions[number - 1]
    inside = stays.state == source
    return cox(
        stays.stop[inside],
        (stays.next_state[inside] == target).astype(np.int64),
        design,
        start=stays.start[inside],
        ties=ties,
        level=level,
    )
