"""One step of the implicit method for all lanes: the Rosenbrock method RODAS of order 4(3).

Source: Hairer E, Wanner G. Solving ordinary differential equations II. 2nd ed. Springer 1996, IV.7
(stiffly accurate, six stages, dense output of order 3). One sparse factorisation per step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graftline.model.lanes import Code
from graftline.model.sparse import Elimination, Entry
from graftline.model.stepsize import (
    CONTROL_ROWS,
    choose_step,
    error_weights,
    extinguish,
    judge,
    move_on,
)

GAMMA = 0.25
STAGES = 6
_EASY_BELOW = 0.8
EASY_STEPS = 4.0
STAGE_WEIGHTS: tuple[tuple[float, ...], ...] = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
)
SLOPE_WEIGHTS: tuple[tuple[float, ...], ...] = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (
        8.083246795921522,
        -7.981132988064893,
        -31.52159432874371,
        16.31930543123136,
        -6.058818238834054,
    ),
)
INTERPOLANT = (
    (
        10.12623508344586,
        -7.487995877610167,
        -34.80091861555747,
        -7.992771707568823,
        1.025137723295662,
    ),
    (
        -0.6762803392801253,
        6.087714651680015,
        16.43084320892478,
        24.76722511418386,
        -6.594389125716872,
    ),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of the implicit method's buffer lie."""

    states: int
    constants: int
    entries: int

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
    def rate(self) -> int:
        """Rates at that state."""
        return 3 * self.states

    @property
    def increments(self) -> int:
        """Solutions of the six linear systems."""
        return 4 * self.states

    @property
    def matrix(self) -> int:
        """Entries of the matrix, then of its factors."""
        return (4 + STAGES) * self.states

    @property
    def fixed(self) -> int:
        """What depends on the patient's parameters alone."""
        return self.matrix + self.entries

    @property
    def control(self) -> int:
        """The control block of ``stepsize``."""
        return self.fixed + self.constants

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.control + CONTROL_ROWS

    def increment(self, stage: int, state: int) -> int:
        """Solution of one linear system for one state."""
        return self.increments + stage * self.states + state


def step_code(
    width: int,
    rows: Rows,
    plan: Elimination,
    jacobian: frozenset[Entry],
    atol: Sequence[float],
    clones: Sequence[tuple[int, float]],
) -> str:
    """Function ``implicit_step``: one attempted step of every lane; returns who needs attention.

    ``jacobian`` holds the entries that the function ``jacobian`` writes, with their sign changed,
    in the rows that ``plan.entries`` gives them.
    """
    code = Code(width)
    place = {entry: rows.matrix + i for i, entry in enumerate(plan.entries)}
    _commit(code, rows)
    step = choose_step(code, rows.control)
    fixed = code.row("%b", rows.fixed)
    code.call("rates", code.row("%b", rows.now), fixed, code.row("%b", rows.rate))
    code.call("jacobian", code.row("%b", rows.now), fixed, code.row("%b", rows.matrix))
    per_step = code.divide(code.constant(1.0), step)
    fastest = _factor(code, plan, jacobian, place, per_step)
    for stage in range(STAGES):
        _stage(code, rows, plan, place, per_step, stage)
    error = _measure(code, rows, atol)
    extinguish(code, rows.now, rows.next, rows.control, clones)
    easy = code.above(code.constant(_EASY_BELOW), code.mul(step, fastest))
    asks = judge(code, rows.control, error, 4, easy, EASY_STEPS)
    return code.function("implicit_step", ["b"], result=code.as_number(asks))


def _commit(code: Code, rows: Rows) -> None:
    accepted = move_on(code, rows.control)
    for i in range(rows.states):
        new, old = code.load("%b", rows.next + i), code.load("%b", rows.now + i)
        code.store(code.choose(accepted, new, old), "%b", rows.now + i)


def _factor(
    code: Code,
    plan: Elimination,
    jacobian: frozenset[Entry],
    place: dict[Entry, int],
    per_step: str,
) -> str:
    """Write the factors row by row; the fastest rate on the Jacobian's diagonal.

    A row is finished, with all earlier pivots, before the next is begun, so that it fits the
    registers. Pivots are stored as their reciprocals.
    """
    diagonal = code.mul(per_step, code.constant(1.0 / GAMMA))
    fastest = code.constant(0.0)
    for i in plan.order:
        row = {j: place[i, j] for k, j in plan.entries if k == i}
        values = {j: code.load("%b", row[j]) for j in row if (i, j) in jacobian}
        if i in values:
            fastest = code.larger(values[i], fastest)
        values[i] = code.add(values[i], diagonal) if i in values else diagonal
        for k in (pivot for pivot in plan.order if i in plan.lower[pivot]):
            values[k] = code.mul(values[k], code.load("%b", place[k, k]))
            for j in plan.upper[k]:
                product = code.mul(values[k], code.load("%b", place[k, j]))
                values[j] = code.sub(values[j], product) if j in values else code.neg(product)
        values[i] = code.divide(code.constant(1.0), values[i])
        for j, value in values.items():
            code.store(value, "%b", row[j])
        code.barrier()
    return fastest


