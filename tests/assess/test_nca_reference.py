"""Non-compartmental analysis against figures that PKNCA publishes, and against plain numpy."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.nca import area_to_infinity, nca

# Theophylline after one oral dose in 12 people (Boeckmann and others 1994; R: Theoph):
# person; hours; mg/L
THEOPHYLLINE = """\
1;0 0.25 0.57 1.12 2.02 3.82 5.1 7.03 9.05 12.12 24.37;
0.74 2.84 6.57 10.5 9.66 8.58 8.36 7.47 6.89 5.94 3.28
2;0 0.27 0.52 1 1.92 3.5 5.02 7.03 9 12 24.3;
0 1.72 7.91 8.31 8.33 6.85 6.08 5.4 4.55 3.01 0.9
3;0 0.27 0.58 1.02 2.02 3.62 5.08 7.07 9 12.15 24.17;
0 4.4 6.9 8.2 7.8 7.5 6.2 5.3 4.9 3.7 1.05
4;0 0.35 0.6 1.07 2.13 3.5 5.02 7.02 9.02 11.98 24.65;
0 1.89 4.6 8.6 8.38 7.54 6.88 5.78 5.33 4.19 1.15
5;0 0.3 0.52 1 2.02 3.5 5.02 7.02 9.1 12 24.35;
0 2.02 5.63 11.4 9.33 8.74 7.56 7.09 5.9 4.37 1.57
6;0 0.27 0.58 1.15 2.03 3.57 5 7 9.22 12.1 23.85;
0 1.29 3.08 6.44 6.32 5.53 4.94 4.02 3.46 2.78 0.92
7;0 0.25 0.5 1.02 2.02 3.48 5 6.98 9 12.05 24.22;
0.15 0.85 2.35 5.02 6.58 7.09 6.66 5.25 4.39 3.53 1.15
8;0 0.25 0.52 0.98 2.02 3.53 5.05 7.15 9.07 12.1 24.12;
0 3.05 3.05 7.31 7.56 6.59 5.88 4.73 4.57 3 1.25
9;0 0.3 0.63 1.05 2.02 3.53 5.02 7.17 8.8 11.6 24.43;
0 7.37 9.03 7.14 6.33 5.66 5.67 4.24 4.11 3.16 1.12
10;0 0.37 0.77 1.02 2.05 3.55 5.05 7.08 9.38 12.1 23.7;
0.24 2.89 5.22 6.41 7.83 10.21 9.18 8.02 7.14 5.68 2.42
11;0 0.25 0.5 0.98 1.98 3.6 5.02 7.03 9.03 12.12 24.08;
0 4.86 7.24 8 6.81 5.87 5.22 4.45 3.62 2.69 0.86
12;0 0.25 0.5 1 2 3.52 5.07 7.07 9.03 12.05 24.15;
0 1.25 3.96 7.82 9.72 9.75 8.57 6.59 6.11 4.57 1.17
"""
EVERYTHING = {"peak_window": (0, 1e9), "minimum_samples": 0, "half_life_r2": -np.inf}


def theophylline() -> pl.DataFrame:
    fields = THEOPHYLLINE.replace("\n", ";").replace(";;", ";").strip(";").split(";")
    rows = [
        (person, float(t), float(c))
        for person, times, values in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
        for t, c in zip(times.split(), values.split(), strict=True)
    ]
    return pl.DataFrame(rows, schema=["patient", "day", "value"], orient="row")


def geometric(values: pl.Series) -> tuple[float, float]:
    logs = np.log(values.to_numpy())
    return float(np.exp(logs.mean())), float(100 * np.sqrt(np.expm1(logs.var(ddof=1))))


def test_theophylline_as_pknca_prints_it() -> None:
    # published: PKNCA's introduction: AUClast 0-24 h 74.6 [24.3], Cmax 8.65 [17.0], Tmax 1.14
    # [0.630, 3.55], half-life 8.18 [2.12], AUCinf,obs 115 [28.4]
    samples = theophylline()
    rows = nca(samples, **EVERYTHING)
    first_day = samples.filter(pl.col("day") <= 24)
    last = area_to_infinity(first_day, nca(first_day, **EVERYTHING))["auc_last"]
    whole = area_to_infinity(samples, rows)
    assert geometric(last) == pytest.approx((74.6, 24.3), abs=0.05)
    assert geometric(rows["cmax"]) == pytest.approx((8.65, 17.0), abs=0.05)
    assert rows["tmax"].median() == pytest.approx(1.14, abs=0.0051)
    assert (rows["tmax"].min(), rows["tmax"].max()) == (0.63, 3.55)
    assert rows["half_life"].mean() == pytest.approx(8.18, abs=0.005)
    assert rows["half_life"].std() == pytest.approx(2.12, abs=0.005)
    assert geometric(whole["auc_infinity"]) == pytest.approx((115, 28.4), abs=0.5)


def test_theophylline_s_terminal_points_are_those_of_pknca() -> None:
    # published: PKNCA tests/testthat/test-half.life.R, get_halflife_points of the same data
    points = [3, 4, 3, 3, 4, 7, 4, 6, 3, 3, 3, 3]
    rows = nca(theophylline(), **EVERYTHING).sort(pl.col("patient").cast(pl.Int64))
    assert rows["half_life_points"].to_list() == points
    assert rows["half_life_to"].to_list() == rows["tlast"].to_list()


LOG2 = float(np.log(2))


@pytest.mark.parametrize(
    ("trapezoid", "blq", "last", "beyond"),
    [
        ("linear", "zero", 1 + 1 + 0.5 + 1.5 + 1.5, 0.5),
        ("linear_up_log_down", "zero", 1 + 1 + 0.5 + 1.5 + 1 / LOG2, 0.5),
        ("linear", "pknca", 1 + 3 + 1.5 + 1.5, 0.5),
        ("linear_up_log_down", "pknca", 1 + 2 / LOG2 + 1.5 + 1 / LOG2, 0.5),
    ],
)
def test_areas_of_pknca_s_own_tests(trapezoid, blq, last, beyond) -> None:
    # published: PKNCA tests/testthat/test-auc.R, BLQ in the middle and at the end
    frame = profile(range(8), [0, 2, 0, 1, 2, 1, 0, 0])
    options = {"trapezoid": trapezoid, "blq": blq}
    found = area_to_infinity(frame, nca(frame, **options), **options).row(0, named=True)
    assert found["auc_last"] == pytest.approx(last, rel=1e-14)
    assert found["auc_all"] == pytest.approx(last + beyond, rel=1e-14)


@pytest.mark.parametrize(
    ("trapezoid", "tail"), [("linear", 0.75), ("linear_up_log_down", 0.5 / LOG2)]
)
def test_an_area_that_ends_between_the_last_value_and_zero(trapezoid, tail) -> None:
    # published: PKNCA tests/testthat/test-auc.R, AUCall of 0 to 6; the last sample is at 7
    until_5 = {"linear": 1 + 3 + 1.5 + 1.5, "linear_up_log_down": 1 + 2 / LOG2 + 1.5 + 1 / LOG2}
    row = one(
        [0, 1, 2, 3, 4, 5, 7],
        [0, 2, 0, 1, 2, 1, 0],
        trapezoid=trapezoid,
        auc_until=6,
        auc_complete_from=0,
        minimum_samples=0,
    )
    assert row["auc"] == pytest.approx(until_5[trapezoid] + tail, rel=1e-14)


def test_linear_then_logarithmic_as_pknca_chooses() -> None:
    # published: PKNCA tests/testthat/test-auc_integrate.R, lin-log: between the 13 values
    # zero, six linear (one of them zero), then log from 2 to 1 and from 1 to 1.5, zeros after
    values = [0, 0, 1, 1.5, 1, 2.5, 0, 0, 2, 1, 1.5, 0, 0]
    frame = profile(range(13), values)
    options = {"trapezoid": "linear_log", "blq": "zero"}
    by_hand = 0 + 0.5 + 1.25 + 1.25 + 1.75 + 1.25 + 0 + 1 + 1 / LOG2 + 0.5 / np.log(1.5)
    found = area_to_infinity(frame, nca(frame, **options), **options).row(0, named=True)
    assert found["auc_last"] == pytest.approx(by_hand, rel=1e-14)
    assert found["auc_all"] == pytest.approx(by_hand + 0.75, rel=1e-14)


def test_linear_then_logarithmic_knows_the_peak_of_the_area_itself() -> None:
    # by hand: 0 to 28 rises to its end, where the line 8 -> 24 stands at 16: linear throughout
    row = one([0, 14, 21, 35], [0, 10, 8, 24], trapezoid="linear_log", minimum_samples=0)
    assert row["auc"] == pytest.approx(70 + 63 + (8 + 16) / 2 * 7)
    # and equal values after the peak, where PKNCA divides 0 by 0, are a rectangle
    flat = one([0, 7, 14, 28], [0, 8, 4, 4], trapezoid="linear_log", minimum_samples=0)
    assert flat["auc"] == pytest.approx(28 + 7 * 4 / LOG2 + 56)


def test_the_half_life_of_pknca_s_own_tests() -> None:
    # published: PKNCA tests/testthat/test-half.life.R: 1.000577 without the peak
    row = one([0, 1, 2, 3], [1, 0.5, 0.25, 0.1251], **EVERYTHING)
    assert row["half_life"] == pytest.approx(1.000577, abs=1e-6)
    assert row["lambda_z"] == pytest.approx(LOG2 / row["half_life"], rel=1e-14)
    assert (row["half_life_from"], row["half_life_to"], row["half_life_points"]) == (1, 3, 3)
    # adjusted r2 of three points
    assert 1 - row["half_life_adjusted_r2"] == pytest.approx(
        2 * (1 - row["half_life_r2"]), rel=1e-6
    )


def test_without_a_sample_at_infusion() -> None:
    # published: PKNCA tests/testthat/test-auc.R: a range that starts before the first measurement
    # has no area; its imputation start_conc0 is our default
    frame = profile([7, 10, 14, 21, 28], [2, 8, 4, 2, 1])
    strict = {"start": "sample"}
    row = nca(frame, **strict).row(0, named=True)
    assert (row["auc"], row["reason_auc"]) == (None, "no_sample_at_infusion")
    assert (row["cmax"], row["reason_cmax"]) == (8, None)
    beyond = area_to_infinity(frame, nca(frame, **strict), **strict).row(0)[1:]
    assert beyond == (None,) * 6
    sampled = profile([0, 7, 10, 14, 21, 28], [0, 2, 8, 4, 2, 1])
    assert nca(sampled, **strict)["auc"][0] == nca(frame)["auc"][0] is not None


def test_one_sample_encloses_nothing() -> None:
    # published: PKNCA tests/testthat/test-auc.R, issue 176: one concentration has no area; with a
    # value below quantification behind it AUClast is 0
    for times, values, area in (([0], [1], None), ([0, 7], [1, 0], 0.0)):
        frame = profile(times, values)
        assert area_to_infinity(frame, nca(frame))["auc_last"].to_list() == [area]


def test_below_quantification_dropped_ends_at_the_last_value() -> None:
    # PKNCA's conc.blq = "drop": no triangle down to day 28
    row = one([0, 7, 14, 21, 28], [0, 8, 0, 4, 0], blq="drop", minimum_samples=0)
    assert (row["auc_to"], row["tlast"]) == (21, 21)
    assert row["auc"] == pytest.approx(28 + 14 * 4 / LOG2)


def test_to_infinity_by_hand() -> None:
    # 100 exp(-0.1 t): area to 20 is 1000 (1 - e^-2), beyond it 1000 e^-2, 13.5 % of all
    days = [0.0, 5, 10, 15, 20]
    frame = pl.DataFrame({"day": days, "value": [100 * np.exp(-0.1 * d) for d in days]})
    frame = frame.with_columns(patient=pl.lit("A"))
    rows = nca(frame, **EVERYTHING)
    found = area_to_infinity(frame, rows).row(0, named=True)
    assert found["auc_last"] == pytest.approx(1000 * (1 - np.exp(-2)))
    assert found["auc_infinity"] == found["auc_infinity_predicted"] == pytest.approx(1000)
    assert found["extrapolated_percent"] == pytest.approx(100 * np.exp(-2))
    assert rows["clast_predicted"].to_list() == pytest.approx([100 * np.exp(-2)])


def test_the_linear_rule_is_numpy_s_trapezoid() -> None:
    frame = theophylline().with_columns(pl.col("day") * 1.0)
    rows = nca(frame, trapezoid="linear", auc_until=12, **EVERYTHING)
    for patient, area in rows.select("patient", "auc").rows():
        own = frame.filter(pl.col("patient") == patient)
        t, c = own["day"].to_numpy(), own["value"].to_numpy()
        grid = np.unique(np.append(t[t < 12], 12.0))
        assert area == pytest.approx(np.trapezoid(np.interp(grid, t, c), grid), rel=1e-12)


def profile(days, values) -> pl.DataFrame:
    return pl.DataFrame(
        {"patient": ["P"] * len(days), "day": list(days), "value": values},
        schema={"patient": pl.String, "day": pl.Float64, "value": pl.Float64},
        strict=False,
    )


def one(days, values, **options):
    return nca(profile(days, values), **options).row(0, named=True)


def test_where_the_last_points_rise_there_is_no_half_life() -> None:
    # PKNCA: the best fit of all is the rising one of the last three points
    row = one([0, 7, 10, 14, 21, 28, 35, 42], [0, 900, 500, 80, 9, 1, 2, 4], minimum_samples=0)
    assert row["half_life"] is None
    assert row["reason_half_life"] == "not_declining"


def test_order_of_rows_and_samples_before_infusion_do_not_matter() -> None:
    days, values = [-7.0, 0, 7, 10, 14, 21, 28], [500.0, 0, 20, 80, 40, 20, 10]
    there = one(days, values)
    assert there == one(days[::-1], values[::-1]) == one(days[1:], values[1:])
    assert there["cmax"] == 80


def test_several_samples_of_one_time_count_as_their_mean_in_the_area() -> None:
    options = {"minimum_samples": 0}
    twice = one([0, 10, 10, 24], [0, 10, 30, 0], **options)
    assert twice["auc"] == one([0, 10, 24], [0, 20, 0], **options)["auc"] == 240
    assert twice["cmax"] == 30


@pytest.mark.parametrize(
    ("days", "values", "area", "tlast"),
    [
        ([7.25], [40.0], 145.0, 7.25),  # one sample: the triangle from infusion, decimal days
        ([0.0, 7.0], [0.0, 0.0], None, None),
        ([0.0], [5.0], None, 0.0),
    ],
)
def test_profiles_with_next_to_nothing(days, values, area, tlast) -> None:
    row = one(days, values, minimum_samples=0)
    assert row["auc"] == area
    assert row["tlast"] == tlast
    assert row["half_life"] is None


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.floats(0.5, 1e5), st.booleans()),
        min_size=3,
        max_size=12,
        unique_by=lambda sample: sample[0],
    )
)
def test_values_below_quantification_by_a_loop(samples) -> None:
    """Property: PKNCA's default rule (before 0, between dropped, after 0) written as a loop."""
    samples = sorted(samples)
    known = [t for t, _, below in samples if not below]
    frame = pl.DataFrame(
        [("P", float(t), c, b) for t, c, b in samples],
        schema=["patient", "day", "value", "below"],
        orient="row",
    )
    row = nca(frame, below="below", auc_until=60, minimum_samples=0).row(0, named=True)
    if not known:
        assert row["tlast"] is None
        assert row["auc"] is None
        return
    kept = [(0.0, 0.0)]
    for t, c, below in samples:
        if not below:
            kept.append((float(t), c))
        elif t < known[0] or t > known[-1]:
            kept.append((float(t), 0.0))
    end = samples[-1][0] if samples[-1][0] >= 21 else known[-1]
    area = 0.0
    for (t1, c1), (t2, c2) in pairwise(kept):
        if t2 <= end:
            falling = c1 > c2 > 0
            area += (t2 - t1) * ((c1 - c2) / np.log(c1 / c2) if falling else (c1 + c2) / 2)
    assert row["tlast"] == known[-1]
    assert row["auc"] == pytest.approx(area, rel=1e-9)


