"""A drawing is the same on a page and in a file: what is in it, where, and in how many bytes."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from graftline.figures.drawing import (
    POINTS_PER_INCH,
    Dots,
    Drawing,
    Stroke,
    Words,
    cut_to_width,
    drawing_figure,
    drawing_svg,
    text_width,
)
from graftline.figures.theme import figure_bytes, inline_svg, themed

SMALL = Drawing(
    100.0,
    50.0,
    (
        Stroke((((0.0, 0.0), (10.0, 0.0), (10.0, 20.0), (15.04, 25.0)),), "#000000", 1.0),
        Dots(((5.0, 5.0), (6.0, 7.0)), "#0072B2"),
        Dots(((9.0, 9.0),), "#0072B2", open=True),
        Words(3.0, 40.0, "a < b & c", full="told <in> full"),
        Words(3.0, 48.0, "same style"),
    ),
)


def test_what_is_drawn_by_hand():
    svg = drawing_svg(SMALL, 'role="img"')
    # across, down, and aslant; rounded to a tenth of a point
    assert 'd="M0 0H10V20L15 25"' in svg
    assert '<g fill="#0072B2"><circle cx="5" cy="5" r="1.9"/><circle cx="6" cy="7" r="1.9"/>' in svg
    # an open dot is as large as a full one: half of its ring lies outside of its radius
    assert 'stroke-width="0.8"><circle cx="9" cy="9" r="1.5"/>' in svg
    assert 'viewBox="0 0 100 50"' in svg


def test_the_page_holds_well_formed_text_that_can_be_searched():
    root = ElementTree.fromstring(drawing_svg(SMALL, 'role="img" aria-label="x"'))
    words = ["".join(element.itertext()) for element in root.iter("text")]
    assert words == ["told <in> fulla < b & c", "same style"]
    (title,) = root.iter("title")
    assert title.text == "told <in> full"
    # two texts of one style share one group
    assert [len(group) for group in root.iter("g") if len(group.findall("text"))] == [2]


def test_no_ids_no_styles_no_outlines_of_letters():
    svg = inline_svg(SMALL, id="fig", label="A drawing")
    assert 'role="img" aria-label="A drawing"' in svg
    assert not re.search(r"\bid=|<style|<defs|<clipPath|<use", svg)


def test_a_file_shows_the_same_texts_at_the_same_places():
    with themed():
        figure = drawing_figure(SMALL)
    texts, lines = (
        [artist for artist in figure.artists if isinstance(artist, kind)] for kind in (Text, Line2D)
    )
    assert [t.get_text() for t in texts] == list(SMALL.texts)
    assert [t.get_position() for t in texts] == [(3.0, 40.0), (3.0, 48.0)]
    assert [list(line.get_xdata()) for line in lines[1:]] == [[5.0, 6.0], [9.0]]
    # points from the upper left corner become points of the paper, which count from below
    points = figure.dpi / POINTS_PER_INCH
    (x, y) = texts[0].get_transform().transform((3.0, 40.0)) / points
    assert (x, y) == pytest.approx((3.0, 50.0 - 40.0))
    assert figure.get_size_inches() * POINTS_PER_INCH == pytest.approx((100.0, 50.0))


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_mark_changes_a_file_and_is_the_same_every_time(kind):
    plain, marked = (figure_bytes(SMALL, kind, mark=mark) for mark in ("", "SIMULATED"))
    assert plain != marked
    assert marked == figure_bytes(SMALL, kind, mark="SIMULATED")


@pytest.mark.parametrize("text", ["CAR-T", "cyclophosphamide, lymphodepletion", "a b c", "µg"])
def test_width_is_that_of_the_font(text):
    """Truth: the layout engine of matplotlib, which also pulls pairs of letters together."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family="DejaVu Sans", size=100)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    assert 0.99 * width <= text_width(text, 100.0) <= 1.06 * width


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=80))
def test_a_cut_text_fits_and_begins_as_the_whole(text):
    cut = cut_to_width(text, 60.0, 7.0)
    assert text_width(cut, 7.0) <= 60.0
    assert cut == text or text.startswith(cut.removesuffix("\N{HORIZONTAL ELLIPSIS}"))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20))
def test_whatever_a_file_says_stays_text(text):
    svg = drawing_svg(Drawing(9.0, 9.0, (Words(1.0, 1.0, text, full=text),)), "")
    (shown,) = re.findall(r"</title>([^<]*)</text>", svg)
    assert unescape(shown) == text
