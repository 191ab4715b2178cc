"""End to end: simulate, assess, endpoints. Patients per second, memory, where the time goes.

One process; two years, every decision taken. ``bench.campaign_whole`` runs the command itself.
"""

import resource
import time

import numpy as np

from graftline.endpoints.derive import derive_endpoints
from graftline.protocol import shipped_protocol
from graftline.simulate.campaign import (
    ANALYTES_OF_ENDPOINTS,
    CHUNK,
    TABLES_OF_ENDPOINTS,
    assess_for_endpoints,
)
from graftline.simulate.strategy import plan_of
from graftline.simulate.streams import streams_of
from graftline.simulate.trial import TO_THE_END, simulate_trial


def run(patients: int = 4 * CHUNK, chunk: int = CHUNK) -> list[dict[str, object]]:
    plan, streams = plan_of(shipped_protocol("all-in-one-2024")), streams_of(1)
    start = time.perf_counter()
    simulate_trial(plan, streams, np.arange(8), followup=TO_THE_END, threads=1)
    first_call = time.perf_counter() - start
    spent = {"simulate": 0.0, "assess": 0.0, "endpoints": 0.0}
    processor = time.process_time()
    for first in range(0, patients, chunk):
        numbers = np.arange(first, min(first + chunk, patients))
        marks = [time.perf_counter()]
        simulated = simulate_trial(
            plan,
            streams,
            numbers,
            followup=TO_THE_END,
            threads=1,
            only=TABLES_OF_ENDPOINTS,
            analytes=ANALYTES_OF_ENDPOINTS,
        )
        marks.append(time.perf_counter())
        assessed = assess_for_endpoints(simulated.trial)
        marks.append(time.perf_counter())
        derive_endpoints(simulated.trial, assessed)
        marks.append(time.perf_counter())
        for name, seconds in zip(spent, np.diff(marks), strict=True):
            spent[name] += float(seconds)
    total = sum(spent.values())
    processor = time.process_time() - processor
    return [
        {
            "patients": patients,
            "chunk": chunk,
            "first call, 8 patients, s": f"{first_call:.1f}",
            **{f"{name}, ms": f"{1e3 * seconds / patients:.2f}" for name, seconds in spent.items()},
            "patients/s": f"{patients / total:.0f}",
            "patients/s of processor time": f"{patients / processor:.0f}",
            "peak GB": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f}",
        }
    ]
