"""Group comparisons and subgroups: log-rank by its definition, exact intervals, who is compared."""

import numpy as np
import polars as pl
import pytest

from graftline.endpoints import derive_endpoints
from graftline.protocol import Endpoint, shipped_protocol
from graftline.tables.comparisons import compare_groups, comparison_table
from graftline.tables.format import p_value
from graftline.tables.subgroups import baseline_groups, subgroup_numbers, subgroup_table
from graftline.trial import trial_from_tables
from tests.endpoints.made import made


def trial_of(n, *, dead, prior=None, disease=None, age=None):
    """One follow-up per patient, 10, 20, 30, ... days; ``dead`` by place."""
    ids = [f"P{i:03d}" for i in range(n)]
    spec = {"population": "infused", "source": "x"}
    endpoints = {
        "overall_survival": Endpoint(title="Overall survival", **spec),
        "relapse": Endpoint(title="Relapse", **spec),
    }
    protocol = shipped_protocol("all-in-one-2025").model_copy(update={"endpoints": endpoints})
    patients = {"patient": ids, "status": ["infused"] * n}
    patients |= {} if prior is None else {"prior_allo_hsct": prior}
    patients |= {} if disease is None else {"disease": disease}
    patients |= {} if age is None else {"age_years": age}
    trial = trial_from_tables(
        protocol,
        {
            "patients": pl.DataFrame(patients),
            "infusions": pl.DataFrame({"patient": ids, "day": [0.0] * n, "kind": ["car_t"] * n}),
            "followup": pl.DataFrame(
                {
                    "patient": ids,
                    "last_contact_day": [10.0 * (i + 1) for i in range(n)],
                    "status": ["dead" if dead(i) else "alive" for i in range(n)],
                }
            ),
        },
    )
    return trial, derive_endpoints(trial, made([]))


def logrank_by_hand(group, dead):
    """Follow-up in the order of the patients, nobody tied."""
    score = variance = 0.0
    for i in np.flatnonzero(dead):
        share = group[i:].mean()
        score += group[i] - share
        variance += share * (1 - share)
    return score**2 / variance


def test_log_rank_of_earlier_transplant_by_its_definition():
    prior = [i % 3 == 0 for i in range(30)]
    found = compare_groups(*trial_of(30, dead=lambda i: i % 2 == 0, prior=prior))
    own = found.filter(endpoint="overall_survival")
    assert own["group"].to_list() == ["no", "yes"]
    assert own["n"].to_list() == [20, 10]
    expected = logrank_by_hand(np.array(prior, dtype=float), np.arange(30) % 2 == 0)
    assert own["chi_square"][0] == pytest.approx(expected, rel=1e-9)
    # nobody relapsed: there is nothing to test
    assert found.filter(endpoint="relapse").is_empty()


@pytest.mark.parametrize(("n", "yes"), [(19, 9), (30, 9), (19, 10)])
def test_nothing_below_twenty_patients_or_ten_in_a_group(n, yes):
    made_ = trial_of(n, dead=lambda i: i % 2 == 0, prior=[i < yes for i in range(n)])
    assert compare_groups(*made_).is_empty()
    assert comparison_table(*made_) is None


def test_small_groups_and_patients_without_a_group_are_left_out():
    disease = ["AML"] * 12 + ["T-ALL"] * 12 + ["MPAL"] * 5 + [None] * 3
    trial, endpoints = trial_of(32, dead=lambda i: i % 2 == 0, disease=disease)
    found = compare_groups(trial, endpoints)
    assert found["group"].to_list() == ["AML", "T-ALL"]
    printed = comparison_table(trial, endpoints)
    # one p-value for the two rows it compares
    assert [row.cells[-1] == "" for row in printed.rows] == [False, True]


def test_p_values_as_journals_print_them():
    values = (0.5, 0.0996, 0.0994, 0.0123, 0.001, 0.00099, 1.0)
    assert [p_value(v) for v in values] == [
        "0.50",
        "0.10",
        "0.099",
        "0.012",
        "0.001",
        "<0.001",
        "1.00",
    ]


def test_few_patients_get_proportions_with_exact_intervals():
    trial, endpoints = trial_of(4, dead=lambda i: i < 1, prior=[True, True, False, False])
    found = subgroup_numbers(trial, made([]), endpoints)
    assert (found.outcome, found.measure) == ("death so far", "proportion")
    rows = found.numbers.select("level", "events", "n", "lower", "upper").rows()
    # exact limits: 0 of 2 up to 1 - 0.025^(1/2); 1 of 2 from 1 - 0.975^(1/2) to 0.975^(1/2)
    half = 0.975**0.5
    assert rows[1] == ("no", 0, 2, 0.0, pytest.approx(1 - 0.025**0.5))
    assert rows[2] == ("yes", 1, 2, pytest.approx(1 - half), pytest.approx(half))
    assert "No p-values and no hazard ratios: fewer than 20" in found.note


@pytest.mark.parametrize(("deaths", "measure"), [(9, "proportion"), (10, "hazard ratio")])
def test_hazard_ratios_only_with_ten_deaths_per_term(deaths, measure):
    prior = [i % 2 == 0 for i in range(40)]
    trial, endpoints = trial_of(40, dead=lambda i: i < deaths, prior=prior)
    found = subgroup_numbers(trial, made([]), endpoints)
    assert found.measure == measure
    if measure == "hazard ratio":
        cells = {row.cells[0]: row.cells[1:] for row in subgroup_table(found).rows}
        assert cells["no (reference)"] == ("20", "5", "1")
        assert cells["yes"][0] == "20"


def test_a_level_without_deaths_has_no_hazard_ratio():
    trial, endpoints = trial_of(40, dead=lambda i: i < 20, prior=[i < 20 for i in range(40)])
    found = subgroup_numbers(trial, made([]), endpoints)
    assert found.measure == "proportion"


def test_nobody_of_unknown_age_is_put_into_an_age_group():
    trial, _ = trial_of(5, dead=lambda i: True, age=[17.9, 18.0, 59.0, 60.0, None])
    groups = baseline_groups(trial).filter(variable="age").sort("patient")
    assert groups["level"].to_list() == ["under 18", "18 to 39", "40 to 59", "60 or older", None]
