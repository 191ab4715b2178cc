"""What every figure shares: the same bytes, no dates, ids that do not clash."""

import re
from itertools import pairwise

import matplotlib as mpl
import pytest

from graftline.figures.theme import (
    CYCLE,
    day_axis,
    figure_bytes,
    inline_svg,
    month_axis,
    new_figure,
    plain_log_axis,
    split_at,
    themed,
)


def small():
    with themed():
        figure = new_figure(2, 1.5)
        axes = figure.subplots()
        axes.plot([1, 2], [1, 3], label="a")
        axes.set_title("T")
    return figure


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_same_figure_same_bytes_without_a_date(kind):
    content = figure_bytes(small(), kind)
    assert content == figure_bytes(small(), kind)
    assert b"CreationDate" not in content
    assert b"dc:date" not in content


def test_ids_of_an_inline_figure_are_its_own_and_every_reference_resolves():
    text = inline_svg(small(), id="fig", label='A "quoted" <figure>')
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    references = set(re.findall(r'href="#([^"]+)"', text)) | set(
        re.findall(r"url\(#([^)]+)\)", text)
    )
    assert ids
    assert all(one.startswith("fig-") for one in ids)
    assert references <= ids
    assert "<metadata" not in text
    assert 'aria-label="A &quot;quoted&quot; &lt;figure>"' in text


def test_settings_are_restored():
    before = dict(mpl.rcParams)
    small()
    assert dict(mpl.rcParams) == before


def test_time_axes_have_whole_ticks_within_the_data():
    with themed():
        figure = new_figure(2, 1)
        axes = figure.subplots()
        assert month_axis(axes, 24 * 30.4375, label="m")[-1] <= 24
        assert all(t.is_integer() for t in day_axis(axes, 99, label="d"))


def test_log_labels_are_plain_numbers():
    with themed():
        axes = new_figure(2, 2).subplots()
        axes.plot([0, 1], [0.1, 1e6])
        plain_log_axis(axes)
        label = axes.yaxis.get_major_formatter()
    assert [label(v) for v in (0.1, 10, 1000, 1e5)] == ["0.1", "10", "1000", "1e5"]


def test_colours_differ():
    assert len(set(CYCLE)) == len(CYCLE)


def test_clipping_paths_are_numbered_as_they_appear():
    """Truth: law. Named by their place in memory, two runs would differ."""
    from matplotlib.patches import Circle

    figures = []
    for _ in range(2):
        figure = new_figure(3, 2)
        axes = figure.subplots()
        (line,) = axes.plot([0, 1], [0, 1])
        line.set_clip_path(Circle((0.5, 0.5), 0.3, transform=axes.transData))
        figures.append(figure)
    first, second = (figure_bytes(f, "svg") for f in figures)
    assert first == second
    assert b'id="clip0"' in first


def test_a_split_axis_keeps_the_order_and_gives_the_early_time_its_share():
    with themed():
        axes = new_figure(4, 2).subplots()
        axes.set_xlim(0, 600)
        split_at(axes, 600.0, at=100.0, share=0.5)
        axes.figure.canvas.draw()
    places = [axes.transData.transform((day, 0.0))[0] for day in (0, 50, 100, 350, 600)]
    steps = [b - a for a, b in pairwise(places)]
    # equal before day 100 and after it, and half of the width each
    assert steps == pytest.approx([steps[0]] * 4)
    assert [t.get_text() for t in axes.get_xticklabels()][:2] == ["0", "20"]


def test_letters_of_a_page_are_letters_and_of_a_file_are_outlines():
    assert ">T</text>" in inline_svg(small(), id="fig", label="x")
    assert b"<text" not in figure_bytes(small(), "svg")


def test_a_mark_leaves_the_figure_as_it_was():
    figure = small()
    assert b"<!-- SIMULATED -->" in figure_bytes(figure, "svg", mark="SIMULATED")
    assert figure.texts == []
    assert b"<!-- SIMULATED -->" not in figure_bytes(figure, "svg")
