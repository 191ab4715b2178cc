"""Write the records of the worked trial: eight invented patients treated, two not.

    python examples/worked-trial/make_records.py [FOLDER]

Nobody is behind these numbers. They are chosen so that every rule is used and every answer can be
worked by hand; WORKED.md does so. The files beside this script are its output.
"""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

Row = dict[str, object]
LYMPHODEPLETION = (
    ("fludarabine", 30, "mg/m2"),
    ("cyclophosphamide", 300, "mg/m2"),
    ("etoposide", 100, "mg"),
)
HSCT = {"W1": 19, "W2": 16, "W3": 22, "W4": 25, "W5": 18, "W6": 20}
TREATED = [f"W{n}" for n in range(1, 9)]
END = {"W1": 400, "W2": 150, "W3": 380, "W4": 300, "W5": 146, "W6": 33, "W7": 75, "W8": 200}
DEAD = {"W2": "infection", "W5": "relapse", "W6": "infection", "W7": "relapse"}


def spread(*runs: tuple[int, int, float]) -> dict[int, float]:
    """Daily values: (first day, last day, value), later runs over earlier ones."""
    return {day: value for first, last, value in runs for day in range(first, last + 1)}


def weekly(first: int, last: int, value: float) -> dict[int, float]:
    return dict.fromkeys(range(first, last + 1, 7), value)


def from_hsct(patient: str, values: dict[int, float]) -> dict[int, float]:
    return {HSCT[patient] + day: value for day, value in values.items()}


