"""Kaplan-Meier against R's survfit, a hand-worked example, and laws."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier, km_by_group
from tests.stats.golden import Entry, assert_equals_r, data_for, entries, prefix_of, strata_of

PROPERTY = settings(deadline=None, max_examples=40, derandomize=True)


def options_of(call: str) -> dict:
    """The arguments of `kaplan_meier` that equal those of a call of survfit."""
    options: dict = {"interval": "log", "level": 0.95}
    for pattern, name, kind in (
        (r"conf\.type='([a-z-]+)'", "interval", str),
        (r"conf\.int=([0-9.]+)", "level", float),
        (r"conf\.lower='([a-z]+)'", "lower_limit", str),
        (r"start\.time=([0-9.]+)", "start_time", float),
    ):
        if found := re.search(pattern, call):
            options[name] = kind(found.group(1))
    return options


def curves_of(entry: Entry) -> list:
    """The curves that a golden entry speaks of, in R's order of strata."""
    if "data" in (entry.result if isinstance(entry.result, dict) else {}):
        data = entry.result["data"]
        return [kaplan_meier(data["time"], data["status"], **options_of(entry.call))]
    frame = data_for(entry.dataset, prefix_of(entry))
    by = re.search(r"~\s*([A-Za-z]\w*)", entry.call)
    if by is None:
        return [kaplan_meier(frame["time"], frame["status"], **options_of(entry.call))]
    curves = km_by_group(
        frame["time"], frame["status"], frame[by.group(1)], **options_of(entry.call)
    )
    named = {f"{by.group(1)}={label}": curve for label, curve in curves.items()}
    return [named[name] for name in strata_of(entry)]


@pytest.mark.parametrize("entry", entries("km"), ids=str)
def test_at_times_as_summary_survfit(entry: Entry) -> None:
    """golden: summary(<entry.call>, times=, extend=TRUE) of R's survival 3.5-3."""
    result = entry.result
    curves = curves_of(entry)
    times = np.array(result["time"]).reshape(len(curves), -1)
    at = [curve.at(t) for curve, t in zip(curves, times, strict=True)]
    for ours, theirs in (
        ("survival", "surv"),
        ("std_error", "se_surv"),
        ("lower", "lower"),
        ("upper", "upper"),
        ("at_risk", "n_risk"),
    ):
        assert_equals_r(np.concatenate([getattr(a, ours) for a in at]), result[theirs])
    since = np.concatenate([np.diff(a.events, prepend=0.0) for a in at])
    assert_equals_r(since, result["n_event"])


@pytest.mark.parametrize("entry", entries("km_full", "km_edge"), ids=str)
def test_whole_curve_as_survfit(entry: Entry) -> None:
    """golden: every row of <entry.call>; its std.err is the standard error of log S."""
    result = entry.result
    curves = curves_of(entry)
    for ours, theirs in (
        ("time", "time"),
        ("at_risk", "n_risk"),
        ("events", "n_event"),
        ("censored", "n_censor"),
        ("survival", "surv"),
        ("lower", "lower"),
        ("upper", "upper"),
    ):
        assert_equals_r(np.concatenate([getattr(c, ours) for c in curves]), result[theirs])
    with np.errstate(invalid="ignore"):
        log_error = np.concatenate([c.std_error / c.survival for c in curves])
    assert_equals_r(log_error, result["se_log_surv"])
    if "median" in result:
        median = curves[0].quantile()
        theirs = [result["median"], result["median_lower"], result["median_upper"]]
        assert_equals_r([median.value, median.lower, median.upper], theirs)


@pytest.mark.parametrize("entry", entries("km_quantile_ci"), ids=str)
def test_quantiles_as_quantile_survfit(entry: Entry) -> None:
    """golden: quantile(<entry.call>, probs)."""
    result = entry.result
    found = [[c.quantile(p) for p in result["probs"]] for c in curves_of(entry)]
    for ours, theirs in (("value", "quantile"), ("lower", "lower"), ("upper", "upper")):
        expected = result[theirs]
        if isinstance(expected, dict):
            expected = [value for row in expected.values() for value in row]
        assert_equals_r([getattr(q, ours) for row in found for q in row], expected)


# Six patients: a tie of events with a censoring, a lone event, a lone censoring, and an event last.
SIX_TIME, SIX_STATUS = [1, 1, 6, 6, 8, 9], [1, 0, 1, 1, 0, 1]


