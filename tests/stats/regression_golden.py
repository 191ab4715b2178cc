"""R's answers on data of the survival package and made-up data with heavy ties (golden file).

Made by tests/golden/regression.R, which names the versions; the data are in the same file.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from tests.stats.golden import Entry

_FILE = Path(__file__).parents[1] / "golden" / "regression.golden.json"


@cache
def _content() -> dict[str, Any]:
    return json.loads(_FILE.read_text(encoding="utf-8"))


@cache
def golden_data(name: str) -> pl.DataFrame:
    return pl.DataFrame(_content()["data"][name], strict=False)


def golden_entries(kind: str) -> list[Entry]:
    return [
        Entry("regression", e["id"], kind, e["call"], e["result"])
        for e in _content()["entries"]
        if e["id"].split(".")[0] == kind
    ]
