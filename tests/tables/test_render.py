"""A table value as HTML, LaTeX, CSV and Word: the same cells in each."""

import io
import zipfile
from dataclasses import replace

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


def test_a_screen_reader_finds_headings_of_columns_rows_and_groups(table):
    text = html_table(table)
    assert text.count('scope="col"') == 2
    assert text.count('scope="row"') == 2
    assert '<th colspan="2" scope="rowgroup">Group</th>' in text
    assert '<th class="span" colspan="2" scope="colgroup">Both</th>' in text


def test_rows_of_a_group_stand_together_wherever_they_came(table):
    rows = tuple(
        TableRow((name, "1"), group) for name, group in (("a", "X"), ("b", "Y"), ("c", "X"))
    )
    text = html_table(replace(table, rows=rows))
    places = [text.index(f">{mark}<") for mark in ("X", "a", "c", "Y", "b")]
    assert places == sorted(places)
    assert text.count("rowgroup") == 2


def test_an_interval_is_not_torn_apart_nor_a_day(table):
    rows = (
        TableRow(("a (b)", "59.9 (52.5\N{EN DASH}68.4)")),
        TableRow(("c", "HSPC\N{NO-BREAK SPACE}+3")),
    )
    text = html_table(replace(table, rows=rows))
    assert "59.9 <span>(52.5\N{EN DASH}68.4)</span>" in text
    assert 'class="n">HSPC\N{NO-BREAK SPACE}+3' in text
    assert ">a (b)<" in text
