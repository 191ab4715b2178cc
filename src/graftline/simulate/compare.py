"""The same virtual patients under several plans.

Common random numbers: patient 17 has the same body, disease, measurement errors and thresholds of
chance under every plan, so that differences hold the plan and little else. Intervals hold Monte
Carlo error only; the model is not calibrated, and nothing here ranks doses or timings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.endpoints.derive import derive_endpoint
from graftline.problems import InputError, Problem
from graftline.protocol.strategy import Origin, Population
from graftline.simulate.campaign import (
    ANALYTES_OF_ENDPOINTS,
    TABLES_OF_ENDPOINTS,
    assess_for_endpoints,
)
from graftline.simulate.strategy import Plan, plan_of, protocol_to_simulate
from graftline.simulate.streams import streams_of
from graftline.simulate.trial import FollowUp, simulate_trial
from graftline.trial import Trial, hsct_days

Floats = NDArray[np.float64]

CAVEAT = (
    "Simulated with an uncalibrated model. Intervals hold Monte Carlo error only, not the "
    "uncertainty of the model or its parameters; they rank no doses and no timings."
)
# name, endpoint, origin, days; the share of patients with the event (or free of it)
_OUTCOMES: tuple[tuple[str, str, Origin, float, bool], ...] = (
    ("Overall survival at 12 months", "overall_survival", "car_t", 365.0, False),
    ("Disease-free survival at 12 months", "disease_free_survival", "car_t", 365.0, False),
    ("Relapse by 12 months", "relapse", "car_t", 365.0, True),
    ("Non-relapse mortality by 12 months", "non_relapse_mortality", "car_t", 365.0, True),
    ("Acute GVHD II-IV by day 100 after HSCT", "acute_gvhd_2_4", "hspc", 100.0, True),
    ("Neutrophil engraftment by day 28 after HSCT", "neutrophil_engraftment", "hspc", 28.0, True),
)
_TRANSPLANTED = "Transplanted"
_CURVES = ("overall_survival", "disease_free_survival", "relapse", "non_relapse_mortality")
_LONGEST_DAYS = 480
_KEPT = ("patient", "endpoint", "entry_days", "time_days", "status", "cause")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcomes of all plans on the same patients, and the survival endpoints behind them.

    ``outcomes`` [plan, outcome, n, events, pairs, gained, lost]: patients whose integration
    succeeded and those of them with the event; pairs with the first plan, and those of them with
    the event under this plan only (``gained``) and under the first only (``lost``).
    ``endpoints`` [plan, patient, endpoint, entry_days, time_days, status, cause], from CAR-T.
    ``failures`` names patients whose integration failed under a plan; they are in no pair.
    """

    plans: tuple[str, ...]
    patients: int
    outcomes: pl.DataFrame
    assumed: Mapping[str, tuple[str, ...]]
    endpoints: pl.DataFrame
    failures: tuple[str, ...]


def parse_plan(text: str) -> Plan:
    """A plan from ``PROTOCOL`` or ``PROTOCOL+change+change``.

    Changes: ``hsct-day=19`` (everybody alive, without the gate), ``hsct=never``,
    ``car-t-dose=0.5`` and ``cd34-dose=2`` (times the planned dose), ``no-etoposide`` (or any drug
    of lymphodepletion), ``prophylaxis``, ``cd7-negative=10`` (times the CD7-negative share).

    Raises
    ------
    InputError : the protocol or a change is not known.
    """
    name, *changes = text.split("+")
    protocol = protocol_to_simulate(name)
    hsct_day: float | None = None
    never, prophylaxis = False, None
    factors = {"car-t-dose": 1.0, "cd34-dose": 1.0, "cd7-negative": 1.0}
    without: list[str] = []
    for change in changes:
        key, _, value = change.partition("=")
        if key == "hsct" and value == "never":
            never = True
        elif key == "prophylaxis" and not value:
            prophylaxis = True
        elif key.startswith("no-") and not value:
            without.append(key.removeprefix("no-"))
        elif key == "hsct-day":
            hsct_day = float(round(_positive(text, change, value)))
        elif key in factors:
            factors[key] = _positive(text, change, value)
        else:
            raise _unknown(text, change)
    plan = plan_of(
        protocol,
        hsct_day=hsct_day,
        no_hsct=never,
        car_t_dose_factor=factors["car-t-dose"],
        cd34_factor=factors["cd34-dose"],
        without_drugs=tuple(without),
        prophylaxis=prophylaxis,
        negative_share_factor=factors["cd7-negative"],
    )
    _check_drugs(text, without)
    return plan


