"""CD7 by cluster and the share of clusters over time, with samples as replicates."""

import re
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, permutation_test, rankdata

from graftline.problems import InputError, Problem

Floats = NDArray[np.float64]


def expression_by_cluster(cells: pl.DataFrame) -> pl.DataFrame:
    """Per cluster: cells, samples, percent with any of the gene, mean value.

    Returns
    -------
    DataFrame [cluster, cells, samples, detected_percent, mean]
        Sorted by falling mean. ``detected_percent`` is null where any value is below 0: of values
        scaled to a mean of 0, "above 0" does not mean "detected". Cells without a value count as
        cells, and in nothing else.
    """
    scaled = (cells["value"] < 0).any()
    detected = pl.lit(None, pl.Float64) if scaled else pl.col("detected_percent")
    return (
        cells.sort("cluster", "value")
        .group_by("cluster", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("cells"),
            pl.col("sample").n_unique().cast(pl.Int64).alias("samples"),
            (100 * (pl.col("value") > 0).mean()).alias("detected_percent"),
            pl.col("value").mean().alias("mean"),
        )
        .with_columns(detected.alias("detected_percent"))
        .sort("mean", "cluster", descending=[True, False], nulls_last=True)
    )


def cluster_shares(cells: pl.DataFrame, *, file: str = "cells") -> pl.DataFrame:
    """Share of every cluster in every sample, 0 where a sample has no cell of it.

    Returns
    -------
    DataFrame [sample, time, cluster, cells, share]

    Raises
    ------
    InputError
        A sample with cells of several times.
    """
    samples = cells.group_by("sample").agg(
        pl.col("time").n_unique().alias("times"), pl.col("time").first(), pl.len().alias("all")
    )
    mixed = samples.filter(pl.col("times") > 1)["sample"].sort().to_list()
    if mixed:
        remedy = "name a column in which each draw has its own name (patient and time, not patient)"
        raise InputError(
            Problem(file, "one time per sample", remedy, found=str(name)) for name in mixed
        )
    counts = cells.group_by("sample", "cluster").agg(pl.len().cast(pl.Int64).alias("cells"))
    return (
        samples.join(cells.select("cluster").unique(), how="cross")
        .join(counts, on=["sample", "cluster"], how="left", validate="1:1")
        .with_columns(pl.col("cells").fill_null(0))
        .with_columns((pl.col("cells") / pl.col("all")).alias("share"))
        .select("sample", "time", "cluster", "cells", "share")
        .sort("cluster", "time", "sample")
    )


def in_order(clusters: Iterable[str]) -> list[str]:
    """Names of clusters with the numbers in them counted: 2 before 10."""

    def key(name: str) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", name)
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    return sorted(clusters, key=key)


def compare_cluster_shares(shares: pl.DataFrame, *, before: str, after: str) -> pl.DataFrame:
    """Change of each cluster's share between two times; samples, not cells, are the replicates.

    Returns
    -------
    DataFrame [cluster, samples_before, samples_after, share_before, share_after, difference, p]
        Means over samples; ``p`` by Mann-Whitney (exact without ties, else by all permutations or
        10,000 random ones with a fixed seed), null with fewer than two samples on a side.
    """
    rows = []
    for cluster in in_order(shares["cluster"].unique()):
        part = shares.filter(pl.col("cluster") == cluster)
        early, late = (
            part.filter(pl.col("time") == time)["share"].to_numpy() for time in (before, after)
        )
        if not early.size or not late.size:
            continue
        means = float(early.mean()), float(late.mean())
        p = _rank_p(early, late) if min(early.size, late.size) > 1 else None
        rows.append((cluster, early.size, late.size, *means, means[1] - means[0], p))
    schema = {
        "cluster": pl.String,
        "samples_before": pl.Int64,
        "samples_after": pl.Int64,
        "share_before": pl.Float64,
        "share_after": pl.Float64,
        "difference": pl.Float64,
        "p": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _rank_p(early: Floats, late: Floats) -> float:
    together = np.concatenate([early, late])
    if np.unique(together).size == together.size:
        return float(mannwhitneyu(early, late, method="exact").pvalue)
    # The sum of ranks tells the same as Mann and Whitney's U, and many permutations at once.
    ranks = rankdata(together)
    found = permutation_test(
        (ranks[: early.size], ranks[early.size :]),
        lambda first, _, axis: first.sum(axis=axis),
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)
