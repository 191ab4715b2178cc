"""How published quantities are computed from a trial: counts, spreads, estimates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from graftline.tables.analyses import Analysis, analyses, estimate_incidence, estimate_survival
from graftline.tables.baseline import baseline_frame, status_order
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
    values behind it that are assumed; ``basis`` says what was counted; ``told_only`` marks counts
    of events told of single patients, where others may have gone untold.
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
    told_only: bool = False


Quantity = Callable[[Facts], Computed]


def patients_where(rule: str, test: pl.Expr, basis: str) -> Quantity:
    """Patients of a rule for whom ``test`` holds, of those evaluable."""

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter((pl.col("rule") == rule) & pl.col("state").is_in(["yes", "no"]))
        n = int(rows.select(test.fill_null(value=False).sum()).item())
        assumed = int(rows.select(pl.col("flags").str.contains("assumed").sum()).item() or 0)
        return Computed(basis, n=n, total=rows.height, assumed=assumed)

    return compute


def patients_with(rule: str, basis: str) -> Quantity:
    """Patients with a yes, of those evaluable."""
    return patients_where(rule, pl.col("state") == "yes", basis)


def patients_graded(rule: str, low: int, high: int, basis: str) -> Quantity:
    """Worst grade from ``low`` to ``high``; an event without a grade belongs to none."""
    grade = pl.when(pl.col("state") == "no").then(0.0).otherwise("value")
    return patients_where(rule, grade.is_between(low, high), basis)


def patients_labelled(rule: str, labels: Sequence[str], basis: str) -> Quantity:
    """Patients of a rule with one of the labels, of those evaluable."""
    return patients_where(rule, pl.col("label").is_in(list(labels)), basis)


def spread_of(rule: str, basis: str, *, column: str = "day") -> Quantity:
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


def baseline_of(column: str, basis: str, *, equals: object | None = None) -> Quantity:
    """A baseline characteristic: patients with the value, or median and range of a number."""

    def compute(facts: Facts) -> Computed:
        frame = baseline_frame(facts.trial)
        values = frame[column].drop_nulls().sort()
        if equals is None:
            return _spread(values, basis)
        return Computed(basis, n=int((values == equals).sum()), total=values.len())

    return compute


def enrolled(facts: Facts) -> Computed:
    """Patients enrolled; screening failures are not among them."""
    order = status_order(facts.trial)
    counted = order[order.index("enrolled") :]
    came = facts.trial.patients.filter(pl.col("status").is_in(counted)).height
    return Computed("patients enrolled", n=came, total=came)


def data_cut(facts: Facts) -> Computed:
    """Data cut of the trial folder."""
    cut = facts.trial.settings.data_cut
    return Computed("data cut of the trial folder", text=None if cut is None else cut.isoformat())


def product_type(kind: str) -> Quantity:
    """Patients by type of CAR-T product."""

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


def protocol_dose(kind: str) -> Quantity:
    """Target dose of a product in the protocol."""

    def compute(facts: Facts) -> Computed:
        dose = next(
            (p.dose_cells_per_kg for p in facts.trial.protocol.products if p.type == kind), None
        )
        return Computed("target dose in the protocol", value=dose)

    return compute


def lymphodepletion(name: str, what: str) -> Quantity:
    """Daily dose, or number of days, of a drug in the protocol."""

    def compute(facts: Facts) -> Computed:
        drug = next((d for d in facts.trial.protocol.lymphodepletion if d.drug == name), None)
        if drug is None:
            return Computed("lymphodepletion in the protocol")
        value = drug.dose if what == "dose" else float(len(drug.days))
        return Computed("lymphodepletion in the protocol", value=value)

    return compute


def vital_status(test: pl.Expr, basis: str) -> Quantity:
    """Patients by vital status at last contact."""

    def compute(facts: Facts) -> Computed:
        ends = followup_ends(facts.trial).filter(pl.col("dead") | pl.col("end_day").is_not_null())
        n = int(ends.select(test.fill_null(value=False).sum()).item())
        return Computed(basis, n=n, total=ends.height)

    return compute


def _relapse_status(facts: Facts) -> pl.DataFrame:
    """Vital status, whether a relapse is recorded, and the last MRD, of everybody infused."""
    relapse = facts.chosen.filter(pl.col("rule") == "relapse").select(
        "patient", relapsed=pl.col("state") == "yes"
    )
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


def ongoing_remission(facts: Facts) -> Computed:
    """Alive without relapse, MRD negative when last tested."""
    rows = _relapse_status(facts)
    good = ~pl.col("dead") & ~pl.col("relapsed") & (pl.col("mrd") == "negative")
    n = int(rows.select(good.fill_null(value=False).sum()).item())
    basis = "alive, no relapse recorded, last MRD negative"
    return Computed(basis, n=n, total=rows.height)


def alive_with_relapse(facts: Facts) -> Computed:
    """Alive after relapse."""
    rows = _relapse_status(facts)
    n = int(rows.select((~pl.col("dead") & pl.col("relapsed")).sum()).item())
    return Computed("alive after relapse", n=n, total=rows.height)


def disease_free(facts: Facts) -> Computed:
    """Alive without relapse."""
    rows = _relapse_status(facts)
    n = int(rows.select((~pl.col("dead") & ~pl.col("relapsed")).sum()).item())
    return Computed("alive, no relapse recorded", n=n, total=rows.height)


def survivor_followup(facts: Facts) -> Computed:
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


def interval_to_hspc(facts: Facts) -> Computed:
    """Day of HSPC of the patients for whom it is stated."""
    days = hsct_days(facts.trial).filter(~pl.col("assumed"))["hsct_day"]
    return _spread(days, "day of HSPC, where it is stated")


def _primary(facts: Facts, endpoint: str) -> Analysis | None:
    """The protocol's own analysis of an endpoint: its origin, no late entry, no variant."""
    declared = facts.trial.protocol.endpoints.get(endpoint)
    found = [
        a
        for a in analyses(facts.trial, facts.endpoints)
        if a.endpoint == endpoint and not a.undated
    ]
    plain = [a for a in found if not a.late_entry and not a.variant]
    if declared is not None:
        same = [a for a in plain if a.rows["origin"][0] == declared.origin]
        plain = same or plain
    return plain[0] if plain else None


