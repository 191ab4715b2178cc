"""Donor share from STR peak areas: a least-squares mixture over all informative loci."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]
# Fewer alleles in stutter position than this say nothing about stutter.
_STUTTER_POSITIONS = 4
_MOST_STUTTER = 0.25
# Share of a locus's area below which scatter no longer shrinks with the peak.
_SCATTER_FLOOR = 0.03


@dataclass(frozen=True, slots=True)
class Chimerism:
    """Shares of all contributors of one sample.

    ``percent`` is by contributor, joint over loci, between 0 and 100. ``loci`` has one row per
    locus: the donors' percent from that locus alone (not cut at 0 and 100), whether it is
    informative, its residual, and why it was left out. ``mean``, ``sd`` and ``cv_percent`` are over
    informative loci, of the donors' percent; ``standard_error`` is that of the joint percent, by
    leaving out one locus at a time. SD and error are NaN for one locus.
    """

    percent: dict[str, float]
    standard_error: float
    mean: float
    sd: float
    cv_percent: float
    informative: int
    stutter: float
    label: str
    loci: pl.DataFrame
    problems: tuple[Problem, ...]


def allele_positions(alleles: pl.Expr) -> pl.Expr:
    """Alleles as numbers of repeats, in tenths so that 9.3 is exact; X and Y of amelogenin kept.

    X is -20 and Y -10: no stutter joins them.
    """
    text = alleles.cast(pl.String).str.strip_chars().str.to_uppercase()
    number = (text.cast(pl.Float64, strict=False) * 10).round().cast(pl.Int64)
    return pl.when(text == "X").then(-20).when(text == "Y").then(-10).otherwise(number)


def estimate_chimerism(
    peaks: pl.DataFrame,
    genotypes: pl.DataFrame,
    *,
    recipient: str,
    donors: Sequence[str],
    stutter: float | None = None,
    full_percent: float = 95.0,
    detection_percent: float = 5.0,
    sample: str = "sample",
) -> Chimerism:
    """Donor percent of a sample from its STR peaks and the people's genotypes.

    The share of each allele is modelled as the mixture of the contributors' alleles, half per copy,
    so that shared alleles, homozygotes and haploidentical relatives need no rule of their own. A
    locus is informative if the contributors' patterns differ there.

    Parameters
    ----------
    peaks : DataFrame [locus, allele, area]
        One row per peak; area or height.
    genotypes : DataFrame [person, locus, allele]
        One row per allele, one or two alleles per person and locus; a homozygote has the allele
        once or twice.
    donors : sequence of str
        One donor or more, as for a second graft; ``percent`` of the result has them all.
    stutter : float or None
        Area of the n-1 stutter peak over its parent's; 0 for none. None estimates it from the
        sample: from peaks one repeat below an allele where nobody has one; else, where four or
        more alleles lie one repeat below another, from these; else takes none.
    full_percent, detection_percent : float
        Donor percent at and above which chimerism is ``full``, and the smallest share that the
        assay shows: a recipient below it is not told from none. Capillary STR detects 1 to 5 %.

    Raises
    ------
    InputError
        Unknown people, alleles that are no alleles, three alleles of one person at a locus,
        negative areas, no locus typed and measured, no informative locus, people whom the
        informative loci do not tell apart.

    Notes
    -----
    Areas scatter in proportion to themselves: misfits are weighed by the area expected, so that
    the small peaks of a minor contributor count beside the large ones of the other.
    """
    peaks, genotypes = _same_loci(peaks, genotypes)
    people = [*donors, recipient]
    positions = _genotype_table(genotypes, people, sample)
    areas, problems = _peak_table(peaks, positions, sample, stutter)
    loci = sorted(set(areas) & set(positions))
    patterns = {locus: _pattern(positions[locus], areas[locus], people) for locus in loci}
    usable = [locus for locus in loci if _informative(*patterns[locus])]
    _check_informative(sample, loci, [patterns[locus][0] for locus in usable], people)
    chosen = _seen_stutter(areas, positions) if stutter is None else stutter
    if chosen is None:
        chosen = _fitted_stutter({locus: patterns[locus] for locus in usable})
    known = {locus: patterns[locus] for locus in usable}
    shares = _joint_shares(known, chosen)
    table = _locus_table(sorted(positions), usable, patterns, chosen, shares)
    alone = table.filter(pl.col("informative"))["donor_percent"].drop_nulls().to_numpy()
    donor = float(shares[:-1].sum() * 100)
    mean = float(alone.mean())
    sd = float(alone.std(ddof=1)) if alone.size > 1 else float("nan")
    return Chimerism(
        dict(zip(people, (100 * shares).tolist(), strict=True)),
        _jackknife_error(known, chosen, shares),
        mean,
        sd,
        100 * sd / mean if mean > 0 else float("nan"),
        len(usable),
        chosen,
        chimerism_label(donor, full_percent=full_percent, detection_percent=detection_percent),
        table,
        tuple(problems),
    )


def chimerism_label(
    donor_percent: float, *, full_percent: float = 95.0, detection_percent: float = 5.0
) -> str:
    """``full``, ``mixed`` or ``autologous`` (donor below the limit of detection)."""
    if donor_percent >= full_percent:
        return "full"
    return "autologous" if donor_percent < detection_percent else "mixed"


def chimerism_row(
    found: Chimerism, *, patient: str, day: float, lineage: str, donor: str, specimen: str = "blood"
) -> pl.DataFrame:
    """The result for one donor as a row of the trial's ``chimerism`` table.

    Returns
    -------
    DataFrame [patient, day, specimen, lineage, donor, donor_percent, method]
    """
    return pl.DataFrame(
        {
            "patient": [patient],
            "day": [float(day)],
            "specimen": [specimen],
            "lineage": [lineage],
            "donor": [donor],
            "donor_percent": [found.percent[donor]],
            "method": ["STR"],
        }
    )


def detection_statement(donor_percent: float, *, detection_percent: float = 5.0) -> str:
    """What a share beyond the limit of detection allows to say; empty in between."""
    if donor_percent < detection_percent:
        return f"donor below the limit of detection ({detection_percent:g} %)"
    if 100 - donor_percent < detection_percent:
        return f"recipient below the limit of detection ({detection_percent:g} %)"
    return ""


_SAME_LOCUS = {"AMELOGENIN": "AMEL"}


def _same_loci(peaks: pl.DataFrame, genotypes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Loci of both tables as the genotypes spell them first: vWA, VWA, vWA with a blank are one."""
    name = pl.col("locus").cast(pl.String).str.strip_chars()
    key = name.str.to_uppercase().replace(_SAME_LOCUS)
    spelled = (
        genotypes.select(key=key, name=name).drop_nulls().unique("key", maintain_order=True).rows()
    )
    known = dict(spelled)
    one = pl.coalesce(key.replace_strict(known, default=None, return_dtype=pl.String), name)
    return peaks.with_columns(locus=one), genotypes.with_columns(locus=one)


