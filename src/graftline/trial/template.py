"""An explained empty trial folder: what ``graftline init`` writes."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from graftline.problems import InputError, Problem, Severity
from graftline.protocol import shipped_protocol_text, shipped_protocols
from graftline.schema import TABLES, Column, Table
from graftline.schema.sheets import sheets_guide
from graftline.settings.trial import settings_guide

DEFAULT_PROTOCOL = "all-in-one-2024"

_GUIDE = """\
# A trial folder

One table per file: CSV (UTF-8, commas, decimal points), Parquet, or one Excel workbook with a
sheet per table. Only {required} must be there; delete the tables and columns you do not use.
Columns of your own are kept and reported.

Days count from the index infusion of the protocol (day 0). A column `day` may be given as a date
in a column `date` (`start_day` in `start_date`, and so on) if the patient's index infusion has its
`date` in `infusions`; dates are written 2026-01-31, turned into study days, and go nowhere else.
Leave a field empty where nothing is recorded. Flags are yes or no.

Files of laboratories (repertoires, flow cytometry) go into the folder `assays` with one sample
sheet per assay; see the end of this page.

`graftline check FOLDER` says what is wrong or missing; `graftline report FOLDER` writes the report.
"""


def write_template(folder: Path, *, protocol: str = DEFAULT_PROTOCOL) -> list[Path]:
    """Write an empty trial folder: protocol.toml, one CSV per table, and README.md explaining all.

    Parameters
    ----------
    folder : Path
        Made if it does not exist; must hold no file yet.
    protocol : str
        A shipped strategy.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        The folder holds files, cannot be written, or the protocol is not known.
    """
    shipped_protocol_text(protocol)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            [
                Problem(
                    str(folder),
                    "a folder that is new or empty",
                    "name another folder",
                    Severity.UNREADABLE,
                )
            ]
        )
    texts = {"protocol.toml": _protocol_text(folder.name, protocol), "README.md": folder_guide()}
    texts |= {f"{t.name}.csv": _header(t) for t in TABLES.values()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(
            [
                Problem(
                    str(folder),
                    "a folder that can be written",
                    error.strerror or str(error),
                    Severity.UNREADABLE,
                )
            ]
        ) from error
    return [folder / name for name in texts]


def _protocol_text(name: str, protocol: str) -> str:
    shipped = ", ".join(shipped_protocols())
    return f"""# The trial and its protocol. docs/protocols.md explains every key.
[trial]
name = "{name}"
title = ""
protocol = "{protocol}"   # one of: {shipped}
# data_cut = 2026-06-30    # records after this date are left out (needs infusion dates)
# data_cut_day = 365       # or a study day that holds for every patient
# decimal = ","            # if the CSV files write 0,2 for 0.2

# Change a definition of the protocol for this trial, such as:
# [definitions]
# response = "eln2022"
# survival_interval = "log-log"

# Change how an assay of the folder assays is analysed; README.md lists every setting:
# [assays.tcr]
# depth = 1000
"""


def _header(declared: Table) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(declared.names)
    return text.getvalue()


def folder_guide(tables: Sequence[Table] = tuple(TABLES.values())) -> str:
    """The tables, columns and sample sheets of a trial folder as Markdown, as declared."""
    required = ", ".join(f"`{t.name}`" for t in tables if t.required)
    parts = [_GUIDE.format(required=required)]
    for declared in tables:
        parts.append(_table_guide(declared))
    parts += [sheets_guide(), settings_guide()]
    return "\n".join(parts)


def _table_guide(declared: Table) -> str:
    lines = [
        f"## {declared.name}{' (required)' if declared.required else ''}\n",
        f"{declared.description}.\n",
        "| column | kind | unit | meaning |",
        "| --- | --- | --- | --- |",
    ]
    lines += [_column_guide(c) for c in declared.columns]
    if declared.quantities:
        lines += ["", f"| {declared.quantity_column} | unit | meaning |", "| --- | --- | --- |"]
        lines += [f"| {q.name} | {q.unit} | {q.description} |" for q in declared.quantities]
    return "\n".join(lines) + "\n"


def _column_guide(column: Column) -> str:
    meaning = column.description
    if column.allowed and column.name != "analyte":
        meaning += f": {', '.join(column.allowed)}"
    bounds = (column.minimum, column.maximum)
    if column.kind != "day" and None not in bounds:
        meaning += f" ({bounds[0]:g} to {bounds[1]:g})"
    kind = f"**{column.kind}, required**" if column.required else column.kind
    return f"| {column.name} | {kind} | {column.unit or ''} | {meaning} |"
