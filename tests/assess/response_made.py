"""Small trials for response: one patient, marrow, counts."""

import polars as pl

from graftline.assess.response import assess
from graftline.protocol import Definitions, shipped_protocol
from graftline.trial import Trial, trial_from_tables

TYPES = {
    "circulating_blasts": pl.Boolean,
    "extramedullary": pl.Boolean,
    "anc_limit": pl.String,
    "anc_supported": pl.Boolean,
    "platelets_limit": pl.String,
    "platelets_supported": pl.Boolean,
    "spicules": pl.Boolean,
    "trilineage": pl.Boolean,
}


CLEAR = {"blasts_percent": 2.0, "baseline_blasts_percent": 60.0, "extramedullary": False}


def trial(definitions: Definitions | None = None, **tables: dict[str, list]) -> Trial:
    protocol = shipped_protocol("all-in-one-2024")
    if definitions is not None:
        protocol = protocol.model_copy(update={"definitions": definitions})
    frames = {name: pl.DataFrame(columns, strict=False) for name, columns in tables.items()}
    patients = frames["patients"]["patient"].to_list()
    frames.setdefault(
        "infusions", pl.DataFrame({"patient": patients, "day": 0.0, "kind": "car_t"}, strict=False)
    )
    return trial_from_tables(protocol, frames)


def counts(patient: str, day: float, anc: float, platelets: float) -> list[tuple]:
    return [(patient, day, "anc", anc), (patient, day, "platelets", platelets)]


def labs(*rows: list[tuple]) -> dict[str, list]:
    flat = [row for group in rows for row in group]
    return dict(
        zip(("patient", "day", "analyte", "value"), map(list, zip(*flat, strict=True)), strict=True)
    )


PEOPLE = {
    "patient": ["A"],
    "status": ["infused"],
    "marrow_blasts_percent": [36.0],
    "extramedullary_disease": [False],
}


def visit_classes(t: Trial, column: str = "overall") -> list[str | None]:
    return assess(t).details["response_visits"][column].to_list()
