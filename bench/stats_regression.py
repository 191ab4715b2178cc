"""Competing risks and regression at a million rows beside lifelines, scikit-survival and R.

Every measurement has a process of its own; the data (1,044 distinct days, two causes, two groups,
five covariates) are made before the clock starts, and each library has seen a small example first,
so that imports and compilation are not counted. ``answer`` must be the same in every row of a
method: the incidence of cause 1 at day 500, the chi-square, or the first coefficient. ``peak MB``
is that of the whole process, the data included. A tool without the method has no row.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.measure import in_own_process, seconds

ROWS = 1_000_000
FEW_ROWS = 10_000
DISTINCT = 1_044
INCIDENCE, GRAY, COX, FINE_GRAY = "cumulative incidence", "Gray's test", "Cox", "Fine-Gray"
WORK = (
    (INCIDENCE, ROWS, ("graftline", "lifelines", "scikit-survival", "R")),
    (GRAY, ROWS, ("graftline", "R")),
    (COX, ROWS, ("graftline", "lifelines", "scikit-survival", "R")),
    (FINE_GRAY, FEW_ROWS, ("graftline", "R")),
    (FINE_GRAY, ROWS, ("graftline",)),
)
_PACKAGES = {"lifelines": "lifelines", "scikit-survival": "sksurv"}
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
Arrays = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def run(threads: Sequence[int] = (1, 2)) -> list[dict[str, object]]:
    """One row per method, size, tool and number of threads."""
    return [
        _measured(method, rows, tool, number)
        for number in threads
        for method, rows, tools in WORK
        for tool in tools
    ]


def example(rows: int) -> Arrays:
    """Times, statuses (0, 1, 2), groups and covariates, the same for every tool."""
    rng = np.random.default_rng(20240502)
    group = rng.integers(0, 2, rows)
    x = np.round(rng.normal(size=(rows, 5)), 3)
    x[:, 4] = group
    pace = np.exp(x @ np.array([0.3, -0.2, 0.1, 0.0, 0.2]))
    time = np.minimum(1 + (rng.exponential(400, rows) / pace).astype(np.int64), DISTINCT)
    status = rng.choice(3, rows, p=[0.4, 0.35, 0.25])
    return time.astype(np.float64), status.astype(np.int64), group, x


def graftline(method: str, rows: int) -> dict[str, float]:
    from graftline.stats.aalen_johansen import cumulative_incidence
    from graftline.stats.cox import cox
    from graftline.stats.fine_gray import fine_gray
    from graftline.stats.gray import gray_test

    def work(data: Arrays) -> float:
        time, status, group, x = data
        if method == INCIDENCE:
            return float(cumulative_incidence(time, status).at([500], 1).incidence[0])
        if method == GRAY:
            return gray_test(time, status, group).statistic
        if method == COX:
            return float(cox(time, status > 0, x).coef[0])
        return float(fine_gray(time, status, x).coef[0])

    return _timed(work, rows, repeat=3)


def lifelines(method: str, rows: int) -> dict[str, float]:
    import pandas as pd
    from lifelines import AalenJohansenFitter, CoxPHFitter

    def work(data: Arrays) -> float:
        time, status, _, x = data
        if method == COX:
            frame = pd.DataFrame(x).assign(time=time, event=status > 0)
            return float(CoxPHFitter().fit(frame, "time", "event").params_.iloc[0])
        fit = AalenJohansenFitter(seed=1, calculate_variance=True).fit(time, status, 1)
        return float(fit.cumulative_density_[fit.cumulative_density_.index <= 500].iloc[-1, 0])

    return _timed(work, rows, repeat=1)


def scikit_survival(method: str, rows: int) -> dict[str, float]:
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.nonparametric import cumulative_incidence_competing_risks
    from sksurv.util import Surv

    def work(data: Arrays) -> float:
        time, status, _, x = data
        if method == COX:
            model = CoxPHSurvivalAnalysis(ties="efron")
            return float(model.fit(x, Surv.from_arrays(status > 0, time)).coef_[0])
        days, incidence, _ = cumulative_incidence_competing_risks(
            status, time, conf_type="log-log", var_type="Aalen"
        )
        return float(incidence[1, np.searchsorted(days, 500, side="right") - 1])

    return _timed(work, rows, repeat=1)


def _timed(work: Callable[[Arrays], float], rows: int, *, repeat: int) -> dict[str, float]:
    work(example(2_000))
    data = example(rows)
    answers = []
    taken = seconds(lambda: answers.append(work(data)), repeat=repeat)
    return {"seconds": taken, "answer": answers[-1]}


def _measured(method: str, rows: int, tool: str, threads: int) -> dict[str, object]:
    row: dict[str, object] = {"method": method, "rows": rows, "tool": tool, "threads": threads}
    package = _PACKAGES.get(tool)
    if tool == "R" and shutil.which("Rscript") is None:
        return {**row, "note": "skipped: Rscript is not installed"}
    if package is not None and importlib.util.find_spec(package) is None:
        return {**row, "note": f"skipped: {package} is not installed"}
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    try:
        if tool == "R":
            figures = _in_r(method, rows)
        else:
            function = tool.replace("-", "_")
            figures = in_own_process("bench.stats_regression", function, method, rows)
    except RuntimeError as error:
        return {**row, "note": f"failed: {error}"}
    return {
        **row,
        "seconds": f"{figures['seconds']:.4g}",
        "peak MB": f"{figures['peak_mb']:.0f}",
        "answer": f"{figures['answer']:.8g}",
    }


def _in_r(method: str, rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table"
        time, status, group, x = example(rows)
        np.column_stack((time, status, group, x)).T.astype(np.float64).tofile(file)
        done = subprocess.run(
            ["Rscript", "-e", _R_SCRIPT, method, str(rows), str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
    taken, answer, peak = (float(value) for value in done.stdout.split()[-3:])
    return {"seconds": taken, "answer": answer, "peak_mb": peak}


_R_SCRIPT = """
a <- commandArgs(TRUE); n <- as.numeric(a[2])
suppressMessages({library(survival); library(cmprsk)})
m <- matrix(readBin(a[3], "double", 8 * n), ncol = 8)
time <- m[, 1]; status <- m[, 2]; group <- m[, 3]; x <- m[, 4:8]
fastest <- function(...) { best <- NULL
  for (f in list(...)) { s <- system.time(v <- f())[["elapsed"]]
    if (is.null(best) || s < best[[1]]) best <- list(s, v) }
  best }
state <- factor(status, 0:2)
r <- switch(a[1],
  "cumulative incidence" = fastest(
    function() timepoints(cuminc(time, status), 500)$est[1, 1],
    function() summary(survfit(Surv(time, state) ~ 1), times = 500)$pstate[2]),
  "Gray's test" = fastest(function() cuminc(time, status, group)$Tests[1, 1]),
  "Cox" = fastest(function() coxph(Surv(time, status > 0) ~ x)$coefficients[[1]]),
  "Fine-Gray" = fastest(function() crr(time, status, x)$coef[[1]]))
peak <- sum(gc()[, 6])
cat(sprintf("%.6f %.10g %.1f", r[[1]], r[[2]], peak))
"""
