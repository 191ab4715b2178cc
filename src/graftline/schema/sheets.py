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
            "patient", "text", True, "Study ID of the patient; for a donor, of the one who received"
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

PERSON = SheetColumn(
    "person",
    "text",
    True,
    "Whose cells: the patient's or his donor's",
    ("patient", "donor"),
)
REPLICATE = SheetColumn("replicate", "integer", True, "Number of the well, from 1")

MLR_SHEET = Sheet(
    "mlr",
    "Mixed-lymphocyte reaction",
    "CFSE wells: FCS files or CSV of intensities, one row per well",
    (
        FILE,
        PATIENT,
        DAY,
        PERSON,
        SheetColumn(
            "stimulus",
            "text",
            True,
            "none: the unstimulated well, needed of every person and day; unlabelled: cells "
            "without CFSE; else your word, such as self, third_party, beads",
        ),
        REPLICATE,
        SheetColumn(
            "channel", "text", False, "Channel or column of CFSE; needed where none is named so"
        ),
        SheetColumn("gating", "file", False, "Gating file (TOML), for FCS files"),
        SheetColumn("population", "text", False, "Gate of that file whose cells count; else all"),
        SheetColumn(
            "scale",
            "text",
            False,
            "How a CSV holds intensities; linear unless named; channel: 1,024 over four decades",
            ("linear", "log2", "ln", "log10", "channel"),
        ),
    ),
)

CHIMERISM_SHEET = Sheet(
    "chimerism",
    "STR chimerism",
    "STR chimerism: peaks of a sample and genotypes of the people, one row per sample and lineage",
    (
        SheetColumn("file", "file", True, "Peaks: sample, locus, allele, area (long or wide)"),
        SheetColumn("genotypes", "file", True, "Genotypes: person, locus, allele"),
        PATIENT,
        DAY,
        SheetColumn(
            "lineage",
            "text",
            True,
            "Cells that were typed",
            ("unsorted", "cd3", "cd33", "cd15", "cd19", "nk"),
        ),
        SheetColumn("recipient", "text", True, "Person of the genotype file who is the patient"),
        SheetColumn(
            "donor",
            "text",
            True,
            "Person of the genotype file who gave, as in donors.csv; several joined by +",
        ),
        SheetColumn("sample", "text", False, "Sample of the peaks file, where it holds several"),
        SheetColumn("specimen", "text", False, "Blood unless named", ("blood", "marrow")),
        SheetColumn(
            "stutter", "number", False, "Stutter ratio; 0 for none, else estimated from the sample"
        ),
        SheetColumn(
            "detection_percent", "number", False, "The laboratory's limit of detection; else 5"
        ),
    ),
)

FUNCTION_SHEET = Sheet(
    "function",
    "T-cell function",
    "Stimulated wells: counts, or FCS files with a gating file, one row per well",
    (
        PATIENT,
        DAY,
        PERSON,
        SheetColumn(
            "stimulus",
            "text",
            True,
            "none is the unstimulated well, needed of every person and day",
            ("none", "pma_ionomycin", "cd3_cd28", "cmv", "ebv"),
        ),
        REPLICATE,
        SheetColumn("responding", "integer", False, "Events that respond, such as IFN-gamma+"),
        SheetColumn("parent", "integer", False, "Events of the parent gate"),
        SheetColumn("file", "file", False, "FCS file, where the counts are to be made"),
        SheetColumn("gating", "file", False, "Gating file (TOML) of that file"),
        SheetColumn("responding_gate", "text", False, "Gate of the events that respond"),
        SheetColumn("parent_gate", "text", False, "Gate of their parent"),
    ),
)

CD7_SHEET = Sheet(
    "cd7",
    "The CD7 locus",
    "CD7 at relapse: ATAC signal (bigWig), variants (VCF), single cells (h5ad), one row per file",
    (
        FILE,
        SheetColumn("kind", "text", True, "What the file is", ("atac", "vcf", "h5ad")),
        SheetColumn(
            "patient", "text", False, "Study ID; empty for a control or a file of many patients"
        ),
        SheetColumn(
            "time",
            "text",
            False,
            "State of the disease; needed for atac and vcf",
            ("baseline", "remission", "relapse", "control"),
        ),
        SheetColumn("sample", "text", False, "Name to show (atac), or sample of the VCF"),
        SheetColumn("exons", "file", False, "BED or GTF with the exons (vcf)"),
        SheetColumn(
            "cluster_column", "text", False, "Column of clusters in the h5ad; else cluster"
        ),
        SheetColumn("sample_column", "text", False, "Column of samples in the h5ad; else sample"),
        SheetColumn("time_column", "text", False, "Column of times in the h5ad; else time"),
        SheetColumn("layer", "text", False, "Layer of the h5ad; else X"),
    ),
)

SHEETS: Mapping[str, Sheet] = {
    sheet.name: sheet
    for sheet in (
        TCR_SHEET,
        FLOW_SHEET,
        MLR_SHEET,
        FUNCTION_SHEET,
        CHIMERISM_SHEET,
        CD7_SHEET,
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
are absolute. Commas, semicolons or tabs; decimal points. Columns of your own are ignored. Samples
after the data cut are left out. Files that no sheet names are listed, not read.
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
