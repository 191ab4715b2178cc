"""What each published quantity is in the terms of a trial: one computing function per name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from graftline.tables.analyses import Analysis, analyses, estimate_incidence, estimate_survival
from graftline.tables.baseline import baseline_frame
from graftline.tables.format import DAYS_PER_MONTH
from graftline.trial import Trial, followup_ends, hsct_days


@dataclass(frozen=True, slots=True)
class Facts:
    """What published figures are computed from."""

    trial: Trial
    chosen: pl.DataFrame
    endpoints: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Computed:
    """A figure computed from recorded facts.

    ``n`` of ``total`` for counts; ``value`` with ``low`` and ``high`` otherwise, where ``low_to``
    and ``high_to`` (and ``value_to``) bound what is known only as a range. ``assumed`` counts the
    values behind it that are assumed; ``basis`` says what was counted.
    """

    basis: str
    n: int | None = None
    total: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    value_to: float | None = None
    low_to: float | None = None
    high_to: float | None = None
    text: str | None = None
    assumed: int = 0


Quantity = Callable[[Facts], Computed]


def _count(rule: str, test: pl.Expr, basis: str) -> Quantity:
    """Patients of a rule for whom ``test`` holds, of those evaluable."""

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter((pl.col("rule") == rule) & pl.col("state").is_in(["yes", "no"]))
        n = int(rows.select(test.fill_null(value=False).sum()).item())
        assumed = int(rows.select(pl.col("flags").str.contains("assumed").sum()).item() or 0)
        return Computed(basis, n=n, total=rows.height, assumed=assumed)

    return compute


def _yes(rule: str, basis: str) -> Quantity:
    return _count(rule, pl.col("state") == "yes", basis)


def _grade(rule: str, low: int, high: int, basis: str) -> Quantity:
    """Worst grade from ``low`` to ``high``; an event without a grade belongs to none."""
    grade = pl.when(pl.col("state") == "no").then(0.0).otherwise("value")
    return _count(rule, grade.is_between(low, high), basis)


def _label(rule: str, labels: Sequence[str], basis: str) -> Quantity:
    return _count(rule, pl.col("label").is_in(list(labels)), basis)


def _days(rule: str, basis: str, *, column: str = "day") -> Quantity:
    """Median and range of the recorded days (or values) of the patients with the event."""

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter((pl.col("rule") == rule) & (pl.col("state") == "yes"))
        guessed = pl.col("flags").str.contains("assumed").fill_null(value=False)
        known = rows.filter(~guessed)[column].drop_nulls().sort()
        return _spread(known, basis)

    return compute


def _spread(values: pl.Series, basis: str) -> Computed:
    return Computed(
        basis,
        total=values.len(),
        value=_float(values.median()),
        low=_float(values.min()),
        high=_float(values.max()),
    )


def _patients(column: str, basis: str, *, equals: object | None = None) -> Quantity:
    """A baseline characteristic: patients with the value, or median and range of a number."""

    def compute(facts: Facts) -> Computed:
        frame = baseline_frame(facts.trial)
        values = frame[column].drop_nulls().sort()
        if equals is None:
            return _spread(values, basis)
        return Computed(basis, n=int((values == equals).sum()), total=values.len())

    return compute


def _enrolled(facts: Facts) -> Computed:
    came = facts.trial.patients.filter(pl.col("status") != "screened").height
    return Computed("patients enrolled", n=came, total=came)


def _cut(facts: Facts) -> Computed:
    cut = facts.trial.settings.data_cut
    return Computed("data cut of the trial folder", text=None if cut is None else cut.isoformat())


def _product(kind: str) -> Quantity:
    def compute(facts: Facts) -> Computed:
        given = (
            facts.trial["infusions"]
            .filter(pl.col("kind") == "car_t")
            .group_by("patient")
            .agg(pl.col("type").first())["type"]
            .drop_nulls()
        )
        return Computed(
            "product type of each infusion", n=int((given == kind).sum()), total=given.len()
        )

    return compute


def _protocol_dose(kind: str) -> Quantity:
    def compute(facts: Facts) -> Computed:
        dose = next(
            (p.dose_cells_per_kg for p in facts.trial.protocol.products if p.type == kind), None
        )
        return Computed("target dose in the protocol", value=dose)

    return compute


def _drug(name: str, what: str) -> Quantity:
    def compute(facts: Facts) -> Computed:
        drug = next((d for d in facts.trial.protocol.lymphodepletion if d.drug == name), None)
        if drug is None:
            return Computed("lymphodepletion in the protocol")
        value = drug.dose if what == "dose" else float(len(drug.days))
        return Computed("lymphodepletion in the protocol", value=value)

    return compute


def _vital(test: pl.Expr, basis: str) -> Quantity:
    """Patients by vital status at last contact."""

    def compute(facts: Facts) -> Computed:
        ends = followup_ends(facts.trial).filter(pl.col("dead") | pl.col("end_day").is_not_null())
        n = int(ends.select(test.fill_null(value=False).sum()).item())
        return Computed(basis, n=n, total=ends.height)

    return compute


def _relapse_status(facts: Facts) -> pl.DataFrame:
    relapse = facts.chosen.filter(
        (pl.col("rule") == "relapse") & pl.col("state").is_in(["yes", "no"])
    ).select("patient", relapsed=pl.col("state") == "yes")
    mrd = (
        facts.chosen.filter(pl.col("rule").is_in(["mrd", "mrd_day28_after_hsct"]))
        .filter(pl.col("label").is_not_null())
        .sort("patient", "rule")
        .group_by("patient", maintain_order=True)
        # the rule on day 28 after HSCT sorts behind the one at first remission
        .agg(mrd=pl.col("label").last())
    )
    return (
        followup_ends(facts.trial)
        .join(relapse, on="patient", how="inner", validate="1:1")
        .join(mrd, on="patient", how="left", validate="1:1")
    )


def _ongoing_remission(facts: Facts) -> Computed:
    rows = _relapse_status(facts)
    good = ~pl.col("dead") & ~pl.col("relapsed") & (pl.col("mrd") == "negative")
    n = int(rows.select(good.fill_null(value=False).sum()).item())
    basis = "alive without relapse, last MRD negative"
    return Computed(basis, n=n, total=rows.height)


def _alive_with_relapse(facts: Facts) -> Computed:
    rows = _relapse_status(facts)
    n = int(rows.select((~pl.col("dead") & pl.col("relapsed")).sum()).item())
    return Computed("alive after relapse", n=n, total=rows.height)


def _disease_free(facts: Facts) -> Computed:
    rows = _relapse_status(facts)
    n = int(rows.select((~pl.col("dead") & ~pl.col("relapsed")).sum()).item())
    return Computed("alive without relapse", n=n, total=rows.height)


def _survivor_followup(facts: Facts) -> Computed:
    """Follow-up of survivors in months, with the bounds of what is known only as a range."""
    alive = followup_ends(facts.trial).filter(~pl.col("dead") & pl.col("end_day").is_not_null())
    low, high = (alive[c].drop_nulls() / DAYS_PER_MONTH for c in ("end_day_low", "end_day_high"))
    return Computed(
        "months from the index infusion to last contact of those alive",
        total=alive.height,
        value=_float(low.median()),
        value_to=_float(high.median()),
        low=_float(low.min()),
        low_to=_float(high.min()),
        high=_float(low.max()),
        high_to=_float(high.max()),
        assumed=int(alive["assumed"].sum()),
    )


def _interval_to_hspc(facts: Facts) -> Computed:
    days = hsct_days(facts.trial).filter(~pl.col("assumed"))["hsct_day"]
    return _spread(days, "day of HSPC, where it is stated")


def _primary(facts: Facts, endpoint: str) -> Analysis | None:
    """The protocol's own analysis of an endpoint: its origin, no late entry, no variant."""
    declared = facts.trial.protocol.endpoints.get(endpoint)
    found = [a for a in analyses(facts.trial, facts.endpoints) if a.endpoint == endpoint]
    plain = [a for a in found if not a.late_entry and not a.variant]
    if declared is not None:
        same = [a for a in plain if a.rows["origin"][0] == declared.origin]
        plain = same or plain
    return plain[0] if plain else None


