"""The commands of assays: parse, call one function, print."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click
from click.core import ParameterSource

from graftline.settings.assays import ASSAY_SETTINGS
from graftline.settings.value import Setting, Value
from graftline.terminal import PATH, chosen_formats, progress, reports_input_errors

if TYPE_CHECKING:
    from graftline.report.assay_page import AssayPage

P = ParamSpec("P")
PAGE_FIGURES = ("pdf", "png", "svg")


def page_options(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options that every assay has: where to write, and figures as files."""
    out = click.option(
        "--out",
        type=PATH,
        help="Folder for the results  [default: SHEET-report beside it, or of a trial "
        "TRIAL-ASSAY-report]",
    )
    figures = click.option(
        "--figures",
        default="",
        metavar="pdf,png,svg",
        help="Write each figure in these formats too.",
    )
    return out(figures(command))


def setting_options(assay: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an option for each setting of an assay.

    The command gets those that were given, as ``given``: by name, without the defaults, which a
    trial's protocol.toml may replace.
    """
    settings = ASSAY_SETTINGS[assay]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def gathered(*args: object, **named: object) -> None:
            context = click.get_current_context()
            values = {setting.name: named.pop(setting.name) for setting in settings}
            given = {
                name: value
                for name, value in values.items()
                if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
            }
            command(*args, given=given, **named)

        options: Callable[..., None] = gathered
        for setting in reversed(settings):
            options = _option(setting)(options)
        return options

    return add


def _option(setting: Setting) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name = f"--{setting.name.replace('_', '-')}"
    told = f"{setting.meaning.removesuffix('.')}  [default: {setting.otherwise}]"
    return click.option(
        name,
        setting.name,
        type=_type(setting),
        is_flag=setting.kind == "flag",
        default=setting.default,
        show_default=setting.default is not None and setting.kind != "flag",
        metavar=setting.metavar,
        help=told if setting.otherwise else setting.meaning,
    )


def _type(setting: Setting) -> "click.ParamType[Any] | type":
    if setting.choices:
        return click.Choice(setting.choices, case_sensitive=False)
    if setting.kind == "whole":
        least, most = (None if at is None else int(at) for at in (setting.low, setting.high))
        return click.IntRange(least, most)
    if setting.kind == "number":
        low, high = setting.low, setting.high
        if low is None and high is None:
            return float
        return click.FloatRange(low, high, min_open=setting.above_low, max_open=setting.below_high)
    return bool if setting.kind == "flag" else str


def show_sheet(
    assay: str,
    path: Path,
    given: Mapping[str, Value],
    *,
    out: Path | None,
    figures: str,
    gating: Path | None = None,
) -> None:
    """Read the sheet of an assay, by itself or in its trial folder, and show what it says."""
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from dataclasses import replace

    from graftline.report.assay_readers import read_assay
    from graftline.report.assay_sources import find_source

    with progress(f"Reading {path.name}") as step:
        source = replace(find_source(assay, path, given), gating=gating)
        page = read_assay(source, step)
    write_and_show(
        page, [source.sheet], name=assay, out=out, figures=formats, trial=source.trial_folder
    )


def write_and_show(
    page: "AssayPage",
    inputs: Sequence[Path],
    *,
    name: str,
    out: Path | None = None,
    figures: Sequence[str] = (),
    trial: Path | None = None,
) -> None:
    """Write the page of an assay, print its tables, its findings and where the files lie.

    Results of a trial's sheet go beside the ``trial``: inside they would look like its files.
    """
    from graftline.problems import Severity, format_problems, sorted_problems
    from graftline.report.assay_page import write_assay_page, write_trial_rows
    from graftline.terminal import print_table

    first = inputs[0].resolve()
    stem = first.name.removesuffix(".gz").rsplit(".", 1)[0]
    beside = first.parent / f"{stem}-report"
    if trial is not None:
        beside = trial.parent / f"{trial.name}-{name}-report"
    folder = out or beside
    source = ", ".join(path.name for path in inputs[:8]) + " ..." * (len(inputs) > 8)
    written = write_assay_page(page, folder, name=name, source=source, figures=figures)
    rows = write_trial_rows(page.trial_rows, folder)
    for table in page.shown:
        print_table(table)
    for sentence in (*page.section.missing, *page.said):
        click.echo(sentence)
    told = sorted_problems(page.problems)
    warnings = [p for p in told if p.severity is Severity.WARNING]
    if warnings:
        click.echo(format_problems(warnings), err=True)
    for path in rows:
        click.echo(f"{path}: rows for the trial folder")
    click.echo(f"{written}")


@click.command(short_help="T-cell repertoires: clonality, clones of the donor.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="TRIAL|SHEET|FILES...")
@setting_options("tcr")
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
    given: Mapping[str, Value],
    dialect: str | None,
    count_column: str | None,
    out: Path | None,
    figures: str,
) -> None:
    """Clonality, diversity and clones traced back to the donor, from T-cell repertoires.

    SHEET is a sample sheet (columns file, patient, day, sample_type; docs/trial-folder.md), TRIAL a
    trial folder with assays/tcr.csv: its settings, HSPC and data cut hold. FILES are AIRR
    Rearrangement, immunoSEQ or MiXCR tables, plain or gzip, each a sample.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.report.assay_readers import read_repertoires
    from graftline.report.assay_sources import has_sheet

    if has_sheet("tcr", inputs):
        show_sheet("tcr", inputs[0], given, out=out, figures=figures)
        return
    with progress("Repertoires") as step:
        page = read_repertoires(
            inputs, given, dialect=dialect, count_column=count_column, progress=step
        )
    write_and_show(page, inputs, name="tcr", out=out, figures=formats)


@click.command(short_help="Flow cytometry: T cells by CD7, CD7 on blasts, MRD.")
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="TRIAL|SHEET|FILES...")
@click.option(
    "--gating", type=PATH, metavar="FILE", help="Gating file of FILES, or of rows that name none."
)
@click.option(
    "--starter", is_flag=True, help="Print a gating file to begin with, for the first file."
)
@setting_options("flow")
@page_options
@reports_input_errors
def flow(
    inputs: tuple[Path, ...],
    given: Mapping[str, Value],
    gating: Path | None,
    starter: bool,
    out: Path | None,
    figures: str,
) -> None:
    """T cells by CD7, CD7 on blasts and residual disease, from flow cytometry.

    SHEET is a sample sheet (columns file, patient, day, specimen, gating; docs/trial-folder.md),
    TRIAL a trial folder with assays/flow.csv: its settings and data cut hold. FILES are FCS files:
    gated with --gating, listed without. With a FlowJo workspace (.wsp) its stored counts are shown,
    beside those computed anew; a GatingML file (.xml) gates the FILES.
    """
    formats = chosen_formats(figures, PAGE_FIGURES, "--figures")

    from graftline.report.assay_flow_inputs import flow_page, starter_of
    from graftline.report.assay_sources import has_sheet

    if starter:
        click.echo(starter_of(inputs), nl=False)
        return
    if has_sheet("flow", inputs):
        show_sheet("flow", inputs[0], given, out=out, figures=figures, gating=gating)
        return
    with progress("Flow cytometry") as step:
        page = flow_page(inputs, given, gating=gating, progress=step)
    write_and_show(page, inputs, name="flow", out=out, figures=formats)


COMMANDS: tuple[click.Command, ...] = (tcr, flow)
