"""Other solvers on the same virtual patients: each takes a cohort and gives states.

All get the same rates, from the traced equations (libRoadRunner through SBML), the same doses and
the same days. Patients go one after the other, which is how these solvers work; diffrax takes all
at once, which is how it works.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from tests.model.forced import START, Cohort, random_cohort
from tests.model.peers import compiled_rates, rates_source

from graftline.model.parameters import model
from graftline.model.sbml import sbml_document
from graftline.model.symbolic import fixed_values

Floats = NDArray[np.float64]
Solver = Callable[[Cohort, Floats], Floats]


def segments(cohort: Cohort, i: int, end: float) -> list[tuple[float, float, Floats]]:
    """Stretches between doses of one patient: from, to, what is added at the start."""
    doses = cohort.doses_of(i)
    days = np.unique(doses.day)
    pieces = []
    for k, day in enumerate(days):
        added = np.zeros(len(model().states))
        now = doses.day == day
        np.add.at(added, doses.state[now], doses.amount[now])
        pieces.append((float(day), float(days[k + 1]) if k + 1 < days.size else end, added))
    return pieces


def scipy_lsoda(rtol: float, atol: float) -> Solver:
    """SciPy's LSODA with the rates compiled by numba."""

    def solve(cohort: Cohort, days: Floats) -> Floats:
        constants, rates = fixed_values(cohort.parameters), compiled_rates()
        found = np.empty((len(cohort.states), days.size, cohort.states.shape[1]))
        for i in range(len(cohort.states)):
            y = cohort.states[i].copy()
            found[i, days <= START] = y
            for start, end, added in segments(cohort, i, days[-1]):
                y = y + added
                within = (days > start) & (days <= end)
                times = np.unique(np.append(days[within], end))
                run = solve_ivp(
                    rates, (start, end), y, "LSODA", times,
                    rtol=rtol, atol=atol, args=(constants[i],),
                )  # fmt: skip
                found[i, within] = run.y.T[np.searchsorted(times, days[within])]
                y = run.y[:, -1]
        return found

    return solve


def numbalsoda(method: str, rtol: float, atol: float) -> Solver:
    """numbalsoda's LSODA or DOP853; the loop over doses and days is compiled too."""
    course = _numbalsoda_course(method)

    def solve(cohort: Cohort, days: Floats) -> Floats:
        constants = fixed_values(cohort.parameters)
        found = np.empty((len(cohort.states), days.size, cohort.states.shape[1]))
        for i in range(len(cohort.states)):
            pieces = segments(cohort, i, days[-1])
            cuts = np.array([piece[0] for piece in pieces] + [days[-1]])
            added = np.array([piece[2] for piece in pieces])
            course(cohort.states[i], constants[i], cuts, added, days, rtol, atol, found[i])
        return found

    return solve


@lru_cache(maxsize=2)
def _numbalsoda_course(method: str) -> Any:
    import numba
    import numbalsoda as library

    scope: dict[str, Any] = {}
    exec("import math\n" + rates_source(), scope)
    inner = numba.njit(scope["rates"])
    size = len(model().states)
    constants = fixed_values(np.ones((1, len(model().parameters)))).shape[1]

    @numba.cfunc(library.lsoda_sig)
    def rates(t, u, du, p):
        y, dy = numba.carray(u, (size,)), numba.carray(du, (size,))
        inner(t, y, numba.carray(p, (constants,)), dy)

    address = rates.address
    solver = library.lsoda if method == "lsoda" else library.dop853

    @numba.njit
    def course(y, c, cuts, added, days, rtol, atol, found):
        y = y.copy()
        k = 0
        while k < days.size and days[k] <= cuts[0]:
            found[k] = y
            k += 1
        times = np.empty(days.size + 2)
        for piece in range(cuts.size - 1):
            y += added[piece]
            times[0] = cuts[piece]
            count, first = 1, k
            while k < days.size and days[k] <= cuts[piece + 1]:
                times[count] = days[k]
                count += 1
                k += 1
            inside = count
            if times[count - 1] < cuts[piece + 1]:
                times[count] = cuts[piece + 1]
                count += 1
            result, _ = solver(address, y, times[:count], c, rtol=rtol, atol=atol)
            found[first:k] = result[1:inside]
            y = result[count - 1].copy()

    return course


@contextmanager
def _silence() -> Iterator[None]:
    """Throw away what compiled libraries print: thousands of warnings would bury the table."""
    sys.stdout.flush()
    kept, nothing = (os.dup(1), os.dup(2)), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        for number, place in enumerate(kept, start=1):
            os.dup2(place, number)
            os.close(place)
        os.close(nothing)


def roadrunner(rtol: float, atol: float) -> Solver:
    """libRoadRunner's CVODE on one SBML document; each patient's numbers are set in turn."""
    import roadrunner as library

    library.Logger.disableLogging()

    loaded = []

    def solve(cohort: Cohort, days: Floats) -> Floats:
        if not loaded:
            loaded.append(_roadrunner_of(cohort))
        (runner,) = loaded
        runner.integrator.relative_tolerance = rtol
        runner.integrator.absolute_tolerance = atol
        table = model()
        runner.timeCourseSelections = ["time", *table.state_index]
        times = [0.0, *(days - START).tolist()]
        found = np.full((len(cohort.states), days.size, len(table.states)), np.nan)
        for i in range(len(cohort.states)):
            runner.resetAll()
            for name, value in _document_values(cohort, i).items():
                runner[name] = value
            try:
                with _silence():
                    found[i] = np.asarray(runner.simulate(times=times))[1:, 1:]
            except RuntimeError:
                continue  # counted as a failure by the caller
        return found

    return solve


