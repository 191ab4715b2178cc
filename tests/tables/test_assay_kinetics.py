"""Tables of the kinetics page: every word in them is explained, and nobody is lost in silence."""

from pathlib import Path

import pytest

from graftline.assess.kinetics_study import KineticsOptions, KineticsStudy, kinetics_study
from graftline.tables.assay_kinetics import choices, cohort_table, parameters_table

HEADER = "patient,day,analyte,value,unit,quantification,lloq\n"


def study_of(tmp_path: Path, courses, **options) -> KineticsStudy:
    rows = "".join(
        f"{patient},{day},car_t_qpcr,{max(value, 50)},copies/ug DNA,{'below' * (value < 50)},50\n"
        for patient, course in courses.items()
        for day, value in course
    )
    path = tmp_path / "labs.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return kinetics_study(path, options=KineticsOptions(**options))


RISE_AND_FALL = [(0, 0), (7, 2e4), (10, 8e4), (14, 4e4), (21, 1e4), (28, 2500), (60, 0)]
COURSES = {
    "P1": RISE_AND_FALL,
    "P2": [(0, 0), (7, 0), (10, 0), (14, 0), (28, 0)],
    "P3": [(0, 0), (14, 900), (28, 100)],
}


def test_every_word_that_stands_for_a_number_is_explained(tmp_path) -> None:
    table = parameters_table(study_of(tmp_path, COURSES))
    cells = {cell for row in table.rows for cell in row.cells}
    said = " ".join(table.footnotes).lower()
    for word in ("never seen", "few samples", "few points"):
        assert word in cells
        assert f"{word}: " in said
    assert "poor fit" not in cells
    assert "poor fit" not in said


def test_who_never_had_a_quantifiable_value_is_counted(tmp_path) -> None:
    table = cohort_table(study_of(tmp_path, COURSES))
    assert "Never quantifiable, and not in n: qPCR 1." in table.footnotes
    assert all(
        "Never" not in note
        for note in cohort_table(study_of(tmp_path, {"P1": RISE_AND_FALL})).footnotes
    )


@pytest.mark.parametrize(
    ("options", "there", "away"),
    [
        ({}, "at least 0.8", "no area"),
        ({"half_life_r2": -1}, "the best adjusted r2; none", "at least"),
        ({"minimum_samples": 0}, "Of equal peaks", "samples from day 5"),
        ({"start": "sample"}, "without a sample at infusion there is no area", "starts at 0"),
        ({"trapezoid": "linear_log"}, "logarithmic after the peak", "where falling"),
        ({"blq": "drop"}, "dropped everywhere", "between dropped"),
    ],
)
def test_the_choices_are_said_as_they_were_made(tmp_path, options, there, away) -> None:
    words = " ".join(choices(study_of(tmp_path, COURSES, **options)))
    assert there in words
    assert away not in words
