"""Virtual patients per second and core beside other solvers, each at its measured error.

200 random patients with a transplant, two years, 67 visits, doses forced, extinction off, one core;
seconds are processor seconds, rounds interleaved, the fastest round counts. The error of a patient
is the largest relative error of any state over all visits where the reference (SciPy DOP853 at rtol
1e-10) exceeds 1e-6. Patients in whom a clone fell below one cell and came back are left out of the
error: without extinction they depend on numbers as small as 1e-30. A peer's setting is compared
with the fastest of ours whose median error and 95 % error are both no larger.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tests.model.forced import DECISIONS, START, Cohort, random_cohort
from tests.model.peers import scipy_states

from bench import kernel_peers
from graftline.model.parameters import model
from graftline.model.solver import integrate

Floats = NDArray[np.float64]
PATIENTS = 200
ROUNDS = 5
OURS_PATIENTS = 1024
THREADED_PATIENTS = 8192
OURS_RTOL = (1e-5, 8e-6, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8)
_ONE_CELL = 1e-9
_COUNTED = 1e-6
# a little after the whole days on which doses are given, where programs differ in what they report
DAYS = np.round(DECISIONS[DECISIONS > START] + 0.013, 3)


@dataclass(frozen=True, slots=True)
class Row:
    """One solver at one tolerance: error per patient, processor seconds of each round."""

    name: str
    solver: kernel_peers.Solver
    size: int
    error: Floats
    failed: int
    seconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.size / min(self.seconds)

    @property
    def median(self) -> float:
        return float(np.median(self.error))

    @property
    def high(self) -> float:
        return float(np.quantile(self.error, 0.95))


def ours(rtol: float, *, threads: int = 1) -> kernel_peers.Solver:
    def solve(cohort: Cohort, days: Floats) -> Floats:
        run = integrate(
            cohort.states, cohort.parameters, cohort.start, cohort.stops(days),
            doses=cohort.doses, rtol=rtol, extinction=False, threads=threads,
        )  # fmt: skip
        return run.states

    return solve


def contenders() -> list[tuple[str, Callable[[], kernel_peers.Solver], int]]:
    """Name, what makes the solver, and how many patients it is timed on."""
    p = kernel_peers
    rows: list[tuple[str, Callable[[], kernel_peers.Solver], int]] = []
    for rtol in OURS_RTOL:
        rows.append((f"graftline {rtol:g}", lambda rtol=rtol: ours(rtol), OURS_PATIENTS))
    for method in ("lsoda", "dop853"):
        for rtol, atol in ((1e-6, 1e-9), (1e-6, 1e-11), (1e-7, 1e-11)):
            name = f"numbalsoda {method} {rtol:g}/{atol:g}"
            rows.append((name, lambda m=method, r=rtol, a=atol: p.numbalsoda(m, r, a), PATIENTS))
    for rtol, atol in ((1e-6, 1e-9), (1e-8, 1e-11), (1e-9, 1e-13)):
        name = f"libRoadRunner {rtol:g}/{atol:g}"
        rows.append((name, lambda r=rtol, a=atol: p.roadrunner(r, a), PATIENTS))
    for rtol, atol in ((1e-6, 1e-9), (1e-8, 1e-11)):
        rows.append((f"AMICI {rtol:g}/{atol:g}", lambda r=rtol, a=atol: p.amici(r, a), PATIENTS))
    rows.append(("SciPy LSODA 1e-6/1e-9", lambda: p.scipy_lsoda(1e-6, 1e-9), 40))
    rows.append(("diffrax Tsit5 1e-6/1e-9", lambda: p.diffrax(1e-6, 1e-9), 128))
    return rows


def run() -> list[dict[str, object]]:
    """All contenders on the same patients; timed in turn, several rounds, by processor time."""
    cohort = random_cohort(PATIENTS, graft=True)
    reference = scipy_states(cohort, DAYS)
    counted = ~came_back(reference)
    cohorts = {PATIENTS: cohort}
    rows, notes = [], []
    for name, make, size in contenders():
        try:
            solver = make()
        except ImportError as error:
            notes.append({"solver": name, "note": f"skipped: {error}"})
            continue
        if size not in cohorts:
            cohorts[size] = random_cohort(size, graft=True)
        error, failed = _errors(solver, cohort, reference, counted)
        solver(cohorts[size], DAYS)
        rows.append(Row(name, solver, size, error, failed))
    for _ in range(ROUNDS):
        for row in rows:
            start = time.process_time()
            row.solver(cohorts[row.size], DAYS)
            row.seconds.append(time.process_time() - start)
    notes += [
        {
            "solver": "all",
            "note": f"{(~counted).sum()} of {PATIENTS} not in the error: a clone came back",
        },
        {"solver": "graftline", "note": f"first call, no cache: {first_call():.1f} s (goal 5)"},
        {"solver": "graftline", "note": two_threads()},
    ]
    return [*_compared(rows), *notes]


def came_back(reference: Floats) -> NDArray[np.bool_]:
    """Patients in whom something fell from above 1e-6 to below one cell (1e-9) and rose again."""
    fell = np.zeros(reference[:, 0].shape, dtype=np.bool_)
    seen = np.zeros_like(fell)
    result = np.zeros_like(fell)
    for day in range(reference.shape[1]):
        value = reference[:, day]
        seen |= value > _COUNTED
        fell |= seen & (value < _ONE_CELL)
        result |= fell & (value > _COUNTED)
    drugs = [i for i, state in enumerate(model().states) if state.unit == "mg"]
    result[:, drugs] = False
    return result.any(axis=1)


def _errors(
    solver: kernel_peers.Solver, cohort: Cohort, reference: Floats, counted: NDArray[np.bool_]
) -> tuple[Floats, int]:
    """Largest relative error of each patient that counts, and how many patients failed."""
    found = solver(cohort, DAYS)
    states = np.array([not state.cumulative for state in model().states])
    relative = np.abs(found - reference) / np.maximum(np.abs(reference), 1e-300)
    error = np.where(reference > _COUNTED, relative, 0.0)[:, :, states].max(axis=(1, 2))
    good = np.isfinite(error)
    return error[counted & good], int((~good).sum())


def _compared(rows: list[Row]) -> list[dict[str, object]]:
    mine = [row for row in rows if row.name.startswith("graftline")]
    table: list[dict[str, object]] = []
    for row in rows:
        line: dict[str, object] = {
            "solver": row.name,
            "patients/s": f"{row.per_second:.0f}",
            "error median": f"{row.median:.1e}",
            "error 95 %": f"{row.high:.1e}",
            "error max": f"{row.error.max():.1e}",
            "failed": row.failed,
            "graftline is faster": "",
        }
        as_good = [m for m in mine if m.median <= row.median and m.high <= row.high]
        if row not in mine and as_good:
            best = max(as_good, key=lambda m: m.per_second)
            times = best.per_second / row.per_second
            line["graftline is faster"] = f"{times:.1f} x ({best.name}, error no larger)"
        table.append(line)
    return table


def two_threads() -> str:
    """Wall time of one thread over that of two, the fastest of several rounds in turn."""
    if (os.cpu_count() or 1) < 2:
        return "two threads: not run on one core"
    cohort = random_cohort(THREADED_PATIENTS, graft=True)
    fastest = {1: np.inf, 2: np.inf}
    for _ in range(ROUNDS):
        for threads in fastest:
            start = time.perf_counter()
            ours(1e-6, threads=threads)(cohort, DAYS[-1:])
            fastest[threads] = min(fastest[threads], time.perf_counter() - start)
    return f"two threads: {fastest[1] / fastest[2]:.2f} times one (wall time)"


_FIRST = """
import time; start = time.perf_counter()
import numpy as np
from graftline.model.parameters import starting_states, typical_parameters
from graftline.model.solver import integrate
p = typical_parameters(8)
integrate(starting_states(p, np.full(8, 335.0)), p, np.zeros(8), np.full((8, 1), 30.0))
print(time.perf_counter() - start)
"""


def first_call() -> float:
    """Seconds from the import to the first states, in a new process without any cache."""
    with tempfile.TemporaryDirectory() as nothing:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": nothing}
        command = [sys.executable, "-c", _FIRST]
        done = subprocess.run(command, capture_output=True, check=True, env=environment, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(run()))
