"""One gene and the annotations of every cell, from h5ad files of any version since 0.7."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assays.cd7_locus.gene import CD7, CD7_ACCESSION
from graftline.assays.extras import load_extra
from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]
_PIECE = 10_000_000
# What text becomes of a missing value on its way through other tools.
_MISSING = frozenset(("", "nan", "NaN", "NA", "None", "<NA>"))


class _Damaged(Exception):
    """Parts of a file that do not fit each other."""


# What h5py raises for damaged files, beside what is wrong in what it reads.
_UNREADABLE = (OSError, KeyError, IndexError, ValueError, TypeError, RuntimeError, _Damaged)


def read_cells(
    path: str | Path,
    *,
    gene: str = "CD7",
    columns: Sequence[str] = ("cluster", "sample", "time"),
    layer: str | None = None,
) -> pl.DataFrame:
    """One gene's values and the named annotations of every cell of an h5ad file.

    Reads only that gene's column: the matrix may be dense, CSR or CSC. The gene is looked for in
    the index of ``var``, then in its columns of text; CD7 also by its Ensembl accession. Accessions
    are the same in all their versions.

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
        Null where an annotation is missing (also written ``nan``, ``None``, ``NA`` or nothing), or
        where a value is not a number.

    Raises
    ------
    ExtraMissingError
        h5py is not installed.
    InputError
        Not an h5ad file, no such gene, column or layer, or a gene that stands there twice.
    """
    cells, annotations, values = read_annotated(
        path, gene=gene, columns=list(dict.fromkeys(columns)), layer=layer
    )
    return pl.DataFrame({"cell": cells, **annotations, "value": values}).with_columns(
        pl.col("value").fill_nan(None)
    )


def read_annotated(
    path: str | Path, *, gene: str, columns: Sequence[str], layer: str | None
) -> tuple[list[str], dict[str, list[Any]], Floats]:
    """Names of the cells, their annotations by column, and a gene's values, as `read_cells`.

    Apart from each other, so that a column may have any name.
    """
    path = Path(path)
    h5py = load_extra("h5py", extra="genomics", purpose="Reading h5ad files")
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, gene, columns, layer)
    except _UNREADABLE as fault:
        remedy = "write the file again with anndata"
        expected = f"an h5ad file ({fault})"
        raise InputError([Problem(path.name, expected, remedy, Severity.UNREADABLE)]) from None


def _read(
    path: Path, file: Any, gene: str, columns: Sequence[str], layer: str | None
) -> tuple[list[str], dict[str, list[Any]], Floats]:
    _check_groups(file)
    raw = layer == "raw" and "raw" in file
    place, problems = _gene_place(path, file["raw"]["var"] if raw else file["var"], gene)
    problems += [
        Problem(path.name, f"a column {name} in obs", "name one of the file's", found=found)
        for name in columns
        if name not in file["obs"]
        for found in [", ".join(k for k in file["obs"] if not k.startswith("_"))]
    ]
    layers = file["raw"] if raw else file.get("layers", {})
    if layer is not None and not raw and layer not in layers:
        expected, remedy = f"a layer {layer}", "name one of the file's"
        problems.append(Problem(path.name, expected, remedy, found=_layers(file)))
    if layer is None and "X" not in file:
        expected, remedy = "a matrix X", "name a layer in the column layer"
        problems.append(Problem(path.name, expected, remedy, found=_layers(file)))
    if problems:
        raise InputError(problems)
    matrix = file["X"] if layer is None else layers["X" if raw else layer]
    cells = _index(file["obs"])
    found = {name: _obs_column(file["obs"], name) for name in columns}
    values = _column(matrix, place, len(cells))
    lengths = {name: len(column) for name, column in found.items()} | {"X": values.size}
    for name, length in lengths.items():
        if length != len(cells):
            raise _Damaged(f"{len(cells)} cells but {length} of {name}")
    return cells, found, values


def _check_groups(file: Any) -> None:
    if "mod" in file and "X" not in file:
        names = ", ".join(file["mod"])
        raise _Damaged(f"it is a MuData file: write its part of gene expression, of {names}, alone")
    for name in ("obs", "var"):
        if name not in file:
            raise _Damaged(f"it has no {name}")
        if not hasattr(file[name], "keys"):
            raise _Damaged("obs and var are not groups: written before anndata 0.7")


def _layers(file: Any) -> str:
    return ", ".join([*file.get("layers", {}), *(["raw"] if "raw" in file else [])]) or "none"


def _gene_place(path: Path, genes: Any, gene: str) -> tuple[int, list[Problem]]:
    """Column of a gene in the matrix, or why there is none."""
    names = _index(genes)
    texts = (_text_column(genes, key) for key in genes if key != genes.attrs.get("_index"))
    for found in (names, *texts):
        places = [n for n, name in enumerate(found) if name == gene]
        places = places or _by_accession(found, CD7_ACCESSION if gene == CD7.name else gene)
        if len(places) > 1:
            places = _of_expression(genes, places) or places
        if len(places) > 1:
            expected, remedy = f"one gene {gene}", "make the names unique: var_names_make_unique"
            twice = f"columns {', '.join(str(n + 1) for n in places)} of the matrix"
            return 0, [Problem(path.name, expected, remedy, found=twice)]
        if places:
            return places[0], []
    remedy = "give the gene as the file names it; genes that were filtered out may be in raw"
    near = [name for name in names if name.casefold() == gene.casefold()] or names[:5]
    return 0, [Problem(path.name, f"a gene {gene}", remedy, found=", ".join(near))]


def _by_accession(names: Sequence[str | None], accession: str) -> list[int]:
    """Places of an accession of Ensembl, whatever its version."""
    if not accession.startswith("ENS"):
        return []
    return [n for n, name in enumerate(names) if (name or "").split(".")[0] == accession]


def _of_expression(genes: Any, places: Sequence[int]) -> list[int]:
    """Those of several features of one name that are genes, not antibodies of that name."""
    kinds = _text_column(genes, "feature_types") if "feature_types" in genes else ()
    return [n for n in places if n < len(kinds) and kinds[n] == "Gene Expression"]


def _text_column(group: Any, name: str) -> list[Any]:
    """A column of text, and nothing where it holds numbers."""
    column = group[name]
    text = column["categories"] if hasattr(column, "keys") and "categories" in column else column
    if hasattr(text, "keys") or text.dtype.kind not in "OS":
        return []
    return _annotation(column)


def _index(group: Any) -> list[str]:
    return _strings(group[group.attrs.get("_index", "_index")])


def _strings(values: Any) -> list[str]:
    if hasattr(values, "keys"):
        decoded = _annotation(values)
        return [str(value) for value in decoded]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values[:].tolist()]


def _obs_column(obs: Any, name: str) -> list[Any]:
    """A column of obs; old files keep the words of a category in a group beside."""
    if name in obs.get("__categories", {}):
        levels, codes = _strings(obs["__categories"][name]), obs[name][:].tolist()
        found = [levels[code] if 0 <= code < len(levels) else None for code in codes]
    else:
        found = _annotation(obs[name])
    return [None if value in _MISSING or value != value else value for value in found]


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