def _stage(
    code: Code,
    rows: Rows,
    plan: Elimination,
    place: dict[Entry, int],
    per_step: str,
    stage: int,
) -> None:
    base = rows.now
    if stage > 0:
        base = rows.stage
        _stage_state(code, rows, stage)
        fixed = code.row("%b", rows.fixed)
        code.call("rates", code.row("%b", base), fixed, code.row("%b", rows.rate))
    weights = [code.mul(per_step, code.constant(weight)) for weight in SLOPE_WEIGHTS[stage]]
    right = []
    for i in range(rows.states):
        increments = [code.load("%b", rows.increment(j, i)) for j in range(stage)]
        terms = list(zip(weights, increments, strict=True))
        right.append(code.combine(code.load("%b", rows.rate + i), terms))
    for i, value in enumerate(_solve(code, plan, place, right)):
        code.store(value, "%b", rows.increment(stage, i))
        if stage == STAGES - 1:
            total = code.add(code.load("%b", rows.stage + i), value)
            code.store(code.clipped(total), "%b", rows.next + i)


def _stage_state(code: Code, rows: Rows, stage: int) -> None:
    """The sixth stage starts where the fifth's solution ends."""
    last = stage == STAGES - 1
    for i in range(rows.states):
        if last:
            old = code.load("%b", rows.stage + i)
            value = code.add(old, code.load("%b", rows.increment(stage - 1, i)))
        else:
            terms = [
                (code.load("%b", rows.increment(j, i)), code.constant(weight))
                for j, weight in enumerate(STAGE_WEIGHTS[stage])
            ]
            value = code.combine(code.load("%b", rows.now + i), terms)
        code.store(value, "%b", rows.stage + i)


def _solve(code: Code, plan: Elimination, place: dict[Entry, int], right: list[str]) -> list[str]:
    solution = list(right)
    for pivot in plan.order:
        for i in plan.lower[pivot]:
            factor = code.load("%b", place[i, pivot])
            solution[i] = code.sub(solution[i], code.mul(factor, solution[pivot]))
    for pivot in reversed(plan.order):
        value = solution[pivot]
        for j in plan.upper[pivot]:
            value = code.sub(value, code.mul(code.load("%b", place[pivot, j]), solution[j]))
        solution[pivot] = code.mul(value, code.load("%b", place[pivot, pivot]))
    return solution


def _measure(code: Code, rows: Rows, atol: Sequence[float]) -> str:
    weights = error_weights(code, rows.now, rows.next, rows.control, atol)
    error = code.constant(0.0)
    for i, weight in weights:
        miss = code.mul(code.load("%b", rows.increment(STAGES - 1, i)), weight)
        error = code.add(code.mul(miss, miss), error)
    return code.mul(error, code.constant(1.0 / sum(value > 0.0 for value in atol)))


def interpolation(rows: Rows) -> Any:
    """For ``loop``: code of one state at a fraction of the step, from its increments."""

    def prepare(body: Any, place: tuple[Any, Any]) -> Any:
        b = body.builder
        fraction, _ = place
        rest = b.fsub(body.real(1.0), fraction)
        weights = []
        for third, fourth in zip(*INTERPOLANT, strict=True):
            value = b.fadd(body.real(third), b.fmul(fraction, body.real(fourth)))
            weights.append(b.fmul(rest, value))

        def value_of(load: Any) -> Any:
            inner = load(rows.next)
            for stage, weight in enumerate(weights):
                inner = b.fadd(inner, b.fmul(weight, load(rows.increment(stage, 0))))
            return b.fadd(b.fmul(rest, load(rows.now)), b.fmul(fraction, inner))

        return value_of

    return prepare


def begin_code() -> str:
    """Function ``implicit_begin``: nothing, because no slope is carried from step to step."""
    return "define void @implicit_begin(ptr %b) nounwind {\n  ret void\n}\n"
