"""Laboratory values, vital signs, viral loads and chimerism."""

from graftline.schema.declaration import (
    Column,
    Quantity,
    Table,
    day_column,
    day_range_columns,
    patient_column,
    provenance_columns,
)

QUANTIFICATION = ("quantified", "below", "above")

ANALYTES = (
    Quantity("anc", "1e9/L", "Absolute neutrophil count", (0, 60)),
    Quantity("wbc", "1e9/L", "White cells", (0, 600)),
    Quantity("neutrophil_percent", "%", "Segmented and band neutrophils of white cells", (0, 100)),
    Quantity("alc", "1e9/L", "Absolute lymphocyte count", (0, 400)),
    Quantity("platelets", "1e9/L", "Platelets", (0, 2000)),
    Quantity("hemoglobin", "g/L", "Haemoglobin", (20, 220)),
    Quantity("reticulocytes", "1e9/L", "Reticulocytes", (0, 500)),
    Quantity("blood_blasts", "%", "Blasts in the blood differential", (0, 100)),
    Quantity("crp", "mg/L", "C-reactive protein", (0, 700)),
    Quantity("ferritin", "ug/L", "Ferritin", (1, 300000)),
    Quantity("fibrinogen", "g/L", "Fibrinogen", (0.1, 15)),
    Quantity("il6", "pg/mL", "Interleukin-6", (0, 500000)),
    Quantity("bilirubin", "mg/dL", "Total bilirubin", (0, 60)),
    Quantity("direct_bilirubin", "mg/dL", "Direct bilirubin", (0, 60)),
    Quantity("alt", "U/L", "Alanine aminotransferase", (1, 20000)),
    Quantity("ast", "U/L", "Aspartate aminotransferase", (1, 20000)),
    Quantity("alkaline_phosphatase", "U/L", "Alkaline phosphatase", (5, 5000)),
    Quantity("ldh", "U/L", "Lactate dehydrogenase", (50, 30000)),
    Quantity("creatinine", "mg/dL", "Creatinine", (0.1, 20)),
    Quantity("triglycerides", "mg/dL", "Fasting triglycerides", (10, 5000)),
    Quantity("car_t_qpcr", "copies/ug DNA", "CAR transgene by qPCR", (0, 5e6)),
    Quantity("car_t_flow", "cells/uL", "CAR+ T cells by flow cytometry", (0, 50000)),
    Quantity("cd3", "cells/uL", "CD3+ T cells", (0, 50000)),
    Quantity("cd4", "cells/uL", "CD3+CD4+ T cells", (0, 20000)),
    Quantity("cd8", "cells/uL", "CD3+CD8+ T cells", (0, 40000)),
    Quantity("cd3_cd7_positive", "cells/uL", "CD3+CD7+ T cells, CAR-negative gate", (0, 20000)),
    Quantity("cd3_cd7_negative", "cells/uL", "CD3+CD7- T cells, CAR-negative gate", (0, 20000)),
    Quantity("cd3_cd7_positive_percent", "%", "CD7+ of CD3+ T cells, CAR-negative gate", (0, 100)),
    Quantity("nk", "cells/uL", "CD3-CD56+ NK cells", (0, 10000)),
    Quantity("nk_cd7_positive", "cells/uL", "CD7+ NK cells", (0, 10000)),
    Quantity("nk_cd7_negative", "cells/uL", "CD7- NK cells", (0, 10000)),
    Quantity("cd19", "cells/uL", "CD19+ B cells", (0, 20000)),
)

LABS = Table(
    "labs",
    "One row per patient, sampling time and analyte",
    (
        patient_column(),
        day_column("Day of sampling, with decimals where the time is known", required=True),
        Column(
            "analyte",
            "category",
            "What was measured",
            required=True,
            allowed=tuple(q.name for q in ANALYTES),
        ),
        Column(
            "value",
            "number",
            "Result; for a result below or above the limit, the limit",
            required=True,
            minimum=0,
        ),
        Column("unit", "category", "Unit of value; empty means the analyte's own unit"),
        Column(
            "quantification",
            "category",
            "Whether the value is a number or a limit",
            allowed=QUANTIFICATION,
        ),
        Column(
            "lloq",
            "number",
            "Lower limit of quantification of the assay, in the same unit",
            minimum=0,
        ),
        Column("lower_normal", "number", "Lower limit of normal, in the same unit", minimum=0),
        Column("upper_normal", "number", "Upper limit of normal, in the same unit", minimum=0),
        *provenance_columns(),
    ),
    quantity_column="analyte",
    quantities=ANALYTES,
)

