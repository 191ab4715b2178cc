"""Commands of cell assays and kinetics: what they print, write, and say of hostile files."""

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graftline.cli import main
from tests.assays.cell_sheets import (
    cells_file,
    chimerism_sheet,
    function_sheet,
    labs_file,
    mlr_sheet,
    tracks,
    write_rows,
)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def cd7_sheet(folder: Path) -> Path:
    tracks(folder)
    cells_file(folder / "cells.h5ad")
    rows = [
        ("base.bw", "atac", "P7", "baseline"),
        ("relapse.bw", "atac", "P7", "relapse"),
        ("cells.h5ad", "h5ad", "", ""),
    ]
    return write_rows(folder / "cd7.csv", "file kind patient time", rows)


COMMANDS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "mlr": (mlr_sheet, ("Patients beside donors", "third party")),
    "chimerism": (chimerism_sheet, ("Donor chimerism", "mixed", "rows for the trial folder")),
    "function": (function_sheet, ("PMA/ionomycin", "Responds")),
    "cd7": (cd7_sheet, ("ATAC signal over CD7", "CD7 low")),
    "kinetics": (labs_file, ("By qPCR", "2.48e6", "HSPC is not marked")),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_the_page_and_the_files(tmp_path: Path, command: str) -> None:
    make, words = COMMANDS[command]
    sheet, out = make(tmp_path), tmp_path / "out"
    result = run(command, sheet, "--out", out, "--figures", "png")
    assert result.exit_code == 0, result.output
    for word in words:
        assert word in result.output
    assert max(len(line) for line in result.stdout.splitlines()) <= max(96, len(str(out)) + 60)
    page = (out / f"{command}.html").read_text("utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert list((out / "tables").glob("*.csv"))
    assert list((out / "figures").glob("*.png"))


def test_rows_for_the_trial_are_those_of_its_table(tmp_path: Path) -> None:
    run("chimerism", chimerism_sheet(tmp_path), "--out", tmp_path / "out")
    with (tmp_path / "out" / "chimerism.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["donor"] for row in rows} == {"D1"}
    assert {row["method"] for row in rows} == {"STR"}
    assert len(rows) == 4


def edited(sheet: Path, row: int, column: str, value: str) -> Path:
    with sheet.open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    rows[row - 1][rows[0].index(column)] = value
    return write_rows(sheet, " ".join(rows[0]), rows[1:])


@pytest.mark.parametrize(
    ("command", "row", "column", "value", "code", "words"),
    [
        ("mlr", 2, "file", "none.fcs", 1, "row 2, column file: found 'none.fcs'"),
        ("mlr", 2, "file", "../../x.fcs", 1, "inside the folder of the sheet"),
        ("mlr", 2, "day", "2024-01-01", 1, "a number, not a date"),
        ("mlr", 2, "person", "nurse", 1, "one of patient, donor"),
        ("mlr", 3, "replicate", "1", 1, "each well once; row 2 is the same"),
        ("chimerism", 2, "lineage", "blood", 1, "one of unsorted, cd3"),
        ("chimerism", 2, "donor", "P1", 1, "none of them the recipient"),
        ("chimerism", 2, "donor", "X", 1, "genotype of every contributor"),
        ("chimerism", 2, "sample", "S", 1, "one of the samples of the peaks file"),
        ("function", 2, "responding", "-1", 1, "row 2, column responding"),
        ("function", 2, "parent", "0", 1, "at least one event"),
        ("function", 2, "responding", "", 1, "fill in responding"),
        ("function", 2, "stimulus", "tea", 1, "one of none, pma_ionomycin"),
        ("cd7", 2, "kind", "bam", 1, "one of atac, vcf, h5ad"),
        ("cd7", 2, "time", "", 1, "a time for atac"),
        ("kinetics", 3, "value", "-5", 1, "at least 0"),
        ("kinetics", 3, "unit", "furlongs", 1, "a unit of car_t_qpcr"),
        ("kinetics", 3, "day", "soon", 1, "row 3, column day"),
    ],
)
def test_faults_of_a_sheet(tmp_path, command, row, column, value, code, words) -> None:
    sheet = edited(COMMANDS[command][0](tmp_path), row, column, value)
    result = run(command, sheet, "--out", tmp_path / "out")
    assert result.exit_code == code
    assert words in result.output
    assert "Nothing was computed" in result.output
    assert not (tmp_path / "out").exists()


HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)) * 4,
    "fcs cut short": b"FCS3.0         58     100     101     200       0       0",
    "words": b"CFSE,x\n1,2\nfoo,3\n",
    "header only": b"CFSE,x\n",
    "ragged": b"CFSE,x\n1,2,3\n4\n",
    "negative": b"CFSE,x\n" + b"-5,1\n" * 300,
    "logarithms": b"CFSE,x\n" + b"4.2,1\n" * 300,
    "gzip of nothing": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("command", ["mlr", "chimerism", "cd7"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_end_in_words(tmp_path: Path, command: str, kind: str) -> None:
    sheet = COMMANDS[command][0](tmp_path)
    (tmp_path / "hostile.csv").write_bytes(HOSTILE[kind])
    result = run(command, edited(sheet, 2, "file", "hostile.csv"), "--out", tmp_path / "out")
    # one well of two without a cell is left out and said; anything else stops
    assert result.exit_code in (1, 2) or "the well is left out" in result.output
    assert "expected" in result.output


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "code"), [(b"", 2), (bytes(range(256)), 2), (b"a,b\n1,2\n", 1)]
)
def test_hostile_sheets_end_in_words(tmp_path: Path, command: str, content: bytes, code) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(content)
    result = run(command, sheet)
    assert result.exit_code == code
    assert "expected" in result.output
    assert run(command, tmp_path / "absent.csv").exit_code == 2
    assert run(command, tmp_path).exit_code == 2