def test_six_patients_worked_by_hand() -> None:
    """worked: S = 5/6, then x 2/4, then 0; Greenwood 1/(6*5), + 2/(4*2)."""
    curve = kaplan_meier(SIX_TIME, SIX_STATUS, interval="plain")
    assert curve.time.tolist() == [1, 6, 8, 9]
    assert curve.at_risk.tolist() == [6, 4, 2, 1]
    assert curve.events.tolist() == [1, 2, 0, 1]
    assert curve.censored.tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(curve.survival, [5 / 6, 5 / 12, 5 / 12, 0.0], rtol=1e-15)
    se = [5 / 6 * (1 / 30) ** 0.5, 5 / 12 * (1 / 30 + 1 / 4) ** 0.5]
    np.testing.assert_allclose(curve.std_error[:2], se, rtol=1e-14)
    assert np.isnan(curve.std_error[3])
    assert curve.quantile(0.5).value == 6.0
    assert (curve.n, curve.n_events) == (6, 4)


def test_left_truncation_worked_by_hand() -> None:
    """worked: entries 0, 2, 5; ends 3 (event), 6 (event), 7; at risk 2 at day 3, 2 at day 6."""
    curve = kaplan_meier([3, 6, 7], [1, 1, 0], entry=[0, 2, 5])
    assert curve.at_risk.tolist() == [2, 2, 1]
    np.testing.assert_allclose(curve.survival, [0.5, 0.25, 0.25])


def test_start_stop_rows_equal_whole_rows() -> None:
    """law: cutting a patient's follow-up into rows changes no estimate."""
    whole = kaplan_meier([3, 6, 6, 9], [1, 1, 0, 1])
    cut = kaplan_meier([3, 2, 6, 6, 5, 9], [1, 0, 1, 0, 0, 1], entry=[0, 0, 2, 0, 0, 5])
    np.testing.assert_allclose(cut.at([3, 6, 9]).survival, whole.at([3, 6, 9]).survival)
    np.testing.assert_array_equal(cut.at([3, 6, 9]).at_risk, whole.at([3, 6, 9]).at_risk)


def test_fractional_weights_as_survfit() -> None:
    """golden: R 4.2.2, survival 3.5-3, survfit(Surv(e, st) ~ 1, weights = w)."""
    time, status = [3, 4, 6, 8, 10, 9, 12], [1, 0, 1, 0, 1, 0, 1]
    weights = [1.5, 1, 2, 0.5, 1, 1, 1]
    curve = kaplan_meier(time, status, weights=weights, interval="log")
    np.testing.assert_allclose(
        curve.survival, [0.8125, 0.8125, 0.5170455, 0.5170455, 0.5170455, 0.2585227, 0], rtol=1e-6
    )
    np.testing.assert_allclose(
        curve.std_error,
        [0.1665547, 0.1665547, 0.2235029, 0.2235029, 0.2235029, 0.2142554, 0],
        rtol=1e-6,
    )
    expected = [0.54366978, 0.54366978, 0.22160544, 0.22160544, 0.22160544, 0.05093894]
    np.testing.assert_allclose(curve.lower[:6], expected, rtol=1e-6)


def test_fractional_weights_with_late_entry_as_survfit() -> None:
    """golden: R 4.2.2, survival 3.5-3, survfit(Surv(s, e, st) ~ 1, weights = w)$std.err."""
    entry, time = [0, 0, 2, 5, 5, 7, 9], [3, 4, 6, 8, 10, 9, 12]
    curve = kaplan_meier(
        time, [1, 0, 1, 0, 1, 0, 1], entry=entry, weights=[1.5, 1, 2, 0.5, 1, 1, 1]
    )
    np.testing.assert_array_equal(curve.at_risk, [4.5, 3, 3.5, 2.5, 2, 2, 1])
    expected = [0.2771598, 0.2771598, 0.1866586, 0.1866586, 0.1866586, 0.1055458, 0]
    np.testing.assert_allclose(curve.std_error, expected, rtol=1e-6)


patients = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 1), st.integers(1, 3), st.integers(0, 6)),
    min_size=1,
    max_size=25,
)


