"""Variants in CD7 at relapse that were not there at baseline, from VCF, by reads of alleles."""

import gzip
import re
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from graftline.assays.cd7_locus.allele_depths import allele_depths
from graftline.assays.cd7_locus.gene import (
    CD7,
    Region,
    assembly_fault,
    chromosome_name,
    chromosome_names,
)
from graftline.assays.extras import load_extra
from graftline.problems import InputError, Problem, Severity

_SCHEMA = {
    "position": pl.Int64,
    "end": pl.Int64,
    "reference": pl.String,
    "alternative": pl.String,
    "filter": pl.String,
    "alternative_reads": pl.Int64,
    "depth": pl.Int64,
    "fraction": pl.Float64,
}
_ALLELE = ["position", "end", "reference", "alternative"]
_PASSED = ("PASS", ".")
_LETTERS = frozenset("ACGTN")


def read_variants(
    path: str | Path, *, sample: str | None = None, region: Region = CD7
) -> pl.DataFrame:
    """Variants of one sample of a VCF inside a region, one row per alternative allele.

    ``alternative_reads`` and ``depth`` (sum over the alleles of the record) are counts of reads, as
    `allele_depths.allele_depths` finds them, never AF or DP. Null where the record has none.
    Alleles are written as short as they can be (a deletion inside a record of several alleles is
    the same as on its own), in capitals; of an allele that stands in several records, the one with
    most reads.

    Parameters
    ----------
    sample : str, optional
        Needed where the file holds several.

    Returns
    -------
    DataFrame [position, end, reference, alternative, filter, alternative_reads, depth, fraction]
        Sorted; alleles that the sample does not have (no reads) included. ``end`` is the last base
        of the reference allele, or END of a symbolic one such as ``<DEL>``.

    Raises
    ------
    ExtraMissingError
        pysam is not installed.
    InputError
        Not a VCF, no such sample, a chromosome that the file does not name, or another assembly
        than GRCh38.
    """
    path = Path(path)
    with _opened(path) as variants:
        samples = list(variants.header.samples)
        chromosomes, name = _check(path, variants, sample, region)
        variants.subset_samples([name])
        rows = [
            row
            for record in _overlapping(variants, chromosomes, region)
            for row in _alleles(record, name, only_sample=len(samples) == 1)
            if _touches(row, region)
        ]
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return (
        table.sort([*_ALLELE, "depth"], descending=[False] * 4 + [True], nulls_last=True)
        .unique(_ALLELE, keep="first", maintain_order=True)
        .sort(_ALLELE)
    )


def variant_notes(path: str | Path, table: pl.DataFrame) -> list[Problem]:
    """What to know of a VCF that was read: its assembly, and whether it counts reads of alleles.

    Parameters
    ----------
    table : DataFrame
        From `read_variants`.
    """
    path = Path(path)
    with _opened(path) as variants:
        fault = _assembly(path, variants.header, CD7)
    notes = [] if fault is None else [fault]
    if table.height and table["depth"].null_count() == table.height:
        expected = "reads of alleles: AD, RD and AD, RO and AO, AU to TU, TAR and TIR, or DP4"
        remedy = "call again with allele depths; without them no variant is called new or shared"
        found = f"none in {table.height} of CD7"
        notes.append(Problem(path.name, expected, remedy, Severity.WARNING, found=found))
    return notes


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    pysam = load_extra("pysam", extra="genomics", purpose="Reading VCF files")
    quiet = pysam.set_verbosity(0)
    try:
        with _unpacked(path) as readable, pysam.VariantFile(str(readable)) as variants:
            yield variants
    except (OSError, ValueError, IndexError, EOFError, zlib.error) as fault:
        remedy = "copy or call the file again"
        expected = f"a VCF or BCF file ({_said(fault)})"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None
    finally:
        pysam.set_verbosity(quiet)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file, or a copy without gzip for as long as it is read: pysam needs gzip in blocks."""
    with path.open("rb") as stream:
        start = stream.read(14)
    if not start.startswith(b"\x1f\x8b") or start.endswith(b"BC"):
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "unpacked.vcf"
        with gzip.open(path) as packed, copy.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        yield copy


def _said(fault: Exception) -> str:
    """The library's words without the path of the file, which it prints as bytes."""
    return re.sub(r"(invalid )?file `[^`]*` |\(mode=`[^`]*`\) (- )?|file not found", "", str(fault))


