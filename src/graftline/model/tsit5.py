"""One step of the explicit method for all lanes: Tsitouras 5(4), with its interpolant.

Source: Tsitouras C. Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
assumption. Comput Math Appl 2011;62:770-5.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graftline.model.lanes import Code
from graftline.model.layout import Control, Rows
from graftline.model.stepsize import (
    Norm,
    Verdict,
    choose_step,
    corner,
    error_weights,
    extinguish,
    faded,
    judge,
    take_over,
)
from graftline.model.symbolic import Part

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
NODES = (0.161, 0.327, 0.9, 0.9800255409045097, 1.0)
# powers of the series that carry a decay from one node to the next: to 1e-8 while less than e**6
# of it is lost in a step
_SHORT_SERIES = (4, 9, 5)
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


_STIFF_BEYOND = 1.6
STIFF_STEPS = 4


def _stage(rows: Rows) -> int:
    """State at which a stage is evaluated."""
    return rows.own


def _slope(rows: Rows, stage: int) -> int:
    """Rates of one stage, and how far from its corners it is."""
    return rows.own + rows.states + stage * rows.slope


def row_count(rows: Rows) -> int:
    """Number of rows of the explicit method's buffer."""
    return _slope(rows, STAGES)


def begin_code(width: int, rows: Rows, part: Part) -> str:
    """Function ``explicit_begin``: take over accepted states, then evaluate the first slope."""
    code = Code(width)
    _commit(code, rows, part)
    now, slope, fixed = (code.row("%b", r) for r in (rows.now, _slope(rows, 0), rows.fixed))
    code.call(f"rates_{part.name}", now, fixed, slope)
    code.store(code.constant(0.0), "%b", rows.control + Control.ACCEPTED)
    return code.function(f"explicit_begin_{part.name}", ["b"])


def _commit(code: Code, rows: Rows, part: Part) -> None:
    first, last = _slope(rows, 0), _slope(rows, STAGES - 1)
    corners = range(rows.states, rows.states + len(part.kinks))
    pairs = [(rows.now + i, rows.next + i) for i in part.rates]
    pairs += [(first + i, last + i) for i in (*part.rates, *corners) if i not in part.decays]
    take_over(code, rows, pairs)


def step_code(
    width: int, rows: Rows, part: Part, norm: Norm, decay_rates: Mapping[int, int]
) -> str:
    """Function ``explicit_step``: one attempted step of every lane; returns who needs attention.

    ``decay_rates`` gives the row of the rate of each state that does nothing but decay. Such a
    state is followed exactly, so that it neither errs nor steers the step.
    """
    code = Code(width)
    _commit(code, rows, part)
    step = choose_step(code, rows)
    fixed = code.row("%b", rows.fixed)
    left = {i: _decayed(code, rows, i, decay_rates[i], step) for i in part.decays}
    for number, weights in enumerate(STAGE_WEIGHTS, start=1):
        last = number == STAGES - 1
        target = rows.next if last else _stage(rows)
        scaled = [code.mul(step, code.constant(weight)) for weight in weights]
        for i in part.rates:
            if i in part.decays and not last:
                code.store(left[i][number - 1], "%b", target + i)
                if NODES[number - 1] == 1.0:
                    code.store(left[i][number - 1], "%b", rows.next + i)
            elif i not in part.decays and (last or i in part.read):
                slopes = [code.load("%b", _slope(rows, j) + i) for j in range(number)]
                start = code.load("%b", rows.now + i)
                value = code.combine(start, list(zip(scaled, slopes, strict=True)))
                code.store(code.clipped(value) if last else value, "%b", target + i)
        rates = f"rates_{part.name}"
        code.call(rates, code.row("%b", target), fixed, code.row("%b", _slope(rows, number)))
    error, turn = _measure(code, rows, part, norm, step)
    gone = extinguish(code, rows, norm.clones)
    ends = [_slope(rows, stage) + rows.states for stage in (0, STAGES - 1)]
    passed = corner(code, ends, len(part.kinks))
    leaves = faded(code, rows, norm, part.fading)
    verdict = Verdict(error, 5, passed, turn, STIFF_STEPS, leaves)
    asks = code.as_number(judge(code, rows, verdict))
    # last: the optimiser would move the error's sums behind this branch, but not their loads
    last_slope = code.row("%b", _slope(rows, STAGES - 1))
    code.call_where(gone, rates, code.row("%b", rows.next), fixed, last_slope)
    return code.function(f"explicit_step_{part.name}", ["b"], result=asks)


def _decayed(code: Code, rows: Rows, state: int, rate: int, step: str) -> list[str]:
    """What is left of a decaying state at each node.

    Two exponentials make five: the nodes lie close to 0.161 twice, and to 1.
    """
    x = code.mul(code.load("%b", rate), step)
    now = code.load("%b", rows.now + state)
    first = code.exp(code.mul(x, code.constant(NODES[0])))
    last = code.mul(now, code.exp(x))

    def carried(value: str, nodes: float, powers: int) -> str:
        series = [nodes**k / math.factorial(k) for k in range(powers, -1, -1)]
        return code.mul(value, code.polynomial(x, series))

    at_first = code.mul(now, first)
    second = carried(code.mul(at_first, first), NODES[1] - 2.0 * NODES[0], _SHORT_SERIES[0])
    third = carried(last, NODES[2] - 1.0, _SHORT_SERIES[1])
    fourth = carried(last, NODES[3] - 1.0, _SHORT_SERIES[2])
    return [at_first, second, third, fourth, last]


def _measure(code: Code, rows: Rows, part: Part, norm: Norm, step: str) -> tuple[str, str]:
    """Mean square error, and where the step is at the edge of stability.

    The last two slopes are taken at two states at the same time, so that their difference shows the
    fastest rate (Shampine 1977).
    """
    states = [i for i in part.rates if i not in part.decays]
    scaled = [code.mul(step, code.constant(weight)) for weight in ERROR_WEIGHTS]
    zero = code.constant(0.0)
    error, change, distance = zero, zero, zero
    for i, weight in error_weights(code, rows, norm, states):
        k = [code.load("%b", _slope(rows, j) + i) for j in range(STAGES)]
        miss = code.mul(code.combine(zero, list(zip(scaled, k, strict=True))), weight)
        error = code.add(code.mul(miss, miss), error)
        if i in part.read:
            dk = code.mul(code.sub(k[6], k[5]), weight)
            dy = code.sub(code.load("%b", rows.next + i), code.load("%b", _stage(rows) + i))
            dy = code.mul(dy, weight)
            change = code.add(code.mul(dk, dk), change)
            distance = code.add(code.mul(dy, dy), distance)
    error = code.mul(error, code.constant(1.0 / norm.counted))
    edge = code.mul(distance, code.constant(_STIFF_BEYOND**2))
    return error, code.above(code.mul(code.mul(step, step), change), edge)


def interpolation(body: Any, rows: Rows, place: tuple[Any, Any]) -> Any:
    """Code of one state at a fraction of the step, from its slopes.

    ``place`` is the fraction and the step; what comes back takes a function that loads a row.
    """
    fraction, step = place
    weights = []
    for coefficients in interpolant():
        value = body.horner(fraction, [float(coefficient) for coefficient in coefficients])
        weights.append(body.product(body.product(value, fraction), step))

    def value_of(load: Any) -> Any:
        value = load(rows.now)
        for stage, weight in enumerate(weights):
            value = body.fused(weight, load(_slope(rows, stage)), value)
        return value

    return value_of
