"""One patient's course: what was given, what happened, and the measurements behind it."""

import textwrap
from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graftline.figures.courses import draw_courses
from graftline.figures.theme import CYCLE, DOUBLE_COLUMN, new_figure, themed

_LEAST_SPAN = 30.0
_TEXT_LENGTH = 46
# panels in this order: analytes drawn together
PANELS: Sequence[tuple[str, tuple[str, ...], bool]] = (
    ("ANC, platelets (1e9/L)", ("anc", "platelets"), True),
    ("CAR-T (copies/\N{MICRO SIGN}g; cells/\N{MICRO SIGN}L)", ("car_t_qpcr", "car_t_flow"), True),
    (
        "T cells CD7+, CD7\N{MINUS SIGN} (cells/\N{MICRO SIGN}L)",
        ("cd3_cd7_positive", "cd3_cd7_negative"),
        True,
    ),
    ("CRP (mg/L), ferritin (\N{MICRO SIGN}g/L)", ("crp", "ferritin"), True),
)

_NAMES = {
    "anc": "neutrophils",
    "car_t_qpcr": "qPCR",
    "car_t_flow": "flow cytometry",
    "cd3_cd7_positive": "CD7+",
    "cd3_cd7_negative": "CD7\N{MINUS SIGN}",
    "crp": "CRP",
}


def draw_timeline(
    spans: pl.DataFrame,
    labs: Mapping[str, pl.DataFrame],
    *,
    hsct_day: float | None,
    last_day: float | None,
) -> Figure | None:
    """The timeline of one patient; none where nothing has a day.

    Parameters
    ----------
    spans : DataFrame [lane, text, start, stop, assumed]
        Events and courses of one patient, in lanes (treatment, toxicity, ...).
    labs : mapping of analyte to DataFrame [patient, day, value, below]
    hsct_day, last_day : float or None
        Marked by vertical lines.
    """
    panels = [
        (title, [a for a in analytes if a in labs and not labs[a].is_empty()], log)
        for title, analytes, log in PANELS
    ]
    panels = [(title, analytes, log) for title, analytes, log in panels if analytes]
    dated = spans.drop_nulls("start").sort("lane_order", "start", "text")
    if dated.is_empty() and not panels:
        return None
    lines = dated.height
    with themed():
        heights = [max(0.5, 0.17 * lines), *(1.15 for _ in panels)]
        figure = new_figure(DOUBLE_COLUMN, sum(heights) + 0.75)
        grid = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
        axes = grid[:, 0]
        _draw_spans(axes[0], dated)
        for panel, (title, analytes, log) in zip(axes[1:], panels, strict=True):
            _draw_panel(panel, [(a, labs[a]) for a in analytes], title, log=log)
        first, last = _limits(dated, labs, hsct_day, last_day)
        axes[0].set_xlim(first, last)
        for panel in axes:
            panel.axvline(0, color="black", linewidth=0.7)
            if hsct_day is not None:
                panel.axvline(hsct_day, color="black", linewidth=0.7, linestyle="--")
        top = axes[0].get_xaxis_transform()
        axes[0].text(
            0, 1.0, "index infusion ", transform=top, fontsize=6.5, va="bottom", ha="right"
        )
        if hsct_day is not None and abs(hsct_day) > 0:
            axes[0].text(
                hsct_day, 1.0, " HSCT", transform=top, fontsize=6.5, va="bottom", ha="left"
            )
        axes[-1].set_xlabel("Days from index infusion")
    return figure


def _limits(
    dated: pl.DataFrame,
    labs: Mapping[str, pl.DataFrame],
    hsct_day: float | None,
    last_day: float | None,
) -> tuple[float, float]:
    days = [0.0, _LEAST_SPAN, *(d for d in (hsct_day, last_day) if d is not None)]
    days += [float(d) for d in dated["start"]]
    days += [
        float(d)
        for frame in labs.values()
        for d in (frame["day"].min(), frame["day"].max())
        if isinstance(d, float)
    ]
    first, last = max(min(days), -60.0), max(days)
    room = 0.03 * (last - first)
    return first - room, last + room


def _draw_spans(axes: Axes, dated: pl.DataFrame) -> None:
    lanes = dated["lane"].unique(maintain_order=True).to_list()
    labels = axes.get_yaxis_transform()
    for place, row in enumerate(dated.iter_rows(named=True)):
        colour = CYCLE[lanes.index(row["lane"]) % len(CYCLE)]
        y, start, stop = -float(place), float(row["start"]), row["stop"]
        if stop is not None and stop > start:
            axes.plot([start, stop], [y, y], color=colour, linewidth=3.2, solid_capstyle="butt")
        face = "white" if row["assumed"] else colour
        axes.plot(
            [start], [y], "o", color=colour, markerfacecolor=face, markersize=3.8, clip_on=False
        )
        axes.axhline(y, color="#EEEEEE", linewidth=0.6, zorder=0)
        # texts and not tick labels: a tick is an object of many parts, and there are many
        text = textwrap.shorten(
            str(row["text"]), _TEXT_LENGTH, placeholder=" \N{HORIZONTAL ELLIPSIS}"
        )
        axes.text(
            -0.012, y, text, transform=labels, color=colour, fontsize=6.8, ha="right", va="center"
        )
    axes.set_yticks([])
    axes.set_ylim(-max(dated.height, 1) + 0.3, 0.8)
    axes.spines["left"].set_visible(False)


def _draw_panel(
    axes: Axes, frames: Sequence[tuple[str, pl.DataFrame]], title: str, *, log: bool
) -> None:
    # the analytes stand where patients stand in the figures of the cohort
    named = [f.with_columns(patient=pl.lit(_NAMES.get(a, a))) for a, f in frames]
    draw_courses(axes, pl.concat(named), log=log)
    axes.set_title(title, fontsize=7)
    axes.legend(loc="upper right", fontsize=6.5)
    axes.grid(axis="x", color="#EEEEEE", linewidth=0.6)
