"""Diversity at a common depth: what a smaller sample of the same repertoire is expected to show.

Unadjusted diversity compares sequencing depth, not patients. The depth is an argument and never
taken from the smallest sample, so that a value does not change when another sample is dropped.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtri

from graftline.assays.tcr.diversity import Interval, coverage_chao_jost
from graftline.assays.tcr.spectrum import Floats, Spectrum, spectrum_of

_LARGE_GROUP = 64
_SPARSE = 16
_SERIES = 64.0
Measure = Literal["richness", "shannon", "hill_1", "inverse_simpson", "clonality"]


def expected_richness(spectrum: Spectrum, *, depth: float) -> float:
    """Clones expected among ``depth`` reads drawn without replacement (Hurlbert 1971).

    NaN if the repertoire has fewer reads than that.
    """
    n = spectrum.reads
    if depth > n:
        return math.nan
    # The chance of a miss is symmetric in the two: the fewer factors, the more digits.
    fewer, more = np.minimum(spectrum.size, depth), np.maximum(spectrum.size, depth)
    possible = n - more >= fewer
    fewer, more = fewer[possible], more[possible]
    log_missed = _log_falling(n - more, fewer) - _log_falling(n, fewer)
    certain = spectrum.clones[~possible].sum()
    # Not 1 - exp: a clone that is nearly always missed counts with all its digits.
    return float(certain - (spectrum.clones[possible] * np.expm1(log_missed)).sum())


def expected_entropy(spectrum: Spectrum, *, depth: float) -> float:
    """Shannon entropy in nats from the expected counts among ``depth`` reads (Chao et al. 2014)."""
    n = spectrum.reads
    if depth > n or depth < 1:
        return math.nan
    drawn, group = _supports(spectrum.size, n, depth)
    size = spectrum.size[group]
    chosen = np.arange(drawn.max() + 1)
    orders = gammaln(depth + 1) - gammaln(chosen + 1) - gammaln(depth - chosen + 1)
    log_chance = (
        orders[drawn.astype(np.int64)]
        + _log_falling(size, drawn)
        + _log_falling(n - size, depth - drawn)
        - _log_falling(n, depth)
    )
    terms = spectrum.clones[group] * np.exp(log_chance) * drawn / depth * np.log(depth / drawn)
    return float(terms.sum())


def _supports(sizes: Floats, n: float, depth: float) -> tuple[Floats, NDArray[np.int64]]:
    """Reads that a clone of each size may have in the draw, and which size they belong to.

    The tails left out hold below 1e-30.
    """
    mean = depth * sizes / n
    spread = 12 * np.sqrt(mean) + 40
    low = np.maximum(np.maximum(1.0, depth - (n - sizes)), np.floor(mean - spread))
    high = np.minimum(np.minimum(sizes, depth), np.ceil(mean + spread))
    many = (high - low + 1).astype(np.int64)
    group = np.repeat(np.arange(sizes.size), many)
    first = np.cumsum(many) - many
    drawn: Floats = low[group] + (np.arange(group.size) - first[group])
    return drawn, group


def _log_falling(n: Floats | float, k: Floats | float) -> Floats:
    """Logarithm of n (n - 1) ... (n - k + 1), no digits lost to the factorial of a large n."""
    top = np.asarray(n, dtype=np.float64) + 1
    bottom: Floats = top - k
    main = k * np.log(top) - (bottom - 0.5) * np.log1p(-k / top) - k
    log_falling: Floats = main + _stirling_rest(top) - _stirling_rest(bottom)
    return log_falling


def _stirling_rest(x: Floats) -> Floats:
    """Logarithm of the gamma function less Stirling's formula, for x of 1 or more."""
    large = np.maximum(x, _SERIES)
    series: Floats = (1 - (1 - 2 / (7 * large**2)) / (30 * large**2)) / (12 * large)
    if x.min(initial=_SERIES) >= _SERIES:
        return series
    small = np.minimum(x, _SERIES)
    exact = gammaln(small) - (small - 0.5) * np.log(small) + small - 0.5 * math.log(2 * math.pi)
    return np.where(x < _SERIES, exact, series)


def expected_inverse_simpson(spectrum: Spectrum, *, depth: float) -> float:
    """1 / expected sum of squared shares among ``depth`` reads (Chao et al. 2014)."""
    n = spectrum.reads
    if depth > n or depth < 1:
        return math.nan
    if n == 1:
        return 1.0
    pairs = float((spectrum.clones * spectrum.size * (spectrum.size - 1)).sum()) / (n * (n - 1))
    return 1 / (1 / depth + (depth - 1) / depth * pairs)


def expected_at_depth(spectrum: Spectrum, *, depth: float, measure: Measure) -> float:
    """A measure among ``depth`` reads drawn without replacement; no random numbers.

    ``hill_1`` is exp of the expected entropy; ``clonality`` is 1 - expected entropy / ln expected
    richness.
    """
    return _expected(spectrum, depth=depth, measures=(measure,))[measure]


