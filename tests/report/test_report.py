"""Reports of small invented trials: simulated, hostile text, nearly empty, many patients."""

import re
from dataclasses import replace

import polars as pl
import pytest

from graftline.assess.assessment import assess_trial
from graftline.endpoints import derive_endpoints
from graftline.protocol import TrialSettings, shipped_protocol
from graftline.report.build import build_report
from graftline.report.html import render_html
from graftline.report.machine import machine_report
from graftline.report.value import no_records
from graftline.report.write import write_files
from graftline.trial import trial_from_tables


def trial_of(patients, *, names=None, simulated=False, **tables):
    ids = names or [f"P{i:04d}" for i in range(patients)]
    frames = {
        "patients": pl.DataFrame({"patient": ids, "status": ["infused"] * len(ids)}),
        "infusions": pl.DataFrame(
            {"patient": ids, "day": [0.0] * len(ids), "kind": ["car_t"] * len(ids)}
        ),
        "followup": pl.DataFrame(
            {
                "patient": ids,
                "last_contact_day": [float(30 + i % 300) for i in range(len(ids))],
                "status": ["dead" if i % 3 == 0 else "alive" for i in range(len(ids))],
            }
        ),
    }
    return trial_from_tables(
        shipped_protocol("all-in-one-2024"),
        {**frames, **tables},
        settings=TrialSettings(name="t", title="A trial", simulated=simulated),
    )


def report_of(trial, **options):
    assessed = assess_trial(trial)
    return build_report(trial, assessed, derive_endpoints(trial, assessed), **options)


def test_a_simulated_page_says_so_on_its_face():
    report = report_of(trial_of(2, simulated=True))
    page = render_html(report)
    assert "<title>SIMULATED: A trial</title>" in page
    assert 'class="watermark"' in page
    assert "No patient was treated" in page
    assert '"simulated": true' in machine_report(report)
    assert "not modelled." in page
    assert "No records:" not in page


def test_one_real_patient_with_hostile_text_in_the_files():
    hostile = '<img src=x onerror="alert(1)">'
    ae = pl.DataFrame({"patient": ["P0000"], "term": [hostile], "grade": [3], "serious": [True]})
    report = report_of(trial_of(1, ae=ae))
    page = render_html(report)
    assert [page.id for page in report.patients] == ["patient-P0000"]
    assert 'class="watermark"' not in page
    assert "SIMULATED" not in page
    # text from the files never becomes markup
    assert hostile not in page
    assert "&lt;img src=x" in page
    assert "1 patient: estimates are uncertain" in page


def test_too_many_patients_get_no_page_each_and_the_report_says_so():
    report = report_of(trial_of(30), patient_limit=20)
    assert report.patients == ()
    assert any("No page per patient for 30 patients" in w for w in report.warnings)


def test_nobody_infused_still_makes_a_report():
    frames = {"patients": pl.DataFrame({"patient": ["A"], "status": ["screened"]})}
    trial = trial_from_tables(shipped_protocol("all-in-one-2024"), frames)
    page = render_html(report_of(trial))
    assert "No records:" in page


def test_the_sentence_names_the_table_that_is_missing():
    trial = trial_of(1)
    assert no_records(trial, "GVHD", ("gvhd", "events")) == (
        "No records: GVHD would come from gvhd.csv or events.csv, not in the trial folder."
    )
    assert no_records(trial, "death", ("followup",)) == (
        "No records: followup.csv has no rows that bear on death."
    )


def test_larger_cohorts_show_summaries_instead_of_every_patient():
    patients = 187
    ids = [f"P{i:04d}" for i in range(patients)]
    days = [0.0, 7.0, 14.0, 28.0]
    labs = pl.DataFrame(
        {
            "patient": [i for i in ids for _ in days],
            "day": days * patients,
            "analyte": "car_t_qpcr",
            "value": [10.0 ** (1 + d / 7) for _ in ids for d in days],
        }
    )
    report = report_of(trial_of(patients, labs=labs), patient_limit=50)
    (kinetics,) = [f for f in report.figures if f.id == "kinetics"]
    assert len(kinetics.figure.axes[0].collections) == 2
    (swimmer,) = [f for f in report.figures if f.id == "swimmer"]
    assert len(swimmer.figure.axes[0].get_yticklabels()) == 60
    assert "60 of" in swimmer.caption
    assert len(render_html(report)) < 3_000_000


