"""What an assay reads from a virtual patient: without noise, and as a laboratory reports it.

Every function takes states [..., state] and gives an array without the last axis, so that one call
serves a visit of a cohort or whole courses. Noise takes an explicit generator.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.model.parameters import state_column

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

PG_DNA_PER_CELL = 6.6
_UG_PER_PG = 1e-6
_NEUTROPHILS_OF_MYELOID = 1.25  # nucleated myeloid cells per neutrophil
_PER_UL = 1000.0  # 1e9/L in cells/uL
_BLASTS_IN_BLOOD = 0.5  # cells/uL of blood per 1e9 leukaemia cells
_OTHER_NUCLEATED = 20.0
_MARROW_1E9 = 1000.0


def car_t_cells(states: Floats) -> Floats:
    """CAR-T by flow cytometry, cells/uL."""
    return _sum(states, "CE", "CM")


def _sum(states: Floats, *names: str) -> Floats:
    total = np.zeros(states.shape[:-1])
    for name in names:
        total = total + state_column(states, name)
    return total


def cd7_positive_t_cells(states: Floats) -> Floats:
    """CD7+ T and NK cells by flow cytometry, cells/uL."""
    return _sum(states, "TR7", "TD7")


def cd7_negative_t_cells(states: Floats) -> Floats:
    """CD7- T cells that carry no CAR, cells/uL."""
    return _sum(states, "TR0", "TD0", "TA")


def t_cells_without_car(states: Floats) -> Floats:
    """All T (and NK) cells that carry no CAR, cells/uL."""
    return cd7_positive_t_cells(states) + cd7_negative_t_cells(states)


def neutrophils(states: Floats) -> Floats:
    """Absolute neutrophil count, 1e9/L."""
    return _sum(states, "NR", "ND")


def platelets(states: Floats) -> Floats:
    """Platelets, 1e9/L."""
    return _sum(states, "P")


def leukaemia(states: Floats) -> Floats:
    """Leukaemia in the whole body, 1e9 cells."""
    return _sum(states, "LP", "LN")


def nucleated_cells(states: Floats) -> Floats:
    """All nucleated cells of the blood, cells/uL."""
    myeloid = _NEUTROPHILS_OF_MYELOID * _PER_UL * neutrophils(states)
    blasts = _BLASTS_IN_BLOOD * leukaemia(states)
    return car_t_cells(states) + t_cells_without_car(states) + myeloid + blasts + _OTHER_NUCLEATED


def leukocytes(states: Floats) -> Floats:
    """White blood cells, 1e9/L: the nucleated cells a counter sees."""
    count: Floats = nucleated_cells(states) / _PER_UL
    return count


def car_copies(states: Floats, copies_per_cell: Floats | float) -> Floats:
    """CAR transgene by qPCR, copies per microgram of DNA.

    One microgram holds 1/6.6e-6 genomes, so that no sample can hold more than that times the copies
    per cell.
    """
    share = car_t_cells(states) / nucleated_cells(states)
    copies: Floats = copies_per_cell * share / (PG_DNA_PER_CELL * _UG_PER_PG)
    return copies


def most_car_copies(copies_per_cell: Floats | float) -> Floats:
    """The most copies that a microgram of DNA can hold: every nucleated cell a CAR-T cell."""
    return np.asarray(copies_per_cell) / (PG_DNA_PER_CELL * _UG_PER_PG)


def marrow_cells(states: Floats) -> Floats:
    """Normal marrow cells, 1e9: stem-cell mass between 10 and 100 % of normal."""
    cells: Floats = _MARROW_1E9 * np.clip(_sum(states, "SR", "SD"), 0.1, 1.0)
    return cells


def marrow_cellularity(states: Floats) -> Floats:
    """Cellularity of the marrow, percent of normal, leukaemia included, at most 100."""
    cells = _MARROW_1E9 * np.clip(_sum(states, "SR", "SD"), 0.0, 1.0) + leukaemia(states)
    percent: Floats = np.minimum(100.0 * cells / _MARROW_1E9, 100.0)
    return percent


def blast_fraction(states: Floats) -> Floats:
    """Share of leukaemia among marrow cells; also what MRD measures."""
    blasts = leukaemia(states)
    share: Floats = blasts / (blasts + marrow_cells(states))
    return share


def cd7_on_blasts(states: Floats) -> Floats:
    """Share of the leukaemia that carries CD7; NaN where there is none."""
    blasts = leukaemia(states)
    positive = state_column(states, "LP")
    return _ratio(positive, blasts)


def donor_str(states: Floats, car_t_of_graft_donor: Booleans | bool) -> Floats:
    """Donor share of the nucleated blood cells by short tandem repeats, percent.

    The denominator holds the recipient's leukaemia cells in blood; CAR-T count as donor where they
    come from the graft's donor, else as recipient or third party.
    """
    donor = _NEUTROPHILS_OF_MYELOID * _PER_UL * _sum(states, "ND")
    donor = donor + _sum(states, "TD7", "TD0", "TA") + car_t_cells(states) * car_t_of_graft_donor
    percent: Floats = 100.0 * donor / (nucleated_cells(states) - _OTHER_NUCLEATED)
    return percent


def donor_t_cells(states: Floats, car_t_of_graft_donor: Booleans | bool = True) -> Floats:
    """Donor share of the T lineage, percent; NaN where there are no T cells."""
    cells = car_t_cells(states)
    donor = _sum(states, "TD7", "TD0", "TA") + cells * car_t_of_graft_donor
    return _percent(donor, t_cells_without_car(states) + cells)


def donor_myeloid(states: Floats) -> Floats:
    """Donor share of the neutrophils, percent; NaN where there are none."""
    return _percent(_sum(states, "ND"), neutrophils(states))


def _percent(part: Floats, whole: Floats) -> Floats:
    return _ratio(100.0 * part, whole)


def _ratio(part: Floats, whole: Floats) -> Floats:
    missing = np.full(whole.shape, np.nan)
    ratio: Floats = np.divide(part, whole, out=missing, where=whole > 0)
    return ratio


@dataclass(frozen=True, slots=True)
class Reading:
    """Values as reported, and whether each is below the limit of quantification.

    A value below it is reported as the limit.
    """

    value: Floats
    below: Booleans


@dataclass(frozen=True, slots=True)
class Assay:
    """Log-normal noise of an assay: SD of the logarithm, lower limit of quantification."""

    log_sd: float
    limit: float


QPCR = Assay(log_sd=0.3, limit=50.0)
FLOW = Assay(log_sd=0.2, limit=1.0)
ANC = Assay(log_sd=0.15, limit=0.01)
PLATELETS = Assay(log_sd=0.15, limit=1.0)
LEUKOCYTES = Assay(log_sd=0.15, limit=0.01)
IL6 = Assay(log_sd=0.35, limit=1.5)


def report_lognormal(true: Floats, z: Floats, assay: Assay) -> Reading:
    """Reading of a concentration with multiplicative noise.

    Parameters
    ----------
    z : standard normal numbers, one per value: ``generator.standard_normal(true.shape)``.
    """
    noisy = true * np.exp(assay.log_sd * z)
    below = noisy < assay.limit
    return Reading(np.where(below, assay.limit, noisy), below)


def report_blasts(share: Floats, generator: np.random.Generator, *, counted: int = 500) -> Reading:
    """Blast percentage by microscopy: binomial of the cells counted (200 to 500)."""
    hits = generator.binomial(counted, np.clip(share, 0.0, 1.0))
    return Reading(100.0 * hits / counted, np.zeros(share.shape, dtype=np.bool_))


def report_mrd(
    share: Floats,
    generator: np.random.Generator,
    *,
    events: int = 1_000_000,
    limit: float = 1e-4,
) -> Reading:
    """Residual disease by flow: binomial of the events, as a share of marrow cells."""
    found = generator.binomial(events, np.clip(share, 0.0, 1.0)) / events
    below = found < limit
    return Reading(np.where(below, limit, found), below)


def report_str(percent: Floats, z: Floats, *, sd: float = 1.5, limit: float = 1.0) -> Reading:
    """Donor chimerism: additive noise in points, cut to 0-100, ``limit`` at both ends."""
    noisy = np.clip(percent + sd * z, 0.0, 100.0)
    below = noisy < limit
    noisy = np.where(noisy > 100.0 - limit, 100.0, noisy)
    return Reading(np.where(below, limit, noisy), below)
