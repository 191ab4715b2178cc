"""How much two repertoires share: Morisita-Horn, Jaccard and F."""

import polars as pl

from graftline.assays.tcr.clones import KEY_COLUMNS, CloneKey


def overlap_table(clones: pl.DataFrame, *, key: CloneKey) -> pl.DataFrame:
    """Overlap of every pair of samples, by clones identical in the key.

    Parameters
    ----------
    clones : DataFrame [sample, key columns, count]
        One row per clone and sample.
    key : CloneKey
        The key the clones were summed over; another key gives other numbers.

    Returns
    -------
    DataFrame [sample_a, sample_b, clones_a, clones_b, shared, jaccard, morisita_horn, f, f2, d]
        One row per unordered pair, ``sample_a < sample_b``.

    Notes
    -----
    With shares p and q: ``jaccard`` = shared / (S_a + S_b - shared); ``morisita_horn`` =
    2 sum pq / (sum p^2 + sum q^2) (Horn 1966); ``f`` = sqrt(sum p of shared x sum q of shared) and
    ``f2`` = sum sqrt(pq) over shared (vdjtools' F and F2); ``d`` = shared / (S_a S_b).
    """
    names = KEY_COLUMNS[key]
    shares = clones.select(
        "sample", *names, (pl.col("count") / pl.col("count").sum().over("sample")).alias("p")
    )
    sizes = (
        shares.sort("sample", "p")
        .group_by("sample", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("clones"), (pl.col("p") ** 2).sum().alias("simpson"))
    )
    p, q = pl.col("p"), pl.col("p_b")
    both = (
        shares.lazy()
        .join(shares.lazy(), on=list(names), suffix="_b", nulls_equal=True)
        .filter(pl.col("sample") < pl.col("sample_b"))
        .sort("sample", "sample_b", *names)
        .group_by("sample", "sample_b", maintain_order=True)  # sums in one order
        .agg(
            pl.len().cast(pl.Int64).alias("shared"),
            (p * q).sum().alias("pq"),
            (p.sum() * q.sum()).sqrt().alias("f"),
            (p * q).sqrt().sum().alias("f2"),
        )
        .collect()
    )
    return _with_pairs(sizes, both)


def _with_pairs(sizes: pl.DataFrame, both: pl.DataFrame) -> pl.DataFrame:
    a, b, shared = pl.col("clones"), pl.col("clones_b"), pl.col("shared")
    squares = pl.col("simpson") + pl.col("simpson_b")
    return (
        sizes.join(sizes, how="cross", suffix="_b")
        .filter(pl.col("sample") < pl.col("sample_b"))
        .join(both, on=["sample", "sample_b"], how="left", validate="1:1")
        .with_columns(pl.col("shared", "pq", "f", "f2").fill_null(0))
        .select(
            pl.col("sample").alias("sample_a"),
            "sample_b",
            a.alias("clones_a"),
            "clones_b",
            "shared",
            (shared / (a + b - shared)).alias("jaccard"),
            (2 * pl.col("pq") / squares).alias("morisita_horn"),
            "f",
            "f2",
            (shared / (a * b)).alias("d"),
        )
        .sort("sample_a", "sample_b")
    )
