"""One step of the explicit method for all lanes: Tsitouras 5(4), with its interpolant.

Source: Tsitouras C. Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
assumption. Comput Math Appl 2011;62:770-5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graftline.model.lanes import Code
from graftline.model.stepsize import (
    ACCEPTED,
    CONTROL_ROWS,
    choose_step,
    error_weights,
    extinguish,
    judge,
    move_on,
)

STAGES = 7
STAGE_WEIGHTS = (
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (
        5.86145544294642,
        -12.92096931784711,
        8.159367898576159,
        -0.071584973281401,
        -0.028269050394068383,
    ),
    (
        0.09646076681806523,
        0.01,
        0.4798896504144996,
        1.379008574103742,
        -3.290069515436081,
        2.324710524099774,
    ),
)
ERROR_WEIGHTS = (
    -0.00178001105222577714,
    -0.0008164344596567469,
    0.007880878010261995,
    -0.1447110071732629,
    0.5823571654525552,
    -0.45808210592918697,
    0.015151515151515152,
)
# the weight of stage i at fraction x of the step: scale * x**power * (x - r)(x - s), or a quadratic
_INTERPOLANT = (
    (-1.0530884977290216, (1.3299890189751412,), (1.4364028541716351, 0.7139816917074209)),
    (0.1017, (), (2.1966568338249754, 1.2949852507374631)),
    (2.490627285651252793, (), (2.38535645472061657, 1.57803468208092486)),
    (-16.54810288924490272, (1.21712927295533244, 0.61620406037800089), ()),
    (47.37952196281928122, (1.203071208372362603, 0.658047292653547382), ()),
    (-34.87065786149660974, (1.2, 0.6666666666666666), ()),
    (2.5, (1.0, 0.6), ()),
)


def interpolant() -> NDArray[np.float64]:
    """Coefficients [stage, power 1 to 4] of the weights in the fraction of the step."""
    rows = []
    for scale, roots, quadratic in _INTERPOLANT:
        polynomial = np.array([scale])
        for root in roots:
            polynomial = np.convolve(polynomial, [1.0, -root])
        if quadratic:
            polynomial = np.convolve(polynomial, [1.0, -quadratic[0], quadratic[1]])
        powers = np.zeros(5)
        low = 4 - (len(polynomial) - 1)
        powers[low : low + len(polynomial)] = polynomial[::-1]
        rows.append(powers[1:])
    return np.array(rows)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of the explicit method's buffer lie."""

    states: int
    constants: int

    @property
    def now(self) -> int:
        """State at the start of the step."""
        return 0

    @property
    def next(self) -> int:
        """State at the end of the step."""
        return self.states

    @property
    def stage(self) -> int:
        """State at which a stage is evaluated."""
        return 2 * self.states

    @property
    def slopes(self) -> int:
        """Rates of the seven stages."""
        return 3 * self.states

    @property
    def fixed(self) -> int:
        """What depends on the patient's parameters alone."""
        return (3 + STAGES) * self.states

    @property
    def control(self) -> int:
        """The control block of ``stepsize``."""
        return self.fixed + self.constants

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.control + CONTROL_ROWS

    def slope(self, stage: int, state: int) -> int:
        """Rate of one state at one stage."""
        return self.slopes + stage * self.states + state


_STIFF_BEYOND = 2.6
STIFF_STEPS = 4.0


def begin_code(width: int, rows: Rows) -> str:
    """Function ``explicit_begin``: take over accepted states, then evaluate the first slope."""
    code = Code(width)
    _commit(code, rows)
    now, slopes, fixed = (code.row("%b", r) for r in (rows.now, rows.slopes, rows.fixed))
    code.call("rates", now, fixed, slopes)
    code.store(code.constant(0.0), "%b", rows.control + ACCEPTED)
    return code.function("explicit_begin", ["b"])


def _commit(code: Code, rows: Rows) -> None:
    accepted = move_on(code, rows.control)
    last = rows.slopes + (STAGES - 1) * rows.states
    for target, source in ((rows.now, rows.next), (rows.slopes, last)):
        for i in range(rows.states):
            new, old = code.load("%b", source + i), code.load("%b", target + i)
            code.store(code.choose(accepted, new, old), "%b", target + i)


