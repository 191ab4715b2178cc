"""Integrating many virtual patients between the days on which somebody looks or acts."""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graftline.model.compile import Kernel, Program, kernel
from graftline.model.layout import ARGUMENTS, Control, Real, Status, Whole
from graftline.model.parameters import model
from graftline.model.symbolic import fixed_values, traced

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REASONS = {
    Status.OK: "ok",
    Status.TOO_MANY_STEPS: "too_many_steps",
    Status.STEP_TOO_SMALL: "step_too_small",
    Status.NOT_FINITE: "input_not_finite",
    Status.NEGATIVE: "negative_state",
}
ADVICE = {
    "ok": "",
    "too_many_steps": "raise max_steps, or look for a rate constant that is far too fast",
    "step_too_small": "a rate jumps or overflows; look at this patient's parameters and doses",
    "input_not_finite": "a state, parameter, day or dose is missing or infinite; fill it in",
    "negative_state": "cells and amounts cannot be below zero; correct the starting state",
}

RTOL = 1e-6
_FIRST_STEP = 0.05
_SHARE = 4096
_IDLE_LIMIT = 1e300
_LOOP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


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
        return [REASONS[Status(code)] for code in self.status]

    def failures(self) -> list[str]:
        """One sentence per failed patient: row, day, reason and what to do."""
        return [
            f"patient {i}: stopped on day {self.day[i]:g}, {REASONS[Status(self.status[i])]}; "
            f"{ADVICE[REASONS[Status(self.status[i])]]}"
            for i in np.flatnonzero(self.status)
        ]


def integrate(
    states: Floats,
    parameters: Floats | None,
    start: Floats,
    stops: Floats,
    *,
    doses: Doses | None = None,
    pace: Pace | None = None,
    constants: Floats | None = None,
    rtol: float = RTOL,
    atol_factor: float = 1.0,
    extinction: bool = True,
    max_steps: int = 100_000,
    threads: int | None = None,
    width: int | None = None,
) -> Integration:
    """States of all patients at their stops.

    Each patient has an own step, chosen so that the estimated error of a step stays below
    ``rtol * state + atol``; the method is explicit while that is cheaper and implicit after.
    HR and B, which follow from the rest without a threshold, ride along without steering the step.
    Interleukin-6, which forgets an error within hours, is allowed four times that. What only decays
    (drugs, settling cells) is followed exactly by the explicit method, and a step that would pass
    the corner of a minimum or a positive part ends there.

    Parameters
    ----------
    states : array [patient, state]
        On day ``start``; left as it is.
    parameters : array [patient, parameter], optional
        None where ``constants`` stand for them.
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
    constants : array [patient, constant], optional
        ``fixed_values(parameters)`` where the caller has kept it; it must be finite. Without
        ``parameters``.
    atol_factor : float
        Multiplies the absolute errors of ``parameters.toml``; of which drugs, when all have fallen
        below, nothing is left.
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
    Sources: Tsitouras 2011 (explicit), Steinebach 2023 (implicit).
    """
    start = np.ascontiguousarray(start, dtype=np.float64)
    stops = np.ascontiguousarray(stops, dtype=np.float64)
    counts = _stop_counts(states, parameters, constants, start, stops)
    fixed = _fixed(parameters, constants)
    batch = _batch(states, parameters, start, stops, counts, doses, pace, fixed)
    left = np.flatnonzero(batch.wholes[:, Whole.NEXT_STOP] < counts)
    if left.size:
        settings = _Settings(kernel(width), rtol, atol_factor, extinction, max_steps)
        _run(batch, settings, left, threads)
    _hold_last(batch, counts)
    return Integration(
        states=batch.found,
        final=batch.state.copy(),
        day=batch.reals[:, Real.DAY].copy(),
        status=batch.wholes[:, Whole.STATUS].copy(),
        steps=batch.wholes[:, Whole.EXPLICIT_STEPS :].copy(),
        pace=Pace(batch.reals[:, Real.WANT].copy(), batch.wholes[:, Whole.METHOD].astype(np.int64)),
    )


