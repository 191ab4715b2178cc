"""Hand-made trials and answers: what an endpoint needs and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from graftline.assess.adjudicated import preferred
from graftline.assess.results import RESULT_SCHEMA
from graftline.protocol import Protocol, shipped_protocol
from graftline.trial import Trial, trial_from_tables
from tests.assess.build import frame_of

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Made:
    """Answers as the room of assessments would give them."""

    results: pl.DataFrame
    chosen: pl.DataFrame
    details: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def made(rows: Rows, *, details: Mapping[str, pl.DataFrame] | None = None) -> Made:
    """Answers from rows that name patient, rule, state and whatever else matters."""
    filled = [{"source": "adjudicated", "lower_bound": False} | dict(row) for row in rows]
    results = pl.DataFrame(
        [{name: row.get(name) for name in RESULT_SCHEMA} for row in filled], schema=RESULT_SCHEMA
    )
    return Made(results, preferred(results, source="adjudicated"), details or {})


def made_trial(
    patients: Mapping[str, Mapping[str, Any]],
    *,
    protocol: Protocol | None = None,
    extra: Mapping[str, Rows] | None = None,
) -> Trial:
    """A trial from one line per patient.

    Keys: ``end``, ``dead``, ``hsct`` (day), ``cause``, ``response`` (last response day),
    ``car_t`` (day, default 0; None without).
    """
    infusions: list[dict[str, Any]] = []
    followup, events = [], []
    for name, p in patients.items():
        if (car_t := p.get("car_t", 0.0)) is not None:
            infusions.append({"patient": name, "day": car_t, "kind": "car_t"})
        if p.get("hsct") is not None:
            infusions.append({"patient": name, "day": float(p["hsct"]), "kind": "hspc"})
        end = p.get("end")
        followup.append(
            {
                "patient": name,
                "last_contact_day": None if end is None else float(end),
                "status": "dead" if p.get("dead") else "alive",
                "last_response_day": p.get("response"),
            }
        )
        if p.get("dead") and end is not None:
            events.append(
                {"patient": name, "event": "death", "day": float(end), "cause": p.get("cause")}
            )
    given: dict[str, Rows] = {
        "patients": [
            {
                "patient": name,
                "status": p.get("status", "infused"),
                "enrolled_day": p.get("enrolled"),
            }
            for name, p in patients.items()
        ],
        "infusions": infusions,
        "followup": followup,
        "events": events,
        **(extra or {}),
    }
    return trial_from_tables(
        protocol or shipped_protocol("all-in-one-2024"),
        {name: frame_of(rows, name) for name, rows in given.items() if rows}
        or {"patients": pl.DataFrame(schema={"patient": pl.String})},
    )


def row_of(frame: pl.DataFrame, patient: str) -> dict[str, Any]:
    """The row of one patient."""
    return frame.filter(pl.col("patient") == patient).row(0, named=True)
