"""A folder of 100,000 synthetic patients with 60 visits: read, assess, endpoints, report numbers.

The records are drawn from simple laws, not from a model of the disease: what counts is how many
rows go through the rules in a second, and in how much memory.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bench.measure import in_own_process

VISITS = np.array([*range(-5, 46), 60, 90, 120, 150, 180, 240, 300, 365, 500])
PROTOCOL = '[trial]\nname = "bench"\nprotocol = "all-in-one-2025"\n'


def write_records(folder: Path, patients: int, *, seed: int = 1) -> int:
    """Write the tables as Parquet; the number of rows written."""
    random = np.random.default_rng(seed)
    names = np.array([f"B{i:07d}" for i in range(patients)])
    hsct = random.integers(14, 33, patients).astype(float)
    end = np.clip(random.exponential(500, patients), 40, 700).round()
    dead = random.random(patients) < 0.4
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "protocol.toml").write_text(PROTOCOL)
    tables = {
        "patients": pl.DataFrame(
            {
                "patient": names,
                "status": ["transplanted"] * patients,
                "age_years": random.integers(12, 75, patients).astype(float),
                "sex": random.choice(["female", "male"], patients),
                "disease": random.choice(["AML", "T-ALL", "T-LBL"], patients),
                "weight_kg": random.normal(62, 12, patients).clip(20, 150),
                "cd7_percent_of_blasts": random.uniform(80, 100, patients),
                "prior_allo_hsct": random.random(patients) < 0.3,
            }
        ),
        "infusions": pl.concat(
            [
                pl.DataFrame(
                    {
                        "patient": names,
                        "day": np.zeros(patients),
                        "kind": "car_t",
                        "type": "donor_derived",
                        "car_t_1e6_per_kg": np.full(patients, 2.0),
                    }
                ),
                pl.DataFrame(
                    {
                        "patient": names,
                        "day": hsct,
                        "kind": "hspc",
                        "type": None,
                        "car_t_1e6_per_kg": None,
                    },
                    schema_overrides={"type": pl.String, "car_t_1e6_per_kg": pl.Float64},
                ),
            ]
        ),
        "followup": pl.DataFrame(
            {"patient": names, "last_contact_day": end, "status": np.where(dead, "dead", "alive")}
        ),
        "events": deaths_and_relapses(names, end, dead, random),
        "labs": labs(names, hsct, end, random),
        "vitals": vitals(names, random),
        "marrow": marrow(names, hsct, end, random),
        "gvhd": gvhd(names, hsct, end, random),
        "chimerism": pl.DataFrame(
            {
                "patient": names,
                "day": hsct + 28,
                "specimen": "blood",
                "lineage": "unsorted",
                "donor_percent": random.uniform(85, 100, patients),
            }
        ).filter(pl.Series(hsct + 28 <= end)),
    }
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return sum(frame.height for frame in tables.values())


def deaths_and_relapses(names, end, dead, random) -> pl.DataFrame:
    relapsed = random.random(len(names)) < 0.25
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "patient": names[dead],
                    "event": "death",
                    "day": end[dead],
                    "cause": random.choice(["infection", "relapse"], dead.sum()),
                }
            ),
            pl.DataFrame(
                {
                    "patient": names[relapsed],
                    "event": "relapse",
                    "day": (end[relapsed] * 0.8).round(),
                    "cause": None,
                },
                schema_overrides={"cause": pl.String},
            ),
        ]
    )


def labs(names, hsct, end, random) -> pl.DataFrame:
    n, v = len(names), len(VISITS)
    day = np.tile(VISITS.astype(float), n)
    patient = pl.Series(np.arange(n).repeat(v))
    since = day - hsct.repeat(v)
    anc = np.where((day < 3) | (since > 11), 1.5, 0.2) * random.lognormal(0, 0.3, n * v)
    platelets = np.where((day < 3) | (since > 12), 90, 14) * random.lognormal(0, 0.3, n * v)
    qpcr = 3e5 * np.exp(-np.abs(day - 14) / 3) * random.lognormal(0, 0.5, n * v)
    kept = pl.Series(day <= end.repeat(v))
    base = pl.DataFrame(
        {
            "i": patient,
            "day": day,
            "anc": anc.round(2),
            "platelets": platelets.round(0),
            "car_t_qpcr": qpcr.round(0),
        }
    ).filter(kept)
    codes = pl.DataFrame({"i": np.arange(n), "patient": names})
    long = pl.concat(
        [
            base.select(
                "i",
                "day",
                analyte=pl.lit(analyte),
                value=analyte,
                unit=pl.lit(unit),
                lloq=pl.lit(lloq, pl.Float64),
            )
            for analyte, unit, lloq in (
                ("anc", "1e9/L", None),
                ("platelets", "1e9/L", None),
                ("car_t_qpcr", "copies/ug DNA", 50.0),
            )
        ]
    ).with_columns(
        quantification=pl.when(pl.col("value") < pl.col("lloq")).then(pl.lit("below")),
        value=pl.max_horizontal("value", "lloq"),
    )
    return long.join(codes, on="i", maintain_order="left").drop("i")


def vitals(names, random) -> pl.DataFrame:
    n = len(names)
    days = np.arange(0, 15)
    size = n * len(days)
    fever = random.random(size) < 0.3
    return pl.DataFrame(
        {
            "patient": names.repeat(len(days)),
            "day": np.tile(days.astype(float), n),
            "temperature_c": np.where(fever, 38.6, 36.8),
            "systolic_mmhg": random.normal(115, 15, size).clip(60, 200),
            "oxygen_device": "room_air",
            "vasopressors": "none",
            "ice_score": 10,
            "consciousness": "alert",
        }
    )


def marrow(names, hsct, end, random) -> pl.DataFrame:
    frames = []
    for day in (np.full(len(names), 14.0), hsct + 28, hsct + 90):
        kept = day <= end
        frames.append(
            pl.DataFrame(
                {
                    "patient": names[kept],
                    "day": day[kept],
                    "specimen": "marrow",
                    "blasts_percent": random.choice([0.0, 1.0, 2.0, 6.0], kept.sum()),
                    "cells_counted": 250,
                    "cellularity_percent": random.uniform(5, 50, kept.sum()),
                    "mrd": random.choice(["negative", "positive"], kept.sum(), p=[0.9, 0.1]),
                    "mrd_sensitivity": 1e-4,
                    "mrd_events": 1e6,
                }
            )
        )
    return pl.concat(frames)


def gvhd(names, hsct, end, random) -> pl.DataFrame:
    frames = []
    for week in range(2, 9):
        day = hsct + 7 * week
        kept = day <= end
        m = kept.sum()
        sick = random.random(m) < 0.15
        frames.append(
            pl.DataFrame(
                {
                    "patient": names[kept],
                    "day": day[kept],
                    "skin_bsa_percent": np.where(sick, random.uniform(0, 80, m), 0.0),
                    "skin_bullae": False,
                    "bilirubin_mg_per_dl": random.uniform(0.4, 1.9, m),
                    "upper_gi": "none",
                    "stool_ml_per_day": np.where(sick, random.uniform(0, 1500, m), 0.0),
                }
            )
        )
    return pl.concat(frames)


def whole(folder: str) -> dict[str, float]:
    """Read, assess, derive endpoints and compute the report's survival numbers; seconds of each."""
    from graftline.assess.assessment import assess_trial
    from graftline.endpoints.derive import derive_endpoints
    from graftline.stats import kaplan_meier
    from graftline.trial.read import read_trial

    clock = [time.perf_counter()]
    trial = read_trial(Path(folder))
    clock.append(time.perf_counter())
    assessed = assess_trial(trial)
    clock.append(time.perf_counter())
    endpoints = derive_endpoints(trial, assessed)
    clock.append(time.perf_counter())
    for _, frame in endpoints.group_by("endpoint", "origin", maintain_order=True):
        kaplan_meier(frame["time_days"], (frame["status"] == 1).cast(int)).at([365.25])
    clock.append(time.perf_counter())
    read, assess, derive, numbers = np.diff(clock)
    return {
        "read": read,
        "assess": assess,
        "endpoints": derive,
        "numbers": numbers,
        "total": clock[-1] - clock[0],
    }


def run(patients: int = 100_000) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        rows = write_records(Path(folder), patients)
        figures = in_own_process("bench.trial", "whole", folder)
    return [
        {
            "patients": patients,
            "rows": f"{rows:,}",
            **{
                f"{name} s": f"{figures[name]:.1f}"
                for name in ("read", "assess", "endpoints", "numbers", "total")
            },
            "rows/s": f"{rows / figures['total']:,.0f}",
            "patients/s": f"{patients / figures['total']:,.0f}",
            "peak MB": f"{figures['peak_mb']:,.0f}",
        }
    ]
