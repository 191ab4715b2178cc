"""Three-valued evaluation of protocol criteria on one frame."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.criteria_logic import decide, evaluate_criteria, variables_of
from graftline.problems import ProtocolError
from graftline.protocol import Comparison, Criterion, shipped_protocol


def criterion(*any_of: dict, all_of: tuple[dict, ...] = (), name: str = "c") -> Criterion:
    return Criterion(
        id=name,
        text="as printed",
        source="protocol",
        any_of=tuple(Comparison(**c) for c in any_of),
        all_of=tuple(Comparison(**c) for c in all_of),
    )


def met(one: Criterion, **observed: object) -> str:
    frame = pl.DataFrame({"patient": ["A"]} | {k: [v] for k, v in observed.items()})
    found = evaluate_criteria([one], frame)["met"].item()
    assert decide([one], frame)["decision"].item() == found
    return found


@pytest.mark.parametrize(
    ("operator", "below", "on", "above"),
    [
        ("<", "met", "not met", "not met"),
        ("<=", "met", "met", "not met"),
        (">", "not met", "not met", "met"),
        (">=", "not met", "met", "met"),
        ("==", "not met", "met", "not met"),
        ("!=", "met", "not met", "met"),
    ],
)
def test_each_operator_on_both_sides_and_on_the_threshold(operator, below, on, above):
    one = criterion({"variable": "bilirubin", "operator": operator, "value": 3})
    assert [met(one, bilirubin=v) for v in (2.9, 3.0, 3.1)] == [below, on, above]
    assert met(one, bilirubin=None) == "unknown"
    assert met(one) == "unknown"


@pytest.mark.parametrize(
    ("operator", "limit", "value", "expected"),
    [
        # below 2 settles "at most 3"; below 5 does not
        ("<=", "below", 2.0, "met"),
        ("<=", "below", 5.0, "unknown"),
        (">=", "below", 3.0, "not met"),
        (">=", "above", 3.0, "met"),
        (">=", "above", 2.0, "unknown"),
        ("<", "above", 3.0, "not met"),
        ("==", "below", 2.0, "not met"),
    ],
)
def test_limits_of_quantification_settle_what_they_can(operator, limit, value, expected):
    one = criterion({"variable": "bilirubin", "operator": operator, "value": 3})
    assert met(one, bilirubin=value, bilirubin_limit=limit) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0.0, "met"), (7.0, "met"), (7.1, "unknown"), (-1.0, "unknown"), (None, "unknown")],
)
def test_age_of_the_observation(age, expected):
    one = criterion(
        {"variable": "car_t_detectable", "operator": "==", "value": True, "within_days": 7}
    )
    assert met(one, car_t_detectable=True, car_t_detectable_age_days=age) == expected


def test_age_that_matters_and_is_not_given_is_unknown():
    one = criterion({"variable": "x", "operator": "==", "value": True, "within_days": 7})
    assert met(one, x=True) == "unknown"


T, F, U = True, False, None


@pytest.mark.parametrize(
    ("a", "b", "either", "both"),
    [
        (T, T, "met", "met"),
        (T, F, "met", "not met"),
        (T, U, "met", "unknown"),
        (F, F, "not met", "not met"),
        (F, U, "unknown", "not met"),
        (U, U, "unknown", "unknown"),
    ],
)
def test_any_of_and_all_of(a, b, either, both):
    lines = tuple({"variable": v, "operator": "==", "value": True} for v in ("a", "b"))
    seen = {"a": a, "b": b}
    assert met(criterion(*lines), **seen) == either
    assert met(criterion(all_of=lines), **seen) == both


def test_all_of_counts_as_one_alternative():
    one = criterion(
        {"variable": "a", "operator": "==", "value": True},
        all_of=(
            {"variable": "b", "operator": "==", "value": True},
            {"variable": "c", "operator": "==", "value": True},
        ),
    )
    assert met(one, a=False, b=True, c=True) == "met"
    assert met(one, a=False, b=True, c=None) == "unknown"
    assert met(one, a=False, b=True, c=False) == "not met"


def test_criterion_without_comparison_is_unknown():
    assert met(criterion()) == "unknown"


def test_empty_list_decides_nothing():
    frame = pl.DataFrame({"patient": ["A"]})
    assert decide([], frame)["decision"].to_list() == ["unknown"]
    assert evaluate_criteria([], frame).height == 0


def test_membership_and_flags():
    disease = criterion({"variable": "disease", "operator": "in", "value": ["AML", "T-ALL"]})
    assert [met(disease, disease=d) for d in ("AML", "CML")] == ["met", "not met"]
    no_prior = criterion({"variable": "prior_allo_hsct", "operator": "==", "value": False})
    assert [met(no_prior, prior_allo_hsct=v) for v in (False, True)] == ["met", "not met"]


def test_threshold_in_another_unit_is_converted():
    # 51.3 umol/L of bilirubin is 3.0 mg/dL (molar mass 584.66, factor 17.1)
    one = criterion({"variable": "bilirubin", "operator": "<=", "value": 51.3, "unit": "umol/L"})
    assert met(one, bilirubin=2.99) == "met"
    assert met(one, bilirubin=3.01) == "not met"


@pytest.mark.parametrize(
    "wrong",
    [
        {"variable": "bilirubin", "operator": "<=", "value": 3, "unit": "furlong"},
        {"variable": "disease", "operator": "<", "value": 3},
        {"variable": "disease", "operator": "<", "value": "AML"},
        {"variable": "prior_allo_hsct", "operator": "==", "value": "no"},
        {"variable": "disease", "operator": "==", "value": ["AML"]},
    ],
)
def test_thresholds_that_do_not_fit_are_all_named(wrong):
    frame = pl.DataFrame(
        {"patient": ["A"], "bilirubin": [1.0], "disease": ["AML"], "prior_allo_hsct": [False]}
    )
    also = criterion({"variable": "bilirubin", "operator": "<", "value": True}, name="second")
    with pytest.raises(ProtocolError) as raised:
        evaluate_criteria([criterion(wrong), also], frame)
    assert len(raised.value.problems) == 2


def test_observed_value_age_and_record_are_printed():
    one = criterion({"variable": "response", "operator": "in", "value": ["CRi"], "within_days": 14})
    frame = pl.DataFrame(
        {
            "patient": ["A"],
            "decision_day": [19.0],
            "response": ["CRi"],
            "response_age_days": [5.0],
            "response_record": ["marrow, day 14.0"],
        }
    )
    row = evaluate_criteria([one], frame).row(0, named=True)
    assert row["observed"] == "response = CRi (5 d before)"
    assert row["record"] == "marrow, day 14.0"
    assert row["decision_day"] == 19.0
    assert (row["text"], row["source"]) == ("as printed", "protocol")


values = st.sampled_from([True, False, None])


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=20))
def test_decision_follows_from_the_criteria_and_row_order_does_not_matter(rows):
    frame = pl.DataFrame(
        [{"patient": f"P{i:02}", "a": a, "b": b, "c": c} for i, (a, b, c) in enumerate(rows)],
        schema={"patient": pl.String, "a": pl.Boolean, "b": pl.Boolean, "c": pl.Boolean},
    )
    lists = [
        criterion({"variable": v, "operator": "==", "value": True}, name=v) for v in ("a", "b", "c")
    ]
    decided = dict(decide(lists, frame).iter_rows())
    long = evaluate_criteria(lists, frame)
    for patient, group in long.group_by("patient"):
        seen = set(group["met"])
        worst = next(w for w in ("not met", "unknown", "met") if w in seen)
        assert decided[patient[0]] == worst
    assert dict(decide(lists, frame.reverse()).iter_rows()) == decided


def test_variables_of_the_shipped_gate():
    gate = shipped_protocol("all-in-one-2024").gate
    assert variables_of(gate) == (
        "response",
        "cellularity_percent",
        "pancytopenia",
        "car_t_detectable",
        "prior_allo_hsct",
    )
