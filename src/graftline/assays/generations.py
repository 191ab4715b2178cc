"""Generations of CFSE-labelled cells: the undivided peak, the comb of generations, their errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BINS_PER_DIVISION = 64
_BINS_IN_SEARCH = 16
_BINS_JUDGED_TOGETHER = 8
_WIDEST = 0.5
_FARTHEST_SHIFT = 0.45
_WIDTH_WEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class UndividedPeak:
    """Where undivided cells lie: CFSE intensity of the peak and its width in divisions (log2)."""

    intensity: float
    width: float
    events: int


@dataclass(frozen=True, slots=True)
class GenerationFit:
    """Cells per generation, 0 first, and how well the fit follows the histogram.

    ``covariance`` is that of ``cells``, from the information of the fit. ``width`` and
    ``divided_width`` are those of generation 0 and of all others; ``shift`` (log2) is the place of
    the undivided peak against the unstimulated well's. ``rms`` is the root mean square difference
    between observed and fitted events per eighth of a division, as a share of the highest fitted;
    ``misfit`` is what is left of it without the scatter of counting. ``left_out`` counts events
    that are not positive, ``too_dim`` and ``too_bright`` those beyond the last and the first peak.
    """

    cells: Floats
    covariance: Floats
    peaks: Floats
    autofluorescence: float
    width: float
    divided_width: float
    shift: float
    rms: float
    misfit: float
    events: int
    left_out: int
    too_dim: int
    too_bright: int


def fit_undivided_peak(cfse: Floats, *, least_events: int = 200) -> UndividedPeak:
    """Peak and width of undivided cells in an unstimulated well.

    A few cells divide without stimulation: the peak is fitted together with two generations below
    it, started at the mode of the histogram. Events more than two and a half divisions below the
    mode (debris) or far above it (doublets) are not looked at.

    Raises
    ------
    ValueError
        Fewer than ``least_events`` positive values.
    """
    logs = positive_logs(cfse)
    if logs.size < least_events:
        raise ValueError(f"the undivided peak needs {least_events} events, not {logs.size}")
    peak, width = _mode(logs)
    near = logs[(logs > peak - 2.5) & (logs < peak + max(4 * width, 0.5))]
    centre, counts = _histogram(near)
    steps = np.arange(3.0)
    share = np.array([0.98, 0.01, 0.01])
    for _ in range(500):
        belongs = _responsibility(centre, peak - steps, np.full(3, width), share) * counts[:, None]
        before = peak
        share = belongs.sum(axis=0) / counts.sum()
        distance = centre[:, None] + steps - peak
        peak += float((belongs * distance).sum() / counts.sum())
        spread = centre[:, None] + steps - peak
        width = max(float(np.sqrt((belongs * spread**2).sum() / counts.sum())), 0.01)
        if abs(peak - before) < 1e-10:
            break
    return UndividedPeak(float(2**peak), width, int(near.size))


def _mode(logs: Floats) -> tuple[float, float]:
    """Mode and the half width that holds 68 % of the events above it."""
    centre, counts = _histogram(logs)
    kernel = np.hanning(_BINS_PER_DIVISION // 2 + 1)
    smooth = np.convolve(counts, kernel)[kernel.size // 2 :][: counts.size]
    peak = float(centre[int(smooth.argmax())])
    above = logs[logs >= peak] - peak
    return peak, float(np.clip(np.quantile(above, 0.68), 0.02, 1.0))


def fit_generations(
    cfse: Floats,
    undivided: UndividedPeak,
    *,
    generations: int = 8,
    autofluorescence: float | None = None,
    shift_sd: float = 0.1,
    iterations: int = 5000,
) -> GenerationFit:
    """Cells in each generation of a stimulated well, by maximum likelihood.

    The peak of generation i lies at (peak - autofluorescence) / 2^i + autofluorescence. Generation
    0 and the divided generations have a log-normal width each. The whole comb may shift a little
    from the unstimulated well's, as stimulated cells are larger.

    Parameters
    ----------
    cfse : array, shape (events,)
        Linear CFSE intensity of the responding cells.
    generations : int
        Highest generation. Dimmer events than its peak are left out and counted.
    autofluorescence : float, optional
        Intensity of unlabelled cells: late generations crowd above it. Without it, what
        `estimate_autofluorescence` finds.
    shift_sd : float
        Standard deviation expected of the shift, in log2; 0 fixes the unstimulated well's peak.

    Raises
    ------
    ValueError
        No positive values in reach of the peaks, or autofluorescence not below the undivided peak.
    """
    if autofluorescence is None:
        autofluorescence = estimate_autofluorescence(
            cfse, undivided, generations=generations, shift_sd=shift_sd
        )
    if not 0 <= autofluorescence < undivided.intensity:
        raise ValueError("autofluorescence must lie below the undivided peak")
    comb = _Comb(undivided, generations, autofluorescence, shift_sd)
    logs = positive_logs(cfse)
    dim, bright = _beyond(logs, comb)
    inside = logs[~(dim | bright)]
    if inside.size == 0:
        raise ValueError("no events with positive CFSE in reach of the peaks")
    centre, counts = _histogram(inside)
    share, widths, shift = _expectation_maximization(centre, counts, comb, iterations, 1e-9)
    peaks = comb.peaks(shift)
    fitted = _parts(centre, peaks, widths, share).sum(axis=1) * inside.size / _BINS_PER_DIVISION
    rms, misfit = _differences(counts, fitted)
    return GenerationFit(
        cells=share * inside.size,
        covariance=_covariance(centre, counts, comb, share, widths, shift),
        peaks=np.asarray(2.0**peaks),
        autofluorescence=autofluorescence,
        width=float(widths[0]),
        divided_width=float(widths[-1]),
        shift=shift,
        rms=rms,
        misfit=misfit,
        events=int(inside.size),
        left_out=int(np.size(cfse) - logs.size),
        too_dim=int(dim.sum()),
        too_bright=int(bright.sum()),
    )


def estimate_autofluorescence(
    cfse: Floats,
    undivided: UndividedPeak,
    *,
    generations: int = 8,
    shift_sd: float = 0.1,
    least_gain: float = 8.0,
) -> float:
    """Autofluorescence that the crowding of late generations shows, 0 where it shows none.

    The likelihood is compared over values from a thousandth to a quarter of the undivided peak; one
    is taken only where it beats none by ``least_gain`` in log likelihood. Unlabelled cells, where
    they were measured, say it better.
    """
    logs = positive_logs(cfse)
    inside = logs[~np.logical_or(*_beyond(logs, _Comb(undivided, generations, 0.0, shift_sd)))]
    if inside.size == 0:
        return 0.0
    centre, counts = _histogram(inside, _BINS_IN_SEARCH)
    tried = [0.0, *(undivided.intensity / np.geomspace(1000, 4, 17)).tolist()]
    likelihoods = []
    for level in tried:
        comb = _Comb(undivided, generations, level, shift_sd)
        share, widths, shift = _expectation_maximization(centre, counts, comb, 300, 1e-4)
        density = _parts(centre, comb.peaks(shift), widths, share).sum(axis=1)
        likelihood = float((counts * np.log(np.maximum(density, 1e-300))).sum())
        likelihoods.append(likelihood - 0.5 * (shift / max(shift_sd, 1e-6)) ** 2)
    best = int(np.argmax(likelihoods))
    return tried[best] if likelihoods[best] > likelihoods[0] + least_gain else 0.0


@dataclass(frozen=True, slots=True)
class _Comb:
    """What fixes the places of the peaks."""

    undivided: UndividedPeak
    generations: int
    autofluorescence: float
    shift_sd: float

    def labelled(self, shift: float) -> Floats:
        """Intensity of each generation without autofluorescence."""
        label = (self.undivided.intensity - self.autofluorescence) * 2.0**shift
        return np.asarray(label / 2.0 ** np.arange(self.generations + 1))

    def peaks(self, shift: float) -> Floats:
        """Places of the peaks, log2."""
        return np.asarray(np.log2(self.labelled(shift) + self.autofluorescence))

    def slopes(self, shift: float) -> Floats:
        """How far each peak moves with the shift: 1 without autofluorescence."""
        labelled = self.labelled(shift)
        return np.asarray(labelled / (labelled + self.autofluorescence))


def _beyond(logs: Floats, comb: _Comb) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Events too dim for the last peak, and too bright for the first."""
    width, peaks = comb.undivided.width, comb.peaks(0.0)
    dim = logs < peaks[-1] - max(3.5 * width, 0.5)
    return dim, logs > peaks[0] + 3.5 * width + _FARTHEST_SHIFT


