"""The 187 children: real defects found, curves as R draws them (truth: the source file, R)."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

from graftline.problems import Severity
from graftline.trial.read import inspect_trial
from tests.reference import reference_path

CONVERT = Path(__file__).parents[1] / "examples" / "children-hsct" / "convert.py"


@pytest.fixture(scope="module")
def convert():
    spec = importlib.util.spec_from_file_location("convert", CONVERT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = reference_path("hsct_children_uci/bone-marrow.arff")
    return lambda folder, **how: module.convert(source, folder, **how)


def test_real_defects_are_found(convert, tmp_path):
    """In the source, C008 and C064 reach platelets 13 and 11 days after their death; 28 relapses
    have no time.
    """
    convert(tmp_path / "raw", set_aside=False)
    _, problems = inspect_trial(tmp_path / "raw")
    errors = [(p.patient, p.found) for p in problems if p.severity == Severity.ERROR]
    assert errors == [("C008", "58"), ("C064", "30")]
    undated = sum(p.count for p in problems if "day of a relapse" in p.expected)
    assert undated == 28
    odd_doses = {p.column for p in problems if p.expected.startswith("usually")}
    assert odd_doses == {"cd34_1e6_per_kg", "cd3_1e8_per_kg"}


def test_setting_aside_leaves_no_error(convert, tmp_path):
    convert(tmp_path / "mended", set_aside=True)
    trial, problems = inspect_trial(tmp_path / "mended")
    assert not [p for p in problems if p.severity == Severity.ERROR]
    assert len([p for p in problems if p.column == "excluded"]) == 2
    assert trial.patients.height == 187
    assert trial["events"].filter(pl.col("event") == "death").height == 85