def labs_of(ids, days=(0.0, 1.0, 2.0, 3.0, 7.0, 10.0, 14.0, 17.0, 21.0, 28.0, 60.0, 90.0, 200.0)):
    analytes = ("anc", "platelets", "car_t_qpcr", "car_t_flow", "crp", "ferritin")
    rows = [(i, d, a, 1.0 + d) for i in ids for a in analytes for d in days]
    return pl.DataFrame(rows, schema=["patient", "day", "analyte", "value"], orient="row")


@pytest.fixture(scope="module")
def twelve():
    ids = [f"P{i:04d}" for i in range(12)]
    return report_of(trial_of(12, simulated=True, labs=labs_of(ids)))


def test_ids_are_unique_and_every_link_of_the_page_leads_somewhere(twelve):
    page = render_html(twelve)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page))
    assert {a or b for a, b in links} <= set(ids)


def test_every_figure_is_named_for_who_cannot_see_it_and_says_that_it_is_simulated(twelve):
    page = render_html(twelve)
    figures = re.findall(r"<figure .*?</figure>", page, re.DOTALL)
    assert len(figures) == len(twelve.figures) > 12
    for text in figures:
        assert re.search(r'<svg role="img" aria-label="[^"]+"', text)
        assert '<span class="simulated">Simulated</span>' in text


def test_letters_are_letters_and_no_outline_of_one_is_in_the_page(twelve):
    """An outline of a letter would be a definition used many times."""
    page = render_html(twelve)
    assert "DejaVuSans-" not in page
    defined = re.findall(r'<path id="([^"]+)"', page)
    assert len(defined) == len(set(defined))
    assert ">index infusion</text>" in page


def test_a_patient_costs_the_page_little(twelve):
    """Truth: a bound, so that 200 patients stay under 12 MB: 50 kB each, course and answers."""
    whole, without = (len(render_html(r).encode()) for r in (twelve, replace(twelve, patients=())))
    assert (whole - without) / 12 < 50_000


def test_figures_of_a_simulated_trial_are_marked_and_of_a_real_one_are_not(twelve, tmp_path):
    page = replace(twelve, sections=twelve.sections[:1], patients=())
    write_files(page, tmp_path / "simulated", figures=("svg",))
    write_files(replace(page, simulated=False), tmp_path / "real", figures=("svg",))
    (marked,) = (tmp_path / "simulated" / "figures").iterdir()
    (plain,) = (tmp_path / "real" / "figures").iterdir()
    assert "<!-- SIMULATED -->" in marked.read_text()
    assert "<!-- SIMULATED -->" not in plain.read_text()


def test_a_simulated_cohort_with_patients_without_hsct_is_no_selection():
    """The strategy selects who reached HSCT; nobody of these did, so nothing was selected."""
    simulated, real = (report_of(trial_of(2, simulated=s)) for s in (True, False))
    text = "Only patients who reached HSCT are in this cohort"
    assert not any(text in w for w in simulated.warnings)
    assert any(text in w for w in real.warnings)


def test_many_patients_have_their_timelines_in_the_page_unless_files_are_asked_for(
    twelve, tmp_path
):
    many = tuple(replace(twelve.patients[i % 12], id=f"p{i}") for i in range(61))
    large = replace(twelve, sections=(), patients=many)
    few = replace(large, patients=many[:60])
    for report, options, expected in (
        (few, {}, 12),
        (large, {}, 0),
        (large, {"every_patient": True}, 12),
    ):
        out = tmp_path / f"{len(report.patients)}-{len(options)}"
        written = write_files(report, out, figures=("svg",), **options)
        # twelve drawings stand under sixty names: a figure is written by its id
        assert len({path for path in written if path.parent.name == "figures"}) == expected
        assert "index infusion</text>" in written[0].read_text(encoding="utf-8")
