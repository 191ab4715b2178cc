"""Virtual patients: joint distribution, the same patient in any cohort, imitated rows."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from graftline.model.parameters import column, model
from graftline.problems import InputError
from graftline.protocol import shipped_protocol
from graftline.simulate.cohort import correlation_matrix, sample_cohort
from graftline.simulate.strategy import plan_of
from graftline.simulate.streams import streams_of


def cohort(numbers, protocol="all-in-one-2024", **more):
    plan = plan_of(shipped_protocol(protocol))
    return sample_cohort(plan, streams_of(1), np.asarray(numbers), **more)


# property
def test_patient_17_is_the_same_alone_and_among_a_thousand():
    many, one = cohort(range(1000)), cohort([17])
    assert one.table.equals(many.table[17:18])
    assert np.array_equal(one.parameters[0], many.parameters[17])


# published (model.md, 4): median blasts near 36 %, graft CD34 4.8e6/kg, CD3 5.5e8/kg
def test_medians_of_the_stated_distributions():
    table = cohort(range(4000)).table
    assert table["marrow_blasts_percent"].median() == pytest.approx(36, abs=4)
    assert table["cd34_1e6_per_kg"].median() == pytest.approx(4.8, rel=0.03)
    assert table["cd3_1e8_per_kg"].median() == pytest.approx(5.5, rel=0.05)
    assert table["marrow_blasts_percent"].min() >= 2.0
    assert table["marrow_blasts_percent"].max() <= 90.0


# law: without correlations every parameter has the spread that the parameter file states
def test_spread_of_parameters_is_the_one_of_the_file():
    found = cohort(range(4000)).parameters
    for name in ("rhoE", "dE", "kL", "pI"):
        omega = next(p.omega for p in model().parameters if p.name == name)
        assert np.log(column(found, name)).std() == pytest.approx(omega, rel=0.06)


# law: a Gaussian copula keeps rank correlation 6/pi asin(r/2)
def test_given_correlation_shows_in_ranks():
    pair = ("age_years", "weight_kg")
    table = cohort(range(5000), correlations={pair: 0.6}).table
    found = stats.spearmanr(table[pair[0]], table[pair[1]]).statistic
    assert found == pytest.approx(6 / np.pi * np.arcsin(0.3), abs=0.03)


def test_impossible_correlations_are_refused():
    with pytest.raises(ValueError, match="expected names among"):
        correlation_matrix({("age_years", "shoe_size"): 0.1})
    with pytest.raises(ValueError, match="no joint distribution"):
        correlation_matrix({("kL", "rhoE"): 0.9, ("rhoE", "dE"): 0.9, ("kL", "dE"): -0.9})


ROWS = pl.DataFrame(
    {
        "patient": ["P01", "P02"],
        "age_years": [24.0, None],
        "sex": ["female", None],
        "disease": ["T-LBL", "AML"],
        "weight_kg": [50.0, 80.0],
        "height_cm": [160.0, 180.0],
        "ecog": [0, None],
        "hct_ci": [None, 3],
        "marrow_blasts_percent": [12.0, None],
        "cd7_percent_of_blasts": [95.0, 88.0],
        "prior_lines": [6, 4],
        "prior_allo_hsct": [False, None],
        "cmv_serostatus": ["negative", None],
        "abo": ["AB", None],
    },
    schema_overrides={"ecog": pl.Int64, "hct_ci": pl.Int64},
)


# property: what a row states is kept, what it does not state varies
def test_imitated_rows_keep_what_they_state():
    table = cohort(range(200), rows=ROWS).table
    first, second = table[::2], table[1::2]
    assert first["age_years"].unique().to_list() == [24.0]
    assert first["sex"].unique().to_list() == ["female"]
    assert first["marrow_blasts_percent"].n_unique() == 1
    assert second["age_years"].n_unique() > 90
    assert second["patient"][0].startswith("P02-")
    assert table["patient"].n_unique() == 200


# law: the conditional mean of a normal pair is r times the known score
def test_imitated_rows_move_what_is_correlated_with_them():
    correlations = {("age_years", "rhoE"): 0.8}
    found = cohort(range(2000), rows=ROWS[:1], correlations=correlations).parameters
    free = cohort(range(2000)).parameters
    drop = np.log(column(found, "rhoE")).mean() - np.log(column(free, "rhoE")).mean()
    score = stats.norm.ppf(
        (stats.norm.cdf((24 - 50) / 15) - stats.norm.cdf((14 - 50) / 15))
        / (stats.norm.cdf((82 - 50) / 15) - stats.norm.cdf((14 - 50) / 15))
    )
    assert drop == pytest.approx(0.15 * 0.8 * score, abs=0.01)


def test_no_rows_to_imitate_is_an_input_error():
    with pytest.raises(InputError, match="at least one patient"):
        cohort([0], rows=ROWS.clear())


# published: the 2024 trial excluded earlier transplants, 8 of 19 had one in 2025, 4 of 19 got
# CAR-T from that donor
def test_earlier_transplants_follow_the_protocol():
    assert not cohort(range(500)).table["prior_allo_hsct"].any()
    later = cohort(range(4000), "all-in-one-2025")
    assert later.table["prior_allo_hsct"].mean() > 8 / 19 - 0.03
    earlier_donor = later.product == 1
    assert earlier_donor.mean() == pytest.approx(4 / 19, abs=0.02)
    assert later.table.filter(pl.Series(earlier_donor))["prior_allo_hsct"].all()
