"""A report as one self-contained HTML page: no script, no network, prints to PDF."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from graftline.figures.theme import inline_svg
from graftline.report.value import Report, Section
from graftline.tables.render import html_table

_LONG_LABEL = 18


def render_html(report: Report) -> str:
    """The page. Everything in it is escaped except the tables and figures made here."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    room = files("graftline.report")
    template = environment.from_string(room.joinpath("template.html").read_text(encoding="utf-8"))
    style = room.joinpath("style.css").read_text(encoding="utf-8")
    return template.render(
        report=report,
        style=Markup(style),
        sections=[_section(section) for section in report.sections],
        patients=[_section(section) for section in report.patients],
    )


def _section(section: Section) -> dict[str, object]:
    return {
        "id": section.id,
        "title": section.title,
        "text": section.text,
        "missing": section.missing,
        "items": section.list_items,
        "tables": [
            {
                "id": table.id,
                "title": table.title,
                "html": Markup(html_table(table)),
                # a first column of words needs room that one of study IDs does not
                "labelled": any(len(row.cells[0]) > _LONG_LABEL for row in table.rows),
            }
            for table in section.tables
        ],
        "figures": [
            {
                "id": figure.id,
                "title": figure.title,
                "caption": figure.caption,
                "svg": Markup(inline_svg(figure.figure, id=f"svg-{figure.id}", label=figure.title)),
            }
            for figure in section.figures
        ],
    }