def _stop_counts(
    states: Floats,
    parameters: Floats | None,
    constants: Floats | None,
    start: Floats,
    stops: Floats,
) -> Integers:
    table = model()
    n = len(states)
    wanted = {
        "states": (states.shape, (n, len(table.states))),
        "parameters": (_shape(parameters), (n, len(table.parameters))),
        "constants": (_shape(constants), (n, len(traced().fixed))),
        "start": (start.shape, (n,)),
        "stops": (stops.shape, (n, stops.shape[-1] if stops.ndim else 0)),
    }
    wrong = [
        f"{name}: found shape {found}, expected {expected}"
        for name, (found, expected) in wanted.items()
        if found is not None and tuple(found) != expected
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    given = np.isfinite(stops)
    counts = given.sum(axis=1)
    late = np.where(given, stops, np.inf)
    path = np.column_stack([start, late])
    gap = given[:, 1:] & ~given[:, :-1]
    disordered = np.column_stack([path[:, 1:] < path[:, :-1], gap])
    rows = np.flatnonzero(disordered.any(axis=1) & np.isfinite(start))
    if rows.size:
        raise ValueError(
            f"stops of patients {_few(rows)}: expected rising days from the start on, NaN only at "
            "the end; sort them"
        )
    result: Integers = counts.astype(np.int64)
    return result


def _fixed(parameters: Floats | None, constants: Floats | None) -> Floats:
    if parameters is not None and constants is None:
        return fixed_values(parameters)
    if parameters is None and constants is not None:
        return constants
    raise ValueError("parameters, constants: expected one of them; leave the other out")


def _shape(values: Floats | None) -> tuple[int, ...] | None:
    return None if values is None else values.shape


def _few(rows: Integers) -> str:
    shown = ", ".join(str(row) for row in rows[:10])
    return f"{shown} and {rows.size - 10} more" if rows.size > 10 else shown


@dataclass(frozen=True, slots=True)
class _Batch:
    """Tables that the loop reads and writes, a row per patient; see ``layout``."""

    reals: Floats
    wholes: Integers
    stops: Floats
    found: Floats
    dose_day: Floats
    dose_state: Integers
    dose_amount: Floats

    @property
    def state(self) -> Floats:
        """The patients' present states (a view)."""
        return self.reals[:, Real.STATE : Real.STATE + self.found.shape[2]]


@dataclass(frozen=True, slots=True)
class _Settings:
    compiled: Kernel
    rtol: float
    atol_factor: float
    extinction: bool
    max_steps: int


def _batch(
    states: Floats,
    parameters: Floats | None,
    start: Floats,
    stops: Floats,
    counts: Integers,
    doses: Doses | None,
    pace: Pace | None,
    fixed: Floats,
) -> _Batch:
    n, size = states.shape
    order, first = _dose_order(doses, n, size)
    status = _input_status(states, parameters, start, doses)
    bad = status != Status.OK
    step = np.full(n, _FIRST_STEP) if pace is None else pace.step
    wholes = np.zeros((n, len(Whole)), dtype=np.int64)
    wholes[:, Whole.STOPS] = counts
    wholes[:, Whole.NEXT_STOP] = np.where(bad, counts, 0)
    wholes[:, Whole.NEXT_DOSE], wholes[:, Whole.LAST_DOSE] = first[:-1], first[1:]
    wholes[:, Whole.METHOD] = 0 if pace is None else pace.stiff
    wholes[:, Whole.PART] = _first_parts(states)
    wholes[:, Whole.STATUS] = status
    found = np.empty((n, stops.shape[1], size))
    reals = np.empty((n, Real.STATE + size + fixed.shape[1]))
    reals[:, Real.DAY], reals[:, Real.WANT] = start, step
    state = reals[:, Real.STATE : Real.STATE + size]
    state[:] = states
    reals[:, Real.STATE + size :] = fixed
    if bad.any():
        # a failed patient's numbers must not travel on: nothing is computed from them
        state[bad] = np.nan_to_num(np.maximum(states[bad], 0.0), posinf=0.0)
        found[bad] = state[bad][:, None, :]
    return _Batch(
        reals=reals,
        wholes=wholes,
        stops=stops,
        found=found,
        dose_day=_column(doses, order, "day"),
        dose_state=np.empty(0, np.int64) if doses is None else doses.state[order].astype(np.int64),
        dose_amount=_column(doses, order, "amount"),
    )


def _column(doses: Doses | None, order: Integers, name: Literal["day", "amount"]) -> Floats:
    if doses is None:
        return np.empty(0)
    values: Floats = doses.day if name == "day" else doses.amount
    return values[order].astype(np.float64)


def _input_status(
    states: Floats, parameters: Floats | None, start: Floats, doses: Doses | None
) -> Integers:
    finite = np.isfinite(states).all(axis=1) & np.isfinite(start)
    if parameters is not None:
        finite &= np.isfinite(parameters).all(axis=1)
    if doses is not None:
        wrong = ~(np.isfinite(doses.day) & np.isfinite(doses.amount))
        finite[doses.patient[wrong]] = False
    negative = finite & (states < 0.0).any(axis=1)
    status = np.where(finite, Status.OK, Status.NOT_FINITE)
    return np.where(negative, Status.NEGATIVE, status).astype(np.int64)


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


def _hold_last(batch: _Batch, counts: Integers) -> None:
    """Past a patient's last stop its final state stands."""
    past = np.arange(batch.stops.shape[1])[None, :] >= counts[:, None]
    if past.any():
        rows, columns = np.nonzero(past)
        batch.found[rows, columns] = batch.state[rows]


@dataclass(frozen=True, slots=True)
class _Bench:
    """A program with its buffer and its tables, for one thread."""

    program: Program
    buffer: Floats
    serves: Integers
    fading: Integers


def _bench(program: Program, settings: _Settings) -> _Bench:
    return _Bench(
        program=program,
        buffer=_buffer(program, settings),
        serves=np.array([k in program.serves for k in range(len(traced().parts))], np.int64),
        fading=np.array(program.part.fading, dtype=np.int64),
    )


def _run(batch: _Batch, settings: _Settings, everyone: Integers, threads: int | None) -> None:
    count = max(1, threads if threads is not None else _processors())
    share = min(_SHARE, max(settings.compiled.width, -(-everyone.size // count)))
    parts = [everyone[k : k + share] for k in range(0, everyone.size, share)]
    if count == 1 or len(parts) == 1:
        for part in parts:
            _run_part(batch, settings, part)
        return
    with ThreadPoolExecutor(count) as pool:
        for outcome in [pool.submit(_run_part, batch, settings, part) for part in parts]:
            outcome.result()


@lru_cache(maxsize=1)
def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_part(batch: _Batch, settings: _Settings, part: Integers) -> None:
    """All programs in turn, each on the patients it suits, until nobody of this part is left."""
    compiled = settings.compiled
    # a call through ctypes leaves Python's lock free, so that parts run side by side
    run = _LOOP(compiled.run)
    benches = [_bench(program, settings) for program in compiled.programs]
    left = part
    while left.size:
        for bench in benches:
            queue = np.ascontiguousarray(left[_waits_for(batch, bench, left)])
            if queue.size:
                arguments = _arguments(batch, bench, queue, settings.max_steps)
                run(arguments.ctypes.data)
        left = left[batch.wholes[left, Whole.NEXT_STOP] < batch.wholes[left, Whole.STOPS]]


def _waits_for(batch: _Batch, bench: _Bench, patients: Integers) -> NDArray[np.bool_]:
    """Patients who are not at their last stop and whom this program takes."""
    wholes = batch.wholes[patients]
    waits: NDArray[np.bool_] = wholes[:, Whole.NEXT_STOP] < wholes[:, Whole.STOPS]
    waits &= wholes[:, Whole.METHOD] == bench.program.method
    waits &= bench.serves[wholes[:, Whole.PART]] > 0
    return waits


@lru_cache(maxsize=1)
def _absent() -> tuple[Integers, Integers]:
    """What each part of the equations leaves out, one after the other, and where each begins."""
    parts = [part.absent for part in traced().parts]
    first = np.cumsum([0, *(len(part) for part in parts)])
    return np.array([state for part in parts for state in part], np.int64), first.astype(np.int64)


def _first_parts(states: Floats) -> Integers:
    """For each patient the first part of the equations that leaves out nothing present."""
    parts = traced().parts
    chosen = np.full(len(states), len(parts) - 1, dtype=np.int64)
    for number in reversed(range(len(parts) - 1)):
        present = states[:, list(parts[number].absent)] > 0.0
        chosen[~present.any(axis=1)] = number
    return chosen


@lru_cache(maxsize=1)
def _limits() -> Floats:
    return np.array([state.atol for state in model().states])


def _arguments(batch: _Batch, bench: _Bench, queue: Integers, max_steps: int) -> Integers:
    """Addresses and sizes in the order in which the loop expects them."""
    program, (absent, first) = bench.program, _absent()
    values = {
        "reals": batch.reals.ctypes.data,
        "wholes": batch.wholes.ctypes.data,
        "stops": batch.stops.ctypes.data,
        "found": batch.found.ctypes.data,
        "dose_day": batch.dose_day.ctypes.data,
        "dose_state": batch.dose_state.ctypes.data,
        "dose_amount": batch.dose_amount.ctypes.data,
        "queue": queue.ctypes.data,
        "queue_length": queue.size,
        "stop_columns": batch.stops.shape[1],
        "buffer": bench.buffer.ctypes.data,
        "most_steps": max_steps,
        "step": program.step,
        "begin": program.begin,
        "interpolate": program.interpolate,
        "method": program.method,
        "turns": program.turns,
        "serves": bench.serves.ctypes.data,
        "part_count": bench.serves.size,
        "absent": absent.ctypes.data,
        "absent_first": first.ctypes.data,
        "fading": bench.fading.ctypes.data,
        "fading_count": bench.fading.size,
        "limits": _limits().ctypes.data,
    }
    return np.array([values[name] for name in ARGUMENTS], dtype=np.int64)


def _buffer(program: Program, settings: _Settings) -> Floats:
    """A buffer [row, lane] that starts on a multiple of 64 bytes, with the tolerances set."""
    compiled = settings.compiled
    width, control = compiled.width, compiled.rows.control
    raw = np.zeros(program.row_count * width + 8)
    skip = (-raw.ctypes.data % 64) // 8
    buffer = raw[skip : skip + program.row_count * width].reshape(program.row_count, width)
    buffer[control + Control.RTOL] = settings.rtol
    buffer[control + Control.ATOL_FACTOR] = settings.atol_factor
    buffer[control + Control.EXTINCTION] = float(settings.extinction)
    # lanes without a patient step along in place
    buffer[control + Control.LIMIT] = _IDLE_LIMIT
    buffer[control + Control.WANT] = _FIRST_STEP
    return buffer