def _expected(
    spectrum: Spectrum, *, depth: float, measures: Sequence[Measure]
) -> dict[Measure, float]:
    """Several measures, what they share computed once."""
    richness = entropy = math.nan
    if not {"richness", "clonality"}.isdisjoint(measures):
        richness = expected_richness(spectrum, depth=depth)
    if not {"shannon", "hill_1", "clonality"}.isdisjoint(measures):
        entropy = expected_entropy(spectrum, depth=depth)
    of: dict[Measure, Callable[[], float]] = {
        "richness": lambda: richness,
        "shannon": lambda: entropy,
        "hill_1": lambda: math.exp(entropy),
        "inverse_simpson": lambda: expected_inverse_simpson(spectrum, depth=depth),
        "clonality": lambda: _clonality(entropy, richness),
    }
    return {measure: of[measure]() for measure in measures}


def _clonality(entropy: float, richness: float) -> float:
    # Reads that all differ come out a rounding error below 0.
    return max(1 - entropy / math.log(richness), 0.0) if richness > 1 else math.nan


def value_at_depth(
    spectrum: Spectrum,
    *,
    depth: float,
    measure: Measure,
    seed: int | Sequence[int],
    draws: int = 200,
    confidence: float = 0.95,
) -> Interval:
    """A measure at a common depth with its bootstrap interval; see `values_at_depth`."""
    return values_at_depth(
        spectrum,
        depth=depth,
        measures=(measure,),
        seed=seed,
        draws=draws,
        confidence=confidence,
    )[measure]


def values_at_depth(
    spectrum: Spectrum,
    *,
    depth: float,
    measures: Sequence[Measure],
    seed: int | Sequence[int],
    draws: int = 200,
    confidence: float = 0.95,
) -> dict[Measure, Interval]:
    """Measures at a common depth with their bootstrap intervals, from the same draws.

    The interval is the estimate +- z x the standard error over ``draws`` repertoires of the same
    size drawn from the estimated community, in which clones not seen have their share.

    Raises
    ------
    ValueError
        Fewer than two draws.

    Notes
    -----
    Chao et al. 2014 (iNEXT): bootstrap community of Chao and Jost 2015. NaN if the depth is
    larger than the repertoire: nothing is extrapolated.
    """
    if draws < 2:
        raise ValueError("a bootstrap interval needs at least 2 draws")
    if spectrum.reads < depth or not measures:
        return {m: Interval(math.nan, math.nan, math.nan) for m in measures}
    random = np.random.default_rng(seed)
    shares, clones = _community(spectrum)
    reads = int(spectrum.reads)
    drawn = (_drawn_spectrum(random, reads, shares, clones) for _ in range(draws))
    resampled = [_expected(one, depth=depth, measures=measures) for one in drawn]
    estimates = _expected(spectrum, depth=depth, measures=measures)
    z = float(-ndtri((1 - confidence) / 2))
    intervals = {}
    for measure, estimate in estimates.items():
        values = np.array([one[measure] for one in resampled])
        known = values[~np.isnan(values)]
        error = z * float(known.std(ddof=1)) if known.size > 1 else math.nan
        intervals[measure] = Interval(estimate, max(estimate - error, 0.0), estimate + error)
    return intervals


def _community(spectrum: Spectrum) -> tuple[Floats, NDArray[np.int64]]:
    """Shares of the estimated community, and how many clones have each; they sum to 1."""
    n, once, twice = spectrum.reads, spectrum.clones_with(1), spectrum.clones_with(2)
    extra = once * (once - 1) / 2 if twice == 0 else once**2 / (2 * twice)
    unseen = math.ceil((n - 1) / n * extra)
    share = spectrum.size / n
    missed = 1 - coverage_chao_jost(spectrum) if unseen else 0.0
    weight = float((spectrum.clones * share * (1 - share) ** n).sum())
    tuned = share * (1 - missed / weight * (1 - share) ** n) if weight > 0 else share
    shares = np.append(tuned, missed / unseen if unseen else 0.0)
    clones = np.append(spectrum.clones, unseen).astype(np.int64)
    return shares / (shares * clones).sum(), clones


def _drawn_spectrum(
    random: np.random.Generator, reads: int, shares: Floats, clones: NDArray[np.int64]
) -> Spectrum:
    """Spectrum of ``reads`` drawn from a community whose equal clones stand together.

    The reads are drawn for single clones of small groups and for large groups as a whole; those of
    a large group then fall on its equal clones. The same law as drawing clone by clone, at a cost
    that depends on reads of large groups instead of all clones.
    """
    large = clones >= _LARGE_GROUP
    single = np.repeat(shares[~large], clones[~large])
    weights = np.concatenate([single, shares[large] * clones[large]])
    fallen = random.multinomial(reads, weights / weights.sum())
    distinct, times = np.unique(fallen[: single.size], return_counts=True)
    sizes, many = [distinct], [times]
    for group, inside in zip(clones[large], fallen[single.size :], strict=True):
        if inside > 4 * group:
            counts = random.multinomial(inside, np.full(group, 1 / group))
        elif group > _SPARSE * inside:
            # Only clones that were drawn: of singletons alone, billions of others are estimated.
            counts = np.unique(random.integers(group, size=inside), return_counts=True)[1]
        else:
            counts = np.bincount(random.integers(group, size=inside), minlength=group)
        several = np.bincount(counts)
        sizes.append(np.arange(several.size))
        many.append(several)
    return spectrum_of(np.concatenate(sizes), np.concatenate(many))


def rarefaction_curve(spectrum: Spectrum, *, depths: Sequence[float]) -> Floats:
    """Expected clones at each depth; NaN beyond the repertoire's reads."""
    return np.array([expected_richness(spectrum, depth=depth) for depth in depths])
