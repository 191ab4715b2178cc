"""Where an assay is read from: data cut, settings and HSPC of its trial (truth: law, hand-made)."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from graftline.cli import main
from graftline.problems import InputError, Problem, Severity
from graftline.report.assay_readers import read_assay
from graftline.report.assay_sources import find_source, trial_source
from graftline.report.assays import assay_sections, inspect_assays
from graftline.report.value import Section
from graftline.schema.sheets import SHEETS
from graftline.trial.read import inspect_trial, read_trial
from tests.assays.cell_sheets import chimerism_sheet, function_sheet, write_rows
from tests.assays.repertoire_files import write_airr, write_sheet

TRIAL = Path(__file__).parents[1] / "trials" / "complete"
SHEET = "file,patient,day,sample_type"


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    folder = tmp_path / "trial"
    shutil.copytree(TRIAL, folder)
    (folder / "assays").mkdir()
    return folder


def said(folder: Path, text: str) -> None:
    path = folder / "protocol.toml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def dated(folder: Path, dates: dict[str, str]) -> None:
    """Give the index infusion of patients a calendar date."""
    path = folder / "infusions.csv"
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    patients, rows = set(), [first + ",date"]
    for line in lines:
        patient = line.split(",")[0]
        rows.append(f"{line},{dates.get(patient, '') if patient not in patients else ''}")
        patients.add(patient)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def repertoires(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    for name, *_ in rows:
        write_airr(folder / "assays" / str(name), {"CASA": 6, "CASC": 4})
    return write_sheet(folder / "assays" / "tcr.csv", SHEET, rows)


def section_of(folder: Path) -> Section:
    (section,) = assay_sections(folder, read_trial(folder)).sections
    return section


def samples(section: Section) -> list[str]:
    (table,) = [t for t in section.tables if t.id == "tcr-samples"]
    return sorted(table.data["sample"])


ROWS = [
    ("d.tsv", "A01", "", "donor"),
    ("a.tsv", "A01", 40, "patient"),
    ("b.tsv", "A01", 41, "patient"),
    ("c.tsv", "A02", 41, "patient"),
    ("e.tsv", "Z9", 900, "patient"),
]


def test_a_calendar_cut_leaves_out_what_is_later_for_each_patient(trial: Path) -> None:
    # A01 was infused 40 days before the cut, A02 50 days; nobody knows when Z9 was
    dated(trial, {"A01": "2024-01-01", "A02": "2023-12-22"})
    said(trial, "data_cut = 2024-02-10\n")
    repertoires(trial, ROWS)
    section = section_of(trial)
    assert samples(section) == ["A01 d40", "A01 donor", "A02 d41", "Z9 d900"]
    assert "Left out: 1 sample after the data cut." in section.text
    (note,) = [p for p in inspect_assays(trial, read_trial(trial)) if p.column == "day"]
    assert (note.row, note.count, note.severity) == (4, 1, Severity.NOTE)


def test_a_study_day_cuts_everybody(trial: Path) -> None:
    said(trial, "data_cut_day = 40.5\n")
    repertoires(trial, ROWS)
    section = section_of(trial)
    assert samples(section) == ["A01 d40", "A01 donor"]
    assert "Left out: 3 samples after the data cut." in section.text


def test_files_of_samples_after_the_cut_are_not_read(trial: Path) -> None:
    said(trial, "data_cut_day = 40\n")
    repertoires(trial, ROWS)
    (trial / "assays" / "b.tsv").write_bytes(b"\0")
    assert samples(section_of(trial)) == ["A01 d40", "A01 donor"]
    assert not [p for p in inspect_assays(trial, read_trial(trial)) if p.severity is Severity.ERROR]


def test_an_assay_wholly_after_the_cut(trial: Path) -> None:
    said(trial, "data_cut_day = 10\n")
    repertoires(trial, ROWS[1:])
    section = section_of(trial)
    assert (section.tables, section.missing) == (
        (),
        ("All 4 samples are of days after the data cut.",),
    )
    found = inspect_assays(trial, read_trial(trial))
    assert {p.severity for p in found} == {Severity.NOTE, Severity.WARNING}


def test_what_the_cut_leaves_is_what_a_shorter_sheet_gives(trial: Path) -> None:
    # law: cutting is the same as never having had the later rows
    assays = trial / "assays"
    chimerism_sheet(assays, patient="A01", donor="A01-D1")
    function_sheet(assays, patients=("A01", "A02"))
    said(trial, "data_cut_day = 100\n")
    cut = assay_sections(trial, read_trial(trial)).sections
    lines = (assays / "chimerism.csv").read_text(encoding="utf-8").splitlines()
    (assays / "chimerism.csv").write_text("\n".join(lines[:4]) + "\n", encoding="utf-8")
    short = assay_sections(trial, read_trial(trial)).sections
    assert [s.id for s in cut] == ["assay-function", "assay-chimerism"]
    assert cut[0].missing == ("All 40 samples are of days after the data cut.",)
    for one, other in zip(cut[1].tables, short[1].tables, strict=True):
        assert one.data.equals(other.data)


def test_a_sheet_without_days_says_that_nothing_was_cut(trial: Path) -> None:
    write_airr(trial / "assays" / "x.vcf", {})
    path = write_rows(trial / "assays" / "cd7.csv", "file kind patient time", [("x.vcf", *"abc")])
    said(trial, "data_cut_day = 10\n")
    rows = [("x.vcf", "vcf", "A01", "baseline")]
    write_rows(path, "file kind patient time", rows)
    source = trial_source(SHEETS["cd7"], path, read_trial(trial))
    assert source.without == ()
    assert ["the sheet has no days" in p.remedy for p in source.problems] == [True]


def found_of(folder: Path, column: str) -> list[Problem]:
    found = inspect_assays(folder, read_trial(folder))
    return [p for p in found if p.column == column]


def test_a_stranger_is_told_once_with_his_rows(trial: Path) -> None:
    repertoires(trial, [*ROWS, ("f.tsv", "Z9", 901, "patient"), ("g.tsv", "Y1", 1, "patient")])
    strangers = found_of(trial, "patient")
    assert [(p.found, p.row, p.count) for p in strangers] == [("Z9", 6, 2), ("Y1", 8, 1)]


def test_a_day_of_hspc_that_is_not_the_trials_is_told(trial: Path) -> None:
    write_airr(trial / "assays" / "a.tsv", {"CASA": 6, "CASC": 4})
    rows = [("a.tsv", "A01", 60, "patient", 3)]
    write_sheet(trial / "assays" / "tcr.csv", SHEET + ",hsct_day", rows)
    read = read_trial(trial)
    hspc = read["infusions"].filter(pl.col("kind") == "hspc", pl.col("patient") == "A01")["day"][0]
    (found,) = found_of(trial, "hsct_day")
    assert (found.found, found.patient, found.expected) == (
        "3",
        "A01",
        f"the trial's day of HSPC, {hspc:g}",
    )


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_settings_of_the_folder_hold_in_the_report_and_the_command_line_before_them(
    trial: Path, tmp_path: Path
) -> None:
    # 99 % donor is full from 95 %, mixed from 99.5 %
    chimerism_sheet(trial / "assays", patient="A01", donor="A01-D1")

    def classes(section: Section) -> list[str]:
        (table,) = [t for t in section.tables if t.id == "chimerism-samples"]
        return table.data.sort("donor_percent")["label"].to_list()

    def set_by(section: Section) -> list[tuple[str, ...]]:
        return [row.cells[:3] for row in section.tables[-1].rows]

    assert classes(section_of(trial)) == ["mixed", "mixed", "full", "full"]
    said(trial, "[assays.chimerism]\nfull = 99.5\nstutter = 0.08\n")
    section = section_of(trial)
    assert classes(section) == ["mixed", "mixed", "mixed", "full"]
    assert section.tables[-1].id == "chimerism-settings"
    assert set_by(section) == [
        ("stutter", "0.08", "protocol.toml"),
        ("detection", "5", "default"),
        ("full", "99.5", "protocol.toml"),
    ]
    for given in (trial, trial / "assays" / "chimerism.csv"):
        source = find_source("chimerism", given, {"full": 75.0})
        page = read_assay(source)
        assert classes(page.section) == ["mixed", "full", "full", "full"]
        assert set_by(page.section)[2] == ("full", "75", "command line")
    # a sheet elsewhere knows no trial
    shutil.copytree(trial / "assays", tmp_path / "alone")
    alone = read_assay(find_source("chimerism", tmp_path / "alone" / "chimerism.csv", {}))
    assert {cells[2] for cells in set_by(alone.section)} == {"default"}


def test_the_command_writes_the_numbers_of_the_report_beside_the_trial(trial: Path) -> None:
    repertoires(trial, ROWS)
    said(trial, "data_cut_day = 40.5\n[assays.tcr]\ndepth = 4\n")
    expected = {t.id: t.data for t in section_of(trial).tables}
    result = run("tcr", trial)
    assert result.exit_code == 0, result.output
    out = trial.parent / "trial-tcr-report"
    written = {path.stem for path in (out / "tables").iterdir()}
    assert written >= set(expected)
    shown = pl.read_csv(out / "tables" / "tcr-samples.csv")
    assert shown["clonality"].to_list() == expected["tcr-samples"]["clonality"].to_list()
    assert "Left out: 3 samples after the data cut." in result.output
    assert "Settings: depth 4 (protocol.toml)." in result.output
    page = (out / "tcr.html").read_text(encoding="utf-8")
    assert "Left out: 3 samples after the data cut." in page
    # the results do not look like files of the trial
    assert not [p for p in inspect_assays(trial, read_trial(trial)) if p.file == "assays"]


def test_a_wrong_setting_stops_report_and_command_with_its_place(trial: Path) -> None:
    repertoires(trial, ROWS)
    said(trial, "[assays.tcr]\ndepth = 1\n")
    for command in ("check", "report", "tcr"):
        result = run(command, trial)
        assert result.exit_code == 1, command
        assert "protocol.toml, column assays.tcr.depth: found '1'" in result.output
        assert "expected a whole number at least 2" in result.output


def test_a_trial_without_the_sheet(trial: Path) -> None:
    result = run("mlr", trial)
    assert result.exit_code == 2
    assert "a sample sheet assays/mlr.csv in the trial folder" in result.output
    with pytest.raises(InputError):
        find_source("mlr", trial, {})


def test_a_threshold_that_criteria_use_is_the_protocols(trial: Path) -> None:
    said(trial, "[definitions]\ncd7_eradication_cells_per_ul = 0.5\n")
    repertoires(trial, ROWS)
    read, _ = inspect_trial(trial)
    source = trial_source(SHEETS["tcr"], trial / "assays" / "tcr.csv", read)
    assert source.settings.assay == "tcr"
    write_rows(
        trial / "assays" / "flow.csv", "file patient day specimen", [("a.tsv", "A01", 1, "blood")]
    )
    flow = trial_source(SHEETS["flow"], trial / "assays" / "flow.csv", read).settings
    assert flow.number("eradicated_below") == 0.5