def _check_drugs(text: str, without: Sequence[str]) -> None:
    known = ("fludarabine", "cyclophosphamide", "etoposide")
    for drug in without:
        if drug not in known:
            raise _unknown(text, f"no-{drug}")


def _positive(text: str, change: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise _unknown(text, change) from None
    if not 0.0 < number < 1e6:
        raise _unknown(text, change)
    return number


def _unknown(text: str, change: str) -> InputError:
    return InputError(
        [
            Problem(
                text,
                "hsct-day=DAY, hsct=never, car-t-dose=FACTOR, cd34-dose=FACTOR, no-etoposide, "
                "prophylaxis or cd7-negative=FACTOR",
                "correct the change after the protocol's name",
                found=change,
            )
        ]
    )


def compare_plans(
    plans: Mapping[str, Plan], patients: int, seed: int, *, chunk: int = 5_000
) -> Comparison:
    """Treat the same virtual patients by every plan and compare with the first.

    Parameters
    ----------
    plans : mapping of name to Plan; the first is what the others are compared with.
    patients, seed : int
    """
    streams = streams_of(seed)
    shares: dict[str, list[dict[str, Floats]]] = {name: [] for name in plans}
    endpoints: list[pl.DataFrame] = []
    failures: list[str] = []
    for first in range(0, patients, chunk):
        numbers = np.arange(first, min(first + chunk, patients))
        for name, plan in plans.items():
            simulated = simulate_trial(
                plan,
                streams,
                numbers,
                followup=FollowUp(longest_days=_LONGEST_DAYS, accrual_days=0),
                only=TABLES_OF_ENDPOINTS,
                analytes=ANALYTES_OF_ENDPOINTS,
            )
            happened, times = _outcomes(simulated.trial, numbers)
            shares[name].append(happened)
            endpoints.append(times.select(pl.lit(name).alias("plan"), pl.all()))
            failures += [f"{name}: {line}" for line in simulated.failures]
    joined = {
        name: {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        for name, parts in shares.items()
    }
    reference = joined[next(iter(plans))]
    outcomes = [
        {"plan": name, "outcome": outcome, **_counts(joined[name][outcome], reference[outcome])}
        for outcome in reference
        for name in plans
    ]
    assumed = {name: plan.assumed for name, plan in plans.items()}
    return Comparison(
        tuple(plans),
        patients,
        pl.DataFrame(outcomes),
        assumed,
        pl.concat(endpoints),
        tuple(failures),
    )


def _outcomes(trial: Trial, numbers: NDArray[np.int64]) -> tuple[dict[str, Floats], pl.DataFrame]:
    """Whether each outcome happened to each patient, and the rows of the survival endpoints.

    Outcomes are 0 or 1, NaN where integration failed.
    """
    assessed = assess_for_endpoints(trial)
    everybody = pl.select(patient=pl.format("V{}", pl.Series(numbers).cast(pl.String).str.zfill(7)))
    found = {_TRANSPLANTED: _yes(everybody, hsct_days(trial).select("patient"), trial)}
    kept = []
    for title, endpoint, origin, days, event in _OUTCOMES:
        population: Population = "infused" if origin == "car_t" else "transplanted"
        rows = derive_endpoint(trial, assessed, endpoint, origin=origin, population=population)
        happened = rows.filter((pl.col("status") == 1) & (pl.col("time_days") <= days))
        yes = _yes(everybody, happened.select("patient"), trial)
        found[title] = yes if event else 1.0 - yes
        if endpoint in _CURVES:
            kept.append(rows.select(_KEPT))
    return found, pl.concat(kept)


def _yes(everybody: pl.DataFrame, happened: pl.DataFrame, trial: Trial) -> Floats:
    treated = trial.patients["patient"].implode()
    answer = everybody.select(
        pl.when(pl.col("patient").is_in(treated)).then(
            pl.col("patient").is_in(happened["patient"].implode()).cast(pl.Float64)
        )
    ).to_series()
    values: Floats = answer.to_numpy()
    return values


def _counts(values: Floats, reference: Floats) -> dict[str, int]:
    pairs = values - reference
    return {
        "n": int(np.isfinite(values).sum()),
        "events": int((values == 1.0).sum()),
        "pairs": int(np.isfinite(pairs).sum()),
        "gained": int((pairs > 0).sum()),
        "lost": int((pairs < 0).sum()),
    }