def _check(
    path: Path, variants: Any, sample: str | None, region: Region
) -> tuple[tuple[str, ...], str]:
    """Names that the chromosome may have in the records, and the sample."""
    names = list(variants.header.samples)
    problems = []
    chosen = names[0] if sample is None and len(names) == 1 else sample
    if chosen is None or chosen not in names:
        found = ", ".join(names) or "no samples: a list of sites"
        remedy = "name one of the samples of the file in the column sample"
        expected = "one sample, or its name" if sample is None else f"a sample {sample!r}"
        problems.append(Problem(path.name, expected, remedy, found=found))
    contigs = list(variants.header.contigs)
    chromosome = chromosome_name(region.chromosome, contigs)
    if contigs and chromosome is None:
        remedy = "use a VCF called against GRCh38"
        found = ", ".join(contigs[:8])
        problems.append(Problem(path.name, f"a contig {region.chromosome}", remedy, found=found))
    fault = _assembly(path, variants.header, region)
    if fault is not None and fault.severity is Severity.ERROR:
        problems.append(fault)
    if problems or chosen is None:
        raise InputError(problems)
    return (chromosome,) if chromosome else chromosome_names(region.chromosome), chosen


def _assembly(path: Path, header: Any, region: Region) -> Problem | None:
    chromosome = chromosome_name(region.chromosome, list(header.contigs))
    bases = header.contigs[chromosome].length if chromosome is not None else None
    words = [
        str(record)
        for record in header.records
        if record.key in ("reference", "assembly", "contig")
        and (record.type != "CONTIG" or record.get("ID") == chromosome)
    ]
    return assembly_fault(
        path.name, chromosome=region.chromosome, bases=bases, words=" ".join(words)
    )


def _overlapping(variants: Any, chromosomes: Sequence[str], region: Region) -> Iterable[Any]:
    if variants.index is not None and len(chromosomes) == 1:
        found = list(variants.fetch(chromosomes[0], region.start - 1, region.end))
        if found:
            return found
        variants.reset()
    # No index, or one that knows no record here, which may be that of another file: the whole file
    # is read, a second for a million records.
    return (
        record
        for record in variants
        if record.chrom in chromosomes and record.pos <= region.end and record.stop >= region.start
    )


def _alleles(record: Any, sample: str, *, only_sample: bool) -> list[tuple[Any, ...]]:
    alternatives = record.alts or ()
    if not alternatives:
        return []
    depths = allele_depths(record, record.samples[sample], only_sample=only_sample)
    passed = ";".join(record.filter.keys()) or "."
    rows: list[tuple[Any, ...]] = []
    for i, alternative in enumerate(alternatives, start=1):
        if alternative in ("*", "<NON_REF>", "<*>"):
            continue
        reads = depths[i] if depths is not None else None
        total = sum(depths) if depths is not None else None
        fraction = reads / total if reads is not None and total else None
        place = _shortest(record.pos, record.ref.upper(), alternative, record.stop)
        rows.append((*place, passed, reads, total, fraction))
    return rows


def _shortest(position: int, reference: str, alternative: str, stop: int) -> tuple[Any, ...]:
    """Position, end and alleles without the bases that both have at their ends."""
    changed = alternative.upper()
    if not _LETTERS.issuperset(changed):
        return position, stop, reference, alternative
    while min(len(reference), len(changed)) > 1 and reference[-1] == changed[-1]:
        reference, changed = reference[:-1], changed[:-1]
    while min(len(reference), len(changed)) > 1 and reference[0] == changed[0]:
        position, reference, changed = position + 1, reference[1:], changed[1:]
    return position, position + len(reference) - 1, reference, changed


