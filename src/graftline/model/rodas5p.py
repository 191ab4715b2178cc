"""One step of the implicit method for all lanes: the Rosenbrock method Rodas5P of order 5(4).

Sources: Steinebach G. Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks
within the Julia Differential Equations package. BIT Numer Math 2023;63:27. Hairer E, Wanner G.
Solving ordinary differential equations II. 2nd ed. Springer 1996, IV.7. Stiffly accurate, eight
stages, dense output of order 4, one sparse factorisation per step.
"""

from collections.abc import Mapping
from typing import Any

from graftline.model.lanes import Code
from graftline.model.layout import Rows
from graftline.model.sparse import Entry
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

GAMMA = 0.21193756319429014
STAGES = 8
_EASY_BELOW = 0.5
EASY_STEPS = 4
# stages after these add the increment of the stage before
_FREE_STAGES = 6
STAGE_WEIGHTS: tuple[tuple[float, ...], ...] = (
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    (
        -7.502846399306121,
        2.561846144803919,
        -11.627539656261098,
        -0.18268767659942256,
        0.030198172008377946,
    ),
)
SLOPE_WEIGHTS: tuple[tuple[float, ...], ...] = (
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (
        24.854864614690072,
        -3.0009227002832186,
        47.4931110020768,
        5.5814197821558125,
        -0.6610691825249471,
    ),
    (
        30.91273214028599,
        -3.1208243349937974,
        77.79954646070892,
        34.28646028294783,
        -19.097331116725623,
        -28.087943162872662,
    ),
    (
        37.80277123390563,
        -3.2571969029072276,
        112.26918849496327,
        66.9347231244047,
        -40.06618937091002,
        -54.66780262877968,
        -9.48861652309627,
    ),
)
# the weight of each increment at a fraction of the step, by power of the fraction
INTERPOLANT = (
    (
        25.948786856663858,
        -2.5579724845846235,
        10.433815404888879,
        -2.3679251022685204,
        0.524948541321073,
        1.1241088310450404,
        0.4272876194431874,
        -0.17202221070155493,
    ),
    (
        -9.91568850695171,
        -0.9689944594115154,
        3.0438037242978453,
        -24.495224566215796,
        20.176138334709044,
        15.98066361424651,
        -6.789040303419874,
        -6.710236069923372,
    ),
    (
        11.419903575922262,
        2.8879645146136994,
        72.92137995996029,
        80.12511834622643,
        -52.072871366152654,
        -59.78993625266729,
        -0.15582684282751913,
        4.883087185713722,
    ),
)


def _stage(rows: Rows) -> int:
    """State at which a stage is evaluated."""
    return rows.own


def _rate(rows: Rows) -> int:
    """Rates at that state, and how far it is from its corners."""
    return rows.own + rows.states


def _corners_at_start(rows: Rows) -> int:
    return _rate(rows) + rows.slope


def _increment(rows: Rows, stage: int) -> int:
    """Solution of one of the eight linear systems."""
    return _corners_at_start(rows) + rows.kinks + stage * rows.states


def _matrix(rows: Rows) -> int:
    """Entries of the matrix, then of its factors."""
    return _increment(rows, STAGES)


def row_count(rows: Rows, entries: int) -> int:
    """Number of rows of the implicit method's buffer."""
    return _matrix(rows) + entries


def begin_code() -> str:
    """Function ``implicit_begin``: nothing, because no slope is carried from step to step."""
    return "define void @implicit_begin(ptr %b) nounwind {\n  ret void\n}\n"


def step_code(
    width: int, rows: Rows, part: Part, norm: Norm, decay_rates: Mapping[int, int]
) -> str:
    """Function ``implicit_step``: one attempted step of every lane; returns who needs attention.

    The function ``jacobian`` of the part writes the entries with their sign changed, in the order
    of the part's plan. ``decay_rates`` gives the row of the rate of each state that only decays.
    """
    code = Code(width)
    place = {entry: _matrix(rows) + i for i, entry in enumerate(part.plan.entries)}
    take_over(code, rows, [(rows.now + i, rows.next + i) for i in part.rates])
    step = choose_step(code, rows)
    now, fixed = code.row("%b", rows.now), code.row("%b", rows.fixed)
    code.call(f"rates_{part.name}", now, fixed, code.row("%b", _rate(rows)))
    code.call(f"jacobian_{part.name}", now, fixed, code.row("%b", _matrix(rows)))
    for k in range(len(part.kinks)):
        distance = code.load("%b", _rate(rows) + rows.states + k)
        code.store(distance, "%b", _corners_at_start(rows) + k)
    per_step = code.divide(code.constant(1.0), step)
    fastest = _factor(code, part, place, per_step)
    for stage in range(STAGES):
        _solve_stage(code, rows, part, (per_step, decay_rates), stage)
    for i in part.rates:
        value = code.load("%b", _increment(rows, STAGES - 1) + i)
        value = code.add(code.load("%b", _stage(rows) + i), value)
        code.store(code.clipped(value), "%b", rows.next + i)
    error = _measure(code, rows, part, norm)
    extinguish(code, rows, norm.clones)
    easy = code.above(code.constant(_EASY_BELOW), code.mul(step, fastest))
    ends = (_corners_at_start(rows), _rate(rows) + rows.states)
    passed = corner(code, ends, len(part.kinks))
    leaves = faded(code, rows, norm, part.fading)
    asks = judge(code, rows, Verdict(error, 5, passed, easy, EASY_STEPS, leaves))
    return code.function(f"implicit_step_{part.name}", ["b"], result=code.as_number(asks))