# absolute neutrophils, 1e9/L, by day from CAR-T
ANC = {
    "W1": spread(
        (-6, 0, 0.8),
        (1, 1, 0.6),
        (2, 2, 0.55),
        (3, 7, 0.3),
        (8, 14, 0.05),
        (15, 27, 0.2),
        (34, 60, 1.5),
    )
    | from_hsct("W1", {9: 0.3, 10: 0.6, 11: 0.4, 12: 0.5, 13: 0.9, 14: 1.2})
    | weekly(67, 400, 3.0),
    "W2": spread(
        (-6, -1, 3.0),
        (0, 0, 2.0),
        (1, 1, 1.2),
        (2, 2, 0.7),
        (3, 12, 0.4),
        (13, 15, 0.7),
        (16, 24, 0.3),
        (32, 60, 2.0),
    )
    | from_hsct("W2", {9: 0.3, 10: 0.6, 12: 0.8, 15: 1.1})
    | weekly(67, 150, 2.0),
    "W3": spread((-5, 60, 0.9)) | weekly(67, 380, 2.2),
    "W4": spread((-6, 2, 1.0), (3, 37, 0.3), (38, 38, 0.4), (39, 60, 2.1)) | weekly(67, 300, 2.5),
    "W5": spread((-6, 2, 1.1), (3, 27, 0.2), (28, 60, 1.0)) | weekly(67, 146, 1.8),
    "W6": spread((-6, 2, 1.3), (3, 33, 0.05)),
    "W7": spread((-6, 2, 1.6), (3, 9, 0.45), (10, 40, 0.8)) | weekly(47, 75, 1.0),
    "W8": spread((-6, 2, 1.4), (3, 6, 0.4), (7, 60, 0.9)) | weekly(67, 200, 1.6),
}
# platelets, 1e9/L
PLATELETS = {
    "W1": spread((-6, -6, 60), (-5, 2, 45), (3, 25, 12), (26, 27, 14), (40, 60, 80))
    | from_hsct(
        "W1",
        {
            9: 15,
            10: 22,
            11: 25,
            12: 31,
            13: 35,
            14: 38,
            15: 41,
            16: 44,
            17: 48,
            18: 50,
            19: 55,
            20: 60,
        },
    )
    | weekly(67, 400, 120),
    "W2": spread((-6, -1, 200), (0, 2, 100), (3, 24, 11), (31, 60, 40))
    | from_hsct("W2", {9: 18, 10: 21, 11: 23, 12: 26, 13: 28, 14: 30})
    | weekly(67, 150, 45),
    "W3": spread((-5, 60, 70)) | weekly(67, 380, 150),
    "W4": spread((-6, 2, 70), (3, 35, 14), (36, 60, 130)) | weekly(67, 300, 140),
    "W5": spread((-6, 2, 90), (3, 29, 13), (30, 60, 60)) | weekly(67, 146, 110),
    "W6": spread((-6, 2, 80), (3, 33, 9)),
    "W7": spread((-6, 2, 120), (3, 40, 40)) | weekly(47, 75, 45),
    "W8": spread((-6, 2, 150), (3, 10, 60), (11, 60, 90)) | weekly(67, 200, 105),
}
# haemoglobin, g/L
HEMOGLOBIN = {
    "W1": spread((-6, 4, 75), (5, 5, 70), (6, 34, 78), (35, 35, 82), (36, 36, 84), (37, 60, 86))
    | weekly(67, 400, 110),
    "W2": spread((-6, -1, 110), (0, 60, 95)) | weekly(67, 150, 98),
    "W4": spread((-6, 2, 95), (3, 35, 76), (36, 60, 92)) | weekly(67, 300, 115),
    "W5": spread((-6, 2, 88), (3, 29, 75), (30, 60, 90)) | weekly(67, 146, 100),
    "W6": spread((-6, 2, 85), (3, 33, 72)),
    "W7": spread((-6, 2, 99), (3, 40, 90)),
    "W8": spread((-6, 2, 101), (3, 60, 96)),
}
TRANSFUSED = {
    "W1": {"platelets": (6, 10, 14, 18, 22, 25), "red_cells": (6, 13, 20, 29)},
    "W2": {"platelets": (5, 9, 13, 17, 21)},
    "W4": {"platelets": (8, 15, 22), "red_cells": (9, 20)},
    "W5": {"platelets": (7, 14, 21), "red_cells": (8, 19)},
    "W6": {"platelets": (6, 12, 18, 24, 30), "red_cells": (7, 16, 25)},
}
QPCR = {  # copies/ug DNA; 50 stands for below the limit of 50
    "W1": {
        0: 50,
        4: 500,
        7: 2e4,
        10: 1.8e5,
        14: 2.9e5,
        21: 6e4,
        28: 9e3,
        60: 2e3,
        90: 1e3,
        180: 400,
        270: 200,
        360: 120,
    },
    "W2": {0: 50, 7: 1e4, 10: 4e4, 14: 1e5, 21: 2e4, 28: 1e3, 60: 50, 90: 50},
    "W3": {0: 50, 7: 5e3, 10: 6e4, 14: 2e5, 17: 2.2e5, 21: 1e5, 28: 2e4, 90: 3e3, 360: 300},
    "W4": {0: 50, 7: 50, 10: 200, 14: 900, 21: 300, 28: 50, 90: 50},
    "W5": {0: 50, 7: 8e3, 10: 9e4, 14: 1.5e5, 21: 5e4, 28: 8e3, 90: 900, 130: 100},
    "W6": {0: 50, 7: 3e4, 10: 2e5, 14: 4e5, 18: 3.5e5, 21: 1.2e5, 28: 3e4},
    "W7": {0: 50, 7: 2e3, 10: 9e3, 14: 8e3, 21: 1e3, 28: 50},
    "W8": {0: 50, 7: 7e3, 10: 5e4, 14: 7e4, 21: 2e4, 28: 5e3, 90: 400, 180: 90},
}
FLOW = {  # cells/uL; 1 stands for below the limit of 1
    "W1": {0: 1, 7: 60, 10: 250, 14: 316, 21: 80, 28: 20, 60: 5, 90: 1},
    "W2": {0: 1, 7: 30, 10: 120, 14: 90, 21: 15, 28: 1},
    "W3": {0: 1, 7: 20, 10: 150, 14: 400, 21: 90, 28: 12, 90: 1},
    "W6": {0: 1, 7: 200, 10: 1500, 14: 900, 21: 150, 28: 20},
}
CD7_POSITIVE = {  # CD3+CD7+ T cells, CAR-negative gate, cells/uL
    "W1": {0: 410, 5: 36, 8: 0.4, 12: 0, 28: 0, 90: 0},
    "W2": {0: 300, 5: 50, 8: 0.6, 12: 14, 15: 0, 20: 0},
    "W4": {0: 200, 5: 40, 9: 0, 14: 0, 60: 15, 90: 40},
    "W5": {0: 250, 5: 20, 7: 0, 14: 0, 28: 0},
    "W7": {0: 350, 5: 120, 9: 30, 14: 20, 28: 60},
}
IMMUNE = {
    "cd3_cd7_negative": {
        "W1": {0: 60, 28: 50, 60: 120, 90: 260, 180: 600},
        "W2": {0: 40, 20: 30, 60: 90, 90: 150},
    },
    "cd4": {"W1": {30: 20, 60: 61, 88: 75, 180: 210, 270: 230}, "W2": {30: 10, 60: 20, 90: 30}},
    "cd8": {"W1": {30: 60, 60: 210, 88: 300, 180: 400}, "W2": {30: 30, 60: 80, 90: 120}},
    "cd3": {"W1": {30: 100, 60: 300, 88: 520, 180: 700}, "W2": {30: 45, 60: 110, 90: 160}},
    "cd19": {"W1": {88: 40, 180: 110, 270: 150}},
    "nk": {"W1": {30: 110, 60: 150}, "W2": {30: 20, 60: 50}},
    "nk_cd7_negative": {"W1": {30: 105, 60: 140}, "W2": {30: 19, 60: 48}},
    "nk_cd7_positive": {"W1": {30: 5, 60: 10}, "W2": {30: 1, 60: 2}},
}
BASELINE = {  # day -6, for CAR-HEMATOTOX
    "W1": {"crp": 45, "ferritin": 3000},
    "W2": {"crp": 5, "ferritin": 700},
}


