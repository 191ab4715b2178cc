"""Indices of division under their own names, their errors, and when to believe them."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from graftline.assays.generations import Floats, GenerationFit

MOST_MISFIT = 0.08


@dataclass(frozen=True, slots=True)
class DivisionIndices:
    """Indices of division, each under the name of its definition.

    With N_i cells seen in generation i and precursors P_i = N_i / 2^i:

    * ``division_index`` = sum i P_i / sum P_i, over all precursors (FlowJo);
    * ``proliferation_index`` = sum i P_i / sum P_i over i >= 1, dividing precursors only (FlowJo);
    * ``expansion_index`` = sum N_i / sum P_i (ModFit, flowFit and FCS Express print it as
      "proliferation index");
    * ``replication_index`` = sum N_i / sum P_i over i >= 1;
    * ``percent_divided`` = share of precursors that divided, not of CFSE-low cells.
    """

    division_index: float
    proliferation_index: float
    expansion_index: float
    replication_index: float
    percent_divided: float


def division_indices(cells: Sequence[float] | Floats) -> DivisionIndices:
    """Indices of division from the cells of each generation, 0 first; NaN where undefined."""
    n = np.asarray(cells, dtype=np.float64)
    generation = np.arange(n.size)
    precursors = n / 2.0**generation
    total, divided = precursors.sum(), precursors[1:].sum()
    rounds = (generation * precursors).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return DivisionIndices(
            division_index=float(np.divide(rounds, total)),
            proliferation_index=float(np.divide(rounds, divided)),
            expansion_index=float(np.divide(n.sum(), total)),
            replication_index=float(np.divide(n[1:].sum(), divided)),
            percent_divided=float(100 * np.divide(divided, total)),
        )


def division_errors(fit: GenerationFit) -> DivisionIndices:
    """Standard error of every index of a fit, by the delta method; NaN where undefined."""
    n = fit.cells
    half: Floats = np.exp2(-np.arange(n.size, dtype=np.float64))
    divided: Floats = np.minimum(np.arange(n.size), 1.0)
    generation: Floats = np.arange(n.size, dtype=np.float64)
    index = division_indices(n)
    total, dividing = float((n * half).sum()), float((n * half * divided).sum())
    nothing = np.full(n.size, np.nan)
    rounds = divided * (generation - index.proliferation_index) * half
    cells = divided * (1 - index.replication_index * half)
    return DivisionIndices(
        _error(fit, (generation - index.division_index) * half / total if total else nothing),
        _error(fit, rounds / dividing if dividing else nothing),
        _error(fit, (1 - index.expansion_index * half) / total if total else nothing),
        _error(fit, cells / dividing if dividing else nothing),
        _error(fit, (100 * divided - index.percent_divided) * half / total if total else nothing),
    )


def _error(fit: GenerationFit, slope: Floats) -> float:
    variance = float(slope @ fit.covariance @ slope)
    return float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else float("nan")


def fit_flags(
    fit: GenerationFit,
    *,
    most_misfit: float = MOST_MISFIT,
    most_shift: float = 0.3,
    least_spacing: float = 1.0,
    most_late: float = 0.05,
    most_outside: float = 0.02,
    most_relative_error: float = 0.15,
    most_width: float = 0.5,
    most_change: float = 0.01,
    least_undivided: float = 0.01,
    most_at_rest: float = 0.05,
) -> tuple[str, ...]:
    """What speaks against a fit, as words; empty for a fit to be believed.

    ``too_few_divided``: the divided share is within two standard errors of none, so that indices
    of dividing cells mean nothing. ``imprecise``: the division index has a relative standard error
    above ``most_relative_error``. ``not_resolved``: peaks so wide (``most_width`` divisions,
    standard deviation) that no valley lies between two of one height.
    ``poor_fit``: misfit above ``most_misfit``. ``undivided_peak_shifted``: the comb lies more than
    ``most_shift`` off the unstimulated well's. ``late_generations_merge``: cells in generations
    whose peaks autofluorescence brings closer than ``least_spacing`` widths.
    ``many_in_last_generation``: more than ``most_late`` of the cells; further divisions, dead cells
    or debris. ``many_outside``: more than ``most_outside`` of the events beyond the peaks or not
    positive. ``autofluorescence_doubted``: the histograms fit another one than was given so much
    better that it stands against it, and an index would change by more than ``most_change``.
    ``no_undivided_cells``: generation 0 holds less than ``least_undivided`` of the cells, so that
    nothing in the well says which of its peaks is which; if it was brighter or dimmer than the
    unstimulated wells by a factor of two, all indices are off by a division.
    ``unstimulated_divided``: more than ``most_at_rest`` of the unstimulated cells lie below their
    peak, in later generations: they divided, or the peak has a tail that is taken for it.
    """
    index, error = division_indices(fit.cells), division_errors(fit)
    total = max(fit.cells.sum(), 1e-12)
    outside = fit.left_out + fit.too_dim + fit.too_bright
    crowded = np.flatnonzero(-np.diff(np.log2(fit.peaks)) < least_spacing * fit.widths[1:])
    merged = fit.cells[crowded[0] :].sum() if crowded.size else 0.0
    judged = {
        "too_few_divided": not _divided_is_shown(fit),
        "imprecise": _divided_is_shown(fit)
        and error.division_index > most_relative_error * index.division_index,
        "not_resolved": fit.widths[:2].max() > most_width,
        "poor_fit": fit.misfit > most_misfit,
        "undivided_peak_shifted": abs(fit.shift) > most_shift,
        "late_generations_merge": merged > most_late * total,
        "many_in_last_generation": fit.cells[-1] > most_late * total,
        "no_undivided_cells": fit.cells[0] < least_undivided * total,
        "unstimulated_divided": fit.undivided.divided > most_at_rest,
        "many_outside": outside > most_outside * (fit.events + outside),
        "autofluorescence_doubted": fit.otherwise is not None
        and _largest_change(index, division_indices(fit.otherwise)) > most_change,
    }
    return tuple(word for word, holds in judged.items() if holds)


def _largest_change(one: DivisionIndices, other: DivisionIndices) -> float:
    before, after = (np.array(astuple(index)) for index in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmax(np.abs(after / before - 1), initial=0.0))


def judged_indices(fit: GenerationFit) -> DivisionIndices:
    """Indices of a fit, those of dividing cells NaN where dividing cells are not shown."""
    index = division_indices(fit.cells)
    if _divided_is_shown(fit):
        return index
    nothing = float("nan")
    return replace(index, proliferation_index=nothing, replication_index=nothing)


def _divided_is_shown(fit: GenerationFit) -> bool:
    percent, error = division_indices(fit.cells).percent_divided, division_errors(fit)
    return bool(percent > 2 * error.percent_divided and fit.cells[1:].sum() >= 5)
