"""Diversity and clonality of one repertoire, each by its exact definition.

Logarithms are natural. A measure that has no value for the repertoire is NaN: evenness, and with
it clonality, of a single clone is 0/0 and not 0 or 1.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from graftline.assays.tcr.spectrum import Spectrum


class Interval(NamedTuple):
    """An estimate and its confidence limits."""

    estimate: float
    low: float
    high: float


def shannon_entropy(spectrum: Spectrum) -> float:
    """H = -sum p ln p, in nats."""
    reads = spectrum.reads
    if reads == 0:
        return math.nan
    p = spectrum.size / reads
    return float((spectrum.clones * p * np.log(reads / spectrum.size)).sum())


def pielou_evenness(spectrum: Spectrum) -> float:
    """H / ln S; NaN for fewer than two clones (Pielou 1966)."""
    if spectrum.richness < 2:
        return math.nan
    # Equal counts come out a rounding error above 1.
    return min(shannon_entropy(spectrum) / math.log(spectrum.richness), 1.0)


def clonality(spectrum: Spectrum) -> float:
    """1 - Pielou's evenness; the immunoSEQ "productive clonality" when rows are productive."""
    return 1.0 - pielou_evenness(spectrum)


def simpson_index(spectrum: Spectrum) -> float:
    """Sum of p squared: the chance that two reads drawn with replacement share a clone."""
    reads = spectrum.reads
    if reads == 0:
        return math.nan
    return float((spectrum.clones * (spectrum.size / reads) ** 2).sum())


def simpson_clonality(spectrum: Spectrum) -> float:
    """Square root of `simpson_index`; another number than `clonality`."""
    return math.sqrt(simpson_index(spectrum))


def gini_simpson(spectrum: Spectrum) -> float:
    """1 - `simpson_index`."""
    return 1.0 - simpson_index(spectrum)


def inverse_simpson(spectrum: Spectrum) -> float:
    """1 / `simpson_index`, the Hill number of order 2."""
    return 1.0 / simpson_index(spectrum)


def gini_coefficient(spectrum: Spectrum) -> float:
    """Inequality of the counts of the clones seen: sum (2i - S - 1) x_i / (S sum x), x ascending.

    0 for equal counts and for a single clone. No small-sample factor S/(S-1).
    """
    richness, reads = spectrum.richness, spectrum.reads
    if reads == 0:
        return math.nan
    last = np.cumsum(spectrum.clones)
    # The ranks of a run of ties add up to the mean of its ends times its length.
    ranks = (2 * last - spectrum.clones + 1) / 2
    total = (spectrum.clones * (2 * ranks - richness - 1) * spectrum.size).sum()
    return float(total / (richness * reads))


def hill_number(spectrum: Spectrum, *, order: float) -> float:
    """Effective number of clones of any order q >= 0, also between 0 and 1, and infinity.

    (sum p^q)^(1/(1-q)); exp(H) at q = 1; 1/max p at infinity (Hill 1973).

    Raises
    ------
    ValueError
        The order is negative or not a number.
    """
    if not order >= 0:
        raise ValueError(f"the order of a Hill number is 0 or more, not {order}")
    reads = spectrum.reads
    if reads == 0:
        return math.nan
    if order == 0:
        return spectrum.richness
    p = spectrum.size / reads
    if order == 1:
        return math.exp(shannon_entropy(spectrum))
    if math.isinf(order):
        return float(1 / p.max())
    # Scaled by the largest share: p^q underflows for high orders.
    top = p.max()
    log_sum = math.log(float((spectrum.clones * (p / top) ** order).sum()))
    return math.exp((log_sum + order * math.log(top)) / (1 - order))


def top_share(spectrum: Spectrum, *, clones: int) -> float:
    """Share of reads in the ``clones`` largest clones; 1 if there are not that many."""
    if spectrum.reads == 0:
        return math.nan
    size, many = spectrum.size[::-1], spectrum.clones[::-1]
    before = np.cumsum(many) - many
    taken = np.clip(clones - before, 0, many)
    return float((taken * size).sum() / spectrum.reads)


def d50_clones(spectrum: Spectrum, *, share: float = 0.5) -> float:
    """Fewest largest clones that together hold at least ``share`` of the reads (immunarch)."""
    if spectrum.reads == 0:
        return math.nan
    size, many = spectrum.size[::-1], spectrum.clones[::-1]
    wanted = share * spectrum.reads
    held = np.cumsum(size * many)
    run = int(np.searchsorted(held, wanted))
    inside = math.ceil((wanted - (held[run] - size[run] * many[run])) / size[run])
    return float(many[:run].sum() + inside)


