"""The commands of cell assays and kinetics: parse, call one function, print."""

from collections.abc import Mapping
from pathlib import Path

import click

from graftline.cli_assays import (
    PAGE_FIGURES,
    page_options,
    setting_options,
    show_sheet,
    write_and_show,
)
from graftline.settings.value import Value
from graftline.terminal import PATH, chosen_formats, progress, reports_input_errors


def _sheet_command(
    assay: str, short: str, about: str, *, takes: str = "TRIAL|SHEET"
) -> click.Command:
    """The command of an assay that is read from a sheet alone; ``about`` says what it takes."""
    told = f"TRIAL is a trial folder with assays/{assay}.csv: its settings and data cut hold."

    @click.command(assay, short_help=short, help=f"{about} {told}")
    @click.argument("sheet", type=PATH, metavar=takes)
    @setting_options(assay)
    @page_options
    @reports_input_errors
    def command(sheet: Path, given: Mapping[str, Value], out: Path | None, figures: str) -> None:
        show_sheet(assay, sheet, given, out=out, figures=figures)

    return command


mlr = _sheet_command(
    "mlr",
    "CFSE division: mixed lymphocyte reactions.",
    """Division of CFSE-labelled cells, net of unstimulated, patients beside donors.

    SHEET has a row per well (columns file, patient, day, person, stimulus, replicate;
    docs/trial-folder.md); files are FCS or CSV of intensities. Division and proliferation index are
    FlowJo's; expansion index is sum N / sum P.""",
)
chimerism = _sheet_command(
    "chimerism",
    "Donor percent from STR peaks.",
    """Donor percent from STR peaks: by locus, joint with its error, and chimerism.csv.

    SHEET has a row per sample and lineage (columns file, genotypes, patient, day, lineage,
    recipient, donor; docs/trial-folder.md).""",
)
function = _sheet_command(
    "function",
    "T-cell responses to stimulation and peptides.",
    """T-cell responses to PMA/ionomycin, CD3/CD28 and viral peptides, net of unstimulated.

    SHEET has a row per well (columns patient, day, person, stimulus, replicate, and responding and
    parent, or an FCS file with a gating file; docs/trial-folder.md).""",
    takes="TRIAL|SHEET|WELLS.csv",
)
cd7 = _sheet_command(
    "cd7",
    "CD7 at relapse: ATAC signal, variants, single cells.",
    """CD7 at relapse: ATAC signal, variants in its exons, clusters of single cells.

    SHEET has a row per file (columns file, kind: atac, vcf or h5ad, patient, time;
    docs/trial-folder.md). Coordinates are GRCh38. VCF and h5ad files need:
    pip install "graftline[genomics]".""",
)


@click.command(short_help="CAR-T kinetics by qPCR and flow cytometry.")
@click.argument("source", type=PATH, metavar="TRIAL|LABS")
@setting_options("kinetics")
@click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    default=".",
    show_default=True,
    help="Decimal mark of LABS; a trial's protocol names its own.",
)
@page_options
@reports_input_errors
def kinetics(
    source: Path, given: Mapping[str, Value], decimal: str, out: Path | None, figures: str
) -> None:
    """CAR-T kinetics by qPCR and flow: Cmax, Tmax, AUC, Tlast, half-life; patients and cohort.

    TRIAL is a trial folder (its definitions hold, HSPC is marked in the curve); LABS a CSV, Parquet
    or Excel table with its columns patient, day, analyte, value, unit, quantification, lloq. Rules
    are those of PKNCA; docs/assays/kinetics.md says where they are not.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.report.assay_kinetics import read_kinetics

    with progress("Kinetics"):
        page = read_kinetics(source, given, decimal=decimal)
    trial = source.resolve() if source.is_dir() else None
    write_and_show(page, [source], name="kinetics", out=out, figures=formats, trial=trial)


COMMANDS: tuple[click.Command, ...] = (mlr, chimerism, function, cd7, kinetics)
