"""Parts of the equations: the whole with zeros in it; corners and decays found in the graph."""

import numpy as np
import pytest

from graftline.model import symbolic
from graftline.model.parameters import model, typical_parameters
from graftline.model.symbolic import slack, traced
from graftline.model.trace import Graph, evaluate
from tests.model.test_trace import random_point, symbols


@pytest.mark.parametrize("number", range(len(symbolic.ABSENT)))
def test_a_part_is_the_whole_where_what_it_leaves_out_is_zero(number):
    # property: nothing but zeros is left out, neither of the rates nor of the Jacobian
    trace = traced()
    part = trace.parts[number]
    parameters, states = random_point(seed=number)
    states[:, part.absent] = 0.0
    values = symbols(parameters, states)
    whole = [np.broadcast_to(value, 3) for value in evaluate(trace.rates, values)]
    for i, rate in enumerate(whole):
        expected = evaluate([part.rates[i]], values)[0] if i in part.rates else 0.0
        np.testing.assert_allclose(rate, np.broadcast_to(expected, 3), rtol=1e-12, atol=1e-14)
    entries = {k: v for k, v in trace.jacobian.items() if not set(k) & set(part.absent)}
    for entry, node in entries.items():
        slope = np.broadcast_to(evaluate([node], values)[0], 3)
        other = part.negative_jacobian.get(entry)
        negative = 0.0 if other is None else evaluate([other], values)[0]
        np.testing.assert_allclose(slope, -np.broadcast_to(negative, 3), rtol=1e-12, atol=1e-14)


def test_what_is_left_out_must_stay_at_zero(monkeypatch):
    # recipient T cells without CD7 arise from those with it
    monkeypatch.setattr(symbolic, "ABSENT", {"wrong": ("TR0",)})
    table, graph = model(), Graph()
    _, parameters = symbolic.symbols_of(graph, table)
    with pytest.raises(ValueError, match=r"wrong: \['TR0'\] would not stay at zero"):
        symbolic._part(graph, table, "wrong", parameters)


def test_drugs_infused_cells_and_blocks_are_all_that_only_decays():
    table = model()
    whole = traced().parts[-1]
    assert {table.states[i].name for i in whole.decays} == {"F", "Y", "V", "CP", "X", "K"}
    typical = typical_parameters()
    values = {parameter.name: typical[:, i] for i, parameter in enumerate(table.parameters)}
    rates = dict(zip(whole.decays, evaluate(list(whole.decays.values()), values), strict=True))
    assert rates[table.state_index["F"]] == -typical[:, table.parameter_index["kF"]]


def test_only_interleukin_6_forgets_an_error_at_once():
    # it is cleared with a half-life of four hours (dI 3.96 per day) and nothing multiplies it
    loose = [state.name for state, times in zip(model().states, slack(), strict=True) if times > 1]
    assert loose == ["I"]


@pytest.mark.parametrize(
    ("state", "top", "scale", "power", "offset"),
    [("NR", "Fmax", "ANC0", "gam_N", 0.001), ("P", "Fmax", "P0", "gam_P", 1.0)],
)
def test_distance_from_a_corner_changes_its_sign_on_it(state, top, scale, power, offset):
    # worked: min(top, (scale / (x + offset))**power) has its corner where the two are equal
    parameters, states = random_point(n=1)
    value = {p.name: float(parameters[0, i]) for i, p in enumerate(model().parameters)}
    corner = value[scale] * value[top] ** (-1.0 / value[power]) - offset
    signs = []
    for factor in (1.0 - 1e-6, 1.0 + 1e-6):
        at = states.copy()
        at[:, [model().state_index[name] for name in ("NR", "ND", "P")]] = 0.0
        at[:, model().state_index[state]] = corner * factor
        distances = evaluate(traced().parts[-1].kinks, symbols(parameters, at))
        signs.append(np.sign([float(np.asarray(d).reshape(-1)[0]) for d in distances]))
    assert (signs[0] != signs[1]).sum() == 1
