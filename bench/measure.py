"""One piece of work in a process of its own: wall time and peak memory."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median


def in_own_process(module: str, function: str, *arguments: object) -> dict[str, float]:
    """Call ``module.function(*arguments)`` in a fresh interpreter.

    The function returns a mapping of figures; ``peak_mb`` (of the whole process) is added.
    """
    code = (
        "import importlib, json, resource, sys\n"
        f"work = getattr(importlib.import_module({module!r}), {function!r})\n"
        f"figures = dict(work(*json.loads(sys.argv[1])))\n"
        "figures['peak_mb'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(json.dumps(figures))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def seconds(work: Callable[[], object], *, repeat: int = 3) -> float:
    """Median wall time of a piece of work in this process."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def peak_mb() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
