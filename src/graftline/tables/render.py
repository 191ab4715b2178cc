"""A table as HTML, LaTeX, Word or CSV: the last step, nothing is computed here."""

import importlib.util
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from graftline.problems import ExtraMissingError
from graftline.tables.value import ReportTable, TableColumn, TableRow

if TYPE_CHECKING:
    from great_tables import GT

_SUPERSCRIPTS = {
    "\N{NO-BREAK SPACE}": "~",
    "\N{EM SPACE}": r"\quad ",
    "\N{MINUS SIGN}": "$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
}
_EPOCH = (2000, 1, 1)
_WIDE_INTERVALS, _WIDE_COLUMNS, _SHORT_CELL = 3, 8, 12


def html_table(table: ReportTable) -> str:
    """The table as an HTML ``<table>`` without styles, scripts or headings of its own.

    Row groups are bodies of their own, first cells and headings are header cells, so that a screen
    reader can say where it is. Cells aligned right carry the class ``r``, centred ones ``c``; what
    stands in brackets there is kept together in a ``<span>``. Notes follow in a ``<div>``.
    """
    width = len(table.columns)
    heads = "".join(_header(c.heading, c.align, 'scope="col"') for c in table.columns)
    bodies = []
    for group, rows in _grouped(table.rows):
        lines = "\n".join(_html_row(row.cells, table.columns) for row in rows)
        over = (
            f'<tr class="group"><th colspan="{width}" scope="rowgroup">{escape(group or "")}</th>'
        )
        bodies.append(
            f"<tbody>\n{over}</tr>\n{lines}\n</tbody>" if group else f"<tbody>\n{lines}\n</tbody>"
        )
    head = f"<thead>\n{_spanner_row(table)}<tr>{heads}</tr>\n</thead>"
    notes = "".join(f"<p>{escape(note, quote=False)}</p>\n" for note in table.footnotes)
    under = f'\n<div class="notes">\n{notes}</div>' if notes else ""
    opening = '<table class="wide">' if _is_wide(table) else "<table>"
    return f"{opening}\n{head}\n" + "\n".join(bodies) + f"\n</table>{under}"


_UNBROKEN, _NO_BREAK = ' class="n"', "\N{NO-BREAK SPACE}"
_ALIGN_CLASS = {"left": "", "right": ' class="r"', "center": ' class="c"'}


def _grouped(rows: Sequence[TableRow]) -> Iterable[tuple[str | None, list[TableRow]]]:
    """Rows by group, groups in the order of their first row."""
    groups: dict[str | None, list[TableRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return groups.items()


def _header(text: str, align: str, scope: str) -> str:
    return f"<th {scope}{_ALIGN_CLASS[align]}>{escape(text, quote=False)}</th>"


def _html_row(cells: Sequence[str], columns: Sequence[TableColumn]) -> str:
    first = _header(cells[0], columns[0].align, 'scope="row"')
    others = (
        # a no-break space says that the cell is not to be torn apart anywhere
        f"<td{_UNBROKEN if _NO_BREAK in cell else _ALIGN_CLASS[column.align]}>"
        f"{_figures(cell, column.align)}</td>"
        for cell, column in zip(cells[1:], columns[1:], strict=True)
    )
    return f"<tr>{first}{''.join(others)}</tr>"


def _figures(cell: str, align: str) -> str:
    """A cell, which may be broken between an estimate and its interval and nowhere else."""
    text = escape(cell, quote=False)
    estimate, bracket, interval = text.partition(" (")
    if align == "left" or not bracket:
        return text
    return f"{estimate} <span>({interval}</span>"


def _is_wide(table: ReportTable) -> bool:
    """Whether intervals stand under their estimates in every row, not only where room is short."""
    with_interval = [
        any(" (" in row.cells[place] and len(row.cells[place]) > _SHORT_CELL for row in table.rows)
        for place, column in enumerate(table.columns)
        if column.align != "left"
    ]
    return sum(with_interval) >= _WIDE_INTERVALS or (
        any(with_interval) and len(table.columns) >= _WIDE_COLUMNS
    )


def _spanner_row(table: ReportTable) -> str:
    if not table.spanners:
        return ""
    cells, place = [], 0
    for spanner in sorted(table.spanners, key=lambda s: s.first):
        cells += ["<td></td>"] * (spanner.first - place)
        width = spanner.last - spanner.first + 1
        cells.append(
            f'<th class="span" colspan="{width}" scope="colgroup">{escape(spanner.label)}</th>'
        )
        place = spanner.last + 1
    cells += ["<td></td>"] * (len(table.columns) - place)
    return f"<tr>{''.join(cells)}</tr>\n"


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
        for group, rows in _grouped(table.rows):
            if group:
                head = grid.add_row().cells
                head[0].merge(head[-1]).text = group
            for row in rows:
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
