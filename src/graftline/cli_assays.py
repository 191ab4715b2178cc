"""The commands of assays: parse, call one function, print."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from graftline.terminal import PATH, chosen_formats, progress, reports_input_errors

if TYPE_CHECKING:
    import polars as pl

    from graftline.assays.tcr.tracking import TieRule
    from graftline.problems import Problem
    from graftline.report.value import Section
    from graftline.tables.value import ReportTable

P = ParamSpec("P")
PAGE_FIGURES = ("pdf", "png", "svg")


def page_options(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options that every assay has: where to write, and figures as files."""
    out = click.option(
        "--out", type=PATH, help="Folder for the results  [default: SHEET-report beside it]"
    )
    figures = click.option(
        "--figures",
        default="",
        metavar="pdf,png,svg",
        help="Write each figure in these formats too.",
    )
    return out(figures(command))


def write_and_show(
    section: "Section",
    inputs: Sequence[Path],
    *,
    name: str,
    shown: "ReportTable | Sequence[ReportTable] | None" = None,
    problems: "Sequence[Problem]" = (),
    facts: Sequence[tuple[str, str]] = (),
    trial_rows: "Mapping[str, pl.DataFrame] | None" = None,
    out: Path | None = None,
    figures: Sequence[str] = (),
) -> None:
    """Write the page of an assay, print its tables, its findings and where the files lie.

    ``trial_rows`` are rows of the trial's tables by name; each is written beside the page.
    """
    from graftline.problems import Severity, format_problems, sorted_problems
    from graftline.report.assay_page import write_assay_page, write_trial_rows
    from graftline.tables.value import ReportTable
    from graftline.terminal import print_table

    first = inputs[0].resolve()
    stem = first.name.removesuffix(".gz").rsplit(".", 1)[0]
    told = sorted_problems(problems)
    folder = out or first.parent / f"{stem}-report"
    page = write_assay_page(
        section,
        folder,
        name=name,
        title=section.title,
        source=", ".join(path.name for path in inputs[:8]) + " ..." * (len(inputs) > 8),
        problems=told,
        facts=facts,
        figures=figures,
    )
    written = write_trial_rows(trial_rows or {}, folder)
    for table in (shown,) if isinstance(shown, ReportTable) else shown or ():
        print_table(table)
    for sentence in section.missing:
        click.echo(sentence)
    warnings = [p for p in told if p.severity is Severity.WARNING]
    if warnings:
        click.echo(format_problems(warnings), err=True)
    for path in written:
        click.echo(f"{path}: rows for the trial folder")
    click.echo(f"{page}")