def _expectation_maximization(
    centre: Floats, counts: Floats, comb: _Comb, iterations: int, tolerance: float
) -> tuple[Floats, Floats, float]:
    total, own = counts.sum(), comb.undivided.width
    share = np.full(comb.generations + 1, 1 / (comb.generations + 1))
    widths, shift = np.full(share.size, own), 0.0
    for _ in range(iterations):
        peaks = comb.peaks(shift)
        belongs = _responsibility(centre, peaks, widths, share) * counts[:, None]
        before = share
        share = belongs.sum(axis=0) / total
        away = centre[:, None] - peaks
        squares, cells = (belongs * away**2).sum(axis=0), belongs.sum(axis=0)
        widths = np.array(
            [_width(squares[:1], cells[:1], own)]
            + [_width(squares[1:], cells[1:], own)] * comb.generations
        )
        if comb.shift_sd > 0:
            slopes, precision = comb.slopes(shift), 1 / comb.shift_sd**2
            pull = (belongs * away * slopes / widths**2).sum() - shift * precision
            weight = (belongs * slopes**2 / widths**2).sum() + precision
            shift = float(np.clip(shift + pull / weight, -_FARTHEST_SHIFT, _FARTHEST_SHIFT))
        if np.abs(share - before).max() < tolerance:
            break
    return share, widths, shift


