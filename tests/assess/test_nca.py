"""Non-compartmental analysis: hand-worked areas, exact exponentials, regression by scipy."""

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress

from graftline.assess.nca import nca, summarise_parameters
from graftline.problems import InputError

DAYS = [0.0, 4, 7, 10, 14, 21, 28]
EXAMPLE = [0.0, 500, 2e4, 1.8e5, 2.9e5, 6e4, 9e3]


def profile(days, values, **columns) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient": ["P1"] * len(days),
            "day": [float(d) for d in days],
            "value": [None if v is None else float(v) for v in values],
            **columns,
        },
        schema_overrides={"value": pl.Float64},
    )


def one(days, values, *, columns=None, **options):
    frame = profile(days, values, **(columns or {}))
    return nca(frame, **options).row(0, named=True)


def test_the_worked_profile():
    # worked: definitions 6.1
    row = one(DAYS, EXAMPLE)
    assert (row["cmax"], row["tmax"]) == (2.9e5, 14)
    assert row["auc"] == pytest.approx(2.482e6, rel=5e-4)
    # by hand: rising pieces linear 1000, 30750, 300000, 940000; falling (a-b)/ln(a/b) x 7
    by_hand = 1000 + 30750 + 300_000 + 940_000
    by_hand += 7 * (2.9e5 - 6e4) / math.log(2.9e5 / 6e4) + 7 * (6e4 - 9e3) / math.log(6e4 / 9e3)
    assert row["auc"] == pytest.approx(by_hand, rel=1e-12)
    assert (row["tlast"], row["clast"], row["detectable_last"]) == (28, 9e3, True)


@pytest.mark.parametrize("k", [0.01, 0.3, 2.0])
def test_an_exponential_has_its_exact_area_and_half_life(k):
    # law: the logarithmic trapezoid is exact for exp(-kt); interpolation at 28 too
    days = [0.0, 3, 6, 9, 12, 15, 18, 27, 30]
    row = one(days, [1000 * math.exp(-k * d) for d in days])
    assert row["auc"] == pytest.approx(1000 * (1 - math.exp(-28 * k)) / k, rel=1e-9)
    assert row["half_life"] == pytest.approx(math.log(2) / k, rel=1e-9)
    assert row["half_life_adjusted_r2"] == pytest.approx(1)
    assert row["half_life_span"] == pytest.approx((30 - 3) * k / math.log(2), rel=1e-9)
    assert row["half_life_points"] == 8


def test_a_line_rising_across_day_28_is_cut_linearly():
    # by hand: value = day up to 40, so the area to 28 is 28 squared over 2
    assert one([0, 10, 20, 40], [0, 10, 20, 40], minimum_samples=1)["auc"] == pytest.approx(392)


@pytest.mark.parametrize(
    ("last", "auc_to"),
    [(40, 28), (28, 28), (27, 27), (21, 21), (20, 20)],
)
def test_where_the_area_ends(last, auc_to):
    row = one([0, 5, 10, 15, last], [0, 10, 10, 10, 10])
    assert row["auc_to"] == auc_to
    # by hand: a triangle of 5 x 10 / 2 and then 10 a day
    assert row["auc"] == pytest.approx(25 + 10 * (auc_to - 5))


def test_last_sample_before_day_21_ends_the_area_at_tlast():
    # by hand: 0-5 triangle 25, 5-10 50; the fall to 0 on day 20 is not counted
    row = one([0, 5, 10, 15, 20], [0, 10, 10, 0, 0])
    assert (row["auc_to"], row["auc"]) == (10, pytest.approx(75))


BLQ_DAYS = [0, 5, 8, 10, 12, 15, 20, 25, 28]
BLQ_VALUES = [1, 1, 10, 1, 20, 10, 1, 1, 1]
BLQ_BELOW = [True, True, False, True, False, False, True, True, True]


