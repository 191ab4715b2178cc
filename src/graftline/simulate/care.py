"""What the clinic gives on what it sees: rules of supportive care, applied to a whole visit.

Each rule looks at measurements of the day, changes the ward and writes a record.
"""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assess.gvhd_organs import organ_stages, overall_grade, staged_as_child
from graftline.assess.on_arrays import OnArrays
from graftline.assess.vital_signs import crs_signs
from graftline.model.parameters import column, state_column
from graftline.simulate.signs import OrganFindings, VitalSigns
from graftline.simulate.ward import Case, Ledger, Ward

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

# days from HSCT on which prophylaxis begins, is halved and ends
PROPHYLAXIS_DAYS = (-1.0, 90.0, 180.0)
_DEVICES = np.array(["room_air", "nasal_cannula", "high_flow_cannula"])


def vital_frame(rows: Integers, day: int, signs: VitalSigns) -> pl.DataFrame:
    """Vital signs as rows of the table ``vitals``; patients by row number."""
    return pl.DataFrame(
        {
            "patient": pl.Series(rows).cast(pl.String),
            "day": np.full(rows.size, float(day)),
            "temperature_c": signs.temperature_c,
            "systolic_mmhg": signs.systolic_mmhg,
            "vasopressors": np.where(signs.vasopressor, "noradrenaline", "none"),
            "oxygen_device": _DEVICES[signs.device],
            "oxygen_flow_l_per_min": pl.Series(signs.flow_l_per_min).fill_nan(None),
            "spo2_percent": signs.spo2_percent,
        }
    )


def crs_grades(case: Case, rows: Integers, day: int, signs: VitalSigns) -> Floats:
    """Grade of the day from the same daily signs that ``assess`` grades.

    Only patients with a sign are put through the rules; fever waives once treated, as in the rule.
    """
    grade = np.zeros(rows.size)
    low = signs.systolic_mmhg < case.low_systolic_mmhg[rows]
    odd = low | signs.vasopressor | (signs.device > 0) | (signs.temperature_c >= 38.0)
    found = np.flatnonzero(odd)
    if found.size == 0:
        return grade
    device = signs.device[found]
    pressors = signs.vasopressor[found].astype(np.int64)
    seen = {
        "temperature_c": signs.temperature_c[found],
        "systolic_mmhg": signs.systolic_mmhg[found],
        "pressors": pressors,
        "pressors_counted": pressors,
        "oxygen_device": _DEVICES[device],
        "oxygen_flow_l_per_min": np.nan_to_num(signs.flow_l_per_min[found]),
        "age_years": case.age_years[rows[found]],
    }
    words = OnArrays(seen, found.size)
    fever, *grades = crs_signs(words).values()
    worst = words.max_horizontal(fever, *grades)
    grade[found] = np.where(worst.known, worst.values, 0)
    return grade


def treat_crs(
    ward: Ward,
    ledger: Ledger,
    rows: Integers,
    day: int,
    grade: Floats,
    *,
    tocilizumab_from: int = 2,
    steroids_from: int = 3,
    most_doses: int = 4,
    steroid_days: int = 3,
) -> None:
    """Tocilizumab at grade 2 (at most every second day, four in all), dexamethasone at grade 3."""
    ward.crs_grade[rows] = grade
    due = (
        (grade >= tocilizumab_from)
        & (ward.tocilizumab_day[rows] <= day - 2)
        & (ward.tocilizumab_doses[rows] < most_doses)
    )
    given = rows[due]
    state_column(ward.states, "X")[given] = 0.8
    ward.tocilizumab_day[given] = day
    ward.tocilizumab_first[given] = np.fmin(ward.tocilizumab_first[given], day)
    ward.tocilizumab_doses[given] += 1
    _write_drug(ledger, given, "tocilizumab", day, day, 8.0, "mg/kg", "crs")
    severe = rows[(grade >= steroids_from) & (ward.steroid_until[rows] < day)]
    ward.steroid_until[severe] = day + steroid_days - 1
    ward.taper_until[severe] = day + steroid_days - 1
    _write_drug(ledger, severe, "dexamethasone", day, day + steroid_days - 1, 20.0, "mg", "crs")


def treat_gvhd(
    ward: Ward,
    ledger: Ledger,
    case: Case,
    rows: Integers,
    day: int,
    findings: OrganFindings,
    *,
    from_grade: int = 2,
    full_days: int = 14,
    taper_days: int = 14,
) -> None:
    """Methylprednisolone at grade II: two weeks in full, two at half."""
    # no finding below these can be grade II, so that only few are put through the rules
    marked = (
        (findings.skin_bsa_percent >= 50.0)
        | (findings.bilirubin_mg_per_dl >= 2.0)
        | (findings.stool_ml_per_day >= 500.0)
        | findings.nausea
    )
    ill = np.flatnonzero(ward.gvhd_active[rows] & (ward.taper_until[rows] < day) & marked)
    if ill.size == 0:
        return
    grade = _gvhd_grade(case, rows, ill, findings)
    treated = rows[ill[grade >= from_grade]]
    ward.steroid_until[treated] = day + full_days - 1
    ward.taper_until[treated] = day + full_days + taper_days - 1
    drug = "methylprednisolone"
    _write_drug(ledger, treated, drug, day, day + full_days - 1, 2.0, "mg/kg", "gvhd")
    first = day + full_days
    _write_drug(ledger, treated, drug, first, first + taper_days - 1, 1.0, "mg/kg", "gvhd")


