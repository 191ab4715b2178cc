"""The decision for HSCT: the protocol's gate, asked by the same function that assesses records."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assess.criteria_logic import MET, NOT_MET, decide
from graftline.assess.on_arrays import OnArrays
from graftline.assess.pancytopenia import pancytopenic
from graftline.assess.response import MARROW_PROFILE
from graftline.assess.response_classes import REMISSIONS, response_class
from graftline.simulate.ward import Case, Ward

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Strings = NDArray[np.str_]


def counts_pancytopenic(
    case: Case,
    day: int,
    anc: Floats,
    platelets: Floats,
    hemoglobin: Floats,
    red_cells_given: Floats,
) -> Booleans:
    """Whether the protocol's pancytopenia holds on the counts of a day (unknown counts as no)."""
    counts = {
        "anc": anc,
        "platelets": platelets,
        "hemoglobin": hemoglobin,
        "red_cells_age": day - red_cells_given,
    }
    met = pancytopenic(
        OnArrays(counts, anc.size), definition=case.plan.protocol.definitions.pancytopenia
    )
    yes: Booleans = met.known & met.values
    return yes


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
) -> Strings:
    """Response class of a marrow visit by the protocol's definition; empty where it has none."""
    definitions = case.plan.protocol.definitions
    n = rows.size
    visits = OnArrays(
        {
            "blasts_percent": blasts_percent,
            "baseline_blasts_percent": case.baseline_blasts_percent[rows],
            "circulating_blasts": circulating,
            "extramedullary": np.zeros(n, dtype=np.bool_),
            "anc": anc,
            "anc_limit": np.full(n, "quantified"),
            "anc_supported": anc_supported,
            "platelets": platelets,
            "platelets_limit": np.full(n, "quantified"),
            "platelets_supported": platelets_supported,
            "cells_counted": cells_counted,
            "cellularity_percent": cellularity_percent,
        },
        n,
    )
    found = response_class(
        MARROW_PROFILE[definitions.response], visits, marrow_adequacy=definitions.marrow_adequacy
    )
    return np.where(found.known, found.values, "")


def remission(response: Strings) -> Booleans:
    """Whether a response class is a remission."""
    met: Booleans = np.isin(response, REMISSIONS)
    return met


def ask_gate(
    case: Case,
    ward: Ward,
    rows: Integers,
    day: int,
    *,
    response: Strings,
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
        "response": pl.Series(response, dtype=pl.String).replace("", None),
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
