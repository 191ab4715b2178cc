"""Reports of small invented trials: simulated, hostile text, nearly empty, many patients."""

import polars as pl

from graftline.assess.assessment import assess_trial
from graftline.endpoints import derive_endpoints
from graftline.protocol import TrialSettings, shipped_protocol
from graftline.report.build import build_report
from graftline.report.html import render_html
from graftline.report.machine import machine_report
from graftline.report.value import no_records
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
