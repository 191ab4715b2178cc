"""Doses and switches: amounts worked by hand, and the fate of small clones against exact laws."""

import numpy as np
import pytest

from graftline.model import events
from graftline.model.parameters import (
    column,
    model,
    starting_states,
    state_column,
    typical_parameters,
)
from graftline.model.solver import integrate

BODY = events.Body(np.array([60.0, 80.0]), np.array([1.65, 1.9]))
BOTH = np.array([0, 1])


def amounts(doses, state):
    return doses.amount[doses.state == model().state_index[state]].tolist()


def test_lymphodepletion_of_the_paper():
    # worked: 30 and 300 mg/m2 at 1.65 and 1.9 m2; etoposide 100 mg flat; five days
    doses = events.lymphodepletion(BOTH, BODY)
    assert amounts(doses, "F")[:2] == pytest.approx([49.5, 57.0])
    assert amounts(doses, "Y")[:2] == pytest.approx([495.0, 570.0])
    assert set(amounts(doses, "V")) == {100.0}
    assert sorted(set(doses.day.tolist())) == [-5.0, -4.0, -3.0, -2.0, -1.0]
    assert len(doses.day) == 30


def test_car_t_and_graft_amounts():
    # worked: 60 kg has 4.2e9 uL of blood; 2e6/kg gives 1.2e8 cells, 28.571 per uL;
    # CD34 4.8e6*60*0.15/7e9 = 0.0061714; CD3 5.5e8*60*0.01/4.2e9 = 0.078571, 92 % CD7+
    cells = events.car_t_infusion(BOTH, BODY, 0.0, 2e6)
    assert cells.amount.tolist() == pytest.approx([28.571429, 28.571429])
    graft = events.graft_infusion(BOTH, BODY, np.array([19.0, 25.0]), 4.8e6, 5.5e8)
    assert amounts(graft, "SD")[0] == pytest.approx(0.00617143, rel=1e-5)
    assert amounts(graft, "TD7")[0] == pytest.approx(0.92 * 78.571429)
    assert amounts(graft, "TD0")[0] == pytest.approx(0.08 * 78.571429)
    assert graft.day[:2].tolist() == [19.0, 25.0]


def test_myeloablative_conditioning_leaves_one_stem_cell_in_ten_thousand():
    # docs/simulate.md: 4 logs of SR; here without regrowth. Worked: five parts of 0.2 that fade by
    # 2 a day have acted to 1 - 0.2 (e**-4 + ... + e**-12) = 0.99576 by the day of the graft;
    # 18.4/2 * 0.99576 = 9.161, or 3.979 logs
    parameters = typical_parameters()
    column(parameters, "rS")[:] = 0.0
    states = starting_states(parameters, np.array([0.0]))
    doses = events.conditioning(np.array([0]), 100.0)
    run = integrate(states, parameters, np.array([90.0]), np.array([[100.0]]), doses=doses)
    left = state_column(run.final, "SR")[0] / 0.35
    inflammation = np.exp(-0.1 * (5.0 / 305.0) * 10.0)
    assert np.log10(left / inflammation) == pytest.approx(-3.979, abs=0.002)


def test_half_the_intensity_is_half_the_logs():
    doses = events.conditioning(np.array([0]), 0.0, intensity=0.5)
    assert doses.amount.sum() == pytest.approx(0.5)
    assert sorted(doses.day.tolist()) == [-6.0, -5.0, -4.0, -3.0, -2.0]


def test_platelets_and_tocilizumab():
    doses = events.platelet_transfusion(np.array([1]), 12.0)
    assert (doses.patient[0], doses.amount[0], doses.day[0]) == (1, 25.0, 12.0)
    states = np.zeros((2, len(model().states)))
    given = events.give_tocilizumab(states, np.array([1]))
    assert state_column(given, "X").tolist() == [0.0, 0.8]
    assert state_column(states, "X").tolist() == [0.0, 0.0]
    run = integrate(given, typical_parameters(2), np.zeros(2), np.full((2, 1), 10.0))
    # design: blocked share 0.8 exp(-0.1 t)
    np.testing.assert_allclose(state_column(run.final, "X"), [0.0, 0.8 * np.exp(-1.0)], rtol=1e-6)


