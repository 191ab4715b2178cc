"""Multi-state estimates against mstate and survfit, and what probabilities must do."""

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from graftline.stats.aalen_johansen import cumulative_incidence
from graftline.stats.inputs import StatsInputError
from graftline.stats.multistate import (
    expected_length_of_stay,
    state_occupation,
    transition_hazards,
    transition_probabilities,
)
from graftline.stats.multistate_data import (
    Stays,
    count_transitions,
    state_model,
    stays_from_rows,
    stays_from_wide,
)
from tests.stats.golden import assert_equals_r, entries, raw_table
from tests.stats.regression_golden import golden_data, golden_entries

ILLNESS_DEATH = state_model(
    ["Tx", "PR", "RelDeath"], {"Tx": ["PR", "RelDeath"], "PR": ["RelDeath"]}
)
SIX_STATES = state_model(
    ["Tx", "Rec", "AE", "Rec+AE", "Rel", "Death"],
    {
        "Tx": ["Rec", "AE", "Rel", "Death"],
        "Rec": ["Rec+AE", "Rel", "Death"],
        "AE": ["Rec+AE", "Rel", "Death"],
        "Rec+AE": ["Rel", "Death"],
    },
)


def stays_of(dataset: str) -> Stays:
    d = raw_table(dataset)
    if dataset == "ebmt3":
        return stays_from_wide(
            ILLNESS_DEATH,
            {"PR": d["prtime"], "RelDeath": d["rfstime"]},
            {"PR": d["prstat"], "RelDeath": d["rfsstat"]},
        )
    columns = dict(zip(SIX_STATES.states[1:], ["rec", "ae", "recae", "rel", "srv"], strict=True))
    return stays_from_wide(
        SIX_STATES,
        {state: d[c] for state, c in columns.items()},
        {state: d[f"{c}.s"] for state, c in columns.items()},
    )


@pytest.mark.parametrize("entry", entries("multistate_events"), ids=str)
def test_counts_equal_events_of_mstate(entry):
    """R: events(msprep(...))."""
    stays = stays_of(entry.dataset)
    assert list(stays.model.states) == entry.result["states"]
    np.testing.assert_array_equal(stays.model.matrix, entry.result["tmat"])
    np.testing.assert_array_equal(count_transitions(stays).counts, entry.result["frequencies"])


@pytest.mark.parametrize("entry", entries("multistate_cumhaz"), ids=str)
def test_hazards_equal_msfit(entry):
    """R: msfit(coxph(Surv(Tstart,Tstop,status)~strata(trans)), vartype)."""
    hazards = transition_hazards(stays_of(entry.dataset), variance=entry.id.split(".")[-1])
    for number, r in entry.result.items():
        at = hazards.at(r["time"], int(number))
        assert_equals_r(at["hazard"].to_numpy(), r["cumhaz"])
        assert_equals_r(at["variance"].to_numpy(), r["var"])


@pytest.mark.parametrize("entry", entries("multistate_aj"), ids=str)
def test_probabilities_equal_probtrans(entry):
    """R: probtrans(msfit(...), predt, method), every starting state."""
    _, _, variance, start = entry.id.split(".")
    hazards = transition_hazards(stays_of(entry.dataset), variance=variance)
    found = transition_probabilities(hazards, start=float(start.removeprefix("from")))
    for source, r in entry.result.items():
        at = found.at(r["time"], source)
        shape = (len(r["time"]), len(hazards.model.states))
        assert_equals_r(at["probability"].to_numpy().reshape(shape).T, r["p"])
        assert_equals_r(at["std_error"].to_numpy().reshape(shape).T, r["se"])


def test_occupation_and_mean_times_equal_survfit():
    """R: survfit(Surv(tstart,tstop,state)~1, id) of mgus2, and its rmean=240."""
    (entry,) = golden_entries("multistate")
    d = golden_data("mgus_states")
    model = state_model(["(s0)", "pcm", "death"], {"(s0)": ["pcm", "death"], "pcm": ["death"]})
    to = d["to"].to_numpy()
    here = np.where(d["start"].to_numpy() > 0.0, "pcm", "(s0)")
    stays = stays_from_rows(
        model,
        d["id"],
        here,
        d["start"],
        d["stop"],
        pl.Series([None if t == "censor" else t for t in to]),
    )
    hazards = transition_hazards(stays)
    r = entry.result
    at = state_occupation(hazards).at(r["time"])
    found = at["probability"].to_numpy().reshape(-1, 3)
    assert_equals_r(found, r["pstate"])
    assert_equals_r(expected_length_of_stay(hazards, 240.0).mean, r["rmean"])


