"""Generations of CFSE-labelled cells: the undivided peak, the comb of generations, their errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.assays.generation_fit import Fitted, Histogram, densities, fit_together
from graftline.assays.generation_model import Comb, Floats, UndividedPeak
from graftline.assays.undivided import fit_undivided_peak, histogram, positive_logs

__all__ = [
    "Floats",
    "GenerationFit",
    "UndividedPeak",
    "events_in_reach",
    "fit_generations",
    "fit_undivided_peak",
    "fit_wells",
    "positive_logs",
]

_BINS_PER_DIVISION = 64
_BINS_PER_WIDTH = 6
_JUDGED_TOGETHER = 1 / 8
_FARTHEST_SHIFT = 0.45


@dataclass(frozen=True, slots=True)
class GenerationFit:
    """Cells per generation, 0 first, and how well the fit follows the histogram.

    ``undivided`` is the peak of the unstimulated wells. ``covariance`` is that of ``cells``, from
    the information of the fit: the scatter of counting and the doubt about shift, spacing, widths
    and autofluorescence. ``widths`` are those of the peaks (log2); ``shift`` (log2) is the place of
    the undivided peak against the unstimulated well's, ``spacing`` the log2 by which a division
    dims the label. ``rms`` is the root mean square difference between observed and fitted events
    per eighth of a division, as a share of the highest fitted; ``misfit`` is what is left of it
    without the scatter of counting. ``left_out`` counts events that are not positive, ``too_dim``
    and ``too_bright`` those beyond the last and the first peak. ``otherwise`` are the cells if the
    autofluorescence that was given is fitted instead; none where it was not given or the histograms
    of the subject do not speak against it.
    """

    undivided: UndividedPeak
    cells: Floats
    covariance: Floats
    peaks: Floats
    widths: Floats
    autofluorescence: float
    shift: float
    spacing: float
    rms: float
    misfit: float
    events: int
    left_out: int
    too_dim: int
    too_bright: int
    otherwise: Floats | None = None


def fit_generations(
    cfse: Floats,
    undivided: UndividedPeak,
    *,
    generations: int = 8,
    autofluorescence: float | None = None,
    shift_sd: float = 0.1,
    spacing_sd: float = 0.04,
) -> GenerationFit:
    """Cells in each generation of a stimulated well, by maximum likelihood.

    As `fit_wells`, of one well.

    Raises
    ------
    ValueError
        As `fit_wells`.
    """
    return fit_wells(
        [cfse],
        undivided,
        generations=generations,
        autofluorescence=autofluorescence,
        shift_sd=shift_sd,
        spacing_sd=spacing_sd,
    )[0]


def fit_wells(
    wells: Sequence[Floats],
    undivided: UndividedPeak,
    *,
    generations: int = 8,
    autofluorescence: float | None = None,
    shift_sd: float = 0.1,
    spacing_sd: float = 0.04,
    least_gain: float = 10.0,
) -> tuple[GenerationFit, ...]:
    """Cells in each generation of each well of one subject, by maximum likelihood over all wells.

    The label of generation i is that of the undivided peak divided by 2 to the power of i times
    the spacing; autofluorescence is added to it. Generation 0 and the divided generations have a
    log-normal width each. The comb of a well may shift a little from the unstimulated well's, as
    stimulated cells are larger. Spacing, the width of divided cells and the autofluorescence are
    common to the wells: they were labelled and measured together.

    Parameters
    ----------
    wells : sequence of arrays, shape (events,)
        Linear CFSE intensity of the responding cells.
    generations : int
        Highest generation. Dimmer events than its peak are left out and counted.
    autofluorescence : float, optional
        Intensity of unlabelled cells: late generations crowd above it. Without it, it is fitted,
        and the doubt about it is in the covariance.
    shift_sd, spacing_sd : float
        Standard deviations expected of the shift and of the spacing about 1, in log2; 0 holds the
        unstimulated well's peak, or halves the label exactly.
    least_gain : float
        Log likelihood by which the histograms must prefer another autofluorescence to speak against
        the one that was given.

    Raises
    ------
    ValueError
        No positive values in reach of the peaks, or autofluorescence not below the undivided peak.
    """
    if autofluorescence is not None and not 0 <= autofluorescence < undivided.intensity:
        raise ValueError("autofluorescence must lie below the undivided peak")
    comb = Comb(undivided, generations, autofluorescence, shift_sd, spacing_sd)
    free = Comb(undivided, generations, None, shift_sd, spacing_sd)
    bins = int(np.clip(np.ceil(_BINS_PER_WIDTH / undivided.width), 16, _BINS_PER_DIVISION))
    logs = [positive_logs(cfse) for cfse in wells]
    beyond = [_beyond(values, comb) for values in logs]
    inside = [values[~(dim | bright)] for values, (dim, bright) in zip(logs, beyond, strict=True)]
    if any(values.size == 0 for values in inside):
        raise ValueError("no events with positive CFSE in reach of the peaks")
    wells_seen = [Histogram(1 / bins, *histogram(values, bins)) for values in inside]
    fitted = fit_together(wells_seen, comb)
    other = fitted if autofluorescence is None else fit_together(wells_seen, free)
    gain = sum(two.likelihood - one.likelihood for one, two in zip(fitted, other, strict=True))
    described = []
    for n, one in enumerate(fitted):
        dim, bright = (int(out.sum()) for out in beyond[n])
        counts = int(np.size(wells[n])) - logs[n].size, dim, bright
        otherwise = other[n].shares if gain > least_gain else None
        described.append(_described(comb, one, wells_seen[n], counts, otherwise))
    return tuple(described)


def events_in_reach(
    cfse: Floats,
    undivided: UndividedPeak,
    *,
    generations: int = 8,
    autofluorescence: float | None = None,
) -> int:
    """Events that a fit of so many generations would look at."""
    comb = Comb(undivided, generations, autofluorescence, 0.0, 0.0)
    return int((~np.logical_or(*_beyond(positive_logs(cfse), comb))).sum())


def _described(
    comb: Comb,
    fitted: Fitted,
    well: Histogram,
    outside: tuple[int, int, int],
    otherwise: Floats | None,
) -> GenerationFit:
    left_out, dim, bright = outside
    peaks, widths = comb.places(fitted.units)
    events = float(well.counts.sum())
    parts = densities(well, peaks, widths, fitted.shares, comb.undivided)[0] @ fitted.shares
    rms, misfit = _differences(well.counts, parts * events * well.bin, well.bin)
    return GenerationFit(
        undivided=comb.undivided,
        cells=fitted.shares * events,
        covariance=fitted.covariance * events**2,
        peaks=np.asarray(2.0**peaks),
        widths=widths,
        autofluorescence=float(comb.light(fitted.units)),
        shift=comb.shift(fitted.units),
        spacing=comb.spacing(fitted.units),
        rms=rms,
        misfit=misfit,
        events=int(events),
        left_out=left_out,
        too_dim=dim,
        too_bright=bright,
        otherwise=None if otherwise is None else otherwise * events,
    )


def _beyond(logs: Floats, comb: Comb) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Events too dim for the last peak, and too bright for the first."""
    light, width = comb.autofluorescence or 0.0, comb.undivided.width
    first = comb.undivided.intensity
    last = np.log2((first - light) / 2.0**comb.generations + light)
    dim = logs < last - max(3.5 * width, 0.5)
    return dim, logs > np.log2(first) + 3.5 * width + _FARTHEST_SHIFT


def _differences(counts: Floats, fitted: Floats, bin: float) -> tuple[float, float]:
    edges = np.arange(0, counts.size, max(round(_JUDGED_TOGETHER / bin), 1))
    seen, wanted = np.add.reduceat(counts, edges), np.add.reduceat(fitted, edges)
    square = float(((seen - wanted) ** 2).mean())
    beyond = max(square - float(wanted.mean()), 0.0)
    return float(np.sqrt(square) / wanted.max()), float(np.sqrt(beyond) / wanted.max())
