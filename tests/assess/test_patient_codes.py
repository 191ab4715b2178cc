"""Codes for patients change no answer (truth: law: names mean nothing to a criterion)."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from graftline.assess import assessment
from graftline.assess.patient_codes import with_coded_patients, with_named_patients
from graftline.protocol import shipped_protocol
from graftline.trial import Trial, followup_ends, once_per_trial, trial_from_tables
from graftline.trial.read import read_trial
from tests.worked.test_worked_trial import FOLDER


@pytest.fixture(scope="module")
def trial() -> Trial:
    return read_trial(FOLDER)


def test_codes_are_ordered_as_names_and_print_as_names(trial: Trial) -> None:
    coded = with_coded_patients(trial)
    for name, frame in trial.tables.items():
        if "patient" not in frame.columns:
            continue
        by_code = with_named_patients(coded[name].sort("patient", maintain_order=True))
        assert_frame_equal(by_code, frame.sort("patient", maintain_order=True))


@pytest.mark.parametrize("module", assessment._CRITERIA, ids=lambda m: m.__name__.split(".")[-1])
def test_each_criterion_answers_codes_as_it_answers_names(module, trial: Trial) -> None:
    by_name, by_code = module.assess(trial), module.assess(with_coded_patients(trial))
    assert_frame_equal(with_named_patients(by_code.results), by_name.results)
    for name, detail in by_name.details.items():
        assert_frame_equal(with_named_patients(by_code.details[name]), detail)


def test_a_trial_without_patients_has_no_answers() -> None:
    empty = trial_from_tables(shipped_protocol("all-in-one-2025"), {})
    answers = assessment.assess_trial(empty)
    assert answers.results.height == 0
    assert answers.results.schema["patient"] == pl.String


def test_what_is_remembered_belongs_to_one_trial(trial: Trial) -> None:
    asked = []

    @once_per_trial
    def patients(of: Trial) -> pl.DataFrame:
        asked.append(of)
        return of.patients.select("patient")

    other = with_coded_patients(trial)
    assert patients(trial) is patients(trial)
    assert patients(other)["patient"].dtype != patients(trial)["patient"].dtype
    assert [one is trial for one in asked] == [True, False]
    assert followup_ends(trial) is followup_ends(trial)
