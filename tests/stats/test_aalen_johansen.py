"""Cumulative incidence against cmprsk, mstate, etm, prodlim and survival, and its laws."""

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from graftline.stats.aalen_johansen import cumulative_incidence, incidence_by_group
from graftline.stats.inputs import StatsInputError
from graftline.stats.kaplan_meier import kaplan_meier
from tests.stats.golden import assert_equals_r, data_for, entries
from tests.stats.regression_golden import golden_data, golden_entries

GROUPS = {"bmt137": "group", "bmtcrr": "D", "ebmt1": "score"}

LEVELS = {"score": ["Low risk", "Medium risk", "High risk"]}


def group_column(entry) -> str | None:
    name = entry.id.split(".")[-1]
    return name if name in (*GROUPS.values(), "Phase") else None


def estimates(entry, **options):
    """Estimate by group label as text; "1" when there are no groups."""
    frame = data_for(entry.dataset, "cr")
    column = group_column(entry)
    if column is None:
        return {"1": cumulative_incidence(frame["time"], frame["status"], **options)}
    found = incidence_by_group(frame["time"], frame["status"], frame[column], **options)
    return {str(label): estimate for label, estimate in found.items()}


@pytest.mark.parametrize("entry", entries("cuminc", "cuminc_gray"), ids=str)
def test_equals_cuminc_of_cmprsk(entry):
    """R: cmprsk::cuminc; ``var`` is Gray's; limits on the plain and the log(-log) scale."""
    found = estimates(entry)
    plain = estimates(entry, interval="plain")
    for curve in entry.result["curves"]:
        label, cause = curve["curve"].rsplit(" ", 1)
        # cuminc has no value after the last follow-up of a group; ours holds, with nobody at risk.
        known = [
            t for t, est in zip(entry.result["time"], curve["est"], strict=True) if est is not None
        ]
        beyond = entry.result["time"][len(known) :]
        assert not np.any(found[label].at(beyond, int(cause)).at_risk)
        curve = {k: v if isinstance(v, str) else v[: len(known)] for k, v in curve.items()}
        at = found[label].at(known, int(cause))
        assert_equals_r(at.incidence, curve["est"])
        assert_equals_r(at.std_error**2, curve["var"])
        assert_equals_r(at.lower, curve["ci_loglog_lower"])
        assert_equals_r(at.upper, curve["ci_loglog_upper"])
        # Our limits stay within 0 and 1; the golden ones were computed without that.
        at = plain[label].at(known, int(cause))
        assert_equals_r(at.lower, np.maximum(curve["ci_plain_lower"], 0.0).tolist())
        assert_equals_r(at.upper, np.minimum(curve["ci_plain_upper"], 1.0).tolist())


@pytest.mark.parametrize("entry", entries("aj_survfit"), ids=str)
@pytest.mark.parametrize("variance", ["greenwood", "jackknife"])
def test_equals_survfit(entry, variance):
    """R: survfit(Surv(t, factor(status))); its jackknife is Greenwood's here (no late entry).

    The entries with conf.type='arcsin' have limits of the first state only: survfit 3.5-3 loses
    the matrix shape of the limits there (pmax drops it), so only those can be compared.
    """
    interval = entry.id.split(".")[-1]
    interval = interval if interval in ("plain", "log-log", "logit", "arcsin") else "log"
    found = estimates(entry, variance=variance, interval=interval)
    r = entry.result
    label_of = [s.split("=")[1] for s in r["strata"]] if "strata" in r else ["1"] * len(r["time"])
    for place, time in enumerate(r["time"]):
        estimate = found[label_of[place]]
        step = int(np.searchsorted(estimate.time, time, side="right")) - 1
        free = [
            estimate.event_free[step],
            estimate.event_free_std_error[step],
            estimate.event_free_lower[step],
            estimate.event_free_upper[step],
        ]
        fields = ("pstate", "se", "lower", "upper")
        assert_equals_r(free, [r[name][place][0] for name in fields])
        for cause in (1, 2):
            at = estimate.at(time, cause)
            values = (at.incidence, at.std_error, at.lower, at.upper)
            for name, ours in zip(fields, values, strict=True):
                if len(r[name][place]) == 3:
                    assert_equals_r(ours, [r[name][place][cause]])


