"""How many patients have another endpoint when the integration errs half as much.

Same patients, same seed; any row that differs in time, status or cause counts, by however little.
"""

import numpy as np
import polars as pl

from graftline.endpoints.derive import derive_endpoints
from graftline.protocol import shipped_protocol
from graftline.simulate.campaign import (
    ANALYTES_OF_ENDPOINTS,
    TABLES_OF_ENDPOINTS,
    assess_for_endpoints,
)
from graftline.simulate.strategy import plan_of
from graftline.simulate.streams import streams_of
from graftline.simulate.trial import TO_THE_END, simulate_trial

_KEYS = ("patient", "endpoint")
_COMPARED = ("entry_days", "time_days", "status", "cause")


def endpoints(protocol: str, numbers: np.ndarray, tolerance: float) -> pl.DataFrame:
    trial = simulate_trial(
        plan_of(shipped_protocol(protocol)),
        streams_of(1),
        numbers,
        followup=TO_THE_END,
        threads=1,
        only=TABLES_OF_ENDPOINTS,
        analytes=ANALYTES_OF_ENDPOINTS,
        tolerance=tolerance,
    ).trial
    return derive_endpoints(trial, assess_for_endpoints(trial)).select(*_KEYS, *_COMPARED)


def changed(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Rows of either that the other does not have just so."""
    both = one.join(other, on=_KEYS, how="full", suffix="_half", coalesce=True)
    apart = [pl.col(c).ne_missing(pl.col(f"{c}_half")) for c in _COMPARED]
    return both.filter(pl.any_horizontal(apart))


def run(
    patients: int = 10_000, protocol: str = "all-in-one-2024", chunk: int = 2_500
) -> list[dict[str, object]]:
    rows = []
    for first in range(0, patients, chunk):
        numbers = np.arange(first, min(first + chunk, patients))
        rows.append(changed(endpoints(protocol, numbers, 1.0), endpoints(protocol, numbers, 0.5)))
    seen = pl.concat(rows)
    total = {"protocol": protocol, "endpoint": "any", "patients": patients}
    counts = seen.group_by("endpoint").agg(pl.col("patient").n_unique().alias("changed"))
    each = counts.sort("endpoint").iter_rows(named=True)
    return [
        {**total, "changed": seen["patient"].n_unique()},
        *({**total, **row} for row in each),
    ]
