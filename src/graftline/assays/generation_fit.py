"""Wells of one subject fitted together: cells of each generation by maximum likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize, nnls

from graftline.assays.generation_model import OWN, SHARED, Comb, Floats, UndividedPeak, peak_density

# A few events fit no peak; without this share anywhere one of them could move a width.
_BACKGROUND = 2e-4
_BRIGHT = 2.0
_BLURRED_WIDTH = 0.3
_COARSE_BINS = 12


@dataclass(frozen=True, slots=True)
class Histogram:
    """Events of one well on the log2 scale: width of the bins, their centres, counts."""

    bin: float
    centre: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """Shares of the generations of one well, their covariance, its parameters, log likelihood."""

    shares: Floats
    units: Floats
    covariance: Floats
    likelihood: float


def fit_together(wells: Sequence[Histogram], comb: Comb) -> list[Fitted]:
    """Shares and parameters of each well; spacing, divided width and light are common to all."""
    free = _free_positions(comb, len(wells))
    bounds = _all_bounds(comb, len(wells))
    known = [np.full(comb.generations + 1, 1 / (comb.generations + 1)) for _ in wells]
    light = len(OWN) * len(wells) + SHARED.index("autofluorescence")
    # Narrow peaks a little off their place are a minimum of their own: a blurred look finds it.
    coarse, rough = [_blurred(well, comb) for well in wells], _blurred_comb(comb)
    found = []
    for level in (0.0, _BRIGHT) if comb.autofluorescence is None else (0.0,):
        start = np.zeros(len(bounds))
        start[light] = level
        found.append(_Problem(coarse, rough, free, known).solve(start, bounds))
    start = min(found, key=lambda one: one[0])[1]
    best = _Problem(wells, comb, free, known).solve(start, bounds)[1]
    units = [_of_well(best, n, len(wells)) for n in range(len(wells))]
    shares = [_shares(w, comb, u, k) for w, u, k in zip(wells, units, known, strict=True)]
    return _with_covariance(wells, comb, units, shares)


def _blur(comb: Comb) -> float:
    return float(np.sqrt(max(_BLURRED_WIDTH**2 - comb.undivided.width**2, 0.0)))


def _blurred_comb(comb: Comb) -> Comb:
    width = max(comb.undivided.width, _BLURRED_WIDTH)
    return replace(comb, undivided=replace(comb.undivided, width=width))


def _blurred(well: Histogram, comb: Comb) -> Histogram:
    """The histogram with peaks of at least the blurred width, in fewer bins."""
    blur, together = _blur(comb) / well.bin, max(int(1 / (_COARSE_BINS * well.bin)), 1)
    reach = int(3 * blur) + together
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(blur, 0.1)) ** 2)
    counts = np.convolve(well.counts, kernel / kernel.sum())
    edges = np.arange(0, counts.size, together)
    centre = well.centre[0] + well.bin * (edges - reach + (together - 1) / 2)
    return Histogram(well.bin * together, centre, np.add.reduceat(counts, edges))


class _Problem:
    """Loss of the parameters, the shares being the best for them."""

    def __init__(
        self,
        wells: Sequence[Histogram],
        comb: Comb,
        free: Sequence[int],
        shares: list[Floats],
    ) -> None:
        self.wells, self.comb, self.free = wells, comb, list(free)
        self.shares = list(shares)

    def solve(self, start: Floats, bounds: Sequence[tuple[float, float]]) -> tuple[float, Floats]:
        """The smallest loss from a start, and where it is."""
        found = minimize(
            self.loss,
            start[self.free],
            jac=True,
            method="L-BFGS-B",
            bounds=[bounds[n] for n in self.free],
            options={"maxiter": 200, "ftol": 1e-8, "gtol": 1e-3},
        )
        return float(found.fun), self._all_units(found.x)

    def _all_units(self, values: Floats) -> Floats:
        units = np.zeros(len(OWN) * len(self.wells) + len(SHARED))
        units[self.free] = values
        return units

    def loss(self, values: Floats) -> tuple[float, Floats]:
        """Loss and its slope by the free parameters."""
        units, count = self._all_units(values), len(self.wells)
        total, slope = 0.5 * float(units @ units), units.copy()
        for n, well in enumerate(self.wells):
            own = _of_well(units, n, count)
            shares = _shares(well, self.comb, own, self.shares[n])
            self.shares[n] = shares
            peaks, widths = self.comb.places(own)
            _, density, *slopes = densities(well, peaks, widths, shares, self.comb.undivided)
            total -= float(well.counts @ np.log(density))
            by_peak, by_width = (well.counts / density) @ (slopes * shares)
            moved, widened = self.comb.slopes(own)
            slope[_positions(n, count)] -= moved @ by_peak + widened @ by_width
        return total, slope[self.free]


def _positions(n: int, wells: int) -> list[int]:
    """Where the parameters of one well stand among those of all."""
    shared = len(OWN) * wells
    return [*range(len(OWN) * n, len(OWN) * (n + 1)), *range(shared, shared + len(SHARED))]


def _of_well(units: Floats, n: int, wells: int) -> Floats:
    return units[_positions(n, wells)]


def _free_positions(comb: Comb, wells: int) -> list[int]:
    free = np.flatnonzero(comb.free())
    return sorted({_positions(n, wells)[k] for n in range(wells) for k in free})


def _all_bounds(comb: Comb, wells: int) -> list[tuple[float, float]]:
    bounds = comb.bounds()
    return bounds[: len(OWN)] * wells + bounds[len(OWN) :]


def densities(
    well: Histogram, peaks: Floats, widths: Floats, shares: Floats, undivided: UndividedPeak
) -> tuple[Floats, Floats, Floats, Floats]:
    """Density of each generation and of the mixture; its slopes by place and by log width."""
    z = (well.centre[:, None] - peaks) / widths
    shape, slope = peak_density(z, undivided)
    parts = shape / widths
    mixture = parts @ shares + _background(well)
    return parts, mixture, -slope / widths**2, -parts - z * slope / widths


def _background(well: Histogram) -> float:
    return _BACKGROUND / (well.centre.size * well.bin)


def _shares(well: Histogram, comb: Comb, units: Floats, start: Floats) -> Floats:
    """Shares of highest likelihood for given peaks and widths: a convex problem.

    Sequential quadratic steps, each solved with shares that are not negative; that they sum to 1
    follows from the total that is taken off.
    """
    parts = densities(well, *comb.places(units), start, comb.undivided)[0]
    seen = well.counts > 0
    parts, counts = parts[seen], well.counts[seen]
    total, floor = counts.sum(), _background(well)
    shares = np.maximum(start, 1e-6)
    for _ in range(50):
        density = parts @ shares + floor
        weighed = parts * (np.sqrt(counts) / density)[:, None]
        gradient = total - parts.T @ (counts / density)
        hessian = weighed.T @ weighed
        # generations that crowd are alike: a ridge keeps the step defined, not the answer
        hessian += 1e-9 * np.diagonal(hessian).max() * np.eye(shares.size)
        root = np.linalg.cholesky(hessian)
        wanted = nnls(root.T, np.linalg.solve(root, hessian @ shares - gradient))[0]
        step = wanted - shares
        if np.abs(step).max() < 1e-7:
            break
        shares = shares + _length(parts, counts, floor, total, shares, step, gradient) * step
    return np.asarray(shares / shares.sum())


def _length(
    parts: Floats,
    counts: Floats,
    floor: float,
    total: float,
    shares: Floats,
    step: Floats,
    gradient: Floats,
) -> float:
    """The longest of 1, 1/2, 1/4 ... at which the loss falls as a step should make it fall."""
    before = total * shares.sum() - counts @ np.log(parts @ shares + floor)
    promised, length = float(gradient @ step), 1.0
    for _ in range(30):
        tried = shares + length * step
        after = total * tried.sum() - counts @ np.log(np.maximum(parts @ tried + floor, 1e-300))
        if after <= before + 0.1 * length * promised:
            break
        length *= 0.5
    return length


def _with_covariance(
    wells: Sequence[Histogram], comb: Comb, units: list[Floats], shares: list[Floats]
) -> list[Fitted]:
    """Covariance of the shares, with the doubt about all parameters in it.

    Information expected of the fit; the largest generation is what the others leave, so that all
    sum to the events.
    """
    count, free = len(wells), _free_positions(comb, len(wells))
    column = {p: n for n, p in enumerate(free)}
    information = np.eye(len(free))
    blocks = []
    for n, (well, own, share) in enumerate(zip(wells, units, shares, strict=True)):
        score, held, rest = _scores(well, comb, own, share)
        density = densities(well, *comb.places(own), share, comb.undivided)[1]
        weights = density * well.counts.sum() * well.bin
        positions = [column[p] for p in _positions(n, count) if p in column]
        used = [len(held) + k for k, p in enumerate(_positions(n, count)) if p in column]
        full = score.T @ (score * weights[:, None])
        bounded = np.diag(_bounds_of_shares(well, comb, own, share)[held])
        inner = np.linalg.inv(full[: len(held), : len(held)] + bounded)
        cross = full[: len(held)][:, used]
        information[np.ix_(positions, positions)] += full[np.ix_(used, used)]
        information[np.ix_(positions, positions)] -= cross.T @ inner @ cross
        likelihood = float(well.counts @ np.log(density))
        blocks.append((held, rest, inner, inner @ cross, positions, likelihood))
    outer = np.linalg.inv(information)
    found = []
    for block, own, share in zip(blocks, units, shares, strict=True):
        held, rest, inner, lever, positions, likelihood = block
        known = inner + lever @ outer[np.ix_(positions, positions)] @ lever.T
        spread = np.zeros((share.size, len(held)))
        spread[held, np.arange(len(held))] = 1
        spread[rest] = -1
        found.append(Fitted(share, own, spread @ known @ spread.T, likelihood))
    return found


def _bounds_of_shares(well: Histogram, comb: Comb, units: Floats, shares: Floats) -> Floats:
    """What is known of each share beside the curvature: that none is negative.

    The likelihood of a share at 0 falls off as an exponential, and two generations that cannot be
    told apart hold no more than both together.
    """
    parts, density = densities(well, *comb.places(units), shares, comb.undivided)[:2]
    events = well.counts.sum()
    fall = np.maximum(events - parts.T @ (well.counts / density), 0.0)
    beside = np.convolve(shares, np.ones(3), mode="same") + 3 / events
    return np.asarray(np.where(shares * events < 0.5, fall**2, 0.0) + 1 / beside**2)


def _scores(
    well: Histogram, comb: Comb, units: Floats, shares: Floats
) -> tuple[Floats, list[int], int]:
    peaks, widths = comb.places(units)
    parts, density, by_peak, by_width = densities(well, peaks, widths, shares, comb.undivided)
    rest = int(shares.argmax())
    held = [k for k in range(shares.size) if k != rest]
    moved, widened = comb.slopes(units)
    by_parameter = (by_peak * shares) @ moved.T + (by_width * shares) @ widened.T
    score = np.hstack([parts[:, held] - parts[:, [rest]], by_parameter]) / density[:, None]
    return score, held, rest