CHEMISTRY_W1 = (  # analyte, unit, limits of normal, value by day
    ("wbc", "1e9/L", {"lower_normal": 4.0}, {-6: 3.5, 10: 0.9, 60: 4.5}),
    ("alc", "1e9/L", {"lower_normal": 1.0}, {-6: 1.1, 10: 0.15, 60: 0.6}),
    ("alt", "U/L", {"upper_normal": 40}, {-6: 30, 8: 130, 60: 35}),
    ("bilirubin", "mg/dL", {"upper_normal": 1.2}, {-6: 0.6, 10: 1.5}),
    ("creatinine", "mg/dL", {"upper_normal": 1.1}, {-6: 0.7, 10: 1.0}),
)


def below(value: float, limit: float) -> str:
    return "below" if value == limit else "quantified"


def labs() -> Iterable[Row]:
    for analyte, unit, of in (
        ("anc", "1e9/L", ANC),
        ("platelets", "1e9/L", PLATELETS),
        ("hemoglobin", "g/L", HEMOGLOBIN),
    ):
        for patient, values in of.items():
            for day in sorted(values):
                yield {
                    "patient": patient,
                    "day": day,
                    "analyte": analyte,
                    "value": values[day],
                    "unit": unit,
                }
    for analyte, unit, limit, of in (
        ("car_t_qpcr", "copies/ug DNA", 50, QPCR),
        ("car_t_flow", "cells/uL", 1, FLOW),
    ):
        for patient, values in of.items():
            for day, value in values.items():
                yield {
                    "patient": patient,
                    "day": day,
                    "analyte": analyte,
                    "value": value,
                    "unit": unit,
                    "quantification": below(value, limit),
                    "lloq": limit,
                }
    counts = {"cd3_cd7_positive": CD7_POSITIVE, **IMMUNE}
    for analyte, of in counts.items():
        for patient, values in of.items():
            for day, value in values.items():
                yield {
                    "patient": patient,
                    "day": day,
                    "analyte": analyte,
                    "value": value,
                    "unit": "cells/uL",
                }
    for patient, values in BASELINE.items():
        for analyte, value in values.items():
            unit = {"crp": "mg/L", "ferritin": "ug/L"}[analyte]
            yield {"patient": patient, "day": -6, "analyte": analyte, "value": value, "unit": unit}
    for analyte, unit, limits, of in CHEMISTRY_W1:
        for day, value in of.items():
            yield {
                "patient": "W1",
                "day": day,
                "analyte": analyte,
                "value": value,
                "unit": unit,
                **limits,
            }
    for day, ferritin in ((3, 1200), (6, 38000)):  # W3: IEC-HS
        yield {
            "patient": "W3",
            "day": day,
            "analyte": "ferritin",
            "value": ferritin,
            "unit": "ug/L",
            "upper_normal": 400,
        }
    for analyte, value, unit, limits in (
        ("ast", 360, "U/L", {"upper_normal": 40}),
        ("fibrinogen", 0.9, "g/L", {"lower_normal": 2.0}),
    ):
        yield {
            "patient": "W3",
            "day": 8,
            "analyte": analyte,
            "value": value,
            "unit": unit,
            **limits,
        }
    yield {
        "patient": "W3",
        "day": 8,
        "analyte": "ferritin",
        "value": 30000,
        "unit": "ug/L",
        "upper_normal": 400,
    }
    for patient in TREATED:  # organ function before HSCT
        for analyte, value, upper in (("bilirubin", 0.8, 1.2), ("creatinine", 0.7, 1.1)):
            yield {
                "patient": patient,
                "day": 14,
                "analyte": analyte,
                "value": value,
                "unit": "mg/dL",
                "upper_normal": upper,
            }


