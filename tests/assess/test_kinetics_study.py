"""Kinetics of one table by itself: how it may come, and what is said of what it lacks."""

from pathlib import Path

import openpyxl
import pytest

from graftline.assess.kinetics_study import KineticsOptions, KineticsStudy, kinetics_study
from graftline.problems import InputError, Severity

HEADER = ("patient", "day", "analyte", "value", "unit", "quantification", "lloq")
# definitions 6.1: AUC of 2.482e6
EXAMPLE = ((0, 0.0), (4, 500.0), (7, 2e4), (10, 1.8e5), (14, 2.9e5), (21, 6e4), (28, 9e3))
ROWS = [("P1", day, "car_t_qpcr", value, "copies/ug DNA", None, 50) for day, value in EXAMPLE]


def text(rows, separator: str = ",") -> str:
    cells = [["" if c is None else str(c) for c in row] for row in (HEADER, *rows)]
    return "".join(separator.join(line) + "\n" for line in cells)


def workbook(path: Path, **sheets) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def area(study: KineticsStudy) -> float:
    return study.parameters["auc"].item()


@pytest.mark.parametrize(
    "sheets",
    [
        {"Tabelle1": [HEADER, *ROWS]},  # the only sheet, whatever it is called
        {"notes": [("seen by", "on")], "Labs": [HEADER, *ROWS]},
        {"Sheet1": [HEADER, *ROWS], "Sheet2": [], "Sheet3": [(None, "")]},
    ],
)
def test_an_excel_table(tmp_path, sheets) -> None:
    study = kinetics_study(workbook(tmp_path / "car-t.xlsx", **sheets))
    assert area(study) == pytest.approx(2.482e6, rel=5e-4)
    assert study.problems == ()


def test_an_excel_table_that_could_be_either_of_two(tmp_path) -> None:
    book = workbook(tmp_path / "b.xlsx", qpcr=[HEADER, *ROWS], flow=[HEADER])
    with pytest.raises(InputError, match="sheets qpcr, flow"):
        kinetics_study(book)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "save it as .xlsx"),
        ("locked.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel workbook"),
        ("text.xlsx", b"patient,day\nP1,0\n", "Excel workbook"),
    ],
)
def test_workbooks_that_are_none(tmp_path, name, content, words) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        kinetics_study(path)


def test_units_that_are_not_written_are_said(tmp_path) -> None:
    path = tmp_path / "labs.csv"
    bare = [(*row[:4], None if row[1] < 10 else row[4], *row[5:]) for row in ROWS]
    path.write_text(text(bare), encoding="utf-8")
    study = kinetics_study(path)
    (said,) = study.problems
    assert (said.severity, said.column, said.count) == (Severity.WARNING, "unit", 3)
    assert "copies/ug DNA" in said.remedy
    assert area(study) == pytest.approx(2.482e6, rel=5e-4)


def test_units_of_both_assays_in_one_profile_are_refused(tmp_path) -> None:
    path = tmp_path / "labs.csv"
    mixed = [(*row[:4], "cells/uL" if row[1] > 10 else row[4], *row[5:]) for row in ROWS]
    path.write_text(text(mixed), encoding="utf-8")
    with pytest.raises(InputError) as found:
        kinetics_study(path)
    assert [problem.row for problem in found.value.problems] == [6, 7, 8]


def test_decimal_commas_are_declared(tmp_path) -> None:
    path = tmp_path / "labs.csv"
    comma = [(*row[:3], str(row[3]).replace(".", ","), *row[4:]) for row in ROWS]
    path.write_text(text(comma, ";"), encoding="utf-8")
    with pytest.raises(InputError, match="--decimal ,"):
        kinetics_study(path)
    study = kinetics_study(path, options=KineticsOptions(decimal=","))
    assert area(study) == pytest.approx(2.482e6, rel=5e-4)


@pytest.mark.parametrize("lost", ["P1", "P2"])
def test_samples_before_infusion_only_are_said(tmp_path, lost) -> None:
    path = tmp_path / "labs.csv"
    early = [(lost, -1 - row[1], *row[2:]) for row in ROWS]
    path.write_text(text(early if lost == "P1" else [*ROWS, *early]), encoding="utf-8")
    if lost == "P1":
        with pytest.raises(InputError, match="days before 0 only"):
            kinetics_study(path)
        return
    (said,) = kinetics_study(path).problems
    assert (said.severity, said.found, said.column) == (Severity.WARNING, "P2", "day")


def test_a_peak_after_day_28_is_looked_for_where_asked(tmp_path) -> None:
    # a second expansion, higher than the first: definitions 6.1 has the whole follow-up as option
    path = tmp_path / "labs.csv"
    path.write_text(text([*ROWS, ("P1", 60, *ROWS[0][2:3], 4e5, *ROWS[0][4:])]), encoding="utf-8")
    peaks = [
        kinetics_study(path, options=KineticsOptions(peak_until=day)).parameters.select(
            "tmax", "cmax"
        )
        for day in (28, 365)
    ]
    assert [peak.row(0) for peak in peaks] == [(14, 2.9e5), (60, 4e5)]


def test_the_choices_reach_every_area(tmp_path) -> None:
    path = tmp_path / "labs.csv"
    path.write_text(text(ROWS[1:]), encoding="utf-8")
    with_sample = KineticsOptions(start="sample")
    row = kinetics_study(path, options=with_sample).parameters.row(0, named=True)
    assert row["reason_auc"] == "no_sample_at_infusion"
    assert row["auc_last"] is row["auc_all"] is None
    # definitions 6.1: all linear 2.738e6; the last sample is on day 28
    linear = kinetics_study(path, options=KineticsOptions(trapezoid="linear"))
    row = linear.parameters.row(0, named=True)
    assert row["auc"] == row["auc_last"] == row["auc_all"] == pytest.approx(2.738e6, rel=5e-4)