def _check_informative(
    sample: str, loci: Sequence[str], copies: Sequence[Floats], people: Sequence[str]
) -> None:
    if not loci:
        remedy = "compare the loci of the two files; a locus counts where everybody is typed"
        raise InputError([Problem(sample, "a locus that is typed and has peaks", remedy)])
    if not copies:
        remedy = "type more loci, or check that these are different people"
        raise InputError([Problem(sample, "a locus at which the people differ", remedy)])
    if np.linalg.matrix_rank(np.vstack(copies)) < len(people):
        remedy = "type more loci: with these, shares of some of them cannot be told apart"
        expected = f"loci that tell {', '.join(people)} apart"
        raise InputError([Problem(sample, expected, remedy)])


def _genotype_table(
    genotypes: pl.DataFrame, people: Sequence[str], sample: str
) -> dict[str, dict[str, list[int]]]:
    """Alleles by locus and person, for loci typed in everybody."""
    table = genotypes.select(
        "person", "locus", "allele", allele_positions(pl.col("allele")).alias("position")
    ).filter(pl.col("person").is_in(list(people)))
    problems = [
        Problem(sample, "the genotype of every contributor", "type this person", patient=person)
        for person in people
        if not (table["person"] == person).any()
    ]
    problems += [
        Problem(sample, "a number of repeats, X or Y", f"correct locus {locus}", found=str(allele))
        for locus, allele in table.filter(pl.col("position").is_null())
        .select("locus", "allele")
        .rows()
    ]
    alleles: dict[str, dict[str, list[int]]] = {}
    for person, locus, position in (
        table.select("person", "locus", "position").sort(pl.all()).rows()
    ):
        alleles.setdefault(locus, {}).setdefault(person, []).append(position)
    problems += [
        Problem(
            sample,
            f"one or two alleles at {locus}",
            "correct the genotype",
            patient=person,
            found=f"{len(found)} alleles",
        )
        for locus, persons in alleles.items()
        for person, found in persons.items()
        if len(found) > 2
    ]
    if problems:
        raise InputError(problems)
    return {locus: persons for locus, persons in alleles.items() if len(persons) == len(people)}


