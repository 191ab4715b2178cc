"""The solver against SciPy, a reference run, exact solutions, and laws it must keep."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.model import observe
from graftline.model.events import (
    Body,
    car_t_infusion,
    conditioning,
    forced_course,
    give_tocilizumab,
    join_doses,
)
from graftline.model.parameters import (
    column,
    model,
    starting_states,
    state_column,
    typical_parameters,
)
from graftline.model.solver import Doses, integrate
from tests.model.forced import DECISIONS, START, random_cohort
from tests.model.peers import scipy_states, worst_relative_error
from tests.reference import reference_path

TYPICAL_BODY = Body(np.array([60.0]), np.array([1.65]))


def integrate_exactly(cohort, days=DECISIONS):
    """No extinction and relative accuracy at all scales: what another solver must agree with."""
    return integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(days),
        doses=cohort.doses,
        extinction=False,
        rtol=1e-8,
        atol_factor=1e-25,
    )


def test_typical_patient_agrees_with_the_reference_run():
    # golden: LSODA rtol 1e-9 on the same equations, written to four digits, made by another program
    path: Path = reference_path("../design/model_reference.csv")
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    values = np.array([[float(cell) for cell in row] for row in rows])
    parameters = typical_parameters()
    column(parameters, "fn")[:] = 3e-8
    doses = forced_course(TYPICAL_BODY, graft_day=np.array([19.0]))
    run = integrate(
        starting_states(parameters, np.array([335.0])),
        parameters,
        np.array([START]),
        values[None, :, 0],
        doses=doses,
        extinction=False,
    )
    got = run.states[0][:, [model().state_index[name] for name in header[1:]]]
    reference = values[:, 1:]
    error = np.abs(got - reference) / np.maximum(reference, 1e-300)
    assert error[reference > 1e-6].max() < 1e-3


@pytest.mark.parametrize("graft", [True, False])
def test_agrees_with_scipy_on_20_random_patients(graft):
    # SciPy DOP853 at rtol 1e-10, restarted at each dose; 1e-4 where the reference exceeds 1e-6
    cohort = random_cohort(20, graft=graft)
    run = integrate_exactly(cohort)
    assert run.failures() == []
    assert worst_relative_error(run.states, scipy_states(cohort, DECISIONS)).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("graft", [True, False])
def test_agrees_with_scipy_on_200_random_patients(graft):
    cohort = random_cohort(200, graft=graft)
    run = integrate_exactly(cohort)
    assert run.failures() == []
    assert worst_relative_error(run.states, scipy_states(cohort, DECISIONS)).max() < 1e-4


def test_agrees_with_scipy_under_conditioning_and_tocilizumab():
    # the states that the forced course leaves at zero, and a second CAR-T infusion a month later
    cohort = random_cohort(6, graft=True)
    patients = np.arange(6)
    days = np.array([-5.0, 1.0, 14.0, 20.5, 33.0, 47.0, 90.0])
    more = [
        conditioning(patients, cohort.graft_day, intensity=0.3),
        car_t_infusion(patients, cohort.body, 45.0, 1e6),
    ]
    treated = dataclasses.replace(
        cohort,
        states=give_tocilizumab(cohort.states, patients),
        doses=join_doses([cohort.doses, *more]),
    )
    run = integrate_exactly(treated, days)
    assert run.failures() == []
    assert worst_relative_error(run.states, scipy_states(treated, days)).max() < 1e-4
    usual = integrate(
        treated.states, treated.parameters, treated.start, treated.stops(days), doses=treated.doses
    )
    np.testing.assert_allclose(usual.states, run.states, rtol=3e-4, atol=1e-8)


def test_a_drug_is_gone_when_less_is_left_than_its_allowed_error():
    cohort = random_cohort(4, graft=False)
    days = np.array([5.0, 60.0])
    usual = integrate(
        cohort.states, cohort.parameters, cohort.start, cohort.stops(days), doses=cohort.doses
    )
    strict = integrate_exactly(cohort, days)
    drug = state_column(usual.states, "F")
    assert (drug[:, 0] > 0.0).all()
    assert (drug[:, 1] == 0.0).all()
    left = state_column(strict.states, "F")[:, 1]
    assert (left > 0.0).all()
    assert (left < 1e-11).all()


def test_a_corner_inside_a_step_costs_no_accuracy():
    # the feedback on platelets is cut off at Fmax: M1 turns a corner. Truth: the same at 1e-12
    cohort = random_cohort(8, graft=True)
    arguments = (cohort.states, cohort.parameters, cohort.start, cohort.stops(DECISIONS[:30]))
    exact = integrate(*arguments, doses=cohort.doses, rtol=1e-12, extinction=False)
    usual = integrate(*arguments, doses=cohort.doses, rtol=1e-6, extinction=False)
    np.testing.assert_allclose(
        state_column(usual.states, "M1"), state_column(exact.states, "M1"), rtol=4e-5
    )


def test_drugs_follow_their_exact_solution():
    # law: each dose of a linear one-compartment drug decays as exp(-k t), and doses add up
    cohort = random_cohort(5, graft=False)
    days = np.array([-5.0, -4.5, -1.0, 0.25, 1.0])
    run = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(days),
        doses=cohort.doses,
        rtol=1e-8,
    )
    for drug, rate in (("F", "kF"), ("Y", "kY"), ("V", "kV")):
        given = cohort.doses.state == model().state_index[drug]
        patient, day = cohort.doses.patient[given], cohort.doses.day[given]
        since = days[None, :] - day[:, None]
        decay = np.exp(-column(cohort.parameters, rate)[patient][:, None] * since)
        parts = np.where(since > 0, cohort.doses.amount[given][:, None] * decay, 0.0)
        exact = np.zeros((5, days.size))
        np.add.at(exact, patient, parts)
        np.testing.assert_allclose(state_column(run.states, drug), exact, rtol=1e-6, atol=1e-9)


def test_infused_car_t_settle_exponentially():
    # law: CP(t) = dose exp(-kD t)
    cohort = random_cohort(5, graft=False)
    days = np.array([0.0, 0.5, 2.0, 5.0])
    run = integrate(
        cohort.states, cohort.parameters, cohort.start, cohort.stops(days), doses=cohort.doses
    )
    dose = 2e6 * cohort.body.weight_kg / cohort.body.blood_ul
    exact = dose[:, None] * np.exp(-column(cohort.parameters, "kD")[:, None] * days)
    exact[:, 0] = 0.0  # a stop on the day of a dose comes before it
    np.testing.assert_allclose(state_column(run.states, "CP"), exact, rtol=1e-5)


@pytest.mark.parametrize("stiff", [0, 1])
def test_error_falls_with_the_order_of_the_methods(stiff):
    # law: the error falls as the number of steps to the power of the order, 5; one order is allowed
    # for the control, which estimates the error of the method one order lower
    cohort = random_cohort(4, graft=False, seed=3)
    start = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(np.array([2.0])),
        doses=cohort.doses,
        rtol=1e-10,
    )
    pace_stiff = np.full(4, stiff)

    def run(rtol):
        pace = dataclasses.replace(start.pace, stiff=pace_stiff, step=np.full(4, 1e-3))
        return integrate(
            start.final,
            cohort.parameters,
            np.full(4, 2.0),
            np.full((4, 1), 2.5),
            pace=pace,
            rtol=rtol,
            atol_factor=1e3,
            extinction=False,
        )

    exact = run(1e-13).final[:, :28]
    errors, steps = [], []
    for rtol in (1e-5, 1e-7, 1e-9):
        result = run(rtol)
        scale = np.maximum(exact, 1e-3)
        errors.append((np.abs(result.final[:, :28] - exact) / scale).max())
        steps.append(result.steps.sum())
    slope = -np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert slope.mean() > 4.0


def test_same_bytes_for_any_number_of_threads_and_any_neighbours():
    cohort = random_cohort(61, graft=True)

    def run(rows, threads):
        chosen = np.isin(cohort.doses.patient, rows)
        place = {row: i for i, row in enumerate(rows)}
        doses = Doses(
            np.array([place[row] for row in cohort.doses.patient[chosen]]),
            cohort.doses.state[chosen],
            cohort.doses.day[chosen],
            cohort.doses.amount[chosen],
        )
        return integrate(
            cohort.states[rows],
            cohort.parameters[rows],
            cohort.start[rows],
            cohort.stops()[rows],
            doses=doses,
            threads=threads,
        )

    alone = run(np.arange(61), 1)
    for threads in (2, 3, 5):
        assert run(np.arange(61), threads).states.tobytes() == alone.states.tobytes()
    backwards = run(np.arange(61)[::-1], 1)
    assert backwards.states[::-1].tobytes() == alone.states.tobytes()
    assert run(np.array([7]), 1).states[0].tobytes() == alone.states[7].tobytes()


@pytest.mark.parametrize("width", [2, 4])
def test_narrower_registers_give_the_same_answer(width):
    cohort = random_cohort(9, graft=True)
    arguments = (cohort.states, cohort.parameters, cohort.start, cohort.stops())
    wide = integrate(*arguments, doses=cohort.doses)
    narrow = integrate(*arguments, doses=cohort.doses, width=width)
    np.testing.assert_allclose(narrow.states, wide.states, rtol=1e-6, atol=1e-9)


def test_time_does_not_enter_the_equations():
    # law: the whole course 100 days later is the same course
    cohort = random_cohort(8, graft=True)
    shifted = dataclasses.replace(cohort.doses, day=cohort.doses.day + 128.0)
    plain = integrate(
        cohort.states, cohort.parameters, cohort.start, cohort.stops(), doses=cohort.doses
    )
    later = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start + 128.0,
        cohort.stops() + 128.0,
        doses=shifted,
    )
    np.testing.assert_allclose(later.states, plain.states, rtol=1e-5, atol=1e-9)


def test_stopping_to_look_changes_nothing():
    # law: integrating in pieces, handing the pace on, is integrating at once
    cohort = random_cohort(8, graft=False)
    days = np.array([3.0, 9.0, 14.0, 20.0, 60.0, 200.0])
    at_once = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(days),
        doses=cohort.doses,
        rtol=1e-7,
    )
    states, start, pace, pieces = cohort.states, cohort.start, None, []
    for day in days:
        due = (cohort.doses.day >= start[0]) & (cohort.doses.day < day)
        doses = Doses(*(getattr(cohort.doses, f.name)[due] for f in dataclasses.fields(Doses)))
        piece = integrate(
            states,
            cohort.parameters,
            start,
            np.full((8, 1), day),
            doses=doses,
            pace=pace,
            rtol=1e-7,
        )
        states, start, pace = piece.final, piece.day, piece.pace
        pieces.append(piece.final)
    assert worst_relative_error(np.stack(pieces, axis=1), at_once.states).max() < 1e-4


@settings(deadline=None, derandomize=True, max_examples=10)
@given(seed=st.integers(0, 10**6), graft=st.booleans())
def test_no_negative_cells_and_no_donor_before_the_graft(seed, graft):
    # properties: nothing below zero; before HSCT donor stem cells, graft T cells and TD7 are zero;
    # noise-free qPCR never above what a microgram of DNA can hold
    cohort = random_cohort(6, graft=graft, seed=seed)
    run = integrate(
        cohort.states, cohort.parameters, cohort.start, cohort.stops(), doses=cohort.doses
    )
    assert run.failures() == []
    assert np.isfinite(run.states).all()
    assert run.states.min() >= 0.0
    graft_day = cohort.graft_day if graft else np.full(6, np.inf)
    before = DECISIONS[None, :] <= graft_day[:, None]
    for name in ("SD", "ND1", "ND2", "ND", "TD7"):
        assert (state_column(run.states, name)[before] == 0.0).all()
    copies = column(cohort.parameters, "VCN")[:, None]
    assert (observe.car_copies(run.states, copies) <= observe.most_car_copies(copies)).all()


def test_cumulative_hazards_never_fall_and_match_quadrature():
    # law: B is the integral of G (Simpson's rule on a fine grid); hazards are non-negative
    cohort = random_cohort(4, graft=True)
    column(cohort.parameters, "relapsed")[:] = 1.0
    days = np.arange(-5.0, 120.001, 0.05)
    run = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(days),
        doses=cohort.doses,
        rtol=1e-7,
    )
    damage = state_column(run.states, "G")
    area = (0.05 * (damage[:, 1:] + damage[:, :-1]) / 2).sum(axis=1)
    np.testing.assert_allclose(state_column(run.states, "B")[:, -1], area, rtol=2e-3)
    exact = np.broadcast_to((days + 5.0) / 75.0, (4, days.size))
    np.testing.assert_allclose(state_column(run.states, "HR"), exact, rtol=1e-6, atol=1e-12)
    assert (np.diff(state_column(run.states, "HI"), axis=1) > 0).all()


def test_a_dying_clone_below_one_cell_is_extinct_and_can_be_kept():
    parameters = typical_parameters(2)
    cohort_states = starting_states(parameters, np.array([335.0, 335.0]))
    body = Body(np.full(2, 60.0), np.full(2, 1.65))
    arguments = (cohort_states, parameters, np.full(2, START), np.full((2, 1), 60.0))
    doses = forced_course(body, graft_day=np.full(2, 19.0))
    with_it = integrate(*arguments, doses=doses)
    without = integrate(*arguments, doses=doses, extinction=False)
    # reference run: CD7+ leukaemia is 3.25e-13 on day 60, 3e-4 of one cell
    assert (state_column(with_it.final, "LP") == 0.0).all()
    np.testing.assert_allclose(state_column(without.final, "LP"), 3.25e-13, rtol=0.01)
    # one cell less changes nothing that can be measured
    np.testing.assert_allclose(
        state_column(with_it.final, "LN"), state_column(without.final, "LN"), rtol=1e-4
    )


def test_each_patient_has_own_stops():
    cohort = random_cohort(3, graft=False)
    stops = np.array([[0.0, 5.0, 10.0], [3.0, np.nan, np.nan], [np.nan, np.nan, np.nan]])
    run = integrate(cohort.states, cohort.parameters, cohort.start, stops, doses=cohort.doses)
    assert run.day.tolist() == [10.0, 3.0, START]
    np.testing.assert_array_equal(run.states[1, 2], run.final[1])
    np.testing.assert_array_equal(run.final[2], cohort.states[2])


def test_failures_have_a_name_advice_and_no_nan():
    cohort = random_cohort(4, graft=False)
    states, parameters = cohort.states.copy(), cohort.parameters.copy()
    states[0, model().state_index["CE"]] = -1.0
    column(parameters, "k7")[1] = np.nan
    column(parameters, "dI")[2] = 1e14
    run = integrate(
        states, parameters, cohort.start, cohort.stops(), doses=cohort.doses, max_steps=2000
    )
    names = run.reasons()
    assert names[:2] == ["negative_state", "input_not_finite"]
    assert names[2] in ("too_many_steps", "step_too_small", "ok")
    assert names[3] == "ok"
    assert np.isfinite(run.states).all()
    assert np.isfinite(run.final).all()
    assert len(run.failures()) == sum(name != "ok" for name in names)
    assert "correct the starting state" in run.failures()[0]


def test_giving_up_keeps_the_last_good_state():
    cohort = random_cohort(3, graft=False)
    run = integrate(
        cohort.states,
        cohort.parameters,
        cohort.start,
        cohort.stops(),
        doses=cohort.doses,
        max_steps=60,
    )
    assert set(run.reasons()) == {"too_many_steps"}
    assert (run.day < 730.0).all()
    assert np.isfinite(run.states).all()
    np.testing.assert_array_equal(run.states[:, -1], run.final)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": np.zeros(3)}, "start: found shape"),
        ({"stops": np.array([[5.0, 1.0]] * 2)}, "stops of patients 0, 1"),
        ({"stops": np.array([[np.nan, 1.0]] * 2)}, "stops of patients 0, 1"),
        ({"stops": np.full((2, 1), -9.0)}, "stops of patients 0, 1"),
        ({"states": np.zeros((2, 5))}, "states: found shape"),
    ],
)
def test_misshapen_input_is_refused_with_the_place(change, message):
    cohort = random_cohort(2, graft=False)
    arguments = {
        "states": cohort.states,
        "parameters": cohort.parameters,
        "start": cohort.start,
        "stops": cohort.stops(),
    } | change
    with pytest.raises(ValueError, match=message):
        integrate(**arguments)


def test_doses_must_point_into_the_tables():
    cohort = random_cohort(2, graft=False)
    doses = Doses(np.array([2]), np.array([0]), np.array([1.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="patients 0 to 1"):
        integrate(cohort.states, cohort.parameters, cohort.start, cohort.stops(), doses=doses)


def test_nobody_is_integrated_in_no_time():
    empty = random_cohort(1, graft=False)
    run = integrate(empty.states[:0], empty.parameters[:0], empty.start[:0], np.empty((0, 2)))
    assert run.states.shape == (0, 2, len(model().states))
