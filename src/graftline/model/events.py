"""Doses, jumps and switches of treatment: what the clinic does to the state of a virtual patient.

Doses are returned as a table, so that the solver restarts on their day; switches return changed
parameters. Random numbers are arguments, and only the fate of small clones needs them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graftline.model.equations import ARRAYS, auxiliaries
from graftline.model.parameters import column, model, state_column
from graftline.model.solver import Doses

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Product = Literal["donor", "universal", "autologous", "earlier_donor"]
Treatment = Literal["steroid", "prophylaxis", "depletion", "gcsf", "relapsed"]

# drugs whose elimination and effect the model holds, and the state of their amount
DRUGS: Mapping[str, str] = {"fludarabine": "F", "cyclophosphamide": "Y", "etoposide": "V"}
BLOOD_ML_PER_KG = 70.0
LEUKAEMIA_OF_FULL_MARROW_1E9 = 900.0
_UL_PER_ML = 1000.0
_CELLS = 1e9

# attack of the CAR-T on the recipient (aC) and on the graft (aG: cells of the graft's donor leave
# it alone), and of the graft's T cells on the recipient (aD: little is foreign to them where the
# recipient's pools came from the same donor years before)
PRODUCT_SWITCHES: Mapping[Product, Mapping[str, float]] = {
    "donor": {"aC": 1.0, "aG": 0.0, "aD": 1.0},
    "universal": {"aC": 0.5, "aG": 0.1, "aD": 1.0},
    "autologous": {"aC": 0.0, "aG": 0.0, "aD": 1.0},
    "earlier_donor": {"aC": 0.2, "aG": 0.0, "aD": 0.2},
}


@dataclass(frozen=True, slots=True)
class Body:
    """Size of each patient: weight (kg) and body surface (m2), arrays [n]."""

    weight_kg: Floats
    bsa_m2: Floats

    @property
    def blood_ul(self) -> Floats:
        """Blood volume in microlitres, 70 mL per kg."""
        volume: Floats = BLOOD_ML_PER_KG * self.weight_kg * _UL_PER_ML
        return volume


def join_doses(parts: Sequence[Doses]) -> Doses:
    """Several tables of doses as one."""
    if not parts:
        nothing = np.empty(0, dtype=np.int64)
        return Doses(nothing, nothing, np.empty(0), np.empty(0))
    return Doses(
        patient=np.concatenate([part.patient for part in parts]),
        state=np.concatenate([part.state for part in parts]),
        day=np.concatenate([part.day for part in parts]),
        amount=np.concatenate([part.amount for part in parts]),
    )


def _dose(patients: Integers, state: str, day: Floats | float, amount: Floats | float) -> Doses:
    return Doses(
        patient=patients,
        state=np.full(patients.shape, model().state_index[state]),
        day=np.broadcast_to(np.asarray(day, dtype=np.float64), patients.shape).copy(),
        amount=np.broadcast_to(np.asarray(amount, dtype=np.float64), patients.shape).copy(),
    )


def lymphodepletion(
    patients: Integers,
    body: Body,
    *,
    days: Sequence[float] = (-5.0, -4.0, -3.0, -2.0, -1.0),
    fludarabine_mg_per_m2: float = 30.0,
    cyclophosphamide_mg_per_m2: float = 300.0,
    etoposide_mg: float = 100.0,
) -> Doses:
    """Fludarabine, cyclophosphamide (per m2) and etoposide (flat) on each day (Hu 2024).

    Parameters
    ----------
    patients : integer array [n]
        Rows of the patients treated; ``body`` has the same order.
    """
    drugs = (
        ("fludarabine", fludarabine_mg_per_m2, "mg/m2"),
        ("cyclophosphamide", cyclophosphamide_mg_per_m2, "mg/m2"),
        ("etoposide", etoposide_mg, "mg"),
    )
    return join_doses(
        [
            drug_dose(patients, body, drug, day, dose, unit)
            for day in days
            for drug, dose, unit in drugs
        ]
    )


def drug_dose(
    patients: Integers, body: Body, drug: str, day: float, dose: float, unit: str
) -> Doses:
    """One dose of a drug of lymphodepletion on one day.

    Parameters
    ----------
    patients : integer array [n]
        Rows of the patients treated; ``body`` has the same order.
    drug : one of ``DRUGS``
    unit : {"mg", "mg/m2", "mg/kg"}
    """
    per: Mapping[str, Floats | float] = {"mg": 1.0, "mg/m2": body.bsa_m2, "mg/kg": body.weight_kg}
    return _dose(patients, DRUGS[drug], day, dose * per[unit])


def car_t_infusion(
    patients: Integers, body: Body, day: Floats | float, cells_per_kg: Floats | float
) -> Doses:
    """CAR-T cells into the blood: CP rises by dose times weight over blood volume (cells/uL)."""
    amount = np.asarray(cells_per_kg) * body.weight_kg / body.blood_ul
    return _dose(patients, "CP", day, amount)


def graft_infusion(
    patients: Integers,
    body: Body,
    day: Floats | float,
    cd34_per_kg: Floats | float,
    cd3_per_kg: Floats | float,
    *,
    seeding: float = 0.15,
    cd34_of_normal_marrow: float = 7e9,
    t_cells_in_blood: float = 0.01,
    cd7_share: float = 0.92,
) -> Doses:
    """Stem cells and T cells of the graft: jumps of SD, TD7 and TD0 (shares assumed)."""
    stem = np.asarray(cd34_per_kg) * body.weight_kg * seeding / cd34_of_normal_marrow
    t_cells = np.asarray(cd3_per_kg) * body.weight_kg * t_cells_in_blood / body.blood_ul
    return join_doses(
        [
            _dose(patients, "SD", day, stem),
            _dose(patients, "TD7", day, cd7_share * t_cells),
            _dose(patients, "TD0", day, (1.0 - cd7_share) * t_cells),
        ]
    )


def conditioning(
    patients: Integers,
    graft_day: Floats | float,
    *,
    intensity: Floats | float = 1.0,
    days_before: Sequence[float] = (6.0, 5.0, 4.0, 3.0, 2.0),
) -> Doses:
    """Conditioning before a conventional graft, in equal parts over days -6 to -2.

    Intensity 1 is myeloablative: about 4 logs of recipient stem cells, 3 of all T cells and CAR-T,
    2 of leukaemia (assumed).
    """
    share = np.asarray(intensity, dtype=np.float64) / len(days_before)
    day = np.asarray(graft_day, dtype=np.float64)
    return join_doses([_dose(patients, "K", day - before, share) for before in days_before])


def platelet_transfusion(patients: Integers, day: Floats | float, *, rise: float = 25.0) -> Doses:
    """Platelets rise by ``rise`` (1e9/L)."""
    return _dose(patients, "P", day, rise)


def forced_course(
    body: Body,
    *,
    graft_day: Floats | None,
    car_t_per_kg: Floats | float = 2e6,
    cd34_per_kg: Floats | float = 4.8e6,
    cd3_per_kg: Floats | float = 5.5e8,
) -> Doses:
    """All doses of a course that nobody decides on: days -5 to -1, day 0, and the graft if any.

    For checks of the equations and of the solver. Doses per kg are the medians of Hu 2024.
    """
    patients = np.arange(len(body.weight_kg))
    parts = [lymphodepletion(patients, body), car_t_infusion(patients, body, 0.0, car_t_per_kg)]
    if graft_day is not None:
        parts.append(graft_infusion(patients, body, graft_day, cd34_per_kg, cd3_per_kg))
    return join_doses(parts)


def give_tocilizumab(states: Floats, patients: Integers, *, blocked: float = 0.8) -> Floats:
    """States in which IL-6 signalling of these patients is blocked by ``blocked``; it wears off."""
    changed = states.copy()
    state_column(changed, "X")[patients] = blocked
    return changed


def set_treatment(
    parameters: Floats, treatment: Treatment, patients: Integers, amount: Floats | float
) -> Floats:
    """Parameters with a treatment on (1), off (0) or tapered for these patients.

    Steroids leave 30 % of alloreactive activation, growth and IL-6 production; prophylaxis leaves
    30 % of alloreactivity and of antigen-driven CAR-T growth, and 70 % of T-cell growth;
    ``depletion`` (antithymocyte globulin or cyclophosphamide after a conventional graft) leaves 2 %
    of alloreactive activation for good; G-CSF speeds and raises granulopoiesis (all assumed).
    ``relapsed`` starts the hazard of death after relapse.
    """
    changed = parameters.copy()
    column(changed, treatment)[patients] = amount
    return changed


def set_product(parameters: Floats, products: Sequence[Product]) -> Floats:
    """Parameters with the switches of each patient's CAR-T product (universal, earlier: assumed).

    Raises
    ------
    ValueError : a product that is not one of the four.
    """
    unknown = sorted({product for product in products if product not in PRODUCT_SWITCHES})
    if unknown:
        raise ValueError(f"products {unknown}: expected one of {sorted(PRODUCT_SWITCHES)}")
    changed = parameters.copy()
    for name in ("aC", "aG", "aD"):
        column(changed, name)[:] = [PRODUCT_SWITCHES[product][name] for product in products]
    return changed


def clone_rates(states: Floats, parameters: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Birth and death per cell and day of the two leukaemia clones: growth, and all kill terms."""
    table = model()
    s = _Columns({name: np.maximum(states[:, i], 0.0) for name, i in table.state_index.items()})
    p = _Columns({name: parameters[:, i] for name, i in table.parameter_index.items()})
    a = auxiliaries(s, p, ARRAYS)
    kill = a.chemo_l + a.graft_versus_leukaemia + p["sKL"] * s["K"]
    return {
        "LP": (p["gP"] * a.leukaemia_room, kill + a.kill_leukaemia),
        "LN": (p["gN"] * a.leukaemia_room, kill),
    }


