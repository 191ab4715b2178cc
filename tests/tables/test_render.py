"""A table value as HTML, LaTeX, CSV and Word: the same cells in each."""

import io
import zipfile

import polars as pl
import pytest

from graftline.problems import ExtraMissingError
from graftline.tables import render
from graftline.tables.render import csv_table, html_table, latex_table, word_document
from graftline.tables.value import ReportTable, Spanner, TableColumn, TableRow, plain_rows


@pytest.fixture
def table():
    return ReportTable(
        "t",
        "Title <b>",
        (TableColumn("What", "left"), TableColumn("Dose", unit="mg/m2")),
        (TableRow(("a & b", "1 (0\N{EN DASH}2)"), "Group"), TableRow(("<script>", "5%"), "Group")),
        pl.DataFrame({"what": ["a"], "dose": [1 / 3], "parts": [["x", "y"]]}),
        ("Note <i>",),
        (Spanner("Both", 0, 1),),
    )


def test_html_is_escaped_and_carries_no_style_or_script(table):
    text = html_table(table)
    assert "<style" not in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "a &amp; b" in text
    assert "Note &lt;i&gt;" in text
    assert "Dose (mg/m2)" in text
    assert text == html_table(table)


def test_latex_escapes_what_tex_reads_as_commands(table):
    text = latex_table(table)
    assert r"a \& b" in text
    assert r"5\%" in text
    assert r"\toprule" in text


def test_csv_carries_full_precision(table):
    assert csv_table(table) == "what,dose,parts\na,0.3333333333333333,x; y\n"


def test_word_holds_the_cells_and_is_the_same_bytes_twice(table):
    docx = pytest.importorskip("docx")
    content = word_document([table])
    document = docx.Document(io.BytesIO(content))
    cells = [cell.text for row in document.tables[0].rows for cell in row.cells]
    assert "a & b" in cells
    assert "Group" in cells
    assert document.paragraphs[0].text == "Title <b>"
    assert content == word_document([table])
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


def test_word_without_its_package_says_what_to_install(table, monkeypatch):
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissingError, match=r"graftline\[word\]"):
        word_document([table])


def test_rows_must_fit_the_columns():
    with pytest.raises(ValueError, match="do not have 1 cells"):
        ReportTable("t", "T", (TableColumn("A"),), (TableRow(("1", "2")),), pl.DataFrame())


def test_an_empty_table_renders():
    empty = ReportTable("t", "T", (TableColumn("A"),), (), pl.DataFrame())
    assert "<table" in html_table(empty)


def test_plain_rows_take_their_groups_from_a_column():
    rows = plain_rows(pl.DataFrame({"g": ["x"], "a": [None], "b": ["1"]}), group="g")
    assert rows == (TableRow(("", "1"), "x"),)
