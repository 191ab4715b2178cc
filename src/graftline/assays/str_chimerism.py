"""Donor share from STR peak areas: a least-squares mixture over all informative loci."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graftline.assays.str_mixture import (
    REPEAT,
    Dropout,
    Floats,
    Locus,
    Stutter,
    alone,
    dropout_of,
    fitted_stutter,
    is_informative,
    jackknife_error,
    joint_shares,
    locus_of,
    missing_alleles,
    odd_loci,
    residual,
    seen_stutter,
    without_each,
)
from graftline.problems import InputError, Problem, Severity


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
    names = sorted(set(areas) & set(positions))
    loci = {name: locus_of(positions[name], areas[name], people) for name in names}
    known = {name: locus for name, locus in loci.items() if is_informative(locus)}
    _check_informative(sample, names, [locus.copies for locus in known.values()], people)
    ratios = _stutter(stutter, areas, positions, known)
    dropout = dropout_of(known, min(a for found in areas.values() for a in found.values() if a > 0))
    shares = joint_shares(known, ratios, dropout=dropout)
    without = without_each(known, ratios, shares, dropout=dropout)
    table = _locus_table(sorted(positions), loci, known, ratios, shares)
    single = table.filter(pl.col("informative"))["donor_percent"].drop_nulls().to_numpy()
    donor = float(shares[:-1].sum() * 100)
    mean = float(single.mean()) if single.size else float("nan")
    sd = float(single.std(ddof=1)) if single.size > 1 else float("nan")
    return Chimerism(
        dict(zip(people, (100 * shares).tolist(), strict=True)),
        jackknife_error(without),
        mean,
        sd,
        100 * sd / mean if mean > 0 else float("nan"),
        len(known),
        ratios.back,
        chimerism_label(donor, full_percent=full_percent, detection_percent=detection_percent),
        table,
        (
            *problems,
            *_without_own(known, people, sample),
            *_dropped_out(known, shares, dropout, people, sample),
            *_odd(without, donor, table, sample),
        ),
    )


def _stutter(
    given: float | None,
    areas: Mapping[str, Mapping[int, float]],
    positions: Mapping[str, Mapping[str, Sequence[int]]],
    loci: Mapping[str, Locus],
) -> Stutter:
    if given is not None:
        return Stutter(given, 0.0)
    back = seen_stutter(areas, positions, -REPEAT)
    forward = seen_stutter(areas, positions, REPEAT) or 0.0
    return Stutter(fitted_stutter(loci) if back is None else back, forward)


def _odd(
    without: Mapping[str, float], donor: float, table: pl.DataFrame, sample: str
) -> list[Problem]:
    alone = dict(table.select("locus", "donor_percent").rows())
    return [
        Problem(
            sample,
            f"donor percent of {locus} like that of the other loci",
            "look at its peaks: an artefact, a wrong genotype, or a lost chromosome; without it "
            f"the donors have {without[locus]:.1f} %",
            Severity.WARNING,
            found=f"{donor:.1f} % with it"
            + (f", {alone[locus]:.1f} % by it alone" if alone[locus] is not None else ""),
        )
        for locus in odd_loci(without, donor)
    ]


def _without_own(loci: Mapping[str, Locus], people: Sequence[str], sample: str) -> list[Problem]:
    """People who show only in the balance of peaks that others have too."""
    return [
        Problem(
            sample,
            f"a locus at which only {person} has an allele",
            f"a few percent of {person} cannot be told from none: type more loci",
            Severity.WARNING,
            found="none",
        )
        for n, person in enumerate(people)
        if missing_alleles(loci, n)[1] == 0
    ]


def _dropped_out(
    loci: Mapping[str, Locus],
    shares: Floats,
    dropout: Dropout | None,
    people: Sequence[str],
    sample: str,
) -> list[Problem]:
    """People of whom some alleles are seen and others are not: the sample is at its limit."""
    if dropout is None:
        return []
    found = []
    for n, person in enumerate(people):
        lacks, of = missing_alleles(loci, n)
        if lacks and dropout.seen[n]:
            found.append(
                Problem(
                    sample,
                    "a peak at every allele of a person who is in the sample",
                    "the share is near the limit of detection of this sample: more DNA, or a "
                    "longer injection, would show it",
                    Severity.WARNING,
                    found=f"{lacks} of {of} alleles that only {person} has are missing, "
                    f"{100 * shares[n]:.1f} %",
                )
            )
    return found


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
    # a woman has none of these, and no place in a comparison that needs everybody's
    measured = {name for name in measured if not name.upper().startswith(("DY", "YINDEL", "Y IND"))}
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


def _locus_table(
    names: Sequence[str],
    loci: Mapping[str, Locus],
    known: Mapping[str, Locus],
    stutter: Stutter,
    shares: Floats,
) -> pl.DataFrame:
    rows: list[tuple[str, bool, float | None, float | None, str | None]] = []
    for name in names:
        if name not in loci:
            rows.append((name, False, None, None, "no peaks here"))
        elif name not in known:
            rows.append((name, False, None, None, "the people do not differ here"))
        else:
            percent = alone(known[name], stutter, shares)
            rows.append((name, True, percent, residual(known[name], stutter, shares), None))
    schema = {
        "locus": pl.String,
        "informative": pl.Boolean,
        "donor_percent": pl.Float64,
        "residual": pl.Float64,
        "reason": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
