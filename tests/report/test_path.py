"""The way to transplant in the report: shown, said to be missing, and cited."""

from functools import cache
from pathlib import Path

import pytest

from graftline.assess.assessment import assess_trial
from graftline.endpoints import clinical_stays, derive_endpoints
from graftline.report.methods import methods_section
from graftline.report.path import groups_section, path_section
from graftline.report.value import Inputs
from graftline.trial.read import read_trial
from tests.test_children import convert  # noqa: F401  # the fixture that writes the children

EXAMPLES = Path(__file__).parents[2] / "examples"


@cache
def inputs_of(folder):
    trial = read_trial(folder)
    assessed = assess_trial(trial)
    return Inputs(trial, assessed, derive_endpoints(trial, assessed))


def ids(section):
    return [table.id for table in section.tables], [figure.id for figure in section.figures]


def test_the_worked_trial_shows_both_models_and_hsct_in_time():
    inputs = inputs_of(EXAMPLES / "worked-trial")
    section = path_section(inputs)
    tables, figures = ids(section)
    assert {"states-car-t-to-hsct", "states-after-hsct", "hsct-timing"} <= set(tables)
    assert figures == [
        "states-car-t-to-hsct",
        "states-after-hsct",
        "hsct-overall-survival",
        "hsct-disease-free-survival",
    ]
    methods = methods_section(inputs, section.tables)
    assert any("Simon and Makuch" in line for line in methods.text)
    assert "No p-values are printed." in methods.text
    cited = " ".join(methods.list_items)
    assert "Simon R, Makuch RW" in cited
    # eight patients: no test was made, none is cited
    assert "Mantel N" not in cited


def test_the_ten_of_hu_2024_say_which_days_are_not_recorded():
    section = path_section(inputs_of(EXAMPLES / "hu-2024"))
    assert any("acute GVHD II-IV in 3 patients" in line for line in section.missing)
    tables, figures = ids(section)
    # everybody reached HSCT by selection: no comparison with those who did not
    assert "hsct-timing" not in tables
    assert figures == ["states-car-t-to-hsct"]
    groups, _ = ids(groups_section(inputs_of(EXAMPLES / "hu-2024")))
    assert groups == ["subgroups"]


@pytest.fixture(scope="module")
def children(convert, tmp_path_factory):  # noqa: F811  # a fixture is named like its import
    folder = tmp_path_factory.mktemp("children")
    convert(folder, set_aside=True)
    return inputs_of(folder)


def test_the_children_whose_relapses_have_no_day_are_not_estimated(children):
    found = clinical_stays(children.trial, children.assessed, "after_hsct")
    # 28 relapses of the source have no time
    assert found.undated.filter(state="relapse or progression").height == 28
    section = path_section(children)
    assert not section.tables
    assert "relapse or progression in 28 patients" in section.missing[0]


def test_the_children_are_compared_and_the_tests_cited(children):
    section = groups_section(children)
    compared = section.tables[0].data
    sizes = compared.filter(grouping="Earlier allogeneic HSCT")["n"].to_list()
    assert sizes == [164, 23]
    # R: survdiff(Surv(time, status) ~ prior_allo_hsct), and ~ disease without lymphoma
    assert compared["chi_square"].unique(maintain_order=True).to_list() == pytest.approx(
        [1.319780081, 0.3563878054], rel=1e-9
    )
    # R: coxph(Surv(time, status) ~ prior_allo_hsct), and ~ disease against ALL
    ratios = section.tables[1].data.select("variable", "level", "estimate", "lower", "upper")
    found = {row[:2]: row[2:] for row in ratios.rows()}
    expected = (1.3971695, 0.78744572, 2.479006)
    assert found["Earlier allogeneic HSCT", "yes"] == pytest.approx(expected, rel=1e-6)
    assert found["Disease", "lymphoma"][0] == pytest.approx(3.86997436, rel=1e-6)
    # no group of nine: lymphoma is left out of the comparison
    assert "lymphoma" not in compared["group"].to_list()
    methods = methods_section(children, section.tables)
    assert "No p-values are printed." not in methods.text
    assert any(line.startswith("P-values: log-rank test") for line in methods.text)
