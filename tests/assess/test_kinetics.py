"""CAR-T kinetics of a trial against definitions 6.1."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.kinetics import RULES, assess, car_t_nca, kinetic_answers
from graftline.trial import Trial, hsct_days
from tests.assess.build import one, small_trial
from tests.assess.properties import assert_laws_hold

DAYS = (0, 4, 7, 10, 14, 21, 28)
EXAMPLE = (0.0, 500.0, 2e4, 1.8e5, 2.9e5, 6e4, 9e3)


def course(days: Any, values: Any, *, assay: str = "car_t_qpcr", **more: Any) -> list[dict]:
    return [
        {"patient": "P1", "day": float(d), "analyte": assay, "value": float(v), **more}
        for d, v in zip(days, values, strict=True)
    ]


def below(days: Any, limit: float, **more: Any) -> list[dict[str, Any]]:
    return course(days, [limit] * len(days), quantification="below", **more)


def trial_of(rows: list[dict[str, Any]], **options: Any) -> Trial:
    return small_trial({"labs": rows}, **options)


def answer(rows: list[dict[str, Any]], rule: str, **options: Any) -> dict[str, Any]:
    return one(assess(trial_of(rows, **options)).results, rule)


@pytest.mark.parametrize(
    ("definitions", "auc"),
    [({}, 2.482e6), ({"auc_trapezoid": "linear"}, 2.738e6), ({"peak_samples": 5}, None)],
)
def test_the_protocol_names_the_rules(definitions, auc):
    # worked: definitions 6.1 has both areas; four samples lie between day 5 and 21, not five
    row = answer(course(DAYS, EXAMPLE), "car_t_qpcr_auc0_28", definitions=definitions)
    assert row["value"] == (None if auc is None else pytest.approx(auc, rel=3e-4))


@pytest.mark.parametrize(
    ("parameter", "value", "day"),
    [
        ("cmax", 2.9e5, 14),
        ("tmax", 14, 14),
        ("auc0_28", 2.482e6, 28),
        ("tlast", 28, 28),
        ("persistence", 28, 28),
        ("detectable_last", 9e3, 28),
    ],
)
@pytest.mark.parametrize("assay", ["car_t_qpcr", "car_t_flow"])
def test_the_worked_example(assay, parameter, value, day):
    row = answer(course(DAYS, EXAMPLE, assay=assay), f"{assay}_{parameter}")
    assert row["state"] == "yes"
    assert row["value"] == pytest.approx(value, rel=5e-4)
    assert row["day"] == day


def test_the_assays_are_never_mixed():
    row = answer(course(DAYS, EXAMPLE), "car_t_flow_cmax")
    assert (row["state"], row["reason"]) == ("not_evaluable", "no_records")


def test_persistence_is_censored_while_detectable():
    rows = course(DAYS, EXAMPLE)
    row = answer(rows, "car_t_qpcr_persistence")
    assert (row["lower_bound"], row["flags"]) == (True, "censored")
    gone = answer(rows + below([60], 100), "car_t_qpcr_persistence")
    assert (gone["value"], gone["lower_bound"], gone["flags"]) == (28, False, None)
    assert answer(rows + below([60], 100), "car_t_qpcr_detectable_last")["state"] == "no"


@pytest.mark.parametrize(
    ("parameter", "state", "reason"),
    [
        ("cmax", "not_evaluable", "never_quantified"),
        ("tmax", "not_evaluable", "never_quantified"),
        ("auc0_28", "not_evaluable", "never_quantified"),
        ("half_life", "not_evaluable", "never_quantified"),
        ("tlast", "not_evaluable", "never_quantified"),
        ("persistence", "no", None),
        ("detectable_last", "no", None),
    ],
)
def test_never_above_the_limit(parameter, state, reason):
    row = answer(below(DAYS, 100), f"car_t_qpcr_{parameter}")
    assert (row["state"], row["reason"]) == (state, reason)
    assert (row["value"], row["label"]) == (None, "below quantification")


def test_too_few_samples_around_the_peak():
    row = answer(course([0, 4, 14, 28], [0, 500, 2.9e5, 9e3]), "car_t_qpcr_cmax")
    assert (row["state"], row["reason"]) == ("not_evaluable", "too_few_samples")


@pytest.mark.parametrize(
    ("days", "flags", "bound"),
    [
        ((0, 7, 10, 14, 20), "to_tlast", True),
        ((0, 7, 10, 14, 21), "to_last_sample", True),
        ((0, 7, 10, 14, 28), None, False),
        ((7, 10, 14, 28), "zero_at_start", False),
    ],
)
def test_an_area_that_ends_early_is_a_lower_bound(days, flags, bound):
    row = answer(course(days, [10.0] * len(days)), "car_t_qpcr_auc0_28")
    assert (row["flags"], row["lower_bound"]) == (flags, bound)


def test_an_area_without_the_values_below_quantification_says_where_it_ends():
    # by hand: 0 to 10 on day 7 is 35, then 10 a day to day 14; the limit on day 28 is dropped, and
    # so is the 0 at infusion, as by PKNCA
    trial = trial_of(course((0, 7, 10, 14), (0, 10, 10, 10)) + below([28], 2))
    rows = car_t_nca(trial["labs"], hsct_days(trial), blq="drop")
    row = kinetic_answers(rows, "auc0_28").row(0, named=True)
    assert (row["value"], row["day"], row["flags"]) == (35 + 70, 14, "to_tlast; zero_at_start")


def test_a_peak_above_the_upper_limit_is_a_lower_bound():
    rows = course((0, 7, 14, 21), (0, 10, 10, 5)) + course((10,), (100,), quantification="above")
    row = answer(rows, "car_t_qpcr_cmax")
    assert (row["value"], row["lower_bound"], row["flags"]) == (100, True, "above_limit")


@pytest.mark.parametrize(
    ("last", "lloq", "found"),
    [
        (300.0, 30.0, True),  # exactly 3 x the trough of 100 and 10 x the limit
        (299.0, 29.9, False),
        (300.0, 30.1, False),
        (300.0, None, None),  # the limit is not recorded
        (200.0, None, False),
    ],
)
def test_second_expansion_after_hspc(last, lloq, found):
    rows = course((0, 7, 10, 14, 21, 28, 35), (0, 500, 900, 1000, 100, 120, last))
    rows = [{**row, "lloq": lloq} for row in rows]
    details = assess(trial_of(rows, hsct_day=20.0)).details["nca"]
    assert details["second_expansion"].to_list() == [found]
    assert details["second_expansion_day"].to_list() == [35.0 if found else None]


def test_the_first_expansion_is_not_a_second():
    # HSPC on day 5, before the first peak's trough: rising since infusion, no trough between
    rows = course((0, 4, 7, 10), (50, 60, 100, 140), lloq=5.0)
    details = assess(trial_of(rows, hsct_day=5.0)).details["nca"]
    assert details["second_expansion"].to_list() == [False]


def test_the_protocol_names_the_rule_for_values_below_quantification():
    rows = course((0, 7, 10, 14, 21), (0, 10, 10, 10, 10)) + below([28], 2)
    half = answer(rows, "car_t_qpcr_auc0_28", definitions={"blq": "lloq_half_after_last"})
    zero = answer(rows, "car_t_qpcr_auc0_28", definitions={"blq": "pknca"})
    # by hand: 10 -> 0 is 35; 10 -> 1 is 7 x 9 / ln 10
    assert zero["value"] == pytest.approx(35 + 140 + 35)
    assert half["value"] == pytest.approx(35 + 140 + 7 * 9 / 2.302585092994046)


def test_everybody_infused_has_every_answer():
    trial = small_trial({}, patients=("P1", "P2"))
    results = assess(trial).results
    assert results.height == 2 * len(RULES)
    assert set(results["reason"]) == {"no_records"}


@settings(deadline=None, max_examples=2, derandomize=True)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 100), st.floats(0, 1e6)),
            max_size=12,
            unique_by=lambda t: t[0],
        ),
        min_size=2,
        max_size=4,
    )
)
def test_order_names_and_splitting_do_not_matter(cohort):
    patients = [f"P{i}" for i in range(len(cohort))]
    rows = [
        {"patient": p, "day": float(d), "analyte": "car_t_qpcr", "value": v, "lloq": 50.0}
        for p, samples in zip(patients, cohort, strict=True)
        for d, v in samples
    ]
    trial = small_trial({"labs": rows}, patients=patients, hsct_day=20.0)
    assert_laws_hold(assess, trial)
