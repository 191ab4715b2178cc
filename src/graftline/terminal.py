"""What commands share on the terminal: faults of the input, progress, formats, plain tables."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from graftline.problems import ExtraMissingError, InputError, exit_code, format_problems

if TYPE_CHECKING:
    from graftline.tables.value import ReportTable

P = ParamSpec("P")
PATH = click.Path(path_type=Path)
WIDTH = 96
_GROUP = "\ue000"


def reports_input_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Print what is wrong with the input, and exit 1 or 2; never a traceback for bad input."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except InputError as error:
            click.echo(format_problems(error.problems), err=True)
            sys.exit(exit_code(error.problems))
        except ExtraMissingError as error:
            click.echo(str(error), err=True)
            sys.exit(2)

    return wrapped


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done on a terminal; quiet in pipes and logs."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    with console.status(what) as status:
        # As text: names of files may look like markup.
        yield lambda step: status.update(Text(step))


def chosen_formats(text: str, known: Sequence[str], option: str) -> tuple[str, ...]:
    """Formats of a comma-separated option.

    Raises
    ------
    click.BadParameter
        A format is not known.
    """
    formats = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    unknown = [part for part in formats if part not in known]
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: expected {', '.join(known)}", param_hint=option
        )
    return formats


def print_table(table: "ReportTable") -> None:
    """Print a table of a report as text of at most 96 columns; numbers right, notes below."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Everything is text: names of files, patients and gates may look like markup.
    shown = Table(
        box=SIMPLE_HEAD,
        title=Text(table.title),
        title_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in table.columns:
        shown.add_column(Text(column.heading), justify=column.align, overflow="fold")
    groups = []
    group = None
    for row in table.rows:
        if row.group is not None and row.group != group:
            shown.add_row(Text(_GROUP))
            groups.append(row.group)
        group = row.group
        shown.add_row(*map(Text, row.cells))
    console = Console(width=WIDTH, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(shown)
    named = iter(groups)
    for line in captured.get().splitlines():
        # A group's name runs over all columns, which a cell of one of them cannot.
        if _GROUP in line:
            console.print(Text(f" {next(named)}", style="bold"))
        else:
            console.out(line, highlight=False)
    for note in table.footnotes:
        console.print(note, markup=False)
