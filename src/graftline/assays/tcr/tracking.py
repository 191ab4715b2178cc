"""Clones ranked at one time and followed through the others, back to the donor."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import polars as pl

from graftline.assays.tcr.clones import KEY_COLUMNS, CloneKey
from graftline.problems import InputError, Problem

TieRule = Literal["order", "include", "exclude"]


def rank_clones(
    clones: pl.DataFrame, *, at: str, key: CloneKey, top: int = 50, ties: TieRule = "order"
) -> pl.DataFrame:
    """The ``top`` largest clones of sample ``at``.

    Parameters
    ----------
    clones : DataFrame [sample, key columns, count]
        One row per clone and sample.
    ties : {"order", "include", "exclude"}
        Clones with the count of the last place: ``order`` takes them in the order of their key
        until ``top`` are chosen, ``include`` takes all of them, ``exclude`` takes none if not all
        of them fit.

    Returns
    -------
    DataFrame [key columns, count, rank, tied_at_cut]
        ``rank`` 1 is the largest; equal counts get successive ranks in the order of the key.
        ``tied_at_cut`` marks clones whose choice hangs on the tie rule.

    Raises
    ------
    InputError
        No clones of that sample.
    """
    names = KEY_COLUMNS[key]
    here = clones.filter(pl.col("sample") == at)
    if here.is_empty():
        found = ", ".join(clones["sample"].unique().sort().to_list())
        raise InputError(
            [Problem("repertoires", f"a sample named {at!r}", "choose one of these", found=found)]
        )
    ranked = here.sort("count", *names, descending=[True, *[False] * len(names)]).with_columns(
        pl.int_range(1, pl.len() + 1).alias("rank")
    )
    if ranked.height > top and ranked["count"][top] == ranked["count"][top - 1]:
        tied = pl.col("count") == ranked["count"][top - 1]
    else:
        tied = pl.lit(False)
    rules = {
        "order": pl.col("rank") <= top,
        "include": (pl.col("rank") <= top) | tied,
        "exclude": (pl.col("rank") <= top) & ~tied,
    }
    chosen = ranked.with_columns(tied.alias("tied_at_cut")).filter(rules[ties])
    return chosen.select(*names, "count", "rank", "tied_at_cut")


def track_clones(
    clones: pl.DataFrame,
    *,
    at: str,
    key: CloneKey,
    top: int = 50,
    ties: TieRule = "order",
    samples: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Counts and shares, in every sample, of the clones that are largest in one.

    Returns
    -------
    DataFrame [rank, tied_at_cut, key columns, sample, count, share]
        One row per chosen clone and sample, 0 where the sample has reads but not this clone;
        samples in the order asked for, else by name. ``share`` is of the sample's kept reads.

    Raises
    ------
    InputError
        ``at`` or one of ``samples`` has no clones: no reads is not the same as not found.
    """
    names = KEY_COLUMNS[key]
    chosen = rank_clones(clones, at=at, key=key, top=top, ties=ties).drop("count")
    totals = clones.group_by("sample").agg(pl.col("count").sum().alias("total"))
    order = totals["sample"].sort().to_list() if samples is None else list(samples)
    absent = sorted(set(order) - set(totals["sample"]))
    if absent:
        remedy = "leave them out, or check why they are empty"
        raise InputError(
            Problem("repertoires", "clones in every sample asked for", remedy, found=sample)
            for sample in absent
        )
    wanted = pl.DataFrame({"sample": order, "place": range(len(order))})
    return (
        chosen.join(wanted, how="cross")
        .join(
            clones.select("sample", *names, "count"),
            on=["sample", *names],
            how="left",
            nulls_equal=True,
            validate="1:1",
        )
        .join(totals, on="sample", how="left", validate="m:1")
        .with_columns(pl.col("count").fill_null(0))
        .with_columns((pl.col("count") / pl.col("total")).alias("share"))
        .sort("rank", "place")
        .select("rank", "tied_at_cut", *names, "sample", "count", "share")
    )


def summarize_tracked(tracked: pl.DataFrame) -> pl.DataFrame:
    """Per sample: how many of the tracked clones are found and what share of reads they hold.

    Returns
    -------
    DataFrame [sample, tracked, found, share]
        In the order of ``tracked``.
    """
    return tracked.group_by("sample", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("tracked"),
        (pl.col("count") > 0).sum().cast(pl.Int64).alias("found"),
        pl.col("share").sort().sum(),
    )


def track_rank_bands(
    clones: pl.DataFrame, *, at: str, key: CloneKey, bands: Sequence[int] = (10, 50, 100)
) -> pl.DataFrame:
    """Share of every sample held by clones of rank bands at one time, the rest as ``other``.

    Clones tied across a band's end are split in the order of their key.

    Returns
    -------
    DataFrame [sample, band, share]
        Bands ``1-10``, ``11-50``, ``51-100``, ``other``; the shares of a sample sum to 1.
    """
    edges = [0, *sorted(bands)]
    labels = [f"{low + 1}-{high}" for low, high in pairwise(edges)]
    tracked = track_clones(clones, at=at, key=key, top=max(bands)).sort("sample", "share")
    in_bands = (
        pl.col("share").filter(pl.col("rank").is_between(low + 1, high)).sum().alias(label)
        for label, (low, high) in zip(labels, pairwise(edges), strict=True)
    )
    rest = (1 - pl.sum_horizontal(labels)).clip(0, 1).alias("other")
    return (
        tracked.group_by("sample", maintain_order=True)
        .agg(in_bands)
        .with_columns(rest)
        .unpivot(index="sample", variable_name="band", value_name="share")
        .sort("sample", maintain_order=True)
    )
