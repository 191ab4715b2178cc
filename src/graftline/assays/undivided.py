"""The undivided peak of an unstimulated well: its place, its width, and its shape."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from graftline.assays.generation_model import Floats, UndividedPeak

_BINS_PER_DIVISION = 64
_BINS_PER_WIDTH = 8
_LEAST_PART = 0.05
# Powers at which the label may be normal: the cube root makes a gamma variable nearly so.
_POWERS = (1 / 3, 1.0)
_PARTS_OF_A_POWER = 4
_ROUNDS = 300


def fit_undivided_peak(
    cfse: Floats, *, least_events: int = 200, least_gain: float = 6.0
) -> UndividedPeak:
    """Peak, width and shape of undivided cells in an unstimulated well.

    A few cells divide without stimulation: the peak is fitted together with two generations below
    it, started at the mode of the histogram. It is normal in log2, unless the label is better
    described as normal in its cube root or on the linear scale, or by two normal parts in log2
    (cells of two sizes), by ``least_gain`` in log likelihood (twice that for two parts). Events
    more than two and a half divisions below the mode (debris) or far above it (doublets) are not
    looked at.

    Raises
    ------
    ValueError
        Fewer than ``least_events`` positive values.
    """
    logs = positive_logs(cfse)
    if logs.size < least_events:
        raise ValueError(f"the undivided peak needs {least_events} events, not {logs.size}")
    mode, width = _mode(logs)
    near = logs[(logs > mode - 2.5) & (logs < mode + max(4 * width, 0.5))]
    bins = int(np.clip(np.ceil(_BINS_PER_WIDTH / width), 16, _BINS_PER_DIVISION))
    centre, counts = histogram(near, bins)
    plain = _normal_parts(centre, counts, np.array([mode]), np.array([width]))
    halves = plain.places + 0.5 * plain.widths * np.array([-1.0, 1.0])
    split = _normal_parts(centre, counts, halves, np.repeat(plain.widths, 2))
    candidates = [(plain, plain.likelihood), (split, split.likelihood - 2 * least_gain)]
    for power in _POWERS:
        found = _of_power(centre, counts, plain, power)
        candidates.append((found, found.likelihood - least_gain))
    best = max(candidates, key=lambda candidate: candidate[1])[0]
    peak = float(best.weights @ best.places)
    spread = float(np.sqrt(best.weights @ (best.widths**2 + (best.places - peak) ** 2)))
    shape = zip(
        best.weights.tolist(),
        ((best.places - peak) / spread).tolist(),
        (best.widths / spread).tolist(),
        strict=True,
    )
    return UndividedPeak(float(2**peak), spread, int(near.size), tuple(shape), best.divided)


def positive_logs(cfse: Floats) -> Floats:
    """Binary logarithm of the finite values above 0."""
    values = np.asarray(cfse, dtype=np.float64)
    return np.asarray(np.log2(values[np.isfinite(values) & (values > 0)]))


def histogram(logs: Floats, bins: int) -> tuple[Floats, Floats]:
    """Centres and counts of so many bins per division."""
    low = np.floor(logs.min() * bins)
    place = (np.floor(logs * bins) - low).astype(np.int64)
    counts = np.bincount(place).astype(np.float64)
    centre: Floats = (low + np.arange(counts.size) + 0.5) / bins
    return centre, counts


@dataclass(frozen=True, slots=True)
class _Parts:
    """A peak as a sum of normal parts in log2, the share below it, and the log likelihood."""

    weights: Floats
    places: Floats
    widths: Floats
    divided: float
    likelihood: float


def _mode(logs: Floats) -> tuple[float, float]:
    """Mode and the half width that holds 68 % of the events above it."""
    centre, counts = histogram(logs, _BINS_PER_DIVISION)
    kernel = np.hanning(_BINS_PER_DIVISION // 2 + 1)
    smooth = np.convolve(counts, kernel)[kernel.size // 2 :][: counts.size]
    peak = float(centre[int(smooth.argmax())])
    above = logs[logs >= peak] - peak
    return peak, float(np.clip(np.quantile(above, 0.68), 0.02, 1.0))


def _normal_parts(
    centre: Floats, counts: Floats, places: Floats, widths: Floats, *, divided: int = 2
) -> _Parts:
    """Normal parts of the undivided peak and of the generations below it, all of one shape."""
    steps, share = np.arange(divided + 1.0), np.full(divided + 1, 0.01)
    share[0] = 1 - 0.01 * divided
    weights, total = np.full(places.size, 1 / places.size), counts.sum()
    before = -np.inf
    for _ in range(_ROUNDS):
        z = (centre[:, None, None] - places + steps[:, None]) / widths
        parts = share[:, None] * weights * np.exp(-0.5 * z**2) / (widths * np.sqrt(2 * np.pi))
        density = np.maximum(parts.sum(axis=(1, 2)), 1e-300)
        likelihood = float(counts @ np.log(density))
        if likelihood - before < 1e-8 * total:
            break
        before = likelihood
        belongs = parts * (counts / density)[:, None, None]
        share, cells = belongs.sum(axis=(0, 2)) / total, belongs.sum(axis=(0, 1))
        weights = np.clip(cells / cells.sum(), _LEAST_PART, 1.0)
        weights = weights / weights.sum()
        away = centre[:, None, None] + steps[:, None]
        places = (belongs * away).sum(axis=(0, 1)) / cells
        if divided:
            # parts farther apart would be generations
            middle, far = float(places @ weights), 0.7 * float(widths.max())
            places = np.clip(places, middle - far, middle + far)
        squares = (belongs * (away - places) ** 2).sum(axis=(0, 1))
        widths = np.maximum(np.sqrt(squares / cells), 0.01)
    inside = float(density.sum()) * float(centre[1] - centre[0]) if centre.size > 1 else 1.0
    return _Parts(weights, places, widths, float(1 - share[0]), before - total * np.log(inside))


def _of_power(centre: Floats, counts: Floats, start: _Parts, power: float) -> _Parts:
    """The peak of a label that is normal when raised to a power, as a sum of normal parts."""

    def density(values: Floats) -> Floats:
        place, width = values[0], np.exp(values[1])
        share = np.exp([0.0, values[2], values[3]])
        one = [_power_density(centre - place + step, width, power) for step in range(3)]
        mixed = np.maximum((share / share.sum()) @ np.array(one), 1e-300)
        # of the events that are looked at: the tail of such a peak reaches below them
        return np.asarray(mixed / (mixed.sum() * (centre[1] - centre[0])))

    first = [float(start.places[0]), float(np.log(start.widths[0] * np.log(2))), -4.0, -5.0]
    bounds = [(first[0] - 0.5, first[0] + 0.5), (first[1] - 1, first[1] + 1), (-12, 1), (-12, 1)]
    found = minimize(
        lambda values: -float(counts @ np.log(density(values))),
        first,
        method="L-BFGS-B",
        bounds=bounds,
    )
    width = float(np.exp(found.x[1]))
    away = np.arange(-3.5, 2.0, float(centre[1] - centre[0]))
    peak = _power_density(away, width, power)
    spread = width / np.log(2)
    places = spread * np.linspace(-2.5, 1.0, _PARTS_OF_A_POWER)
    parts = _normal_parts(away, peak, places, np.full(places.size, 0.7 * spread), divided=0)
    share = np.exp([0.0, found.x[2], found.x[3]])
    divided = float(1 - 1 / share.sum())
    return _Parts(
        parts.weights, parts.places + found.x[0], parts.widths, divided, -float(found.fun)
    )


def _power_density(away: Floats, width: float, power: float) -> Floats:
    """Density over log2 of a label whose power is normal about 1, cut at 0."""
    raised = 2.0 ** (power * away)
    z = (raised - 1) / (power * width)
    return np.asarray(np.exp(-0.5 * z**2) * raised * np.log(2) / (width * np.sqrt(2 * np.pi)))
