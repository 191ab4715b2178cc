"""The decision for HSCT: the protocol's gate, asked by the same function that assesses records."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assess.criteria_logic import MET, NOT_MET, decide
from graftline.assess.pancytopenia import pancytopenia_days
from graftline.assess.response import MARROW_PROFILE
from graftline.assess.response_classes import classify
from graftline.simulate.ward import Case, Ward
from graftline.trial import conform

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Strings = NDArray[np.str_]

_REMISSIONS = ("CR", "CRh", "CRi")


def pancytopenic(
    case: Case,
    day: int,
    anc: Floats,
    platelets: Floats,
    hemoglobin: Floats,
    red_cells_given: Floats,
) -> Booleans:
    """Whether the protocol's pancytopenia holds on the counts of a day (unknown counts as no)."""
    met = np.zeros(anc.size, dtype=np.bool_)
    # both definitions ask for less than this: only few are put through the rule
    low = np.flatnonzero((anc < 0.5) & (platelets < 25.0))
    n = low.size
    if n == 0:
        return met
    ids = pl.Series(low).cast(pl.String)
    red_cells = red_cells_given[low]
    counts = {"anc": anc[low], "platelets": platelets[low], "hemoglobin": hemoglobin[low]}
    labs = pl.concat(
        [
            pl.DataFrame(
                {"patient": ids, "day": np.full(n, float(day)), "value": value}
            ).with_columns(analyte=pl.lit(name))
            for name, value in counts.items()
        ]
    )
    given = np.flatnonzero(np.isfinite(red_cells))
    transfusions = pl.DataFrame(
        {
            "patient": ids.gather(given),
            "day": red_cells[given],
            "product": pl.Series(["red_cells"] * given.size, dtype=pl.String),
        }
    )
    days = pancytopenia_days(
        conform(labs, "labs"),
        conform(transfusions, "transfusions"),
        definition=case.plan.protocol.definitions.pancytopenia,
    )
    yes = days.filter(pl.col("met") & (pl.col("day") == day))
    met[yes["patient"].cast(pl.Int64).to_numpy()] = True
    return met


def responses(
    case: Case,
    rows: Integers,
    *,
    blasts_percent: Floats,
    cells_counted: Integers,
    cellularity_percent: Floats,
    circulating: Booleans,
    anc: Floats,
    platelets: Floats,
    anc_supported: Booleans,
    platelets_supported: Booleans,
) -> pl.Series:
    """Response class of a marrow visit by the protocol's definition."""
    definitions = case.plan.protocol.definitions
    profile = MARROW_PROFILE[definitions.response]
    baseline = case.cohort.table["marrow_blasts_percent"].to_numpy()[rows]
    visits = pl.DataFrame(
        {
            "blasts_percent": blasts_percent,
            "baseline_blasts_percent": baseline,
            "circulating_blasts": circulating,
            "anc": anc,
            "anc_supported": anc_supported,
            "platelets": platelets,
            "platelets_supported": platelets_supported,
            "cells_counted": cells_counted,
            "cellularity_percent": cellularity_percent,
        }
    ).with_columns(
        extramedullary=pl.lit(value=False),
        anc_limit=pl.lit("quantified"),
        platelets_limit=pl.lit("quantified"),
        spicules=pl.lit(None, pl.Boolean),
        trilineage=pl.lit(None, pl.Boolean),
    )
    return classify(visits, profile, marrow_adequacy=definitions.marrow_adequacy)[profile]


def remission(response: pl.Series) -> Booleans:
    """Whether a response class is a remission."""
    met: Booleans = response.is_in(list(_REMISSIONS)).fill_null(value=False).to_numpy()
    return met


def ask_gate(
    case: Case,
    ward: Ward,
    rows: Integers,
    day: int,
    *,
    response: pl.Series,
    cellularity_percent: Floats,
    pancytopenia: Booleans,
    car_t_detectable: Booleans,
    bilirubin: Floats,
) -> Booleans:
    """Whether the clinic decides for HSCT: gate met, and nothing on the safety list not met.

    What the model does not hold (ICANS, donor-specific antibodies in no patient) stays unknown and
    does not hold a patient back.
    """
    seen: dict[str, object] = {
        "response": response,
        "cellularity_percent": cellularity_percent,
        "pancytopenia": pancytopenia,
        "car_t_detectable": car_t_detectable,
        "uncontrolled_infection": ward.infected_until[rows] >= day,
        "crs_grade": ward.crs_grade[rows],
        "active_gvhd": ward.gvhd_active[rows],
        "bilirubin": bilirubin,
        "creatinine": case.creatinine_mg_per_dl[rows],
    }
    known = {
        name: case.cohort.table[name].gather(rows)
        for name in case.cohort.table.columns
        if name not in seen
    }
    patient = known.pop("patient")
    now = {f"{name}_age_days": np.zeros(rows.size) for name in seen}
    observed = pl.DataFrame({"patient": patient, **seen, **now, **known}).with_columns(
        donor_specific_antibodies=pl.lit(value=False), donor_cleared=pl.lit(value=True)
    )
    protocol = case.plan.protocol
    gate = decide(protocol.gate, observed)["decision"] == MET
    held_back = decide(protocol.safety, observed)["decision"] == NOT_MET
    answer: Booleans = (gate & ~held_back).to_numpy()
    return answer