@pytest.mark.parametrize(
    ("rule", "tail"),
    [
        ("pknca", 10 / 2 * 5),  # straight to 0 on day 20
        # 10 -> 0.5 on day 20 logarithmic, then straight to 0 on day 25
        ("lloq_half_after_last", 9.5 / math.log(20) * 5 + 0.5 / 2 * 5),
    ],
)
def test_values_below_quantification(rule, tail):
    # by hand: 0 before day 8, day 10 dropped (8 -> 12 rises), 12 -> 15 falls
    row = one(
        BLQ_DAYS,
        BLQ_VALUES,
        columns={"blq": BLQ_BELOW, "lloq": [1.0] * 9},
        below="blq",
        lloq="lloq",
        blq=rule,
    )
    by_hand = 10 / 2 * 3 + (10 + 20) / 2 * 4 + 10 / math.log(2) * 3 + tail
    assert row["auc"] == pytest.approx(by_hand, rel=1e-12)
    assert (row["tlast"], row["clast"], row["detectable_last"]) == (15, 10, False)
    assert row["blq_rule"] == rule


@pytest.mark.parametrize(
    ("value", "quantifiable"),
    [(9.99, 0), (10, 1), (0, 0)],  # at the limit is quantifiable, 0 never
)
def test_the_limit_of_quantification(value, quantifiable):
    row = one([7], [value], columns={"lloq": [10.0]}, lloq="lloq", minimum_samples=1)
    assert row["quantifiable"] == quantifiable


def test_missing_is_not_zero():
    whole = one([0, 5, 10, 15, 28], [0, 10, 10, 10, 10])
    holes = one([0, 5, 7, 10, 15, 28], [0, 10, None, 10, 10, 10])
    assert holes["auc"] == whole["auc"]
    assert holes["samples"] == 5


def test_never_above_the_limit():
    row = one([0, 7, 10, 14, 28], [0, 0, 0, 0, 0])
    assert row["cmax"] is None
    assert row["tmax"] is None
    assert row["tlast"] is None
    assert row["reason_cmax"] == row["reason_auc"] == "never_quantified"
    assert row["detectable_last"] is False


def test_the_earliest_of_equal_peaks():
    assert one([0, 7, 10, 14], [0, 5, 9, 9])["tmax"] == 10


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        ([5, 10, 21], None),  # both ends of the window count
        ([4, 10, 21], "too_few_samples"),
        ([5, 10, 22], "too_few_samples"),
        ([10, 15], "too_few_samples"),
    ],
)
def test_three_samples_around_the_peak(days, reason):
    row = one(days, [10.0] * len(days))
    assert row["reason_cmax"] == reason
    assert (row["cmax"] is None) == (reason is not None)


def test_a_peak_after_day_28_is_not_cmax():
    row = one([5, 10, 15, 28, 40], [1, 5, 3, 2, 100])
    assert (row["cmax"], row["tmax"]) == (5, 10)
    assert one([5, 10, 15, 28, 40], [1, 5, 3, 2, 100], peak_window=(0, 400))["tmax"] == 40


@pytest.mark.parametrize(
    ("days", "values", "reason"),
    [
        ([0, 7, 10, 14], [0, 9, 5, 3], "too_few_points"),  # two points after the peak
        ([0, 7, 10, 14, 21], [0, 9, 5, 5, 5], "not_declining"),
        ([0, 7, 10, 14, 21, 28], [0, 9, 1, 2, 3, 4], "not_declining"),
        ([0, 7, 10, 14, 17, 21, 28], [0, 90, 9, 1, 8, 2, 3], "poor_fit"),
        ([0, 7, 10, 14, 21], [0, 9, 5, 3, 1], None),
    ],
)
def test_when_there_is_a_half_life(days, values, reason):
    row = one(days, values)
    assert row["reason_half_life"] == reason
    assert (row["half_life"] is None) == (reason is not None)


def test_months_take_the_nearest_sample_within_21_days():
    days = [7, 12, 30, 95, 200]
    columns = {"blq": [False, False, False, True, False]}
    row = one(days, [5, 9, 4, 1, 2], columns=columns, below="blq")
    months = [row[f"detectable_month_{m}"] for m in (1, 3, 6, 12)]
    assert months == [True, False, True, None]  # month 6 = 182.6: day 200 is 17 days off


@pytest.mark.parametrize(("value", "day"), [(-1.0, 7.0), (math.inf, 7.0), (1.0, math.nan)])
def test_impossible_samples_are_refused(value, day):
    with pytest.raises(InputError, match="row 3"):
        nca(profile([1, day], [1, value]))


def test_several_profiles_by_several_keys():
    frame = pl.concat(
        [
            profile(DAYS, EXAMPLE).with_columns(assay=pl.lit("a")),
            profile(DAYS, [2 * v for v in EXAMPLE]).with_columns(assay=pl.lit("b")),
        ]
    )
    rows = nca(frame, by=["patient", "assay"])
    assert rows["auc"].to_list() == pytest.approx([2481804.2, 2 * 2481804.2], rel=1e-6)