@pytest.mark.parametrize("entry", entries("cuminc_greenwood"), ids=str)
def test_equals_mstate_etm_and_prodlim(entry):
    """R: mstate::Cuminc, etm::etmCIF (log-log limits of 1 - F), prodlim: Greenwood-type."""
    r = entry.result
    if "etm" in entry.id:
        found = estimates(entry, variance="greenwood", interval="cloglog")["1"]
        for cause in (1, 2):
            theirs, at = r[f"CIF {cause}"], found.at(r[f"CIF {cause}"]["time"], cause)
            assert_equals_r(at.incidence, theirs["est"])
            assert_equals_r(at.std_error**2, theirs["var"])
            inside = np.array(theirs["est"]) > 0.0
            assert_equals_r(at.lower[inside], np.array(theirs["lower"])[inside].tolist())
            assert_equals_r(at.upper[inside], np.array(theirs["upper"])[inside].tolist())
    elif "mstate" in entry.id:
        found = estimates(entry, variance="greenwood")["1"]
        step = np.searchsorted(found.time, r["at"], side="right") - 1
        assert_equals_r(found.event_free[step], r["Surv"])
        assert_equals_r(found.event_free_std_error[step], r["seSurv"])
        for cause in (1, 2):
            at = found.at(r["at"], cause)
            assert_equals_r(at.incidence, r[f"CI.{cause}"])
            assert_equals_r(at.std_error, r[f"seCI.{cause}"])
    else:
        found = estimates(entry, variance="greenwood")
        for cause in (1, 2):
            theirs = r[f"cause{cause}"]
            labels = LEVELS.get(group_column(entry), sorted(found))
            per_group = len(theirs["time"]) // len(labels)
            for place, (time, est) in enumerate(zip(theirs["time"], theirs["est"], strict=True)):
                at = found[labels[place // per_group]].at(time, cause)
                if est is None:
                    assert at.at_risk[0] == 0
                    continue
                assert_equals_r(at.incidence, [est])
                assert_equals_r(at.std_error, [theirs["se"][place]])


@pytest.mark.parametrize("entry", golden_entries("cuminc"), ids=str)
def test_equals_cuminc_on_other_data(entry):
    """R: heavy ties, mgus2, an all-censored group; every step of every curve."""
    frame = golden_data(entry.id.split(".")[1])
    found = cumulative_incidence(frame["time"], frame["cause"])
    for curve, theirs in entry.result.items():
        at = found.at(theirs["time"], int(curve.split()[1]))
        assert_equals_r(at.incidence, theirs["est"])
        assert_equals_r(at.std_error**2, theirs["var"])


@pytest.mark.parametrize("entry", golden_entries("aj"), ids=str)
def test_equals_survfit_on_other_data(entry):
    """R: late entry, weights and events at time 0; survfit's infinitesimal jackknife."""
    frame = golden_data(entry.id.split(".")[1])
    interval = entry.call.split("conf.type='")[1].split("'")[0]
    found = cumulative_incidence(
        frame["time"],
        frame["cause"],
        entry=frame["entry"] if "entry" in entry.call else None,
        weights=frame["w"] if "weights" in entry.call else None,
        variance="jackknife",
        interval=interval,
    )
    r = entry.result
    for cause in (1, 2):
        at = found.at(r["time"], cause)
        assert_equals_r(at.incidence, [row[cause] for row in r["pstate"]])
        theirs = np.array([row[cause] for row in r["se"]], dtype=float)
        np.testing.assert_allclose(at.std_error, theirs, rtol=1e-7, atol=1e-9)
        for name, ours in (("lower", at.lower), ("upper", at.upper)):
            limits = np.array([row[cause] for row in r[name]], dtype=float)
            known = ~np.isnan(limits)
            np.testing.assert_allclose(ours[known], limits[known], rtol=1e-7, atol=1e-9)


def test_worked_example():
    """Ten patients in months (two causes), the arithmetic printed with them.

    0.9 x 7/8 x 6/7 = 0.675 alive; cause 2 at 1.05 and 3.7: 0.1 + 0.9/8; cause 1 at 4.3 and 5.6.
    """
    time = [1.05, 3.1, 3.7, 4.3, 4.9, 5.6, 13, 14, 20, 24]
    status = [2, 0, 2, 1, 0, 1, 0, 0, 0, 0]
    at = cumulative_incidence(time, status)
    assert at.at(12, 2).incidence[0] == pytest.approx(0.2125)
    assert at.at(12, 1).incidence[0] == pytest.approx(0.2475)
    assert at.at(12, 1).at_risk[0] == 4


def patients() -> st.SearchStrategy:
    row = st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(1, 3), st.integers(0, 5))
    return st.lists(row, min_size=1, max_size=25)


@given(patients(), st.sampled_from(["gray", "greenwood"]))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_weights_equal_repetition(rows, variance):
    time, status, weight, _ = np.array(rows).T
    weighted = cumulative_incidence(time, status, weights=weight, variance=variance, causes=(1, 2))
    repeated = cumulative_incidence(
        np.repeat(time, weight), np.repeat(status, weight), variance=variance, causes=(1, 2)
    )
    for name in ("time", "at_risk", "events", "incidence", "std_error", "event_free"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), rtol=1e-9, atol=1e-12
        )


