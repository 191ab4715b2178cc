"""Rules on arrays give what polars gives: the same rule, asked in two ways."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.assess.gvhd_organs import ORGANS, organ_stages, overall_grade, staged_as_child
from graftline.assess.on_arrays import Column, OnArrays
from graftline.assess.pancytopenia import pancytopenia_days, pancytopenic
from graftline.assess.response_classes import response_class
from graftline.assess.vital_signs import crs_signs
from graftline.trial import conform

FINDINGS = {
    "blasts_percent": [0.0, 4.5, 5.0, 12.0, 25.0, 40.0],
    "baseline_blasts_percent": [2.0, 24.0, 80.0],
    "circulating_blasts": [True, False],
    "extramedullary": [True, False],
    "anc": [0.0, 0.49, 0.5, 1.0, 1.01],
    "anc_limit": ["below", "above", "quantified"],
    "anc_supported": [True, False],
    "platelets": [20.0, 50.0, 100.0, 101.0],
    "platelets_limit": ["below", "above", "quantified"],
    "platelets_supported": [True, False],
    "cells_counted": [199, 200],
    "cellularity_percent": [9.0, 10.0],
    "spicules": [True, False],
    "trilineage": [True, False],
}
GVHD = {
    "skin_bsa_percent": [0.0, 1.0, 25.0, 50.0, 51.0],
    "skin_bullae": [True, False],
    "bilirubin_mg_per_dl": [1.9, 2.0, 3.0, 3.01, 6.1, 15.1],
    "stool_ml_per_day": [0.0, 500.0, 1000.0, 1500.0, 1501.0],
    "stool_episodes_per_day": [0.0, 3.0, 5.0, 8.0],
    "severe_abdominal_pain_or_ileus": [True, False],
    "bloody_stool": [True, False],
    "upper": [True, False],
    "weight": [20.0, 50.0, 51.0],
    "age_years": [5.0, 17.9, 18.0],
    "skin_is_gvhd": ["yes", "no", "uncertain"],
    "liver_is_gvhd": ["yes", "no"],
    "gi_is_gvhd": ["yes", "no"],
}
VITALS = {
    "temperature_c": [37.9, 38.0],
    "systolic_mmhg": [69.0, 79.0, 89.0, 90.0],
    "fluid_bolus": [True, False],
    "hypotension": [True, False],
    "pressors": [0, 1, 2, 3],
    "pressors_counted": [0, 1, 2, 3],
    "oxygen_device": ["room_air", "nasal_cannula", "face_mask", "cpap", "other"],
    "oxygen_flow_l_per_min": [3.0, 6.0, 7.0],
    "age_years": [0.5, 5.0, 40.0],
}


def rows_of(columns):
    """Rows in which each column may be missing."""
    row = st.fixed_dictionaries(
        {name: st.sampled_from([None, *values]) for name, values in columns.items()}
    )
    return st.lists(row, min_size=1, max_size=6)


def both(rows, columns):
    """The same rows as a frame of polars and as arrays with what is known."""
    kinds = {str: pl.String, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
    schema = {name: kinds[type(next(iter(values)))] for name, values in columns.items()}
    frame = pl.DataFrame(rows, schema=schema)
    filler = {pl.String: "", pl.Boolean: False}
    arrays = {
        series.name: Column(
            series.fill_null(filler.get(series.dtype, 0)).to_numpy(),
            series.is_not_null().to_numpy(),
        )
        for series in frame
    }
    return frame, OnArrays(arrays, frame.height)


def listed(column):
    """Values with None where unknown."""
    pairs = zip(column.values.tolist(), column.known.tolist(), strict=True)
    return [value if known else None for value, known in pairs]


def agree(frame, terms, columns):
    found = frame.select(**terms)
    for name, column in columns.items():
        assert found[name].to_list() == listed(column), name


@settings(deadline=None, max_examples=25, derandomize=True)
@given(rows_of(FINDINGS), st.sampled_from(["all", "mlfs_only"]))
def test_response_classes(rows, adequacy):
    frame, words = both(rows, FINDINGS)
    for profile in ("nejm2024", "eln2022", "nccn2022"):
        terms = {profile: response_class(profile, marrow_adequacy=adequacy)}
        agree(frame, terms, {profile: response_class(profile, words, marrow_adequacy=adequacy)})


@settings(deadline=None, max_examples=25, derandomize=True)
@given(rows_of(GVHD))
def test_gvhd_stages_and_grades(rows):
    frame, words = both(rows, GVHD)
    frame = frame.with_columns(as_child=staged_as_child())
    words = OnArrays({**words.columns, "as_child": staged_as_child(words)}, words.rows)
    stages = organ_stages(words)
    agree(frame, organ_stages(), stages)
    graded = frame.select(**organ_stages())
    for system in ("magic2016", "glucksberg1994"):
        grade = overall_grade(system, OnArrays(stages, words.rows))
        agree(graded, {"grade": overall_grade(system)}, {"grade": grade})
    assert set(ORGANS) < set(stages)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(rows_of(VITALS))
def test_signs_of_crs(rows):
    frame, words = both(rows, VITALS)
    agree(frame, crs_signs(), crs_signs(words))


# the rule for a day of records, asked of one day whose counts are all quantified
@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    st.sampled_from([0.49, 0.5]),
    st.sampled_from([19.0, 24.0, 25.0]),
    st.sampled_from([79.0, 80.0]),
    st.sampled_from([0.0, 7.0, 8.0, np.inf]),
    st.sampled_from(["graftline", "camitta1979"]),
)
def test_pancytopenia_of_one_day(anc, platelets, hemoglobin, age, definition):
    counts = {"anc": anc, "platelets": platelets, "hemoglobin": hemoglobin}
    labs = pl.DataFrame(
        {
            "patient": ["P"] * 3,
            "day": [20.0] * 3,
            "analyte": list(counts),
            "value": list(counts.values()),
        }
    )
    given_on = [20.0 - age] if np.isfinite(age) else []
    transfusions = pl.DataFrame(
        {
            "patient": ["P"] * len(given_on),
            "day": given_on,
            "product": ["red_cells"] * len(given_on),
        },
        schema={"patient": pl.String, "day": pl.Float64, "product": pl.String},
    )
    whole = pancytopenia_days(
        conform(labs, "labs"), conform(transfusions, "transfusions"), definition=definition
    )
    arrays = {name: np.array([value]) for name, value in counts.items()}
    one = pancytopenic(
        OnArrays({**arrays, "red_cells_age": np.array([age])}, 1), definition=definition
    )
    assert listed(one) == whole["met"].to_list()
