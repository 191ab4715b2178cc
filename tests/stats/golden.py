"""Results of R for public data sets, and the data with the derivations R used."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.reference import reference_path

DATASETS = ("bmt137", "bmtcrr", "ebmt1", "ebmt3", "ebmt4", "edge_and_binomial")


@dataclass(frozen=True)
class Entry:
    """One call of R and its result; numbers have 12 significant digits, None is NA or infinite."""

    dataset: str
    id: str
    method: str
    call: str
    result: Any

    def __str__(self) -> str:
        return f"{self.dataset}:{self.id}"


@cache
def all_entries(dataset: str) -> tuple[Entry, ...]:
    path = reference_path(f"survival/{dataset}.golden.json")
    raw = json.loads(path.read_text(encoding="utf-8"))["entries"]
    return tuple(Entry(dataset, e["id"], e["method"], e["call"], e["result"]) for e in raw)


def entries(*methods: str, datasets: tuple[str, ...] = DATASETS) -> list[Entry]:
    """Entries of these methods for ``pytest.mark.parametrize``; none where the data are absent."""
    try:
        found = [e for dataset in datasets for e in all_entries(dataset)]
    except pytest.skip.Exception:
        return []
    return [e for e in found if e.method in methods]


@cache
def raw_table(dataset: str) -> pl.DataFrame:
    path = reference_path(f"survival/{dataset}.csv")
    return pl.read_csv(path, infer_schema_length=None)


@cache
def data_for(dataset: str, prefix: str) -> pl.DataFrame:
    """The data set as the entries with this id prefix used it: columns time and status added."""
    frame = raw_table(dataset)
    time, status = _DERIVED[dataset, prefix]
    return frame.with_columns(time.cast(pl.Float64).alias("time"), status.alias("status"))


@cache
def time_dependent(dataset: str, prefix: str) -> pl.DataFrame:
    """One row per patient with time, status and txtime (null: never switched)."""
    frame = raw_table(dataset)
    if dataset == "ebmt3":
        columns = ("rfstime", "rfsstat", "prtime", "prstat")
    elif prefix == "platelet":
        columns = ("t2", "d3", "tp", "dp")
    else:
        columns = ("t1", "d1", "ta", "da")
    time, status, tx, switched = columns
    return frame.select(
        "id",
        pl.col(time).cast(pl.Float64).alias("time"),
        pl.col(status).alias("status"),
        pl.when(pl.col(switched) == 1).then(pl.col(tx)).cast(pl.Float64).alias("txtime"),
    )


def prefix_of(entry: Entry) -> str:
    return entry.id.split(".")[0]


def strata_of(entry: Entry) -> list[str]:
    """Names of the strata in R's order, as ``variable=level``."""
    result = entry.result
    for key in ("strata_sizes", "quantile"):
        if isinstance(result.get(key), dict):
            return list(result[key])
    return list(dict.fromkeys(result["strata"]))


def assert_equals_r(found: Any, expected: Any, *, rel: float = 1e-8, absolute: float = 1e-12):
    """``found`` equals R's numbers; R's null is NaN or infinite here."""
    ours = np.atleast_1d(np.asarray(found, dtype=float))
    theirs = np.atleast_1d(np.array(_nan_for_null(expected), dtype=float))
    assert ours.shape == theirs.shape
    undefined = np.isnan(theirs)
    assert not np.any(np.isfinite(ours[undefined])), "R has no value here"
    np.testing.assert_allclose(ours[~undefined], theirs[~undefined], rtol=rel, atol=absolute)


def _nan_for_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_nan_for_null(v) for v in value]
    return np.nan if value is None else value


_col = pl.col
_DERIVED = {
    ("bmt137", "os"): (_col("t1"), _col("d1")),
    ("bmt137", "dfs"): (_col("t2"), _col("d3")),
    ("bmt137", "cr"): (
        _col("t2"),
        pl.when(_col("d3") == 0).then(0).when(_col("d2") == 1).then(1).otherwise(2),
    ),
    ("bmtcrr", "efs"): (_col("ftime"), (_col("Status") != 0).cast(pl.Int64)),
    ("bmtcrr", "cr"): (_col("ftime"), _col("Status")),
    ("ebmt1", "os"): (_col("srv"), _col("srvstat")),
    ("ebmt1", "cr"): (
        pl.min_horizontal("rel", "srv"),
        pl.when(_col("relstat") == 1).then(1).when(_col("srvstat") == 1).then(2).otherwise(0),
    ),
    ("ebmt3", "rfs"): (_col("rfstime"), _col("rfsstat")),
}