def _survival(endpoint: str, days: float) -> Quantity:
    def compute(facts: Facts) -> Computed:
        analysis = _primary(facts, endpoint)
        interval = facts.trial.protocol.definitions.survival_interval
        basis = f"Kaplan-Meier from the event times, {interval} interval"
        if analysis is None:
            return Computed(basis)
        at = estimate_survival(analysis, interval=interval).at([days])
        return Computed(
            basis,
            total=analysis.rows.height,
            value=100 * float(at.survival[0]),
            low=100 * float(at.lower[0]),
            high=100 * float(at.upper[0]),
        )

    return compute


def _incidence(endpoint: str, days: float) -> Quantity:
    def compute(facts: Facts) -> Computed:
        analysis = _primary(facts, endpoint)
        basis = "cumulative incidence with competing events"
        if analysis is None:
            return Computed(basis)
        at = estimate_incidence(analysis).at([days], 1)
        return Computed(
            basis,
            total=analysis.rows.height,
            value=100 * float(at.incidence[0]),
            low=100 * float(at.lower[0]),
            high=100 * float(at.upper[0]),
        )

    return compute


def _survival_median(endpoint: str) -> Quantity:
    def compute(facts: Facts) -> Computed:
        analysis = _primary(facts, endpoint)
        if analysis is None:
            return Computed("Kaplan-Meier median")
        interval = facts.trial.protocol.definitions.survival_interval
        middle = float(estimate_survival(analysis, interval=interval).quantile(0.5).value)
        known = None if middle != middle else middle / DAYS_PER_MONTH
        return Computed("Kaplan-Meier median", value=known)

    return compute