class _Columns(dict[str, Floats]):
    """Columns by name, also as attributes, as the equations want them."""

    def __getattr__(self, name: str) -> Floats:
        return self[name]


def draw_small_clones(
    states: Floats,
    parameters: Floats,
    days: Floats,
    uniforms: Floats,
    *,
    below_1e9: float = 1e-7,
) -> Floats:
    """Small clones after ``days``, drawn from a birth-death process; larger ones as they are.

    Below ``below_1e9`` (100 cells) chance decides what becomes of a clone. With birth b and death d
    constant over the interval, each founder is extinct at its end with probability
    ``d (E - 1) / (b E - d)``, ``E = exp((b - d) days)``, and its descendants else are geometric
    (Kendall 1948).

    Parameters
    ----------
    uniforms : array [n, 2, 3]
        Uniform random numbers per patient and clone (LP, LN): one each for the fraction of a cell,
        the founders with descendants, and their number.
    """
    changed = states.copy()
    rates = clone_rates(states, parameters)
    clones = np.column_stack([state_column(states, name) for name in rates])
    # both clones at once: a call of the distributions costs more than their numbers
    who, which = np.nonzero((clones > 0.0) & (clones < below_1e9))
    birth, death = (np.column_stack([pair[k] for pair in rates.values()]) for k in (0, 1))
    extinct, geometric = birth_death(birth[who, which], death[who, which], days[who])
    founders = clones[who, which] * _CELLS
    cells = _draw_cells(founders, extinct, geometric, uniforms[who, which])
    columns = np.array([model().state_index[name] for name in rates])
    changed[who, columns[which]] = cells / _CELLS
    return changed