def wide_rows() -> st.SearchStrategy:
    row = st.tuples(
        st.integers(1, 8),
        st.integers(0, 1),
        st.integers(1, 8),
        st.integers(0, 1),
        st.integers(1, 3),
    )
    return st.lists(row, min_size=1, max_size=20)


def drawn(rows) -> tuple[Stays, np.ndarray]:
    ill, became_ill, end, died, weight = np.array(rows).T
    became_ill = became_ill * (ill < end)
    ill = np.where(became_ill == 1, ill, end)
    stays = stays_from_wide(
        ILLNESS_DEATH, {"PR": ill, "RelDeath": end}, {"PR": became_ill, "RelDeath": died}
    )
    return stays, weight


@given(wide_rows(), st.sampled_from(["aalen", "greenwood"]), st.integers(0, 4))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_probabilities_sum_to_one_and_compose(rows, variance, start):
    """Laws: rows sum to 1; P(0, t) = P(0, s) P(s, t) (Chapman and Kolmogorov); times add up."""
    stays, _ = drawn(rows)
    if not np.any(stays.next_state >= 0):
        return
    hazards = transition_hazards(stays, variance=variance)
    whole = transition_probabilities(hazards).probability
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-12)
    later = transition_probabilities(hazards, start=float(start)).probability[:, :, -1]
    passed = int(np.searchsorted(hazards.time, start, side="right"))
    np.testing.assert_allclose(whole[:, :, passed] @ later, whole[:, :, -1], atol=1e-12)
    stay = expected_length_of_stay(hazards, 10.0)
    assert stay.mean.sum() == pytest.approx(10.0)


@given(wide_rows())
@settings(deadline=None, max_examples=30, derandomize=True)
def test_weights_equal_repetition(rows):
    stays, weight = drawn(rows)
    if not np.any(stays.next_state >= 0):
        return
    repeated, _ = drawn(np.repeat(np.array(rows), weight, axis=0).tolist())
    one = state_occupation(transition_hazards(stays, weights=weight, variance="greenwood"))
    two = state_occupation(transition_hazards(repeated, variance="greenwood"))
    np.testing.assert_allclose(one.probability, two.probability, atol=1e-12)
    np.testing.assert_allclose(one.std_error, two.std_error, atol=1e-12)


def test_competing_risks_are_two_absorbing_states():
    """Law: with two absorbing states the occupation is the cumulative incidence."""
    d = golden_data("ties")
    model = state_model(["free", "one", "two"], {"free": ["one", "two"]})
    stays = stays_from_wide(
        model,
        {"one": d["time"], "two": d["time"]},
        {"one": (d["cause"] == 1).cast(pl.Int64), "two": (d["cause"] == 2).cast(pl.Int64)},
    )
    found = state_occupation(transition_hazards(stays, variance="greenwood"))
    expected = cumulative_incidence(d["time"], d["cause"], variance="greenwood")
    for cause, state in ((1, 1), (2, 2)):
        at = expected.at(found.time, cause)
        np.testing.assert_allclose(found.probability[state], at.incidence, atol=1e-12)
        np.testing.assert_allclose(found.std_error[state], at.std_error, atol=1e-12)
    area = np.sum(np.diff(np.append(found.time, 40.0)) * found.probability[0])
    stay = expected_length_of_stay(transition_hazards(stays), 40.0)
    assert stay.mean[0] == pytest.approx(area)


