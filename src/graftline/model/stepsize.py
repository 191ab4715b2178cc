"""How long the next step is, whether the last one stands, and which lanes ask for attention.

This is done for all lanes at once inside the step functions. A lane asks for attention when it has
passed a stop, landed on a dose or its last stop, turned stiff (or easy), or must be given up;
between two such moments the step function is called again without a look at any lane.
"""

from collections.abc import Iterator, Sequence

from graftline.model.lanes import DIVISIONS_TOGETHER, Code

# rows of the control block
(
    STEP,
    ACCEPTED,
    RTOL,
    ATOL_FACTOR,
    DAY,
    END,
    WANT,
    LIMIT,
    NEXT_STOP,
    COUNT,
    MOST_STEPS,
    STREAK,
    EXTINCTION,
) = range(13)
CONTROL_ROWS = 13

SMALLEST_STEP = 1e-9
LARGEST_GROWTH = 5.0
LARGEST_CUT = 0.2
SAFETY = 0.9
# a step within this share of what is left is stretched to land
_STRETCH = 0.999
_HUGE = 1e300


def choose_step(code: Code, control: int) -> str:
    """Length of the coming step: as wanted, but not past the next dose or the last stop."""
    left = code.sub(code.load("%b", control + LIMIT), code.load("%b", control + DAY))
    want = code.load("%b", control + WANT)
    short = code.above(code.mul(left, code.constant(_STRETCH)), want)
    step = code.choose(short, want, left)
    code.store(step, "%b", control + STEP)
    return step


def error_weights(
    code: Code, now: int, following: int, control: int, atol: Sequence[float]
) -> Iterator[tuple[int, str]]:
    """Each state that the norm counts, with one over the error allowed in it.

    Four at a time, so that few values wait in registers.
    """
    rtol = code.load("%b", control + RTOL)
    factor = code.load("%b", control + ATOL_FACTOR)
    counted = [i for i, value in enumerate(atol) if value > 0.0]
    for first in range(0, len(counted), DIVISIONS_TOGETHER):
        group = counted[first : first + DIVISIONS_TOGETHER]
        allowed = []
        for i in group:
            size = code.larger(code.load("%b", now + i), code.load("%b", following + i))
            absolute = code.mul(factor, code.constant(atol[i]))
            allowed.append(code.add(code.mul(rtol, size), absolute))
        yield from zip(group, code.reciprocals(allowed), strict=True)


def extinguish(
    code: Code, now: int, following: int, control: int, clones: Sequence[tuple[int, float]]
) -> str:
    """Set clones to zero that are below one cell and do not grow; mask of lanes that had one.

    A clone that grows from below one cell is the first mutant of another; it stays.
    """
    zero = code.constant(0.0)
    wanted = code.above(code.load("%b", control + EXTINCTION), zero)
    any_gone = code.above(zero, zero)
    for state, one_cell in clones:
        value = code.load("%b", following + state)
        gone = code.both(wanted, code.above(value, zero))
        gone = code.both(gone, code.above(code.constant(one_cell), value))
        gone = code.both(gone, code.not_below(code.load("%b", now + state), value))
        code.store(code.choose(gone, zero, value), "%b", following + state)
        any_gone = code.either(any_gone, gone)
    return any_gone


def judge(code: Code, control: int, error: str, order: int, turn: str, turns_needed: float) -> str:
    """Accept or reject, choose the next step, and say which lanes need attention (a mask).

    Parameters
    ----------
    error : mean square of the scaled error
    turn : mask of lanes where the other method looks cheaper
    turns_needed : accepted steps in a row for which that must hold
    """
    one, day = code.constant(1.0), code.load("%b", control + DAY)
    step, limit = code.load("%b", control + STEP), code.load("%b", control + LIMIT)
    accepted = code.not_below(one, error)
    landed = code.not_below(step, code.sub(limit, day))
    end = code.choose(landed, limit, code.add(day, step))
    want = _next_step(code, control, error, order, accepted, landed, step)
    streak = code.add(code.load("%b", control + STREAK), one)
    streak = code.choose(turn, streak, code.constant(0.0))
    streak = code.choose(accepted, streak, code.load("%b", control + STREAK))
    count = code.add(code.load("%b", control + COUNT), one)
    passed = code.not_below(end, code.load("%b", control + NEXT_STOP))
    turned = code.not_below(streak, code.constant(turns_needed))
    asks = code.both(accepted, code.either(code.either(landed, passed), turned))
    hopeless = code.above(code.constant(SMALLEST_STEP), want)
    spent = code.not_below(count, code.load("%b", control + MOST_STEPS))
    for value, row in (
        (code.choose(accepted, one, code.constant(0.0)), ACCEPTED),
        (code.choose(accepted, end, day), END),
        (want, WANT),
        (streak, STREAK),
        (count, COUNT),
    ):
        code.store(value, "%b", control + row)
    return code.either(asks, code.either(hopeless, spent))


def _next_step(
    code: Code, control: int, error: str, order: int, accepted: str, landed: str, step: str
) -> str:
    floor = code.larger(error, code.constant(1e-12))
    power = code.exp(code.mul(code.log(floor), code.constant(-0.5 / order)))
    factor = code.mul(power, code.constant(SAFETY))
    factor = code.larger(factor, code.constant(LARGEST_CUT))
    # an error that is no number says nothing about the right step
    finite = code.above(code.constant(_HUGE), error)
    factor = code.choose(finite, factor, code.constant(LARGEST_CUT))
    grown = code.mul(step, code.smaller(factor, code.constant(LARGEST_GROWTH)))
    # a step cut short to land says little about how long the next may be
    before = code.larger(grown, code.load("%b", control + WANT))
    cut_short = code.both(landed, code.above(grown, step))
    grown = code.choose(cut_short, before, grown)
    shrunk = code.mul(step, code.smaller(factor, code.constant(SAFETY)))
    return code.choose(accepted, grown, shrunk)


def move_on(code: Code, control: int) -> str:
    """Take over the day of an accepted step; mask of lanes that accepted."""
    accepted = code.above(code.load("%b", control + ACCEPTED), code.constant(0.5))
    end = code.load("%b", control + END)
    code.store(code.choose(accepted, end, code.load("%b", control + DAY)), "%b", control + DAY)
    return accepted
