"""One patient's course: what was given, what happened, and the measurements behind it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.ticker import MaxNLocator

from graftline.figures.courses import on_log_axis
from graftline.figures.drawing import (
    POINTS_PER_INCH,
    Dots,
    Drawing,
    Item,
    Point,
    Stroke,
    Words,
    cut_to_width,
    text_width,
)
from graftline.figures.theme import BLACK, CYCLE, DOUBLE_COLUMN, plain_label

# panels in this order: analytes drawn together
PANELS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("ANC, platelets (1e9/L)", ("anc", "platelets")),
    ("CAR-T (copies/\N{MICRO SIGN}g; cells/\N{MICRO SIGN}L)", ("car_t_qpcr", "car_t_flow")),
    (
        "T cells CD7+, CD7\N{MINUS SIGN} (cells/\N{MICRO SIGN}L)",
        ("cd3_cd7_positive", "cd3_cd7_negative"),
    ),
    ("CRP (mg/L), ferritin (\N{MICRO SIGN}g/L)", ("crp", "ferritin")),
)
SPLIT_DAY = 100.0

_NAMES = {
    "anc": "neutrophils",
    "car_t_qpcr": "qPCR",
    "car_t_flow": "flow cytometry",
    "cd3_cd7_positive": "CD7+",
    "cd3_cd7_negative": "CD7\N{MINUS SIGN}",
    "crp": "CRP",
}
_LEAST_SPAN = 30.0
_EARLIEST = -60.0
_LONG = 250.0
_EARLY_SHARE = 0.58  # of the width, for the days up to SPLIT_DAY of a long course
_WIDTH = DOUBLE_COLUMN * POINTS_PER_INCH
_MOST_LABEL, _LEAST_LABEL = 190.0, 40.0
_LINE, _LANE_GAP, _PANEL, _TITLE, _GAP = 12.0, 3.0, 62.0, 12.0, 8.0
_TOP, _BOTTOM, _RIGHT, _PAD = 13.0, 32.0, 16.0, 6.0
_SMALL, _LABEL = 6.5, 6.8
_DENSE = 40
_FAINT, _FRAME = "#EBEBEB", "#555555"
_FEW_DECADES = 1.7
_MOST_TICKS = 5


_Span = tuple[float, float | None, bool]  # first day, last day if known, whether assumed


@dataclass(frozen=True, slots=True)
class _Line:
    lane: int
    text: str
    spans: tuple[_Span, ...]


@dataclass(frozen=True, slots=True)
class _DayAxis:
    """Where a day stands; a long course is drawn closer together after ``SPLIT_DAY``."""

    first: float
    last: float
    left: float
    right: float

    @property
    def split(self) -> bool:
        return self.last > _LONG

    def place(self, day: float) -> float:
        width = self.right - self.left
        if not self.split:
            return self.left + width * (day - self.first) / (self.last - self.first)
        middle = self.left + _EARLY_SHARE * width
        if day <= SPLIT_DAY:
            share = (day - self.first) / (SPLIT_DAY - self.first)
            return self.left + (middle - self.left) * share
        return middle + (self.right - middle) * (day - SPLIT_DAY) / (self.last - SPLIT_DAY)

    def ticks(self) -> list[float]:
        if not self.split:
            return _whole_ticks(self.first, self.last, 8)
        early = _whole_ticks(self.first, SPLIT_DAY, 6)
        late = _whole_ticks(SPLIT_DAY, self.last, 4)
        return [*early, *(t for t in late if t > SPLIT_DAY)]


def draw_timeline(
    spans: pl.DataFrame,
    labs: Mapping[str, pl.DataFrame],
    *,
    hsct_day: float | None,
    last_day: float | None,
) -> Drawing | None:
    """The timeline of one patient; none where nothing has a day.

    A course of more than 250 days is drawn on two scales, closer together after day 100, with a
    line between them: toxicity, engraftment and acute GVHD happen in a few weeks.

    Parameters
    ----------
    spans : DataFrame [lane, lane_order, text, start, stop, assumed]
        Events and courses of one patient, in lanes (treatment, toxicity, ...).
    labs : mapping of analyte to DataFrame [patient, day, value, below]
    hsct_day, last_day : float or None
        HSCT is marked by a vertical line; the axis reaches to the last day.
    """
    panels = [
        (title, [a for a in analytes if a in labs and not labs[a].is_empty()])
        for title, analytes in PANELS
    ]
    # one value is no course
    panels = [
        (t, names) for t, names in panels if max((labs[a].height for a in names), default=0) > 1
    ]
    dated = spans.drop_nulls("start").sort("lane_order", "start", "text")
    if dated.is_empty() and not panels:
        return None
    lines = _lines(dated)
    left = _label_room([line.text for line in lines])
    axis = _DayAxis(*_limits(dated, labs, hsct_day, last_day), left, _WIDTH - _RIGHT)
    marks, bottom = _spans(lines, axis)
    plots = [(_TOP - 2.0, bottom)]
    for title, analytes in panels:
        top = bottom + _GAP
        frames = {a: _within(labs[a], axis) for a in analytes}
        marks += _panel(title, frames, axis, top)
        bottom = top + _TITLE + _PANEL
        plots.append((top + _TITLE, bottom))
    behind = _day_lines(axis, hsct_day, plots)
    return Drawing(_WIDTH, bottom + _BOTTOM, (*behind, *marks, *_day_ticks(axis, bottom)))


def _label_room(texts: Sequence[str]) -> float:
    widest = max((text_width(text, _LABEL) for text in texts), default=0.0)
    return min(max(widest, _LEAST_LABEL), _MOST_LABEL) + _PAD + 4.0


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
    first, last = max(min(days), _EARLIEST), max(days)
    room = 0.02 * (last - first)
    return first - room, last + room


def _within(frame: pl.DataFrame, axis: _DayAxis) -> pl.DataFrame:
    return frame.drop_nulls(["day", "value"]).filter(pl.col("day") >= axis.first).sort("day")


def _whole_ticks(first: float, last: float, most: int) -> list[float]:
    found = MaxNLocator(nbins=most, integer=True, steps=[1, 2, 3, 5, 10]).tick_values(first, last)
    return [float(t) for t in found if first <= t <= last]


def _lines(dated: pl.DataFrame) -> list[_Line]:
    """One line per thing that happened, however often, where it happened first."""
    found: dict[tuple[int, str], list[_Span]] = {}
    for row in dated.iter_rows(named=True):
        key = (row["lane_order"], row["text"])
        found.setdefault(key, []).append((row["start"], row["stop"], bool(row["assumed"])))
    return [_Line(lane, text, tuple(spans)) for (lane, text), spans in found.items()]


def _spans(lines: Sequence[_Line], axis: _DayAxis) -> tuple[list[Item], float]:
    """Lines under one another, lanes a little apart; returns the items and where they end."""
    items: list[Item] = []
    y, before = _TOP + _LINE / 2, None
    for line in lines:
        y += _LANE_GAP if before not in (None, line.lane) else 0.0
        before = line.lane
        items += _label(line, axis, y)
        for span in line.spans:
            items += _span(span, axis, y, CYCLE[line.lane % len(CYCLE)])
        y += _LINE
    return items, y - _LINE / 2


def _label(line: _Line, axis: _DayAxis, y: float) -> list[Item]:
    shown = cut_to_width(line.text, _MOST_LABEL, _LABEL)
    told = f"{line.text}: {', '.join(_days_in_words(span) for span in line.spans)}"
    return [
        Stroke((((axis.left, y), (axis.right, y)),), _FAINT, 0.6),
        Words(axis.left - _PAD, y + 2.4, shown, _LABEL, anchor="end", full=told),
    ]


def _span(span: _Span, axis: _DayAxis, y: float, colour: str) -> list[Item]:
    start, stop, assumed = span
    begun = axis.place(max(start, axis.first))
    items: list[Item] = []
    if stop is not None and stop > start:
        ended = axis.place(min(max(stop, axis.first), axis.last))
        items.append(Stroke((((begun, y), (ended, y)),), colour, 3.2))
    if start < axis.first:
        arrow = ((begun + 4.0, y - 2.5), (begun, y), (begun + 4.0, y + 2.5))
        return [*items, Stroke((arrow,), colour, 1.2)]
    return [*items, Dots(((begun, y),), colour, 4.4, open=assumed)]


def _days_in_words(span: _Span) -> str:
    start, stop, assumed = span
    days = f"day {start:g}" + (f" to {stop:g}" if stop is not None and stop > start else "")
    return f"{days} (assumed)" if assumed else days


def _panel(
    title: str, frames: Mapping[str, pl.DataFrame], axis: _DayAxis, top: float
) -> list[Item]:
    """One logarithmic panel: title and names of the lines above it, nothing over the lines."""
    upper, lower = top + _TITLE, top + _TITLE + _PANEL
    items: list[Item] = [Words(axis.left, top + 8.0, title, 7.0, bold=True)]
    shown = {a: on_log_axis(frame, ()) for a, frame in frames.items() if not frame.is_empty()}
    values = [float(v) for frame in shown.values() for v in frame["value"]]
    if not values:
        return items
    low, high, ticks = _log_range(min(values), max(values))

    def height(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return lower - _PANEL * min(max(share, 0.0), 1.0)

    for tick in ticks:
        y = height(tick)
        items.append(Stroke((((axis.left - 3.0, y), (axis.left, y)),), _FRAME))
        items.append(Words(axis.left - 5.0, y + 2.4, plain_label(tick), _LABEL, anchor="end"))
    items.append(Stroke((((axis.left, upper), (axis.left, lower), (axis.right, lower)),), _FRAME))
    names = [_NAMES.get(a, a) for a in shown]
    x = axis.right - sum(text_width(name, _SMALL) + 22.0 for name in names) + 8.0
    for place, (name, frame) in enumerate(zip(names, shown.values(), strict=True)):
        colour = CYCLE[place % len(CYCLE)]
        items.append(Stroke((((x, top + 6.0), (x + 10.0, top + 6.0)),), colour, 1.4))
        items.append(Words(x + 12.0, top + 8.4, name, _SMALL))
        x += text_width(name, _SMALL) + 22.0
        points = [
            (axis.place(day), height(value)) for day, value in frame.select("day", "value").rows()
        ]
        items += _course(points, frame["below"].fill_null(value=False).to_list(), colour)
    return items


def _course(points: Sequence[Point], below: Sequence[bool], colour: str) -> list[Item]:
    size = 2.6 if len(points) <= _DENSE else 1.9
    open_dots = tuple(p for p, limit in zip(points, below, strict=True) if limit)
    full_dots = tuple(p for p, limit in zip(points, below, strict=True) if not limit)
    items: list[Item] = [Stroke((tuple(points),), colour, 0.9)]
    if full_dots:
        items.append(Dots(full_dots, colour, size))
    if open_dots:
        items.append(Dots(open_dots, colour, size + 0.8, open=True))
    return items


def _log_range(lowest: float, highest: float) -> tuple[float, float, list[float]]:
    """Ends of a logarithmic axis in powers of ten, and its ticks: powers of ten, or 1, 2, 5."""
    low, high = math.log10(lowest), math.log10(highest)
    room = max(0.05 * (high - low), 0.06)
    low, high = low - room, high + room
    powers = range(math.floor(low), math.ceil(high) + 1)
    if high - low < _FEW_DECADES:
        ticks = [step * 10.0**power for power in powers for step in (1.0, 2.0, 5.0)]
    else:
        every = max(1, math.ceil((high - low) / _MOST_TICKS))
        ticks = [10.0**power for power in powers if power % every == 0]
    return low, high, [t for t in ticks if low <= np.log10(t) <= high]


def _day_lines(
    axis: _DayAxis, hsct_day: float | None, plots: Sequence[tuple[float, float]]
) -> list[Item]:
    """Grid, index infusion, HSCT and the change of scale, through every plot but not its title."""

    def line(day: float) -> tuple[tuple[Point, ...], ...]:
        return tuple(((axis.place(day), top), (axis.place(day), low)) for top, low in plots)

    grid = tuple(part for tick in axis.ticks() for part in line(tick))
    items: list[Item] = [
        Stroke(grid, _FAINT, 0.6),
        Stroke(line(0.0), BLACK, 0.8),
        Words(axis.place(0.0) - 2.0, 8.5, "index infusion", _SMALL, anchor="end"),
    ]
    if axis.split:
        items.append(Stroke(line(SPLIT_DAY), "#BBBBBB", 2.0))
    if hsct_day is not None and hsct_day >= axis.first:
        items.append(Stroke(line(hsct_day), BLACK, 0.8, dashed=True))
        if hsct_day != 0:
            items.append(Words(axis.place(hsct_day) + 2.0, 8.5, "HSCT", _SMALL))
    return items


def _day_ticks(axis: _DayAxis, bottom: float) -> list[Item]:
    places = [(axis.place(tick), tick) for tick in axis.ticks()]
    marks = tuple(((x, bottom), (x, bottom + 3.0)) for x, _ in places)
    days = [(x, f"{tick:g}".replace("-", "\N{MINUS SIGN}")) for x, tick in places]
    label = "Days from index infusion"
    if axis.split:
        label += f" (closer together after day {SPLIT_DAY:g})"
    return [
        Stroke((((axis.left, bottom), (axis.right, bottom)), *marks), _FRAME),
        *(Words(x, bottom + 11.0, day, 7.2, anchor="middle") for x, day in days),
        Words((axis.left + axis.right) / 2, bottom + 24.0, label, 8.0, anchor="middle"),
    ]