def step_code(
    width: int,
    rows: Rows,
    read: frozenset[int],
    atol: Sequence[float],
    clones: Sequence[tuple[int, float]],
) -> str:
    """Function ``explicit_step``: one attempted step of every lane; returns who needs attention.

    Parameters
    ----------
    read : states that some rate depends on; the others need no stage values.
    atol : absolute error per state; 0 keeps a state out of the error norm.
    clones : states that can become extinct, and their value at one cell.
    """
    code = Code(width)
    _commit(code, rows)
    step = choose_step(code, rows.control)
    fixed = code.row("%b", rows.fixed)
    for number, weights in enumerate(STAGE_WEIGHTS, start=1):
        last = number == STAGES - 1
        target = rows.next if last else rows.stage
        scaled = [code.mul(step, code.constant(weight)) for weight in weights]
        for i in range(rows.states):
            if last or i in read:
                slopes = [code.load("%b", rows.slope(j, i)) for j in range(number)]
                start = code.load("%b", rows.now + i)
                value = code.combine(start, list(zip(scaled, slopes, strict=True)))
                code.store(code.clipped(value) if last else value, "%b", target + i)
        code.call("rates", code.row("%b", target), fixed, code.row("%b", rows.slope(number, 0)))
    error, turn = _measure(code, rows, atol, read, step)
    gone = extinguish(code, rows.now, rows.next, rows.control, clones)
    asks = code.as_number(judge(code, rows.control, error, 5, turn, STIFF_STEPS))
    # last: the optimiser would move the error's sums behind this branch, but not their loads
    last_slope = code.row("%b", rows.slope(STAGES - 1, 0))
    code.call_where(gone, "rates", code.row("%b", rows.next), fixed, last_slope)
    return code.function("explicit_step", ["b"], result=asks)


def _measure(
    code: Code, rows: Rows, atol: Sequence[float], read: frozenset[int], step: str
) -> tuple[str, str]:
    """Mean square error, and where the step is at the edge of stability.

    The last two slopes are taken at two states at the same time, so that their difference shows the
    fastest rate (Shampine 1977).
    """
    weights = error_weights(code, rows.now, rows.next, rows.control, atol)
    scaled = [code.mul(step, code.constant(weight)) for weight in ERROR_WEIGHTS]
    zero = code.constant(0.0)
    error, change, distance = zero, zero, zero
    for i, weight in weights:
        k = [code.load("%b", rows.slope(j, i)) for j in range(STAGES)]
        miss = code.mul(code.combine(zero, list(zip(scaled, k, strict=True))), weight)
        error = code.add(code.mul(miss, miss), error)
        if i in read:
            dk = code.mul(code.sub(k[6], k[5]), weight)
            dy = code.sub(code.load("%b", rows.next + i), code.load("%b", rows.stage + i))
            dy = code.mul(dy, weight)
            change = code.add(code.mul(dk, dk), change)
            distance = code.add(code.mul(dy, dy), distance)
    error = code.mul(error, code.constant(1.0 / sum(value > 0.0 for value in atol)))
    edge = code.mul(distance, code.constant(_STIFF_BEYOND**2))
    return error, code.above(code.mul(code.mul(step, step), change), edge)


def interpolation(rows: Rows) -> Any:
    """For ``loop``: code of one state at a fraction of the step, from its slopes."""

    def prepare(body: Any, place: tuple[Any, Any]) -> Any:
        b = body.builder
        fraction, step = place
        weights = []
        for coefficients in interpolant():
            value = body.real(coefficients[-1])
            for coefficient in coefficients[-2::-1]:
                value = b.fadd(b.fmul(value, fraction), body.real(coefficient))
            weights.append(b.fmul(b.fmul(value, fraction), step))

        def value_of(load: Any) -> Any:
            value = load(rows.now)
            for stage, weight in enumerate(weights):
                value = b.fadd(value, b.fmul(weight, load(rows.slope(stage, 0))))
            return value

        return value_of

    return prepare