def _peak_table(
    peaks: pl.DataFrame,
    genotypes: dict[str, dict[str, list[int]]],
    sample: str,
    stutter: float | None,
) -> tuple[dict[str, dict[int, float]], list[Problem]]:
    table = peaks.select(
        "locus", "allele", "area", allele_positions(pl.col("allele")).alias("position")
    )
    bad = table.filter(
        pl.col("area").is_null()
        | pl.col("area").is_nan()
        | (pl.col("area") < 0)
        | pl.col("position").is_null()
    )
    if not bad.is_empty():
        raise InputError(
            Problem(
                sample,
                "an allele and an area of 0 or more in every peak",
                f"correct locus {row['locus']}",
                found=f"allele {row['allele']}, area {row['area']}",
            )
            for row in bad.iter_rows(named=True)
        )
    areas: dict[str, dict[int, float]] = {}
    summed = table.group_by("locus", "position").agg(pl.col("area").sum()).sort("locus", "position")
    for locus, position, area in summed.rows():
        areas.setdefault(locus, {})[position] = float(area)
    present = {locus: found for locus, found in areas.items() if sum(found.values()) > 0}
    problems = _foreign_peaks(present, genotypes, sample, stutter)
    return present, [*_untyped_loci(set(present), set(genotypes), sample), *problems]


def _untyped_loci(measured: set[str], typed: set[str], sample: str) -> list[Problem]:
    if not measured - typed:
        return []
    remedy = "these loci are left out; check their names, or type them"
    found = ", ".join(sorted(measured - typed))
    expected = "a genotype of everybody at each locus with peaks"
    return [Problem(sample, expected, remedy, Severity.WARNING, found=found)]


def _foreign_peaks(
    areas: dict[str, dict[int, float]],
    genotypes: dict[str, dict[str, list[int]]],
    sample: str,
    stutter: float | None,
) -> list[Problem]:
    problems = []
    for locus in sorted(set(areas) & set(genotypes)):
        known = {allele for found in genotypes[locus].values() for allele in found}
        near = known | ({a - 10 for a in known} if stutter != 0.0 else set())
        total = sum(areas[locus].values())
        foreign = {p: a for p, a in areas[locus].items() if p not in near and a > 0.05 * total}
        problems += [
            Problem(
                sample,
                f"alleles of the people typed at {locus}",
                "check for stutter, contamination, or another donor",
                severity=Severity.WARNING,
                found=f"{position / 10:g} with {100 * area / total:.0f} % of the area",
            )
            for position, area in foreign.items()
        ]
    return problems


def _pattern(
    genotypes: dict[str, list[int]], areas: dict[int, float], people: Sequence[str]
) -> tuple[Floats, Floats, Floats]:
    """Copies (alleles, people), the same for alleles one repeat longer, and areas.

    Positions are the alleles of the people: peaks elsewhere are stutter or foreign.
    """
    alleles = sorted({a for person in people for a in genotypes[person]})
    copies = np.zeros((len(alleles), len(people)))
    longer = np.zeros_like(copies)
    for j, person in enumerate(people):
        own = genotypes[person] if len(genotypes[person]) == 2 else genotypes[person] * 2
        for allele in own:
            copies[alleles.index(allele), j] += 0.5
            if allele - 10 in alleles and allele > 0:
                longer[alleles.index(allele - 10), j] += 0.5
    return copies, longer, np.array([areas.get(a, 0.0) for a in alleles])


def _informative(copies: Floats, longer: Floats, areas: Floats) -> bool:
    """Whether the contributors' patterns differ; with several donors, of some of them."""
    return bool(areas.sum() > 0 and np.linalg.matrix_rank(copies) > 1)


def _joint_shares(
    patterns: dict[str, tuple[Floats, Floats, Floats]],
    stutter: float,
    start: Floats | None = None,
    tolerance: float = 1e-10,
) -> Floats:
    """Shares that sum to 1 and fit the area shares of all loci best."""
    people = next(iter(patterns.values()))[0].shape[1]
    shares = np.full(people, 1 / people) if start is None else start
    for _ in range(100):
        rows, wanted = [], []
        for copies, longer, areas in patterns.values():
            expected = copies + stutter * longer
            fitted = expected @ shares / (expected @ shares).sum()
            weight = 1 / (fitted + _SCATTER_FLOOR)
            rows.append(weight[:, None] * expected / (expected @ shares).sum())
            wanted.append(weight * areas / areas.sum())
        # A heavy row makes the shares sum to 1; non-negative least squares does the rest.
        heavy = 1e4
        design = np.vstack([*rows, np.full((1, people), heavy)])
        solved = nnls(design, np.concatenate([*wanted, [heavy]]))[0]
        change = np.abs(solved / solved.sum() - shares).max()
        shares = solved / solved.sum()
        if change < tolerance:
            break
    return shares