QUIET: Row = {
    "temperature_c": 36.8,
    "systolic_mmhg": 115,
    "oxygen_device": "room_air",
    "vasopressors": "none",
    "ice_score": 10,
    "consciousness": "alert",
    "seizure": "none",
    "cerebral_oedema": "none",
    "motor_weakness": "no",
    "other_cause": "no",
}
STORMY: dict[tuple[str, int], Row] = {
    ("W1", 1): {"temperature_c": 38.6},
    ("W1", 2): {"temperature_c": 39.1, "systolic_mmhg": 84, "fluid_bolus": "yes"},
    ("W1", 3): {
        "temperature_c": 38.4,
        "oxygen_device": "nasal_cannula",
        "oxygen_flow_l_per_min": 3,
    },
    ("W1", 4): {"temperature_c": 37.2},
    ("W1", 5): {"temperature_c": 37.0},
    ("W2", 2): {"temperature_c": 39.5},
    ("W2", 3): {"temperature_c": 38.9},
    ("W2", 4): {
        "temperature_c": 37.4,
        "vasopressors": "noradrenaline+vasopressin",
        "hypotension": "yes",
    },
    ("W2", 5): {"ice_score": 8, "consciousness": "wakes_to_voice"},
    ("W3", 4): {"temperature_c": 38.0},
    ("W3", 5): {
        "temperature_c": 38.2,
        "vasopressors": "noradrenaline+dopamine",
        "hypotension": "yes",
        "oxygen_device": "face_mask",
    },
    ("W3", 6): {"ice_score": 5, "seizure": "brief"},
    ("W7", 3): {"temperature_c": 38.3},
}


def vitals() -> Iterable[Row]:
    for patient in TREATED:
        for day in range(29):
            if day <= END[patient]:
                yield {"patient": patient, "day": day, **QUIET, **STORMY.get((patient, day), {})}


