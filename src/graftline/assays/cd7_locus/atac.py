"""ATAC signal over the CD7 promoter and body against flanks, from bigWig, base by base."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assays.cd7_locus.gene import CD7, Region, chromosome_name, flanks, promoter
from graftline.assays.extras import load_extra
from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]


def read_signal(path: str | Path, region: Region) -> tuple[Floats, int]:
    """Signal at every base of a region, bases without data as 0, and how many bases have data.

    Values come from the full-resolution data, never from zoom levels.

    Raises
    ------
    ExtraMissingError
        pybigtools is not installed.
    InputError
        Not a bigWig, or a chromosome that it does not have or that ends before the region.
    """
    path = Path(path)
    pybigtools = load_extra("pybigtools", extra="genomics", purpose="Reading bigWig files")
    try:
        with pybigtools.open(str(path)) as reader:
            lengths: Mapping[str, int] = reader.chroms()
            name = _chromosome(path, region, lengths)
            records = list(reader.records(name, region.start - 1, region.end))
    except (OSError, ValueError, RuntimeError, pybigtools.BBIReadError) as fault:
        remedy = "copy or make the file again"
        expected = f"a bigWig file ({fault})"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None
    # Intervals, not the library's value query, whose filling of gaps differs between versions.
    values, covered = np.zeros(region.end - region.start + 1), 0
    for start, end, value in records:
        if value != value:  # not a number: no data
            continue
        here = slice(max(start - region.start + 1, 0), min(end - region.start + 1, values.size))
        values[here] = value
        covered += here.stop - here.start
    return values, covered


def _chromosome(path: Path, region: Region, lengths: Mapping[str, int]) -> str:
    name = chromosome_name(region.chromosome, list(lengths))
    if name is None or lengths[name] < region.end:
        found = f"{name} of {lengths[name]} bases" if name else ", ".join(list(lengths)[:8])
        remedy = "use a file aligned to GRCh38"
        expected = f"{region.chromosome} up to base {region.end}"
        raise InputError([Problem(path.name, expected, remedy, found=found)])
    return name


def locus_signal(
    path: str | Path, *, sample: str, gene: Region = CD7, flank_distance: int = 20_000
) -> pl.DataFrame:
    """Mean signal over promoter, body and flanks of a gene in one sample.

    Returns
    -------
    DataFrame [sample, region, chromosome, start, end, covered_bases, mean, mean_covered, maximum,
        over_flanks]
        ``mean`` counts bases without data as 0 and is the one to report; ``mean_covered`` leaves
        them out (the default of some readers). ``over_flanks`` is mean over the mean of both
        flanks, null where the flanks have no signal.
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
                "maximum": float(values.max()),
            }
        )
    table = pl.DataFrame(rows, schema_overrides={"mean_covered": pl.Float64})
    background = float(np.mean([row["mean"] for row in rows[-2:]]))
    ratio = pl.col("mean") / background if background > 0 else pl.lit(None, dtype=pl.Float64)
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
