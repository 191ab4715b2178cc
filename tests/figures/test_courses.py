"""Courses over time: bands worked by hand; what is drawn for one, ten and many patients."""

import numpy as np
import polars as pl
import pytest

from graftline.figures.courses import draw_courses, mark_transplants, quantile_bands
from graftline.figures.theme import new_figure, themed


def courses(patients, days=(0.0, 7.0, 14.0)):
    return pl.DataFrame(
        {
            "patient": [f"P{i}" for i in range(patients) for _ in days],
            "day": list(days) * patients,
            "value": [float(i + d + 1) for i in range(patients) for d in days],
            "below": [False] * patients * len(days),
        }
    )


def test_quantiles_by_hand():
    frame = pl.DataFrame(
        {"patient": list("ABCDE"), "day": [0.9, 1.0, 1.2, 1.4, 0.6], "value": [1.0, 2, 3, 4, 5]}
    )
    (row,) = quantile_bands(frame, width_days=1.0).iter_rows(named=True)
    # linear interpolation between order statistics (type 7)
    assert (row["day"], row["n"]) == (1.0, 5)
    assert [row[k] for k in ("q05", "q25", "q50", "q75", "q95")] == pytest.approx(
        [1.2, 2, 3, 4, 4.8]
    )


def test_windows_with_few_values_are_not_shown():
    assert quantile_bands(courses(4), width_days=1.0).is_empty()
    assert quantile_bands(courses(5), width_days=1.0)["n"].to_list() == [5, 5, 5]


@pytest.mark.parametrize(("patients", "lines"), [(1, 3), (10, 30), (60, 181)])
def test_up_to_sixty_patients_each_has_a_line(patients, lines):
    with themed():
        axes = new_figure(3, 2).subplots()
        draw_courses(axes, courses(patients), log=True)
    # a line, its points and its open points per patient; the median above ten
    assert len(axes.lines) == lines


@pytest.mark.parametrize("patients", [61, 187, 20_000])
def test_above_sixty_patients_bands_replace_lines(patients):
    with themed():
        axes = new_figure(3, 2).subplots()
        draw_courses(axes, courses(patients), log=True, lloq=[1.0])
    assert len(axes.lines) == 2  # the median and the limit
    assert len(axes.collections) == 2  # two bands


def test_values_below_the_limit_are_open_symbols_at_the_limit_even_zeros():
    frame = pl.DataFrame(
        {
            "patient": ["A", "A", "A"],
            "day": [0.0, 1.0, 2.0],
            "value": [0.0, 50.0, 100.0],
            "below": [False, True, False],
        }
    )
    with themed():
        axes = new_figure(3, 2).subplots()
        draw_courses(axes, frame, log=True, lloq=[50.0])
    (opened,) = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert opened.get_xydata().tolist() == [[0.0, 50.0], [1.0, 50.0]]


def test_nothing_is_drawn_of_nothing():
    with themed():
        axes = new_figure(3, 2).subplots()
        draw_courses(axes, courses(0), log=True)
        mark_transplants(axes, pl.Series([], dtype=pl.Float64))
    assert not axes.lines


def test_many_transplants_are_a_median_and_its_quartiles():
    with themed():
        axes = new_figure(3, 2).subplots()
        mark_transplants(axes, pl.Series(np.arange(101, dtype=float)))
    assert axes.lines[0].get_xdata()[0] == 50.0


def test_a_patient_measured_daily_counts_once_in_a_window():
    """By hand: four patients at 4.0, and one measured five times at 0.1 who counts once."""
    frame = pl.DataFrame(
        {
            "patient": ["A", "B", "C", "D", *["ill"] * 5],
            "day": [30.0] * 4 + [29.0, 29.5, 30.0, 30.5, 31.0],
            "value": [4.0] * 4 + [0.1] * 5,
        }
    )
    (row,) = quantile_bands(frame, width_days=3.0).iter_rows(named=True)
    assert row["n"] == 5
    assert row["q50"] == 4.0


def test_days_between_visits_on_which_few_are_seen_are_no_window():
    """Forty patients come weekly; between two visits ten ill ones are seen: a quarter, too few."""
    weekly = [(f"P{i}", day, 4.0) for i in range(40) for day in (28.0, 35.0)]
    between = [(f"P{i}", float(day), 0.1) for i in range(10) for day in range(29, 35)]
    schema = ["patient", "day", "value"]
    frame = pl.DataFrame(weekly + between, schema=schema, orient="row")
    assert quantile_bands(frame, width_days=1.0)["day"].to_list() == [28.0, 35.0]
    eleventh = [("P11", float(day), 0.1) for day in range(29, 35)]
    eleven = pl.concat([frame, pl.DataFrame(eleventh, schema=schema, orient="row")])
    assert quantile_bands(eleven, width_days=1.0)["day"].to_list() == [28.0 + n for n in range(8)]


def test_patients_of_other_weekdays_are_in_each_window_of_weekly_visits():
    """Daily to day 42, then weekly, a seventh of the patients on each day of the week.

    The five ill of a hundred all come on one weekday: in windows of three days the 5th percentile
    would be theirs in one window and that of the healthy in the next.
    """
    schema = ["patient", "day", "value"]
    rows = []
    for n in range(100):
        days = [*range(20, 43), *(d for d in range(43, 99) if d % 7 == (0 if n < 5 else n % 7))]
        rows += [(f"P{n}", float(day), 0.01 if n < 5 else 4.0) for day in days]
    bands = quantile_bands(pl.DataFrame(rows, schema=schema, orient="row"), width_days=3.0)
    bands = bands.head(-1)  # records end in the middle of the last week
    assert set(bands["n"]) == {100}
    assert bands["q05"].to_list() == pytest.approx([bands["q05"][0]] * bands.height)
    late = bands.filter(pl.col("day") > 46)["day"]
    assert late.diff().drop_nulls().to_list() == pytest.approx([7.0] * (late.len() - 1), abs=1)
