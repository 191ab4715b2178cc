"""Diversity at a common depth: what a smaller sample of the same repertoire is expected to show.

Unadjusted diversity compares sequencing depth, not patients. The depth is an argument and never
taken from the smallest sample, so that a value does not change when another sample is dropped.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import gammaln, ndtri

from graftline.assays.tcr.diversity import Interval, coverage_chao_jost
from graftline.assays.tcr.spectrum import Floats, Spectrum, spectrum_of

Measure = Literal["richness", "shannon", "hill_1", "inverse_simpson", "clonality"]


def expected_richness(spectrum: Spectrum, *, depth: float) -> float:
    """Clones expected among ``depth`` reads drawn without replacement (Hurlbert 1971).

    NaN if the repertoire has fewer reads than that.
    """
    n = spectrum.reads
    if depth > n:
        return math.nan
    left = n - spectrum.size
    possible = left >= depth
    log_missed = _log_choose(left[possible], depth) - _log_choose(np.array([n]), depth)
    return spectrum.richness - float((spectrum.clones[possible] * np.exp(log_missed)).sum())


def expected_entropy(spectrum: Spectrum, *, depth: float) -> float:
    """Shannon entropy in nats from the expected counts among ``depth`` reads (Chao et al. 2014)."""
    n = spectrum.reads
    if depth > n or depth < 1:
        return math.nan
    total = 0.0
    for size, clones in zip(spectrum.size, spectrum.clones, strict=True):
        drawn, chance = _hypergeometric(n, size, depth)
        share = drawn / depth
        total -= clones * float((chance * share * np.log(share)).sum())
    return total


def _hypergeometric(n: float, size: float, depth: float) -> tuple[Floats, Floats]:
    """Reads of one clone in the draw and their chances; the far tails hold below 1e-30."""
    mean = depth * size / n
    spread = 12 * math.sqrt(mean) + 40
    low = max(1.0, depth - (n - size), math.floor(mean - spread))
    high = min(size, depth, math.ceil(mean + spread))
    drawn = np.arange(low, high + 1)
    log_chance = (
        _log_choose(np.full_like(drawn, size), drawn)
        + _log_choose(np.full_like(drawn, n - size), depth - drawn)
        - _log_choose(np.array([n]), depth)
    )
    return drawn, np.exp(log_chance)


def _log_choose(n: Floats, k: float | Floats) -> Floats:
    chosen: Floats = gammaln(n + 1) - gammaln(np.asarray(k) + 1) - gammaln(n - k + 1)
    return chosen


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
    if measure == "richness":
        return expected_richness(spectrum, depth=depth)
    if measure == "inverse_simpson":
        return expected_inverse_simpson(spectrum, depth=depth)
    entropy = expected_entropy(spectrum, depth=depth)
    if measure == "shannon":
        return entropy
    if measure == "hill_1":
        return math.exp(entropy)
    richness = expected_richness(spectrum, depth=depth)
    return 1 - entropy / math.log(richness) if richness > 1 else math.nan


def value_at_depth(
    spectrum: Spectrum,
    *,
    depth: float,
    measure: Measure,
    seed: int | Sequence[int],
    draws: int = 200,
    confidence: float = 0.95,
) -> Interval:
    """A measure at a common depth with its bootstrap interval.

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
    estimate = expected_at_depth(spectrum, depth=depth, measure=measure)
    if math.isnan(estimate):
        return Interval(math.nan, math.nan, math.nan)
    random = np.random.default_rng(seed)
    shares = _community(spectrum)
    drawn = (random.multinomial(int(spectrum.reads), shares) for _ in range(draws))
    values = [expected_at_depth(spectrum_of(d), depth=depth, measure=measure) for d in drawn]
    z = float(-ndtri((1 - confidence) / 2))
    error = z * float(np.nanstd(values, ddof=1))
    return Interval(estimate, max(estimate - error, 0.0), estimate + error)


def _community(spectrum: Spectrum) -> Floats:
    n, once, twice = spectrum.reads, spectrum.clones_with(1), spectrum.clones_with(2)
    extra = once * (once - 1) / 2 if twice == 0 else once**2 / (2 * twice)
    unseen = math.ceil((n - 1) / n * extra)
    share = spectrum.size / n
    missed = 1 - coverage_chao_jost(spectrum) if unseen else 0.0
    weight = float((spectrum.clones * share * (1 - share) ** n).sum())
    tuned = share * (1 - missed / weight * (1 - share) ** n) if weight > 0 else share
    seen = np.repeat(tuned, spectrum.clones.astype(np.int64))
    community = np.concatenate([seen, np.full(unseen, missed / unseen if unseen else 0.0)])
    normed: Floats = community / community.sum()
    return normed


def rarefaction_curve(spectrum: Spectrum, *, depths: Sequence[float]) -> Floats:
    """Expected clones at each depth; NaN beyond the repertoire's reads."""
    return np.array([expected_richness(spectrum, depth=depth) for depth in depths])
