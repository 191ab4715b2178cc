"""Sample sheets of the assays, declared once: what ``assays/`` of a trial folder may hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SheetKind = Literal["text", "file", "number", "integer", "day", "flag"]


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One column of a sample sheet.

    A ``required`` column must be there with a value in every row. ``choices`` are the words a text
    may be. A ``file`` is a path relative to the sheet, or absolute.
    """

    name: str
    kind: SheetKind
    required: bool
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sample sheet of one assay: ``assays/<name>.csv`` in a trial folder."""

    name: str
    title: str
    description: str
    columns: tuple[SheetColumn, ...]


FILE = SheetColumn("file", "file", True, "The laboratory's file, relative to this sheet")
PATIENT = SheetColumn("patient", "text", True, "Study ID of the patient, as in the trial's tables")
DAY = SheetColumn("day", "day", True, "Study day of the sample, as in the trial's tables")

TCR_SHEET = Sheet(
    "tcr",
    "T-cell repertoires",
    "T-cell receptor sequencing: AIRR Rearrangement, immunoSEQ or MiXCR files, one row per sample",
    (
        FILE,
        SheetColumn(
            "patient", "text", True, "Study ID of the patient; of a donor, the patient's he gave to"
        ),
        SheetColumn(
            "day", "day", False, "Study day of the sample; needed unless it is the donor's"
        ),
        SheetColumn(
            "sample_type",
            "text",
            True,
            "Whose cells: the donor's (or the graft), the patient's, or the CAR-T product",
            ("donor", "patient", "product"),
        ),
        SheetColumn("hsct_day", "day", False, "Study day of HSPC; months then count from it"),
        SheetColumn("sample", "text", False, "Short name to show; else patient and day"),
        SheetColumn(
            "repertoire", "text", False, "Which sample of the file, where it holds several"
        ),
        SheetColumn(
            "format",
            "text",
            False,
            "Format of the file; else recognised from its header",
            ("airr", "immunoseq", "mixcr"),
        ),
        SheetColumn("count_column", "text", False, "Column of the file that holds the counts"),
    ),
)

FLOW_SHEET = Sheet(
    "flow",
    "Flow cytometry",
    "Flow cytometry: FCS files, one row per tube, gated by a gating file",
    (
        FILE,
        PATIENT,
        DAY,
        SheetColumn("specimen", "text", True, "What was stained", ("blood", "marrow", "csf")),
        SheetColumn("gating", "file", False, "Gating file (TOML); needed unless --gating is given"),
        SheetColumn(
            "timepoint",
            "text",
            False,
            "State of the disease, for CD7 on blasts over time",
            ("baseline", "remission", "relapse"),
        ),
        SheetColumn(
            "control",
            "text",
            False,
            "A control tube: gated and shown, never a result",
            ("unstained", "isotype", "fmo"),
        ),
        SheetColumn(
            "beads_per_ul", "number", False, "Counting beads per microlitre of blood (role beads)"
        ),
        SheetColumn(
            "wbc_1e9_per_l",
            "number",
            False,
            "White cells of the same sample, in 1e9/L (role leukocytes)",
        ),
        SheetColumn(
            "lymphocytes_1e9_per_l",
            "number",
            False,
            "Lymphocytes of the same sample, in 1e9/L (role lymphocytes); beads come first, then "
            "lymphocytes, then white cells",
        ),
        SheetColumn(
            "data_set", "integer", False, "Which data set of a file that holds several, from 1"
        ),
    ),
)

SHEETS: Mapping[str, Sheet] = {
    sheet.name: sheet
    for sheet in (
        TCR_SHEET,
        FLOW_SHEET,
    )
}


def sheets_guide(sheets: Mapping[str, Sheet] = SHEETS) -> str:
    """What the folder ``assays`` of a trial may hold, as Markdown."""
    parts = [_GUIDE, *(_sheet_guide(sheet) for sheet in sheets.values())]
    return "\n".join(parts)


_GUIDE = """\
# Assays of a trial

The folder `assays` inside the trial folder holds what laboratories sent, as they sent it, and one
sample sheet per assay: a CSV that says which file is whose sample and of which day. Each sheet
becomes a section of the report. Paths in a sheet are relative to it and stay inside `assays`, or
are absolute. Columns of your own are ignored. Files that no sheet names are listed, not read.
"""


def _sheet_guide(sheet: Sheet) -> str:
    lines = [
        f"## assays/{sheet.name}.csv\n",
        f"{sheet.description}.\n",
        "| column | kind | meaning |",
        "| --- | --- | --- |",
    ]
    for column in sheet.columns:
        kind = f"**{column.kind}, required**" if column.required else column.kind
        choices = f": {', '.join(column.choices)}" if column.choices else ""
        lines.append(f"| {column.name} | {kind} | {column.meaning}{choices} |")
    return "\n".join(lines) + "\n"