@pytest.mark.parametrize(("module", "file"), [("h5py", "cells.h5ad")])
def test_a_reader_that_is_not_installed_is_named(tmp_path, monkeypatch, module, file) -> None:
    def without(name: str):
        if name == module:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return import_module(name)

    sheet = cd7_sheet(tmp_path)
    monkeypatch.setattr("graftline.assays.extras.import_module", without)
    rows = [
        line for line in sheet.read_text("utf-8").splitlines() if file in line or "kind" in line
    ]
    sheet.write_text("\n".join(rows) + "\n", encoding="utf-8")
    result = run("cd7", sheet)
    assert result.exit_code == 2
    assert 'pip install "graftline[genomics]"' in result.output


def test_choices_of_kinetics_change_what_they_say(tmp_path: Path) -> None:
    labs = labs_file(tmp_path)
    options = ("--trapezoid", "linear", "--out", tmp_path / "out")
    linear = run("kinetics", labs, *options)
    assert "2.74e6" in linear.output  # definitions 6.1: 2.738e6 all linear, 2.482e6 log down
    short = run("kinetics", labs, "--until", "14", "--out", tmp_path / "out")
    assert "AUC0-14" in short.output
    # by hand: 1000 + 30750 + 300000 + 940000
    assert "1.27e6" in short.output


def test_pknca_s_rules_are_asked_for_by_options(tmp_path: Path) -> None:
    header = "patient,day,analyte,value,unit\n"
    late = [(7, 80), (10, 20), (14, 30), (21, 9), (28, 10)]
    rows = "".join(f"P1,{day},car_t_qpcr,{value},copies/\u00b5g DNA\n" for day, value in late)
    labs = tmp_path / "labs.csv"
    labs.write_text(header + rows, encoding="utf-8")
    own = run("kinetics", labs, "--out", tmp_path / "own")
    assert "poor fit" in own.output
    theirs = ("--samples", "0", "--half-life-r2", "-1", "--start", "sample")
    pknca = run("kinetics", labs, *theirs, "--out", tmp_path / "pknca")
    # no area before the first sample, and a half-life of 12.3 days whatever its fit
    assert "no start" in pknca.output
    assert "12.3" in pknca.output


def test_a_trial_with_sheets_has_their_sections(tmp_path: Path) -> None:
    from graftline.report.assays import assay_sections, inspect_assays

    assays = tmp_path / "assays"
    assays.mkdir()
    for name in ("mlr", "chimerism", "function", "cd7"):
        COMMANDS[name][0](assays)
    made = assay_sections(tmp_path)
    assert [section.id for section in made.sections] == [
        "assay-mlr",
        "assay-function",
        "assay-chimerism",
        "assay-cd7",
    ]
    assert all(section.tables for section in made.sections)
    (assays / "peaks.csv").write_text("sample,locus\n", encoding="utf-8")
    broken = assay_sections(tmp_path)
    assert [bool(section.tables) for section in broken.sections] == [True, True, False, True]
    assert any("column allele" in line for line in broken.sections[2].missing)
    assert any("peaks.csv" in problem.file for problem in inspect_assays(tmp_path))
