"""Direction checks of model.md, section 8: regression tests of the code, no evidence on biology.

The values and directions are those that the design states for the typical patient (60 kg, 1.65 m2,
leukaemia 335e9 cells, HSCT on day 19), without noise, transfusions or extinction.
"""

from functools import cache

import numpy as np
import pytest

from graftline.model import observe
from graftline.model.events import (
    Body,
    car_t_infusion,
    conditioning,
    graft_infusion,
    join_doses,
    lymphodepletion,
    set_product,
    set_treatment,
)
from graftline.model.parameters import (
    column,
    starting_states,
    state_column,
    typical_parameters,
)
from graftline.model.solver import integrate

DAYS = np.arange(0.0, 90.25, 0.25)
BODY = Body(np.array([60.0]), np.array([1.65]))
ONE = np.array([0])


@cache
def course(car_t=2e6, graft_day=19.0, cd34=4.8e6, product="donor", depletion=True, expansion=1.0):
    """States of the typical patient each quarter of a day."""
    parameters = set_product(typical_parameters(), [product])
    column(parameters, "fn")[:] = 3e-8
    column(parameters, "rhoE")[:] *= expansion
    doses = []
    if depletion:
        doses.append(lymphodepletion(ONE, BODY))
    if car_t:
        doses.append(car_t_infusion(ONE, BODY, 0.0, car_t))
    if graft_day is not None:
        doses.append(graft_infusion(ONE, BODY, graft_day, cd34, 5.5e8))
    return integrate(
        starting_states(parameters, np.array([335.0])),
        parameters,
        np.array([-5.0]),
        DAYS[None, :],
        doses=join_doses(doses),
        extinction=False,
        threads=1,
    ).states[0]


def at(states, day):
    return states[np.searchsorted(DAYS, day)]


def peak(states):
    cells = observe.car_t_cells(states)
    return cells.max(), DAYS[cells.argmax()]


def anc_day(states):
    """Days from HSCT to ANC 0.5e9/L."""
    high = (observe.neutrophils(states) >= 0.5) & (DAYS > 24.0)
    return DAYS[high][0] - 19.0


# "no CAR-T -> graft rejected (donor HSPC 0 % at day 49) and leukaemia grows"
def test_without_car_t_the_graft_is_rejected_and_leukaemia_grows():
    states = course(car_t=0.0)
    last = at(states, 49.0)
    donor = state_column(last, "SD") / (state_column(last, "SD") + state_column(last, "SR"))
    assert donor < 0.005
    assert observe.leukaemia(last) > observe.leukaemia(states[0])


# "CAR-T and no HSCT -> lasting aplasia"
def test_without_hsct_aplasia_lasts():
    states = course(graft_day=None)
    assert observe.neutrophils(at(states, 60.0)) < 0.1
    assert observe.neutrophils(at(states, 90.0)) < 0.1


# "autologous CAR-T (aC=0) -> own marrow back, ANC 3.9 at day 30"
def test_autologous_car_t_let_the_own_marrow_back():
    states = at(course(graft_day=None, product="autologous"), 30.0)
    assert observe.neutrophils(states) == pytest.approx(3.9, abs=0.2)


# "no lymphodepletion -> later and lower peak (233 at day 21 against 316 at day 10)"
def test_without_lymphodepletion_the_peak_is_later_and_lower():
    height, day = peak(course())
    bare_height, bare_day = peak(course(depletion=False))
    assert height == pytest.approx(316, rel=0.05)
    assert day == pytest.approx(10.0, abs=1.0)
    assert bare_height == pytest.approx(233, rel=0.05)
    assert bare_day == pytest.approx(21.0, abs=1.0)


# "CD34 dose 2.4, 4.8, 9.6e6/kg -> ANC at 13.0, 11.25, 9.5 d"
@pytest.mark.parametrize(("cd34", "day"), [(2.4e6, 13.0), (4.8e6, 11.25), (9.6e6, 9.5)])
def test_more_stem_cells_engraft_sooner(cd34, day):
    assert anc_day(course(cd34=cd34)) == pytest.approx(day, abs=0.25)


# "half the CAR-T dose -> nearly the same peak 0.75 d later"
def test_half_the_dose_peaks_as_high_but_later():
    whole, half = peak(course()), peak(course(car_t=1e6))
    assert half[0] == pytest.approx(whole[0], rel=0.1)
    assert half[1] - whole[1] == pytest.approx(0.75, abs=0.25)


# "rhoE x 0.75 -> peak 190 at day 12, CD7+ T gone day 10.5"
def test_slower_expansion_lowers_and_delays_the_peak():
    states = course(expansion=0.75)
    height, day = peak(states)
    assert height == pytest.approx(190, rel=0.05)
    assert day == pytest.approx(12.0, abs=1.0)
    gone = DAYS[observe.cd7_positive_t_cells(states) < 1.0][0]
    assert gone == pytest.approx(10.5, abs=0.5)


# a conventional haploidentical graft takes in 9 of 10 and more by day 30 (Ciurea 2015), autologous
# CAR-T before it or not: the graft's own T cells attack the recipient's
def test_a_conventional_graft_takes_after_autologous_car_t():
    parameters = set_product(typical_parameters(), ["autologous"])
    first = [lymphodepletion(ONE, BODY), car_t_infusion(ONE, BODY, 0.0, 1e6), conditioning(ONE, 57)]
    graft = graft_infusion(ONE, BODY, 57.0, 4.8e6, 5.5e8)
    before, after = np.arange(0.0, 57.0), np.arange(57.0, 331.0)
    start = starting_states(parameters, np.array([335.0]))
    ready = integrate(
        start, parameters, np.array([-5.0]), before[None, :], doses=join_doses(first), threads=1
    ).final
    protected = set_treatment(parameters, "prophylaxis", ONE, 1.0)
    protected = set_treatment(protected, "depletion", ONE, 1.0)
    states = integrate(
        ready, protected, np.array([56.0]), after[None, :], doses=graft, threads=1
    ).states[0]
    month, late = states[28], states[270]
    assert observe.donor_myeloid(month) > 95.0
    assert observe.donor_t_cells(month, False) > 95.0
    assert observe.donor_myeloid(late) > 95.0
    assert observe.neutrophils(late) > 1.5