def d50_percent(spectrum: Spectrum, *, share: float = 0.5) -> float:
    """`d50_clones` in percent of all clones (the D50 patent; scirpy): low means clonal."""
    if spectrum.reads == 0:
        return math.nan
    return 100 * d50_clones(spectrum, share=share) / spectrum.richness


def d50_complement(spectrum: Spectrum, *, share: float = 0.5) -> float:
    """1 - `d50_clones` / S (vdjtools): high means clonal."""
    return 1 - d50_percent(spectrum, share=share) / 100


def chao1(spectrum: Spectrum, *, confidence: float = 0.95) -> Interval:
    """Lower bound of the number of clones, bias-corrected: S + f1 (f1 - 1) / (2 (f2 + 1)).

    The interval is log-normal and never below S. Without singletons the estimate is S: such
    samples are real after a transplant.

    Notes
    -----
    Chao 1984, 1987; variances as in EstimateS (Colwell, appendix B) and vegan.
    """
    seen, reads = spectrum.richness, spectrum.reads
    if seen == 0:
        return Interval(math.nan, math.nan, math.nan)
    once, twice = spectrum.clones_with(1), spectrum.clones_with(2)
    estimate = seen + once * (once - 1) / (2 * (twice + 1))
    z = float(-ndtri((1 - confidence) / 2))
    if estimate == seen:
        # Nothing to extrapolate from: the interval of EstimateS for f1 <= 1.
        missed = math.exp(-reads / seen)
        spread = z * math.sqrt(seen * missed * (1 - missed)) / (1 - missed)
        return Interval(seen, max(seen, seen / (1 - missed) - spread), seen / (1 - missed) + spread)
    variance = _chao1_variance(once, twice, estimate)
    beyond = estimate - seen
    factor = math.exp(z * math.sqrt(math.log1p(variance / beyond**2)))
    return Interval(estimate, seen + beyond / factor, seen + beyond * factor)


def _chao1_variance(once: float, twice: float, estimate: float) -> float:
    if twice == 0:
        return max(
            once * (once - 1) / 2 + once * (2 * once - 1) ** 2 / 4 - once**4 / (4 * estimate), 0.0
        )
    more = twice + 1
    return (
        once * (once - 1) / (2 * more)
        + once * (2 * once - 1) ** 2 / (4 * more**2)
        + once**2 * twice * (once - 1) ** 2 / (4 * more**4)
    )


def chao1_classic(spectrum: Spectrum) -> float:
    """S + (n-1)/n f1^2 / (2 f2), without doubletons S + (n-1)/n f1 (f1-1) / 2: immunarch, iNEXT.

    For comparison with other tools; `chao1` is the estimate to report. Without singletons it is S,
    as in iNEXT; immunarch gives NA if there are doubletons.
    """
    once, twice, reads = spectrum.clones_with(1), spectrum.clones_with(2), spectrum.reads
    if reads == 0:
        return math.nan
    missed = once**2 / (2 * twice) if twice > 0 else once * (once - 1) / 2
    return spectrum.richness + (reads - 1) / reads * missed


def ace(spectrum: Spectrum, *, rare: int = 10) -> float:
    """Abundance-based coverage estimate of the number of clones (Chao and Lee 1992; O'Hara).

    NaN if all rare clones are singletons, or there is no clone.
    """
    if spectrum.reads == 0:
        return math.nan
    few = spectrum.size <= rare
    size, many = spectrum.size[few], spectrum.clones[few]
    abundant = float(spectrum.clones[~few].sum())
    rare_reads, rare_clones = float((size * many).sum()), float(many.sum())
    once = spectrum.clones_with(1)
    if rare_clones == 0:
        return abundant
    if once == rare_reads:
        return math.nan
    coverage = 1 - once / rare_reads
    pairs = float((size * (size - 1) * many).sum()) / (rare_reads * (rare_reads - 1))
    variation = max(rare_clones / coverage * pairs - 1, 0.0)
    return abundant + rare_clones / coverage + once / coverage * variation


def coverage_good(spectrum: Spectrum) -> float:
    """1 - f1/n: the share of the whole repertoire that belongs to clones seen (Good 1953)."""
    if spectrum.reads == 0:
        return math.nan
    return 1 - spectrum.clones_with(1) / spectrum.reads


def coverage_chao_jost(spectrum: Spectrum) -> float:
    """Sample coverage with the doubleton correction (Chao and Jost 2012, iNEXT).

    1 for a single singleton without doubletons, as without singletons.
    """
    n, once, twice = spectrum.reads, spectrum.clones_with(1), spectrum.clones_with(2)
    if n == 0:
        return math.nan
    if once == 0:
        return 1.0
    if twice > 0:
        return 1 - once / n * (n - 1) * once / ((n - 1) * once + 2 * twice)
    return 1 - once / n * (n - 1) * (once - 1) / ((n - 1) * (once - 1) + 2)
