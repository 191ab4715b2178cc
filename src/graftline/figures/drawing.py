"""A drawing made of lines, dots and words: the same on a page as SVG and in a file by matplotlib.

A report holds one drawing per patient. Laid out here once, it costs a page a tenth of what
axes, ticks and legends of a plotting library cost, in time and in bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import groupby, pairwise
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text, TextPath
from matplotlib.transforms import Affine2D

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

POINTS_PER_INCH = 72.0
FONTS = "'DejaVu Sans',Verdana,sans-serif"  # Verdana has the same widths
_ALIGN: dict[Anchor, Literal["left", "center", "right"]] = {
    "start": "left",
    "middle": "center",
    "end": "right",
}
_RING = 0.8  # line of an open dot
_DIGITS = 1  # a tenth of a point cannot be seen


@dataclass(frozen=True, slots=True)
class Stroke:
    """Lines of one style, each through its points."""

    lines: tuple[tuple[Point, ...], ...]
    colour: str
    width: float = 0.7
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Dots:
    """Round dots of one style; ``open`` ones are white inside."""

    places: tuple[Point, ...]
    colour: str
    size: float = 3.8
    open: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text on its base line; ``full`` is what is told where the text is cut short."""

    x: float
    y: float
    text: str
    size: float = 6.8
    colour: str = "#222222"
    anchor: Anchor = "start"
    bold: bool = False
    full: str = ""


Item = Stroke | Dots | Words


