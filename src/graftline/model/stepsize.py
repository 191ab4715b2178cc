"""How long the next step is, whether the last one stands, and which lanes ask for attention.

This is done for all lanes at once inside the step functions. A lane asks for attention when it has
passed a stop, landed on a dose or its last stop, turned stiff (or easy), or must be given up;
between two such moments the step function is called again without a look at any lane.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graftline.model.lanes import DIVISIONS_TOGETHER, Code
from graftline.model.layout import Control, Rows

SMALLEST_STEP = 1e-9
LARGEST_GROWTH = 5.0
LARGEST_CUT = 0.2
SAFETY = 0.9
# a step within this share of what is left is stretched to land
_STRETCH = 0.999
_HUGE = 1e300
# a corner inside a step counts from this mean square error on, unless it is close to an end
_CORNER_COUNTS_ABOVE = 1e-3
_CORNER_NEAR_END = 0.03
_CORNER_PASSED_BY = 0.002
_CORNER_SMALLEST_STEP = 1e-3


@dataclass(frozen=True, slots=True)
class Norm:
    """What error is allowed in each state, and which states can become extinct.

    ``atol`` 0 keeps a state out; ``slack`` multiplies what is allowed; ``clones`` are states with
    their value at one cell.
    """

    atol: tuple[float, ...]
    slack: tuple[float, ...]
    clones: tuple[tuple[int, float], ...]

    @property
    def counted(self) -> int:
        """Number of states over which the mean is taken, the same in every part of a course."""
        return sum(value > 0.0 for value in self.atol)


def choose_step(code: Code, rows: Rows) -> str:
    """Length of the coming step: as wanted, but not past the next dose or the last stop."""
    left = code.sub(_control(code, rows, Control.LIMIT), _control(code, rows, Control.DAY))
    want = _control(code, rows, Control.WANT)
    short = code.above(code.mul(left, code.constant(_STRETCH)), want)
    step = code.choose(short, want, left)
    code.store(step, "%b", rows.control + Control.STEP)
    return step


def _control(code: Code, rows: Rows, row: Control) -> str:
    return code.load("%b", rows.control + row)


def error_weights(
    code: Code, rows: Rows, norm: Norm, states: Sequence[int]
) -> Iterator[tuple[int, str]]:
    """Those of the states that the norm counts, with one over the error allowed in each.

    Four at a time, so that few values wait in registers.
    """
    rtol = _control(code, rows, Control.RTOL)
    factor = _control(code, rows, Control.ATOL_FACTOR)
    counted = [i for i in states if norm.atol[i] > 0.0]
    for first in range(0, len(counted), DIVISIONS_TOGETHER):
        group = counted[first : first + DIVISIONS_TOGETHER]
        allowed = []
        for i in group:
            size = code.larger(code.load("%b", rows.now + i), code.load("%b", rows.next + i))
            share = code.mul(rtol, code.constant(norm.slack[i])) if norm.slack[i] != 1.0 else rtol
            absolute = code.mul(factor, code.constant(norm.atol[i] * norm.slack[i]))
            allowed.append(code.add(code.mul(share, size), absolute))
        yield from zip(group, code.reciprocals(allowed), strict=True)


def extinguish(code: Code, rows: Rows, clones: Sequence[tuple[int, float]]) -> str:
    """Set clones to zero that are below one cell and do not grow; mask of lanes that had one.

    A clone that grows from below one cell is the first mutant of another; it stays.
    """
    zero = code.constant(0.0)
    wanted = code.above(_control(code, rows, Control.EXTINCTION), zero)
    any_gone = code.above(zero, zero)
    for state, one_cell in clones:
        value = code.load("%b", rows.next + state)
        gone = code.both(wanted, code.above(value, zero))
        gone = code.both(gone, code.above(code.constant(one_cell), value))
        gone = code.both(gone, code.not_below(code.load("%b", rows.now + state), value))
        code.store(code.choose(gone, zero, value), "%b", rows.next + state)
        any_gone = code.either(any_gone, gone)
    return any_gone


def corner(code: Code, ends: Sequence[int], count: int) -> str:
    """Fraction of the step at which the first corner is passed, 1 where none is.

    A polynomial cannot follow a rate round a corner, and the error of a step across one hides from
    the estimate. ``ends`` are the first rows of the distances from the ``count`` corners at the
    start and at the end; between them the distance is taken as straight.
    """
    first, last = ends
    one, zero = code.constant(1.0), code.constant(0.0)
    earliest = one
    for start in range(0, count, DIVISIONS_TOGETHER):
        some = range(start, min(start + DIVISIONS_TOGETHER, count))
        pairs = [(code.load("%b", first + k), code.load("%b", last + k)) for k in some]
        passed = [code.above(zero, code.mul(before, after)) for before, after in pairs]
        falls = [
            code.choose(mask, code.sub(*pair), one)
            for mask, pair in zip(passed, pairs, strict=True)
        ]
        shares = code.reciprocals(falls)
        for mask, (before, _), share in zip(passed, pairs, shares, strict=True):
            fraction = code.choose(mask, code.mul(before, share), one)
            earliest = code.smaller(fraction, earliest)
    return earliest


def faded(code: Code, rows: Rows, norm: Norm, states: Sequence[int]) -> str:
    """Mask of lanes where of these states no more is left than the error allowed in them."""
    zero, factor = code.constant(0.0), _control(code, rows, Control.ATOL_FACTOR)
    result = code.not_below(zero, zero if states else code.constant(1.0))
    for i in states:
        limit = code.mul(factor, code.constant(norm.atol[i]))
        little = code.not_below(limit, code.load("%b", rows.next + i))
        result = code.both(result, little)
    return result


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a method found out about its step.

    ``error`` is the mean square of the scaled error, ``corner`` from ``corner``; ``turn`` marks the
    lanes where the other method looks cheaper, which must hold for ``turns_needed`` accepted steps
    in a row; ``leaves`` those where other equations take over.
    """

    error: str
    order: int
    corner: str
    turn: str
    turns_needed: int
    leaves: str


