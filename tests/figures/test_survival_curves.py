"""Survival and incidence figures; numbers at risk from the ten patients of Hu 2024 (printed)."""

import numpy as np
import pytest

from graftline.figures.cumulative_incidence import CauseCurve, draw_incidence
from graftline.figures.survival_curves import Curve, draw_survival, people_at_risk, thin_steps
from graftline.figures.theme import figure_bytes
from graftline.stats import kaplan_meier
from graftline.stats.aalen_johansen import cumulative_incidence
from tests.tables.ten_patients import endpoint_rows


def test_numbers_at_risk_of_the_paper():
    rows = endpoint_rows().filter(endpoint="overall_survival")
    time, entry = rows["time_days"].to_numpy(), rows["entry_days"].to_numpy()
    deaths = sorted(rows.filter(status=1)["time_days"])
    # 10, 8 and 7 at risk at the three deaths, 4 at 12 months
    assert people_at_risk(time, entry, [*deaths, 365.25]) == [10, 8, 7, 4]


def test_who_enters_late_is_not_at_risk_before():
    time, entry = np.array([10.0, 20.0]), np.array([0.0, 5.0])
    assert people_at_risk(time, entry, [0, 5, 6, 15, 25]) == [1, 1, 2, 1, 0]


def curve(n):
    random = np.random.default_rng(1)
    time = random.exponential(400, n) + 1
    status = (random.random(n) < 0.6).astype(int)
    return Curve("x", kaplan_meier(time, status), time, np.zeros(n))


@pytest.mark.parametrize("n", [1, 10, 187, 100_000])
def test_any_size_of_cohort_can_be_drawn(n):
    figure = draw_survival([curve(n)], title="T", origin="CAR-T")
    svg = figure_bytes(figure, "svg")
    assert len(svg) < 400_000
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "x"]
    assert line.get_ydata()[0] == 100.0
    assert line.get_xdata().size <= 2001


def test_a_cause_nobody_has_can_be_drawn():
    time = np.array([3.0, 5.0, 9.0])
    estimate = cumulative_incidence(time, np.array([0, 2, 0]), causes=(1, 2))
    figure = draw_incidence(
        [CauseCurve("none", estimate, time, np.zeros(3))], title="T", origin="HSPC"
    )
    assert figure.axes[0].lines[0].get_ydata().max() == 0.0
    assert figure.axes[0].get_xlabel() == "Days from HSPC"


def test_thinning_keeps_the_ends():
    values = np.arange(50_000, dtype=float)
    (thin,) = thin_steps(values)
    assert (thin[0], thin[-1], thin.size) == (0.0, 49_999.0, 2000)