@given(patients(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_laws(rows, random):
    """Incidences and event-free sum to 1; row order does not matter; nothing decreases."""
    time, status, _, late = np.array(rows, dtype=float).T
    entry = np.where(late < time, late, 0.0)
    found = cumulative_incidence(time, status, entry=entry, causes=(1, 2), variance="jackknife")
    np.testing.assert_allclose(found.incidence.sum(axis=0) + found.event_free, 1.0, atol=1e-12)
    assert np.all(np.diff(found.incidence, axis=1) >= 0.0)
    order = random.sample(range(len(rows)), len(rows))
    again = cumulative_incidence(
        time[order], status[order], entry=entry[order], causes=(1, 2), variance="jackknife"
    )
    np.testing.assert_allclose(again.incidence, found.incidence, atol=1e-15)
    np.testing.assert_allclose(again.std_error, found.std_error, atol=1e-9)


@given(patients())
@settings(deadline=None, max_examples=50, derandomize=True)
def test_without_competing_events_it_is_one_minus_kaplan_meier(rows):
    time, status, weight, _ = np.array(rows).T
    event = (status == 1).astype(int)
    found = cumulative_incidence(time, event, weights=weight, variance="greenwood")
    km = kaplan_meier(time, event, weights=weight)
    at = km.at(found.time)
    np.testing.assert_allclose(found.incidence[0], 1.0 - at.survival, atol=1e-12)
    alive = at.survival > 0.0
    np.testing.assert_allclose(found.std_error[0][alive], at.std_error[alive], atol=1e-12)


def test_times_equal_but_for_rounding_are_one_time():
    found = cumulative_incidence([0.1 + 0.2, 0.3, 0.5], [1, 2, 0])
    assert found.time.size == 2


def test_at_risk_counts_late_entries_exactly():
    """Two patients observed from 10 and 20: nobody at risk at 5, one at 15, two at 25."""
    found = cumulative_incidence([30, 40], [1, 0], entry=[10, 20])
    np.testing.assert_array_equal(found.at([5, 15, 25, 35, 50], 1).at_risk, [0, 1, 2, 1, 0])


def test_series_lists_and_arrays_agree():
    lists = cumulative_incidence([1, 2, 3], [1, 2, 0])
    series = cumulative_incidence(pl.Series([1, 2, 3]), pl.Series([1, 2, 0]))
    np.testing.assert_array_equal(lists.incidence, series.incidence)
    assert series.to_frame().columns[:4] == ["cause", "time", "at_risk", "events"]
    assert "3 patients" in str(series)


def test_single_patients_and_all_censored_groups():
    found = incidence_by_group([5, 3, 4], [1, 0, 0], ["b", "a", "a"])
    assert list(found) == ["a", "b"]
    assert found["a"].incidence.tolist() == [[0.0, 0.0]]
    assert found["b"].incidence.tolist() == [[1.0]]


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([1, -1], [1, 0]), "time: found -1.0 in row 1"),
            (([1, np.nan], [1, 0]), "time: found nan in row 1"),
            (([1, 2], [1, -1]), "status: found -1.0 in row 1"),
            (([1, 2], [1, 0.5]), "status: found 0.5 in row 1"),
            (([1, 2], [1, np.nan]), "status: found nan in row 1"),
            (([1, 2], [1]), "status: found 1 values"),
            (([], []), "no patients"),
        ],
    )
    def test_bad_input_names_the_rows(self, arguments, message):
        with pytest.raises(StatsInputError, match=message):
            cumulative_incidence(*arguments)

    def test_unknown_code(self):
        with pytest.raises(StatsInputError, match=r"status: found 3\.0 in row 1"):
            cumulative_incidence([1, 2], [1, 3], causes=(1, 2))

    def test_stop_before_entry(self):
        with pytest.raises(StatsInputError, match=r"entry: found 3\.0 in row 0"):
            cumulative_incidence([2, 4], [1, 0], entry=[3, 0])

    def test_cause_not_estimated(self):
        with pytest.raises(StatsInputError, match="expected one of 1"):
            cumulative_incidence([1], [1]).at(1, 2)

    def test_unknown_options(self):
        with pytest.raises(StatsInputError, match="interval"):
            cumulative_incidence([1], [1], interval="log_log")
        with pytest.raises(StatsInputError, match="level"):
            cumulative_incidence([1], [1], level=95)