@dataclass(frozen=True, slots=True)
class Drawing:
    """Items in the order they are painted, in points from the upper left corner."""

    width: float
    height: float
    items: tuple[Item, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that can be read in it, in order, as printed."""
        return tuple(item.text for item in self.items if isinstance(item, Words))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text in points, letter by letter."""
    return size / 100.0 * sum(_letter_width(letter, bold) for letter in text)


@lru_cache(maxsize=4096)
def _letter_width(letter: str, bold: bool) -> float:
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    # between two letters, so that a space has a width too
    outer, inner = (
        float(TextPath((0.0, 0.0), text, size=100.0, prop=font).get_extents().width)
        for text in (f"n{letter}n", "nn")
    )
    return outer - inner


def cut_to_width(text: str, width: float, size: float) -> str:
    """The text, or as many whole letters of it as fit with an ellipsis."""
    if text_width(text, size) <= width:
        return text
    room = width - text_width("\N{HORIZONTAL ELLIPSIS}", size)
    kept = 0
    while kept < len(text) and text_width(text[: kept + 1], size) <= room:
        kept += 1
    return text[:kept].rstrip(" ,") + "\N{HORIZONTAL ELLIPSIS}"


def drawing_svg(drawing: Drawing, attributes: str) -> str:
    """The drawing as an SVG element without any id or style sheet.

    Parameters
    ----------
    attributes : str
        Attributes of the element besides its size: role, label, style.
    """
    box = f"{_short(drawing.width)} {_short(drawing.height)}"
    parts = []
    for style, items in groupby(drawing.items, key=_svg_style):
        parts.append(f"<g {style}>{''.join(map(_svg_item, items))}</g>")
    body = "\n".join(parts)
    return f'<svg {attributes} viewBox="0 0 {box}" font-family="{FONTS}">\n{body}\n</svg>'


def _svg_style(item: Item) -> str:
    if isinstance(item, Stroke):
        dash = ' stroke-dasharray="2.6 1.6"' if item.dashed else ""
        return f'stroke="{item.colour}" stroke-width="{_short(item.width)}"{dash} fill="none"'
    if isinstance(item, Dots):
        ring = f'fill="#fff" stroke="{item.colour}" stroke-width="{_short(_RING)}"'
        return ring if item.open else f'fill="{item.colour}"'
    weight = ' font-weight="bold"' if item.bold else ""
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    return f'font-size="{_short(item.size)}" fill="{item.colour}"{anchor}{weight}'


def _svg_item(item: Item) -> str:
    if isinstance(item, Stroke):
        return f'<path d="{"".join(_svg_line(line) for line in item.lines)}"/>'
    if isinstance(item, Dots):
        radius = _short((item.size - _RING * item.open) / 2)
        return "".join(
            f'<circle cx="{_short(x)}" cy="{_short(y)}" r="{radius}"/>' for x, y in item.places
        )
    told = f"<title>{escape(item.full)}</title>" if item.full else ""
    place = f'x="{_short(item.x)}" y="{_short(item.y)}"'
    return f"<text {place}>{told}{escape(item.text, quote=False)}</text>"


def _svg_line(points: Sequence[Point]) -> str:
    """A path to whole tenths, without points that lie on the one before them."""
    rounded = [(round(x, _DIGITS), round(y, _DIGITS)) for x, y in points]
    kept = [rounded[0]]
    kept += [b for a, b in pairwise(rounded) if a != b]
    (x, y), *rest = kept
    steps = []
    for a, b in rest:
        flat, upright = b == y, a == x
        steps.append(
            f"H{_short(a)}" if flat else f"V{_short(b)}" if upright else f"L{_short(a)} {_short(b)}"
        )
        x, y = a, b
    return f"M{_short(kept[0][0])} {_short(kept[0][1])}{''.join(steps)}"


def _short(value: float) -> str:
    text = f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def drawing_figure(drawing: Drawing) -> Figure:
    """The drawing as a matplotlib figure, for files of any format.

    To be called inside ``theme.themed``.
    """
    size = (drawing.width / POINTS_PER_INCH, drawing.height / POINTS_PER_INCH)
    figure = Figure(figsize=size)
    # Not by axes, whose making costs as much as drawing all lines, nor by plot() and text(), which
    # look at each of them for limits.
    upside_down = Affine2D().scale(1 / POINTS_PER_INCH, -1 / POINTS_PER_INCH).translate(0, size[1])
    for _, alike in groupby(drawing.items, key=_print_style):
        for artist in _artists(list(alike)):
            artist.set_transform(upside_down + figure.dpi_scale_trans)
            figure.add_artist(artist)
    return figure


def _print_style(item: Item) -> tuple[str, float]:
    return _svg_style(item), item.size if isinstance(item, Dots) else 0.0


def _artists(alike: Sequence[Item]) -> Iterator[Artist]:
    """Items of one style: each text, and all lines or all dots as one."""
    yield from (_printed(item) for item in alike if isinstance(item, Words))
    strokes = [item for item in alike if isinstance(item, Stroke)]
    if strokes:
        first = strokes[0]
        x, y = _joined([line for stroke in strokes for line in stroke.lines])
        line = Line2D(x, y, color=first.colour, linewidth=first.width)
        if first.dashed:
            line.set_linestyle((0, (2.6 / first.width, 1.6 / first.width)))
        yield line
    dots = [item for item in alike if isinstance(item, Dots)]
    if dots:
        size, ring = dots[0].size, _RING if dots[0].open else 0.0
        places = [place for item in dots for place in item.places]
        yield Line2D(
            [x for x, _ in places],
            [y for _, y in places],
            linestyle="none",
            marker="o",
            color=dots[0].colour,
            markersize=size - ring,
            markeredgewidth=ring,
            markerfacecolor="white" if dots[0].open else dots[0].colour,
        )


def _printed(words: Words) -> Text:
    return Text(
        words.x,
        words.y,
        words.text,
        fontsize=words.size,
        color=words.colour,
        horizontalalignment=_ALIGN[words.anchor],
        verticalalignment="baseline",
        fontweight="bold" if words.bold else "normal",
        parse_math=False,
    )


def _joined(lines: Iterable[Sequence[Point]]) -> tuple[list[float], list[float]]:
    """All lines as one, with gaps between them."""
    x: list[float] = []
    y: list[float] = []
    for line in lines:
        x += [*(a for a, _ in line), float("nan")]
        y += [*(b for _, b in line), float("nan")]
    return x, y
