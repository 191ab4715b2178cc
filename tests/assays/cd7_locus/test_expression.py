"""CD7 by cluster and cluster shares over time from h5ad files laid out as anndata writes them."""

from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
from scipy import sparse

from graftline.assays.cd7_locus.expression import (
    cluster_shares,
    compare_cluster_shares,
    expression_by_cluster,
    read_cells,
)
from graftline.problems import InputError

GENES = ["CD3E", "CD7", "CD34"]
VALUES = np.array([[1.0, 0.0, 3.0], [0.0, 2.5, 0.0], [4.0, 1.5, 0.0], [0.0, 0.0, 0.0]])


def h5ad(path: Path, *, layout: str = "csr", index: list[str] | None = None) -> Path:
    with h5py.File(path, "w") as file:
        obs, var = file.create_group("obs"), file.create_group("var")
        obs.attrs["_index"], var.attrs["_index"] = "_index", "gene"
        obs["_index"] = [f"c{i}" for i in range(4)]
        var["gene"] = index or GENES
        var["gene_symbols"] = GENES
        cluster = obs.create_group("cluster")
        cluster["categories"], cluster["codes"] = ["blast", "T"], np.array([0, 1, 1, -1], np.int8)
        obs["sample"], obs["time"] = ["s1", "s1", "s2", "s2"], ["a", "a", "b", "b"]
        if layout == "dense":
            file["X"] = VALUES
        else:
            made = (sparse.csr_matrix if layout == "csr" else sparse.csc_matrix)(VALUES)
            group = file.create_group("X")
            group.attrs["encoding-type"] = f"{layout}_matrix"
            group.attrs["shape"] = VALUES.shape
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(made, name)
    return path


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_one_gene_of_every_layout(tmp_path: Path, layout: str) -> None:
    cells = read_cells(h5ad(tmp_path / "a.h5ad", layout=layout))
    assert cells["value"].to_list() == [0, 2.5, 1.5, 0]
    assert cells["cluster"].to_list() == ["blast", "T", "T", None]
    assert cells["cell"].to_list() == ["c0", "c1", "c2", "c3"]


def test_gene_by_symbol_where_the_index_has_accessions(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", index=["ENSG1", "ENSG00000173762", "ENSG3"])
    assert read_cells(path)["value"].to_list() == [0, 2.5, 1.5, 0]
    assert read_cells(path, gene="ENSG3")["value"].to_list() == [3, 0, 0, 0]


def test_wrong_files_are_findings(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError) as caught:
        read_cells(path, gene="NONE", columns=["cluster", "leiden"], layer="counts")
    text = str(caught.value)
    for word in ("a gene NONE", "leiden", "cluster, sample, time", "layer counts"):
        assert word in text
    (tmp_path / "t.h5ad").write_text("x")
    for name in ("t.h5ad", "absent.h5ad"):
        with pytest.raises(InputError, match="an h5ad file"):
            read_cells(tmp_path / name)


def cells(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["sample", "time", "cluster", "value"], orient="row")


def test_by_cluster_by_hand() -> None:
    table = cells(
        ("s1", "a", "low", 0), ("s1", "a", "low", 1), ("s2", "a", "low", 0), ("s1", "a", "high", 4)
    )
    assert expression_by_cluster(table).rows() == [
        ("high", 1, 1, 100.0, 4.0),
        ("low", 3, 2, pytest.approx(100 / 3), pytest.approx(1 / 3)),
    ]


def test_absent_clusters_count_as_share_zero() -> None:
    table = cluster_shares(
        cells(("s1", "a", "x", 0), ("s1", "a", "x", 0), ("s1", "a", "y", 0), ("s2", "b", "y", 0))
    )
    assert table.select("sample", "cluster", "cells", "share").rows() == [
        ("s1", "x", 2, pytest.approx(2 / 3)),
        ("s2", "x", 0, 0.0),
        ("s1", "y", 1, pytest.approx(1 / 3)),
        ("s2", "y", 1, 1.0),
    ]
    with pytest.raises(InputError, match="one time per sample"):
        cluster_shares(cells(("s1", "a", "x", 0), ("s1", "b", "x", 0)))


def shares(early: list[float], late: list[float]) -> pl.DataFrame:
    rows = [(f"e{i}", "before", "low", s) for i, s in enumerate(early)]
    rows += [(f"l{i}", "after", "low", s) for i, s in enumerate(late)]
    return pl.DataFrame(rows, schema=["sample", "time", "cluster", "share"], orient="row")


def test_samples_are_the_replicates() -> None:
    # Three against three wholly apart: 2 of the 20 arrangements are as extreme, p = 0.1,
    # however many thousand cells each sample has.
    found = compare_cluster_shares(
        shares([0.1, 0.2, 0.3], [0.6, 0.7, 0.8]), before="before", after="after"
    ).row(0, named=True)
    assert found["p"] == pytest.approx(0.1)
    assert found["difference"] == pytest.approx(0.5)
    tied = compare_cluster_shares(
        shares([0.0, 0.0, 0.3], [0.6, 0.7, 0.8]), before="before", after="after"
    ).row(0, named=True)
    assert tied["p"] == pytest.approx(0.1)
    one = compare_cluster_shares(shares([0.1], [0.6, 0.7]), before="before", after="after")
    assert one["p"].to_list() == [None]


def test_files_of_other_anndata_versions_are_read(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "old.h5ad", layout="dense")
    with h5py.File(path, "a") as file:
        obs = file["obs"]
        # before 0.8: codes in obs, their words in a group beside
        del obs["cluster"]
        obs["cluster"] = np.array([0, 1, 1, -1], np.int8)
        obs.create_group("__categories")["cluster"] = ["blast", "T"]
        # 0.11 and later: text that may be missing has a mask
        del obs["time"]
        group = obs.create_group("time")
        group["values"], group["mask"] = ["a", "a", "b", ""], np.array([False] * 3 + [True])
        raw = file.create_group("raw")
        raw.create_group("var")["gene"] = ["CD7"]
        raw["var"].attrs["_index"] = "gene"
        raw["X"] = np.arange(4.0)[:, None]
    cells = read_cells(path)
    assert cells["cluster"].to_list() == ["blast", "T", "T", None]
    assert cells["time"].to_list() == ["a", "a", "b", None]
    assert read_cells(path, layer="raw")["value"].to_list() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="found 'raw'"):
        read_cells(path, layer="scaled")


@pytest.mark.parametrize("fault", ["codes", "matrix", "cut"])
def test_parts_that_do_not_fit_are_said(tmp_path: Path, fault: str) -> None:
    path = h5ad(tmp_path / "a.h5ad")
    with h5py.File(path, "a") as file:
        if fault == "codes":
            file["obs"]["cluster"]["codes"][0] = 7
        elif fault == "matrix":
            del file["X"]
            file["X"] = VALUES[:2]
        else:
            data = file["X"]["data"][:]
            del file["X"]["data"]
            file["X"]["data"] = data[:1]
    with pytest.raises(InputError, match="an h5ad file"):
        read_cells(path)
