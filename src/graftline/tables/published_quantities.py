"""What each published quantity is in the terms of a trial: name to computing function."""

import re
from collections.abc import Mapping

import polars as pl

from graftline.tables.format import DAYS_PER_MONTH
from graftline.tables.published_facts import (
    Quantity,
    alive_with_relapse,
    any_gvhd,
    baseline_of,
    data_cut,
    disease_free,
    enrolled,
    evaluable_of_all,
    first_chimerism_of,
    first_death_after_hspc,
    incidence_at,
    interval_to_hspc,
    last_infection_death,
    lymphodepletion,
    ongoing_remission,
    patients_graded,
    patients_labelled,
    patients_of_all,
    patients_where,
    patients_with,
    product_type,
    protocol_dose,
    recorded_as,
    spread_of,
    survival_at,
    survival_median,
    survivor_followup,
    vital_status,
)

_YEAR = 12 * DAYS_PER_MONTH
_FULL = "full donor chimerism, of patients with a test and alive"

QUANTITIES: Mapping[str, Quantity] = {
    "enrolled": enrolled,
    "data_cutoff": data_cut,
    "product_donor_derived": product_type("donor_derived"),
    "product_universal": product_type("universal"),
    "dose_donor_derived": protocol_dose("donor_derived"),
    "dose_universal": protocol_dose("universal"),
    "fludarabine_daily": lymphodepletion("fludarabine", "dose"),
    "cyclophosphamide_daily": lymphodepletion("cyclophosphamide", "dose"),
    "etoposide_daily": lymphodepletion("etoposide", "dose"),
    "lymphodepletion_days": lymphodepletion("fludarabine", "days"),
    "age": baseline_of("age_years", "age at enrolment"),
    "sex_female": baseline_of("sex", "recorded sex", equals="female"),
    "sex_male": baseline_of("sex", "recorded sex", equals="male"),
    "disease_aml": baseline_of("disease", "recorded disease", equals="AML"),
    "disease_t_all": baseline_of("disease", "recorded disease", equals="T-ALL"),
    "disease_t_lbl": baseline_of("disease", "recorded disease", equals="T-LBL"),
    "disease_mpal": baseline_of("disease", "recorded disease", equals="MPAL"),
    "disease_ptcl": baseline_of("disease", "recorded disease", equals="PTCL"),
    "prior_therapy_courses": baseline_of("prior_lines", "earlier courses"),
    "prior_allo_hsct": baseline_of("prior_allo_hsct", "earlier allogeneic HSCT", equals=True),
    "marrow_blasts_baseline": baseline_of("marrow_blasts_percent", "marrow blasts"),
    "cd7_expression_on_blasts": baseline_of("cd7_percent_of_blasts", "CD7 on blasts"),
    "extramedullary_disease": baseline_of(
        "extramedullary_disease", "extramedullary disease", equals=True
    ),
    "etoposide_exposed_before": baseline_of("prior_etoposide", "earlier etoposide", equals=True),
    "ecog_0": baseline_of("ecog", "ECOG", equals=0),
    "ecog_1": baseline_of("ecog", "ECOG", equals=1),
    "ecog_2": baseline_of("ecog", "ECOG", equals=2),
    "diagnosis_to_cart": baseline_of("diagnosis_months", "months from diagnosis"),
    "cart_to_hspc": interval_to_hspc,
    "donor_child": baseline_of("relation", "relation of the donor", equals="child"),
    "donor_brother": baseline_of("relation", "relation of the donor", equals="brother"),
    "donor_age": baseline_of("donor_age_years", "age of the donor"),
    "donor_female": baseline_of("donor_sex", "sex of the donor", equals="female"),
    "donor_male": baseline_of("donor_sex", "sex of the donor", equals="male"),
    "hla_5_of_10": baseline_of("hla_match_of_10", "HLA alleles matched", equals=5),
    "hla_6_of_10": baseline_of("hla_match_of_10", "HLA alleles matched", equals=6),
    "abo_matched": patients_labelled("abo_match", ("match", "matched"), "ABO of donor and patient"),
    "abo_mismatched": patients_where(
        "abo_match",
        ~pl.col("label").is_in(["match", "matched"]),
        "ABO of donor and patient",
    ),
    "crs_any": patients_graded("crs", 1, 5, "worst CRS grade"),
    "crs_none": patients_graded("crs", 0, 0, "worst CRS grade"),
    "crs_grade1": patients_graded("crs", 1, 1, "worst CRS grade"),
    "crs_grade2": patients_graded("crs", 2, 2, "worst CRS grade"),
    "crs_grade1_2": patients_graded("crs", 1, 2, "worst CRS grade"),
    "crs_grade3": patients_graded("crs", 3, 3, "worst CRS grade"),
    "crs_grade3plus": patients_graded("crs", 3, 5, "worst CRS grade"),
    "crs_onset": spread_of("crs", "day of CRS onset"),
    "crs_duration": spread_of("crs_duration", "days of CRS", column="value"),
    "icans_any": patients_with("icans", "ICANS of any grade"),
    "icans_grade1_2": patients_graded("icans", 1, 2, "worst ICANS grade"),
    "icans_grade3plus": patients_graded("icans", 3, 5, "worst ICANS grade"),
    "pancytopenia_grade4": patients_with("pancytopenia_grade4", "grade 4 pancytopenia"),
    "cri_after_cart": patients_with("remission", "CR, CRh or CRi after CAR-T"),
    "cr_or_cri": patients_with("remission", "CR, CRh or CRi after CAR-T"),
    "orr": patients_labelled("response", ("CR", "CRh", "CRi", "MLFS", "PR"), "best response"),
    "cri_mrd_negative": patients_labelled("mrd", ("negative",), "MRD at first remission"),
    "cri_mrd_positive": patients_labelled("mrd", ("positive",), "MRD at first remission"),
    "mrd_negative_cr_day28_after_hsct": patients_labelled(
        "mrd_day28_after_hsct", ("negative",), "MRD on day 28 after HSPC"
    ),
    "gvhd_any": any_gvhd,
    "gvhd_cart_related": recorded_as(
        "gvhd_before_hspc", "car_t", "GVHD held to come from CAR-T, of everybody infused"
    ),
    "agvhd_low_grade": patients_graded("acute_gvhd", 1, 2, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade1_2": patients_graded("acute_gvhd", 1, 2, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade2": patients_graded("acute_gvhd", 2, 2, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade3": patients_graded("acute_gvhd", 3, 3, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade3_4": patients_graded("acute_gvhd", 3, 4, "acute GVHD after HSPC"),
    "agvhd_cif_3mo_after_hsct": incidence_at("acute_gvhd_1_4", 3 * DAYS_PER_MONTH),
    "cgvhd": patients_with(
        "chronic_gvhd", "chronic GVHD, of those evaluable by the protocol's rule"
    ),
    "cgvhd_evaluable_100d": evaluable_of_all("chronic_gvhd", "evaluable for chronic GVHD"),
    "bacterial_or_fungal_infection": recorded_as(
        "infection_bacterial_or_fungal",
        None,
        "recorded bacterial or fungal infection, of everybody infused",
    ),
    "ebv_cmv_reactivation": patients_with("viral_reactivation", "EBV or CMV reactivation"),
    "ptld": patients_with("ptld", "PTLD"),
    "full_donor_chimerism_month1": patients_with("chimerism_month_1", f"{_FULL}, month 1"),
    "full_donor_chimerism_ever": patients_with("chimerism_ever_full", f"{_FULL}, any time"),
    "full_donor_chimerism_ever_of_all": patients_of_all(
        "chimerism_ever_full", "full donor chimerism at any time, of everybody transplanted"
    ),
    "mixed_chimerism_month1": patients_labelled(
        "chimerism_month_1", ("mixed",), "chimerism at month 1"
    ),
    "autologous_recovery": patients_of_all(
        "autologous_recovery", "autologous recovery, of everybody transplanted"
    ),
    "donor_chimerism_patient3_within_3mo": first_chimerism_of("P03"),
    "neutrophil_engraftment_after_hsct": spread_of(
        "neutrophil_engraftment", "day of engraftment after HSPC"
    ),
    "platelet_engraftment_after_hsct": spread_of(
        "platelet_engraftment_20", "day of engraftment after HSPC"
    ),
    "followup_survivors": survivor_followup,
    "followup_median": survivor_followup,
    "alive_at_cutoff": vital_status(~pl.col("dead"), "alive at last contact"),
    "disease_free_at_cutoff": disease_free,
    "deaths": vital_status(pl.col("dead"), "deaths"),
    "deaths_infection": vital_status(pl.col("death_cause") == "infection", "deaths of infection"),
    "deaths_relapse": vital_status(pl.col("death_cause") == "relapse", "deaths of relapse"),
    "cd7neg_relapse": recorded_as(
        "relapse", "negative", "recorded relapse, CD7-negative, of everybody infused"
    ),
    "ongoing_mrd_negative_cr": ongoing_remission,
    "alive_with_relapse": alive_with_relapse,
    "death_day_after_hsct_early": first_death_after_hspc,
    "death_month_septic_shock": last_infection_death,
    "os_12mo": survival_at("overall_survival", _YEAR),
    "dfs_12mo": survival_at("disease_free_survival", _YEAR),
    "pfs_12mo": survival_at("disease_free_survival", _YEAR),
    "os_median": survival_median("overall_survival"),
    "pfs_median": survival_median("disease_free_survival"),
    "cart_tmax_qpcr": spread_of("car_t_qpcr_tmax", "Tmax by qPCR", column="value"),
    "cart_cmax_qpcr": spread_of("car_t_qpcr_cmax", "Cmax by qPCR", column="value"),
    "cart_tmax_flow": spread_of("car_t_flow_tmax", "Tmax by flow cytometry", column="value"),
    "cart_cmax_flow": spread_of("car_t_flow_cmax", "Cmax by flow cytometry", column="value"),
    "cd7pos_t_eradication": spread_of("cd7_t_eradication", "day of CD7+ T-cell eradication"),
}

_PRINTED = {
    "abo": "ABO",
    "agvhd": "acute GVHD",
    "aml": "AML",
    "cart": "CAR-T",
    "cd3": "CD3+",
    "cd34": "CD34+",
    "cd7": "CD7",
    "cd7neg": "CD7-negative",
    "cd7pos": "CD7-positive",
    "cgvhd": "chronic GVHD",
    "cif": "cumulative incidence",
    "cmv": "CMV",
    "cri": "CRi",
    "cr": "CR",
    "crs": "CRS",
    "dfs": "disease-free survival",
    "ebv": "EBV",
    "ecog": "ECOG",
    "followup": "follow-up",
    "grade1": "grade 1",
    "grade2": "grade 2",
    "grade3": "grade 3",
    "grade3plus": "grade 3 or higher",
    "grade4": "grade 4",
    "gvhd": "GVHD",
    "hla": "HLA",
    "hsct": "HSCT",
    "hspc": "HSPC",
    "icans": "ICANS",
    "mnc": "mononuclear cells",
    "month1": "month 1",
    "mrd": "MRD",
    "nk": "NK",
    "os": "overall survival",
    "patient3": "of Patient 3",
    "pfs": "progression-free survival",
    "ptld": "PTLD",
    "qpcr": "qPCR",
    "t": "T",
    "tcr": "TCR",
    "cmax": "Cmax",
    "day28": "on day 28",
    "lbl": "LBL",
    "mpal": "MPAL",
    "ptcl": "PTCL",
    "tmax": "Tmax",
    "freq": "frequency",
    "top50": "top 50",
    "100d": "at 100 days",
    "12mo": "at 12 months",
    "3mo": "3 months",
}


_PAIRS = {
    "b_all": "B-ALL",
    "t_all": "T-ALL",
    "t_lbl": "T-LBL",
    "ebv_cmv": "EBV or CMV",
    "mrd_negative": "MRD-negative",
    "mrd_positive": "MRD-positive",
    "t_eradication": "T-cell eradication",
    "t_nk": "T and NK cells",
}
_PAIRED = re.compile(rf"(?<![a-z0-9])({'|'.join(_PAIRS)})(?![a-z0-9])")


def quantity_title(name: str) -> str:
    """The name of a published quantity in words: ``crs_grade1_2`` is CRS grade 1 to 2."""
    parts = _PAIRED.sub(lambda found: _PAIRS[found[1]], name).split("_")
    words = []
    for place, part in enumerate(parts):
        before = parts[place - 1] if place else ""
        range_end = part.isdigit() and before.startswith("grade")
        words.append(f"to {part}" if range_end else _PRINTED.get(part, part))
    text = " ".join(words)
    return text[:1].upper() + text[1:]