def test_standard_error_of_mean_time_is_that_of_the_restricted_mean():
    """One transition only: variance of the area is sum of (area left)^2 d / (r (r - d))."""
    model = state_model(["alive", "dead"], {"alive": ["dead"]})
    time, event = np.array([1.0, 2, 2, 3, 4, 5]), np.array([1, 1, 0, 1, 0, 1])
    stays = stays_from_wide(model, {"dead": time}, {"dead": event})
    found = expected_length_of_stay(transition_hazards(stays, variance="greenwood"), 4.5)
    s = {1: 5 / 6, 2: 5 / 6 * 4 / 5, 3: 5 / 6 * 4 / 5 * 2 / 3}
    area = {1: s[1] * 1 + s[2] * 1 + s[3] * 1.5, 2: s[2] * 1 + s[3] * 1.5, 3: s[3] * 1.5}
    variance = area[1] ** 2 / (6 * 5) + area[2] ** 2 / (5 * 4) + area[3] ** 2 / (3 * 2)
    assert found.mean[0] == pytest.approx(1 + area[1])
    assert found.std_error[0] == pytest.approx(np.sqrt(variance))


def test_long_format_by_hand():
    """One patient ill at 3 and dead at 7: two rows from well, one from ill."""
    stays = stays_from_wide(
        ILLNESS_DEATH, {"PR": [3], "RelDeath": [7]}, {"PR": [1], "RelDeath": [1]}
    )
    assert stays.long().select("transition", "start", "stop", "event").rows() == [
        (1, 0.0, 3.0, 1),
        (2, 0.0, 3.0, 0),
        (3, 3.0, 7.0, 1),
    ]
    assert stays.to_frame()["next_state"].to_list() == ["PR", "RelDeath"]


def test_absorbing_state_wins_a_tie():
    stays = stays_from_wide(
        ILLNESS_DEATH, {"PR": [3], "RelDeath": [3]}, {"PR": [1], "RelDeath": [1]}
    )
    assert stays.to_frame()["next_state"].to_list() == ["RelDeath"]


class TestErrors:
    def test_unknown_states(self):
        with pytest.raises(StatsInputError, match="ghost"):
            state_model(["a", "b"], {"a": ["ghost"]})

    def test_two_states_at_once(self):
        with pytest.raises(StatsInputError, match="two states reached at the same time in row 0"):
            stays_from_wide(
                SIX_STATES,
                {s: [5] for s in SIX_STATES.states[1:]},
                {s: [int(s in ("Rec", "AE"))] for s in SIX_STATES.states[1:]},
            )

    def test_times_out_of_order(self):
        with pytest.raises(StatsInputError, match="row 0"):
            stays_from_wide(
                ILLNESS_DEATH, {"PR": [5], "RelDeath": [4]}, {"PR": [1], "RelDeath": [0]}
            )

    def test_missing_time_and_bad_flag(self):
        with pytest.raises(StatsInputError, match=r"reached\[PR\](.|\n)*times\[RelDeath\]"):
            stays_from_wide(
                ILLNESS_DEATH,
                {"PR": [1, 2], "RelDeath": [np.nan, 3]},
                {"PR": [2, 0], "RelDeath": [0, 1]},
            )

    def test_rows_that_overlap_or_do_not_follow(self):
        with pytest.raises(StatsInputError, match="row 1"):
            stays_from_rows(ILLNESS_DEATH, [1, 1], ["Tx", "PR"], [0, 2], [3, 5], ["PR", "RelDeath"])
        with pytest.raises(StatsInputError, match="begin in a state other"):
            stays_from_rows(ILLNESS_DEATH, [1, 1], ["Tx", "Tx"], [0, 3], [3, 5], ["PR", None])

    def test_transition_not_in_the_model(self):
        with pytest.raises(StatsInputError, match="a transition the model does not have in row 0"):
            stays_from_rows(ILLNESS_DEATH, [1], ["PR"], [0], [3], ["Tx"])

    def test_nothing_happened(self):
        stays = stays_from_wide(
            ILLNESS_DEATH, {"PR": [3], "RelDeath": [3]}, {"PR": [0], "RelDeath": [0]}
        )
        with pytest.raises(StatsInputError, match="no transition"):
            transition_hazards(stays)

    def test_before_the_start(self):
        hazards = transition_hazards(drawn([(2, 1, 5, 1, 1)])[0])
        with pytest.raises(StatsInputError, match="times from the start"):
            transition_probabilities(hazards, start=3.0).at(1.0, "Tx")
        with pytest.raises(StatsInputError, match="sum to 1"):
            state_occupation(hazards, initial={"Tx": 0.5})
        with pytest.raises(StatsInputError, match="horizon"):
            expected_length_of_stay(hazards, 0.0)