VITALS = Table(
    "vitals",
    "One row per patient and day or time: what CRS and ICANS are graded from",
    (
        patient_column(),
        day_column("Day", required=True),
        Column("temperature_c", "number", "Highest temperature", unit="C", minimum=25, maximum=45),
        Column(
            "systolic_mmhg",
            "number",
            "Lowest systolic pressure",
            unit="mmHg",
            minimum=0,
            maximum=320,
        ),
        Column("hypotension", "flag", "Hypotension by the clinician"),
        Column("fluid_bolus", "flag", "Fluid bolus given for low pressure"),
        Column(
            "vasopressors",
            "text",
            "Vasopressors running, separated by +, such as noradrenaline+vasopressin; none if none",
        ),
        Column(
            "oxygen_device",
            "category",
            "Oxygen device",
            allowed=(
                "room_air",
                "nasal_cannula",
                "blow_by",
                "high_flow_cannula",
                "face_mask",
                "venturi_mask",
                "non_rebreather",
                "cpap",
                "bipap",
                "ventilator",
            ),
        ),
        Column(
            "oxygen_flow_l_per_min", "number", "Oxygen flow", unit="L/min", minimum=0, maximum=100
        ),
        Column(
            "spo2_percent", "number", "Lowest oxygen saturation", unit="%", minimum=20, maximum=100
        ),
        Column("ice_score", "integer", "ICE score (12 years and older)", minimum=0, maximum=10),
        Column("capd_score", "integer", "CAPD score (under 12 years)", minimum=0, maximum=32),
        Column(
            "consciousness",
            "category",
            "Level of consciousness",
            allowed=(
                "alert",
                "wakes_spontaneously",
                "wakes_to_voice",
                "wakes_to_touch",
                "unarousable",
            ),
        ),
        Column(
            "seizure",
            "category",
            "Seizures",
            allowed=("none", "brief", "eeg_only", "prolonged", "repetitive"),
        ),
        Column("motor_weakness", "flag", "Deep focal motor weakness (hemiparesis, paraparesis)"),
        Column(
            "cerebral_oedema",
            "category",
            "Raised intracranial pressure or oedema",
            allowed=("none", "focal", "diffuse", "clinical_signs"),
        ),
        Column(
            "other_cause",
            "category",
            "Whether the findings have a cause other than CAR-T",
            allowed=("no", "yes", "possible"),
        ),
        *provenance_columns(),
    ),
)

VIRUSES = ("CMV", "EBV", "HHV-6", "adenovirus", "BK", "HSV", "VZV", "HBV")

VIRAL = Table(
    "viral",
    "One row per patient, day and virus: DNA in blood or other fluid",
    (
        patient_column(),
        day_column("Day of sampling", required=True),
        Column("virus", "category", "Virus", required=True, allowed=VIRUSES),
        Column(
            "specimen",
            "category",
            "Specimen",
            allowed=("plasma", "whole blood", "csf", "urine", "stool"),
        ),
        Column(
            "value",
            "number",
            "Viral load; for a result below the limit, the limit",
            required=True,
            minimum=0,
        ),
        Column(
            "unit",
            "category",
            "Unit, never converted into one another",
            allowed=("copies/mL", "IU/mL"),
        ),
        Column(
            "quantification",
            "category",
            "Whether the value is a number or a limit",
            allowed=(*QUANTIFICATION, "not_detected"),
        ),
        Column("lloq", "number", "Lower limit of quantification, in the same unit", minimum=0),
        Column("disease", "flag", "End-organ disease by this virus"),
        *provenance_columns(),
    ),
)

CHIMERISM = Table(
    "chimerism",
    "One row per test, lineage and donor",
    (
        patient_column(),
        day_column("Day of sampling"),
        *day_range_columns(),
        Column("specimen", "category", "Specimen", allowed=("blood", "marrow")),
        Column(
            "lineage",
            "category",
            "Cells tested",
            required=True,
            allowed=("unsorted", "cd3", "cd33", "cd15", "cd19", "nk"),
        ),
        Column("donor", "text", "Study ID of the donor the percentage is of"),
        Column(
            "donor_percent",
            "number",
            "Donor share",
            unit="%",
            required=True,
            minimum=0,
            maximum=100,
        ),
        Column("method", "category", "Assay", allowed=("STR", "NGS", "FISH", "qPCR", "flow")),
        *provenance_columns(),
    ),
)
