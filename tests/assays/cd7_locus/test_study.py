"""Sheets of CD7 files: what is compared, what is said, and what a page claims."""

from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from graftline.assays.cd7_locus.gene import CD7
from graftline.assays.cd7_locus.study import Cd7Study, cd7_study
from graftline.problems import InputError
from graftline.report.assay_cd7 import cd7_facts, cd7_section
from graftline.tables.value import ReportTable
from tests.assays.cd7_locus.test_variants import record, vcf
from tests.assays.cell_sheets import cells_file, tracks, write_rows

AT = 82_315_000


def study(
    folder: Path,
    header: str,
    *rows: tuple[str, ...],
    gene: str = "CD7",
    before: str = "baseline",
    after: str = "relapse",
) -> Cd7Study:
    sheet = write_rows(folder / "cd7.csv", header, rows)
    return cd7_study(sheet, gene=gene, before=before, after=after)


def text(study_: Cd7Study) -> str:
    return "\n".join((*cd7_section(study_).text, *study_.missing))


def cells_of(table: ReportTable) -> str:
    return "\n".join(" | ".join(row.cells) for row in table.rows)


HEADER = "file kind patient time sample"
BOTH = (("b.vcf", "vcf", "P7", "baseline", ""), ("r.vcf", "vcf", "P7", "relapse", ""))


def test_no_variant_in_either_file_is_said_and_not_taken_for_proof(tmp_path: Path) -> None:
    for name in ("b.vcf", "r.vcf"):
        vcf(tmp_path / name, record(100, "C>T", "30,10"))
    made = study(
        tmp_path,
        HEADER,
        ("b.vcf", "vcf", "P7", "baseline", ""),
        ("r.vcf", "vcf", "P7", "relapse", ""),
    )
    assert "Variants of P7 in CD7: none in the files of baseline and relapse" in text(made)
    assert "does not show whether the gene was covered" in text(made)
    assert dict(cd7_facts(made))["Variants new at relapse"] == "0"


def test_filtered_variants_are_counted_apart(tmp_path: Path) -> None:
    vcf(tmp_path / "b.vcf", record(AT, "C>T", "40,0"), record(AT + 1, "C>T", "40,0"))
    vcf(
        tmp_path / "r.vcf",
        record(AT, "C>T", "20,20"),
        record(AT + 1, "C>T", "20,20", "germline"),
    )
    made = study(
        tmp_path,
        HEADER,
        ("b.vcf", "vcf", "P7", "baseline", ""),
        ("r.vcf", "vcf", "P7", "relapse", ""),
    )
    assert dict(cd7_facts(made))["Variants new at relapse"] == "1"
    assert "1 filtered, 1 new" in text(made)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [("a.vcf", "vcf", "P7", "baseline", ""), ("a.vcf", "vcf", "P7", "relapse", "")],
            "cannot differ from itself",
        ),
        (
            [("base.bw", "atac", "P7", "baseline", ""), ("base.bw", "atac", "P7", "relapse", "x")],
            "cannot differ from itself",
        ),
        (
            [("a.vcf", "vcf", "P7", "relapse", ""), ("b.vcf", "vcf", "P7", "relapse", "")],
            "one VCF per patient and time",
        ),
    ],
)
def test_a_file_that_stands_for_two_times_is_refused(tmp_path: Path, rows, words) -> None:
    tracks(tmp_path)
    for name in ("a.vcf", "b.vcf"):
        vcf(tmp_path / name, record(AT, "C>T", "30,10"))
    with pytest.raises(InputError, match=words):
        study(tmp_path, HEADER, *rows)


def test_two_samples_of_one_file_are_compared(tmp_path: Path) -> None:
    row = record(AT, "C>T", "40,0") + "\t0/1:20,20:0.5:40"
    vcf(tmp_path / "both.vcf", row, samples="N\tT")
    made = study(
        tmp_path,
        HEADER,
        ("both.vcf", "vcf", "P7", "baseline", "N"),
        ("both.vcf", "vcf", "P7", "relapse", "T"),
    )
    assert made.variants["call"].to_list() == ["new"]
    assert made.problems == ()


def test_names_that_speak_of_another_time_are_a_warning(tmp_path: Path) -> None:
    vcf(tmp_path / "P7_relapse.vcf", record(AT, "C>T", "30,10"))
    vcf(tmp_path / "second.vcf", record(AT, "C>T", "30,10"), samples="Baseline_7")
    made = study(
        tmp_path,
        HEADER,
        ("P7_relapse.vcf", "vcf", "P7", "baseline", ""),
        ("second.vcf", "vcf", "P7", "relapse", "Baseline_7"),
    )
    assert [(p.row, p.found) for p in made.problems] == [(2, "P7_relapse.vcf"), (3, "Baseline_7")]


def test_exons_of_one_row_are_those_of_the_gene(tmp_path: Path) -> None:
    (tmp_path / "e.bed").write_text(f"chr17\t{AT}\t{AT + 50}\n")
    for patient in ("P1", "P2"):
        for time in ("baseline", "relapse"):
            vcf(tmp_path / f"{patient}{time}.vcf", record(AT + 900, "C>T", "20,20"))
    rows = [
        (f"{p}{t}.vcf", "vcf", p, t, "e.bed" if (p, t) == ("P1", "relapse") else "")
        for p in ("P1", "P2")
        for t in ("baseline", "relapse")
    ]
    made = study(tmp_path, "file kind patient time exons", *rows)
    assert made.variants.height == 0
    assert text(made).count("in the exons of CD7: none") == 2


