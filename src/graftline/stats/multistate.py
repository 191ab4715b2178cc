"""Multi-state estimates without a regression model: hazards, probabilities, time in each state.

Cumulative transition hazards are Nelson-Aalen, transition probabilities Aalen-Johansen: the
product over event times of I + dA. Covariances are carried forward with the product, one starting
state at a time. Sources: Aalen and Johansen 1978; Andersen, Borgan, Gill and Keiding 1993;
de Wreede, Fiocco and Putter 2010 (both variance conventions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import ndtri

from graftline.stats.event_counts import FloatArray, IntArray, index_times
from graftline.stats.inputs import (
    StatsInputError,
    check_choice,
    check_level,
    check_rows,
    number_array,
    raise_problems,
)
from graftline.stats.multistate_data import StateModel, Stays
from graftline.stats.probability_interval import INTERVALS, IntervalType, probability_interval
from graftline.stats.result_text import text_table
from graftline.stats.state_propagation import propagate

HazardVariance: TypeAlias = Literal["aalen", "greenwood"]


@dataclass(frozen=True, slots=True)
class TransitionHazards:
    """Cumulative hazard of each transition at every event time.

    ``time`` (T); ``at_risk`` (S x T) by state; ``events``, ``hazard`` and ``hazard_variance``
    (K x T) by transition, in the order of ``model.transitions``. ``initial`` (S) is how many
    patients begin in each state.
    """

    model: StateModel
    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    hazard: FloatArray
    hazard_variance: FloatArray
    initial: FloatArray
    n: int
    variance: HazardVariance

    def at(self, times: ArrayLike, transition: int) -> pl.DataFrame:
        """Hazard and its variance of one transition (numbered from 1) at chosen times."""
        if not 1 <= transition <= len(self.model.transitions):
            raise StatsInputError(
                f"transition: found {transition}\n  expected 1 to {len(self.model.transitions)}"
            )
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        place = np.searchsorted(self.time, asked, side="right")
        return pl.DataFrame(
            {
                "time": asked,
                "hazard": np.append(0.0, self.hazard[transition - 1])[place],
                "variance": np.append(0.0, self.hazard_variance[transition - 1])[place],
            }
        )

    def to_frame(self) -> pl.DataFrame:
        """One row per transition and event time."""
        k, steps = self.hazard.shape
        numbers = np.repeat(np.arange(1, k + 1), steps)
        sources = [source for source, _ in self.model.transitions]
        return pl.DataFrame(
            {
                "transition": numbers,
                "name": np.repeat([self.model.name(j) for j in range(1, k + 1)], steps),
                "time": np.tile(self.time, k),
                "at_risk": self.at_risk[sources].ravel(),
                "events": self.events.ravel(),
                "hazard": self.hazard.ravel(),
                "std_error": np.sqrt(self.hazard_variance).ravel(),
            }
        )

    def __str__(self) -> str:
        """Transitions with their events and last hazards."""
        rows = [
            (
                self.model.name(j + 1),
                float(self.events[j].sum()),
                float(self.hazard[j, -1]),
                float(np.sqrt(self.hazard_variance[j, -1])),
            )
            for j in range(len(self.model.transitions))
        ]
        table = text_table(("transition", "events", "cumulative hazard", "std. error"), rows)
        return f"Transition hazards (Nelson-Aalen), {self.n} patients\n{table}"


@dataclass(frozen=True, slots=True)
class TransitionProbabilities:
    """P(in state j at t | in state h at ``start``): ``probability[h, j, t]``, and standard errors.

    ``time`` begins with ``start`` itself.
    """

    model: StateModel
    start: float
    time: FloatArray
    probability: FloatArray
    std_error: FloatArray

    def at(self, times: ArrayLike, source: str) -> pl.DataFrame:
        """One row per time and state, starting from one state.

        Raises
        ------
        StatsInputError : an unknown state, or a time before ``start``.
        """
        asked = _times_from(times, self.start)
        place = np.searchsorted(self.time, asked, side="right") - 1
        h = _place(self.model, source)
        return _state_frame(
            self.model,
            asked,
            {
                "probability": self.probability[h][:, place],
                "std_error": self.std_error[h][:, place],
            },
        )

    def to_frame(self) -> pl.DataFrame:
        """One row per starting state, time and state."""
        return pl.concat(
            self.at(self.time, source).select(pl.lit(source).alias("from"), pl.all())
            for source in self.model.states
        )

    def __str__(self) -> str:
        """Matrix of probabilities at the last time."""
        cells = self.probability[:, :, -1]
        rows = [(s, *map(float, row)) for s, row in zip(self.model.states, cells, strict=True)]
        table = text_table(("from \\ to", *self.model.states), rows)
        return f"Transition probabilities from {self.start:g} to {self.time[-1]:g}\n{table}"


@dataclass(frozen=True, slots=True)
class StateOccupation:
    """Probability of being in each state (S x T) with limits; ``time`` begins with ``start``."""

    model: StateModel
    start: float
    initial: FloatArray
    time: FloatArray
    probability: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    interval: IntervalType
    level: float

    def at(self, times: ArrayLike) -> pl.DataFrame:
        """One row per time and state.

        Raises
        ------
        StatsInputError : a time before ``start``.
        """
        asked = _times_from(times, self.start)
        place = np.searchsorted(self.time, asked, side="right") - 1
        columns = {
            name: getattr(self, name)[:, place]
            for name in ("probability", "std_error", "lower", "upper")
        }
        return _state_frame(self.model, asked, columns)

    def to_frame(self) -> pl.DataFrame:
        """One row per time and state."""
        return self.at(self.time)

    def __str__(self) -> str:
        """Probabilities at the last time."""
        percent = f"{100 * self.level:g}%"
        header = ("state", "probability", "std. error", f"lower {percent}", f"upper {percent}")
        rows = self.at(self.time[-1:]).drop("time").rows()
        return f"State occupation at {self.time[-1]:g}\n{text_table(header, rows)}"


@dataclass(frozen=True, slots=True)
class LengthOfStay:
    """Expected time in each state between ``start`` and ``horizon``, with standard errors (S)."""

    model: StateModel
    start: float
    horizon: float
    mean: FloatArray
    std_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: float

    def to_frame(self) -> pl.DataFrame:
        """One row per state."""
        return pl.DataFrame(
            {
                "state": list(self.model.states),
                "mean": self.mean,
                "std_error": self.std_error,
                "lower": self.lower,
                "upper": self.upper,
            }
        )

    def __str__(self) -> str:
        """The table."""
        percent = f"{100 * self.level:g}%"
        header = ("state", "mean time", "std. error", f"lower {percent}", f"upper {percent}")
        title = f"Expected time in each state from {self.start:g} to {self.horizon:g}"
        return f"{title}\n{text_table(header, self.to_frame().rows())}"


def transition_hazards(
    stays: Stays, *, weights: ArrayLike | None = None, variance: HazardVariance = "aalen"
) -> TransitionHazards:
    """Nelson-Aalen estimate of every transition's cumulative hazard.

    Parameters
    ----------
    stays : Stays
        Late entries are stays that start after 0.
    weights : array (one per patient), optional
        Case weights.
    variance : {"aalen", "greenwood"}
        Sum of d / r^2, or of d (r - d) / r^3.

    Raises
    ------
    StatsInputError : unusable weights; no transition at all.
    """
    check_choice("variance", variance, ("aalen", "greenwood"))
    if not np.any(stays.next_state >= 0):
        raise StatsInputError("stays: found no transition\n  expected at least one")
    case = _stay_weights(stays, weights)
    model = stays.model
    n_states, n = len(model.states), stays.stop.size
    indexed = index_times(np.concatenate((stays.stop, stays.start)))
    stop, start = indexed.index[:n], indexed.index[n:]
    places = indexed.time.size
    late = stays.start > 0.0
    leaving = _sums(stays.state * places + stop, case, n_states * places)
    entering = _sums((stays.state * places + start)[late], case[late], n_states * places)
    net = (leaving - entering).reshape(n_states, places)
    at_risk = np.maximum(np.cumsum(net[:, ::-1], axis=1)[:, ::-1], 0.0)
    numbers = np.where(stays.next_state >= 0, model.matrix[stays.state, stays.next_state] - 1, -1)
    moved = numbers >= 0
    k = len(model.transitions)
    events = _sums((numbers * places + stop)[moved], case[moved], k * places).reshape(k, places)
    busy = events.sum(axis=0) > 0.0
    at_risk, events = at_risk[:, busy], events[:, busy]
    source = [source for source, _ in model.transitions]
    with np.errstate(divide="ignore", invalid="ignore"):
        jump = np.where(events > 0.0, events / at_risk[source], 0.0)
        spread = jump / at_risk[source]
        if variance == "greenwood":
            spread = spread * (1.0 - jump)
    spread = np.where(events > 0.0, np.maximum(spread, 0.0), 0.0)
    first = np.ones(n, dtype=np.bool_)
    first[1:] = stays.patient[1:] != stays.patient[:-1]
    return TransitionHazards(
        model=model,
        time=indexed.time[busy],
        at_risk=at_risk,
        events=events,
        hazard=np.cumsum(jump, axis=1),
        hazard_variance=np.cumsum(spread, axis=1),
        initial=_sums(stays.state[first], case[first], n_states),
        n=len(stays.patients),
        variance=variance,
    )


def transition_probabilities(
    hazards: TransitionHazards, *, start: float = 0.0
) -> TransitionProbabilities:
    """Aalen-Johansen probabilities of every state at every time after ``start``, from every state.

    Standard errors use the variance convention of ``hazards``. Source for the recursion: de Wreede
    and others 2010.
    """
    k = len(hazards.model.states)
    rows = [_propagate(hazards, start, np.eye(k)[h], None) for h in range(k)]
    return TransitionProbabilities(
        model=hazards.model,
        start=start,
        time=_time_from(hazards, start),
        probability=np.array([row[0].T for row in rows]),
        std_error=np.array([np.sqrt(row[1]).T for row in rows]),
    )


def state_occupation(
    hazards: TransitionHazards,
    *,
    start: float = 0.0,
    initial: Mapping[str, float] | str | None = None,
    interval: IntervalType = "log-log",
    level: float = 0.95,
) -> StateOccupation:
    """Probability of being in each state over time.

    Parameters
    ----------
    hazards : TransitionHazards
    start : float
        Time from which the probabilities run.
    initial : str or mapping state -> share, optional
        State, or distribution of states, at ``start``; by default that in which the patients of
        the data began. It is taken as given in the standard errors.
    interval, level
        Scale and level of the pointwise limits.

    Raises
    ------
    StatsInputError : unknown states, shares that do not sum to 1.
    """
    check_choice("interval", interval, INTERVALS)
    check_level(level)
    begin = _initial_shares(hazards, initial)
    probability, variance, _, _ = _propagate(hazards, start, begin, None)
    std_error = np.sqrt(variance)
    lower, upper = probability_interval(probability, std_error, interval, level)
    return StateOccupation(
        model=hazards.model,
        start=start,
        initial=begin,
        time=_time_from(hazards, start),
        probability=probability.T,
        std_error=std_error.T,
        lower=lower.T,
        upper=upper.T,
        interval=interval,
        level=level,
    )


def expected_length_of_stay(
    hazards: TransitionHazards,
    horizon: float,
    *,
    start: float = 0.0,
    initial: Mapping[str, float] | str | None = None,
    level: float = 0.95,
) -> LengthOfStay:
    """Mean time spent in each state up to a horizon: the area under the state occupation.

    Parameters are those of `state_occupation`; the means sum to ``horizon - start``. The standard
    error carries the covariance of probabilities and areas forward together.

    Raises
    ------
    StatsInputError : a horizon not after ``start``.
    """
    check_level(level)
    if not horizon > start:
        raise StatsInputError(f"horizon: found {horizon:g}\n  expected a time after {start:g}")
    begin = _initial_shares(hazards, initial)
    *_, area, area_variance = _propagate(hazards, start, begin, horizon)
    std_error = np.sqrt(area_variance)
    reach = float(ndtri(0.5 + level / 2.0)) * std_error
    return LengthOfStay(
        model=hazards.model,
        start=start,
        horizon=horizon,
        mean=area,
        std_error=std_error,
        lower=np.maximum(area - reach, 0.0),
        upper=np.minimum(area + reach, horizon - start),
        level=level,
    )


def _propagate(
    hazards: TransitionHazards, start: float, begin: FloatArray, horizon: float | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Probabilities and variances (T + 1 x S) after ``start``; areas and variances to horizon."""
    after = hazards.time > start
    sources = np.array([source for source, _ in hazards.model.transitions])
    targets = np.array([target for _, target in hazards.model.transitions])
    return propagate(
        np.ascontiguousarray(hazards.time[after]),
        np.ascontiguousarray(hazards.at_risk[:, after]),
        np.ascontiguousarray(hazards.events[:, after]),
        sources,
        targets,
        begin,
        start,
        np.inf if horizon is None else horizon,
        hazards.variance == "greenwood",
    )