def _width(squares: Floats, cells: Floats, own: float) -> float:
    """Width of a group, drawn to the unstimulated well's where the group has few cells.

    A width beyond half a division would let one generation swallow its neighbours.
    """
    weighed = (squares.sum() + _WIDTH_WEIGHT * own**2) / (cells.sum() + _WIDTH_WEIGHT)
    return float(np.clip(np.sqrt(weighed), 0.5 * own, max(_WIDEST, own)))


def _covariance(
    centre: Floats, counts: Floats, comb: _Comb, share: Floats, widths: Floats, shift: float
) -> Floats:
    """Covariance of the cells per generation, with the doubt about shift and widths in it.

    Observed information over the generations that hold half a cell or more; the largest one is
    what the others leave, so that all sum to the events.
    """
    peaks, total = comb.peaks(shift), counts.sum()
    parts = _parts(centre, peaks, widths, np.ones(share.size))
    density = np.maximum((parts * share).sum(axis=1), 1e-300)[:, None]
    rest = int(share.argmax())
    held = [k for k in range(share.size) if k != rest and share[k] * total >= 0.5]
    z = (centre[:, None] - peaks) / widths
    stretch = share * parts * (z**2 - 1) / widths
    scores = [
        (parts[:, held] - parts[:, [rest]]) / density,
        (share * parts * z / widths * comb.slopes(shift)).sum(axis=1, keepdims=True) / density,
        stretch[:, :1] / density,
        stretch[:, 1:].sum(axis=1, keepdims=True) / density,
    ]
    score = np.hstack(scores)
    prior = np.zeros(score.shape[1])
    prior[len(held) :] = [
        1 / max(comb.shift_sd, 1e-6) ** 2,
        *2 * _WIDTH_WEIGHT / widths[[0, -1]] ** 2,
    ]
    information = score.T @ (score * counts[:, None]) + np.diag(prior)
    known = np.linalg.pinv(information, hermitian=True)[: len(held), : len(held)]
    spread = np.zeros((share.size, len(held)))
    spread[held, np.arange(len(held))] = 1
    spread[rest] = -1
    return np.asarray(total**2 * spread @ known @ spread.T)


def _differences(counts: Floats, fitted: Floats) -> tuple[float, float]:
    edges = np.arange(0, counts.size, _BINS_JUDGED_TOGETHER)
    seen, wanted = np.add.reduceat(counts, edges), np.add.reduceat(fitted, edges)
    square = float(((seen - wanted) ** 2).mean())
    beyond = max(square - float(wanted.mean()), 0.0)
    return float(np.sqrt(square) / wanted.max()), float(np.sqrt(beyond) / wanted.max())


def positive_logs(cfse: Floats) -> Floats:
    """Binary logarithm of the finite values above 0."""
    values = np.asarray(cfse, dtype=np.float64)
    return np.asarray(np.log2(values[np.isfinite(values) & (values > 0)]))


def _histogram(logs: Floats, bins: int = _BINS_PER_DIVISION) -> tuple[Floats, Floats]:
    low = np.floor(logs.min() * bins)
    place = (np.floor(logs * bins) - low).astype(np.int64)
    counts = np.bincount(place).astype(np.float64)
    centre: Floats = (low + np.arange(counts.size) + 0.5) / bins
    return centre, counts


def _parts(centre: Floats, peaks: Floats, widths: Floats, share: Floats) -> Floats:
    z = (centre[:, None] - peaks) / widths
    parts: Floats = share * np.exp(-0.5 * z**2) / (widths * np.sqrt(2 * np.pi))
    return parts


def _responsibility(centre: Floats, peaks: Floats, widths: Floats, share: Floats) -> Floats:
    parts = _parts(centre, peaks, widths, share)
    total = parts.sum(axis=1, keepdims=True)
    nearest = np.zeros_like(parts)
    nearest[np.arange(centre.size), np.abs(centre[:, None] - peaks).argmin(axis=1)] = 1
    with np.errstate(invalid="ignore"):
        return np.where(total > 1e-290, parts / total, nearest)