def birth_death(birth: Floats, death: Floats, days: Floats) -> tuple[Floats, Floats]:
    """Probability that a founder has no descendants left, and the parameter g of their number else.

    Where there are any, their number n has probability ``(1 - g) g**(n - 1)``.
    """
    same = np.isclose(birth, death, rtol=1e-9, atol=1e-12)
    growth = np.exp((birth - death) * days)
    below = np.where(same, 1.0, birth * growth - death)
    critical = birth * days / (1.0 + birth * days)
    extinct = np.where(same, critical, death * (growth - 1.0) / below)
    geometric = np.where(same, critical, birth * (growth - 1.0) / below)
    return extinct, geometric


def _draw_cells(founders: Floats, extinct: Floats, geometric: Floats, u: Floats) -> Floats:
    from scipy import stats  # dear to import, and few patients need it

    whole = np.floor(founders)
    whole = whole + (u[:, 0] < founders - whole)
    survivors, cells = np.zeros(whole.size), np.zeros(whole.size)
    some = np.flatnonzero(whole)
    survivors[some] = stats.binom.ppf(u[some, 1], whole[some], 1.0 - extinct[some])
    left = np.flatnonzero(survivors)
    more = stats.nbinom.ppf(u[left, 2], survivors[left], 1.0 - geometric[left])
    cells[left] = survivors[left] + more
    return cells
