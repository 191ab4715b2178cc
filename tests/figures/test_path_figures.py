"""Stacked states and incidences, forest plots: what is drawn is what was estimated."""

import numpy as np
import pytest

from graftline.endpoints import clinical_stays
from graftline.figures.cumulative_incidence import CauseCurve
from graftline.figures.forest import ForestRow, draw_forest
from graftline.figures.stacked_incidence import draw_stacked_incidence
from graftline.figures.state_occupation import draw_occupation
from graftline.figures.theme import figure_bytes
from graftline.stats import cumulative_incidence
from graftline.tables.states import estimate_states
from tests.endpoints.made import made, made_trial
from tests.endpoints.test_states import relapse


def occupation():
    people = {
        "A": {"hsct": 20, "end": 400},
        "B": {"hsct": 30, "end": 200, "dead": True},
        "C": {"end": 300},
        "D": {"end": 100, "dead": True},
    }
    stays = clinical_stays(made_trial(people), made([relapse("D", 60.0)]), "car_t_to_hsct")
    return estimate_states(stays)


def test_bands_of_states_fill_the_axes():
    figure = draw_occupation(occupation(), title="T")
    bands = figure.axes[0].collections
    assert [b.get_label() for b in bands][:2] == ["infused", "HSCT"]
    lowest = min(b.get_paths()[0].vertices[:, 1].min() for b in bands)
    highest = max(b.get_paths()[0].vertices[:, 1].max() for b in bands)
    assert (lowest, highest) == (0.0, pytest.approx(100.0))
    numbers = [text.get_text() for text in figure.axes[1].texts]
    ticks = len(figure.axes[0].get_xticks())
    # death stands on top; at the beginning everybody is infused
    assert numbers[0::ticks] == ["0", "0", "0", "4"]
    assert figure_bytes(figure, "svg") == figure_bytes(
        draw_occupation(occupation(), title="T"), "svg"
    )


def test_event_free_and_the_incidences_add_up():
    time, status = np.array([100.0, 200, 300, 400]), np.array([1, 2, 0, 0])
    estimate = cumulative_incidence(time, status, causes=(1, 2))
    figure = draw_stacked_incidence(
        CauseCurve("relapse", estimate, time, np.zeros(4)),
        title="T",
        origin="CAR-T",
        labels=("free", "relapse", "death"),
    )
    free, relapsed, dead = (b.get_paths()[0].vertices[:, 1] for b in figure.axes[0].collections)
    # one of four relapses, one of four dies: 50 are free in the end
    assert {round(float(v), 9) for v in free} == {0.0, 100.0, 75.0, 50.0}
    assert relapsed.max() == pytest.approx(100.0)
    assert dead.min() == pytest.approx(75.0)


def row(estimate, low, high, group="G"):
    return ForestRow(group, "x", "1/2", "text", estimate, low, high, 10)


def test_a_ratio_beyond_the_axis_gets_an_arrow_and_a_reference_no_interval():
    rows = [row(1.0, None, None), row(2.0, 0.5, 90.0)]
    figure = draw_forest(
        rows, title="T", axis="HR", scale="ratio", heads=("deaths/n", "HR (95% CI)")
    )
    axes = figure.axes[1]
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == (pytest.approx(1 / 20), 20.0)
    assert [line.get_marker() for line in axes.lines].count(">") == 1
    intervals = [
        line
        for line in axes.lines
        if line.get_marker() == "None" and len(set(line.get_ydata())) == 1
    ]
    assert [tuple(line.get_xdata()) for line in intervals] == [(0.5, 20.0)]


def test_percent_from_nothing_to_everything():
    figure = draw_forest(
        [row(0.0, 0.0, 97.5, ""), row(100.0, 2.5, 100.0)],
        title="T",
        axis="Patients (%)",
        scale="percent",
        heads=("n/N", "% (95% CI)"),
    )
    assert figure.axes[1].get_xlim() == (0.0, 100.0)
    assert len(figure_bytes(figure, "png")) > 1000
