"""A table as HTML, LaTeX, Word or CSV: the last step, nothing is computed here."""

import importlib.util
import re
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from graftline.problems import ExtraMissingError
from graftline.tables.value import ReportTable

if TYPE_CHECKING:
    from great_tables import GT

_STYLE = re.compile(r"<style>.*?</style>\s*", re.DOTALL)
_SUPERSCRIPTS = {"\N{EM SPACE}": r"\quad ", "\N{MINUS SIGN}": "$-$", "≥": r"$\geq$", "≤": r"$\leq$"}
_EPOCH = (2000, 1, 1)


def html_table(table: ReportTable) -> str:
    """The table as an HTML ``<table>`` without styles, scripts or headings of its own.

    The page that embeds it styles the classes ``gt_*``.
    """
    raw = _great_table(table).as_raw_html()
    return _STYLE.sub("", raw)


def latex_table(table: ReportTable) -> str:
    """The table as LaTeX (booktabs), with title and notes."""
    text = str(_great_table(table, heading=True).as_latex())
    for mark, code in _SUPERSCRIPTS.items():
        text = text.replace(mark, code)
    return text


def csv_table(table: ReportTable) -> str:
    """The full-precision frame behind the table as CSV."""
    flat = table.data.with_columns(
        pl.col(name).cast(pl.List(pl.String)).list.join("; ")
        for name, dtype in table.data.schema.items()
        if isinstance(dtype, pl.List)
    )
    return flat.write_csv()


def word_document(tables: Sequence[ReportTable]) -> bytes:
    """All tables as one Word document.

    Raises
    ------
    ExtraMissingError
        python-docx is not installed.
    """
    if importlib.util.find_spec("docx") is None:
        raise ExtraMissingError(
            "Word tables need the package python-docx: pip install 'graftline[word]'"
        )
    from datetime import datetime

    import docx

    document = docx.Document()
    properties = document.core_properties
    properties.author, properties.comments = "graftline", ""
    properties.created = properties.modified = datetime(*_EPOCH)
    for table in tables:
        document.add_heading(table.title, level=2)
        grid = document.add_table(rows=1, cols=len(table.columns))
        grid.style = "Light List"
        for cell, column in zip(grid.rows[0].cells, table.columns, strict=True):
            cell.text = column.heading
        group = None
        for row in table.rows:
            if row.group and row.group != group:
                head = grid.add_row().cells
                head[0].merge(head[-1]).text = row.group
            group = row.group
            for cell, text in zip(grid.add_row().cells, row.cells, strict=True):
                cell.text = text
        for note in table.footnotes:
            document.add_paragraph(note)
    return _same_bytes(document)


def _same_bytes(document: "docx.document.Document") -> bytes:  # type: ignore[name-defined] # noqa: F821
    """Save with fixed times inside the archive, so that equal input gives equal bytes."""
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    stream, fixed = BytesIO(), BytesIO()
    document.save(stream)
    with ZipFile(stream) as old, ZipFile(fixed, "w", ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            info = ZipInfo(name, (*_EPOCH, 0, 0, 0))
            info.compress_type = ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return fixed.getvalue()


def _great_table(table: ReportTable, *, heading: bool = False) -> "GT":
    from great_tables import GT

    names = [f"c{i}" for i in range(len(table.columns))]
    grouped = any(row.group for row in table.rows)
    cells = {name: [row.cells[i] for row in table.rows] for i, name in enumerate(names)}
    if grouped:
        cells["group"] = [row.group or "" for row in table.rows]
    frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
    # the id keeps great-tables from drawing a random one
    made = GT(frame, id=f"table-{table.id}", groupname_col="group" if grouped else None)
    made = made.cols_label({n: c.heading for n, c in zip(names, table.columns, strict=True)})
    for align in ("left", "right", "center"):
        chosen = [n for n, c in zip(names, table.columns, strict=True) if c.align == align]
        if chosen:
            made = made.cols_align(align, columns=chosen)
    for spanner in table.spanners:
        made = made.tab_spanner(
            spanner.label, columns=names[spanner.first : spanner.last + 1], id=spanner.label
        )
    if heading:
        made = made.tab_header(title=table.title)
    for note in table.footnotes:
        made = made.tab_source_note(note)
    return made
