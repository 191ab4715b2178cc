"""The parameter file is complete, and individual values follow their stated distribution."""

import numpy as np
import pytest

from graftline.model.parameters import (
    column,
    individual_parameters,
    model,
    starting_states,
    state_column,
    typical_parameters,
)


def test_every_entry_has_unit_source_and_mark():
    table = model()
    assert len(table.states) == 31
    assert all(state.unit and state.label for state in table.states)
    for parameter in table.parameters:
        assert parameter.unit, parameter.name
        assert parameter.source, parameter.name
        assert parameter.mark in set("VSCAM"), parameter.name
        assert parameter.omega >= 0.0, parameter.name
    assert [state.name for state in table.states if state.cumulative] == ["HI", "HR", "B"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # published: Langenhorst 2019, Ahmed 2020, Stein 2019, Hardiansyah 2019, Perez-Ruixo 2016
        ("kF", 1.84),
        ("VY", 46.5),
        ("dM", 0.0032),
        ("dI", 3.96),
        ("kP", 0.21),
        # chosen: see the mark of each
        ("rhoE", 1.15),
        ("krej", 1.0),
        ("VCN", 2.8),
    ],
)
def test_typical_values(name, value):
    assert column(typical_parameters(), name)[0] == value


def effect(name, z):
    table = model()
    effects = np.zeros((1, len(table.etas)))
    effects[0, table.etas.index(name)] = z
    return individual_parameters(effects)


def test_zero_effects_are_the_typical_patient():
    zero = np.zeros((2, len(model().etas)))
    np.testing.assert_array_equal(individual_parameters(zero), typical_parameters(2))


def test_one_factor_moves_all_parameters_that_share_it():
    # worked: omega 0.3, z = 2 -> factor exp(0.6) = 1.8221 on the three chemotherapy effects
    moved = effect("chemo_t", 2.0)
    for name, typical in (("sFT", 1.3), ("sYT", 0.035), ("sVT", 0.03)):
        assert column(moved, name)[0] == pytest.approx(typical * 1.822118800)
    assert column(moved, "sFL")[0] == 0.10


def test_escape_fraction_varies_in_log10_and_is_capped():
    # worked: 10**(-7.5 + 1.3) = 6.3096e-7; at z = 5 it would be 10**-1, capped at 1e-2
    assert column(effect("fn", 1.0), "fn")[0] == pytest.approx(6.30957e-7, rel=1e-5)
    assert column(effect("fn", 5.0), "fn")[0] == 1e-2


def test_frailty_is_standard_normal():
    assert column(effect("frailty", -1.7), "frailty")[0] == pytest.approx(-1.7)


def test_shares_stay_shares():
    assert column(effect("ptr", 9.0), "ptr")[0] == 0.95
    assert column(effect("sr0", 9.0), "sr0")[0] == 1.0


def test_wrong_number_of_effects_is_refused():
    with pytest.raises(ValueError, match="found an array of shape 2x3"):
        individual_parameters(np.zeros((2, 3)))


def test_starting_states_of_the_typical_patient():
    # design table: TR7 400, TR0 60, SR 0.35, neutrophils 4.4 SR, platelets 264 SR, IL-6 5
    parameters = typical_parameters()
    states = starting_states(parameters, np.array([324.0]))
    expected = {"TR7": 400, "TR0": 60, "SR": 0.35, "NR": 1.54, "M1": 0.42, "P": 92.4, "I": 5}
    for name, value in expected.items():
        assert state_column(states, name)[0] == pytest.approx(value)
    assert state_column(states, "LN")[0] == pytest.approx(324.0 * 10**-7.5)
    assert state_column(states, "SD")[0] == 0.0