def _gvhd_grade(case: Case, rows: Integers, ill: Integers, findings: OrganFindings) -> Integers:
    body = case.cohort.body
    found = OnArrays(
        {
            "skin_bsa_percent": findings.skin_bsa_percent[ill],
            "bilirubin_mg_per_dl": findings.bilirubin_mg_per_dl[ill],
            "stool_ml_per_day": findings.stool_ml_per_day[ill],
            "upper": findings.nausea[ill],
            "weight": body.weight_kg[rows[ill]],
            "age_years": case.age_years[rows[ill]],
        },
        ill.size,
    )
    stages = organ_stages(
        replace(found, columns={**found.columns, "as_child": staged_as_child(found)})
    )
    system = case.plan.protocol.definitions.acute_gvhd
    grade: Integers = overall_grade(system, OnArrays(stages, ill.size)).values
    return grade


def transfuse(
    ward: Ward,
    ledger: Ledger,
    rows: Integers,
    day: int,
    platelets: Floats,
    hemoglobin: Floats,
    *,
    platelets_below: float = 10.0,
    platelet_rise: float = 25.0,
    hemoglobin_below: float = 70.0,
    hemoglobin_rise: float = 20.0,
) -> None:
    """Platelets under 10e9/L at most every second day; two units of red cells under 70 g/L."""
    low = rows[(platelets < platelets_below) & (ward.platelets_given[rows] <= day - 2)]
    state_column(ward.states, "P")[low] += platelet_rise
    ward.platelets_given[low] = day
    ledger.write("transfusions", low, day=float(day), product="platelets", units=1.0)
    pale = rows[(hemoglobin < hemoglobin_below) & (ward.red_cells_given[rows] <= day - 2)]
    ward.hemoglobin[pale] += hemoglobin_rise
    ward.red_cells_given[pale] = day
    ledger.write("transfusions", pale, day=float(day), product="red_cells", units=2.0)


def give_gcsf(
    ward: Ward,
    ledger: Ledger,
    rows: Integers,
    day: int,
    anc: Floats,
    *,
    last_hsct_day: float,
    from_hsct_day: int = 5,
    until_anc: float = 0.5,
    for_days: int = 3,
) -> None:
    """G-CSF from day 5 after HSCT until ANC has been 0.5e9/L for three visits.

    At most until the first visit from ``last_hsct_day`` on, when the protocol judges graft failure:
    who has not answered by then is not given it for months.
    """
    since = day - ward.hsct_day[rows]
    good = anc >= until_anc
    ward.anc_days[rows] = np.where(good, ward.anc_days[rows] + 1, 0)
    running = ~np.isnan(ward.gcsf_since[rows])
    done = (ward.anc_days[rows] >= for_days) | (since >= last_hsct_day)
    _end_gcsf(ward, ledger, rows[running & done], day)
    start = rows[(since == from_hsct_day) & ~good]
    ward.gcsf_since[start] = day
    column(ward.parameters, "gcsf")[start] = 1.0


def _end_gcsf(ward: Ward, ledger: Ledger, rows: Integers, day: int) -> None:
    column(ward.parameters, "gcsf")[rows] = 0.0
    _write_drug(ledger, rows, "filgrastim", ward.gcsf_since[rows], day, 5.0, "ug/kg", "neutropenia")
    ward.gcsf_since[rows] = np.nan


def close_gcsf(ward: Ward, ledger: Ledger) -> None:
    """Write the courses of G-CSF that were still running at the end, with that day."""
    rows = np.flatnonzero(~np.isnan(ward.gcsf_since))
    last = np.fmin(np.floor(ward.death_day[rows]), ward.end_day[rows])
    _write_drug(
        ledger, rows, "filgrastim", ward.gcsf_since[rows], last, 5.0, "ug/kg", "neutropenia"
    )


def set_steroids(ward: Ward, rows: Integers, day: int) -> None:
    """Steroids on, halved or off for the time from this day on."""
    full, half = ward.steroid_until[rows] >= day, ward.taper_until[rows] >= day
    column(ward.parameters, "steroid")[rows] = np.where(full, 1.0, np.where(half, 0.5, 0.0))


def set_prophylaxis(ward: Ward, rows: Integers, day: int) -> None:
    """GVHD prophylaxis from the day before HSCT, halved after day 90, off after day 180."""
    since = day - np.nan_to_num(ward.hsct_planned[rows], nan=np.inf)
    begun = since >= PROPHYLAXIS_DAYS[0]
    full, half = since < PROPHYLAXIS_DAYS[1], since < PROPHYLAXIS_DAYS[2]
    share = np.where(full, 1.0, np.where(half, 0.5, 0.0))
    column(ward.parameters, "prophylaxis")[rows] = np.where(begun, share, 0.0)


def changes_today(ward: Ward, day: int, *, prophylaxis: bool) -> Booleans:
    """Whose treatment is switched today: that day is a visit, so that it ends when it should."""
    changes: Booleans = (ward.steroid_until == day - 1) | (ward.taper_until == day - 1)
    if prophylaxis:
        changes = changes | np.isin(day - ward.hsct_planned, PROPHYLAXIS_DAYS)
    return changes


def _write_drug(
    ledger: Ledger,
    rows: Integers,
    drug: str,
    start: Floats | int,
    end: Floats | int,
    dose: float,
    unit: str,
    indication: str,
) -> None:
    ledger.write(
        "drugs",
        rows,
        drug=drug,
        start_day=np.asarray(start, dtype=np.float64),
        end_day=np.asarray(end, dtype=np.float64),
        dose=dose,
        unit=unit,
        indication=indication,
        route="subcutaneous" if drug == "filgrastim" else "iv",
    )