def _factor(code: Code, part: Part, place: Mapping[Entry, int], per_step: str) -> str:
    """Write the factors row by row; the fastest rate on the Jacobian's diagonal.

    A row is finished, with all earlier pivots, before the next is begun, so that it fits the
    registers. Pivots are stored as their reciprocals.
    """
    plan = part.plan
    diagonal = code.mul(per_step, code.constant(1.0 / GAMMA))
    fastest = code.constant(0.0)
    for i in plan.order:
        row = {j: place[i, j] for k, j in plan.entries if k == i}
        values = {j: code.load("%b", row[j]) for j in row if (i, j) in part.negative_jacobian}
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


def _solve_stage(
    code: Code,
    rows: Rows,
    part: Part,
    pace: tuple[str, Mapping[int, int]],
    stage: int,
) -> None:
    per_step, decay_rates = pace
    base = rows.now
    if stage > 0:
        base = _stage(rows)
        _stage_state(code, rows, part, stage)
        fixed = code.row("%b", rows.fixed)
        rate = code.row("%b", _rate(rows))
        code.call(f"rates_{part.name}", code.row("%b", base), fixed, rate)
    weights = [code.mul(per_step, code.constant(weight)) for weight in SLOPE_WEIGHTS[stage]]
    target = _increment(rows, stage)
    for i in part.rates:
        increments = [code.load("%b", _increment(rows, j) + i) for j in range(stage)]
        if i in part.decays:
            value = code.mul(code.load("%b", decay_rates[i]), code.load("%b", base + i))
        else:
            value = code.load("%b", _rate(rows) + i)
        value = code.combine(value, list(zip(weights, increments, strict=True)))
        code.store(value, "%b", target + i)
    code.call(f"solve_{part.name}", code.row("%b", _matrix(rows)), code.row("%b", target))


def _stage_state(code: Code, rows: Rows, part: Part, stage: int) -> None:
    """The last stages start where the solution of the stage before ends."""
    for i in part.rates:
        if stage >= _FREE_STAGES:
            old = code.load("%b", _stage(rows) + i)
            value = code.add(old, code.load("%b", _increment(rows, stage - 1) + i))
        else:
            terms = [
                (code.load("%b", _increment(rows, j) + i), code.constant(weight))
                for j, weight in enumerate(STAGE_WEIGHTS[stage])
            ]
            value = code.combine(code.load("%b", rows.now + i), terms)
        code.store(value, "%b", _stage(rows) + i)


def solve_code(width: int, part: Part) -> str:
    """Function ``solve``: replaces a right-hand side by the solution, from the matrix's factors."""
    code, plan = Code(width), part.plan
    place = {entry: i for i, entry in enumerate(plan.entries)}
    solution = {i: code.load("%x", i) for i in part.rates}
    for pivot in plan.order:
        for i in plan.lower[pivot]:
            factor = code.load("%m", place[i, pivot])
            solution[i] = code.sub(solution[i], code.mul(factor, solution[pivot]))
    for pivot in reversed(plan.order):
        value = solution[pivot]
        for j in plan.upper[pivot]:
            value = code.sub(value, code.mul(code.load("%m", place[pivot, j]), solution[j]))
        solution[pivot] = code.mul(value, code.load("%m", place[pivot, pivot]))
        code.store(solution[pivot], "%x", pivot)
    return code.function(f"solve_{part.name}", ["m", "x"])


def _measure(code: Code, rows: Rows, part: Part, norm: Norm) -> str:
    error = code.constant(0.0)
    for i, weight in error_weights(code, rows, norm, tuple(part.rates)):
        miss = code.mul(code.load("%b", _increment(rows, STAGES - 1) + i), weight)
        error = code.add(code.mul(miss, miss), error)
    return code.mul(error, code.constant(1.0 / norm.counted))


def interpolation(body: Any, rows: Rows, place: tuple[Any, Any]) -> Any:
    """Code of one state at a fraction of the step, from its increments.

    ``place`` is the fraction and the step; what comes back takes a function that loads a row.
    """
    fraction, _ = place
    rest = body.fused(fraction, body.real(-1.0), body.real(1.0))
    weights = [
        body.product(rest, body.horner(fraction, powers))
        for powers in zip(*INTERPOLANT, strict=True)
    ]

    def value_of(load: Any) -> Any:
        inner = load(rows.next)
        for stage, weight in enumerate(weights):
            inner = body.fused(weight, load(_increment(rows, stage)), inner)
        return body.fused(rest, load(rows.now), body.product(fraction, inner))

    return value_of
