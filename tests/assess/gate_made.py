"""The worked example of the gate: marrow day 14, HSCT day 16, everything recorded."""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from graftline.assess import response
from graftline.assess.adjudicated import preferred
from graftline.protocol import shipped_protocol
from graftline.trial import Trial
from tests.assess.build import small_trial


@dataclass(frozen=True, slots=True)
class Before:
    results: pl.DataFrame
    chosen: pl.DataFrame
    details: dict[str, pl.DataFrame]


def before(trial: Trial) -> Before:
    done = response.assess(trial)
    chosen = preferred(done.results, source="adjudicated")
    return Before(done.results, chosen, dict(done.details))


def worked(
    *,
    blasts: float = 0.0,
    prior: bool | None = False,
    car_t_day: float = 13.0,
    hsct: float | None = 16.0,
    strategy: str = "all-in-one-2024",
    more: dict[str, Any] | None = None,
) -> Trial:
    """Marrow day 14: cellularity 5 %, ANC 0.1, platelets 12; CAR-T 8e4 copies/ug."""
    labs = [
        {"patient": "P1", "day": 14.0, "analyte": a, "value": v}
        for a, v in (("anc", 0.1), ("platelets", 12.0), ("hemoglobin", 70.0))
    ]
    labs.append(
        {
            "patient": "P1",
            "day": car_t_day,
            "analyte": "car_t_qpcr",
            "value": 8e4,
            "lloq": 50.0,
        }
    )
    patients = [
        {
            "patient": "P1",
            "status": "infused",
            "disease": "AML",
            "ecog": 1,
            "cd7_percent_of_blasts": 93.0,
            "prior_allo_hsct": prior,
            "marrow_blasts_percent": 36.0,
        }
    ]
    marrow = [{"patient": "P1", "day": 14.0, "blasts_percent": blasts, "cellularity_percent": 5.0}]
    tables = {"labs": labs, "patients": patients, "marrow": marrow} | (more or {})
    trial = small_trial(tables, hsct_day=hsct)
    return replace(trial, protocol=shipped_protocol(strategy))