def patients() -> Iterable[Row]:
    rows = [
        (
            "W1",
            "transplanted",
            41,
            "female",
            "AML",
            60,
            165,
            1,
            36,
            95,
            "no",
            6,
            "no",
            "positive",
            "A",
            "",
        ),
        (
            "W2",
            "transplanted",
            23,
            "male",
            "T-ALL",
            72,
            180,
            0,
            60,
            97,
            "no",
            4,
            "no",
            "positive",
            "O",
            "",
        ),
        (
            "W3",
            "transplanted",
            12,
            "female",
            "T-LBL",
            30,
            140,
            1,
            12,
            99,
            "yes",
            5,
            "no",
            "negative",
            "B",
            "",
        ),
        (
            "W4",
            "transplanted",
            50,
            "male",
            "AML",
            80,
            178,
            1,
            25,
            90,
            "no",
            7,
            "no",
            "positive",
            "A",
            "",
        ),
        (
            "W5",
            "transplanted",
            35,
            "female",
            "AML",
            55,
            160,
            2,
            70,
            95,
            "no",
            9,
            "no",
            "positive",
            "AB",
            "",
        ),
        (
            "W6",
            "transplanted",
            61,
            "male",
            "MPAL",
            77,
            175,
            1,
            45,
            88,
            "no",
            4,
            "no",
            "positive",
            "O",
            "",
        ),
        (
            "W7",
            "infused",
            44,
            "male",
            "PTCL",
            68,
            172,
            1,
            30,
            92,
            "yes",
            6,
            "no",
            "negative",
            "B",
            "",
        ),
        (
            "W8",
            "infused",
            29,
            "female",
            "AML",
            52,
            158,
            0,
            20,
            96,
            "no",
            8,
            "yes",
            "positive",
            "A",
            "",
        ),
        (
            "W9",
            "enrolled",
            66,
            "male",
            "AML",
            71,
            170,
            2,
            55,
            85,
            "no",
            5,
            "no",
            "positive",
            "A",
            "CAR-T not released: viability 41 %",
        ),
        (
            "W10",
            "screened",
            38,
            "female",
            "T-ALL",
            63,
            166,
            1,
            40,
            62,
            "no",
            4,
            "no",
            "positive",
            "O",
            "CD7 on 62 % of blasts",
        ),
    ]
    names = (
        "patient",
        "status",
        "age_years",
        "sex",
        "disease",
        "weight_kg",
        "height_cm",
        "ecog",
        "marrow_blasts_percent",
        "cd7_percent_of_blasts",
        "extramedullary_disease",
        "prior_lines",
        "prior_allo_hsct",
        "cmv_serostatus",
        "abo",
        "stopped_reason",
    )
    for row in rows:
        typing = (
            {
                "hla_a": "02:01,11:01",
                "hla_b": "40:01,46:01",
                "hla_c": "01:02,07:02",
                "hla_drb1": "09:01,15:01",
                "hla_dqb1": "03:03,06:01",
            }
            if row[0] == "W1"
            else {}
        )
        yield {**dict(zip(names, row, strict=True)), **typing}


def donors() -> Iterable[Row]:
    for patient in TREATED:
        roles = ("car_t", "hspc") if patient in HSCT else ("car_t",)
        for role in roles:
            row: Row = {
                "patient": patient,
                "donor": f"{patient}-D",
                "role": role,
                "relation": "child",
                "age_years": 30,
                "sex": "male",
                "hla_match_of_10": 5,
                "abo": "O",
                "cmv_serostatus": "positive",
                "donor_specific_antibodies": "no",
                "cleared": "yes",
            }
            if patient == "W1":
                row |= {
                    "hla_match_of_10": "",
                    "hla_a": "02:01,24:02",
                    "hla_b": "40:01,13:01",
                    "hla_c": "01:02,03:04",
                    "hla_drb1": "09:01,12:02",
                    "hla_dqb1": "03:03,03:01",
                }
            if patient == "W3":
                row |= {"relation": "parent", "age_years": 38}
            yield row
    yield {
        "patient": "W8",
        "donor": "W8-E",
        "role": "earlier_graft",
        "relation": "sibling",
        "sex": "female",
    }


def products() -> Iterable[Row]:
    for patient in TREATED:
        yield {
            "patient": patient,
            "product": f"{patient}-C",
            "kind": "car_t",
            "type": "donor_derived",
            "donor": f"{patient}-D",
            "collected_day": -20,
            "released_day": -7,
            "released": "yes",
            "volume_ml": 20,
            "cells_per_ml": 1e7,
            "viability_percent": 90,
            "cd3_percent": 100,
            "car_percent": 40 if patient == "W1" else 75,
            "car_parent": "cd3",
            "vcn_copies_per_cell": 3,
        }
    yield {
        "patient": "W9",
        "product": "W9-C",
        "kind": "car_t",
        "type": "donor_derived",
        "collected_day": -20,
        "released": "no",
        "failure": "viability 41 %",
        "viability_percent": 41,
    }
    for patient in HSCT:
        graft: Row = {
            "patient": patient,
            "product": f"{patient}-G",
            "kind": "hspc",
            "tissue": "PBSC",
            "donor": f"{patient}-D",
            "released": "yes",
        }
        if patient == "W1":
            graft |= {"volume_ml": 150, "cells_per_ml": 2e8, "cd34_percent": 1.2, "cd3_percent": 30}
        yield graft


