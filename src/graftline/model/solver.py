"""Integrating many virtual patients between the days on which somebody looks or acts."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from graftline.model import driver, rodas4, tsit5
from graftline.model.compile import Kernel, fixed_values, kernel
from graftline.model.driver import Method, Patients
from graftline.model.parameters import model

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REASONS = {
    driver.OK: "ok",
    driver.TOO_MANY_STEPS: "too_many_steps",
    driver.STEP_TOO_SMALL: "step_too_small",
    driver.NOT_FINITE: "input_not_finite",
    driver.NEGATIVE: "negative_state",
}
ADVICE = {
    "ok": "",
    "too_many_steps": "raise max_steps, or look for a rate constant that is far too fast",
    "step_too_small": "a rate jumps or overflows; look at this patient's parameters and doses",
    "input_not_finite": "a state, parameter, day or dose is missing or infinite; fill it in",
    "negative_state": "cells and amounts cannot be below zero; correct the starting state",
}

_FIRST_STEP = 0.05
_SHARE = 4096


@dataclass(frozen=True, slots=True)
class Doses:
    """Jumps of single states: something is added on a day.

    Parameters
    ----------
    patient, state : integer arrays [dose]
        Row of the patient; column of the state.
    day, amount : arrays [dose]
        Amounts are in the state's unit; a negative amount takes away, down to zero at most.
    """

    patient: Integers
    state: Integers
    day: Floats
    amount: Floats


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast each patient could be integrated when last seen; hand it back to go on smoothly.

    ``step`` is the step in days, ``stiff`` whether the implicit method was at work. It changes the
    time taken and the last digits, not more.
    """

    step: Floats
    stiff: Integers


@dataclass(frozen=True, slots=True)
class Integration:
    """States of patients at their stops, and how the integration went.

    Parameters
    ----------
    states : array [patient, stop, state]
        Before any dose of the same day. Past a patient's last stop, and where a patient failed, the
        last good state stands: look at ``status`` before using it.
    final : array [patient, state]
        At the last stop (at ``day`` where the patient failed).
    day : array [patient]
        Day reached.
    status : array [patient]
        0 where all stops were reached; else a code of ``REASONS``.
    steps : array [patient, method]
        Attempted steps, explicit and implicit.
    """

    states: Floats
    final: Floats
    day: Floats
    status: Integers
    steps: Integers
    pace: Pace

    def reasons(self) -> list[str]:
        """Name of each patient's outcome: ``ok`` or why it failed."""
        return [REASONS[int(code)] for code in self.status]

    def failures(self) -> list[str]:
        """One sentence per failed patient: row, day, reason and what to do."""
        return [
            f"patient {i}: stopped on day {self.day[i]:g}, {REASONS[int(self.status[i])]}; "
            f"{ADVICE[REASONS[int(self.status[i])]]}"
            for i in np.flatnonzero(self.status)
        ]


def integrate(
    states: Floats,
    parameters: Floats,
    start: Floats,
    stops: Floats,
    *,
    doses: Doses | None = None,
    pace: Pace | None = None,
    rtol: float = 1e-6,
    atol_factor: float = 1.0,
    extinction: bool = True,
    max_steps: int = 100_000,
    threads: int | None = None,
    width: int | None = None,
) -> Integration:
    """States of all patients at their stops.

    Each patient has an own step, chosen so that the estimated error of a step stays below
    ``rtol * state + atol``; the method is explicit while that is cheaper and implicit after.
    Cumulative hazards ride along without steering the step.

    Parameters
    ----------
    states : array [patient, state]
        On day ``start``; left as it is.
    parameters : array [patient, parameter]
    start : array [patient]
        Day from which each patient is carried on.
    stops : array [patient, stop]
        Days in rising order, NaN after a patient's last. The state on the last stop is integrated,
        the others are interpolated.
    doses : Doses, optional
        Jumps on or after ``start`` and before the last stop. A stop on the day of a dose sees the
        state before it.
    pace : Pace, optional
        From the integration that this one continues.
    atol_factor : float
        Multiplies the absolute errors of ``parameters.toml``.
    extinction : bool
        Whether a clone below one cell that does not grow is set to zero after each step.
    max_steps : int
        Attempts after which a patient is given up.
    threads : int, optional
        Default: all processors this process may use. The result does not depend on it.
    width : int, optional
        Lanes per register; default: the processor's best.

    Returns
    -------
    Integration

    Raises
    ------
    ValueError : shapes do not fit, stops are not in order, or doses point outside the tables.

    Notes
    -----
    Sources: Tsitouras 2011 (explicit), Hairer and Wanner 1996 (implicit).
    """
    start = np.ascontiguousarray(start, dtype=np.float64)
    stops = np.ascontiguousarray(stops, dtype=np.float64)
    counts = _stop_counts(states, parameters, start, stops)
    patients = _patients(states, parameters, start, stops, counts, doses, pace)
    clones = [i for i, state in enumerate(model().states) if extinction and state.one_cell > 0]
    if len(patients.state):
        compiled = kernel(width)
        methods = _methods(compiled, clones, max_steps)
        _run(patients, methods, compiled, rtol, atol_factor, threads)
    _hold_last(patients)
    return Integration(
        states=patients.found,
        final=patients.state,
        day=patients.day,
        status=patients.status,
        steps=patients.steps,
        pace=Pace(patients.step, patients.stiff),
    )


