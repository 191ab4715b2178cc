"""The report of the ten patients of Hu 2024; truth: the figures printed in the paper."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from graftline.assess.assessment import assess_trial
from graftline.endpoints import derive_endpoints
from graftline.report.build import build_report
from graftline.report.html import render_html
from graftline.report.machine import machine_report
from graftline.report.write import write_files
from graftline.trial.read import read_trial

FOLDER = Path(__file__).parents[2] / "examples" / "hu-2024"


@pytest.fixture(scope="module")
def report():
    trial = read_trial(FOLDER)
    assessed = assess_trial(trial)
    return build_report(trial, assessed, derive_endpoints(trial, assessed), monitoring=True)


@pytest.fixture(scope="module")
def page(report):
    return render_html(report)


@pytest.fixture(scope="module")
def published(report):
    (table,) = [t for t in report.tables if t.id == "published"]
    return table.data


@pytest.mark.parametrize(
    ("quantity", "computed"),
    [
        ("os_12mo", "68% (43\N{EN DASH}100)"),
        ("dfs_12mo", "54% (29\N{EN DASH}100)"),
        ("deaths", "3/10 (30%)"),
        ("deaths_infection", "2/10 (20%)"),
        ("deaths_relapse", "1/10 (10%)"),
        ("cd7neg_relapse", "2/10 (20%)"),
        ("cri_after_cart", "10/10 (100%)"),
        ("cri_mrd_negative", "9/10 (90%)"),
        ("cri_mrd_positive", "1/10 (10%)"),
        ("gvhd_any", "4/10 (40%)"),
        ("gvhd_cart_related", "1/10 (10%)"),
        ("agvhd_after_hsct_grade2", "3/10 (30%)"),
        ("agvhd_after_hsct_grade3_4", "0/10 (0%)"),
        ("cgvhd", "0/6 (0%)"),
        ("cgvhd_evaluable_100d", "6/10 (60%)"),
        ("full_donor_chimerism_month1", "7/9 (78%)"),
        ("full_donor_chimerism_ever", "8/9 (89%)"),
        ("full_donor_chimerism_ever_of_all", "8/10 (80%)"),
        ("autologous_recovery", "1/10 (10%)"),
        ("mrd_negative_cr_day28_after_hsct", "9/9 (100%)"),
        ("alive_at_cutoff", "7/10 (70%)"),
        ("ongoing_mrd_negative_cr", "6/10 (60%)"),
        ("alive_with_relapse", "1/10 (10%)"),
        ("pancytopenia_grade4", "10/10 (100%)"),
        ("icans_any", "0/10 (0%)"),
        ("ebv_cmv_reactivation", "9/10 (90%)"),
        ("donor_chimerism_patient3_within_3mo", "88.35%"),
        ("dose_donor_derived", "2e6"),
        ("cyclophosphamide_daily", "300"),
        ("lymphodepletion_days", "5"),
        ("data_cutoff", "2023-11-08"),
    ],
)
def test_the_papers_figures_come_out_of_its_facts(published, quantity, computed):
    row = published.filter(pl.col("quantity") == quantity).row(0, named=True)
    assert (row["computed"], row["verdict"][:6]) == (computed, "agrees")


@pytest.mark.parametrize(
    "quantity", ["crs_none", "sex_female", "age", "ecog_1", "disease_aml", "cart_cmax_qpcr"]
)
def test_what_the_paper_gives_for_the_cohort_only_stays_with_the_cohort(published, quantity):
    row = published.filter(pl.col("quantity") == quantity).row(0, named=True)
    assert row["verdict"] == "cannot be recomputed: published only as an aggregate"
    assert row["computed"] == ""


def test_every_published_figure_has_a_row(published):
    rows = pl.read_csv(FOLDER / "published.csv", infer_schema=False)
    assert published.height == rows.height
    assert published["verdict"].null_count() == 0


def test_relapse_and_non_relapse_mortality_add_up_with_disease_free_survival(report):
    (table,) = [t for t in report.tables if t.id == "endpoints"]
    own = table.data.filter(pl.col("variant") == "")
    value = dict(own.select("endpoint", "estimate").rows())
    total = value["relapse"] + value["non_relapse_mortality"] + value["disease_free_survival"]
    assert total == pytest.approx(1.0, abs=1e-12)
    assert value["relapse"] == pytest.approx(0.2475)
    assert value["non_relapse_mortality"] == pytest.approx(0.2125)


def test_the_page_stands_alone(page):
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)[^"]', page)
    assert "@import" not in page
    assert "url(http" not in page
    assert page.count("<svg ") >= 10 + 3  # a timeline per patient, and the figures of the cohort


def test_every_link_and_reference_inside_the_page_resolves(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_page_says_how_the_patients_were_selected_and_that_they_are_few(page):
    assert "10 patients: estimates are uncertain" in page
    assert "Only patients who reached HSCT are in this cohort" in page
    assert "delayed entry at HSPC" in page
    assert "No p-values are printed." in page


def test_methods_name_rules_definitions_files_and_software(report):
    (methods,) = [s for s in report.sections if s.id == "methods"]
    assert [t.id for t in methods.tables] == [
        "rules",
        "definitions",
        "endpoint-definitions",
        "files",
    ]
    files = methods.tables[-1].data
    assert files["sha256"].str.len_chars().unique().to_list() == [64]
    assert "patients.csv" in files["file"].to_list()
    words = " ".join(methods.text)
    assert "Data cut: 2023-11-08" in words
    assert "graftline 0." in words
    assert "log intervals" in words
    assert methods.list_items[0].startswith("1. Hu Y")


def test_sections_without_records_say_which_table_is_missing(report):
    (kinetics,) = [s for s in report.sections if s.id == "kinetics"]
    assert kinetics.missing == (
        "No records: CAR-T kinetics would come from labs.csv, not in the trial folder.",
    )
    assert not kinetics.tables


def test_same_bytes_for_the_same_input(page):
    trial = read_trial(FOLDER)
    assessed = assess_trial(trial)
    again = build_report(trial, assessed, derive_endpoints(trial, assessed), monitoring=True)
    assert render_html(again) == page


def test_json_carries_full_precision(report):
    content = json.loads(machine_report(report))
    (survival,) = [s for s in content["sections"] if s["id"] == "survival"]
    (endpoints,) = [t for t in survival["tables"] if t["id"] == "endpoints"]
    first = endpoints["data"][0]
    assert first["endpoint"] == "overall_survival"
    assert first["estimate"] == pytest.approx(0.675, rel=1e-12)
    assert len(content["patients"]) == 10


def test_files_are_written(report, tmp_path):
    few = type(report)(
        report.title,
        report.subtitle,
        report.simulated,
        report.facts,
        report.warnings,
        report.sections[:4],
    )
    written = write_files(
        few, tmp_path, figures=("svg", "pdf"), tables=("csv", "latex"), machine=True
    )
    names = {p.relative_to(tmp_path).as_posix() for p in written}
    assert written[0].name == "report.html"
    assert {"report.json", "figures/flow.svg", "figures/flow.pdf", "tables/flow.csv"} <= names
    assert "tables/flow.tex" in names
    assert all(p.stat().st_size > 0 for p in written)
