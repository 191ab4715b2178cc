"""One step of the explicit method for all lanes: Tsitouras 5(4), with its interpolant.

Source: Tsitouras C. Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
assumption. Comput Math Appl 2011;62:770-5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.model.lanes import Code

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
        """Step, accepted, rtol, factor on atol; out: squared error, factor, squared stiffness."""
        return self.fixed + self.constants

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.control + 7


STEP, ACCEPTED, RTOL, ATOL_FACTOR, ERROR, FACTOR, STIFFNESS = range(7)


def begin_code(width: int, rows: Rows) -> str:
    """Function ``tsit5_begin``: take over accepted states, then evaluate the first slope."""
    code = Code(width)
    _commit(code, rows)
    now, slopes, fixed = (code.row("%b", r) for r in (rows.now, rows.slopes, rows.fixed))
    code.call("rates", now, fixed, slopes)
    return code.function("tsit5_begin", ["b"])


def _commit(code: Code, rows: Rows) -> tuple[list[str], list[str]]:
    accepted = code.above(code.load("%b", rows.control + ACCEPTED), code.constant(0.5))
    last = rows.slopes + (STAGES - 1) * rows.states
    now: list[str] = []
    slope: list[str] = []
    for target, source, values in (
        (rows.now, rows.next, now),
        (rows.slopes, last, slope),
    ):
        for i in range(rows.states):
            value = code.choose(accepted, code.load("%b", source + i), code.load("%b", target + i))
            code.store(value, "%b", target + i)
            values.append(value)
    return now, slope


def step_code(width: int, rows: Rows, read: frozenset[int], atol: tuple[float, ...]) -> str:
    """Function ``tsit5_step``: one attempted step of every lane.

    Parameters
    ----------
    read : states that some rate depends on; the others need no stage values.
    atol : absolute error per state; 0 keeps a state out of the error norm.
    """
    code = Code(width)
    now, _ = _commit(code, rows)
    step = code.load("%b", rows.control + STEP)
    for number, weights in enumerate(STAGE_WEIGHTS, start=1):
        last = number == STAGES - 1
        target = rows.next if last else rows.stage
        scaled = [code.mul(step, code.constant(weight)) for weight in weights]
        for i in range(rows.states):
            if last or i in read:
                terms = [
                    (scaled[j], code.load("%b", rows.slopes + j * rows.states + i))
                    for j in range(number)
                ]
                value = code.combine(now[i] if number == 1 else code.load("%b", i), terms)
                code.store(code.clipped(value) if last else value, "%b", target + i)
        out = code.row("%b", rows.slopes + number * rows.states)
        code.call("rates", code.row("%b", target), code.row("%b", rows.fixed), out)
    _measure(code, rows, atol, read, step)
    return code.function("tsit5_step", ["b"])


def _measure(
    code: Code, rows: Rows, atol: tuple[float, ...], read: frozenset[int], step: str
) -> None:
    normed = [i for i, value in enumerate(atol) if value > 0.0]
    weights = error_weights(code, rows.now, rows.next, rows.control, atol)
    scaled = [code.mul(step, code.constant(weight)) for weight in ERROR_WEIGHTS]
    zero = code.constant(0.0)
    error, change, distance = zero, zero, zero
    for i, weight in zip(normed, weights, strict=True):
        k = [code.load("%b", rows.slopes + j * rows.states + i) for j in range(STAGES)]
        miss = code.mul(code.combine(zero, list(zip(scaled, k, strict=True))), weight)
        error = code.add(code.mul(miss, miss), error)
        if i in read:
            dk = code.mul(code.sub(k[6], k[5]), weight)
            dy = code.sub(code.load("%b", rows.next + i), code.load("%b", rows.stage + i))
            dy = code.mul(dy, weight)
            change = code.add(code.mul(dk, dk), change)
            distance = code.add(code.mul(dy, dy), distance)
    error = code.mul(error, code.constant(1.0 / len(normed)))
    store_control(code, rows.control, error, 5)
    stiffness = code.divide(change, code.add(distance, code.constant(1e-300)))
    code.store(stiffness, "%b", rows.control + STIFFNESS)


def error_weights(
    code: Code, now: int, following: int, control: int, atol: tuple[float, ...]
) -> list[str]:
    """One over the error allowed in each state that the norm counts."""
    rtol = code.load("%b", control + RTOL)
    factor = code.load("%b", control + ATOL_FACTOR)
    allowed = []
    for i, value in enumerate(atol):
        if value > 0.0:
            size = code.larger(code.load("%b", now + i), code.load("%b", following + i))
            absolute = code.mul(factor, code.constant(value))
            allowed.append(code.add(code.mul(rtol, size), absolute))
    return code.many_reciprocals(allowed)


def store_control(code: Code, control: int, error: str, order: int) -> None:
    """Write the squared error and the factor by which the step should change."""
    code.store(error, "%b", control + ERROR)
    floor = code.larger(error, code.constant(1e-12))
    exponent = code.mul(code.log(floor), code.constant(-0.5 / order))
    code.store(code.mul(code.exp(exponent), code.constant(0.9)), "%b", control + FACTOR)
