"""graftline tcr: what it prints, writes, and says of hostile files; never a traceback."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from graftline.cli import main
from tests.assays.repertoire_files import DONOR, HEADER, airr_line, write_airr, write_study
from tests.reference import reference_path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["tcr", *(str(a) for a in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_sheet_gives_a_page_tables_figures_and_a_table_to_read(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    result = run(sheet, "--top", 2, "--depth", 50, "--figures", "svg")
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.output.splitlines() if "tmp" not in line) <= 96
    out = tmp_path / "tcr-report"
    assert str(out / "tcr.html") in result.output.replace("\n", "")
    page = (out / "tcr.html").read_text(encoding="utf-8")
    assert "80.0% (80.0\N{EN DASH}80.0) of it and 15.0% (15.0\N{EN DASH}15.0) of the donor" in page
    assert "<script" not in page
    for name in ("samples", "diversity", "depth", "traced", "clones", "trends", "overlap"):
        assert (out / "tables" / f"tcr-{name}.csv").stat().st_size > 0
    figures = {path.name for path in (out / "figures").iterdir()}
    assert {"tcr-courses.svg", "tcr-bands.svg", "tcr-tracked.svg"} <= figures
    traced = pl.read_csv(out / "tables" / "tcr-traced.csv")
    assert traced.filter(pl.col("sample") == "P1 donor")["share"].to_list() == pytest.approx([0.15])


def test_the_same_input_gives_the_same_page(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    pages = []
    for name in ("one", "two"):
        run(sheet, "--depth", 50, "--out", tmp_path / name)
        pages.append((tmp_path / name / "tcr.html").read_bytes())
    assert pages[0] == pages[1]


def test_golden_values_come_through_the_command(tmp_path: Path) -> None:
    # Golden: vegan 2.6 and immunarch 0.9.1, all rows, clones by CDR3 amino acids.
    folder = reference_path("tcr/airr_ms_controls")
    golden = pl.read_csv(reference_path("tcr/golden_diversity.csv")).filter(
        pl.col("unit") == "cdr3aa"
    )
    names = ("A2-i129", "MS1")
    files = [folder / f"{name}.tsv.gz" for name in names]
    done = run(*files, "--key", "aa", "--rows", "all", "--out", tmp_path)
    assert done.exit_code == 0
    found = pl.read_csv(tmp_path / "tables" / "tcr-samples.csv")
    same = {
        "clones": "S",
        "reads": "N",
        "clonality": "clonality_1_minus_pielou",
        "gini": "gini_immunarch",
        "inverse_simpson": "inverse_simpson_immunarch",
        "chao1": "chao1_biascorrected_vegan",
        "ace": "ace_vegan",
        "d50_clones": "D50_clones_immunarch",
        "top_50_share": "top50_freq",
    }
    for name in names:
        row = found.filter(pl.col("sample") == name).row(0, named=True)
        truth = golden.filter(pl.col("sample") == name).row(0, named=True)
        for ours, theirs in same.items():
            assert row[ours] == pytest.approx(truth[theirs], rel=1e-9), ours


def text(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines, ""]).encode()


GOOD = text(*(airr_line(aa, count) for aa, count in DONOR.items()))
MANY = gzip.compress(text(*(airr_line("CASS" + "ACDEFGHIKL"[n % 10], n) for n in range(4000))))
FILES: dict[str, tuple[bytes, int, str]] = {
    "cut.tsv.gz": (MANY[: len(MANY) // 2], 2, "rows that can be read to the end"),
    "damaged.tsv.gz": (MANY[:900] + b"\xff" * 9 + MANY[909:], 2, "damaged|corrupt|rows that can"),
    "nothing.tsv.gz": (b"", 2, "the file is empty"),
    "empty.tsv.gz": (gzip.compress(b""), 2, "the file is empty"),
    "semicolons.tsv": (GOOD.replace(b"\t", b";"), 0, "Repertoires"),
    "missing.tsv": (
        text(airr_line("CASF", 3), airr_line("CAF", "")),
        1,
        "(?s)row 3,.*never",
    ),
    "loci.tsv": (text(airr_line("CASF", 3), airr_line("CAF", 2, locus="TRA")), 0, "loci"),
    "stops.tsv": (text(airr_line("CASF", 3), airr_line("CA*F", 2)), 0, "stop in cdr3"),
    "columns.tsv": (b"a\tb\n1\t2\n", 2, "the columns of an AIRR Rearrangement"),
    "one.tsv": (b"abc\n1\n", 2, "columns separated by"),
    "header.tsv": (text(), 1, "at least one row of data"),
    "half.tsv": (GOOD + b"x\tTRB\tTRBV", 1, "row 6, column duplicate_count"),
    "latin.tsv": (GOOD + airr_line("CASWF", 2).replace("V9", "V9ä").encode("cp1252"), 0, "latin"),
    "utf16.tsv": (GOOD.decode().encode("utf-16"), 2, "UTF-16"),
    "binary.tsv": (bytes(range(256)) * 8, 2, "not binary data"),
    "none.tsv": (text(airr_line("CASF", 3, productive="F")), 0, "n/d"),
}


@pytest.mark.parametrize("name", FILES)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    content, code, said = FILES[name]
    (tmp_path / name).write_bytes(content)
    result = run(tmp_path / name, "--depth", 3)
    assert result.exit_code == code, result.output
    assert re.search(said, result.output), result.output
    if code:
        assert re.search(rf"(ERROR|UNREADABLE): {re.escape(name)}", result.output)
        assert not (tmp_path / f"{name.split('.')[0]}-report").exists()


def test_several_loci_are_never_pooled(tmp_path: Path) -> None:
    (tmp_path / "loci.tsv").write_bytes(FILES["loci.tsv"][0])
    result = run(tmp_path / "loci.tsv", "--locus", "all")
    assert result.exit_code == 1
    assert "TRA, TRB" in result.output


S = "file,patient,day,sample_type\n"
SHEETS: dict[str, tuple[str, int, str]] = {
    "empty": (S, 1, "at least one sample"),
    "zero": ("", 2, "the file is empty"),
    "absent": (S + "no.tsv,P1,1,patient\ngone.tsv,P1,2,patient\n", 1, "row 3, column file"),
    "twice": (S + "a.tsv,P1,1,patient\nb.tsv,P1,1,patient\n", 1, "each sample once; row 2"),
    "one file": (S + "a.tsv,P1,1,patient\na.tsv,P1,2,patient\n", 1, "each file once; row 2"),
    "no patient": (S + "a.tsv,,1,patient\n", 1, "row 2, column patient"),
    "no day": (S + "a.tsv,P1,,patient\n", 1, "a day for every sample"),
    "a date": (S + "a.tsv,P1,2024-01-05,patient\n", 1, "a number, not a date"),
    "no column": ("file,patient,day\na.tsv,P1,1\n", 1, "a column sample_type"),
    "wrong word": (S + "a.tsv,P1,1,blood\n", 1, "donor, patient, product"),
    "a folder": (S + "inside,P1,1,patient\n", 1, "a file, not a folder"),
    "outside": (S + "../a.tsv,P1,1,patient\n", 1, "inside the folder of the sheet"),
    "bad file": (S + "a.tsv,P1,1,patient\nbad.tsv,P1,2,patient\n", 1, "bad.tsv, row 2, column dup"),
    "some hspc": (
        "file,patient,day,sample_type,hsct_day\na.tsv,P1,1,patient,0\nb.tsv,P2,1,patient,\n",
        1,
        "a day of HSPC for every patient",
    ),
    "unclosed": (S + '"a.tsv,P1,1,patient\n', 2, "a CSV table"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_hostile_sheets(tmp_path: Path, name: str) -> None:
    content, code, said = SHEETS[name]
    (tmp_path / "inside").mkdir()
    for one in "ab":
        write_airr(tmp_path / f"{one}.tsv", DONOR)
    write_airr(tmp_path / "bad.tsv", {"CASF": -1})
    (tmp_path / "tcr.csv").write_text(content)
    result = run(tmp_path / "tcr.csv")
    assert result.exit_code == code, result.output
    assert said in result.output
    assert not (tmp_path / "tcr-report").exists()


def folder_itself(path: Path) -> Path:
    return path


def nowhere(path: Path) -> Path:
    return path / "none.tsv"


@pytest.mark.parametrize("place", [folder_itself, nowhere])
def test_a_folder_or_nothing_instead_of_a_file(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    result = run(place(tmp_path))
    assert result.exit_code == 2
    assert "expected a file" in result.output


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    (tmp_path / "file").write_text("in the way")
    result = run(sheet, "--depth", 50, "--out", tmp_path / "file" / "x")
    assert result.exit_code == 2
    assert "a folder that can be written" in result.output
