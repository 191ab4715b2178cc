"""ATAC signal over the CD7 promoter and body against flanks, from bigWig, base by base."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assays.cd7_locus.bigwig import BigWig, BigWigError
from graftline.assays.cd7_locus.gene import (
    CD7,
    Region,
    assembly_fault,
    chromosome_name,
    flanks,
    promoter,
)
from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]


def read_signal(path: str | Path, region: Region) -> tuple[Floats, int]:
    """Signal at every base of a region, bases without data as 0, and how many bases have data.

    Values come from the full-resolution data, never from zoom levels. Values that are not a number
    are no data.

    Raises
    ------
    InputError
        Not a bigWig, a chromosome that it does not have or that ends before the region, another
        assembly than GRCh38, or infinite values.
    """
    path = Path(path)
    with _opened(path) as signal:
        lengths = signal.lengths()
        name = _chromosome(path, region, lengths)
        found = signal.intervals(name, region.start - 1, region.end)
    values = np.full(region.end - region.start + 1, np.nan)
    firsts = np.maximum(found.starts - (region.start - 1), 0).tolist()
    ends = (found.ends - (region.start - 1)).tolist()
    for first, end, value in zip(firsts, ends, found.values.tolist(), strict=True):
        values[first:end] = value
    if np.isinf(values).any():
        remedy = "divide by a background that is not 0, or leave such bases out"
        where = f"{region.chromosome}:{region.start}-{region.end}"
        raise InputError(
            [Problem(path.name, f"finite signal in {where}", remedy, found="infinity")]
        )
    known = ~np.isnan(values)
    return np.where(known, values, 0.0), int(known.sum())


@contextmanager
def _opened(path: Path) -> Iterator[BigWig]:
    try:
        with BigWig.open(path) as signal:
            yield signal
    except (OSError, BigWigError) as fault:
        remedy = "copy or make the file again"
        expected = f"a bigWig file ({fault})"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None


def _chromosome(path: Path, region: Region, lengths: Mapping[str, int]) -> str:
    name = chromosome_name(region.chromosome, list(lengths))
    expected, remedy = f"{region.chromosome} up to base {region.end}", "use a file of GRCh38"
    if name is None:
        found = ", ".join(list(lengths)[:8]) or "no chromosomes"
        raise InputError([Problem(path.name, expected, remedy, found=found)])
    fault = assembly_fault(path.name, chromosome=region.chromosome, bases=lengths[name])
    if fault is not None and fault.severity is Severity.ERROR:
        raise InputError([fault])
    if lengths[name] < region.end:
        found = f"{name} of {lengths[name]} bases"
        raise InputError([Problem(path.name, expected, remedy, found=found)])
    return name


def signal_notes(path: str | Path, table: pl.DataFrame) -> list[Problem]:
    """What to know of a file whose signal was read: its assembly, no data, values below 0.

    Parameters
    ----------
    table : DataFrame
        From `locus_signal`.
    """
    path = Path(path)
    with _opened(path) as signal:
        lengths = signal.lengths()
    chromosome = table["chromosome"][0]
    name = chromosome_name(chromosome, list(lengths))
    fault = assembly_fault(path.name, chromosome=chromosome, bases=lengths[name or chromosome])
    notes = [] if fault is None else [fault]
    if not table["covered_bases"].sum():
        remedy = "this is no signal of 0: make sure that the file is whole"
        expected = "signal at the gene or its flanks"
        notes.append(Problem(path.name, expected, remedy, Severity.WARNING, found="no data"))
    if (table["minimum"] < 0).any():
        remedy = "logarithms and differences have no ratio to flanks: use depth or fold over input"
        found = f"down to {min(table['minimum'].to_list()):.3g}"
        expected = "signal of at least 0"
        notes.append(Problem(path.name, expected, remedy, Severity.WARNING, found=found))
    return notes


def locus_signal(
    path: str | Path, *, sample: str, gene: Region = CD7, flank_distance: int = 20_000
) -> pl.DataFrame:
    """Mean signal over promoter, body and flanks of a gene in one sample.

    Returns
    -------
    DataFrame [sample, region, chromosome, start, end, covered_bases, mean, mean_covered, minimum,
        maximum, over_flanks]
        ``mean`` counts bases without data as 0 and is the one to report; ``mean_covered`` leaves
        them out (the default of some readers). ``over_flanks`` is mean over the mean of both
        flanks, null where the flanks have no signal or any value is below 0.

    Raises
    ------
    InputError
        As `read_signal`.
    """
    rows = []
    regions = (
        promoter(gene),
        Region("body", *_place(gene)),
        *flanks(gene, distance=flank_distance),
    )
    for region in regions:
        values, covered = read_signal(path, region)
        rows.append(
            {
                "sample": sample,
                "region": region.name,
                "chromosome": region.chromosome,
                "start": region.start,
                "end": region.end,
                "covered_bases": covered,
                "mean": float(values.mean()),
                "mean_covered": float(values.sum() / covered) if covered else None,
                "minimum": float(values.min()),
                "maximum": float(values.max()),
            }
        )
    table = pl.DataFrame(rows, schema_overrides={"mean_covered": pl.Float64})
    background = float(np.mean([row["mean"] for row in rows[-2:]]))
    comparable = background > 0 and not (table["minimum"] < 0).any()
    ratio = pl.col("mean") / background if comparable else pl.lit(None, dtype=pl.Float64)
    return table.with_columns(ratio.alias("over_flanks"))


def _place(gene: Region) -> tuple[str, int, int]:
    return gene.chromosome, gene.start, gene.end


def compare_signal(
    paths: Mapping[str, str | Path], *, baseline: str, gene: Region = CD7
) -> pl.DataFrame:
    """Signal of several samples, and each against one of them.

    Returns
    -------
    DataFrame
        Columns of `locus_signal` and ``against_baseline``: ratio of ``over_flanks``, which removes
        differences in depth.

    Raises
    ------
    InputError
        The baseline is not among the samples.
    """
    if baseline not in paths:
        found = ", ".join(paths)
        raise InputError([Problem("samples", f"a sample {baseline!r}", "name one", found=found)])
    table = pl.concat(locus_signal(path, sample=name, gene=gene) for name, path in paths.items())
    reference = table.filter(pl.col("sample") == baseline).select(
        "region", pl.col("over_flanks").alias("reference")
    )
    ratio = pl.when(pl.col("reference") > 0).then(pl.col("over_flanks") / pl.col("reference"))
    return (
        table.join(reference, on="region", how="left", validate="m:1", maintain_order="left")
        .with_columns(ratio.alias("against_baseline"))
        .drop("reference")
    )


def signal_profile(path: str | Path, region: Region, *, bins: int = 200) -> tuple[Floats, Floats]:
    """Mean signal in equal bins over a region, for a figure: bin centres (bases) and means."""
    values, _ = read_signal(path, region)
    edges = np.linspace(0, values.size, min(bins, values.size) + 1).astype(np.int64)
    sums = np.add.reduceat(values, edges[:-1])
    widths = np.diff(edges)
    centres: Floats = region.start + (edges[:-1] + edges[1:] - 1) / 2
    return centres, np.asarray(sums / widths)
