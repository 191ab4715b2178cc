"""The commands of assays: parse, call one function, print."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from graftline.terminal import PATH, chosen_formats

if TYPE_CHECKING:
    from graftline.problems import Problem
    from graftline.report.value import Section
    from graftline.tables.value import ReportTable

P = ParamSpec("P")


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
    shown: "ReportTable | None" = None,
    problems: "Sequence[Problem]" = (),
    facts: Sequence[tuple[str, str]] = (),
    out: Path | None = None,
    figures: str = "",
) -> None:
    """Write the page of an assay, print its table, its findings and where the page lies."""
    formats = chosen_formats(figures, ("pdf", "png", "svg"), "--figures")

    from graftline.problems import Severity, format_problems, sorted_problems
    from graftline.report.assay_page import write_assay_page
    from graftline.terminal import print_table

    first = inputs[0].resolve()
    stem = first.name.removesuffix(".gz").rsplit(".", 1)[0]
    told = sorted_problems(problems)
    page = write_assay_page(
        section,
        out or first.parent / f"{stem}-report",
        name=name,
        title=section.title,
        source=", ".join(path.name for path in inputs[:8]) + " ..." * (len(inputs) > 8),
        problems=told,
        facts=facts,
        figures=formats,
    )
    if shown is not None:
        print_table(shown)
    for sentence in section.missing:
        click.echo(sentence)
    warnings = [p for p in told if p.severity is Severity.WARNING]
    if warnings:
        click.echo(format_problems(warnings), err=True)
    click.echo(f"{page}")


COMMANDS: tuple[click.Command, ...] = ()
