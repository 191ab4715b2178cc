"""The loop around the step functions: every lane has its own patient, time and step.

A lane whose patient is done, or has turned stiff, takes the next patient. Nothing here mixes two
lanes, so a patient's numbers do not depend on who sits in the neighbouring lane or in which thread.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OK, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE, NEGATIVE = range(5)

_SMALLEST_STEP = 1e-9
_LARGEST_GROWTH = 5.0
_LARGEST_CUT = 0.2
_FIRST_STEP_AFTER_DOSE = 0.1
_STIFF_ABOVE = 2.6
_STIFF_STEPS = 4
_EASY_BELOW = 1.2
_EASY_STEPS = 4
_FOUND_MAX = 1e300


class Patients(NamedTuple):
    """Arrays with a row per patient; the loop changes all but the first group.

    ``dose_first[i] : dose_first[i + 1]`` are the doses of patient i, sorted by day.
    """

    fixed: Floats
    stops: Floats
    stop_count: Integers
    dose_first: Integers
    dose_day: Floats
    dose_state: Integers
    dose_amount: Floats
    state: Floats
    day: Floats
    step: Floats
    stiff: Integers
    next_stop: Integers
    next_dose: Integers
    status: Integers
    steps: Integers
    found: Floats


class Method(NamedTuple):
    """A step function by address, the places in its buffer, and the limits."""

    implicit: bool
    step: int
    begin: int
    now: int
    next: int
    slopes: int
    fixed: int
    control: int
    weights: Floats
    clones: Integers
    one_cell: Floats
    max_steps: int


@intrinsic
def call_address(typing_context: Any, address: Any, buffer: Any) -> Any:
    """Call the compiled function at ``address`` on the buffer at address ``buffer``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer])
        function = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(function, [builder.inttoptr(args[1], pointer)])
        return context.get_dummy_value()

    return types.void(types.int64, types.uintp), generate


# numba turns this into a call of two arguments; its declared type has one more
_call: Any = call_address


def _compiled(function: Callable[..., Any]) -> Any:
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def _take_doses(p: Any, i: int, state: Any, row: int, lane: int) -> bool:
    """Apply the doses due by now; whether there were any."""
    any_dose = False
    k = p.next_dose[i]
    while k < p.dose_first[i + 1] and p.dose_day[k] <= p.day[i]:
        place = row + p.dose_state[k]
        state[place, lane] = max(state[place, lane] + p.dose_amount[k], 0.0)
        k += 1
        any_dose = True
    p.next_dose[i] = k
    return any_dose


@_compiled
def _stop_here(p: Any, i: int, state: Any, row: int, lane: int) -> None:
    """Record the present state at every stop that is due."""
    k = p.next_stop[i]
    while k < p.stop_count[i] and p.stops[i, k] <= p.day[i]:
        for s in range(p.state.shape[1]):
            p.found[i, k, s] = state[row + s, lane]
        k += 1
    p.next_stop[i] = k


@_compiled
def _interpolate_explicit(p: Any, m: Any, b: Any, lane: int, i: int, k: int, x: float) -> None:
    """State at fraction ``x`` of the step just made."""
    size = p.state.shape[1]
    h = b[m.control, lane]
    w = np.empty(7)
    for j in range(7):
        c = m.weights[j]
        w[j] = h * x * (c[0] + x * (c[1] + x * (c[2] + x * c[3])))
    for s in range(size):
        r = m.slopes + s
        value = b[m.now + s, lane]
        value += w[0] * b[r, lane] + w[1] * b[r + size, lane] + w[2] * b[r + 2 * size, lane]
        value += w[3] * b[r + 3 * size, lane] + w[4] * b[r + 4 * size, lane]
        value += w[5] * b[r + 5 * size, lane] + w[6] * b[r + 6 * size, lane]
        p.found[i, k, s] = max(value, 0.0)


@_compiled
def _interpolate_implicit(p: Any, m: Any, b: Any, lane: int, i: int, k: int, x: float) -> None:
    """State at fraction ``x`` of the step just made."""
    size = p.state.shape[1]
    for s in range(size):
        third = 0.0
        fourth = 0.0
        for j in range(5):
            u = b[m.slopes + j * size + s, lane]
            third += m.weights[0, j] * u
            fourth += m.weights[1, j] * u
        inner = b[m.next + s, lane] + (1.0 - x) * (third + x * fourth)
        p.found[i, k, s] = max(b[m.now + s, lane] * (1.0 - x) + x * inner, 0.0)