def _roadrunner_of(cohort: Cohort) -> Any:
    import roadrunner as library

    text = sbml_document(
        cohort.states[0], cohort.parameters[0], doses=cohort.doses_of(0), start=START
    )
    runner = library.RoadRunner(text)
    runner.integrator.maximum_num_steps = 1_000_000
    return runner


def _document_values(cohort: Cohort, i: int) -> dict[str, float]:
    table, doses = model(), cohort.doses_of(i)
    states = cohort.states[i].copy()
    first = doses.day <= START
    np.add.at(states, doses.state[first], doses.amount[first])
    values = dict(zip(table.parameter_index, cohort.parameters[i].tolist(), strict=True))
    values |= dict(zip(table.state_index, states.tolist(), strict=True))
    order = np.lexsort((doses.state, doses.day))
    for number, k in enumerate(order[first.sum() :], start=1):
        values[f"dose_{number}_day"] = doses.day[k] - START
        values[f"dose_{number}_amount"] = doses.amount[k]
    return values


def amici(rtol: float, atol: float) -> Solver:
    """AMICI's CVODES on the same SBML document, compiled from C++ that it generates."""
    import amici.sim.sundials as library

    built = _amici_module().get_model()
    states, order = built.get_state_ids(), list(model().state_index)
    columns = [states.index(name) for name in order]

    def solve(cohort: Cohort, days: Floats) -> Floats:
        solver = built.create_solver()
        solver.set_relative_tolerance(rtol)
        solver.set_absolute_tolerance(atol)
        solver.set_max_steps(1_000_000)
        built.set_timepoints((days - START).tolist())
        found = np.full((len(cohort.states), days.size, len(order)), np.nan)
        for i in range(len(cohort.states)):
            values = _document_values(cohort, i)
            built.set_free_parameters([values[name] for name in built.get_free_parameter_ids()])
            built.set_initial_state([values[name] for name in states])
            with _silence():
                result = library.run_simulation(built, solver)
            if result.status == library.AMICI_SUCCESS:
                found[i] = result.x[:, columns]
        return found

    return solve


@lru_cache(maxsize=1)
def _amici_module() -> Any:
    """The model built by AMICI: most of a minute, a C++ compiler, the SWIG that AMICI came from."""
    import amici as library
    from amici.importers.sbml import SbmlImporter

    folder = tempfile.mkdtemp(prefix="amici-")
    cohort = random_cohort(1, graft=True)
    text = sbml_document(
        cohort.states[0], cohort.parameters[0], doses=cohort.doses_of(0), start=START
    )
    try:
        SbmlImporter(text, from_file=False).sbml2amici(
            "virtual_patient", folder, generate_sensitivity_code=False, verbose=logging.CRITICAL
        )
        module = library.import_model_module("virtual_patient", folder)
        module.get_model()
    except (AttributeError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        raise ImportError(f"AMICI could not build the model: {error}") from error
    return module


def diffrax(rtol: float, atol: float) -> Solver:
    """diffrax's Tsit5, all patients in one ``vmap``, restarted at each dose."""
    import diffrax as library
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    vector_field = _jax_rates(jnp)

    def piece(y: Any, c: Any, start: Any, end: Any, times: Any) -> Any:
        return library.diffeqsolve(
            library.ODETerm(vector_field),
            library.Tsit5(),
            start,
            end,
            None,
            y,
            c,
            saveat=library.SaveAt(ts=times, t1=True),
            stepsize_controller=library.PIDController(rtol=rtol, atol=atol),
            max_steps=100_000,
        ).ys

    together = jax.jit(jax.vmap(piece))

    def solve(cohort: Cohort, days: Floats) -> Floats:
        constants = jnp.asarray(fixed_values(cohort.parameters))
        plans = [segments(cohort, i, days[-1]) for i in range(len(cohort.states))]
        y = cohort.states
        found = np.empty((len(y), days.size, y.shape[1]))
        found[:, days <= START] = y[:, None, :]
        for k in range(len(plans[0])):
            start = np.array([plan[k][0] for plan in plans])
            end = np.array([plan[k][1] for plan in plans])
            added = np.array([plan[k][2] for plan in plans])
            times = np.clip(days[None, :], start[:, None], end[:, None])
            result = np.asarray(together(y + added, constants, start, end, times))
            within = (days[None, :] > start[:, None]) & (days[None, :] <= end[:, None])
            found[within] = result[:, :-1][within]
            y = result[:, -1]
        return found

    return solve


def _jax_rates(jnp: Any) -> Any:
    text = rates_source().replace("def rates(t, y, c, dy):", "def rates(t, y, c):\n    dy = {}")
    for python, array in (
        ("math.", "jnp."),
        ("max(", "jnp.maximum("),
        ("min(", "jnp.minimum("),
    ):
        text = text.replace(python, array)
    size = len(model().states)
    text += f"\n    return jnp.stack([dy[i] + 0.0 * y[0] for i in range({size})])"
    scope: dict[str, Any] = {"jnp": jnp}
    exec(text, scope)
    return scope["rates"]
