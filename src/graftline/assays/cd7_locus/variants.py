"""Variants in CD7 at relapse that were not there at baseline, from VCF, by allele depths."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from graftline.assays.cd7_locus.gene import CD7, Region, chromosome_name
from graftline.assays.extras import load_extra
from graftline.problems import InputError, Problem, Severity

_SCHEMA = {
    "position": pl.Int64,
    "reference": pl.String,
    "alternative": pl.String,
    "filter": pl.String,
    "alternative_reads": pl.Int64,
    "depth": pl.Int64,
    "fraction": pl.Float64,
}


def read_variants(
    path: str | Path, *, sample: str | None = None, region: Region = CD7
) -> pl.DataFrame:
    """Variants of one sample of a VCF inside a region, one row per alternative allele.

    ``alternative_reads`` and ``depth`` (sum over all alleles) are taken from AD, not from AF or DP:
    callers estimate AF by models and count DP before filters. Null where the record has no AD.

    Parameters
    ----------
    sample : str, optional
        Needed where the file holds several.

    Returns
    -------
    DataFrame [position, reference, alternative, filter, alternative_reads, depth, fraction]
        Sorted; alleles that the sample does not have (AD 0) included.

    Raises
    ------
    ExtraMissingError
        pysam is not installed.
    InputError
        Not a VCF, no such sample, or a chromosome that the file does not name.
    """
    path = Path(path)
    pysam = load_extra("pysam", extra="genomics", purpose="Reading VCF files")
    quiet = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as variants:
            chromosome, name = _check(path, variants, sample, region)
            records = _overlapping(path, variants, chromosome, region)
            rows = [row for record in records for row in _alleles(record, name)]
    except (OSError, ValueError) as fault:
        remedy = "copy or call the file again"
        expected = f"a VCF or BCF file ({fault})"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None
    finally:
        pysam.set_verbosity(quiet)
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return table.sort("position", "reference", "alternative")


def _check(path: Path, variants: Any, sample: str | None, region: Region) -> tuple[str, str]:
    names = list(variants.header.samples)
    problems = []
    chosen = names[0] if sample is None and len(names) == 1 else sample
    if chosen is None or chosen not in names:
        found = ", ".join(names) or "none"
        remedy = "name one of the samples of the file"
        expected = "one sample, or its name" if sample is None else f"a sample {sample!r}"
        problems.append(Problem(path.name, expected, remedy, found=found))
    chromosome = chromosome_name(region.chromosome, list(variants.header.contigs))
    if chromosome is None:
        remedy = "use a VCF called against GRCh38, with its contigs in the header"
        problems.append(Problem(path.name, f"a contig {region.chromosome}", remedy))
    else:
        length = variants.header.contigs[chromosome].length
        if length is not None and length < region.end:
            remedy = "use a VCF called against GRCh38 (chr17 has 83,257,441 bases there)"
            expected = f"{chromosome} up to base {region.end}"
            found = f"{length} bases"
            problems.append(Problem(path.name, expected, remedy, found=found))
    if problems or chromosome is None or chosen is None:
        raise InputError(problems)
    return chromosome, chosen


def _overlapping(path: Path, variants: Any, chromosome: str, region: Region) -> Iterable[Any]:
    indexed = [path.with_name(path.name + end) for end in (".tbi", ".csi")]
    if any(index.exists() for index in indexed):
        return list(variants.fetch(chromosome, region.start - 1, region.end))
    # Without an index the whole file is read: a CD7 question is worth a fifth of a second.
    return [
        record
        for record in variants
        if record.chrom == chromosome
        and record.pos <= region.end
        and record.pos + len(record.ref) - 1 >= region.start
    ]


def _alleles(record: Any, sample: str) -> list[tuple[object, ...]]:
    call = record.samples[sample]
    stated: tuple[int | None, ...] = (call["AD"] if "AD" in record.format else None) or ()
    depths = [d for d in stated if d is not None]
    known = len(depths) == len(stated) == 1 + len(record.alts or ())
    passed = ";".join(record.filter.keys()) or "."
    rows: list[tuple[object, ...]] = []
    for i, alternative in enumerate(record.alts or (), start=1):
        if alternative in ("*", "<NON_REF>", "<*>"):
            continue
        reads = depths[i] if known else None
        total = sum(depths) if known else None
        fraction = reads / total if reads is not None and total else None
        rows.append((record.pos, record.ref, alternative, passed, reads, total, fraction))
    return rows


def compare_variants(
    baseline: pl.DataFrame,
    relapse: pl.DataFrame,
    *,
    exons: Sequence[Region] = (),
    least_reads: int = 3,
    least_fraction: float = 0.05,
    least_depth: int = 20,
) -> pl.DataFrame:
    """Variants seen at relapse or at baseline, and which are new.

    Parameters
    ----------
    baseline, relapse : DataFrame
        From `read_variants`.
    exons : sequence of Region
        If given, only variants that touch one of them.
    least_reads, least_fraction : int, float
        A sample carries an allele with at least both.
    least_depth : int
        Fewer reads at baseline cannot show that an allele was absent: ``not evaluable``.

    Returns
    -------
    DataFrame [position, reference, alternative, baseline_reads, baseline_depth, relapse_reads,
        relapse_depth, relapse_fraction, call]
        ``call``: new, shared, lost, absent or not evaluable (too few reads at baseline, or a
        record without AD). Where the caller wrote no record the absence is not shown, and the call
        says so: ``new (no baseline record)``, ``lost (no relapse record)``.
    """
    keys = ["position", "reference", "alternative"]
    seen = pl.lit(True).alias("recorded")
    both = relapse.with_columns(seen).join(
        baseline.with_columns(seen),
        on=keys,
        how="full",
        suffix="_baseline",
        coalesce=True,
        validate="1:1",
    )
    if exons:
        end = pl.col("position") + pl.col("reference").str.len_bytes() - 1
        touching = [(pl.col("position") <= e.end) & (end >= e.start) for e in exons]
        both = both.filter(pl.any_horizontal(touching))
    return (
        both.with_columns(
            _carries("alternative_reads", "fraction", least_reads, least_fraction).alias("late"),
            _carries(
                "alternative_reads_baseline", "fraction_baseline", least_reads, least_fraction
            ).alias("early"),
        )
        .with_columns(_call(least_depth).alias("call"))
        .select(
            *keys,
            pl.col("alternative_reads_baseline").alias("baseline_reads"),
            pl.col("depth_baseline").alias("baseline_depth"),
            pl.col("alternative_reads").alias("relapse_reads"),
            pl.col("depth").alias("relapse_depth"),
            pl.col("fraction").alias("relapse_fraction"),
            "call",
        )
        .sort(keys)
    )


def _carries(reads: str, fraction: str, least_reads: int, least_fraction: float) -> pl.Expr:
    return (pl.col(reads) >= least_reads) & (pl.col(fraction) >= least_fraction)


def _call(least_depth: int) -> pl.Expr:
    late, early = pl.col("late"), pl.col("early")
    no_late, no_early = pl.col("recorded").is_null(), pl.col("recorded_baseline").is_null()
    deep = pl.col("depth_baseline") >= least_depth
    return (
        pl.when(early & late)
        .then(pl.lit("shared"))
        .when(early & ~late)
        .then(pl.lit("lost"))
        .when(early & no_late)
        .then(pl.lit("lost (no relapse record)"))
        .when(late & ~early & deep)
        .then(pl.lit("new"))
        .when(late & no_early)
        .then(pl.lit("new (no baseline record)"))
        .when((~late | no_late) & (~early | no_early))
        .then(pl.lit("absent"))
        .otherwise(pl.lit("not evaluable"))
    )