@click.command(short_help="T-cell repertoires: clonality, clones of the donor.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="SHEET|FILES...")
@click.option(
    "--locus",
    default="TRB",
    show_default=True,
    help="Locus to keep, such as TRA; all: whatever one locus the files hold.",
)
@click.option(
    "--key",
    type=click.Choice(["nt", "aa", "aa+v", "aa+v+j", "nt+v+j"]),
    default="aa+v+j",
    show_default=True,
    help="What makes two rows one clone: CDR3 nucleotides or amino acids, with V and J gene.",
)
@click.option(
    "--rows",
    "productive",
    type=click.Choice(["productive", "all"]),
    default="productive",
    show_default=True,
    help="Whether rows out of frame or with a stop are left out; they change clonality.",
)
@click.option(
    "--rank-at",
    type=float,
    metavar="DAY",
    help="Rank clones at the sample nearest to this day, within 61 days; from HSPC where the "
    "sheet has hsct_day  [default: month 12, else the last sample]",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Clones to trace back to the donor.",
)
@click.option(
    "--ties",
    type=click.Choice(["order", "include", "exclude"]),
    default="order",
    show_default=True,
    help="Clones tied at that cut: by order of sequence, all of them, or none.",
)
@click.option(
    "--depth",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Reads or templates at which samples are compared; never that of the smallest sample.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Of the bootstrap intervals.",
)
@click.option(
    "--format",
    "dialect",
    type=click.Choice(["airr", "immunoseq", "mixcr"]),
    help="Format of FILES; a sheet has its own column  [default: by the header]",
)
@click.option(
    "--count-column",
    metavar="NAME",
    help="Column of FILES with the counts; a sheet has its own column  [default: by the format]",
)
@page_options
@reports_input_errors
def tcr(
    inputs: tuple[Path, ...],
    locus: str,
    key: str,
    productive: str,
    rank_at: float | None,
    top: int,
    ties: "TieRule",
    depth: int,
    seed: int,
    dialect: str | None,
    count_column: str | None,
    out: Path | None,
    figures: str,
) -> None:
    """Clonality, diversity and clones traced back to the donor, from T-cell repertoires.

    SHEET is a sample sheet (columns file, patient, day, sample_type; docs/trial-folder.md); FILES
    are AIRR Rearrangement, immunoSEQ or MiXCR tables, plain or gzip, each a sample.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from typing import cast

    from graftline.assays.sheet import is_sheet, sheet_notes
    from graftline.assays.tcr.clones import CloneKey
    from graftline.assays.tcr.study import TcrOptions, tcr_files_study, tcr_study
    from graftline.report.assay_tcr import tcr_facts, tcr_section
    from graftline.schema.sheets import TCR_SHEET
    from graftline.tables.assay_tcr import terminal_table

    options = TcrOptions(
        key=cast("CloneKey", key.replace("+", "_")),
        locus=None if locus.lower() == "all" else locus.upper(),
        productive="all" if productive == "all" else "only",
        rank_at=rank_at,
        top=top,
        ties=ties,
        depth=depth,
        seed=seed,
    )
    notes: list[Problem] = []
    with progress("Repertoires") as step:
        if len(inputs) == 1 and is_sheet(inputs[0], TCR_SHEET.columns):
            study = tcr_study(inputs[0], options=options, progress=step)
            notes = sheet_notes(inputs[0], TCR_SHEET.columns)
        else:
            study = tcr_files_study(
                inputs,
                options=options,
                dialect=dialect,
                count_column=count_column,
                progress=step,
            )
        step("Drawing")
        section = tcr_section(study)
    write_and_show(
        section,
        inputs,
        name="tcr",
        shown=terminal_table(study),
        problems=(*notes, *study.problems),
        facts=tcr_facts(study),
        out=out,
        figures=formats,
    )


@click.command(short_help="Flow cytometry: T cells by CD7, CD7 on blasts, MRD.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="SHEET|FILES...")
@click.option(
    "--gating", type=PATH, metavar="FILE", help="Gating file of FILES, or of rows that name none."
)
@click.option(
    "--starter", is_flag=True, help="Print a gating file to begin with, for the first file."
)
@click.option(
    "--eradicated-below",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="CELLS",
    help="CD7+ T cells per microlitre below which they are eradicated, confirmed by the next "
    "sample.",
)
@click.option(
    "--eradicated-below-percent",
    type=click.FloatRange(0, 100, min_open=True),
    default=0.1,
    show_default=True,
    metavar="PERCENT",
    help="The same for patients without counts, in % of CAR-negative T cells.",
)
@click.option(
    "--least-events",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Events a concentration needs; fewer are below the limit these events would be.",
)
@click.option(
    "--detection-events",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Events from which MRD is positive; over all nucleated events, the limit of detection.",
)
@click.option(
    "--quantification-events",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Events from which MRD is quantified.",
)
@click.option(
    "--sensitivity",
    type=click.FloatRange(0, 1, min_open=True),
    default=1e-4,
    show_default=True,
    help="What a negative MRD must have been able to detect, as a fraction of nucleated cells.",
)
@click.option("--every-gate", is_flag=True, help="Draw the gates of every sample.")
@page_options
@reports_input_errors
def flow(
    inputs: tuple[Path, ...],
    gating: Path | None,
    starter: bool,
    eradicated_below: float,
    eradicated_below_percent: float,
    least_events: int,
    detection_events: int,
    quantification_events: int,
    sensitivity: float,
    every_gate: bool,
    out: Path | None,
    figures: str,
) -> None:
    """T cells by CD7, CD7 on blasts and residual disease, from flow cytometry.

    SHEET is a sample sheet (columns file, patient, day, specimen, gating; docs/trial-folder.md).
    FILES are FCS files: gated with --gating, listed without. With a FlowJo workspace (.wsp) its
    stored counts are shown, beside those computed anew; a GatingML file (.xml) gates the FILES.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.assays.flow.sample import FlowThresholds
    from graftline.report.assay_flow_inputs import FlowOptions, flow_page, starter_of

    if starter:
        click.echo(starter_of(inputs), nl=False)
        return
    options = FlowOptions(
        gating=gating,
        thresholds=FlowThresholds(
            least_events, detection_events, quantification_events, sensitivity
        ),
        cells_per_ul_below=eradicated_below,
        percent_of_cd3_below=eradicated_below_percent,
        every_gate=every_gate,
    )
    with progress("Flow cytometry") as step:
        page = flow_page(inputs, options=options, progress=step)
    write_and_show(
        page.section,
        inputs,
        name="flow",
        shown=page.shown,
        problems=page.problems,
        facts=page.facts,
        trial_rows=page.trial_rows,
        out=out,
        figures=formats,
    )


COMMANDS: tuple[click.Command, ...] = (
    tcr,
    flow,
)
