"""Shares of contributors from the peak areas of STR loci: least squares over all loci."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls
from scipy.special import log_ndtr

Floats = NDArray[np.float64]
# Fewer alleles in stutter position than this say nothing about stutter.
_STUTTER_POSITIONS = 4
_MOST_STUTTER = 0.25
# Share of a locus's area below which scatter no longer shrinks with the peak.
_SCATTER_FLOOR = 0.03
# Scatter of stutter from allele to allele, in units of the scatter of a peak of that size.
_SCATTER_OF_STUTTER = 3.0
# Scatter of peaks near the smallest that software reports, as a share of them.
_SCATTER_OF_SMALL = 0.3
# Software reports peaks down to a hundredth or a tenth of a locus's area.
_LARGEST_LIMIT = 0.1
REPEAT = 10


@dataclass(frozen=True, slots=True)
class Locus:
    """What the people would show at a locus, and what is seen.

    Rows are the alleles of the people, columns the people: copies, and copies of the alleles one
    repeat longer and one shorter. ``areas`` are those of the alleles: peaks elsewhere are stutter
    or foreign.
    """

    copies: Floats
    longer: Floats
    shorter: Floats
    areas: Floats


@dataclass(frozen=True, slots=True)
class Stutter:
    """Area of the peak one repeat below, and above, over that of its parent."""

    back: float
    forward: float


@dataclass(frozen=True, slots=True)
class Dropout:
    """Smallest peak that the sample shows, and the people of whom peaks are seen."""

    smallest: float
    seen: NDArray[np.bool_]


def locus_of(
    genotypes: Mapping[str, Sequence[int]], areas: Mapping[int, float], people: Sequence[str]
) -> Locus:
    """The locus of some people: positions of alleles are in tenths of repeats."""
    alleles = sorted({a for person in people for a in genotypes[person]})
    copies = np.zeros((len(alleles), len(people)))
    longer, shorter = np.zeros_like(copies), np.zeros_like(copies)
    for j, person in enumerate(people):
        own = list(genotypes[person])
        for allele in own if len(own) == 2 else own * 2:
            copies[alleles.index(allele), j] += 0.5
            if allele > 0 and allele - REPEAT in alleles:
                longer[alleles.index(allele - REPEAT), j] += 0.5
            if allele > 0 and allele + REPEAT in alleles:
                shorter[alleles.index(allele + REPEAT), j] += 0.5
    return Locus(copies, longer, shorter, np.array([areas.get(a, 0.0) for a in alleles]))


def is_informative(locus: Locus) -> bool:
    """Whether the contributors' patterns differ; with several donors, of some of them."""
    return bool(locus.areas.sum() > 0 and np.linalg.matrix_rank(locus.copies) > 1)


def joint_shares(
    loci: Mapping[str, Locus],
    stutter: Stutter,
    *,
    dropout: Dropout | None = None,
    start: Floats | None = None,
    tolerance: float = 1e-10,
) -> Floats:
    """Shares that sum to 1 and fit the area shares of all loci best.

    An allele that is not seen though the sample shows others of that person has a peak below the
    smallest reported one, not none: it counts with what is expected of such a peak.
    """
    people = next(iter(loci.values())).copies.shape[1]
    shares = np.full(people, 1 / people) if start is None else start
    for _ in range(200):
        rows, wanted = [], []
        for locus in loci.values():
            fitted, expected = _fitted(locus, stutter, shares)
            areas = locus.areas if dropout is None else _completed(locus, fitted, dropout)
            weight = 1 / _scatter(locus, stutter, shares, fitted)
            rows.append(weight[:, None] * expected)
            wanted.append(weight * areas / areas.sum())
        # A heavy row makes the shares sum to 1; non-negative least squares does the rest.
        heavy = 1e4
        design = np.vstack([*rows, np.full((1, people), heavy)])
        solved = nnls(design, np.concatenate([*wanted, [heavy]]))[0]
        change = np.abs(solved / solved.sum() - shares).max()
        shares = solved / solved.sum()
        if change < tolerance:
            break
    return np.asarray(shares)