def _any_gvhd(facts: Facts) -> Computed:
    rules = ["gvhd_before_hspc", "acute_gvhd", "chronic_gvhd"]
    rows = facts.chosen.filter(pl.col("rule").is_in(rules) & pl.col("state").is_in(["yes", "no"]))
    per_patient = rows.group_by("patient").agg(hit=(pl.col("state") == "yes").any())
    return Computed(
        "acute before or after HSPC, or chronic",
        n=int(per_patient["hit"].sum()),
        total=per_patient.height,
    )


def _of_all(rule: str, basis: str) -> Quantity:
    """Patients with a yes, of everybody in the rule's population whether evaluable or not."""

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter(pl.col("rule") == rule)
        return Computed(basis, n=int((rows["state"] == "yes").sum()), total=rows.height)

    return compute


def _evaluable_of_all(rule: str, basis: str) -> Quantity:
    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter(pl.col("rule") == rule)
        n = int(rows["state"].is_in(["yes", "no"]).sum())
        return Computed(basis, n=n, total=rows.height)

    return compute


def _cart_gvhd(facts: Facts) -> Computed:
    rows = facts.chosen.filter(
        (pl.col("rule") == "gvhd_before_hspc") & pl.col("state").is_in(["yes", "no"])
    )
    return Computed(
        "GVHD before HSPC, held to come from CAR-T",
        n=int(((rows["state"] == "yes") & (rows["label"] == "car_t")).sum()),
        total=rows.height,
    )


def _chimerism_of(patient: str) -> Quantity:
    def compute(facts: Facts) -> Computed:
        tests = facts.trial["chimerism"].filter(pl.col("patient") == patient).sort("row")
        percents = tests["donor_percent"].drop_nulls()
        value = float(percents[0]) if percents.len() else None
        return Computed(f"first recorded donor chimerism of {patient}", value=value)

    return compute


def _first_death_after_hspc(facts: Facts) -> Computed:
    deaths = followup_ends(facts.trial).filter("dead").join(hsct_days(facts.trial), on="patient")
    after = (deaths["death_day"] - deaths["hsct_day"]).drop_nulls()
    return Computed(
        "days from HSPC to the earliest death after it",
        value=_float(after.min()),
        assumed=int(deaths["assumed"].sum()),
    )


def _last_infection_death(facts: Facts) -> Computed:
    deaths = followup_ends(facts.trial).filter(pl.col("death_cause") == "infection")
    return Computed(
        "months to the latest death of infection",
        value=_float((deaths["death_day"] / DAYS_PER_MONTH).max()),
    )


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


_YEAR = 12 * DAYS_PER_MONTH
_FULL = "full donor chimerism, of patients with a test and alive"

