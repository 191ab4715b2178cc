"""The ten patients of Hu 2024 as times, as worked by hand from the printed facts.

Days are months times 30.4375. Patient 8 died 13 days after HSCT (day 32 for HSCT on day 19),
Patient 4 at 3.7 months, Patient 7 relapsed at 4.3 and died at 4.8, Patient 6 relapsed at 5.6 and
lives; survivors were followed 3.1, between 4.8 and 5.6, and longer than 12 months.
"""

import polars as pl

from graftline.protocol import shipped_protocol
from graftline.trial import Trial, trial_from_tables

PATIENTS = [f"P{i:02d}" for i in range(1, 11)]
_MONTH = 30.4375
#            P01   P02   P03   P04  P05   P06   P07  P08         P09  P10
DEATH_OR_END = [24.0, 20.0, 18.5, 3.7, 15.1, 10.0, 4.8, 32 / _MONTH, 3.1, 5.0]
DEAD = [0, 0, 0, 1, 0, 0, 1, 1, 0, 0]
RELAPSE = [None, None, None, None, None, 5.6, 4.3, None, None, None]
HSCT_DAY = [89, *[19] * 9]


def ten_patients() -> Trial:
    """Status, infusions and follow-up; nothing else is recorded."""
    protocol = shipped_protocol("all-in-one-2024")
    days = [m * _MONTH for m in DEATH_OR_END]
    infusions = pl.DataFrame(
        {
            "patient": PATIENTS * 2,
            "day": [0.0] * 10 + [float(d) for d in HSCT_DAY],
            "kind": ["car_t"] * 10 + ["hspc"] * 10,
        }
    )
    followup = pl.DataFrame(
        {
            "patient": PATIENTS,
            "last_contact_day": days,
            "status": ["dead" if d else "alive" for d in DEAD],
        }
    )
    patients = pl.DataFrame({"patient": PATIENTS, "status": ["transplanted"] * 10})
    return trial_from_tables(
        protocol, {"patients": patients, "infusions": infusions, "followup": followup}
    )


def endpoint_rows() -> pl.DataFrame:
    """Overall and disease-free survival, relapse and non-relapse mortality, by hand."""
    frames = []
    for endpoint in (
        "overall_survival",
        "disease_free_survival",
        "relapse",
        "non_relapse_mortality",
    ):
        frames.append(_rows(endpoint))
    late = _rows("overall_survival").with_columns(
        endpoint=pl.lit("overall_survival_entry_at_hsct"),
        entry_days=pl.Series([float(d) for d in HSCT_DAY]),
    )
    return pl.concat([*frames, late])


def _rows(endpoint: str) -> pl.DataFrame:
    times, status, causes = [], [], []
    for end, dead, relapse in zip(DEATH_OR_END, DEAD, RELAPSE, strict=True):
        first = relapse if relapse is not None and endpoint != "overall_survival" else end
        died_free = bool(dead) and relapse is None
        code = {
            "overall_survival": int(dead),
            "disease_free_survival": int(died_free or relapse is not None),
            "relapse": 1 if relapse is not None else 2 * died_free,
            "non_relapse_mortality": 2 if relapse is not None else int(died_free),
        }[endpoint]
        times.append(first * _MONTH)
        status.append(int(code))
        causes.append(None if code == 0 else "relapse" if relapse is not None else "death")
    return pl.DataFrame(
        {
            "patient": PATIENTS,
            "endpoint": endpoint,
            "origin": "car_t",
            "entry_days": 0.0,
            "time_days": times,
            "status": pl.Series(status, dtype=pl.Int32),
            "cause": pl.Series(causes, dtype=pl.String),
            "assumed": False,
        }
    )
