"""One transplanted patient with hand-made GVHD courses."""

import polars as pl

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial

NO_GVHD = {"rule": "acute_gvhd", "state": "no"}


YES = {"rule": "acute_gvhd", "state": "yes", "value": 3.0, "day": 30.0}


CHRONIC = {"rule": "chronic_gvhd", "state": "yes", "label": "moderate", "day": 150.0}


def acute(patient: str, *steps: tuple[float | None, int], source: str = "adjudicated"):
    """The course of one patient: (day after HSPC, grade)."""
    return pl.DataFrame(
        [
            {
                "patient": patient,
                "day": None if d is None else d + 20.0,
                "hsct_day": d,
                "grade": g,
                "timing": "after HSPC",
                "source": source,
            }
            for d, g in steps
        ],
        schema={
            "patient": pl.String,
            "day": pl.Float64,
            "hsct_day": pl.Float64,
            "grade": pl.Int64,
            "timing": pl.String,
            "source": pl.String,
        },
    )


def chronic(patient: str, day: float | None, severity: str, treated: bool | None):
    return pl.DataFrame(
        {
            "patient": [patient],
            "day": [None if day is None else day + 20.0],
            "hsct_day": [day],
            "severity": [severity],
            "systemic_treatment": [treated],
            "source": ["adjudicated"],
        },
        schema_overrides={
            "day": pl.Float64,
            "hsct_day": pl.Float64,
            "systemic_treatment": pl.Boolean,
        },
    )


def one(name: str, *, person=None, rows=(), details=None, extra=None):
    trial = made_trial({"A": {"end": 400.0, "hsct": 20.0} | (person or {})}, extra=extra)
    answers = made([{"patient": "A", **row} for row in rows], details=details)
    frame = derive_endpoint(trial, answers, name)
    return frame.row(0, named=True) if frame.height else None
