"""Ticks of display scales. Truth: the scales' definitions."""

import numpy as np

from graftline.assays.flow.scales import Scale, apply_scale
from graftline.figures.assays_flow import scale_ticks


def test_ticks_stand_where_the_scale_puts_their_values() -> None:
    scale = Scale("logicle", t=262144)
    ticks = scale_ticks(scale, 0, 1)
    assert list(ticks.values()) == [0, 1e3, 1e4, 1e5]
    assert list(ticks) == apply_scale(np.array([0, 1e3, 1e4, 1e5]), scale).tolist()


def test_an_axis_of_less_than_a_decade_has_ticks_between() -> None:
    scale = Scale("logicle", t=262144)
    low, high = apply_scale(np.array([1500.0, 25_000.0]), scale).tolist()
    assert list(scale_ticks(scale, low, high).values()) == [2e3, 5e3, 1e4, 2e4]


def test_what_lies_beyond_the_end_of_a_scale_has_no_tick() -> None:
    # FlowJo's bins end at t: 10^4 and more would all stand at the last one.
    ticks = scale_ticks(Scale("biex", t=5000), -200, 4300)
    assert max(ticks.values()) == 1000
    assert max(ticks) < 4096