@PROPERTY
@given(rows=patients, interval=st.sampled_from(["plain", "log", "log-log", "logit", "arcsin"]))
def test_whole_weights_equal_repetition(rows, interval) -> None:
    time, status, weight, _ = (np.array(c) for c in zip(*rows, strict=True))
    weighted = kaplan_meier(time, status, weights=weight, interval=interval)
    repeated = kaplan_meier(np.repeat(time, weight), np.repeat(status, weight), interval=interval)
    for name in ("time", "at_risk", "events", "survival", "std_error", "lower", "upper"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-12)


@PROPERTY
@given(rows=patients, seed=st.integers(0, 99))
def test_row_order_does_not_matter(rows, seed) -> None:
    time, status, weight, late = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    entry = np.where(late < time, late, 0.0)
    order = np.random.default_rng(seed).permutation(time.size)
    one = kaplan_meier(time, status, entry=entry, weights=weight)
    other = kaplan_meier(time[order], status[order], entry=entry[order], weights=weight[order])
    np.testing.assert_array_equal(one.survival, other.survival)
    np.testing.assert_array_equal(one.lower, other.lower)


@PROPERTY
@given(rows=patients)
def test_times_equal_but_for_rounding_are_ties(rows) -> None:
    time, status, _, _ = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    exact = kaplan_meier(time, status)
    rounded = kaplan_meier((time / 30.4375) * 30.4375 * (1 + 1e-15), status)
    np.testing.assert_array_equal(exact.survival, rounded.survival)


@PROPERTY
@given(rows=patients)
def test_all_censored_groups_and_labels(rows) -> None:
    """property: a group's curve does not depend on its label or on the other groups."""
    time, status, _, _ = (np.array(c) for c in zip(*rows, strict=True))
    group = np.array(["b"] * time.size + ["a"] * 3)
    curves = km_by_group(np.append(time, [1, 2, 3]), np.append(status, [0, 0, 0]), group)
    assert list(curves) == ["a", "b"]
    assert curves["a"].survival.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(curves["b"].survival, kaplan_meier(time, status).survival)


def test_polars_columns_and_prints() -> None:
    """The result as a table and as text, from data-frame columns."""
    frame = pl.DataFrame({"t": SIX_TIME, "s": [bool(s) for s in SIX_STATUS]})
    curve = kaplan_meier(frame["t"], frame["s"])
    assert curve.to_frame().columns[:3] == ["time", "at_risk", "events"]
    assert str(curve).startswith(
        "Kaplan-Meier, 6 rows, 4 events\nmedian 6 (95% interval 1 to NR), log-log\n"
    )
    assert "not" not in str(curve.at([1, 2]))
    assert curve.quantile().to_frame().shape == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"time": [1, -2, 3], "status": [0, 1, 0]}, ["time: found -2.0 in row 1", "0 or later"]),
        ({"time": [1, float("nan")], "status": [0, 1]}, ["found nan in row 1"]),
        ({"time": [1, 2], "status": [0, 2]}, ["status: found 2.0 in row 1", "0 (censored) or 1"]),
        ({"time": [1, 2], "status": [0, None]}, ["status: found nan in row 1"]),
        ({"time": [1, 2], "status": [0]}, ["status: found 1 values", "expected 2"]),
        ({"time": [], "status": []}, ["found no rows"]),
        ({"time": [[1, 2]], "status": [0]}, ["time: found shape (1, 2)"]),
        ({"time": ["a"], "status": [0]}, ["time: expected numbers"]),
        ({"time": [3, 5], "status": [1, 1], "entry": [3, 6]}, ["rows 0, 1", "before the row's"]),
        ({"time": [3], "status": [1], "weights": [-1]}, ["weights: found -1.0 in row 0"]),
        ({"time": [3], "status": [1], "weights": [0]}, ["found no rows"]),
        ({"time": [3], "status": [1], "interval": "loglog"}, ["interval: found 'loglog'"]),
        ({"time": [3], "status": [1], "level": 95}, ["level: found 95"]),
        ({"time": [3], "status": [1], "start_time": 9}, ["nobody is observed at 9 or later"]),
    ],
)
def test_bad_input_names_the_rows(arguments, words) -> None:
    with pytest.raises(StatsInputError) as caught:
        kaplan_meier(**arguments)
    for word in words:
        assert word in str(caught.value)


def test_all_problems_at_once() -> None:
    with pytest.raises(StatsInputError, match=r"2 problems\. Nothing was computed"):
        kaplan_meier([-1, 2], [0, 7])
    with pytest.raises(StatsInputError, match="group: no label in row 1"):
        km_by_group([1, 2], [0, 1], ["a", None])
