"""Patients, donors and follow-up."""

from graftline.schema.declaration import (
    Column,
    Table,
    day_column,
    patient_column,
    provenance_columns,
)

DISEASES = (
    "AML",
    "T-ALL",
    "T-LBL",
    "MPAL",
    "PTCL",
    "ALL",
    "B-ALL",
    "MDS",
    "CML",
    "chronic leukaemia",
    "lymphoma",
    "nonmalignant",
    "other",
)
BLOOD_GROUPS = ("A", "B", "AB", "O")
SEROSTATUS = ("positive", "negative")
_HLA = (
    "as two-field alleles separated by a comma, such as 02:01,11:01; one allele twice if homozygous"
)


def _hla_columns(whose: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"hla_{locus.lower()}", "text", f"{whose} HLA-{locus}, {_HLA}")
        for locus in ("A", "B", "C", "DRB1", "DQB1")
    )


PATIENTS = Table(
    "patients",
    "One row per patient screened: how far the patient came, and baseline",
    (
        patient_column(),
        Column(
            "status",
            "category",
            "How far the patient came",
            required=True,
            allowed=("screened", "enrolled", "manufactured", "infused", "transplanted"),
        ),
        Column("stopped_reason", "text", "Why the patient did not go on to the next step"),
        day_column("Day of enrolment", name="enrolled_day"),
        Column("age_years", "number", "Age at enrolment", unit="year", minimum=0, maximum=120),
        Column("sex", "category", "Sex", allowed=("female", "male")),
        Column("disease", "category", "Disease", allowed=DISEASES),
        Column(
            "risk_group",
            "category",
            "Risk group of the disease",
            allowed=("low", "standard", "high"),
        ),
        day_column("Day of first diagnosis (negative)", name="diagnosis_day"),
        Column(
            "weight_kg",
            "number",
            "Actual body weight",
            unit="kg",
            minimum=0.5,
            maximum=400,
            plausible=(2, 200),
        ),
        Column(
            "height_cm", "number", "Height", unit="cm", minimum=20, maximum=260, plausible=(45, 220)
        ),
        Column("ecog", "integer", "ECOG performance status", minimum=0, maximum=5),
        Column("hct_ci", "integer", "HCT comorbidity index (Sorror 2005)", minimum=0, maximum=30),
        Column(
            "marrow_blasts_percent",
            "number",
            "Marrow blasts before lymphodepletion",
            unit="%",
            minimum=0,
            maximum=100,
        ),
        Column(
            "cd7_percent_of_blasts",
            "number",
            "Blasts expressing CD7 before treatment",
            unit="%",
            minimum=0,
            maximum=100,
        ),
        Column("extramedullary_disease", "flag", "Extramedullary disease at baseline"),
        Column("prior_lines", "integer", "Earlier courses of therapy", minimum=0, maximum=60),
        Column("prior_allo_hsct", "flag", "Allogeneic HSCT before this trial"),
        Column(
            "prior_allo_hsct_count",
            "integer",
            "Number of earlier allogeneic HSCT",
            minimum=0,
            maximum=5,
        ),
        Column("prior_car_t", "flag", "Earlier CAR-T"),
        Column("prior_etoposide", "flag", "Earlier etoposide"),
        Column("cmv_serostatus", "category", "CMV serostatus of the patient", allowed=SEROSTATUS),
        Column("abo", "category", "Blood group", allowed=BLOOD_GROUPS),
        Column("rh", "category", "Rh D", allowed=SEROSTATUS),
        Column(
            "lvef_percent",
            "number",
            "Left-ventricular ejection fraction",
            unit="%",
            minimum=5,
            maximum=95,
        ),
        Column(
            "spo2_percent",
            "number",
            "Oxygen saturation on room air at screening",
            unit="%",
            minimum=40,
            maximum=100,
        ),
        Column("hepatitis_b", "category", "HBV (surface antigen or DNA)", allowed=SEROSTATUS),
        Column("hepatitis_c", "category", "HCV", allowed=SEROSTATUS),
        Column("hiv", "category", "HIV", allowed=SEROSTATUS),
        Column("pregnant", "flag", "Pregnant or breast-feeding at screening"),
        Column("active_infection", "flag", "Active uncontrolled infection at screening"),
        *_hla_columns("Patient's"),
        *provenance_columns(),
    ),
    required=True,
    key=("patient",),
)

DONORS = Table(
    "donors",
    "One row per patient, donor and role",
    (
        patient_column(),
        Column("donor", "text", "Study ID of the donor", required=True),
        Column(
            "role",
            "category",
            "What this donor gave",
            required=True,
            allowed=("car_t", "hspc", "earlier_graft"),
        ),
        Column(
            "relation",
            "category",
            "Relation to the patient",
            allowed=(
                "child",
                "parent",
                "sibling",
                "brother",
                "sister",
                "other relative",
                "unrelated",
                "third party",
            ),
        ),
        Column("age_years", "number", "Age of the donor", unit="year", minimum=0, maximum=90),
        Column("sex", "category", "Sex", allowed=("female", "male")),
        Column(
            "hla_match_of_10",
            "integer",
            "Matched HLA alleles of ten (A, B, C, DRB1, DQB1)",
            minimum=0,
            maximum=10,
        ),
        Column("abo", "category", "Blood group", allowed=BLOOD_GROUPS),
        Column("rh", "category", "Rh D", allowed=SEROSTATUS),
        Column("cmv_serostatus", "category", "CMV serostatus of the donor", allowed=SEROSTATUS),
        Column("donor_specific_antibodies", "flag", "Antibodies of the patient against this donor"),
        Column("cleared", "flag", "Donor examined and cleared for donation"),
        *_hla_columns("Donor's"),
        *provenance_columns(),
    ),
    key=("patient", "donor", "role"),
)

FOLLOWUP = Table(
    "followup",
    "One row per patient: last contact and status then",
    (
        patient_column(),
        day_column(
            "Last day the patient is known to be alive, or day of death", name="last_contact_day"
        ),
        day_column(
            "Earliest possible day of last contact, where only a range is known",
            name="last_contact_day_low",
        ),
        day_column(
            "Latest possible day of last contact, where only a range is known",
            name="last_contact_day_high",
        ),
        day_column("Last day the disease was assessed", name="last_response_day"),
        Column(
            "status",
            "category",
            "Status at last contact",
            required=True,
            allowed=("alive", "dead", "lost"),
        ),
        *provenance_columns(),
    ),
    required=True,
    key=("patient",),
)