QUANTITIES: Mapping[str, Quantity] = {
    "enrolled": _enrolled,
    "data_cutoff": _cut,
    "product_donor_derived": _product("donor_derived"),
    "product_universal": _product("universal"),
    "dose_donor_derived": _protocol_dose("donor_derived"),
    "dose_universal": _protocol_dose("universal"),
    "fludarabine_daily": _drug("fludarabine", "dose"),
    "cyclophosphamide_daily": _drug("cyclophosphamide", "dose"),
    "etoposide_daily": _drug("etoposide", "dose"),
    "lymphodepletion_days": _drug("fludarabine", "days"),
    "age": _patients("age_years", "age at enrolment"),
    "sex_female": _patients("sex", "recorded sex", equals="female"),
    "sex_male": _patients("sex", "recorded sex", equals="male"),
    "disease_aml": _patients("disease", "recorded disease", equals="AML"),
    "disease_t_all": _patients("disease", "recorded disease", equals="T-ALL"),
    "disease_t_lbl": _patients("disease", "recorded disease", equals="T-LBL"),
    "disease_mpal": _patients("disease", "recorded disease", equals="MPAL"),
    "disease_ptcl": _patients("disease", "recorded disease", equals="PTCL"),
    "prior_therapy_courses": _patients("prior_lines", "earlier courses"),
    "prior_allo_hsct": _patients("prior_allo_hsct", "earlier allogeneic HSCT", equals=True),
    "marrow_blasts_baseline": _patients("marrow_blasts_percent", "marrow blasts"),
    "cd7_expression_on_blasts": _patients("cd7_percent_of_blasts", "CD7 on blasts"),
    "extramedullary_disease": _patients(
        "extramedullary_disease", "extramedullary disease", equals=True
    ),
    "etoposide_exposed_before": _patients("prior_etoposide", "earlier etoposide", equals=True),
    "ecog_0": _patients("ecog", "ECOG", equals=0),
    "ecog_1": _patients("ecog", "ECOG", equals=1),
    "ecog_2": _patients("ecog", "ECOG", equals=2),
    "diagnosis_to_cart": _patients("diagnosis_months", "months from diagnosis"),
    "cart_to_hspc": _interval_to_hspc,
    "donor_child": _patients("relation", "relation of the donor", equals="child"),
    "donor_brother": _patients("relation", "relation of the donor", equals="brother"),
    "donor_age": _patients("donor_age_years", "age of the donor"),
    "donor_female": _patients("donor_sex", "sex of the donor", equals="female"),
    "donor_male": _patients("donor_sex", "sex of the donor", equals="male"),
    "hla_5_of_10": _patients("hla_match_of_10", "HLA alleles matched", equals=5),
    "hla_6_of_10": _patients("hla_match_of_10", "HLA alleles matched", equals=6),
    "abo_matched": _label("abo_match", ("match", "matched"), "ABO of donor and patient"),
    "abo_mismatched": _count(
        "abo_match",
        ~pl.col("label").is_in(["match", "matched"]),
        "ABO of donor and patient",
    ),
    "crs_any": _grade("crs", 1, 5, "worst CRS grade"),
    "crs_none": _grade("crs", 0, 0, "worst CRS grade"),
    "crs_grade1": _grade("crs", 1, 1, "worst CRS grade"),
    "crs_grade2": _grade("crs", 2, 2, "worst CRS grade"),
    "crs_grade1_2": _grade("crs", 1, 2, "worst CRS grade"),
    "crs_grade3": _grade("crs", 3, 3, "worst CRS grade"),
    "crs_grade3plus": _grade("crs", 3, 5, "worst CRS grade"),
    "crs_onset": _days("crs", "day of CRS onset"),
    "crs_duration": _days("crs_duration", "days of CRS", column="value"),
    "icans_any": _yes("icans", "ICANS of any grade"),
    "icans_grade1_2": _grade("icans", 1, 2, "worst ICANS grade"),
    "icans_grade3plus": _grade("icans", 3, 5, "worst ICANS grade"),
    "pancytopenia_grade4": _yes("pancytopenia_grade4", "grade 4 pancytopenia"),
    "cri_after_cart": _yes("remission", "CR, CRh or CRi after CAR-T"),
    "cr_or_cri": _yes("remission", "CR, CRh or CRi after CAR-T"),
    "orr": _label("response", ("CR", "CRh", "CRi", "MLFS", "PR"), "best response"),
    "cri_mrd_negative": _label("mrd", ("negative",), "MRD at first remission"),
    "cri_mrd_positive": _label("mrd", ("positive",), "MRD at first remission"),
    "mrd_negative_cr_day28_after_hsct": _label(
        "mrd_day28_after_hsct", ("negative",), "MRD on day 28 after HSPC"
    ),
    "gvhd_any": _any_gvhd,
    "gvhd_cart_related": _cart_gvhd,
    "agvhd_low_grade": _grade("acute_gvhd", 1, 2, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade1_2": _grade("acute_gvhd", 1, 2, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade2": _grade("acute_gvhd", 2, 2, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade3": _grade("acute_gvhd", 3, 3, "acute GVHD after HSPC"),
    "agvhd_after_hsct_grade3_4": _grade("acute_gvhd", 3, 4, "acute GVHD after HSPC"),
    "agvhd_cif_3mo_after_hsct": _incidence("acute_gvhd_1_4", 3 * DAYS_PER_MONTH),
    "cgvhd": _yes("chronic_gvhd", "chronic GVHD, of those evaluable by the protocol's rule"),
    "cgvhd_evaluable_100d": _evaluable_of_all("chronic_gvhd", "evaluable for chronic GVHD"),
    "bacterial_or_fungal_infection": _yes(
        "infection_bacterial_or_fungal", "recorded bacterial or fungal infection"
    ),
    "ebv_cmv_reactivation": _yes("viral_reactivation", "EBV or CMV reactivation"),
    "ptld": _yes("ptld", "PTLD"),
    "full_donor_chimerism_month1": _yes("chimerism_month_1", f"{_FULL}, month 1"),
    "full_donor_chimerism_ever": _yes("chimerism_ever_full", f"{_FULL}, any time"),
    "full_donor_chimerism_ever_of_all": _of_all(
        "chimerism_ever_full", "full donor chimerism at any time, of everybody transplanted"
    ),
    "mixed_chimerism_month1": _label("chimerism_month_1", ("mixed",), "chimerism at month 1"),
    "autologous_recovery": _of_all(
        "autologous_recovery", "autologous recovery, of everybody transplanted"
    ),
    "donor_chimerism_patient3_within_3mo": _chimerism_of("P03"),
    "neutrophil_engraftment_after_hsct": _days(
        "neutrophil_engraftment", "day of engraftment after HSPC"
    ),
    "platelet_engraftment_after_hsct": _days(
        "platelet_engraftment_20", "day of engraftment after HSPC"
    ),
    "followup_survivors": _survivor_followup,
    "followup_median": _survivor_followup,
    "alive_at_cutoff": _vital(~pl.col("dead"), "alive at last contact"),
    "disease_free_at_cutoff": _disease_free,
    "deaths": _vital(pl.col("dead"), "deaths"),
    "deaths_infection": _vital(pl.col("death_cause") == "infection", "deaths of infection"),
    "deaths_relapse": _vital(pl.col("death_cause") == "relapse", "deaths of relapse"),
    "cd7neg_relapse": _label("relapse", ("negative", "CD7 negative"), "relapse, CD7-negative"),
    "ongoing_mrd_negative_cr": _ongoing_remission,
    "alive_with_relapse": _alive_with_relapse,
    "death_day_after_hsct_early": _first_death_after_hspc,
    "death_month_septic_shock": _last_infection_death,
    "os_12mo": _survival("overall_survival", _YEAR),
    "dfs_12mo": _survival("disease_free_survival", _YEAR),
    "pfs_12mo": _survival("disease_free_survival", _YEAR),
    "os_median": _survival_median("overall_survival"),
    "pfs_median": _survival_median("disease_free_survival"),
    "cart_tmax_qpcr": _days("car_t_qpcr_tmax", "Tmax by qPCR", column="value"),
    "cart_cmax_qpcr": _days("car_t_qpcr_cmax", "Cmax by qPCR", column="value"),
    "cart_tmax_flow": _days("car_t_flow_tmax", "Tmax by flow cytometry", column="value"),
    "cart_cmax_flow": _days("car_t_flow_cmax", "Cmax by flow cytometry", column="value"),
    "cd7pos_t_eradication": _days("cd7_t_eradication", "day of CD7+ T-cell eradication"),
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
    "12mo": "at 12 months",
    "3mo": "3 months",
}


def quantity_title(name: str) -> str:
    """The name of a published quantity in words: ``crs_grade1_2`` is CRS grade 1 to 2."""
    parts = name.split("_")
    words = []
    for place, part in enumerate(parts):
        before = parts[place - 1] if place else ""
        range_end = part.isdigit() and before.startswith("grade")
        words.append(f"to {part}" if range_end else _PRINTED.get(part, part))
    text = " ".join(words)
    return text[:1].upper() + text[1:]
