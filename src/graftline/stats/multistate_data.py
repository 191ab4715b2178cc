"""States, the transitions allowed between them, and each patient's stays.

A stay is the time a patient spends in one state: entered at ``start``, left at ``stop`` for
another state or, when censored, for none. Every multi-state estimate is made from stays; the long
format (one row per stay and transition possible from it) is what a Cox model needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import (
    StatsInputError,
    check_lengths,
    check_overlaps,
    check_times,
    label_places,
    number_array,
    raise_problems,
    row_list,
)
from graftline.stats.result_text import text_table


@dataclass(frozen=True, slots=True)
class StateModel:
    """States in order, and the transitions allowed, numbered from 1 row by row."""

    states: tuple[str, ...]
    transitions: tuple[tuple[int, int], ...]

    @property
    def matrix(self) -> IntArray:
        """Transition numbers (from x to), 0 where none is allowed."""
        matrix = np.zeros((len(self.states), len(self.states)), dtype=np.int64)
        for number, (source, target) in enumerate(self.transitions, start=1):
            matrix[source, target] = number
        return matrix

    @property
    def absorbing(self) -> tuple[bool, ...]:
        """Whether each state is never left."""
        sources = {source for source, _ in self.transitions}
        return tuple(place not in sources for place in range(len(self.states)))

    def name(self, number: int) -> str:
        """``from -> to`` of a transition number."""
        source, target = self.transitions[number - 1]
        return f"{self.states[source]} -> {self.states[target]}"

    def __str__(self) -> str:
        """The transition matrix."""
        cells = [["." if k == 0 else str(k) for k in row] for row in self.matrix.tolist()]
        rows = [(state, *row) for state, row in zip(self.states, cells, strict=True)]
        return text_table(("from \\ to", *self.states), rows)


@dataclass(frozen=True, slots=True)
class Stays:
    """All stays of all patients: one value per stay, in the order of patient and start.

    ``state`` and ``next_state`` are places in ``model.states``, -1 for censored; ``patient`` is a
    place in ``patients``.
    """

    model: StateModel
    patients: tuple[object, ...]
    patient: IntArray
    state: IntArray
    start: FloatArray
    stop: FloatArray
    next_state: IntArray

    def to_frame(self) -> pl.DataFrame:
        """One row per stay."""
        names = np.array([*self.model.states, None], dtype=object)
        return pl.DataFrame(
            {
                "patient": [self.patients[place] for place in self.patient.tolist()],
                "state": names[self.state].tolist(),
                "start": self.start,
                "stop": self.stop,
                "next_state": names[self.next_state].tolist(),
            },
            schema_overrides={"state": pl.String, "next_state": pl.String},
        )

    def long(self) -> pl.DataFrame:
        """One row per stay and transition possible from it, as msprep of mstate gives.

        Columns ``patient`` (place among the patients), ``transition``, ``from``, ``to``,
        ``start``, ``stop``, ``event`` (1 if this transition was made).
        """
        parts = []
        for number, (source, target) in enumerate(self.model.transitions, start=1):
            rows = np.flatnonzero(self.state == source)
            parts.append(
                pl.DataFrame(
                    {
                        "patient": self.patient[rows],
                        "transition": np.full(rows.size, number),
                        "from": pl.Series([self.model.states[source]] * rows.size, dtype=pl.String),
                        "to": pl.Series([self.model.states[target]] * rows.size, dtype=pl.String),
                        "start": self.start[rows],
                        "stop": self.stop[rows],
                        "event": (self.next_state[rows] == target).astype(np.int64),
                    }
                )
            )
        return pl.concat(parts).sort("patient", "start", "transition")


@dataclass(frozen=True, slots=True)
class TransitionCounts:
    """How many stays in each state ended in each other, in none, and all (from x (to, none, all)).

    An absorbing state's entries are counted as ending in none.
    """

    states: tuple[str, ...]
    counts: IntArray

    def to_frame(self) -> pl.DataFrame:
        """One row per state left."""
        header = ("from", *self.states, "no event", "total")
        rows = [(s, *row) for s, row in zip(self.states, self.counts.tolist(), strict=True)]
        return pl.DataFrame(rows, schema=header, orient="row")

    def __str__(self) -> str:
        """The table of counts."""
        frame = self.to_frame()
        return text_table(frame.columns, frame.rows())


def state_model(states: Sequence[str], allowed: Mapping[str, Sequence[str]]) -> StateModel:
    """Model from its states and, for each, the states that can follow.

    Examples
    --------
    ``state_model(["well", "ill", "dead"], {"well": ["ill", "dead"], "ill": ["dead"]})``

    Raises
    ------
    StatsInputError
        States named twice or not declared, a state that follows itself, no transition.
    """
    names = tuple(states)
    unknown = sorted({*allowed, *(t for after in allowed.values() for t in after)} - set(names))
    if len(set(names)) != len(names) or len(names) < 2 or unknown:
        raise StatsInputError(
            f"states: found {list(names)}, transitions with {unknown or 'none'} not among them\n"
            "  expected two or more different names, and only those in the transitions"
        )
    pairs = [
        (names.index(source), names.index(target))
        for source in names
        for target in sorted(allowed.get(source, ()), key=names.index)
    ]
    if not pairs or any(source == target for source, target in pairs):
        raise StatsInputError(
            "allowed: found no transition, or one from a state to itself\n"
            "  expected at least one transition between two different states"
        )
    return StateModel(names, tuple(pairs))


def stays_from_wide(
    model: StateModel,
    times: Mapping[str, ArrayLike],
    reached: Mapping[str, ArrayLike],
    *,
    patients: Sequence[object] | None = None,
    start: ArrayLike | None = None,
    initial: str | None = None,
) -> Stays:
    """Stays from one time and one 0/1 flag per state and patient (wide format).

    Parameters
    ----------
    model : StateModel
    times : mapping state -> array (n)
        Time at which the state was reached, or to which the patient was followed without
        reaching it. A state nobody can enter has no entry here.
    reached : mapping state -> array (n)
        1 reached, 0 not.
    patients : sequence, optional
        Labels; by default row numbers.
    start : array (n), optional
        When the patient enters ``initial``; by default 0.
    initial : str, optional
        State in which everyone begins; by default the only one that nothing leads to.

    Returns
    -------
    Stays
        A patient moves to the state reached first. A patient who reaches none of the states
        possible is censored at the latest time followed for any of them. When a state that can
        be left and one that cannot are reached at the same time, no time was spent in the
        former and the patient goes straight to the latter.

    Raises
    ------
    StatsInputError
        Missing or negative times, flags other than 0 and 1, two states that can both be left
        reached at the same time, follow-up that ends before the state is entered (with rows).
    """
    first = _initial(model, initial)
    when, flag = _wide_arrays(model, times, reached, first)
    n = when.shape[0]
    problems: list[str] = []
    begin = np.zeros(n) if start is None else number_array("start", start, problems)
    check_lengths({"times": when[:, 0], "start": begin}, problems)
    raise_problems(problems)
    labels = tuple(range(n)) if patients is None else tuple(patients)
    if len(labels) != n:
        raise StatsInputError(f"patients: found {len(labels)}\n  expected {n}")
    found: list[tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]] = []
    here, rows, entered = np.full(n, first), np.arange(n), begin
    while rows.size:
        stop, target = _next_step(model, when[rows], flag[rows], here, entered, rows, problems)
        raise_problems(problems)
        found.append((rows, here, entered, stop, target))
        absorbing = np.array([*model.absorbing, True])
        on = ~absorbing[target]
        rows, here, entered = rows[on], target[on], stop[on]
    patient, state, begins, ends, target = (
        np.concatenate(part) for part in zip(*found, strict=True)
    )
    order = np.lexsort((begins, patient))
    return Stays(
        model, labels, patient[order], state[order], begins[order], ends[order], target[order]
    )


def stays_from_rows(
    model: StateModel,
    patient: ArrayLike,
    state: ArrayLike,
    start: ArrayLike,
    stop: ArrayLike,
    next_state: ArrayLike,
) -> Stays:
    """Stays from rows that already are stays; ``next_state`` is null when censored.

    Raises
    ------
    StatsInputError
        Unknown states, transitions the model does not allow, overlapping stays of one patient, a
        patient who leaves for one state and goes on in another (with rows, counted from 0).
    """
    problems: list[str] = []
    who, labels = label_places("patient", patient, problems)
    begins, ends = number_array("start", start, problems), number_array("stop", stop, problems)
    here = _state_places(model, "state", state, problems, missing=False)
    target = _state_places(model, "next_state", next_state, problems, missing=True)
    check_lengths(
        {"patient": who, "state": here, "start": begins, "stop": ends, "next_state": target},
        problems,
    )
    raise_problems(problems)
    check_times(ends, begins, problems, entry_name="start")
    check_overlaps(who, begins, ends, problems)
    allowed = np.array([*model.matrix.T, np.ones(len(model.states))]).T > 0
    jumps = np.flatnonzero(~allowed[here, target])
    if jumps.size:
        problems.append(
            f"next_state: a transition the model does not have in {row_list(jumps)}\n"
            "  expected a transition of the model, or no next state when censored"
        )
    order = np.lexsort((begins, who))
    same = who[order][1:] == who[order][:-1]
    broken = same & (target[order][:-1] != here[order][1:])
    if np.any(broken):
        problems.append(
            f"state: {row_list(np.sort(order[1:][broken]))} begin in a state other than the one "
            "the patient's stay before led to\n  expected each stay to follow from the one before"
        )
    raise_problems(problems)
    return Stays(model, labels, who[order], here[order], begins[order], ends[order], target[order])


def count_transitions(stays: Stays) -> TransitionCounts:
    """Table of transitions made, as events of mstate prints."""
    k = len(stays.model.states)
    counts = np.zeros((k, k + 2), dtype=np.int64)
    np.add.at(counts, (stays.state, np.where(stays.next_state < 0, k, stays.next_state)), 1)
    into = counts[:, :k].sum(axis=0)
    absorbing = np.array(stays.model.absorbing)
    counts[absorbing, k] += into[absorbing]
    counts[:, k + 1] = counts[:, : k + 1].sum(axis=1)
    return TransitionCounts(stays.model.states, counts)


def _initial(model: StateModel, initial: str | None) -> int:
    entered = {target for _, target in model.transitions}
    starts = [place for place in range(len(model.states)) if place not in entered]
    if initial is not None:
        if initial not in model.states:
            raise StatsInputError(
                f"initial: found {initial!r}\n  expected one of {list(model.states)}"
            )
        return model.states.index(initial)
    if len(starts) != 1:
        raise StatsInputError(
            "initial: the model has no single state that nothing leads to\n"
            "  name the state in which patients begin"
        )
    return starts[0]


def _wide_arrays(
    model: StateModel, times: Mapping[str, ArrayLike], reached: Mapping[str, ArrayLike], first: int
) -> tuple[FloatArray, IntArray]:
    """Times and flags (n x states); NaN and 0 for states without an entry."""
    problems: list[str] = []
    needed = {target for _, target in model.transitions} - {first}
    for label, given in (("times", times), ("reached", reached)):
        absent = [
            model.states[place] for place in sorted(needed) if model.states[place] not in given
        ]
        unknown = sorted(set(given) - set(model.states))
        if absent or unknown:
            problems.append(
                f"{label}: no entry for {absent or 'none'}, unknown states {unknown or 'none'}\n"
                "  expected one array for each state that can be entered"
            )
    raise_problems(problems)
    columns = {
        place: (
            number_array(f"times[{model.states[place]}]", times[model.states[place]], problems),
            number_array(f"reached[{model.states[place]}]", reached[model.states[place]], problems),
        )
        for place in sorted(needed)
    }
    lengths: dict[str, NDArray[np.generic] | None] = {}
    for place, (when, flag) in columns.items():
        lengths[f"times[{model.states[place]}]"] = when
        lengths[f"reached[{model.states[place]}]"] = flag
    check_lengths(lengths, problems)
    raise_problems(problems)
    n = next(iter(columns.values()))[0].size
    all_times, all_flags = np.full((n, len(model.states)), np.nan), np.zeros((n, len(model.states)))
    for place, (when, flag) in columns.items():
        state = model.states[place]
        wrong = np.flatnonzero((flag != 0.0) & (flag != 1.0))
        if wrong.size:
            problems.append(f"reached[{state}]: not 0 or 1 in {row_list(wrong)}")
        bad = np.flatnonzero(~(when >= 0.0) | np.isinf(when))
        if bad.size:
            problems.append(
                f"times[{state}]: no time of 0 or later in {row_list(bad)}\n  expected the time at "
                "which the state was reached, or to which the patient was followed without it"
            )
        all_times[:, place], all_flags[:, place] = when, flag
    raise_problems(problems)
    return all_times, all_flags.astype(np.int64)


def _next_step(
    model: StateModel,
    when: FloatArray,
    flag: IntArray,
    here: IntArray,
    entered: FloatArray,
    rows: IntArray,
    problems: list[str],
) -> tuple[FloatArray, IntArray]:
    """When and where to each patient goes from the state entered last; -1 for censored."""
    possible = (model.matrix > 0)[here]
    absorbing = np.array(model.absorbing)
    reached = np.where(possible & (flag == 1), when, np.inf)
    soonest = reached.min(axis=1)
    followed = np.where(possible, when, -np.inf).max(axis=1)
    tied = reached == soonest[:, None]
    final = tied & absorbing
    choice = np.where(final.any(axis=1)[:, None], final, tied)
    moves = np.isfinite(soonest)
    unclear = rows[moves & (choice.sum(axis=1) > 1)]
    if unclear.size:
        problems.append(
            f"times: two states reached at the same time in {row_list(unclear)}\n"
            "  expected one first; give the later one a later time, if only by half a day"
        )
    stop = np.where(moves, soonest, followed)
    early = rows[(stop < entered) | ((stop == entered) & (entered > 0.0))]
    if early.size:
        problems.append(
            f"times: a state is left (or followed up) no later than it was entered in "
            f"{row_list(early)}\n  expected later times for later states"
        )
    return stop, np.where(moves, choice.argmax(axis=1), -1)


def _state_places(
    model: StateModel, name: str, values: ArrayLike, problems: list[str], *, missing: bool
) -> IntArray:
    labels = values.to_list() if isinstance(values, pl.Series) else np.asarray(values).tolist()
    places = {state: place for place, state in enumerate(model.states)}
    if missing:
        places[None] = -1  # type: ignore[index]  # censored rows have no next state
    found = [places.get(label, -2) for label in labels]
    wrong = np.flatnonzero(np.array(found) == -2)
    if wrong.size:
        problems.append(
            f"{name}: unknown state in {row_list(wrong)}\n  expected one of {list(model.states)}"
        )
    return np.array(found, dtype=np.int64)
