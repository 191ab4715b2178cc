"""End to end: simulate, assess, endpoints. Patients per second, memory, where the time goes.

Run: python bench/campaign.py [patients] [chunk]. One process; two years, every decision taken.
"""

import resource
import sys
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


def run(patients: int, chunk: int) -> None:
    plan, streams = plan_of(shipped_protocol("all-in-one-2024")), streams_of(1)
    start = time.perf_counter()
    simulate_trial(plan, streams, np.arange(8), followup=TO_THE_END, threads=1)
    print(f"first call with 8 patients: {time.perf_counter() - start:.1f} s")
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
    for name, seconds in spent.items():
        print(f"{name:10} {seconds:7.1f} s  {1e3 * seconds / patients:6.2f} ms per patient")
    processor = time.process_time() - processor
    print(f"{patients / total:.0f} patients per second, chunks of {chunk}")
    print(f"{patients / processor:.0f} patients per second of processor time")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    arguments = [int(text) for text in sys.argv[1:]]
    run(*(arguments + [4 * CHUNK, CHUNK][len(arguments) :]))