def _stop_counts(states: Floats, parameters: Floats, start: Floats, stops: Floats) -> Integers:
    table = model()
    n = len(states)
    wanted = {
        "states": (states.shape, (n, len(table.states))),
        "parameters": (parameters.shape, (n, len(table.parameters))),
        "start": (start.shape, (n,)),
        "stops": (stops.shape, (n, stops.shape[-1] if stops.ndim else 0)),
    }
    wrong = [
        f"{name}: found shape {found}, expected {expected}"
        for name, (found, expected) in wanted.items()
        if tuple(found) != expected
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    given = np.isfinite(stops)
    counts = given.sum(axis=1)
    late = np.where(given, stops, np.inf)
    disordered = (np.diff(np.column_stack([start, late]), axis=1) < 0) | (
        np.diff(given.astype(np.int64), axis=1, prepend=1) > 0
    )
    rows = np.flatnonzero(disordered.any(axis=1) & np.isfinite(start))
    if rows.size:
        raise ValueError(
            f"stops of patients {_few(rows)}: expected rising days from the start on, NaN only at "
            "the end; sort them"
        )
    result: Integers = counts.astype(np.int64)
    return result


def _few(rows: Integers) -> str:
    shown = ", ".join(str(row) for row in rows[:10])
    return f"{shown} and {rows.size - 10} more" if rows.size > 10 else shown


def _patients(
    states: Floats,
    parameters: Floats,
    start: Floats,
    stops: Floats,
    counts: Integers,
    doses: Doses | None,
    pace: Pace | None,
) -> Patients:
    n, size = states.shape
    order, first = _dose_order(doses, n, size)
    empty_floats, empty_integers = np.empty(0), np.empty(0, dtype=np.int64)
    status = _input_status(states, parameters, start, doses)
    bad = status != driver.OK
    # a failed patient's numbers must not travel on: nothing is computed from them
    safe = np.where(bad[:, None], np.nan_to_num(np.maximum(states, 0.0), posinf=0.0), states)
    found = np.zeros((n, stops.shape[1], size))
    found[bad] = safe[bad][:, None, :]
    return Patients(
        fixed=fixed_values(parameters),
        stops=stops,
        stop_count=counts,
        dose_first=first,
        dose_day=empty_floats if doses is None else doses.day[order].astype(np.float64),
        dose_state=empty_integers if doses is None else doses.state[order].astype(np.int64),
        dose_amount=empty_floats if doses is None else doses.amount[order].astype(np.float64),
        state=np.ascontiguousarray(safe, dtype=np.float64).copy(),
        day=start.copy(),
        step=np.full(n, _FIRST_STEP) if pace is None else pace.step.astype(np.float64),
        stiff=np.zeros(n, dtype=np.int64) if pace is None else pace.stiff.astype(np.int64),
        next_stop=np.where(bad, counts, 0),
        next_dose=first[:-1].copy(),
        status=status,
        steps=np.zeros((n, 2), dtype=np.int64),
        found=found,
    )


def _input_status(
    states: Floats, parameters: Floats, start: Floats, doses: Doses | None
) -> Integers:
    finite = np.isfinite(states).all(axis=1) & np.isfinite(parameters).all(axis=1)
    finite &= np.isfinite(start)
    if doses is not None:
        wrong = ~(np.isfinite(doses.day) & np.isfinite(doses.amount))
        finite[doses.patient[wrong]] = False
    negative = finite & (np.nan_to_num(states) < 0.0).any(axis=1)
    status = np.where(finite, driver.OK, driver.NOT_FINITE)
    return np.where(negative, driver.NEGATIVE, status).astype(np.int64)


def _dose_order(doses: Doses | None, n: int, size: int) -> tuple[Integers, Integers]:
    if doses is None:
        return np.empty(0, dtype=np.int64), np.zeros(n + 1, dtype=np.int64)
    lengths = {len(doses.patient), len(doses.state), len(doses.day), len(doses.amount)}
    outside = lengths != {len(doses.patient)}
    outside = outside or bool(((doses.patient < 0) | (doses.patient >= n)).any())
    if outside or bool(((doses.state < 0) | (doses.state >= size)).any()):
        raise ValueError(
            f"doses: expected arrays of one length, patients 0 to {n - 1}, states 0 to {size - 1}"
        )
    order = np.lexsort((doses.state, doses.day, doses.patient))
    first = np.searchsorted(doses.patient[order], np.arange(n + 1))
    return order.astype(np.int64), first.astype(np.int64)


def _hold_last(patients: Patients) -> None:
    """Past a patient's last stop its final state stands."""
    past = np.arange(patients.stops.shape[1])[None, :] >= patients.stop_count[:, None]
    if past.any():
        rows, columns = np.nonzero(past)
        patients.found[rows, columns] = patients.state[rows]


def _methods(compiled: Kernel, clones: Sequence[int], max_steps: int) -> tuple[Method, Method]:
    ids = np.array(clones, dtype=np.int64)
    cells = np.array([model().states[i].one_cell for i in clones], dtype=np.float64)
    a, b = compiled.explicit_rows, compiled.implicit_rows
    explicit = Method(
        implicit=False,
        step=compiled.explicit_step,
        begin=compiled.explicit_begin,
        now=a.now,
        next=a.next,
        slopes=a.slopes,
        fixed=a.fixed,
        control=a.control,
        weights=tsit5.interpolant(),
        clones=ids,
        one_cell=cells,
        max_steps=max_steps,
    )
    implicit = Method(
        implicit=True,
        step=compiled.implicit_step,
        begin=0,
        now=b.now,
        next=b.next,
        slopes=b.increments,
        fixed=b.fixed,
        control=b.control,
        weights=np.array(rodas4.INTERPOLANT),
        clones=ids,
        one_cell=cells,
        max_steps=max_steps,
    )
    return explicit, implicit


def _run(
    patients: Patients,
    methods: tuple[Method, Method],
    compiled: Kernel,
    rtol: float,
    atol_factor: float,
    threads: int | None,
) -> None:
    everyone = np.flatnonzero(patients.next_stop < patients.stop_count)
    count = max(1, threads if threads is not None else _processors())
    share = min(_SHARE, max(compiled.width, -(-everyone.size // count)))
    parts = [everyone[k : k + share] for k in range(0, everyone.size, share)]

    def work(part: Integers) -> None:
        _run_part(patients, methods, compiled, rtol, atol_factor, part)

    if count == 1 or len(parts) == 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, parts))


@lru_cache(maxsize=1)
def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_part(
    patients: Patients,
    methods: tuple[Method, Method],
    compiled: Kernel,
    rtol: float,
    atol_factor: float,
    part: Integers,
) -> None:
    """Explicit and implicit method in turn until nobody of this part is left."""
    rows = (compiled.explicit_rows, compiled.implicit_rows)
    buffers = []
    for layout in rows:
        buffer = _aligned(layout.count, compiled.width)
        buffer[layout.control + tsit5.RTOL] = rtol
        buffer[layout.control + tsit5.ATOL_FACTOR] = atol_factor
        buffers.append(buffer)
    left = part
    while left.size:
        for kind, method in enumerate(methods):
            queue = left[patients.stiff[left] == kind]
            if queue.size:
                driver.run_lanes(patients, method, buffers[kind], queue)
        left = left[patients.next_stop[left] < patients.stop_count[left]]


def _aligned(rows: int, width: int) -> Floats:
    """Zeros [row, lane] that start on a multiple of 64 bytes."""
    raw = np.zeros(rows * width + 8)
    skip = (-raw.ctypes.data % 64) // 8
    return raw[skip : skip + rows * width].reshape(rows, width)