def infusions() -> Iterable[Row]:
    for patient in TREATED:
        dose = 1.2 if patient == "W1" else 2.0
        yield {
            "patient": patient,
            "day": 0,
            "kind": "car_t",
            "type": "donor_derived",
            "product": f"{patient}-C",
            "donor": f"{patient}-D",
            "car_t_1e6_per_kg": dose,
        }
    for patient, day in HSCT.items():
        yield {
            "patient": patient,
            "day": day,
            "kind": "hspc",
            "product": f"{patient}-G",
            "donor": f"{patient}-D",
            "purpose": "prophylactic",
            "cd34_1e6_per_kg": 6.0,
            "cd3_1e8_per_kg": 1.5,
            "mnc_1e8_per_kg": 5.0,
        }


def drugs() -> Iterable[Row]:
    for patient in TREATED:
        for drug, dose, unit in LYMPHODEPLETION:
            yield {
                "patient": patient,
                "drug": drug,
                "start_day": -5,
                "end_day": -1,
                "dose": dose,
                "unit": unit,
                "route": "iv",
                "indication": "lymphodepletion",
            }
    yield {
        "patient": "W2",
        "drug": "tocilizumab",
        "start_day": 3,
        "end_day": 3,
        "dose": 8,
        "unit": "mg/kg",
        "route": "iv",
        "indication": "crs",
    }
    yield {
        "patient": "W3",
        "drug": "dexamethasone",
        "start_day": 5,
        "end_day": 7,
        "dose": 10,
        "unit": "mg",
        "route": "iv",
        "indication": "crs",
    }
    yield {
        "patient": "W2",
        "drug": "methylprednisolone",
        "start_day": 43,
        "end_day": 60,
        "dose": 80,
        "unit": "mg",
        "route": "iv",
        "indication": "gvhd",
    }
    yield {
        "patient": "W2",
        "drug": "ganciclovir",
        "start_day": 38,
        "end_day": 60,
        "dose": 10,
        "unit": "mg/kg",
        "route": "iv",
        "indication": "cmv",
    }


def ae() -> Iterable[Row]:
    for patient, term, grade, first, last, car_t, hsct, serious, outcome in (
        ("W1", "Febrile neutropenia", 3, 6, 12, "possible", "unrelated", "no", "recovered"),
        ("W2", "Diarrhoea", 3, 41, 60, "unrelated", "related", "yes", "recovered"),
        ("W2", "Pulmonary aspergillosis", 5, 140, 150, "possible", "possible", "yes", "fatal"),
        ("W3", "Hypotension", 4, 5, 5, "related", "unrelated", "yes", "recovered"),
        ("W6", "Sepsis", 5, 28, 33, "possible", "possible", "yes", "fatal"),
        ("W7", "Fever", 1, 3, 3, "related", "unrelated", "no", "recovered"),
    ):
        yield {
            "patient": patient,
            "term": term,
            "grade": grade,
            "start_day": first,
            "end_day": last,
            "related_car_t": car_t,
            "related_hsct": hsct,
            "serious": serious,
            "outcome": outcome,
        }