@pytest.mark.parametrize("blq", ["pknca", "zero", "drop"])
@pytest.mark.parametrize("trapezoid", ["linear_up_log_down", "linear", "linear_log"])
@settings(deadline=None, max_examples=12, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.just(0.0) | st.floats(0.5, 1e5)),
        min_size=2,
        max_size=12,
        unique_by=lambda sample: sample[0],
    )
)
def test_areas_by_a_loop(trapezoid, blq, samples) -> None:
    """Property: PKNCA's AUClast and AUCall, from its documentation, written as a loop."""
    samples = sorted(samples)
    days, values = zip(*samples, strict=True)
    seen = [t for t, c in samples if c > 0]
    frame = profile(days, values)
    options = {"trapezoid": trapezoid, "blq": blq}
    found = area_to_infinity(frame, nca(frame, **options), **options)
    if not seen:
        assert found.is_empty()
        return
    within = {"pknca": lambda t: not seen[0] < t < seen[-1], "zero": lambda _: True}
    kept = [(t, c) for t, c in samples if c > 0 or within.get(blq, lambda _: False)(t)]
    if len(kept) == 1 and kept[0][0] == 0:
        assert found["auc_last"].to_list() == [None]
        return
    kept = kept if kept[0][0] == 0 else [(0, 0.0), *kept]
    peak = max(kept, key=lambda sample: sample[1])[0]
    last = beyond = 0.0
    for (t1, c1), (t2, c2) in pairwise(kept):
        curved = {
            "linear": False,
            "linear_up_log_down": c1 > c2 > 0,
            "linear_log": t1 >= peak and c1 != c2 and c1 * c2 > 0,
        }[trapezoid]
        area = (t2 - t1) * ((c1 - c2) / np.log(c1 / c2) if curved else (c1 + c2) / 2)
        last += area if t2 <= seen[-1] else 0
        beyond += area if t1 == seen[-1] else 0
    assert found["auc_last"].to_list() == pytest.approx([last], rel=1e-6)
    assert found["auc_all"].to_list() == pytest.approx([last + beyond], rel=1e-6)


def test_missing_concentrations_are_left_out() -> None:
    # PKNCA's conc.na = "drop": a missing value is neither 0 nor a point of the half-life
    days, values = [0, 7, 10, 14, 17, 21, 28], [0, 20, 80, 40, None, 20, 10]
    known = [(t, c) for t, c in zip(days, values, strict=True) if c is not None]
    there, without = one(days, values), one(*zip(*known, strict=True))
    assert there == without
    assert one(days, [np.nan if c is None else c for c in values]) == there
    assert there["half_life_points"] == 3
