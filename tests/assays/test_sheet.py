"""Sample sheets as people write them: every fault at once, with its row (truth: law)."""

from pathlib import Path

import pytest

from graftline.assays.sheet import is_sheet, named_files, read_sheet, sheet_notes
from graftline.problems import InputError, Problem
from graftline.schema.sheets import SHEETS, SheetColumn, sheets_guide

COLUMNS = (
    SheetColumn("file", "file", True, "The file"),
    SheetColumn("patient", "text", True, "Study ID"),
    SheetColumn("day", "day", True, "Study day"),
    SheetColumn("kind", "text", False, "What it is", ("blood", "marrow")),
    SheetColumn("beads", "number", False, "Beads per microlitre"),
    SheetColumn("well", "integer", False, "Number of the well"),
    SheetColumn("control", "flag", False, "A control"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.fcs", "sub/b.fcs"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def sheet(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = folder / "flow.csv"
    path.write_bytes(text.encode(encoding))
    return path


def problems(path: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read_sheet(path, COLUMNS)
    return caught.value.problems


def test_values_come_in_their_kinds_with_the_row_of_the_spreadsheet(folder: Path) -> None:
    text = (
        "file,patient,day,kind,beads,well,control,mine\n"
        "a.fcs,P1,-3,Blood,100.5,7,yes,x\n"
        "\n"
        "sub/b.fcs,P2,30,,,,NA,\n"
    )
    frame = read_sheet(sheet(folder, text), COLUMNS)
    first, second = frame.rows(named=True)
    assert first == {
        "row": 2,
        "file": str((folder / "a.fcs").resolve()),
        "patient": "P1",
        "day": -3.0,
        "kind": "blood",
        "beads": 100.5,
        "well": 7,
        "control": True,
    }
    assert (second["row"], second["beads"], second["control"]) == (4, None, None)
    (note,) = sheet_notes(folder / "flow.csv", COLUMNS)
    assert note.found == "mine"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark_are_read(folder: Path, separator: str) -> None:
    text = "\ufefffile,patient,day\na.fcs,P1,1\n".replace(",", separator)
    assert read_sheet(sheet(folder, text), COLUMNS)["patient"].to_list() == ["P1"]


def test_all_faults_are_told_at_once(folder: Path) -> None:
    rows = (
        "gone.fcs,P1,1,blood,1,1,yes",
        "sub,,2024-01-05,bone,many,1.5,perhaps",
        "../a.fcs,P3,,blood,inf,x,no",
    )
    found = problems(sheet(folder, "\n".join(["file,patient,day,kind,beads,well,control", *rows])))
    places = [(p.row, p.column) for p in found]
    assert places == [
        (2, "file"),
        (3, "beads"),
        (3, "control"),
        (3, "day"),
        (3, "file"),
        (3, "kind"),
        (3, "patient"),
        (3, "well"),
        (4, "beads"),
        (4, "day"),
        (4, "file"),
        (4, "well"),
    ]
    assert all(p.file == "flow.csv" and p.expected and p.remedy for p in found)


def test_faults_of_header_rows_and_values_come_together(folder: Path) -> None:
    found = problems(sheet(folder, "file,patient,dya\na.fcs,P1\ngone.fcs,,1\n"))
    assert [(p.row, p.column) for p in found] == [
        (1, "day"),
        (2, None),
        (3, "file"),
        (3, "patient"),
    ]


def test_a_path_that_leads_nowhere_is_told_once_with_its_rows(folder: Path) -> None:
    (folder / "loop.fcs").symlink_to("loop.fcs")
    names = ("A.FCS", "loop.fcs", "gone.fcs", f"{'x' * 300}.fcs", "gone.fcs", "sub/../../sub/b.fcs")
    rows = "".join(f"{name},P1,{day}\n" for day, name in enumerate(names))
    found = problems(sheet(folder, f"file,patient,day\n{rows}"))
    assert [(p.row, p.count) for p in found] == [(2, 1), (3, 1), (4, 2), (5, 1), (7, 1)]
    assert found[0].remedy.endswith("a.fcs is there")
    assert "lead back to itself" in found[1].remedy
    assert "inside the folder" in found[4].expected


def test_a_file_without_the_right_to_read_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graftline.assays.sheet.os.access", lambda path, mode: False)
    (found,) = problems(sheet(folder, "file,patient,day\na.fcs,P1,1\n"))
    assert (found.expected, found.row) == ("a file that can be read", 2)


def test_rows_may_be_left_out_and_their_faults_still_count(folder: Path) -> None:
    path = sheet(folder, "file,patient,day\na.fcs,P1,1\nsub/b.fcs,P2,2\n")
    assert read_sheet(path, COLUMNS, without=[2])["patient"].to_list() == ["P2"]
    sheet(folder, "file,patient,day\na.fcs,P1,soon\nsub/b.fcs,P2,2\n")
    with pytest.raises(InputError):
        read_sheet(path, COLUMNS, without=[2])


def test_dates_and_record_numbers_are_told_by_their_shape(folder: Path) -> None:
    found = problems(sheet(folder, "file,patient,day\na.fcs,P1,2024-01-05\na.fcs,P1,12345678\n"))
    assert [p.found for p in found] == ["####-##-##", "########"]
    (header,) = problems(sheet(folder, "a.fcs,P1,2024-01-05\na.fcs,P2,1\n"))
    assert header.found == "a.fcs, p1, ####-##-##"


def test_empty_columns_are_not_columns_of_ones_own(folder: Path) -> None:
    assert sheet_notes(sheet(folder, "file,patient,day,,\na.fcs,P1,1,,\n"), COLUMNS) == []


def test_a_misspelt_column_is_an_error_and_not_lost(folder: Path) -> None:
    found = problems(sheet(folder, "file,patient,day,control_\na.fcs,P1,1,yes\n"))
    assert [(p.row, p.column, p.expected) for p in found] == [(1, "control_", "the column control")]
    absent = problems(sheet(folder, "file,patient\na.fcs,P1\n"))
    assert [(p.column, p.remedy) for p in absent] == [("day", "add it")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("file,patient,day\n", "at least one sample"),
        ("file,patient,day,day\na.fcs,P1,1,2\n", "each column once"),
        ("file,patient,day\na.fcs,P1\n", "3 fields as in the header"),
        ('file,patient,day\n"a.fcs,P1,1\n', "a CSV table"),
        ("flow of 2026,,\nfile,patient,day\na.fcs,P1,1\n", "a header row with file, patient, day"),
        ("a.fcs,P1,1\n", "a header row with file, patient, day"),
        ("PK\3\4workbook", "a CSV, not an Excel workbook"),
        ("file,patient,day\n\0,P1,1\n", "NUL"),
    ],
)
def test_broken_sheets(folder: Path, text: str, said: str) -> None:
    assert said in str(InputError(problems(sheet(folder, text))))


def test_a_folder_and_an_absent_sheet(folder: Path) -> None:
    assert "not a folder" in problems(folder)[0].expected
    assert "can be read" in problems(folder / "none.csv")[0].expected


def test_windows_encoding_is_read_and_noted(folder: Path) -> None:
    path = sheet(folder, "file,patient,day\na.fcs,Pä,1\n", encoding="cp1252")
    assert read_sheet(path, COLUMNS)["patient"].to_list() == ["Pä"]
    assert "Windows-1252" in sheet_notes(path, COLUMNS)[0].remedy


def test_a_sheet_is_told_from_a_laboratory_file(folder: Path) -> None:
    assert is_sheet(sheet(folder, 'file;patient\n"unclosed'), COLUMNS)
    (folder / "clones.tsv").write_text("junction_aa\tv_call\n")
    assert not is_sheet(folder / "clones.tsv", COLUMNS)
    assert not is_sheet(folder, COLUMNS)


def test_named_files_are_known_also_of_a_faulty_sheet(folder: Path) -> None:
    path = sheet(folder, "file,patient,day\na.fcs,,x\n")
    assert named_files(path, COLUMNS) == {(folder / "a.fcs").resolve()}


def test_every_declared_column_stands_in_the_guide() -> None:
    guide = sheets_guide()
    for name, declared in SHEETS.items():
        assert f"## assays/{name}.csv" in guide
        part = guide.split(f"## assays/{name}.csv")[1].split("\n## ")[0]
        for column in declared.columns:
            assert f"| {column.name} |" in part
