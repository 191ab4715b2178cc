"""The clinic: the same function decides as assesses, nothing after death, chunks do not matter."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from graftline.assess.assessment import assess_trial
from graftline.model.parameters import starting_states
from graftline.model.solver import integrate
from graftline.model.symbolic import fixed_values
from graftline.protocol import shipped_protocol
from graftline.simulate.clinic import treat
from graftline.simulate.cohort import sample_cohort
from graftline.simulate.passage import kept_constants
from graftline.simulate.strategy import plan_of
from graftline.simulate.streams import streams_of
from graftline.simulate.trial import FollowUp, simulate_trial
from graftline.simulate.ward import open_case
from graftline.trial import followup_ends, hsct_days
from graftline.trial.check import check_trial
from graftline.trial.trial import trial_from_tables

YEAR = FollowUp(longest_days=200, accrual_days=120)


@cache
def simulated(protocol="all-in-one-2024", first=0, n=24):
    plan = plan_of(shipped_protocol(protocol))
    numbers = np.arange(first, first + n)
    return simulate_trial(plan, streams_of(5), numbers, followup=YEAR, threads=1)


def rows(trial, table):
    return trial[table].drop("row").sort(pl.all())


# property: splitting a cohort and joining the records is the same as treating it at once
def test_records_do_not_depend_on_chunks():
    whole, parts = simulated().trial, [simulated(first=k, n=12).trial for k in (0, 12)]
    for name in whole.tables:
        joined = pl.concat([part[name] for part in parts]).drop("row").sort(pl.all())
        assert rows(whole, name).equals(joined), name


@pytest.mark.parametrize(
    "protocol",
    [
        "all-in-one-2024",
        "all-in-one-2025",
        "universal-cd7",
        "ns7car",
        "bridge-to-conventional-hsct",
    ],
)
def test_every_protocol_gives_a_trial_without_errors(protocol):
    found = simulated(protocol)
    assert not found.failures
    assert found.trial.settings.simulated
    problems = check_trial(trial_from_tables(found.trial.protocol, found.trial.tables))
    assert not [str(p) for p in problems if p.severity == "error"]


# the files the issue of a hospital's data set would hold; grades must come out of assess
def test_every_table_has_rows_and_nothing_is_adjudicated_but_death():
    trial = simulated().trial
    unused = {"ae", "imaging", "published"}
    for name in set(trial.tables) - unused:
        assert trial[name].height > 0, name
    assert trial["events"]["event"].unique().to_list() == ["death"]
    assert set(trial["events"]["cause"]) <= {"infection", "relapse"}


def test_nothing_is_recorded_after_death_or_data_cut():
    trial = simulated().trial
    ends = followup_ends(trial).select("patient", "end_day")
    for name in ("labs", "vitals", "marrow", "gvhd", "chimerism", "viral", "transfusions"):
        late = trial[name].join(ends, on="patient").filter(pl.col("day") > pl.col("end_day"))
        assert late.height == 0, name


# the same gate: whoever was transplanted within the window had met it by his records
def test_assessment_agrees_with_the_decisions_of_the_clinic():
    trial = simulated().trial
    detail = assess_trial(trial).details["gate_criteria"].filter(pl.col("list") == "gate")
    passed = detail.group_by("patient", "decision_day").agg(ok=(pl.col("met") == "met").all())
    planned = trial["infusions"].filter(pl.col("purpose") == "consolidation").select("patient")
    ever = passed.filter("ok").select("patient").unique()
    assert planned.join(ever, on="patient", how="anti").height == 0
    days = hsct_days(trial).join(planned, on="patient", how="semi")["hsct_day"]
    low, high = trial.protocol.graft.window_days
    assert days.min() >= low
    assert days.max() <= high


# hu2024, Methods: enrolled after CRi; a property of the protocol
def test_selection_is_the_protocols():
    patients = simulated().trial.patients
    enrolled = patients.filter(pl.col("enrolled_day").is_not_null())
    assert set(enrolled["status"]) == {"transplanted"}
    everybody = simulated("all-in-one-2025").trial.patients
    assert everybody["enrolled_day"].null_count() == 0


# published: no recipient of an autologous product has product-related GVHD (no donor cells)
def test_no_gvhd_from_autologous_cells():
    before = simulated("ns7car").trial["gvhd"].filter(pl.col("cause") == "car_t")
    assert before.height == 0


def test_plans_without_hsct_transplant_nobody():
    plan = plan_of(shipped_protocol("all-in-one-2024"), no_hsct=True)
    trial = simulate_trial(
        plan, streams_of(5), np.arange(8), followup=FollowUp(100, 0), threads=1
    ).trial
    assert hsct_days(trial).height == 0


# property: an intervention changes nothing before it is given
def test_a_later_hsct_leaves_the_days_before_as_they_were():
    protocol = shipped_protocol("all-in-one-2024")
    early, late = (
        simulate_trial(
            plan_of(protocol, hsct_day=day),
            streams_of(5),
            np.arange(8),
            followup=FollowUp(60, 0),
            threads=1,
        ).trial
        for day in (19, 30)
    )
    for name in ("labs", "vitals"):
        before = [
            t[name].filter(pl.col("day") <= 19).drop("row").sort(pl.all()) for t in (early, late)
        ]
        assert before[0].equals(before[1])


# law: what is kept of the parameters is what a fresh computation gives, treatments included
def test_kept_constants_are_those_of_the_parameters():
    plan, streams = plan_of(shipped_protocol("ns7car")), streams_of(5)
    case = open_case(plan, streams, sample_cohort(plan, streams, np.arange(30)))
    ward, _ = treat(case, np.full(30, 150.0), threads=1)
    kept_constants(ward, np.arange(30))
    assert (ward.parameters != case.cohort.parameters).any()
    np.testing.assert_array_equal(ward.constants, fixed_values(ward.parameters))


def test_integrating_by_kept_constants_is_integrating_by_parameters():
    plan, streams = plan_of(shipped_protocol("all-in-one-2024")), streams_of(5)
    cohort = sample_cohort(plan, streams, np.arange(9))
    states = starting_states(cohort.parameters, cohort.leukaemia_1e9)
    start, stops = np.full(9, -5.0), np.full((9, 1), 30.0)
    constants = fixed_values(cohort.parameters)
    by_parameters = integrate(states, cohort.parameters, start, stops, threads=1)
    by_constants = integrate(states, None, start, stops, constants=constants, threads=1)
    np.testing.assert_array_equal(by_parameters.final, by_constants.final)
    for both in ((None, None), (cohort.parameters, constants)):
        with pytest.raises(ValueError, match="expected one of them"):
            integrate(states, both[0], start, stops, constants=both[1])


# Primary graft failure is judged on a day after HSCT (definitions: 30, or what a protocol says);
# filgrastim that has not helped by then is not given for months.
@pytest.mark.parametrize("last_day", [30, 21])
def test_filgrastim_ends_where_graft_failure_is_judged(last_day):
    protocol = shipped_protocol("all-in-one-2024")
    definitions = protocol.definitions.model_copy(update={"graft_failure_day": last_day})
    plan = plan_of(protocol.model_copy(update={"definitions": definitions}))
    numbers = np.arange(160, 196)
    trial = simulate_trial(plan, streams_of(5), numbers, followup=YEAR, threads=1).trial
    given = (
        trial["drugs"].filter(pl.col("drug") == "filgrastim").join(hsct_days(trial), on="patient")
    )
    after = given["end_day"] - given["hsct_day"]
    assert after.max() == last_day
    assert after.min() < 20
