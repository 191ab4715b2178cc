"""Which clones changed their share between two samples: exact test per clone, with FDR."""

import math

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control

from graftline.assays.tcr.clones import KEY_COLUMNS, CloneKey
from graftline.assays.tcr.spectrum import Floats
from graftline.problems import InputError, Problem


def fisher_two_sided(
    before: Floats, after: Floats, *, total_before: float, total_after: float
) -> Floats:
    """Two-sided Fisher exact p of each clone's reads against all other reads of its sample.

    The p value sums all tables as likely as the one seen or less, as R's ``fisher.test``.

    Parameters
    ----------
    before, after : array, shape (clones,)
        Reads of the clone in the two samples.
    """
    result = np.ones(before.shape)
    both = before + after
    for together in np.unique(both):
        if together == 0:
            continue
        here = both == together
        low, chance = _hypergeometric(together, total_before, total_after)
        place = (after[here] - low).astype(np.int64)
        inside = (place >= 0) & (place < chance.size)
        seen = np.where(inside, chance[np.clip(place, 0, chance.size - 1)], 0.0)
        rising = np.sort(chance)
        # R's tolerance: tables equal in exact arithmetic differ in the last digits here.
        upto = np.searchsorted(rising, seen * (1 + 1e-7), side="right")
        sums = np.concatenate([[0.0], np.cumsum(rising)])
        result[here] = np.minimum(sums[upto], 1.0)
    return result


def _hypergeometric(
    together: float, total_before: float, total_after: float
) -> tuple[float, Floats]:
    """Chances of the splits of a clone's reads, and the reads after of the first of them.

    From the ratio of neighbours, scaled to sum 1: no factorial of the total loses digits. Splits
    left out are so far from the most likely one that their chance is 0 as a float.
    """
    share = total_after / (total_before + total_after)
    middle = together * share
    reach = 40 * math.sqrt(middle * (1 - share)) + 1000
    low = max(0.0, together - total_before, math.floor(middle - reach))
    k = np.arange(low, min(together, total_after, math.ceil(middle + reach)))
    ratio = (together - k) * (total_after - k) / ((k + 1) * (total_before - together + k + 1))
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    chance: Floats = np.exp(logs - logs.max())
    return low, chance / chance.sum()


def expansion_test(
    clones: pl.DataFrame,
    *,
    before: str,
    after: str,
    key: CloneKey,
    least_reads: int = 5,
    fdr: float = 0.05,
) -> pl.DataFrame:
    """Clones whose share differs between two samples of one patient.

    Parameters
    ----------
    clones : DataFrame [sample, key columns, count]
        One row per clone and sample.
    least_reads : int
        Clones with fewer reads in both samples together are not tested: they have next to no
        chance of significance. The FDR is over the clones tested.
    fdr : float
        Level of ``call``.

    Returns
    -------
    DataFrame
        ``key columns, count_before, count_after, share_before, share_after, log2_ratio, p, q,
        call`` (expanded, contracted, unchanged), sorted by q, p and key. ``log2_ratio`` has half a
        read added to both counts, so that absent clones have one. ``q`` is Benjamini-Hochberg.

    Raises
    ------
    InputError
        One of the samples has no clones.

    Notes
    -----
    Fisher's exact test takes reads as independent draws. Templates or UMIs come near that; reads
    after amplification do not, and their p values are too small.
    """
    names = KEY_COLUMNS[key]
    totals = {name: _total(clones, name) for name in (before, after)}
    pairs = _counts(clones, names, before, after).filter(
        pl.col("count_before") + pl.col("count_after") >= least_reads
    )
    p = fisher_two_sided(
        pairs["count_before"].to_numpy().astype(np.float64),
        pairs["count_after"].to_numpy().astype(np.float64),
        total_before=totals[before],
        total_after=totals[after],
    )
    q = false_discovery_control(p) if p.size else p
    ratio = ((pl.col("count_after") + 0.5) / (totals[after] + 0.5)) / (
        (pl.col("count_before") + 0.5) / (totals[before] + 0.5)
    )
    grew = pl.col("share_after") > pl.col("share_before")
    return (
        pairs.with_columns(
            (pl.col("count_before") / totals[before]).alias("share_before"),
            (pl.col("count_after") / totals[after]).alias("share_after"),
            ratio.log(2).alias("log2_ratio"),
            pl.Series("p", p),
            pl.Series("q", q),
        )
        .with_columns(
            pl.when(pl.col("q") >= fdr)
            .then(pl.lit("unchanged"))
            .when(grew)
            .then(pl.lit("expanded"))
            .otherwise(pl.lit("contracted"))
            .alias("call")
        )
        .sort("q", "p", *names)
    )


def _total(clones: pl.DataFrame, sample: str) -> float:
    total = float(clones.filter(pl.col("sample") == sample)["count"].sum())
    if total == 0:
        raise InputError(
            [Problem("repertoires", f"clones of sample {sample!r}", "check the sample's name")]
        )
    return total


def _counts(clones: pl.DataFrame, names: tuple[str, ...], before: str, after: str) -> pl.DataFrame:
    def of(sample: str, column: str) -> pl.DataFrame:
        rows = clones.filter(pl.col("sample") == sample)
        return rows.select(*names, pl.col("count").alias(column))

    joined = of(before, "count_before").join(
        of(after, "count_after"),
        on=list(names),
        how="full",
        coalesce=True,
        nulls_equal=True,
        validate="1:1",
    )
    return joined.with_columns(pl.col("count_before", "count_after").fill_null(0))
