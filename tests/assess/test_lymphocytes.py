"""Lymphocytes against definitions 6.2."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.lymphocytes import RULES, assess
from graftline.trial import Trial
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

HSCT = 20.0
CD7 = "cd3_cd7_positive"


def samples(
    analyte: str, values: dict[float, float], *, origin: float = 0, **more: Any
) -> list[dict[str, Any]]:
    return [
        {"patient": "P1", "day": origin + d, "analyte": analyte, "value": float(v), **more}
        for d, v in values.items()
    ]


def trial_of(labs: list[dict[str, Any]], **tables: Any) -> Trial:
    definitions = tables.pop("definitions", None)
    return small_trial({"labs": labs, **tables}, hsct_day=HSCT, definitions=definitions)


def answer(labs: list[dict[str, Any]], rule: str, **tables: Any) -> dict[str, Any]:
    return one(assess(trial_of(labs, **tables)).results, rule)


@pytest.mark.parametrize(
    ("values", "state", "day", "reason"),
    [
        ({0: 410, 5: 36, 8: 0.4, 12: 0}, "yes", 8, None),  # worked: definitions 6.2
        ({8: 0.6, 12: 14, 15: 0, 20: 0}, "yes", 15, None),  # worked: definitions 6.2
        ({0: 410, 5: 1, 8: 1}, "no", None, None),  # exactly 1 is not below 1
        ({0: 410, 5: 0.99, 8: 0.99}, "yes", 5, None),
        ({0: 410, 8: 0.4}, "not_yet_evaluable", None, "unconfirmed"),
        ({0: 410}, "not_evaluable", None, "one_sample"),
        ({-5: 0.1, -2: 0.1, 0: 410, 5: 30}, "no", None, None),  # before infusion
        ({}, "not_evaluable", None, "no_records"),
    ],
)
def test_cd7_eradication(values, state, day, reason):
    row = answer(samples(CD7, values), "cd7_t_eradication")
    assert (row["state"], row["day"], row["reason"]) == (state, day, reason)


@pytest.mark.parametrize(
    ("limit", "state", "reason"),
    [(1, "yes", None), (5, "not_evaluable", "limit_above_threshold")],
)
def test_cd7_below_quantification(limit, state, reason):
    labs = samples(CD7, {0: 410}) + samples(CD7, {8: limit, 12: limit}, quantification="below")
    labs += samples(CD7, {15: 20})
    row = answer(labs, "cd7_t_eradication")
    assert (row["state"], row["reason"]) == (state, reason)


@pytest.mark.parametrize(("percent", "state"), [(0.09, "yes"), (0.1, "no")])
def test_cd7_as_share_of_cd3(percent, state):
    labs = samples("cd3_cd7_positive_percent", {0: 60, 8: percent, 12: percent})
    row = answer(labs, "cd7_t_eradication")
    assert (row["state"], row["flags"]) == (state, "percent_of_cd3")


def test_counts_go_before_shares():
    labs = samples("cd3_cd7_positive_percent", {8: 0, 12: 0}) + samples(CD7, {8: 40, 12: 40})
    assert answer(labs, "cd7_t_eradication")["state"] == "no"


def test_the_protocol_sets_the_threshold():
    labs = samples(CD7, {0: 410, 5: 4, 8: 4})
    definitions = {"cd7_eradication_cells_per_ul": 5}
    assert answer(labs, "cd7_t_eradication", definitions=definitions)["day"] == 5


@pytest.mark.parametrize(
    ("later", "state", "day", "reason"),
    [
        ({60: 10, 90: 12}, "yes", 60, None),  # exactly 10 counts; Patient 5 of Hu 2024
        ({60: 9.9, 90: 50, 120: 9}, "no", None, None),
        ({60: 9, 90: 50}, "not_yet_evaluable", None, "unconfirmed"),
        ({}, "no", None, None),
    ],
)
def test_cd7_reappearance(later, state, day, reason):
    labs = samples(CD7, {0: 410, 8: 0.4, 12: 0, **later})
    row = answer(labs, "cd7_t_reappearance")
    assert (row["state"], row["day"], row["reason"]) == (state, day, reason)


@pytest.mark.parametrize(
    ("labs", "reason"),
    [
        (samples(CD7, {0: 400, 8: 300}), "never_eradicated"),
        ([], "no_records"),
        (samples("cd3_cd7_positive_percent", {0: 60, 8: 0, 12: 0}), "counts_missing"),
    ],
)
def test_reappearance_needs_eradication(labs, reason):
    row = answer(labs, "cd7_t_reappearance")
    assert (row["state"], row["reason"]) == ("not_evaluable", reason)


@pytest.mark.parametrize(
    ("values", "state", "day", "reason"),
    [
        ({30: 20, 60: 61, 75: 88}, "yes", 60, None),  # worked: definitions 6.2
        ({30: 50, 60: 50}, "yes", 30, None),
        ({30: 49.9, 60: 49.9, 101: 300}, "no", None, None),
        ({30: 20, 98: 61, 101: 88}, "no", None, None),  # the second sample is too late
        ({30: 20, 98: 61, 100: 88}, "yes", 98, None),
        ({30: 20, 60: 30}, "not_evaluable", None, "records_stop"),
        ({}, "not_evaluable", None, "no_records"),
    ],
)
def test_cd4_50_within_100_days(values, state, day, reason):
    row = answer(samples("cd4", values, origin=HSCT), "cd4_50")
    assert (row["state"], row["day"], row["reason"]) == (state, day, reason)


@pytest.mark.parametrize(
    ("status", "state", "reason", "until"),
    [
        ("dead", "not_evaluable", "died_before", None),
        ("alive", "not_yet_evaluable", "followed_too_short", 100),
    ],
)
def test_cd4_50_with_short_follow_up(status, state, reason, until):
    followup = [{"patient": "P1", "last_contact_day": HSCT + 80, "status": status}]
    row = answer(samples("cd4", {30: 20, 60: 30}, origin=HSCT), "cd4_50", followup=followup)
    assert (row["state"], row["reason"], row["until"]) == (state, reason, until)


@pytest.mark.parametrize(
    ("rule", "analyte", "threshold"),
    [
        ("cd4_200", "cd4", 200),
        ("cd3_500", "cd3", 500),
        ("cd8_200", "cd8", 200),
        ("cd19_100", "cd19", 100),
        ("nk_100", "nk", 100),
    ],
)
def test_recovery_thresholds(rule, analyte, threshold):
    exactly = samples(analyte, {30: 5, 150: threshold, 180: threshold}, origin=HSCT)
    row = answer(exactly, rule)
    assert (row["state"], row["day"], row["value"]) == ("yes", 150, threshold)
    under = samples(analyte, {30: threshold - 0.1, 150: threshold - 0.1}, origin=HSCT)
    assert answer(under, rule)["state"] == "no"
    # samples before HSPC do not count
    early = samples(analyte, {-10: 9999, -5: 9999, 30: 5, 60: 5}, origin=HSCT)
    assert answer(early, rule)["state"] == "no"


def test_adjudicated_eradication_stands_beside():
    events = [{"patient": "P1", "event": "cd7_t_eradication", "day_low": 5.0, "day_high": 13.0}]
    results = assess(trial_of([], events=events)).results
    row = one(results, "cd7_t_eradication", source="adjudicated")
    assert (row["state"], row["day"], row["flags"]) == ("yes", 9, "assumed")


def test_everybody_has_every_answer():
    trial = small_trial({}, patients=("P1", "P2"), hsct_day={"P1": 20.0})
    results = assess(trial).results
    of_hspc = sum(rule.origin == "hspc" for rule in RULES)
    assert results.height == of_hspc + 2 * (len(RULES) - of_hspc)


@settings(deadline=None, max_examples=4, derandomize=True)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 150),
                st.sampled_from([CD7, "cd3_cd7_positive_percent", "cd4", "nk"]),
                st.sampled_from([0.0, 0.5, 1.0, 12.0, 60.0, 300.0]),
            ),
            max_size=12,
            unique_by=lambda t: t[:2],
        ),
        min_size=2,
        max_size=4,
    )
)
def test_order_names_and_splitting_do_not_matter(cohort):
    patients = [f"P{i}" for i in range(len(cohort))]
    rows = [
        {"patient": p, "day": float(d), "analyte": analyte, "value": v}
        for p, course in zip(patients, cohort, strict=True)
        for d, analyte, v in course
    ]
    trial = small_trial({"labs": rows}, patients=patients, hsct_day=HSCT)
    assert_laws_hold(assess, trial)