@_compiled
def _stops_within(p: Any, m: Any, b: Any, lane: int, i: int, h: float, end: float) -> None:
    """Record the stops before the end of the step just made."""
    k = p.next_stop[i]
    while k < p.stop_count[i] and p.stops[i, k] < end:
        x = (p.stops[i, k] - p.day[i]) / h
        if m.implicit:
            _interpolate_implicit(p, m, b, lane, i, k, x)
        else:
            _interpolate_explicit(p, m, b, lane, i, k, x)
        k += 1
    p.next_stop[i] = k


@_compiled
def _extinguish(m: Any, b: Any, lane: int) -> bool:
    """Set clones to zero that are below one cell and do not grow; whether there were any."""
    gone = False
    for c in range(m.clones.size):
        row = m.next + m.clones[c]
        value = b[row, lane]
        if 0.0 < value < m.one_cell[c] and value <= b[m.now + m.clones[c], lane]:
            b[row, lane] = 0.0
            gone = True
    return gone


@_compiled
def _limit(p: Any, i: int) -> float:
    """Day that a step must not pass: the next dose or the last stop."""
    last = p.stops[i, p.stop_count[i] - 1]
    k = p.next_dose[i]
    if k < p.dose_first[i + 1]:
        return float(min(last, p.dose_day[k]))
    return float(last)


@_compiled
def _fill(p: Any, m: Any, b: Any, lane: int, i: int) -> None:
    """Seat a patient in a lane."""
    for s in range(p.state.shape[1]):
        b[m.now + s, lane] = p.state[i, s]
    for c in range(p.fixed.shape[1]):
        b[m.fixed + c, lane] = p.fixed[i, c]
    b[m.control + 1, lane] = 0.0


@_compiled
def _start(p: Any, m: Any, b: Any, lane: int, i: int) -> bool:
    """Serve stops and doses of the first day; whether anything is left to do."""
    _stop_here(p, i, b, m.now, lane)
    if p.next_stop[i] >= p.stop_count[i]:
        return False
    if _take_doses(p, i, b, m.now, lane):
        p.step[i] = min(p.step[i], _FIRST_STEP_AFTER_DOSE)
    return True


@_compiled
def _leave(p: Any, b: Any, row: int, lane: int, i: int) -> None:
    """Write the lane's state back to its patient."""
    for s in range(p.state.shape[1]):
        p.state[i, s] = b[row + s, lane]


@_compiled
def _fail(p: Any, m: Any, b: Any, lane: int, i: int, reason: int) -> None:
    """Give up: the last good state stands at all stops that were not reached."""
    p.status[i] = reason
    _leave(p, b, m.now, lane, i)
    for k in range(p.next_stop[i], p.stop_count[i]):
        for s in range(p.state.shape[1]):
            p.found[i, k, s] = p.state[i, s]
    p.next_stop[i] = p.stop_count[i]


@_compiled
def _reject(p: Any, m: Any, b: Any, lane: int, i: int, h: float) -> bool:
    """Shorten the step; false where it is already too short or there were too many."""
    factor = b[m.control + 5, lane]
    if not b[m.control + 4, lane] <= _FOUND_MAX or not factor > _LARGEST_CUT:
        factor = _LARGEST_CUT
    p.step[i] = h * min(factor, 0.9)
    if p.step[i] < _SMALLEST_STEP:
        _fail(p, m, b, lane, i, STEP_TOO_SMALL)
        return False
    if p.steps[i, 0] + p.steps[i, 1] >= m.max_steps:
        _fail(p, m, b, lane, i, TOO_MANY_STEPS)
        return False
    return True


@_compiled
def _turned(m: Any, b: Any, lane: int, h: float, streak: Any) -> bool:
    """Whether the other method has become the cheaper one."""
    rate = b[m.control + 6, lane]
    turn = h * rate < _EASY_BELOW if m.implicit else h * h * rate > _STIFF_ABOVE**2
    streak[lane] = streak[lane] + 1 if turn else 0
    return bool(streak[lane] >= (_EASY_STEPS if m.implicit else _STIFF_STEPS))


