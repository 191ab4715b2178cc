"""The SBML export: libSBML finds no fault, and libRoadRunner integrates it to the same course."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from graftline.model.events import conditioning, join_doses, set_product, set_treatment
from graftline.model.parameters import model
from graftline.model.sbml import Formula, sbml_document, unit_id
from tests.model.forced import DECISIONS, START, random_cohort
from tests.model.peers import worst_relative_error
from tests.model.test_solver import integrate_exactly


def document(cohort, i=0):
    return sbml_document(
        cohort.states[i], cohort.parameters[i], doses=cohort.doses_of(i), start=START
    )


def test_libsbml_finds_no_error_and_no_unit_conflict():
    libsbml = pytest.importorskip("libsbml", reason="python-libsbml is not installed")
    read = libsbml.readSBMLFromString(document(random_cohort(1, graft=True)))
    count = read.checkConsistency()
    problems = [read.getError(i) for i in range(count)]
    # 99505: a number in a formula has no unit, so that libSBML cannot be sure; nothing else is left
    assert {problem.getErrorId() for problem in problems} <= {99505}
    target = read.getModel()
    assert target.getNumRules() == 31 + 23
    assert target.getNumEvents() == 4 * 3 + 1 + 3
    assert target.getLevel() == 3


def test_every_parameter_is_read_as_itself():
    # libSBML's formula parser takes pI for the number pi unless told to mind the case
    libsbml = pytest.importorskip("libsbml", reason="python-libsbml is not installed")
    target = libsbml.readSBMLFromString(document(random_cohort(1, graft=False))).getModel()
    maths = [target.getRule(i).getMath() for i in range(target.getNumRules())]
    used = {name for tree in maths for name in symbols_in(tree)}
    unused = {"sr0", "fn", "tr7_0", "tr0_0", "VCN"}  # starting values and observation
    assert set(model().parameter_index) - unused <= used


def symbols_in(tree):
    if tree.isName():
        yield tree.getName()
    for k in range(tree.getNumChildren()):
        yield from symbols_in(tree.getChild(k))


def test_first_day_doses_are_part_of_the_start():
    libsbml = pytest.importorskip("libsbml", reason="python-libsbml is not installed")
    cohort = random_cohort(1, graft=False)
    target = libsbml.readSBMLFromString(document(cohort)).getModel()
    assert target.getParameter("V").getValue() == 100.0
    assert target.getParameter("dose_1_day").getValue() == 1.0
    assert target.getParameter("TR7").getUnits() == "u_cells_per_uL"
    assert target.getParameter("F").getUnits() == unit_id("mg")


def test_missing_libsbml_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "libsbml", None)
    with pytest.raises(ImportError, match=r"graftline\[sbml\]"):
        document(random_cohort(1, graft=False))


def test_formulas_keep_their_brackets():
    # worked
    a, b, c = Formula("a"), Formula("b"), Formula("c")
    assert (a * (b + c)).text == "a * (b + c)"
    assert (a - (b - c)).text == "a - (b - c)"
    assert (a / (b * c)).text == "a / (b * c)"
    assert (-(a + b) * c).text == "-(a + b) * c"
    assert (1.0 - a * b).text == "1.0 - a * b"
    assert (a * -b).text == "a * -b"
    assert (2.0 / a + b).text == "2.0 / a + b"


def roadrunner_states(cohort, days):
    """States [patient, day, state] by CVODE; one document, each patient's numbers set in turn.

    Not a number where CVODE gives up at this tolerance.
    """
    roadrunner = pytest.importorskip("roadrunner", reason="libroadrunner is not installed")
    runner = roadrunner.RoadRunner(document(cohort))
    runner.integrator.relative_tolerance = 1e-11
    runner.integrator.maximum_num_steps = 1_000_000
    names = [state.name for state in model().states]
    # cells to relative accuracy, drugs and hazards not: CVODE gives up on amounts of 1e-300
    fine = dict.fromkeys(("CE", "CM", "TR7", "TR0", "TD7", "TD0", "LP", "LN", "SR", "SD"), 1e-40)
    tolerances = [fine.get(name, 1e-16) for name in runner.getRateRuleIds()]
    runner.integrator.setValue("absolute_tolerance", tolerances)
    runner.timeCourseSelections = ["time", *names]
    found = np.empty((len(cohort.states), days.size, len(names)))
    for i in range(len(cohort.states)):
        runner.resetAll()
        for name, value in set_values(cohort, i).items():
            runner[name] = value
        times = np.unique(np.append(days - START, 0.0))
        try:
            table = np.asarray(runner.simulate(times=times.tolist()))
        except RuntimeError:
            found[i] = np.nan
            continue
        found[i] = table[np.searchsorted(times, days - START), 1:]
    return found


def set_values(cohort, i):
    """What differs between patients in the exported document, by identifier."""
    table = model()
    doses = cohort.doses_of(i)
    values = dict(zip(table.parameter_index, cohort.parameters[i], strict=True))
    states = cohort.states[i].copy()
    first = doses.day <= START
    np.add.at(states, doses.state[first], doses.amount[first])
    values |= dict(zip(table.state_index, states, strict=True))
    order = np.lexsort((doses.state, doses.day))
    for number, k in enumerate(order[first.sum() :], start=1):
        values[f"dose_{number}_day"] = doses.day[k] - START
        values[f"dose_{number}_amount"] = doses.amount[k]
    return values


def days_between_doses():
    """Whole days may be dose days, on which another program may report either side."""
    return np.unique(np.round(DECISIONS[DECISIONS > START] + 0.013, 3))


@pytest.mark.slow
@pytest.mark.parametrize("graft", [True, False])
def test_agrees_with_libroadrunner_on_20_random_patients(graft):
    cohort = random_cohort(20, graft=graft)
    check_against_roadrunner(cohort)


@pytest.mark.slow
@pytest.mark.parametrize("graft", [True, False])
def test_agrees_with_libroadrunner_on_200_random_patients(graft):
    cohort = random_cohort(200, graft=graft)
    check_against_roadrunner(cohort)


# terms that the all-in-one strategy switches off: conditioning, prophylaxis, depletion, products
@pytest.mark.slow
@pytest.mark.parametrize("product", ["autologous", "earlier_donor", "universal"])
def test_agrees_with_libroadrunner_on_conventional_grafts(product):
    cohort = random_cohort(6, graft=True)
    parameters = set_product(cohort.parameters, [product] * 6)
    for treatment in ("prophylaxis", "depletion"):
        parameters = set_treatment(parameters, treatment, np.arange(6), 1.0)
    doses = join_doses([cohort.doses, conditioning(np.arange(6), np.ceil(cohort.graft_day) + 7.0)])
    check_against_roadrunner(replace(cohort, parameters=parameters, doses=doses))


def check_against_roadrunner(cohort):
    days = days_between_doses()
    reference = roadrunner_states(cohort, days)
    run = integrate_exactly(cohort, days)
    assert run.failures() == []
    given = np.isfinite(reference).all(axis=(1, 2))
    assert given.mean() >= 0.99
    assert worst_relative_error(run.states[given], reference[given]).max() < 1e-4
