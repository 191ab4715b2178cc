"""Tracing and differentiating: against the equations on arrays, finite differences, and sympy."""

from types import SimpleNamespace

import numpy as np
import pytest
import sympy

from graftline.model.equations import Maths, rates
from graftline.model.parameters import model
from graftline.model.symbolic import fixed_values, traced
from graftline.model.trace import Graph, derivatives, evaluate
from tests.model.forced import random_cohort


def random_point(seed=0, n=3):
    cohort = random_cohort(n, graft=True, seed=seed)
    draw = np.random.default_rng(seed)
    states = np.exp(draw.normal(0.0, 1.5, cohort.states.shape))
    states[:, [model().state_index[name] for name in ("SR", "SD")]] = draw.uniform(0, 0.4, (n, 2))
    return cohort.parameters, states


def symbols(parameters, states):
    values = {name: states[:, i] for name, i in model().state_index.items()}
    values |= {name: parameters[:, i] for name, i in model().parameter_index.items()}
    return values


def test_traced_rates_equal_the_equations_on_arrays():
    parameters, states = random_point()
    values = symbols(parameters, states)
    names = SimpleNamespace(**values)
    direct = rates(names, names)
    for state, value in zip(model().states, evaluate(traced().rates, values), strict=True):
        np.testing.assert_allclose(value, direct[state.name], rtol=1e-11, atol=1e-13)


def test_jacobian_equals_central_differences():
    parameters, states = random_point(seed=4, n=1)
    trace = traced()
    jacobian = np.zeros((len(states[0]),) * 2)
    entries = evaluate(list(trace.jacobian.values()), symbols(parameters, states))
    for (row, column), value in zip(trace.jacobian, entries, strict=True):
        jacobian[row, column] = float(np.asarray(value).reshape(-1)[0])
    size = states.shape[1]
    step = 1e-6 * np.maximum(states[0], 1e-3)
    up = evaluate(trace.rates, symbols(np.repeat(parameters, size, 0), states + np.diag(step)))
    down = evaluate(trace.rates, symbols(np.repeat(parameters, size, 0), states - np.diag(step)))
    for row in range(size):
        slope = (np.broadcast_to(up[row], size) - np.broadcast_to(down[row], size)) / (2 * step)
        scale = np.abs(jacobian[row]).max() + 1.0
        np.testing.assert_allclose(jacobian[row], slope, rtol=2e-5, atol=2e-7 * scale)


def test_equations_trace_through_sympy_too():
    # independent: another program's symbols, its own evaluation
    parameters, states = random_point(seed=2, n=1)
    names = [*model().state_index, *model().parameter_index]
    symbol = {name: sympy.Symbol(name, positive=True) for name in names}
    maths = Maths(
        positive_part=lambda x: sympy.Max(x, 0),
        smaller=sympy.Min,
        power=lambda a, b: a**b,
        exp=sympy.exp,
    )
    here = SimpleNamespace(**symbol)
    values = {name: float(value[0]) for name, value in symbols(parameters, states).items()}
    point = {symbol[name]: value for name, value in values.items()}
    formulas = rates(here, here, maths)
    numbers = SimpleNamespace(**values)
    direct = rates(numbers, numbers)
    for state in ("CE", "TD0", "TA", "LN", "SD", "NR1", "M1", "I", "HI"):
        assert float(formulas[state].subs(point)) == pytest.approx(float(direct[state]), rel=1e-10)


def test_equal_operations_are_one_node():
    graph = Graph()
    x, y = graph.state("x"), graph.parameter("y")
    assert (x * y + 1.0) is (1.0 + y * x)
    assert x - x is graph.node(0.0)
    assert x * 1.0 is x
    assert graph.neg(-x) is x


def test_factors_that_do_not_vary_are_gathered():
    graph = Graph()
    x, a, b = graph.state("x"), graph.parameter("a"), graph.parameter("b")
    product = a * (x * b)
    assert not product.args[0].varies
    assert product.args[1] is x


def test_derivatives_at_a_kink():
    graph = Graph()
    x = graph.state("x")
    slopes = derivatives(graph, [graph.plus(x - 1.0), graph.smaller(x * x, graph.node(4.0))], [x])
    at = [evaluate(list(slopes.values()), {"x": np.array(v)}) for v in (0.5, 1.5, 3.0)]
    assert [[float(v) for v in values] for values in at] == [[0.0, 1.0], [1.0, 3.0], [1.0, 0.0]]


def test_unknown_operation_names_itself():
    graph = Graph()
    x = graph.state("x")
    odd = graph._make("sine", (x,))
    with pytest.raises(ValueError, match="'sine' has no derivative"):
        derivatives(graph, [odd], [x])


def test_constants_are_computed_once_per_patient():
    parameters, _ = random_point()
    values = fixed_values(parameters)
    assert values.shape == (3, len(traced().fixed))
    assert np.isfinite(values).all()
