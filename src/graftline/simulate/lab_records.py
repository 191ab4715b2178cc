"""Laboratory results of a chunk from its ledger, and which kinds of rows of it tables need."""

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.model import observe
from graftline.simulate.ward import Ledger

Columns = Mapping[str, NDArray[np.generic]]

_LLOQ = {
    "anc": observe.ANC.limit,
    "wbc": observe.LEUKOCYTES.limit,
    "platelets": observe.PLATELETS.limit,
    "il6": observe.IL6.limit,
    "car_t_qpcr": observe.QPCR.limit,
    "car_t_flow": observe.FLOW.limit,
    "cd3_cd7_positive": observe.FLOW.limit,
    "cd3_cd7_negative": observe.FLOW.limit,
}
_LABS = (
    ("counts", ("anc", "wbc", "platelets", "hemoglobin", "creatinine", "bilirubin")),
    ("vitals", ("il6",)),
    ("car_t", ("car_t_qpcr", "car_t_flow", "cd3_cd7_positive", "cd3_cd7_negative")),
    ("marrow", ("blood_blasts",)),
)
# tables whose rows have another name in the ledger
_KIND_OF_TABLE = {"labs": "counts"}
_WEEKLY = ("creatinine", "bilirubin")


def kinds_written(
    only: Collection[str] | None, analytes: Collection[str] | None
) -> frozenset[str] | None:
    """Kinds of rows of the ledger that these tables, and these analytes of ``labs``, are made of.

    None where all are.
    """
    if only is None:
        return None
    kinds = {_KIND_OF_TABLE.get(table, table) for table in only}
    if "labs" in only:
        kinds |= {
            kind for kind, of in _LABS if analytes is None or not set(of).isdisjoint(analytes)
        }
    return frozenset(kinds)


def labs_of(ledger: Ledger, wanted: Collection[str] | None) -> pl.DataFrame:
    """Rows of ``labs`` with ``_row`` for the patient; ``wanted`` analytes, default all."""
    parts = []
    for kind, analytes in _LABS:
        columns = ledger.columns(kind)
        for analyte in analytes:
            if columns and (wanted is None or analyte in wanted):
                parts.append(_lab(columns, analyte, weekly=analyte in _WEEKLY))
    return pl.concat(parts)


def _lab(columns: Columns, analyte: str, *, weekly: bool) -> pl.DataFrame:
    names = [name for name in ("row", "day", analyte, f"{analyte}_below") if name in columns]
    if weekly:
        sampled = columns["day"] % 7 == 0
        columns = {name: columns[name][sampled] for name in names}
    below = columns.get(f"{analyte}_below")
    quantified, lloq = pl.lit("quantified"), _LLOQ.get(analyte)
    return pl.DataFrame(
        {
            "_row": columns["row"],
            "day": columns["day"],
            "value": columns[analyte].astype(np.float64),
            "below": np.zeros(columns["row"].size, dtype=np.bool_) if below is None else below,
        }
    ).select(
        "_row",
        "day",
        analyte=pl.lit(analyte),
        value=pl.col("value").round_sig_figs(4),
        quantification=pl.when("below").then(pl.lit("below")).otherwise(quantified),
        lloq=pl.lit(lloq, dtype=pl.Float64),
    )