def judge(code: Code, rows: Rows, verdict: Verdict) -> str:
    """Accept or reject, choose the next step, and say which lanes need attention (a mask)."""
    one, day = code.constant(1.0), _control(code, rows, Control.DAY)
    step, limit = _control(code, rows, Control.STEP), _control(code, rows, Control.LIMIT)
    cut, shorter = _cut_at_corner(code, verdict, step)
    accepted = code.both(code.not_below(one, verdict.error), code.negated(cut))
    landed = code.not_below(step, code.sub(limit, day))
    end = code.choose(landed, limit, code.add(day, step))
    want = _next_step(code, rows, verdict, accepted, landed, step)
    want = code.choose(cut, shorter, want)
    streak = code.add(_control(code, rows, Control.STREAK), one)
    streak = code.choose(verdict.turn, streak, code.constant(0.0))
    streak = code.choose(accepted, streak, _control(code, rows, Control.STREAK))
    count = code.add(_control(code, rows, Control.COUNT), one)
    passed = code.not_below(end, _control(code, rows, Control.NEXT_STOP))
    turned = code.not_below(streak, code.constant(verdict.turns_needed))
    turned = code.either(turned, verdict.leaves)
    asks = code.both(accepted, code.either(code.either(landed, passed), turned))
    hopeless = code.above(code.constant(SMALLEST_STEP), want)
    spent = code.not_below(count, _control(code, rows, Control.MOST_STEPS))
    for value, row in (
        (code.choose(accepted, one, code.constant(0.0)), Control.ACCEPTED),
        (code.choose(accepted, end, day), Control.END),
        (want, Control.WANT),
        (streak, Control.STREAK),
        (count, Control.COUNT),
    ):
        code.store(value, "%b", rows.control + row)
    return code.either(asks, code.either(hopeless, spent))


def _cut_at_corner(code: Code, verdict: Verdict, step: str) -> tuple[str, str]:
    """Lanes whose step is made again up to the corner inside it, and how long it then is."""
    fraction = verdict.corner
    cut = code.above(verdict.error, code.constant(_CORNER_COUNTS_ABOVE))
    cut = code.both(cut, code.above(code.constant(1.0 - _CORNER_NEAR_END), fraction))
    cut = code.both(cut, code.above(fraction, code.constant(_CORNER_NEAR_END)))
    until = code.mul(fraction, step)
    cut = code.both(cut, code.above(until, code.constant(_CORNER_SMALLEST_STEP)))
    return cut, code.add(until, code.mul(step, code.constant(_CORNER_PASSED_BY)))


def _next_step(
    code: Code, rows: Rows, verdict: Verdict, accepted: str, landed: str, step: str
) -> str:
    floor = code.larger(verdict.error, code.constant(1e-12))
    power = code.exp(code.mul(code.log(floor), code.constant(-0.5 / verdict.order)))
    factor = code.mul(power, code.constant(SAFETY))
    factor = code.larger(factor, code.constant(LARGEST_CUT))
    # an error that is no number says nothing about the right step
    finite = code.above(code.constant(_HUGE), verdict.error)
    factor = code.choose(finite, factor, code.constant(LARGEST_CUT))
    grown = code.mul(step, code.smaller(factor, code.constant(LARGEST_GROWTH)))
    # a step cut short to land says little about how long the next may be
    before = code.larger(grown, _control(code, rows, Control.WANT))
    cut_short = code.both(landed, code.above(grown, step))
    grown = code.choose(cut_short, before, grown)
    shrunk = code.mul(step, code.smaller(factor, code.constant(SAFETY)))
    return code.choose(accepted, grown, shrunk)


def take_over(code: Code, rows: Rows, pairs: Sequence[tuple[int, int]]) -> None:
    """Move accepted steps' day, and their rows from the second to the first of each pair."""
    accepted = code.above(_control(code, rows, Control.ACCEPTED), code.constant(0.5))
    end = _control(code, rows, Control.END)
    day = code.choose(accepted, end, _control(code, rows, Control.DAY))
    code.store(day, "%b", rows.control + Control.DAY)
    for target, source in pairs:
        new, old = code.load("%b", source), code.load("%b", target)
        code.store(code.choose(accepted, new, old), "%b", target)