def survival_at(endpoint: str, days: float) -> Quantity:
    """Survival in percent, by the protocol's own counting."""

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


def incidence_at(endpoint: str, days: float) -> Quantity:
    """Cumulative incidence in percent, by the protocol's own counting."""

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


def survival_median(endpoint: str) -> Quantity:
    """Kaplan-Meier median in months."""

    def compute(facts: Facts) -> Computed:
        analysis = _primary(facts, endpoint)
        if analysis is None:
            return Computed("Kaplan-Meier median")
        interval = facts.trial.protocol.definitions.survival_interval
        middle = float(estimate_survival(analysis, interval=interval).quantile(0.5).value)
        known = None if middle != middle else middle / DAYS_PER_MONTH
        return Computed("Kaplan-Meier median", value=known)

    return compute


def any_gvhd(facts: Facts) -> Computed:
    """Patients with GVHD of any kind, each once."""
    rules = ["gvhd_before_hspc", "acute_gvhd", "chronic_gvhd"]
    rows = facts.chosen.filter(pl.col("rule").is_in(rules) & pl.col("state").is_in(["yes", "no"]))
    per_patient = rows.group_by("patient").agg(hit=(pl.col("state") == "yes").any())
    return Computed(
        "acute before or after HSPC, or chronic",
        n=int(per_patient["hit"].sum()),
        total=per_patient.height,
    )


def patients_of_all(rule: str, basis: str) -> Quantity:
    """Patients with a yes, of everybody in the rule's population whether evaluable or not."""

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter(pl.col("rule") == rule)
        return Computed(basis, n=int((rows["state"] == "yes").sum()), total=rows.height)

    return compute


def evaluable_of_all(rule: str, basis: str) -> Quantity:
    """Patients that a rule could judge, of everybody in its population."""

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter(pl.col("rule") == rule)
        n = int(rows["state"].is_in(["yes", "no"]).sum())
        return Computed(basis, n=n, total=rows.height)

    return compute


def recorded_as(rule: str, label: str | None, basis: str) -> Quantity:
    """Patients recorded with an event (of one class), of everybody whether evaluable or not.

    For events that publications tell patient by patient. Where fewer are told than counted, the
    published count cannot be recomputed.
    """

    def compute(facts: Facts) -> Computed:
        rows = facts.chosen.filter(pl.col("rule") == rule)
        hit = rows["state"] == "yes"
        if label is not None:
            hit &= (rows["label"] == label).fill_null(value=False)
        return Computed(basis, n=int(hit.sum()), total=rows.height, told_only=True)

    return compute


def first_chimerism_of(patient: str) -> Quantity:
    """First recorded donor chimerism of one patient."""

    def compute(facts: Facts) -> Computed:
        tests = facts.trial["chimerism"].filter(pl.col("patient") == patient).sort("row")
        percents = tests["donor_percent"].drop_nulls()
        value = float(percents[0]) if percents.len() else None
        return Computed(f"first recorded donor chimerism of {patient}", value=value)

    return compute


def first_death_after_hspc(facts: Facts) -> Computed:
    """Days from HSPC to the earliest death after it."""
    deaths = followup_ends(facts.trial).filter("dead").join(hsct_days(facts.trial), on="patient")
    after = (deaths["death_day"] - deaths["hsct_day"]).drop_nulls()
    return Computed(
        "days from HSPC to the earliest death after it",
        value=_float(after.min()),
        assumed=int(deaths["assumed"].sum()),
    )


def last_infection_death(facts: Facts) -> Computed:
    """Months to the latest death of infection."""
    deaths = followup_ends(facts.trial).filter(pl.col("death_cause") == "infection")
    return Computed(
        "months to the latest death of infection",
        value=_float((deaths["death_day"] / DAYS_PER_MONTH).max()),
    )


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