def _jackknife_error(
    patterns: dict[str, tuple[Floats, Floats, Floats]], stutter: float, shares: Floats
) -> float:
    """Standard error of the donors' joint percent, leaving out one locus at a time."""
    found = []
    for left_out in patterns:
        rest = {locus: pattern for locus, pattern in patterns.items() if locus != left_out}
        if (
            not rest
            or np.linalg.matrix_rank(np.vstack([c for c, _, _ in rest.values()]))
            < (next(iter(rest.values()))[0].shape[1])
        ):
            return float("nan")
        found.append(100 * float(_joint_shares(rest, stutter, shares, 1e-6)[:-1].sum()))
    away = np.array(found) - np.mean(found)
    return float(np.sqrt((len(found) - 1) / len(found) * (away**2).sum()))


def _seen_stutter(
    areas: dict[str, dict[int, float]], positions: dict[str, dict[str, list[int]]]
) -> float | None:
    """Median ratio of peaks one repeat below a large allele where nobody has an allele.

    None where such peaks are rare: software has removed them.
    """
    ratios = []
    for locus, peaks in areas.items():
        own = {a for alleles in positions.get(locus, {}).values() for a in alleles}
        large = 0.1 * sum(peaks.values())
        ratios += [
            peaks.get(allele - 10, 0.0) / peaks[allele]
            for allele in own & set(peaks)
            if allele > 0 and allele - 10 not in own and peaks[allele] > large
        ]
    seen = [ratio for ratio in ratios if ratio > 0]
    enough = len(seen) >= _STUTTER_POSITIONS and 2 * len(seen) > len(ratios)
    return min(float(np.median(seen)), _MOST_STUTTER) if enough else None


def _fitted_stutter(patterns: dict[str, tuple[Floats, Floats, Floats]]) -> float:
    """Ratio that fits the alleles in stutter position of another best; 0 where they are few."""
    if sum(int(longer.any(axis=1).sum()) for _, longer, _ in patterns.values()) < (
        _STUTTER_POSITIONS
    ):
        return 0.0

    def misfit(ratio: float) -> float:
        shares = _joint_shares(patterns, ratio)
        return sum(_residual(pattern, ratio, shares) ** 2 for pattern in patterns.values())

    found: Any = minimize_scalar(
        misfit, bounds=(0.0, _MOST_STUTTER), method="bounded", options={"xatol": 1e-7}
    )
    return float(found.x) if found.fun < misfit(0.0) - 1e-10 else 0.0


def _residual(pattern: tuple[Floats, Floats, Floats], stutter: float, shares: Floats) -> float:
    copies, longer, areas = pattern
    expected = (copies + stutter * longer) @ shares
    fitted = expected / expected.sum()
    away = (areas / areas.sum() - fitted) / (fitted + _SCATTER_FLOOR)
    return float(np.sqrt((away**2).mean()))


def _locus_table(
    loci: list[str],
    usable: list[str],
    patterns: dict[str, tuple[Floats, Floats, Floats]],
    stutter: float,
    shares: Floats,
) -> pl.DataFrame:
    rows: list[tuple[str, bool, float | None, float | None, str | None]] = []
    for locus in loci:
        if locus not in patterns:
            rows.append((locus, False, None, None, "no peaks here"))
            continue
        copies, longer, areas = patterns[locus]
        if locus not in usable:
            rows.append((locus, False, None, None, "the people do not differ here"))
            continue
        expected = copies + stutter * longer
        fitted = expected @ shares / (expected @ shares).sum()
        weight = 1 / (fitted + _SCATTER_FLOOR)
        solved = np.linalg.lstsq(weight[:, None] * expected, weight * areas, rcond=None)[0]
        alone = np.linalg.matrix_rank(copies) == copies.shape[1] and solved.sum() > 0
        percent = float(100 * solved[:-1].sum() / solved.sum()) if alone else None
        rows.append((locus, True, percent, _residual(patterns[locus], stutter, shares), None))
    schema = {
        "locus": pl.String,
        "informative": pl.Boolean,
        "donor_percent": pl.Float64,
        "residual": pl.Float64,
        "reason": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
