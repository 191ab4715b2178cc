"""Mantel-Byar, Simon-Makuch and landmark against R, and by hand."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from graftline.stats.concordance import cox_concordance
from graftline.stats.cox import cox
from graftline.stats.inputs import StatsInputError
from graftline.stats.landmark import landmark_analysis, landmark_rows
from graftline.stats.mantel_byar import mantel_byar
from graftline.stats.nelson_aalen import nelson_aalen
from graftline.stats.simon_makuch import simon_makuch
from graftline.stats.switching import switch_rows
from tests.reference import reference_path
from tests.stats.golden import Entry, assert_equals_r, entries, prefix_of, time_dependent

FIELDS = (
    ("survival", "surv"),
    ("std_error", "se_surv"),
    ("lower", "lower"),
    ("upper", "upper"),
    ("at_risk", "n_risk"),
)


def columns_of(entry: Entry):
    frame = time_dependent(entry.dataset, prefix_of(entry))
    return frame["time"], frame["status"], frame["txtime"]


def assert_curves(curves, result) -> None:
    times = np.array(result["time"]).reshape(2, -1)
    at = [curve.at(t) for curve, t in zip(curves, times, strict=True)]
    for ours, theirs in FIELDS:
        assert_equals_r(np.concatenate([getattr(a, ours) for a in at]), result[theirs])
    since = np.concatenate([np.diff(a.events, prepend=0.0) for a in at])
    assert_equals_r(since, result["n_event"])


@pytest.mark.parametrize("entry", entries("mantel_byar"), ids=str)
def test_mantel_byar(entry: Entry) -> None:
    """golden: <entry.call> on tmerge data; chisq is the score test of coxph(ties="exact")."""
    found = mantel_byar(*columns_of(entry))
    result = entry.result
    assert_equals_r(found.events, result["observed"])
    assert_equals_r(found.expected, result["expected"])
    assert_equals_r(found.score, result["U"])
    assert_equals_r(found.variance, result["V"])
    assert_equals_r(found.chi_square, result["chisq"])
    assert_equals_r(found.p_value, result["p"])
    assert found.df == result["df"]


@pytest.mark.parametrize("entry", entries("simon_makuch"), ids=str)
def test_simon_makuch(entry: Entry) -> None:
    """golden: summary(<entry.call>, times=, extend=TRUE) on tmerge data."""
    interval = re.search(r"conf\.type='([a-z-]+)'", entry.call).group(1)
    start = re.search(r"start\.time=(\d+)", entry.call)
    start_time = None if start is None else float(start.group(1))
    columns = columns_of(entry)
    found = simon_makuch(*columns, interval=interval, start_time=start_time)
    assert_curves((found.unswitched, found.switched), entry.result)
    rows = switch_rows(*columns)
    times = np.array(entry.result["time"]).reshape(2, -1)
    hazards = []
    for place in (0, 1):
        members = rows.switched == place
        hazard = nelson_aalen(
            rows.stop[members],
            rows.event[members],
            entry=rows.start[members],
            start_time=start_time,
        )
        hazards.append(hazard.at(times[place])["cumulative_hazard"].to_numpy())
    assert_equals_r(np.concatenate(hazards), entry.result["cumhaz"])


@pytest.mark.parametrize("entry", entries("landmark"), ids=str)
def test_landmark(entry: Entry) -> None:
    """golden: <entry.call>: survfit, survdiff or coxph of the patients at risk at the landmark."""
    day = float(re.search(r"dsub\$time>(\d+)", entry.call).group(1))
    columns = columns_of(entry)
    result = entry.result
    found = landmark_analysis(*columns, landmark=day)
    if entry.call.startswith("survfit"):
        assert_curves((found.unswitched, found.switched), result)
    elif entry.call.startswith("survdiff"):
        assert_equals_r(found.test.n, result["n"])
        assert_equals_r(found.test.events, result["observed"])
        assert_equals_r(found.test.expected, result["expected"])
        assert_equals_r(found.test.variance, result["var"])
        assert_equals_r(found.test.chi_square, result["chisq"])
        assert_equals_r(found.test.p_value, result["p"])
    else:
        rows = landmark_rows(*columns, landmark=day)
        fit = cox(rows.time, rows.status, pl.DataFrame({"g": rows.switched}))
        assert rows.time.size == result["n"]
        assert fit.events == result["nevent"]
        assert_equals_r(fit.coef, result["coef"], rel=1e-6)
        assert_equals_r(fit.variance, result["var"], rel=1e-6)
        assert_equals_r(fit.std_error, result["se"], rel=1e-6)
        reach = norm.isf(0.025) * fit.std_error
        assert_equals_r(np.exp(fit.coef - reach), result["hr_lower"], rel=1e-6)
        assert_equals_r(np.exp(fit.coef + reach), result["hr_upper"], rel=1e-6)
        assert_equals_r(fit.p_value, result["p"], rel=1e-6)
        assert_equals_r(fit.log_likelihood_null, result["loglik_null"])
        assert_equals_r(fit.log_likelihood, result["loglik"], rel=1e-6)
        assert_equals_r(fit.likelihood_ratio.statistic, result["lr_test"][0], rel=1e-6)
        assert_equals_r(fit.score.statistic, result["score_test"][0], rel=1e-6)
        assert_equals_r(fit.score.p_value, result["score_test"][2], rel=1e-6)
        # summary.coxph rounds the Wald statistic to two decimals
        assert_equals_r(round(fit.wald.statistic, 2), result["wald_test"][0])
        found = cox_concordance(fit)
        assert_equals_r([found.concordance, found.std_error], result["concordance"], rel=1e-6)


def test_start_stop_rows_as_tmerge() -> None:
    """golden: the rows that survival::tmerge made of the bmt137 data."""
    expected = pl.read_csv(reference_path("survival/bmt137_platelet_startstop.csv"))
    frame = time_dependent("bmt137", "platelet")
    rows = switch_rows(frame["time"], frame["status"], frame["txtime"])
    np.testing.assert_array_equal(frame["id"].to_numpy()[rows.patient], expected["id"])
    for ours, theirs in (("start",) * 2, ("stop",) * 2, ("event",) * 2, ("switched", "tx")):
        np.testing.assert_array_equal(getattr(rows, ours), expected[theirs])
    assert str(rows).startswith("137 patients, ")


# Five patients: no switch; switch at 2; switch at the very event time 4; at 0; too late to count.
TIME, STATUS, SWITCH = [3, 6, 4, 5, 2], [1, 1, 1, 0, 0], [None, 2, 4, 0, 9]


def test_rows_worked_by_hand() -> None:
    rows = switch_rows(TIME, STATUS, SWITCH)
    expected = [
        (0, 0, 3, 1, 0),
        (1, 0, 2, 0, 0),
        (1, 2, 6, 1, 1),
        (2, 0, 4, 1, 0),
        (3, 0, 5, 0, 1),
        (4, 0, 2, 0, 0),
    ]
    assert rows.to_frame().rows() == expected


def test_mantel_byar_worked_by_hand() -> None:
    """worked: at 3 two before (0, 2) and two after (1, 3); at 4 one before, two after; at 6 one.

    Expected before: 2/4 + 1/3; variance 1/4 + 2/9.
    """
    found = mantel_byar(TIME, STATUS, SWITCH)
    np.testing.assert_allclose(found.events, [2, 1])
    np.testing.assert_allclose(found.expected, [5 / 6, 13 / 6])
    assert found.chi_square == pytest.approx((7 / 6) ** 2 / (1 / 4 + 2 / 9))
    assert found.name == "Mantel-Byar test"


def test_simon_makuch_worked_by_hand() -> None:
    """worked: before the switch 1 of 2 at 3, 1 of 1 at 4; after it 1 of 1 at 6."""
    found = simon_makuch(TIME, STATUS, SWITCH)
    np.testing.assert_allclose(found.unswitched.at([3, 4]).survival, [0.5, 0.0])
    np.testing.assert_allclose(found.switched.at([5, 6]).survival, [1.0, 0.0])
    assert "Switched" in str(found)
    assert found.to_frame()["switched"].unique().sort().to_list() == [0, 1]


def test_landmark_worked_by_hand() -> None:
    """worked: beyond day 2 are patients 0 to 3; switched by then are 1 (at 2) and 3 (at 0)."""
    rows = landmark_rows(TIME, STATUS, SWITCH, landmark=2)
    assert rows.patient.tolist() == [0, 1, 2, 3]
    assert rows.time.tolist() == [1, 4, 2, 3]
    assert rows.switched.tolist() == [0, 1, 0, 1]
    assert rows.n_left == 1
    found = landmark_analysis(TIME, STATUS, SWITCH, landmark=2)
    assert str(found).startswith("landmark 2: 4 at risk, 2 switched by then; 1 had left")
    assert rows.to_frame().height == 4
    assert found.to_frame().height == 4


patients = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 1), st.one_of(st.none(), st.integers(0, 9))),
    min_size=3,
    max_size=20,
)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(rows=patients)
def test_patient_time_is_conserved(rows) -> None:
    """law: rows of a patient join up to the whole follow-up, with the event once, at its end."""
    time, status, switch = zip(*rows, strict=True)
    cut = switch_rows(time, status, switch)
    length = np.bincount(cut.patient, cut.stop - cut.start, len(time))
    np.testing.assert_array_equal(length, time)
    np.testing.assert_array_equal(np.bincount(cut.patient, cut.event, len(time)), status)


def test_strata_belong_to_patients() -> None:
    """law: with everybody in one stratum the stratified test is the plain one."""
    plain = mantel_byar(TIME, STATUS, SWITCH)
    one = mantel_byar(TIME, STATUS, SWITCH, strata=["x"] * 5)
    assert one.chi_square == pytest.approx(plain.chi_square)
    assert one.name == "Mantel-Byar test, stratified"
    with pytest.raises(StatsInputError, match="strata: found 4 values"):
        mantel_byar(TIME, STATUS, SWITCH, strata=["x"] * 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mantel_byar([1, 2], [1, 0], [None, None]), "nobody is ever exposed"),
        (lambda: mantel_byar([1, 2], [1, 0], [0, 0]), "everybody is always exposed"),
        (lambda: mantel_byar([1, 2], [1, 0], [-1, 0]), "switch_time: found -1.0 in row 0"),
        (lambda: mantel_byar([1, 2], [1, 0], [1]), "switch_time: found 1 values"),
        (lambda: simon_makuch([1, 2], [1, 0], [None, None]), "nobody after the switch"),
        (lambda: simon_makuch([1, 2], [1, 0], [None, 1], start_time=3), "from 3 on"),
        (lambda: landmark_rows([1, 2], [1, 0], [1, 1], landmark=2), "nobody is followed beyond 2"),
        (lambda: landmark_rows([1, 2], [1, 0], [1, 1], landmark=-2), "landmark: found -2"),
        (lambda: landmark_analysis([3, 2], [1, 0], [1, 1], landmark=1), "everybody at risk"),
        (lambda: landmark_analysis([3, 2], [1, 0], [9, 9], landmark=1), "nobody at risk"),
    ],
)
def test_bad_input(call, words) -> None:
    with pytest.raises(StatsInputError, match=re.escape(words)):
        call()
