"""The strategy as frozen typed data: what a protocol file may say, each value with its source."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in"]
Origin = Literal["car_t", "hspc", "enrolment", "first_remission"]
Entry = Literal["origin", "hspc"]
Population = Literal["infused", "transplanted", "enrolled", "remission"]
Censor = Literal["last_contact", "last_response"]
Value = bool | float | str | tuple[str, ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Comparison(_Frozen):
    """One observed variable against one threshold, looked at within ``within_days`` before."""

    variable: str
    operator: Operator
    value: Value
    unit: str | None = None
    within_days: float | None = None


class Criterion(_Frozen):
    """One line of eligibility or of a gate: met when any of its comparisons holds.

    A criterion with one comparison is that comparison. ``all_of`` lists comparisons that must hold
    together; it counts as one alternative.
    """

    id: str
    text: str
    source: str
    any_of: tuple[Comparison, ...] = ()
    all_of: tuple[Comparison, ...] = ()


class Drug(_Frozen):
    """A drug of lymphodepletion, conditioning or prophylaxis: dose per day, on the days named."""

    drug: str
    dose: float | None = None
    unit: Literal["mg", "mg/m2", "mg/kg"] = "mg/m2"
    days: tuple[int, ...] = ()
    source: str


class Product(_Frozen):
    """A CAR-T product and its target dose."""

    type: Literal["donor_derived", "prior_donor", "universal", "autologous"]
    dose_cells_per_kg: float | None = None
    donor: str
    source: str


class Graft(_Frozen):
    """HSPC of the transplant: donor, timing, conditioning and prophylaxis."""

    planned: Literal["all in remission", "physician's choice", "none"]
    donor: str
    window_days: tuple[float, float] | None = None
    salvage_after_day: float | None = None
    conditioning: tuple[Drug, ...] = ()
    gvhd_prophylaxis: tuple[Drug, ...] = ()
    source: str


class Visit(_Frozen):
    """Days on which a table (or analyte) is looked at; counted from ``origin``."""

    what: str
    days: tuple[float, ...]
    origin: Literal["car_t", "hspc"] = "car_t"
    source: str


class Endpoint(_Frozen):
    """A time-to-event endpoint: population, origin, entry, censoring."""

    title: str
    origin: Origin = "car_t"
    entry: Entry = "origin"
    population: Population = "infused"
    censor: Censor = "last_contact"
    horizon_days: float | None = None
    source: str


class StoppingRule(_Frozen):
    """Bayesian monitoring of one toxicity: stop when P(rate > limit | data) >= cutoff.

    ``event`` is one of those ``graftline.assess.monitoring`` knows, counted from ``origin`` and
    within ``window_days``.
    """

    id: str
    event: str
    limit: Annotated[float, Field(gt=0, lt=1)]
    cutoff: Annotated[float, Field(gt=0, lt=1)]
    prior: tuple[float, float]
    first_look: int = 1
    maximum_n: int
    window_days: float
    origin: Literal["car_t", "hspc"] = "car_t"
    source: str


class Definitions(_Frozen):
    """Which published definition each assessment uses, and the conventions beside them."""

    response: Literal["nejm2024", "eln2022", "nccn2022", "lugano2014"] = "eln2022"
    marrow_adequacy: Literal["all", "mlfs_only"] = "all"
    marrow_counts_within_days: float = 7
    mrd: Literal["nejm2024", "any", "1e-4", "1e-3"] = "1e-4"
    chimerism: Literal["astct2021", "nejm2024"] = "astct2021"
    acute_gvhd: Literal["magic2016", "glucksberg1994"] = "magic2016"
    chronic_gvhd_evaluable: Literal["alive_100_days", "nejm2024"] = "alive_100_days"
    pancytopenia: Literal["graftline", "camitta1979"] = "graftline"
    crs_onset_window_days: float = 14
    icans_onset_window_days: float = 28
    engraftment_max_gap_days: float = 3
    engraftment_sustained: bool = True
    graft_failure_day: float = 30
    icaht: Literal["cumulative", "longest_run"] = "cumulative"
    cd7_eradication_cells_per_ul: Annotated[float, Field(gt=0)] = 1
    viral_threshold: Literal["lloq", "1000"] = "lloq"
    remission_landmark_day: float = 60
    blq: Literal["pknca", "lloq_half_after_last", "zero", "drop"] = "pknca"
    auc_trapezoid: Literal["linear_up_log_down", "linear", "linear_log"] = "linear_up_log_down"
    auc_start: Literal["zero", "sample"] = "zero"
    peak_samples: Annotated[int, Field(ge=0)] = 3
    half_life_r2: Annotated[float, Field(le=1)] = 0.8
    bsa: Literal["mosteller", "dubois"] = "mosteller"
    survival_interval: Literal["log-log", "log", "plain", "logit", "arcsin"] = "log-log"
    source_preferred: Literal["adjudicated", "derived"] = "adjudicated"


class Protocol(_Frozen):
    """One treatment strategy, whole.

    ``not_stated`` names the parts that the strategy has and its sources do not tell
    (``lymphodepletion``, ``graft.conditioning``): an empty list there means unknown, not none.
    """

    name: str
    title: str
    citations: tuple[str, ...]
    registration: tuple[str, ...] = ()
    index_infusion: Literal["car_t", "hspc"] = "car_t"
    selection: Literal["all_enrolled", "reached_hsct"] = "all_enrolled"
    selection_source: str = ""
    products: tuple[Product, ...] = ()
    lymphodepletion: tuple[Drug, ...] = ()
    graft: Graft
    eligibility: tuple[Criterion, ...] = ()
    gate: tuple[Criterion, ...] = ()
    safety: tuple[Criterion, ...] = ()
    visits: tuple[Visit, ...] = ()
    definitions: Definitions = Definitions()
    endpoints: dict[str, Endpoint] = {}
    stopping: tuple[StoppingRule, ...] = ()
    not_stated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