def dropout_of(loci: Mapping[str, Locus], smallest: float) -> Dropout | None:
    """Whose alleles are seen in part only; none where no allele of a person who is seen lacks.

    A person is seen by a peak at an allele that nobody else has and that is no stutter of another.
    None, too, where even the smallest peak is large: it does not say how small a peak is reported.
    """
    usual = float(np.median([locus.areas.sum() for locus in loci.values()]))
    if smallest > _LARGEST_LIMIT * usual:
        return None
    people = next(iter(loci.values())).copies.shape[1]
    seen, lacks = np.zeros(people, dtype=bool), False
    clean = np.zeros(people, dtype=bool)
    for locus in loci.values():
        for j in range(people):
            others = np.delete(locus.copies + locus.longer + locus.shorter, j, axis=1).sum(axis=1)
            own = (locus.copies[:, j] > 0) & (others == 0)
            clean[j] |= bool(own.any())
            seen[j] |= bool((locus.areas[own] > 0).any())
    seen |= ~clean
    for locus in loci.values():
        lacks |= bool(((locus.areas == 0) & (locus.copies[:, seen].sum(axis=1) > 0)).any())
    return Dropout(smallest, seen) if lacks else None


def missing_alleles(loci: Mapping[str, Locus], person: int) -> tuple[int, int]:
    """Alleles of one person that nobody else has: how many have no peak, of how many."""
    own = [
        locus.areas[(locus.copies[:, person] > 0) & (np.count_nonzero(locus.copies, axis=1) == 1)]
        for locus in loci.values()
    ]
    areas = np.concatenate(own)
    return int((areas == 0).sum()), areas.size


def without_each(
    loci: Mapping[str, Locus],
    stutter: Stutter,
    shares: Floats,
    *,
    dropout: Dropout | None = None,
) -> dict[str, float]:
    """Donors' joint percent without each locus; empty where one cannot be spared."""
    found = {}
    for left_out in loci:
        rest = {name: locus for name, locus in loci.items() if name != left_out}
        if not rest or not _tells_apart(rest):
            return {}
        one = joint_shares(rest, stutter, dropout=dropout, start=shares, tolerance=1e-6)
        found[left_out] = 100 * float(one[:-1].sum())
    return found


def jackknife_error(without: Mapping[str, float]) -> float:
    """Standard error of the donors' joint percent from its values without each locus."""
    if not without:
        return float("nan")
    found = np.array(list(without.values()))
    away = found - found.mean()
    return float(np.sqrt((found.size - 1) / found.size * (away**2).sum()))


def odd_loci(
    without: Mapping[str, float], percent: float, *, least: float = 0.5, times: float = 6.0
) -> list[str]:
    """Loci without which the joint percent moves far more than without the others.

    By ``least`` points and ``times`` the median of what loci move: an artefact, a wrong genotype,
    or a loss of the chromosome in the patient's leukaemia.
    """
    moves = {name: abs(value - percent) for name, value in without.items()}
    if len(moves) < 4:
        return []
    limit = max(least, times * float(np.median(list(moves.values()))))
    return [name for name, move in moves.items() if move > limit]


def alone(locus: Locus, stutter: Stutter, shares: Floats) -> float | None:
    """Donors' percent by one locus, not cut at 0 and 100; none where it cannot tell all apart."""
    fitted, _ = _fitted(locus, stutter, shares)
    weight = 1 / _scatter(locus, stutter, shares, fitted)
    expected = _expected(locus, stutter)
    solved = np.linalg.lstsq(weight[:, None] * expected, weight * locus.areas, rcond=None)[0]
    if np.linalg.matrix_rank(locus.copies) < locus.copies.shape[1] or solved.sum() <= 0:
        return None
    return float(100 * solved[:-1].sum() / solved.sum())