@_compiled
def run_lanes(p: Any, m: Any, b: Any, queue: Any) -> None:
    """Carry the patients of ``queue`` on until each is done, failed, or wants the other method.

    Parameters
    ----------
    p : Patients
    m : Method
    b : array [row, lane], aligned to 64 bytes
    queue : indices of patients; order decides who sits where, never what comes out.
    """
    width = b.shape[1]
    address = b.ctypes.data
    who = np.full(width, -1)
    streak = np.zeros(width, dtype=np.int64)
    taken = 0
    active = 0
    while True:
        renew = False
        for lane in range(width):
            while who[lane] < 0 and taken < queue.size:
                i = queue[taken]
                taken += 1
                _fill(p, m, b, lane, i)
                if _start(p, m, b, lane, i):
                    who[lane] = i
                    streak[lane] = 0
                    active += 1
                    renew = True
                else:
                    _leave(p, b, m.now, lane, i)
        if active == 0:
            return
        _attempts(p, m, b, address, who, streak, renew, taken < queue.size)
        active = 0
        for lane in range(width):
            active += who[lane] >= 0


@_compiled
def _attempts(
    p: Any, m: Any, b: Any, address: int, who: Any, streak: Any, renew: bool, more: bool
) -> None:
    """Attempt steps in all lanes until one falls free and somebody waits, or all are free."""
    width = b.shape[1]
    kind = 1 if m.implicit else 0
    free = False
    while not free:
        if renew and not m.implicit:
            _call(m.begin, address)
            for lane in range(width):
                b[m.control + 1, lane] = 0.0
        renew = False
        for lane in range(width):
            i = who[lane]
            h = 1e-3
            if i >= 0:
                left = _limit(p, i) - p.day[i]
                h = left if p.step[i] >= left * 0.999 else min(p.step[i], left)
            b[m.control, lane] = h
        _call(m.step, address)
        busy = False
        for lane in range(width):
            i = who[lane]
            b[m.control + 1, lane] = 0.0
            if i < 0:
                continue
            p.steps[i, kind] += 1
            stays, again = _settle(p, m, b, lane, i, streak)
            renew = renew or again
            if stays:
                busy = True
            else:
                who[lane] = -1
                free = more
        free = free or not busy


@_compiled
def _settle(p: Any, m: Any, b: Any, lane: int, i: int, streak: Any) -> tuple[bool, bool]:
    """Accept or reject a lane's step: whether it goes on, and whether slopes must be renewed."""
    h = b[m.control, lane]
    if not b[m.control + 4, lane] <= 1.0:
        return _reject(p, m, b, lane, i, h), False
    limit = _limit(p, i)
    landed = h >= limit - p.day[i]
    end = limit if landed else p.day[i] + h
    again = _extinguish(m, b, lane)
    _stops_within(p, m, b, lane, i, h, end)
    p.day[i] = end
    _stop_here(p, i, b, m.next, lane)
    grown = h * min(max(b[m.control + 5, lane], _LARGEST_CUT), _LARGEST_GROWTH)
    p.step[i] = max(grown, p.step[i]) if landed and grown >= h else grown
    b[m.control + 1, lane] = 1.0
    if p.next_stop[i] >= p.stop_count[i]:
        _leave(p, b, m.next, lane, i)
        return False, again
    if landed and _take_doses(p, i, b, m.next, lane):
        p.step[i] = min(p.step[i], _FIRST_STEP_AFTER_DOSE)
        again = True
    if _turned(m, b, lane, h, streak):
        p.stiff[i] = 0 if m.implicit else 1
        _leave(p, b, m.next, lane, i)
        return False, again
    if p.steps[i, 0] + p.steps[i, 1] >= m.max_steps:
        _leave(p, b, m.next, lane, i)
        for s in range(p.state.shape[1]):
            b[m.now + s, lane] = p.state[i, s]
        _fail(p, m, b, lane, i, TOO_MANY_STEPS)
        return False, again
    return True, again
