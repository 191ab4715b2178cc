"""Assays of a trial folder: each sheet a section; a broken one stops nothing else (truth: law)."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from graftline.cli import main
from graftline.problems import Severity
from graftline.report.assay_readers import READERS
from graftline.report.assays import assay_sections, inspect_assays
from graftline.report.html import render_html
from graftline.report.value import Report
from graftline.schema.sheets import SHEETS
from graftline.trial.read import read_trial
from tests.assays.repertoire_files import write_airr, write_sheet, write_study

TRIAL = Path(__file__).parents[1] / "trials" / "complete"


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    folder = tmp_path / "trial"
    shutil.copytree(TRIAL, folder)
    (folder / "assays").mkdir()
    return folder


def test_every_sheet_that_is_declared_has_a_reader() -> None:
    assert set(READERS) == set(SHEETS)


def test_a_trial_without_assays_has_no_section(trial: Path) -> None:
    shutil.rmtree(trial / "assays")
    found = assay_sections(trial, read_trial(trial))
    assert (found.sections, found.problems) == ((), ())
    assert inspect_assays(trial) == []


def test_a_sheet_becomes_a_section_with_unique_ids(trial: Path) -> None:
    write_study(trial / "assays")
    found = assay_sections(trial, read_trial(trial))
    (section,) = found.sections
    assert (section.id, section.title) == ("assay-tcr", "T-cell repertoires")
    assert {table.id for table in section.tables} >= {"tcr-samples", "tcr-traced"}
    page = render_html(Report("T", "", False, (), (), found.sections))
    assert 'href="#assay-tcr"' in page
    strangers = [p for p in found.problems if p.expected == "a patient of the trial"]
    known = set(read_trial(trial).patients["patient"])
    assert (len(strangers) == 0) == ("P1" in known)


def test_days_of_hspc_come_from_the_trial(trial: Path) -> None:
    read = read_trial(trial)
    patient = read["infusions"].filter(kind="hspc")["patient"][0]
    write_airr(trial / "assays" / "a.tsv", {"CASF": 3, "CASA": 2})
    rows = [("a.tsv", patient, 60, "patient")]
    write_sheet(trial / "assays" / "tcr.csv", "file,patient,day,sample_type", rows)
    (section,) = assay_sections(trial, read).sections
    (table,) = [t for t in section.tables if t.id == "tcr-samples"]
    from graftline.trial.timeline import hsct_days

    hsct = dict(hsct_days(read).select("patient", "hsct_day").rows())[patient]
    assert table.data["day"].to_list() == [60 - hsct]


def test_a_broken_sheet_says_why_and_stops_only_itself(trial: Path) -> None:
    write_sheet(
        trial / "assays" / "tcr.csv",
        "file,patient,day,sample_type",
        [("gone.tsv", "P1", 1, "patient")],
    )
    found = assay_sections(trial, read_trial(trial))
    (section,) = found.sections
    assert "assays/tcr.csv" in section.missing[0]
    assert "a file that exists" in section.missing[1]
    assert [(p.file, p.row) for p in found.problems] == [("assays/tcr.csv", 2)]
    result = CliRunner().invoke(main, ["check", str(trial)])
    assert result.exit_code == 1
    assert "assays/tcr.csv, row 2, column file: found 'gone.tsv'" in result.output


def test_a_broken_file_is_named_by_its_place(trial: Path) -> None:
    write_study(trial / "assays")
    write_airr(trial / "assays" / "P1_90.tsv", {"CASA": 3, "CASF": ""})
    problems = inspect_assays(trial, read_trial(trial))
    errors = [p for p in problems if p.severity is Severity.ERROR]
    places = [(p.file, p.row, p.column) for p in errors]
    assert places == [("assays/P1_90.tsv", 3, "duplicate_count")]


def test_files_that_no_sheet_names_are_told(trial: Path) -> None:
    write_study(trial / "assays")
    (trial / "assays" / "lost.fcs").write_bytes(b"x")
    (trial / "assays" / "notes.md").write_text("a remark")
    (problem,) = [p for p in inspect_assays(trial) if p.file == "assays"]
    assert problem.found == "assays/lost.fcs"
    assert problem.severity is Severity.WARNING


@pytest.mark.parametrize("name", ["tcr.xlsx", "TCR.CSV", "tcr.txt", "tcr.tsv"])
def test_a_sheet_under_another_name_is_told(trial: Path, name: str) -> None:
    write_study(trial / "assays")
    (trial / "assays" / "tcr.csv").rename(trial / "assays" / name)
    found = {p.file: p for p in inspect_assays(trial)}
    assert found[f"assays/{name}"].expected == "a sample sheet named tcr.csv"
    assert "tcr.csv" not in str(found["assays"].found)
    # beside the sheet itself it is a file like any other
    write_study(trial / "assays")
    assert {p.expected for p in inspect_assays(trial)} <= {
        "files that a sample sheet (tcr.csv, flow.csv, mlr.csv, function.csv, chimerism.csv, "
        "cd7.csv) names"
    }


def test_assays_that_is_no_folder(trial: Path) -> None:
    (trial / "assays").rmdir()
    (trial / "assays").write_text("x")
    (problem,) = inspect_assays(trial)
    assert (problem.file, problem.expected) == ("assays", "a folder that can be opened")
    assert assay_sections(trial).problems == (problem,)


def test_a_sheet_that_is_a_link_to_nothing_or_a_folder(trial: Path) -> None:
    (trial / "assays" / "tcr.csv").symlink_to("gone.csv")
    (trial / "assays" / "mlr.csv").mkdir()
    (trial / "assays" / "flow.csv").write_bytes(b"")
    found = assay_sections(trial)
    assert [p.file for p in found.problems] == [f"assays/{n}.csv" for n in ("tcr", "flow", "mlr")]
    assert {p.severity for p in found.problems} == {Severity.UNREADABLE}
    result = CliRunner().invoke(main, ["check", str(trial)])
    assert result.exit_code == 2
    assert "a sample sheet (CSV), not a folder" in result.output


def test_the_report_has_the_assays_after_immunity_and_says_what_is_broken(
    trial: Path, tmp_path: Path
) -> None:
    write_study(trial / "assays")
    (trial / "assays" / "flow.csv").write_bytes(b"PK\3\4")
    result = CliRunner().invoke(main, ["report", str(trial), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "Not used as it is: assays/flow.csv; graftline check says why" in result.output
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    names = ("immunity", "assay-tcr", "assay-flow", "data")
    places = [page.index(f'<section id="{name}">') for name in names]
    assert places == sorted(places)
    assert "a CSV, not an Excel workbook" in page[places[2] : places[3]]
    assert "No p-values are printed but those of assays" in page