def marrow() -> Iterable[Row]:
    flow: Row = {"mrd_sensitivity": 1e-4, "mrd_events": 1_000_000, "mrd_method": "flow"}
    for patient, day, blasts, cells, cellularity, mrd, cd7 in (
        ("W1", -10, 36, 500, 80, "positive", 95),
        ("W1", 14, 2, 100, 5, "negative", ""),
        ("W1", 47, 1, 300, 40, "negative", ""),
        ("W1", 111, 1, 300, 50, "negative", ""),
        ("W2", -10, 60, 500, 90, "positive", 97),
        ("W2", 14, 1, 250, 15, "positive", ""),
        ("W2", 44, 0, 300, 30, "negative", ""),
        ("W3", -10, 12, 500, 60, "positive", 99),
        ("W3", 17, 0, 300, 20, "negative", ""),
        ("W3", 50, 0, 300, 40, "negative", ""),
        ("W4", -10, 25, 500, 70, "positive", 90),
        ("W4", 18, 0, 220, 10, "negative", ""),
        ("W4", 53, 0, 300, 40, "negative", ""),
        ("W5", -10, 70, 500, 90, "positive", 95),
        ("W5", 14, 0, 220, 10, "negative", ""),
        ("W5", 46, 0, 300, 40, "negative", ""),
        ("W5", 130, 40, 500, 80, "positive", 5),
        ("W6", -10, 45, 500, 70, "positive", 88),
        ("W6", 14, 0, 210, 5, "negative", ""),
        ("W7", -10, 30, 500, 70, "positive", 92),
        ("W7", 14, 7, 500, 40, "positive", 90),
        ("W7", 40, 60, 500, 80, "positive", 91),
        ("W8", -10, 20, 500, 70, "positive", 96),
        ("W8", 14, 1, 300, 20, "negative", ""),
    ):
        yield {
            "patient": patient,
            "day": day,
            "specimen": "marrow",
            "blasts_percent": blasts,
            "cells_counted": cells,
            "cellularity_percent": cellularity,
            "mrd": mrd,
            "mrd_fraction": 0.002 if (patient, day) == ("W2", 14) else "",
            "cd7_percent_of_blasts": cd7,
            **flow,
        }


def imaging() -> Iterable[Row]:
    for patient, day, present, deauville in (
        ("W3", -8, "yes", 5),
        ("W3", 17, "no", 2),
        ("W3", 50, "no", 1),
        ("W7", -8, "yes", 5),
        ("W7", 14, "yes", 4),
    ):
        yield {
            "patient": patient,
            "day": day,
            "modality": "PET-CT",
            "site": "mediastinum",
            "disease_present": present,
            "deauville": deauville,
        }


def gvhd() -> Iterable[Row]:
    none: Row = {
        "skin_bsa_percent": 0,
        "skin_bullae": "no",
        "bilirubin_mg_per_dl": 1.0,
        "upper_gi": "none",
        "stool_ml_per_day": 0,
        "severe_abdominal_pain_or_ileus": "no",
        "bloody_stool": "no",
        "chronic_sign": "none",
        "cause": "this_graft",
    }
    for patient, day, found in (
        ("W1", 44, {"skin_bsa_percent": 40, "bilirubin_mg_per_dl": 1.1}),
        ("W1", 51, {}),
        (
            "W1",
            269,
            {
                "chronic_sign": "diagnostic",
                "chronic_mouth_score": 1,
                "chronic_eyes_score": 1,
                "systemic_treatment": "no",
            },
        ),
        ("W2", 41, {"skin_bsa_percent": 10, "stool_ml_per_day": 700}),
        ("W2", 42, {"skin_bsa_percent": 10, "stool_ml_per_day": 1200}),
        ("W2", 43, {"skin_bsa_percent": 10, "stool_ml_per_day": 1100, "systemic_treatment": "yes"}),
        ("W2", 120, {}),
        ("W3", 50, {"stool_ml_per_day": 350, "weight_kg": 30}),
        ("W3", 57, {"weight_kg": 30}),
        ("W3", 130, {"weight_kg": 30}),
        ("W4", 7, {"skin_bsa_percent": 30, "cause": "car_t"}),
        ("W4", 11, {"cause": "car_t"}),
        ("W4", 53, {}),
        ("W4", 130, {}),
        ("W5", 46, {}),
        ("W5", 120, {}),
        ("W6", 30, {}),
    ):
        yield {"patient": patient, "day": day, **none, **found}


