"""Kaplan-Meier and the log-rank test at a million rows beside lifelines, scikit-survival and R.

Every measurement has a process of its own; the data (1,044 distinct days, two groups, 60% events)
are made before the clock starts, and each library has seen a small example first, so that imports
and compilation are not counted. ``answer`` is the survival at day 500 or the chi-square: it must be
the same in every row of a method. ``peak MB`` is that of the whole process, the data included.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.measure import in_own_process, seconds

ROWS = 1_000_000
DISTINCT = 1_044
METHODS = ("Kaplan-Meier", "log-rank")
PEERS = {"graftline": None, "lifelines": "lifelines", "scikit-survival": "sksurv"}
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
Arrays = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def run() -> list[dict[str, object]]:
    """One row per method, tool and number of threads."""
    return [
        row
        for threads in (1, 2)
        for method in METHODS
        for row in (
            *(_python_row(tool, method, threads) for tool in PEERS),
            _r_row(method, threads),
        )
    ]


def example(rows: int) -> Arrays:
    """Times, statuses and groups, the same for every tool."""
    rng = np.random.default_rng(20240501)
    group = rng.integers(0, 2, rows)
    time = np.minimum(1 + rng.exponential(400 + 8 * group).astype(np.int64), DISTINCT)
    return time.astype(np.float64), (rng.random(rows) < 0.6).astype(np.int64), group


def graftline(method: str, rows: int) -> dict[str, float]:
    from graftline import stats

    def work(data: Arrays) -> float:
        time, status, group = data
        if method == "log-rank":
            return stats.logrank(time, status, group).chi_square
        return float(stats.kaplan_meier(time, status).at([500]).survival[0])

    return _timed(work, rows)


def lifelines(method: str, rows: int) -> dict[str, float]:
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    def work(data: Arrays) -> float:
        time, status, group = data
        if method == "log-rank":
            return float(multivariate_logrank_test(time, group, status).test_statistic)
        return float(KaplanMeierFitter().fit(time, status).predict(500))

    return _timed(work, rows)


def scikit_survival(method: str, rows: int) -> dict[str, float]:
    from sksurv.compare import compare_survival
    from sksurv.nonparametric import kaplan_meier_estimator
    from sksurv.util import Surv

    def work(data: Arrays) -> float:
        time, status, group = data
        if method == "log-rank":
            return float(compare_survival(Surv.from_arrays(status == 1, time), group)[0])
        days, survival, _ = kaplan_meier_estimator(status == 1, time, conf_type="log-log")
        return float(survival[np.searchsorted(days, 500, side="right") - 1])

    return _timed(work, rows)


def _timed(work, rows: int) -> dict[str, float]:
    work(example(2_000))
    data = example(rows)
    answer = work(data)
    return {"seconds": seconds(lambda: work(data)), "answer": answer}


def _python_row(tool: str, method: str, threads: int) -> dict[str, object]:
    package = PEERS[tool]
    if package is not None and importlib.util.find_spec(package) is None:
        return _row(method, tool, threads, note=f"skipped: {package} is not installed")
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    function = tool.replace("-", "_")
    try:
        figures = in_own_process("bench.stats_survival", function, method, ROWS)
    except RuntimeError as error:
        return _row(method, tool, threads, note=f"failed: {error}")
    return _row(method, tool, threads, figures)


def _r_row(method: str, threads: int) -> dict[str, object]:
    if shutil.which("Rscript") is None:
        return _row(method, "R survival", threads, note="skipped: Rscript is not installed")
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("time", "status", "group")]
        for file, values in zip(files, example(ROWS), strict=True):
            values.astype(np.float64).tofile(file)
        done = subprocess.run(
            ["Rscript", "-e", _R_SCRIPT, method, str(ROWS), *map(str, files)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return _row(method, "R survival", threads, note=f"skipped: {reason}")
    time, answer, peak = (float(x) for x in done.stdout.split()[-3:])
    return _row(method, "R survival", threads, {"seconds": time, "answer": answer, "peak_mb": peak})


def _row(
    method: str,
    tool: str,
    threads: int,
    figures: dict[str, float] | None = None,
    *,
    note: str = "",
) -> dict[str, object]:
    row: dict[str, object] = {"method": method, "tool": tool, "threads": threads}
    if figures is not None:
        row |= {
            "seconds": f"{figures['seconds']:.4f}",
            "peak MB": f"{figures['peak_mb']:.0f}",
            "answer": f"{figures['answer']:.8g}",
        }
    else:
        row |= {"seconds": "", "peak MB": "", "answer": ""}
    return row | {"note": note}


_R_SCRIPT = """
suppressMessages(library(survival))
a <- commandArgs(TRUE); n <- as.integer(a[2])
read <- function(f) readBin(f, "double", n)
d <- data.frame(time = read(a[3]), status = read(a[4]), group = read(a[5]))
work <- function() if (a[1] == "log-rank") survdiff(Surv(time, status) ~ group, data = d)$chisq else
  summary(survfit(Surv(time, status) ~ 1, data = d, conf.type = "log-log"), times = 500)$surv
took <- sapply(1:3, function(i) system.time(answer <<- work())[["elapsed"]])
line <- grep("VmHWM", readLines("/proc/self/status"), value = TRUE)
cat(median(took), format(answer, digits = 12), as.numeric(gsub("[^0-9]", "", line)) / 1024, "\\n")
"""
