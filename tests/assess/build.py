"""Small trials for tests of assessments: patients, infusions and whatever tables a test names."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from graftline.protocol import Definitions, Protocol, shipped_protocol
from graftline.schema import table
from graftline.trial import Trial, trial_from_tables

Rows = Sequence[Mapping[str, Any]]


def protocol_with(definitions: Mapping[str, Any]) -> Protocol:
    """The strategy of 2024 with some definitions replaced."""
    protocol = shipped_protocol("all-in-one-2024")
    settled = Definitions.model_validate(protocol.definitions.model_dump() | dict(definitions))
    return protocol.model_copy(update={"definitions": settled})


def frame_of(rows: Rows, name: str) -> pl.DataFrame:
    """Rows as a frame of table ``name``; columns the schema knows get its types."""
    types = {c.name: c.dtype for c in table(name).columns}
    columns = {column for row in rows for column in row}
    return pl.DataFrame(
        [dict(row) for row in rows],
        schema={c: types.get(c, pl.String()) for c in sorted(columns)},
    )


def small_trial(
    tables: Mapping[str, Rows],
    *,
    patients: Sequence[str] = ("P1",),
    hsct_day: float | Mapping[str, float] | None = None,
    definitions: Mapping[str, Any] | None = None,
) -> Trial:
    """A trial in which every patient has CAR-T on day 0 and, where named, HSPC.

    ``patients``, ``infusions`` and ``followup`` are filled in unless the test gives them.
    """
    grafts = hsct_day if isinstance(hsct_day, Mapping) else dict.fromkeys(patients, hsct_day)
    given: dict[str, Rows] = {
        "patients": [{"patient": p, "status": "infused", "age_years": 40.0} for p in patients],
        "infusions": [
            *({"patient": p, "day": 0.0, "kind": "car_t"} for p in patients),
            *(
                {"patient": p, "day": float(d), "kind": "hspc"}
                for p, d in grafts.items()
                if d is not None
            ),
        ],
        "followup": [
            {"patient": p, "last_contact_day": 400.0, "status": "alive"} for p in patients
        ],
        **tables,
    }
    return trial_from_tables(
        protocol_with(definitions or {}),
        {name: frame_of(rows, name) for name, rows in given.items()},
    )


def one(results: pl.DataFrame, rule: str, *, source: str = "derived") -> dict[str, Any]:
    """The single result of one rule and source."""
    return results.filter((pl.col("rule") == rule) & (pl.col("source") == source)).row(
        0, named=True
    )