def chimerism() -> Iterable[Row]:
    for patient, day, lineage, percent in (
        ("W1", 40, "unsorted", 96),
        ("W1", 40, "cd33", 95),
        ("W1", 47, "unsorted", 97),
        ("W1", 47, "cd3", 99),
        ("W1", 47, "cd33", 97),
        ("W1", 111, "unsorted", 99),
        ("W1", 111, "cd3", 99),
        ("W1", 111, "cd33", 99),
        ("W1", 379, "unsorted", 99),
        ("W1", 379, "cd3", 99),
        ("W1", 379, "cd33", 99),
        ("W2", 44, "unsorted", 85),
        ("W2", 44, "cd3", 99),
        ("W2", 44, "cd33", 70),
        ("W3", 50, "unsorted", 88.35),
        ("W3", 114, "unsorted", 88),
        ("W3", 203, "unsorted", 99),
        ("W4", 55, "unsorted", 2),
        ("W5", 46, "unsorted", 98),
        ("W5", 46, "cd33", 98),
    ):
        yield {
            "patient": patient,
            "day": day,
            "specimen": "blood",
            "lineage": lineage,
            "donor": f"{patient}-D",
            "donor_percent": percent,
            "method": "STR",
        }


def infections() -> Iterable[Row]:
    for patient, organism, kind, site, day, evidence, grade in (
        ("W2", "Escherichia coli", "bacteria", "blood", 60, "culture", 3),
        ("W2", "Escherichia coli", "bacteria", "blood", 65, "culture", 3),
        ("W2", "Escherichia coli", "bacteria", "blood", 90, "culture", 3),
        ("W2", "Aspergillus fumigatus", "mould", "lung", 140, "antigen", 5),
        ("W5", "Klebsiella pneumoniae", "bacteria", "blood", 15, "culture", 3),
        ("W6", "Staphylococcus haemolyticus", "bacteria", "blood", 28, "culture", 5),
    ):
        yield {
            "patient": patient,
            "organism": organism,
            "kind": kind,
            "site": site,
            "start_day": day,
            "evidence": evidence,
            "ctcae_grade": grade,
        }


def viral() -> Iterable[Row]:
    for patient, day, virus, value, unit, quantified, lloq in (
        ("W2", 30, "CMV", 150, "IU/mL", "below", 150),
        ("W2", 37, "CMV", 340, "IU/mL", "quantified", 150),
        ("W3", 40, "EBV", 800, "copies/mL", "quantified", 200),
        ("W3", 47, "EBV", 5200, "copies/mL", "quantified", 200),
        ("W6", 30, "HHV-6", 3000, "copies/mL", "quantified", 200),
        ("W1", 40, "CMV", 150, "IU/mL", "below", 150),
        ("W1", 40, "EBV", 200, "copies/mL", "below", 200),
    ):
        yield {
            "patient": patient,
            "day": day,
            "virus": virus,
            "specimen": "plasma",
            "value": value,
            "unit": unit,
            "quantification": quantified,
            "lloq": lloq,
        }


def transfusions() -> Iterable[Row]:
    for patient, given in TRANSFUSED.items():
        for product, days in given.items():
            for day in days:
                yield {"patient": patient, "day": day, "product": product, "units": 1}


def events() -> Iterable[Row]:
    yield {"patient": "W5", "event": "relapse", "day": 130, "cd7": "negative", "site": "marrow"}
    yield {"patient": "W7", "event": "progression", "day": 40, "cd7": "positive", "site": "marrow"}
    for patient, cause in DEAD.items():
        yield {"patient": patient, "event": "death", "day": END[patient], "cause": cause}
    yield {"patient": "W1", "event": "crs", "day": 1, "end_day": 3, "grade": 2}
    yield {"patient": "W3", "event": "crs", "day": 4, "end_day": 5, "grade": 3}  # the rule gives 4


def followup() -> Iterable[Row]:
    for patient, end in END.items():
        yield {
            "patient": patient,
            "last_contact_day": end,
            "last_response_day": end - 16 if end > 100 else end,
            "status": "dead" if patient in DEAD else "alive",
        }


TABLES = (
    patients,
    donors,
    products,
    infusions,
    drugs,
    labs,
    vitals,
    ae,
    marrow,
    imaging,
    gvhd,
    chimerism,
    infections,
    viral,
    transfusions,
    events,
    followup,
)


def write(folder: Path) -> None:
    for table in TABLES:
        rows = list(table())
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (folder / f"{table.__name__}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    target.mkdir(parents=True, exist_ok=True)
    write(target)
