"""CD7 by cluster and the share of clusters over time, from h5ad, with samples as replicates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, permutation_test

from graftline.assays.extras import load_extra
from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]
_PIECE = 10_000_000


class _Damaged(Exception):
    """Parts of a file that do not fit each other."""


def read_cells(
    path: str | Path,
    *,
    gene: str = "CD7",
    columns: Sequence[str] = ("cluster", "sample", "time"),
    layer: str | None = None,
) -> pl.DataFrame:
    """One gene's values and the named annotations of every cell of an h5ad file.

    Reads only that gene's column: the matrix may be dense, CSR or CSC.

    Parameters
    ----------
    columns : sequence of str
        Columns of ``obs``: categorical, text or numbers.
    layer : str, optional
        A layer, or ``raw``, instead of ``X``; values are taken as they are (log-normalised,
        usually).

    Returns
    -------
    DataFrame [cell, columns, value]

    Raises
    ------
    ExtraMissingError
        h5py is not installed.
    InputError
        Not an h5ad file, no such gene, column or layer.
    """
    path = Path(path)
    h5py = load_extra("h5py", extra="genomics", purpose="Reading h5ad files")
    try:
        with h5py.File(path, "r") as file:
            return _read_cells(path, file, gene, columns, layer)
    except (OSError, KeyError, _Damaged) as fault:
        remedy = "write the file again with anndata"
        expected = f"an h5ad file ({fault})"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None


def _read_cells(
    path: Path, file: Any, gene: str, columns: Sequence[str], layer: str | None
) -> pl.DataFrame:
    raw = layer == "raw" and "raw" in file
    genes = file["raw"]["var"] if raw else file["var"]
    if not hasattr(genes, "keys") or not hasattr(file["obs"], "keys"):
        raise _Damaged("obs and var are not groups: written before anndata 0.7")
    names = _index(genes)
    symbols = [
        _strings(genes[name])
        for name in ("gene_symbols", "feature_name", "gene_name")
        if name in genes
    ]
    place = next((found.index(gene) for found in (names, *symbols) if gene in found), None)
    problems = [
        Problem(path.name, f"a column {name} in obs", "name one of the file's", found=found)
        for name in columns
        if name not in file["obs"]
        for found in [", ".join(k for k in file["obs"] if not k.startswith("_"))]
    ]
    if place is None:
        remedy = "give the gene as the file names it"
        problems.append(Problem(path.name, f"a gene {gene}", remedy, found=", ".join(names[:5])))
    if layer is not None and not raw and layer not in file.get("layers", {}):
        listed = ", ".join([*file.get("layers", {}), *(["raw"] if "raw" in file else [])])
        problems.append(
            Problem(path.name, f"a layer {layer}", "name one of the file's", found=listed)
        )
    if problems or place is None:
        raise InputError(problems)
    layers = file["raw"] if raw else file.get("layers", {})
    matrix = file["X"] if layer is None else layers["X" if raw else layer]
    cells = _index(file["obs"])
    found: dict[str, Any] = {
        "cell": cells,
        **{name: _obs_column(file["obs"], name) for name in columns},
        "value": _column(matrix, place, len(cells)),
    }
    for name, values in found.items():
        if len(values) != len(cells):
            raise _Damaged(f"{len(cells)} cells but {len(values)} of {name}")
    return pl.DataFrame(found)


def _index(group: Any) -> list[str]:
    return _strings(group[group.attrs.get("_index", "_index")])


def _strings(values: Any) -> list[str]:
    if hasattr(values, "keys"):
        decoded = _annotation(values)
        return [str(value) for value in decoded]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values[:]]


def _obs_column(obs: Any, name: str) -> list[Any]:
    """A column of obs; old files keep the words of a category in a group beside."""
    if name in obs.get("__categories", {}):
        levels, codes = _strings(obs["__categories"][name]), obs[name][:].tolist()
        return [levels[code] if 0 <= code < len(levels) else None for code in codes]
    return _annotation(obs[name])


def _annotation(values: Any) -> list[Any]:
    if hasattr(values, "keys") and "mask" in values:
        known = zip(_annotation(values["values"]), values["mask"][:].tolist(), strict=True)
        return [None if missing else value for value, missing in known]
    if hasattr(values, "keys"):
        levels, codes = _strings(values["categories"]), values["codes"][:].tolist()
        if max(codes, default=-1) >= len(levels):
            raise _Damaged("codes beyond the categories")
        return [levels[code] if code >= 0 else None for code in codes]
    found = values[:]
    return _strings(values) if found.dtype.kind in "OS" else found.tolist()


def _column(matrix: Any, place: int, cells: int) -> Floats:
    if not hasattr(matrix, "keys"):
        if matrix.ndim != 2 or matrix.shape[1] <= place:
            raise _Damaged(f"a matrix of shape {matrix.shape}")
        return np.asarray(matrix[:, place], dtype=np.float64)
    values = np.zeros(cells)
    data, indices, starts = matrix["data"], matrix["indices"], matrix["indptr"][:]
    rows, genes = (int(n) for n in matrix.attrs.get("shape", (cells, place + 1)))
    by_gene = matrix.attrs["encoding-type"] == "csc_matrix"
    if rows != cells or genes <= place or starts.size != (genes if by_gene else cells) + 1:
        raise _Damaged(f"{cells} cells but a matrix of {rows} by {genes}")
    if int(starts[-1]) > min(data.shape[0], indices.shape[0]):
        raise _Damaged("a matrix that is cut short")
    if by_gene:
        here = slice(int(starts[place]), int(starts[place + 1]))
        values[indices[here]] = data[here]
        return values
    # in pieces: the indices of a million cells do not fit into small machines at once
    for start in range(0, int(starts[-1]), _PIECE):
        here = slice(start, min(start + _PIECE, int(starts[-1])))
        hits = np.flatnonzero(indices[here] == place)
        if hits.size:
            row = np.searchsorted(starts, start + hits, side="right") - 1
            np.add.at(values, row, data[here][hits])
    return values


def expression_by_cluster(cells: pl.DataFrame) -> pl.DataFrame:
    """Per cluster: cells, samples, percent with any of the gene, mean value.

    Returns
    -------
    DataFrame [cluster, cells, samples, detected_percent, mean]
        Sorted by falling mean.
    """
    return (
        cells.sort("cluster", "value")
        .group_by("cluster", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("cells"),
            pl.col("sample").n_unique().cast(pl.Int64).alias("samples"),
            (100 * (pl.col("value") > 0).mean()).alias("detected_percent"),
            pl.col("value").mean().alias("mean"),
        )
        .sort("mean", "cluster", descending=[True, False])
    )


def cluster_shares(cells: pl.DataFrame) -> pl.DataFrame:
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
        remedy = "name samples so that each is one draw"
        raise InputError(
            Problem("cells", "one time per sample", remedy, found=str(name)) for name in mixed
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


def compare_cluster_shares(shares: pl.DataFrame, *, before: str, after: str) -> pl.DataFrame:
    """Change of each cluster's share between two times; samples, not cells, are the replicates.

    Returns
    -------
    DataFrame [cluster, samples_before, samples_after, share_before, share_after, difference, p]
        Means over samples; ``p`` by Mann-Whitney (exact without ties, else by all permutations or
        10,000 random ones with a fixed seed), null with fewer than two samples on a side.
    """
    rows = []
    for (cluster,), part in shares.sort("cluster").partition_by("cluster", as_dict=True).items():
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
    return pl.DataFrame(rows, schema=schema, orient="row").sort("cluster")


def _rank_p(early: Floats, late: Floats) -> float:
    together = np.concatenate([early, late])
    if np.unique(together).size == together.size:
        return float(mannwhitneyu(early, late, method="exact").pvalue)
    found = permutation_test(
        (early, late),
        lambda a, b: float(mannwhitneyu(a, b, method="asymptotic").statistic),
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)