def residual(locus: Locus, stutter: Stutter, shares: Floats) -> float:
    """Root mean square misfit of a locus, each peak against what is expected of it."""
    fitted, _ = _fitted(locus, stutter, shares)
    away = (locus.areas / locus.areas.sum() - fitted) / _scatter(locus, stutter, shares, fitted)
    return float(np.sqrt((away**2).mean()))


def seen_stutter(
    areas: Mapping[str, Mapping[int, float]],
    positions: Mapping[str, Mapping[str, Sequence[int]]],
    step: int,
) -> float | None:
    """Median ratio of peaks one repeat away from a large allele where nobody has an allele.

    None where such peaks are rare: software has removed them.
    """
    ratios = []
    for locus, peaks in areas.items():
        own = {a for alleles in positions.get(locus, {}).values() for a in alleles}
        large = 0.1 * sum(peaks.values())
        ratios += [
            peaks.get(allele + step, 0.0) / peaks[allele]
            for allele in own & set(peaks)
            if allele > 0
            and peaks[allele] > large
            # neither an allele nor the stutter of another one
            and not {allele + step, allele + 2 * step} & own
        ]
    seen = [ratio for ratio in ratios if ratio > 0]
    enough = len(seen) >= _STUTTER_POSITIONS and 2 * len(seen) > len(ratios)
    return min(float(np.median(seen)), _MOST_STUTTER) if enough else None


def fitted_stutter(loci: Mapping[str, Locus]) -> float:
    """Ratio that fits the alleles in stutter position of another best; 0 where they are few."""
    if sum(int(locus.longer.any(axis=1).sum()) for locus in loci.values()) < _STUTTER_POSITIONS:
        return 0.0

    def misfit(ratio: float) -> float:
        shares = joint_shares(loci, Stutter(ratio, 0.0))
        return sum(residual(locus, Stutter(ratio, 0.0), shares) ** 2 for locus in loci.values())

    found: Any = minimize_scalar(
        misfit, bounds=(0.0, _MOST_STUTTER), method="bounded", options={"xatol": 1e-7}
    )
    return float(found.x) if found.fun < misfit(0.0) - 1e-10 else 0.0


def _expected(locus: Locus, stutter: Stutter) -> Floats:
    return locus.copies + stutter.back * locus.longer + stutter.forward * locus.shorter


def _fitted(locus: Locus, stutter: Stutter, shares: Floats) -> tuple[Floats, Floats]:
    """Share of each allele of the locus, and what each person adds to it."""
    expected = _expected(locus, stutter)
    total = float((expected @ shares).sum())
    return np.asarray(expected @ shares / total), expected / total


def _scatter(locus: Locus, stutter: Stutter, shares: Floats, fitted: Floats) -> Floats:
    """Scatter of each allele's share, relative: of the peak itself and of the stutter in it."""
    added = stutter.back * locus.longer + stutter.forward * locus.shorter
    part = added @ shares / (_expected(locus, stutter) @ shares).sum()
    return np.asarray(np.hypot(fitted + _SCATTER_FLOOR, _SCATTER_OF_STUTTER * part))


def _completed(locus: Locus, fitted: Floats, dropout: Dropout) -> Floats:
    """Areas with what is expected of peaks below the smallest one, of people who are seen."""
    mean = fitted * locus.areas.sum()
    spread = np.maximum(_SCATTER_OF_SMALL * mean, 1e-9)
    place = (dropout.smallest - mean) / spread
    # the mean of a normal variable that is known to lie below the smallest peak
    below = mean - spread * np.exp(-0.5 * place**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(place))
    lacks = (locus.areas == 0) & (locus.copies[:, dropout.seen].sum(axis=1) > 0)
    return np.asarray(np.where(lacks, np.clip(below, 0.0, dropout.smallest), locus.areas))


def _tells_apart(loci: Mapping[str, Locus]) -> bool:
    copies = np.vstack([locus.copies for locus in loci.values()])
    return bool(np.linalg.matrix_rank(copies) == copies.shape[1])