def _touches(row: tuple[Any, ...], region: Region) -> bool:
    return bool(row[0] <= region.end and row[1] >= region.start)


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
        From `read_variants`. Without ``end``, the last base of the reference allele is meant.
    exons : sequence of Region
        If given, only variants that change a base of one of them, or insert between two of its
        bases: the base that a deletion or an insertion is written after is not changed.
    least_reads, least_fraction : int, float
        A sample carries an allele with at least both.
    least_depth : int
        Fewer reads at baseline cannot show that an allele was absent: ``not evaluable``.

    Returns
    -------
    DataFrame [position, end, reference, alternative, baseline_reads, baseline_depth, relapse_reads,
        relapse_depth, relapse_fraction, relapse_filter, call]
        ``call``: new, shared, lost, absent, filtered (would be new, but the caller of the relapse
        did not pass it) or not evaluable (too few reads at baseline, or a record without reads).
        Where the caller wrote no record the absence is not shown, and the call says so: ``new (no
        baseline record)``, ``lost (no relapse record)``.
    """
    seen = pl.lit(True).alias("recorded")
    both = (
        _with_end(relapse)
        .with_columns(seen)
        .join(
            _with_end(baseline).with_columns(seen),
            on=_ALLELE,
            how="full",
            suffix="_baseline",
            coalesce=True,
            validate="1:1",
        )
    )
    if exons:
        first, last = _changed_bases()
        touching = [(first <= e.end) & (last >= e.start) for e in exons]
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
            *_ALLELE,
            pl.col("alternative_reads_baseline").alias("baseline_reads"),
            pl.col("depth_baseline").alias("baseline_depth"),
            pl.col("alternative_reads").alias("relapse_reads"),
            pl.col("depth").alias("relapse_depth"),
            pl.col("fraction").alias("relapse_fraction"),
            pl.col("filter").alias("relapse_filter"),
            "call",
        )
        .sort(_ALLELE)
    )


def _with_end(variants: pl.DataFrame) -> pl.DataFrame:
    if "end" in variants.columns:
        return variants
    return variants.with_columns(
        end=pl.col("position") + pl.col("reference").str.len_bytes().cast(pl.Int64) - 1
    )


def _changed_bases() -> tuple[pl.Expr, pl.Expr]:
    """First and last base that an allele changes; of an insertion, the bases on its two sides.

    The sides are given last first, so that an exon is touched only where it has both.
    """
    position, end = pl.col("position"), pl.col("end")
    reference, alternative = pl.col("reference"), pl.col("alternative")
    anchored = reference.str.head(1) == alternative.str.head(1)
    inserted = anchored & (reference.str.len_bytes() == 1) & alternative.str.contains("^[ACGTN]{2}")
    deleted = (anchored & (alternative.str.len_bytes() == 1)) | alternative.str.starts_with("<")
    first = pl.when(inserted | deleted).then(position + 1).otherwise(position)
    return first, pl.when(inserted).then(position).otherwise(end)


def _carries(reads: str, fraction: str, least_reads: int, least_fraction: float) -> pl.Expr:
    return (pl.col(reads) >= least_reads) & (pl.col(fraction) >= least_fraction)


def _call(least_depth: int) -> pl.Expr:
    late, early = pl.col("late"), pl.col("early")
    passed = pl.col("filter").is_in(_PASSED)
    no_late, no_early = pl.col("recorded").is_null(), pl.col("recorded_baseline").is_null()
    deep = pl.col("depth_baseline") >= least_depth
    return (
        pl.when(early & late)
        .then(pl.lit("shared"))
        .when(early & ~late)
        .then(pl.lit("lost"))
        .when(early & no_late)
        .then(pl.lit("lost (no relapse record)"))
        .when(late & ~passed & (no_early | (~early & deep)))
        .then(pl.lit("filtered"))
        .when(late & ~early & deep)
        .then(pl.lit("new"))
        .when(late & no_early)
        .then(pl.lit("new (no baseline record)"))
        .when((~late | no_late) & (~early | no_early))
        .then(pl.lit("absent"))
        .otherwise(pl.lit("not evaluable"))
    )
