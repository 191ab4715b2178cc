"""The rates: hand-worked values, and what one pool loses another must gain."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.model.equations import ARRAYS, auxiliaries, below, rate_terms, rates
from graftline.model.parameters import model, typical_parameters
from graftline.model.solver import integrate
from tests.model.forced import random_cohort


def named(parameters, states):
    table = model()
    s = SimpleNamespace(**{name: states[..., i] for name, i in table.state_index.items()})
    p = SimpleNamespace(**{name: parameters[:, i] for name, i in table.parameter_index.items()})
    return s, p


def one_patient(**values):
    states = np.zeros((1, len(model().states)))
    for name, value in values.items():
        states[0, model().state_index[name]] = value
    return named(typical_parameters(), states)


def test_worked_example_of_car_t_expansion():
    # worked: CE 100, CM 0, TR7 100, LP 50; antigen = 0.02*50 + 0.009*100 = 1.9, A = 1.9/2.3;
    # IL-15 = 200/300; density = 1 - 100/8000; expansion 1.15*0.826087*0.666667*0.9875*100 = 62.5417
    # contraction 0.14*(1 - 0.826087)*100 = 2.43478; memory 0.4; rejection 0.02*100/250*100 = 0.8
    s, p = one_patient(CE=100.0, TR7=100.0, LP=50.0)
    terms = rate_terms(s, p)["CE"]
    assert terms["expansion"][0] == pytest.approx(62.541667, rel=1e-6)
    assert terms["contraction"][0] == pytest.approx(-2.434783, rel=1e-6)
    assert terms["memory"][0] == pytest.approx(-0.4)
    assert terms["rejection"][0] == pytest.approx(-0.8)


def test_worked_example_of_killing():
    # worked: CE 160 -> k7 C/(KC+C) = 1.6*160/200 = 1.28; kL C/(KL+C) = 1.8*160/250 = 1.152;
    # niche attack 0.75*160/165 = 0.727273
    s, p = one_patient(CE=160.0, TR7=10.0, LP=2.0, SR=0.5)
    terms = rate_terms(s, p)
    assert terms["TR7"]["car_t"][0] == pytest.approx(-12.8)
    assert terms["LP"]["car_t"][0] == pytest.approx(-2.304)
    assert terms["SR"]["car_t"][0] == pytest.approx(-0.3636364)


def test_worked_example_of_feedback():
    # worked: empty blood -> feedback cut at Fmax 3; ANC 4 -> (4/4.001)**0.17, about 1
    s, p = one_patient(NR=0.0, P=0.0)
    a = auxiliaries(s, p, ARRAYS)
    assert a.feedback_n[0] == 3.0
    assert a.feedback_p[0] == 3.0
    s, p = one_patient(NR=3.0, ND=1.0, P=219.0)
    a = auxiliaries(s, p, ARRAYS)
    assert a.feedback_n[0] == pytest.approx(0.9999575, rel=1e-6)
    assert a.feedback_p[0] == 1.0


def test_treatments_reach_their_terms():
    # design: steroids and prophylaxis leave 0.3 of alloreactivity, prophylaxis 0.7 of T growth
    # (docs/simulate.md: and 0.3 of CAR-T expansion), steroids 0.3 of IL-6 production; tocilizumab
    # blocks inflammation; G-CSF kN x 1.6, Fmax x 1.5: with an empty blood 4000**0.17 = 4.0959
    # takes the place of 3
    values = {"TD7": 50.0, "TA": 5.0, "CE": 50.0, "LP": 10.0, "I": 300.0, "SR": 0.2}
    s, p = one_patient(**values)
    plain = rate_terms(s, p)
    p.steroid = 1.0
    steroid = rate_terms(s, p)
    assert steroid["TA"]["activation"] / plain["TA"]["activation"] == pytest.approx(0.3)
    assert steroid["I"]["car_t"] / plain["I"]["car_t"] == pytest.approx(0.3)
    assert steroid["CE"]["expansion"] == plain["CE"]["expansion"]
    p.steroid, p.prophylaxis = 0.0, 1.0
    prophylaxis = rate_terms(s, p)
    assert prophylaxis["TA"]["activation"] / plain["TA"]["activation"] == pytest.approx(0.3)
    assert prophylaxis["TA"]["growth"] / plain["TA"]["growth"] == pytest.approx(0.21)
    assert prophylaxis["CE"]["expansion"] / plain["CE"]["expansion"] == pytest.approx(0.3)
    assert prophylaxis["TD7"]["growth"] / plain["TD7"]["growth"] == pytest.approx(0.7)
    p.prophylaxis, p.gcsf = 0.0, 1.0
    gcsf = rate_terms(s, p)
    assert gcsf["NR1"]["inflow"] / plain["NR1"]["inflow"] == pytest.approx(
        1.6 * 4.0959 / 3, rel=1e-4
    )
    assert gcsf["M1"]["inflow"] == plain["M1"]["inflow"]
    p.gcsf, s.X = 0.0, 0.8
    blocked = rate_terms(s, p)
    assert blocked["SR"]["inflammation"] / plain["SR"]["inflammation"] == pytest.approx(0.2)
    assert blocked["I"]["car_t"] == plain["I"]["car_t"]


def test_autologous_car_t_leave_the_recipient_alone():
    s, p = one_patient(CE=50.0, CP=5.0, TR7=100.0, TR0=50.0, SR=0.2)
    p.aC = 0.0
    terms = rate_terms(s, p)
    assert terms["SR"]["car_t"] == 0.0
    assert terms["CE"]["rejection"] == 0.0
    assert terms["TR0"]["donor_attack"] == 0.0
    assert terms["TD0"]["product"] == 0.0
    assert terms["TR7"]["car_t"] < 0.0  # CD7 is killed whoever the cells are from


def test_worked_example_of_the_attack_on_recipient_t_cells():
    # worked, donor-derived (aC = aD = 1), as published: k0 (C + TD0)/(K0 + C + TD0)
    # = 0.2*120/200 = 0.12 of TR0 50; autologous: 0.2*20/100 = 0.04, the T cells of the graft alone;
    # earlier donor (0.2 for both): 0.2*24/104 = 0.0461538
    s, p = one_patient(CE=100.0, TD0=20.0, TR0=50.0)
    for own, other, loss in ((1.0, 1.0, 6.0), (0.0, 1.0, 2.0), (0.2, 0.2, 2.307692)):
        p.aC, p.aD = own, other
        assert rate_terms(s, p)["TR0"]["donor_attack"][0] == pytest.approx(-loss)


def test_conditioning_kills_t_cells_of_any_origin_and_spares_the_graft():
    # design: conditioning is a kill of host blood and marrow; T cells do not differ by origin
    pools = dict.fromkeys(("CE", "CM", "TR7", "TR0", "TD7", "TD0", "TA"), 10.0)
    s, p = one_patient(K=0.5, SD=0.1, **pools)
    terms = rate_terms(s, p)
    for pool in pools:
        assert terms[pool]["conditioning"][0] == pytest.approx(-13.8 * 0.5 * 10.0)
    assert "conditioning" not in terms["SD"]


def test_depletion_purges_alloreactive_cells_only():
    s, p = one_patient(TD7=50.0)
    plain = rate_terms(s, p)
    p.depletion = 1.0
    depleted = rate_terms(s, p)
    share = depleted["TA"]["activation"] / plain["TA"]["activation"]
    assert share[0] == pytest.approx(p.depletion_left[0])
    assert depleted["TD7"]["growth"] == plain["TD7"]["growth"]


def test_threshold_is_half_on_the_line():
    np.testing.assert_allclose(below(np.array([0.25, 0.5, 1.0]), 0.5), [1.0, 0.5, 0.0], atol=2e-5)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_what_one_pool_loses_another_gains(seed):
    # conservation: transfers between pools appear twice with opposite sign
    draw = np.random.default_rng(seed)
    cohort = random_cohort(3, graft=True, seed=seed)
    states = np.exp(draw.normal(0.0, 3.0, cohort.states.shape))
    states[:, model().state_index["X"]] = draw.random(3)
    s, p = named(cohort.parameters, states)
    t = rate_terms(s, p)
    moved = [
        (t["TR7"]["silencing"], t["TR0"]["silencing"]),
        (t["TD7"]["silencing"], t["TD0"]["silencing"]),
        (t["TD7"]["activation"], t["TA"]["activation"]),
        (t["CE"]["memory"], t["CM"]["memory"]),
        (t["CM"]["recall"], t["CE"]["recall"]),
        (t["LP"]["loss_of_cd7"], t["LN"]["loss_of_cd7"]),
        (t["CP"]["settling"] * p.fE, t["CE"]["settling"]),
        (t["NR1"]["outflow"], t["NR2"]["inflow"]),
        (t["ND1"]["outflow"], t["ND2"]["inflow"]),
        (t["NR2"]["outflow"] * p.ANC0, t["NR"]["inflow"]),
        (t["ND2"]["outflow"] * p.ANC0, t["ND"]["inflow"]),
        (t["M1"]["outflow"], t["M2"]["inflow"]),
    ]
    for number, (lost, gained) in enumerate(moved):
        np.testing.assert_allclose(-lost, gained, rtol=1e-12, err_msg=str(number))
    losses = ("chemotherapy", "car_t", "death", "rejection", "conditioning", "inflammation")
    for state, terms in t.items():
        for reason in set(terms) & set(losses) - ({"car_t"} if state == "I" else set()):
            assert (terms[reason] <= 0.0).all(), (state, reason)


def test_pools_change_by_the_sum_of_their_terms_over_time():
    # balance of every T-cell and marrow pool: the change over an interval without doses is the sum
    # of each term's integral (Simpson's rule on a fine grid of the solver's states)
    cohort = random_cohort(4, graft=True, seed=5)
    day_zero, last, intervals = 41.0, 61.0, 2000
    days = np.linspace(day_zero, last, intervals + 1)
    run = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(days),
        doses=cohort.doses,
        rtol=1e-9,
        extinction=False,
    )
    weights = np.ones(intervals + 1)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights *= (days[1] - days[0]) / 3.0
    table = model()
    s = SimpleNamespace(**{name: run.states[..., i] for name, i in table.state_index.items()})
    p = SimpleNamespace(
        **{name: cohort.parameters[:, i, None] for name, i in table.parameter_index.items()}
    )
    pools = ["CP", "CE", "CM", "TR7", "TR0", "TD7", "TD0", "TA", "SR", "SD"]
    pools += ["NR1", "NR2", "NR", "ND1", "ND2", "ND", "M1", "M2", "P"]
    terms = rate_terms(s, p)
    for pool in pools:
        parts = {
            reason: (np.broadcast_to(term, run.states.shape[:2]) * weights).sum(axis=1)
            for reason, term in terms[pool].items()
        }
        values = run.states[..., table.state_index[pool]]
        change = values[:, -1] - values[:, 0]
        scale = np.max(np.abs(list(parts.values())), axis=0) + 1e-9
        assert (np.abs(sum(parts.values()) - change) < 2e-5 * scale).all(), pool


def test_rates_are_the_sums_of_their_terms():
    cohort = random_cohort(2, graft=True)
    s, p = named(cohort.parameters, cohort.states)
    totals = rates(s, p)
    assert set(totals) == set(model().state_index)
    for state, terms in rate_terms(s, p).items():
        np.testing.assert_allclose(totals[state], sum(terms.values()))