def _sums(place: IntArray, values: FloatArray, size: int) -> FloatArray:
    return np.asarray(np.bincount(place, values, size), dtype=np.float64)


def _time_from(hazards: TransitionHazards, start: float) -> FloatArray:
    return np.concatenate(([start], hazards.time[hazards.time > start]))


def _times_from(times: ArrayLike, start: float) -> FloatArray:
    asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if np.any(asked < start):
        raise StatsInputError(
            f"times: found {float(asked.min()):g}\n  expected times from the start, {start:g}, on"
        )
    return asked


def _place(model: StateModel, state: str) -> int:
    if state not in model.states:
        raise StatsInputError(f"state: found {state!r}\n  expected one of {list(model.states)}")
    return model.states.index(state)


def _state_frame(
    model: StateModel, times: FloatArray, columns: Mapping[str, FloatArray]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": np.repeat(times, len(model.states)),
            "state": list(model.states) * times.size,
            **{name: values.T.ravel() for name, values in columns.items()},
        }
    )


def _initial_shares(
    hazards: TransitionHazards, initial: Mapping[str, float] | str | None
) -> FloatArray:
    model = hazards.model
    if initial is None:
        return np.asarray(hazards.initial / hazards.initial.sum())
    given = {initial: 1.0} if isinstance(initial, str) else dict(initial)
    shares = np.zeros(len(model.states))
    for state, share in given.items():
        shares[_place(model, state)] = share
    if np.any(shares < 0.0) or abs(float(shares.sum()) - 1.0) > 1e-9:
        raise StatsInputError(
            f"initial: found {given}\n  expected shares of 0 or more that sum to 1"
        )
    return shares


def _stay_weights(stays: Stays, weights: ArrayLike | None) -> FloatArray:
    if weights is None:
        return np.ones(stays.stop.size)
    problems: list[str] = []
    case = number_array("weights", weights, problems)
    if case.size != len(stays.patients):
        problems.append(f"weights: found {case.size}\n  expected one for each patient")
    check_rows("weights", ~(case >= 0.0) | np.isinf(case), case, "a finite weight", problems)
    raise_problems(problems)
    return np.asarray(case[stays.patient])
