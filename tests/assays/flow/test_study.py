"""A study of tubes with known cells, and its rows in a trial.

Truth: the cells that were put into the tubes; concentrations, days and limits by hand.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from graftline.assays.flow.sample import FlowThresholds
from graftline.assays.flow.study import FlowStudy, flow_study
from graftline.assess import lymphocytes, mrd
from graftline.figures.assays_flow import draw_car_gates
from graftline.problems import InputError, Severity
from graftline.report.assay_flow import flow_section
from graftline.report.assay_page import write_trial_rows
from graftline.report.assays import assay_sections, inspect_assays
from graftline.tables.assay_flow import (
    eradication,
    eradication_table,
    mrd_listing,
    t_cells_table,
)
from graftline.trial.read import inspect_trial, read_trial
from tests.assays.flow.study_files import BLOOD, GATING, write_study, write_tube

PEOPLE = {
    "patients": "patient,status,age_years,sex,disease\nP01,infused,30,male,T-ALL\n"
    "P02,infused,40,female,T-ALL\n",
    "infusions": "patient,day,kind,type,car_t_1e6_per_kg\nP01,0,car_t,donor_derived,1\n"
    "P02,0,car_t,donor_derived,1\n",
    "followup": "patient,last_contact_day,status\nP01,200,alive\nP02,200,alive\n",
}


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # 5,000 leukocyte events at 0.05e9/L: an event is 0.01 cells per microlitre.
    return write_study(tmp_path_factory.mktemp("study") / "assays", wbc=0.05)


@pytest.fixture(scope="module")
def study(sheet: Path) -> FlowStudy:
    return flow_study(sheet)


def test_gates_hold_the_cells_that_were_put_in(study: FlowStudy) -> None:
    day5 = study.gates.filter(pl.col("sample") == "P01_d5.fcs")
    events = dict(day5.select("gate", "events").iter_rows())
    # 50 CAR-T and 5 CAR-T with CD7, 36 CD7+ and 200 CD7- T cells among 5,000 leukocytes.
    assert {k: events[k] for k in ("leukocytes", "T", "CAR+", "CAR-", "CD7+ T", "CD7- T")} == {
        **{"leukocytes": 5000, "T": 291, "CAR+": 55, "CAR-": 236, "CD7+ T": 36, "CD7- T": 200}
    }
    row = day5.filter(pl.col("gate") == "CD7+ T").row(0, named=True)
    assert row["percent_of_parent"] == pytest.approx(100 * 36 / 236)
    # R 4.2.2: binom.test(36, 236)$conf.int
    assert row["parent_low"] == pytest.approx(100 * 0.109182561583, rel=1e-9)
    assert row["parent_high"] == pytest.approx(100 * 0.204875802152, rel=1e-9)


def test_t_cells_per_microlitre_of_every_blood_sample(study: FlowStudy) -> None:
    for patient, course in BLOOD.items():
        rows = study.t_cells.filter(pl.col("patient") == patient).sort("day")
        assert rows["day"].to_list() == list(course)
        for row, cells in zip(rows.to_dicts(), course.values(), strict=True):
            assert row["cd7_positive_events"] == cells
            assert row["cd7_positive_below"] == (cells < 20)
            assert row["cd7_positive_per_ul"] == pytest.approx(max(cells, 20) * 0.01)
            assert row["cd7_negative_per_ul"] == pytest.approx(2)
    # R 4.2.2: poisson.test(36)$conf.int
    row = study.t_cells.filter(pl.col("sample") == "P01_d5.fcs").row(0, named=True)
    assert row["cd7_positive_per_ul_low"] == pytest.approx(0.252139574173, rel=1e-9)
    assert row["cd7_positive_per_ul_high"] == pytest.approx(0.498391744892, rel=1e-9)


def test_cd7_on_blasts_at_baseline_remission_and_relapse(study: FlowStudy) -> None:
    rows = {row["timepoint"]: row for row in study.blasts.to_dicts()}
    assert set(rows) == {"baseline", "remission", "relapse"}
    counts = {k: (v["blast_events"], v["cd7_positive_events"]) for k, v in rows.items()}
    assert counts["remission"] == (3, 0)
    assert counts["baseline"][0] == 1600
    assert counts["relapse"][0] == 960
    assert rows["baseline"]["cd7_positive_percent"] == pytest.approx(100 * 1500 / 1600, abs=0.5)
    assert rows["relapse"]["cd7_positive_percent"] == pytest.approx(100 * 60 / 960, abs=0.5)
    assert rows["remission"]["cd7_positive_percent"] is None
    # The blasts were made with a CD7 of 4,000 and T cells with 9,000.
    assert rows["baseline"]["cd7_percent_of_normal_t"] == pytest.approx(100 * 4 / 9, rel=0.1)


def test_residual_disease_says_what_the_events_could_detect(study: FlowStudy) -> None:
    rows = {row["timepoint"]: row for row in study.mrd.to_dicts()}
    remission = rows["remission"]
    nucleated = 4000 + 300 + 200 + 150 + 3
    assert (remission["mrd_events"], remission["nucleated_events"]) == (3, nucleated)
    assert remission["label"] == "negative, low sensitivity"
    assert remission["limit_of_detection"] == pytest.approx(20 / nucleated)
    assert remission["limit_of_quantification"] == pytest.approx(50 / nucleated)
    assert remission["markers"] == "CD3+CD34+CD45"
    assert rows["relapse"]["label"] == "positive"


@pytest.mark.parametrize(("cells", "label"), [(19, "negative"), (20, "positive"), (50, "positive")])
def test_between_detection_and_quantification(cells: int, label: str, tmp_path: Path) -> None:
    write_tube(tmp_path / "m.fcs", {"CD7- blasts": cells, "B": 500 - cells})
    (tmp_path / "g.toml").write_text(GATING)
    sheet = tmp_path / "flow.csv"
    sheet.write_text("file,patient,day,specimen,gating\nm.fcs,P01,28,marrow,g.toml\n")
    found = flow_study(sheet, thresholds=FlowThresholds(sensitivity=0.05, nucleated_events=500))
    row = found.mrd.row(0, named=True)
    assert (row["label"], row["quantified"]) == (label, cells >= 50)
    told = mrd_listing(found).rows[0].cells[1]
    assert ("below quantification" in told) == (cells == 20)


def trial_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "protocol.toml").write_text('[trial]\nname = "t"\nprotocol = "all-in-one-2024"\n')
    for name, text in PEOPLE.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def test_rows_written_are_rows_of_a_trial_and_give_the_day_of_eradication(
    study: FlowStudy, tmp_path: Path
) -> None:
    """By hand: P01 has 4.1, 0.36, <0.2, <0.2 on days 0, 5, 8, 12; P02 3.0, 1.2, 0.6, <0.2.

    Below 1 per microlitre in two samples running: days 5 and 8.
    """
    folder = trial_folder(tmp_path)
    write_trial_rows({"labs": study.labs, "marrow": study.marrow}, folder)
    _, problems = inspect_trial(folder)
    assert [p for p in problems if p.file in ("labs.csv", "marrow.csv")] == []
    trial = read_trial(folder)
    rows = lymphocytes.assess(trial).results.filter(pl.col("rule") == "cd7_t_eradication")
    derived = rows.filter(pl.col("source") == "derived").sort("patient")
    assert derived.select("patient", "state", "day").rows() == [
        ("P01", "yes", 5.0),
        ("P02", "yes", 8.0),
    ]
    assert eradication(study).select("patient", "state", "day").rows() == [
        *(("P01", "yes", 5.0), ("P02", "yes", 8.0))
    ]
    tests = mrd.assess(trial).details["mrd_tests"].sort("day")
    assert tests["label"].to_list() == ["positive", "negative, low sensitivity", "positive"]


COURSES: dict[str, tuple[list[tuple[float, float]], tuple[str, str, str]]] = {
    # The first two are the worked examples of the definition.
    "P1": ([(0, 410), (5, 36), (8, 0.4), (12, 0)], ("yes", "8", "no")),
    "P2": ([(8, 0.6), (12, 14), (15, 0), (20, 0)], ("yes", "15", "no")),
    "never": ([(0, 400), (7, 380), (14, 390)], ("no", "", "")),
    "back": ([(0, 90), (5, 0.5), (8, 0.5), (60, 30), (75, 40)], ("yes", "5", "day 60")),
    "back at last": ([(0, 90), (5, 0.5), (8, 0.5), (60, 30)], ("yes", "5", "in the last sample")),
    "last gone": ([(0, 90), (5, 0.5)], ("not yet evaluable", "", "")),
    "before only": ([(-9, 0.1), (-2, 0.1)], ("absent", "", "")),
    "low before": ([(-9, 0.1), (0, 50), (5, 0.1), (9, 0.2)], ("yes", "5", "no")),
    "one": ([(0, 90)], ("not evaluable", "", "")),
}


def test_courses_of_cd7_positive_t_cells(study: FlowStudy) -> None:
    """By hand: below 1 per microlitre, confirmed by the next; back at 10 in two running."""
    rows = [(patient, day, value) for patient, (c, _) in COURSES.items() for day, value in c]
    labs = pl.DataFrame(
        rows, schema={"patient": pl.String, "day": pl.Float64, "value": pl.Float64}, orient="row"
    ).with_columns(
        analyte=pl.lit("cd3_cd7_positive"),
        unit=pl.lit("cells/uL"),
        quantification=pl.lit("quantified"),
        lloq=pl.lit(None, pl.Float64),
    )
    table = eradication_table(replace(study, labs=labs.select(study.labs.columns)))
    told = {row.cells[0]: (row.cells[1], row.cells[2], row.cells[4]) for row in table.rows}
    expected = {patient: answer for patient, (_, answer) in COURSES.items()}
    # Nobody is said to have lost cells whose only samples are from before the infusion.
    assert expected.pop("before only")[0] == "absent"
    assert told == expected


def test_shares_say_nothing_about_a_return(study: FlowStudy) -> None:
    shares = study.labs.filter(pl.col("analyte") == "cd3_cd7_positive_percent")
    gone = shares.with_columns(value=pl.when(pl.col("day") < 8).then(50.0).otherwise(0.01))
    table = eradication_table(replace(study, labs=gone))
    assert [row.cells[1:5] for row in table.rows] == [("yes", "8", "share", "no counts")] * 2


def test_too_few_events_never_make_an_eradication(tmp_path: Path) -> None:
    # At 5e9/L an event is a cell per microlitre: nothing seen is below 20, not below 1.
    found = eradication(flow_study(write_study(tmp_path / "study")))
    assert found.select("patient", "state", "day").rows()[0] == ("P01", "not_evaluable", None)


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tubes")
    for name in ("a.fcs", "b.fcs", "c.fcs"):
        write_tube(folder / name, {"granulocytes": 60, "CD7- T": 40, "CD7+ T": 30})
    (folder / "g.toml").write_text(GATING)
    (folder / "only.toml").write_text(GATING.split("[roles]")[0] + '[roles]\nblasts = "blasts"\n')
    return folder


def sheet_of(folder: Path, *rows: str, columns: str = "") -> Path:
    path = folder / "flow.csv"
    header = f"file,patient,day,specimen,gating{columns}"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_one_file_of_two_days_or_patients_is_an_error(tubes: Path) -> None:
    for who in ("P1,5", "P2,0"):
        sheet = sheet_of(tubes, "a.fcs,P1,0,blood,g.toml", f"a.fcs,{who},blood,g.toml")
        with pytest.raises(InputError) as caught:
            flow_study(sheet)
        (problem,) = caught.value.problems
        assert (problem.row, problem.column, problem.found) == (3, "file", "a.fcs")
    # One tube for two questions, and a control shared by patients, are as they should be.
    flow_study(sheet_of(tubes, "a.fcs,P1,0,blood,g.toml", "a.fcs,P1,0,marrow,g.toml"))
    rows = ("a.fcs,P1,0,blood,g.toml,fmo", "a.fcs,P2,0,blood,g.toml,fmo")
    flow_study(sheet_of(tubes, *rows, columns=",control"))


def test_a_sample_without_the_number_others_are_counted_by_is_told(tubes: Path) -> None:
    rows = ("a.fcs,P1,0,blood,g.toml,5", "b.fcs,P1,5,blood,g.toml,", "c.fcs,P2,5,blood,g.toml,")
    found = flow_study(sheet_of(tubes, *rows, columns=",wbc_1e9_per_l"))
    # Nothing is lacking of P2, who is judged by shares throughout.
    told = [(p.severity, p.row, p.patient) for p in found.problems]
    assert told == [(Severity.WARNING, 3, "P1")]
    assert found.t_cells["cd7_positive_per_ul"].is_null().to_list() == [False, True, True]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("wbc_1e9_per_l", "-1", "row 2, column wbc_1e9_per_l: found '-1'"),
        ("beads_per_ul", "0", "row 2, column beads_per_ul: found '0'"),
        ("data_set", "0", "a data set from 1 on"),
        ("data_set", "2", "found '1 data set'\n  expected a file of 2 data sets"),
    ],
)
def test_numbers_of_a_sheet_that_cannot_be(
    column: str, value: str, words: str, tubes: Path
) -> None:
    sheet = sheet_of(tubes, f"a.fcs,P1,0,blood,g.toml,{value}", columns=f",{column}")
    with pytest.raises(InputError) as caught:
        flow_study(sheet)
    assert words in str(caught.value)


def test_t_cells_outside_the_cells_they_are_counted_by_are_told(tubes: Path) -> None:
    # The 60 granulocytes, by side scatter: none of the 70 T cells is among them.
    other = '[[gates]]\nname = "G"\nbounds = [{ channel = "SSC-A", min = 90000 }]\n\n[roles]'
    text = GATING.replace("[roles]", other).replace(
        'leukocytes = "leukocytes"\n', 'leukocytes = "G"\n', 1
    )
    (tubes / "apart.toml").write_text(text)
    sheet = sheet_of(tubes, "a.fcs,P1,0,blood,apart.toml,5", columns=",wbc_1e9_per_l")
    (told,) = flow_study(sheet).problems
    assert told.found == "70 of 70 T cells outside"
    assert told.severity is Severity.WARNING


def test_no_white_cells_give_shares_and_a_warning(tubes: Path) -> None:
    found = flow_study(sheet_of(tubes, "a.fcs,P1,0,blood,g.toml,0", columns=",wbc_1e9_per_l"))
    assert [p.column for p in found.problems] == ["wbc_1e9_per_l"]
    assert found.labs["analyte"].to_list() == ["cd3_cd7_positive_percent"]


def test_blasts_nobody_asked_cd7_of_have_no_table(tubes: Path) -> None:
    section = flow_section(flow_study(sheet_of(tubes, "a.fcs,P1,0,marrow,only.toml")))
    assert [table.id for table in section.tables] == ["flow-gates"]
    assert any("No CD7 on blasts" in sentence for sentence in section.missing)
    assert "CAR-negative" not in " ".join(section.text)


def test_a_trial_folder_with_a_sheet_has_the_section(study: FlowStudy, tmp_path: Path) -> None:
    folder = trial_folder(tmp_path)
    write_study(folder / "assays", wbc=0.05)
    trial, _ = inspect_trial(folder)
    found = assay_sections(folder, trial)
    section = next(s for s in found.sections if s.id == "assay-flow")
    assert [t.id for t in section.tables] == [
        *("flow-t-cells", "flow-eradication", "flow-blasts", "flow-mrd", "flow-gates"),
        "flow-settings",
    ]
    assert {f.id for f in section.figures} >= {"flow-car-gates", "flow-cd7-t", "flow-cd7-blasts"}
    assert not [p for p in found.problems if p.severity.value in ("error", "unreadable")]
    (folder / "assays" / "P01_d5.fcs").write_bytes(b"FCS3.1")
    broken = assay_sections(folder, trial).sections
    stopped = next(s for s in broken if s.id == "assay-flow")
    assert any("P01_d5.fcs" in sentence for sentence in stopped.missing)
    assert any("P01_d5.fcs" in p.file for p in inspect_assays(folder, trial))


def test_figures_and_tables_hold_every_sample(study: FlowStudy) -> None:
    listed = t_cells_table(study)
    assert [row.group for row in listed.rows] == ["Patient P01"] * 4 + ["Patient P02"] * 4
    assert listed.rows[2].cells[4] == "<0.200"
    car = [p.car for p in study.panels if p.row.specimen == "blood" and p.car is not None]
    assert [panel.events for panel in car] == [n for c in BLOOD.values() for n in c.values()]
    shown = [p.cd7_t for p in study.panels if p.cd7_t is not None]
    assert shown[0].threshold == 0.5
    assert shown[0].values.size == 610


def test_panels_of_a_course_fill_their_rows_and_name_the_patient_once(study: FlowStudy) -> None:
    blood = [p for p in study.panels if p.car is not None and p.row.specimen == "blood"]
    first = [p for p in blood if p.row.patient == "P01"]
    # Six samples of one patient and four of the other: rows of three, and of three and one.
    course = [
        replace(p, row=replace(p.row, patient="A-LONG-NAME", day=float(d)))
        for d, p in enumerate([*first, *first[:2]])
    ]
    figure = draw_car_gates([*course, *[p for p in blood if p.row.patient == "P02"]])
    assert figure is not None
    shown = [axes for axes in figure.axes if axes.get_visible()]
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in shown]
    assert titles == [
        "A-LONG-NAME\nday 0",
        *(f"day {d}" for d in range(1, 6)),
        "P02\nday 0",
        "day 5",
        "day 8",
        "day 12",
    ]
    # Numbers stand below the lowest panel of each column, also where the last row is shorter.
    numbered = [any(label.get_text() for label in axes.get_xticklabels()) for axes in shown]
    assert numbered == [False] * 7 + [True] * 3
