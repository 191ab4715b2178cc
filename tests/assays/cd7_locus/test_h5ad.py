"""One gene and its annotations from h5ad files laid out as anndata writes them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

from graftline.assays.cd7_locus.h5ad import read_cells
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


def with_var(path: Path, **columns: list[str]) -> Path:
    """The small file with other columns of var; ``index`` replaces the names."""
    made = h5ad(path, index=columns.pop("index", None))
    with h5py.File(made, "a") as file:
        del file["var"]["gene_symbols"]
        for name, values in columns.items():
            file["var"][name] = values
    return made


@pytest.mark.parametrize(
    "columns",
    [
        {"index": ["ENSG1", "ENSG00000173762", "ENSG3"]},
        {"index": ["ENSG1", "ENSG00000173762.12", "ENSG3"]},  # with a version, as GENCODE has it
        {"index": ["a", "b", "c"], "hgnc_symbol": GENES},
        {"index": ["a", "b", "c"], "gene_ids": ["ENSG1", "ENSG00000173762", "ENSG3"]},
    ],
)
def test_cd7_under_other_names(tmp_path: Path, columns: dict[str, list[str]]) -> None:
    assert read_cells(with_var(tmp_path / "a.h5ad", **columns))["value"].to_list() == [
        0,
        2.5,
        1.5,
        0,
    ]


def test_genes_without_a_symbol_are_passed_over(tmp_path: Path) -> None:
    path = with_var(tmp_path / "a.h5ad", index=["a", "b", "c"])
    with h5py.File(path, "a") as file:
        symbols = file["var"].create_group("symbol")
        symbols["categories"], symbols["codes"] = ["CD7"], np.array([-1, 0, -1], np.int8)
    assert read_cells(path)["value"].to_list() == [0, 2.5, 1.5, 0]


def test_an_antibody_of_the_same_name_is_not_the_gene(tmp_path: Path) -> None:
    # CITE-seq: 10x writes genes and antibodies into one matrix, told apart by feature_types
    twice = ["CD7", "CD7", "CD34"]
    kinds = ["Antibody Capture", "Gene Expression", "Gene Expression"]
    path = with_var(tmp_path / "a.h5ad", index=twice, feature_types=kinds)
    assert read_cells(path)["value"].to_list() == [0, 2.5, 1.5, 0]
    with pytest.raises(InputError, match="columns 1, 2 of the matrix"):
        read_cells(with_var(tmp_path / "b.h5ad", index=twice))


def test_the_mouse_gene_is_not_taken_but_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 'Cd7'"):
        read_cells(with_var(tmp_path / "a.h5ad", index=["Cd3e", "Cd7", "Cd34"]))


def test_words_for_missing_are_missing(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", layout="dense")
    with h5py.File(path, "a") as file:
        del file["obs"]["sample"], file["obs"]["time"]
        file["obs"]["sample"] = ["s1", "nan", "", "None"]
        file["obs"]["time"] = [1.0, np.nan, 2.0, 3.5]
        file["X"][1, 1] = np.nan
    cells = read_cells(path)
    assert cells["sample"].to_list() == ["s1", None, None, None]
    assert cells["time"].to_list() == [1, None, 2, 3.5]
    assert cells["value"].to_list() == [0, None, 1.5, 0]


def test_a_file_without_x_names_its_layers(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", layout="dense")
    with h5py.File(path, "a") as file:
        del file["X"]
        file.create_group("layers")["lognorm"] = VALUES
    with pytest.raises(InputError, match="found 'lognorm'"):
        read_cells(path)
    assert read_cells(path, layer="lognorm")["value"].to_list() == [0, 2.5, 1.5, 0]


def test_files_of_a_neighbouring_kind_are_named(tmp_path: Path) -> None:
    mudata, cellranger, old = (tmp_path / name for name in ("a.h5mu", "b.h5", "c.h5ad"))
    with h5py.File(mudata, "w") as file:
        for name in ("mod/rna", "mod/prot", "obs", "var"):
            file.create_group(name)
    with h5py.File(cellranger, "w") as file:
        file.create_group("matrix")
    with h5py.File(old, "w") as file:
        file["obs"] = np.zeros(4, [("index", "S4")])
        file["var"] = np.zeros(3, [("index", "S4")])
    for path, words in (
        (mudata, "prot, rna"),
        (cellranger, "has no obs"),
        (old, "before anndata 0.7"),
    ):
        with pytest.raises(InputError, match=words):
            read_cells(path)


def test_rows_beyond_the_cells_are_said(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "a.h5ad", layout="csc")
    with h5py.File(path, "a") as file:
        file["X"]["indices"][...] = 200
    with pytest.raises(InputError, match="an h5ad file"):
        read_cells(path)
