"""The ten patients of Hu 2024, with the times that its printed figures force.

Months after CAR-T, from the consistency checks of the definitions (section 7, worked): 1.05 death,
3.1 censored, 3.7 death, relapse 4.3 then death 4.8, censored in [4.8, 5.6), relapse 5.6 alive, and
four followed for longer than a year.
"""

from typing import Any

import polars as pl

from graftline.trial import Trial
from tests.endpoints.made import Made, made, made_trial

MONTH = 30.4375
YEAR = 365.25
TEN: dict[str, dict[str, Any]] = {
    "P8": {"end": 32.0, "dead": True, "cause": "infection", "hsct": 19.0},
    "P9": {"end": 3.1 * MONTH, "hsct": 20.0},
    "P4": {"end": 3.7 * MONTH, "dead": True, "cause": "infection", "hsct": 16.0},
    "P7": {"end": 4.8 * MONTH, "dead": True, "cause": "relapse", "hsct": 18.0},
    "P10": {"end": 5.2 * MONTH, "hsct": 19.0},
    "P6": {"end": 14.0 * MONTH, "hsct": 19.0},
    "P5": {"end": 15.1 * MONTH, "hsct": 31.0},
    "P1": {"end": 24.0 * MONTH, "hsct": 89.0},
    "P2": {"end": 22.0 * MONTH, "hsct": 15.0},
    "P3": {"end": 20.0 * MONTH, "hsct": 21.0},
}
RELAPSES = {"P7": 4.3 * MONTH, "P6": 5.6 * MONTH}


def ten() -> tuple[Trial, Made]:
    """The trial and what the investigators say: CRi on day 14, two relapses."""
    rows: list[dict[str, Any]] = [
        {"patient": p, "rule": "remission", "state": "yes", "label": "CRi", "day": 14.0}
        for p in TEN
    ]
    rows += [
        {"patient": p, "rule": "relapse", "state": "yes", "label": "negative", "day": d}
        for p, d in RELAPSES.items()
    ]
    return made_trial(TEN), made(rows)


def kaplan_meier_at(rows: pl.DataFrame, day: float) -> float:
    """Product over event days of (1 - d / n), with late entry; ties: events first."""
    survival = 1.0
    for time in sorted(set(rows.filter(pl.col("status") > 0)["time_days"])):
        if time > day:
            break
        at_risk = rows.filter((pl.col("time_days") >= time) & (pl.col("entry_days") < time)).height
        events = rows.filter((pl.col("time_days") == time) & (pl.col("status") > 0)).height
        survival *= 1 - events / at_risk
    return survival


def incidence_at(rows: pl.DataFrame, day: float) -> float:
    """Aalen-Johansen incidence of status 1: sum of S(t-) d1 / n."""
    total, survival = 0.0, 1.0
    for time in sorted(set(rows.filter(pl.col("status") > 0)["time_days"])):
        if time > day:
            break
        at_risk = rows.filter((pl.col("time_days") >= time) & (pl.col("entry_days") < time)).height
        here = rows.filter((pl.col("time_days") == time) & (pl.col("status") > 0))
        total += survival * here.filter(pl.col("status") == 1).height / at_risk
        survival *= 1 - here.height / at_risk
    return total
