"""The patients of a chunk while they are treated, and the ledger of what was written down."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from graftline.model.parameters import model, starting_states
from graftline.model.symbolic import fixed_by, fixed_values
from graftline.simulate.cohort import Cohort
from graftline.simulate.hazards import Fates, draw_fates
from graftline.simulate.signs import Thresholds, draw_thresholds
from graftline.simulate.strategy import FIRST_DAY, Plan
from graftline.simulate.streams import Streams, uniforms

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(slots=True)
class Ward:
    """Everything that changes while patients are treated; arrays with one entry per patient.

    Days are days from CAR-T, NaN where something has not happened. The clinic changes the arrays in
    place: a chunk is many megabytes, and each day touches few patients. Of the parameters it
    changes only ``switched_columns``; ``constants`` is what follows from the parameters as they
    were when those columns were ``switched``.
    """

    states: Floats
    parameters: Floats
    constants: Floats
    switched: Floats
    day: Floats
    step: Floats
    stiff: Integers
    status: Integers
    end_day: Floats
    hemoglobin: Floats
    hsct_planned: Floats
    hsct_day: Floats
    salvage: Booleans
    death_day: Floats
    relapse_death: Booleans
    relapsed_day: Floats
    in_remission: Booleans
    last_marrow: Floats
    platelets_given: Floats
    red_cells_given: Floats
    tocilizumab_first: Floats
    tocilizumab_day: Floats
    tocilizumab_doses: Integers
    steroid_until: Floats
    taper_until: Floats
    gcsf_since: Floats
    anc_days: Integers
    pancytopenic_since: Floats
    infected_until: Floats
    crs_grade: Floats
    t_cells_low: Booleans
    gvhd_onset: Floats
    gvhd_active: Booleans
    worst_damage: Floats


@dataclass(frozen=True, slots=True)
class Case:
    """What does not change about the patients of a chunk.

    ``tolerance`` multiplies the errors that the integration may make.
    """

    plan: Plan
    streams: Streams
    cohort: Cohort
    thresholds: Thresholds
    fates: Fates
    hsct_wait: Integers
    physician: Floats
    creatinine_mg_per_dl: Floats
    bilirubin_mg_per_dl: Floats
    low_systolic_mmhg: Floats
    age_years: Floats
    baseline_blasts_percent: Floats
    of_graft_donor: Booleans
    earlier_donor: Booleans
    tolerance: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows written down, in blocks: per kind a list of columns by name, ``row`` the patient.

    ``kinds`` are those that are written down at all, all where it is None.
    """

    kinds: frozenset[str] | None = None
    blocks: dict[str, list[Mapping[str, NDArray[np.generic]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def wants(self, kind: str) -> bool:
        """Whether rows of a kind are written down."""
        return self.kinds is None or kind in self.kinds

    def write(self, kind: str, rows: Integers, **columns: object) -> None:
        """Add rows of one kind; scalars are repeated."""
        if rows.size == 0 or not self.wants(kind):
            return
        block = {"row": rows}
        for name, value in columns.items():
            block[name] = np.broadcast_to(np.asarray(value), rows.shape)
        self.blocks[kind].append(block)

    def columns(self, kind: str) -> dict[str, NDArray[np.generic]]:
        """All rows of a kind, joined; empty where nothing was written."""
        blocks = self.blocks.get(kind, [])
        if not blocks:
            return {}
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


@lru_cache(maxsize=1)
def switched_columns() -> Integers:
    """Columns of the parameters that change while a patient is treated."""
    roles = [parameter.role in ("treatment", "patient") for parameter in model().parameters]
    return np.flatnonzero(roles)


@lru_cache(maxsize=1)
def switched_constants() -> tuple[int, ...]:
    """Columns of the constants that follow from ``switched_columns``."""
    return fixed_by({model().parameters[i].name for i in switched_columns()})


def admit(cohort: Cohort, end_day: Floats) -> Ward:
    """Patients before lymphodepletion.

    Parameters
    ----------
    end_day : array [n]
        Last day of follow-up (data cut) of each patient, whole.
    """
    n = len(cohort.numbers)
    never = np.full(n, np.nan)
    no = np.zeros(n, dtype=np.bool_)
    return Ward(
        states=starting_states(cohort.parameters, cohort.leukaemia_1e9),
        parameters=cohort.parameters.copy(),
        constants=fixed_values(cohort.parameters),
        switched=cohort.parameters[:, switched_columns()],
        day=np.full(n, FIRST_DAY),
        step=np.full(n, 0.05),
        stiff=np.zeros(n, dtype=np.int64),
        status=np.zeros(n, dtype=np.int64),
        end_day=end_day,
        hemoglobin=cohort.table["hemoglobin_g_per_l"].to_numpy().copy(),
        hsct_planned=never.copy(),
        hsct_day=never.copy(),
        salvage=no.copy(),
        death_day=never.copy(),
        relapse_death=no.copy(),
        relapsed_day=never.copy(),
        in_remission=no.copy(),
        last_marrow=never.copy(),
        platelets_given=np.full(n, -np.inf),
        red_cells_given=np.full(n, -np.inf),
        tocilizumab_first=never.copy(),
        tocilizumab_day=np.full(n, -np.inf),
        tocilizumab_doses=np.zeros(n, dtype=np.int64),
        steroid_until=np.full(n, -np.inf),
        taper_until=np.full(n, -np.inf),
        gcsf_since=never.copy(),
        anc_days=np.zeros(n, dtype=np.int64),
        pancytopenic_since=never.copy(),
        infected_until=np.full(n, -np.inf),
        crs_grade=np.zeros(n),
        t_cells_low=no.copy(),
        gvhd_onset=never.copy(),
        gvhd_active=no.copy(),
        worst_damage=np.zeros(n),
    )


def open_case(plan: Plan, streams: Streams, cohort: Cohort, *, tolerance: float = 1.0) -> Case:
    """Draw what is fixed about each patient: thresholds, fates, waits, baseline chemistry."""
    numbers = cohort.numbers
    types = np.array(plan.product_types)[cohort.product]
    u = uniforms(streams, numbers, "waits", count=4)
    low, high = plan.hsct_wait_days
    age = cohort.table["age_years"].to_numpy().astype(np.float64)
    return Case(
        plan=plan,
        streams=streams,
        cohort=cohort,
        thresholds=draw_thresholds(streams, numbers),
        fates=draw_fates(streams, numbers, allogeneic_product=types == "donor_derived"),
        hsct_wait=np.floor(low + u[:, 0] * (high - low + 1.0)).astype(np.int64),
        physician=u[:, 1:3],
        creatinine_mg_per_dl=90.0 / cohort.table["egfr_ml_per_min"].to_numpy(),
        bilirubin_mg_per_dl=np.round(0.4 + 0.6 * u[:, 3], 2),
        low_systolic_mmhg=np.where(age < 10.0, 70.0 + 2.0 * age, 90.0),
        age_years=age,
        baseline_blasts_percent=cohort.table["marrow_blasts_percent"].to_numpy(),
        of_graft_donor=np.isin(types, ("donor_derived", "prior_donor")),
        earlier_donor=types == "prior_donor",
        tolerance=tolerance,
    )