COURSE = st.lists(
    st.tuples(st.integers(1, 120), st.floats(0.1, 1e6)),
    min_size=4,
    max_size=15,
    unique_by=lambda t: t[0],
)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(COURSE)
def test_half_life_agrees_with_regressions_one_by_one(course):
    """Golden: scipy.stats.linregress over every tail, chosen by the published rule."""
    course = sorted(course)
    t, c = np.array(course).T
    after = t > t[np.argmax(c)]
    t, y = t[after], np.log(c[after])
    fits = []
    for k in range(3, len(t) + 1):
        if np.ptp(y[-k:]) == 0:
            continue  # a flat end has no r2
        fit = linregress(t[-k:], y[-k:])
        fits.append((k, 1 - (1 - fit.rvalue**2) * (k - 1) / (k - 2), fit.slope))
    row = one([d for d, _ in course], [v for _, v in course])
    best = max((a for _, a, _ in fits), default=0)
    falling = [f for f in fits if f[1] > best - 1e-4 and f[2] < 0]
    if not falling:
        assert row["half_life"] is None
        return
    points, r2, slope = max(falling, key=lambda f: f[0])
    if abs(r2 - 0.8) < 1e-9 or min(abs(a - best + 1e-4) for _, a, _ in fits) < 1e-9:
        return  # on the edge of a threshold rounding decides
    if r2 >= 0.8:
        assert row["half_life_points"] == points
        assert row["half_life"] == pytest.approx(math.log(2) / -slope, rel=1e-6)
    else:
        assert row["reason_half_life"] == "poor_fit"


@settings(deadline=None, max_examples=25, derandomize=True)
@given(COURSE)
def test_area_agrees_with_a_loop(course):
    """Property: the textbook rule written as a loop over one profile."""
    course = [(0, 0.0), *sorted(course)]
    end = 28 if course[-1][0] >= 28 else course[-1][0]
    area = 0.0
    for (t1, c1), (t2, c2) in pairwise(course):
        if t1 >= end:
            break
        falling = c2 < c1
        if t2 > end:
            share = (end - t1) / (t2 - t1)
            c2 = c1 * (c2 / c1) ** share if falling else c1 + (c2 - c1) * share
            t2 = end
        falling = falling and c2 < c1
        area += (t2 - t1) * ((c1 - c2) / math.log(c1 / c2) if falling else (c1 + c2) / 2)
    row = one([d for d, _ in course], [v for _, v in course], minimum_samples=0)
    assert row["auc"] == pytest.approx(area, rel=1e-9)


@settings(deadline=None, max_examples=8, derandomize=True)
@given(COURSE, st.floats(0.01, 100))
def test_units_convert_first_or_last(course, factor):
    """Law: scaling the concentrations scales Cmax and AUC and leaves times alone."""
    days, values = [d for d, _ in course], [v for _, v in course]
    plain, scaled = one(days, values), one(days, [v * factor for v in values])
    assert scaled["tmax"] == plain["tmax"]
    for name in ("cmax", "auc"):
        if plain[name] is not None:
            assert scaled[name] == pytest.approx(plain[name] * factor, rel=1e-9)


def test_cohort_figures():
    # by hand: values 1, 10, 100: geometric mean 10, s2 of ln = (ln 10)^2
    rows = pl.DataFrame({"cmax": [1.0, 10.0, 100.0, None, 0.0], "tmax": [7.0, 10, 14, None, 21]})
    table = summarise_parameters(rows, parameters=["cmax", "tmax"])
    cmax, tmax = table.rows(named=True)
    assert (cmax["n"], cmax["n_positive"]) == (4, 3)
    assert cmax["geometric_mean"] == pytest.approx(10)
    assert cmax["geometric_cv_percent"] == pytest.approx(
        100 * math.sqrt(math.exp(math.log(10) ** 2) - 1)
    )
    assert (tmax["median"], tmax["minimum"], tmax["maximum"]) == (12, 7, 21)


def test_a_parameter_nobody_has_still_has_its_row():
    rows = pl.DataFrame({"half_life": [None, None]}, schema={"half_life": pl.Float64})
    table = summarise_parameters(rows, parameters=["half_life"])
    assert table["n"].to_list() == [0]