def test_switches_touch_only_the_patients_named():
    parameters = typical_parameters(3)
    changed = events.set_treatment(parameters, "steroid", np.array([1]), 1.0)
    assert column(changed, "steroid").tolist() == [0.0, 1.0, 0.0]
    assert column(parameters, "steroid").tolist() == [0.0, 0.0, 0.0]
    products = events.set_product(parameters, ["donor", "universal", "autologous"])
    assert column(products, "aC").tolist() == [1.0, 0.5, 0.0]
    assert column(products, "aG").tolist() == [0.0, 0.1, 0.0]
    assert column(products, "aD").tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="'cord'"):
        events.set_product(parameters, ["donor", "cord", "donor"])  # type: ignore[list-item]  # refused


def test_birth_death_probabilities():
    # Kendall 1948, worked: pure death d = 1, t = 1 -> extinct 1 - 1/e; b = d = 1, t = 1 -> 1/2;
    # b = 2, d = 1, t -> infinity -> extinct d/b = 1/2
    extinct, _ = events.birth_death(
        np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 30.0])
    )
    np.testing.assert_allclose(extinct, [1 - np.exp(-1.0), 0.5, 0.5], rtol=1e-9)


def test_small_clones_keep_their_expected_size():
    # law: a birth-death process has the mean of the equations, n exp((b - d) t)
    n = 20_000
    parameters = typical_parameters(n)
    states = np.zeros((n, len(model().states)))
    state_column(states, "LN")[:] = 20e-9
    state_column(states, "LP")[:] = 1e-3
    state_column(states, "TD0")[:] = 50.0
    (birth, death) = events.clone_rates(states[:1], parameters[:1])["LN"]
    uniforms = np.random.default_rng(3).random((n, 2, 3))
    drawn = events.draw_small_clones(states, parameters, np.full(n, 7.0), uniforms)
    cells = state_column(drawn, "LN") * 1e9
    expected = 20.0 * np.exp((birth[0] - death[0]) * 7.0)
    assert cells.mean() == pytest.approx(expected, rel=0.02)
    extinct, _ = events.birth_death(birth, death, np.array([7.0]))
    assert (cells == 0).mean() == pytest.approx(extinct[0] ** 20, abs=0.01)
    assert (state_column(drawn, "LP") == 1e-3).all()
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-6)


def test_no_doses_join_to_none():
    assert len(events.join_doses([]).day) == 0


@pytest.mark.parametrize(
    ("change", "check"),
    [
        # regression of directions stated in the design, of the code and not of biology
        ("no_car_t", lambda with_it, without: without["SD"][49] < 1e-3 < with_it["SD"][49]),
        ("no_graft", lambda with_it, without: without["NR"][60] + without["ND"][60] < 0.1),
        ("autologous", lambda _, without: 2.5 < without["NR"][30] + without["ND"][30] < 5.0),
        ("half_dose", lambda _, without: 200 < max(without["CE"].values()) < 400),
    ],
)
def test_directions(change, check):
    days = np.arange(0.0, 61.0)
    body = events.Body(np.array([60.0]), np.array([1.65]))

    def course(change):
        parameters = typical_parameters()
        if change == "autologous":
            parameters = events.set_product(parameters, ["autologous"])
        states = starting_states(parameters, np.array([335.0]))
        doses = events.forced_course(
            body,
            graft_day=None if change in ("no_graft", "autologous") else np.array([19.0]),
            car_t_per_kg={"no_car_t": 0.0, "half_dose": 1e6}.get(change, 2e6),
        )
        run = integrate(states, parameters, np.array([-5.0]), days[None, :], doses=doses)
        return {
            name: dict(zip(days.astype(int).tolist(), run.states[0, :, i].tolist(), strict=True))
            for name, i in model().state_index.items()
        }

    assert check(course(""), course(change))