def test_another_reference_time_is_named_everywhere(tmp_path: Path) -> None:
    tracks(tmp_path)
    made = study(
        tmp_path,
        HEADER,
        ("base.bw", "atac", "P7", "remission", ""),
        ("relapse.bw", "atac", "P7", "relapse", ""),
        before="remission",
    )
    assert "promoter 0.25 times that of remission" in text(made)
    (table,) = cd7_section(made).tables
    assert table.columns[-1].label == "Against remission"
    assert "baseline" not in " ".join(table.footnotes).lower()


def test_controls_without_a_patient_have_their_time_as_a_name(tmp_path: Path) -> None:
    tracks(tmp_path)
    made = study(
        tmp_path,
        HEADER,
        ("base.bw", "atac", "", "baseline", ""),
        ("relapse.bw", "atac", "", "control", ""),
    )
    assert "Signal of control: promoter 0.25" in text(made)
    assert "None" not in text(made)


def test_words_of_an_h5ad_leave_the_sheets_own_times_alone(tmp_path: Path) -> None:
    tracks(tmp_path)
    cells_file(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "a") as file:
        del file["obs"]["time"]["categories"]
        file["obs"]["time"]["categories"] = ["Dx", "Rel"]
    rows = (
        ("base.bw", "atac", "P7", "baseline", ""),
        ("relapse.bw", "atac", "P7", "relapse", ""),
        ("cells.h5ad", "h5ad", "", "", ""),
    )
    unnamed = study(tmp_path, HEADER, *rows)
    assert "its times are Dx, Rel (options --before and --after)" in text(unnamed)
    made = study(tmp_path, HEADER, *rows, before="Dx", after="Rel")
    assert made.missing == ()
    assert made.changes["p"].to_list() == pytest.approx([0.1, 0.1])
    assert "times that of baseline" in text(made)
    titles = [table.title for table in cd7_section(made).tables]
    assert "Cluster shares, Dx and Rel" in titles


def test_one_column_for_two_roles_and_a_column_named_value(tmp_path: Path) -> None:
    cells_file(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "a") as file:
        file["obs"].move("cluster", "value")
    made = study(
        tmp_path,
        "file kind cluster_column sample_column time_column",
        ("cells.h5ad", "h5ad", "value", "sample", "sample"),
    )
    assert made.clusters.select("cluster", "mean").rows() == [("CD7 high", 2), ("CD7 low", 0)]


def test_another_gene_is_named_in_table_and_figure(tmp_path: Path) -> None:
    cells_file(tmp_path / "cells.h5ad")
    made = study(tmp_path, HEADER, ("cells.h5ad", "h5ad", "", "", ""), gene="CD3E")
    section = cd7_section(made)
    table = next(t for t in section.tables if t.id == "cd7-clusters")
    assert (table.title, table.columns[-1].label) == ("CD3E by cluster", "Mean CD3E")
    labels = [axes.get_xlabel() for axes in section.figures[0].figure.axes]
    assert labels == ["Cells with CD3E (%)", "Mean CD3E"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([0.0, 1, 2, 3]), "look like counts"),
        (np.array([-0.4, 0.1, 0.2, 0.1]), "look scaled"),
        (np.array([0.0, np.nan, 0.2, 0.1]), "a value of CD7 for each cell"),
        (np.array([0.0, 0.7, 1.2, 0.1]), ""),
    ],
)
def test_values_that_are_no_logarithms_are_said(tmp_path: Path, values, words) -> None:
    cells_file(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "a") as file:
        file["X"][:, 1] = np.tile(values, 15)
    made = study(tmp_path, HEADER, ("cells.h5ad", "h5ad", "", "", ""))
    assert [words in problem.expected for problem in made.problems] == ([True] if words else [])
    table = next(t for t in cd7_section(made).tables if t.id == "cd7-clusters")
    assert ("values are scaled" in cells_of(table)) == ("scaled" in words)


def test_one_sample_a_side_has_no_test(tmp_path: Path) -> None:
    cells_file(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "a") as file:
        file["obs"]["sample"]["codes"][...] = np.repeat([0, 1], 30)
    made = study(tmp_path, HEADER, ("cells.h5ad", "h5ad", "", "", ""))
    table = next(t for t in cd7_section(made).tables if t.id == "cd7-changes")
    assert cells_of(table).count("fewer than two a side") == 2


def test_a_file_without_cells_is_said(tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    with h5py.File(path, "w") as file:
        for group, names in (("obs", []), ("var", ["CD7"])):
            file.create_group(group)["_index"] = np.array(names, dtype=h5py.string_dtype())
        for name in ("cluster", "sample", "time"):
            file["obs"][name] = np.array([], dtype=h5py.string_dtype())
        file["X"] = np.zeros((0, 1))
    with pytest.raises(InputError, match="expected cells"):
        study(tmp_path, HEADER, ("cells.h5ad", "h5ad", "", "", ""))


def test_whole_deletions_and_long_alleles_are_readable(tmp_path: Path) -> None:
    long = "C" + "ACGT" * 30
    vcf(tmp_path / "b.vcf", record(AT, "C>T", "40,0"))
    vcf(tmp_path / "r.vcf", record(AT, f"C>{long}", "20,20"))
    made = study(
        tmp_path,
        HEADER,
        ("b.vcf", "vcf", "P7", "baseline", ""),
        ("r.vcf", "vcf", "P7", "relapse", ""),
    )
    (table,) = cd7_section(made).tables
    assert "(121 bases)" in cells_of(table)
    assert max(len(cell) for row in table.rows for cell in row.cells) < 40
    assert pl.Series(made.variants["alternative"]).str.len_bytes().max() == 121
    assert CD7.start < made.variants["position"][0] < CD7.end
