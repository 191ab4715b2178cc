"""``check --privacy``: identifiers are found and shown as shapes (truth: hand-worked)."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from graftline.cli import main
from graftline.trial.identity import shape

COMPLETE = Path(__file__).parents[1] / "trials" / "complete"


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("comment", "seen on 2021-03-04 in the ward", "####-##-##"),
        ("comment", "call 4.3.2021", "#.#.####"),
        ("comment", "hans.meier@klinik.de", "aaaa.aaaaa@aaaaaa.aa"),
        ("comment", "No 004711223", "#########"),
        ("patient_name", "Anything", ""),
        ("mrn", "77", ""),
        ("date_of_birth", "qqq", ""),
        ("remark", "Meier, Hans", "aaaaa, aaaa"),
    ],
)
def test_identifier_is_found_and_hidden(column, value, shown, tmp_path):
    folder = tmp_path / "trial"
    shutil.copytree(COMPLETE, folder)
    (folder / "ae.csv").write_text(f'patient,term,grade,{column}\nA01,Fever,1,"{value}"\n')
    result = CliRunner().invoke(main, ["check", "--privacy", str(folder)])
    assert result.exit_code == 1
    assert f"row 2, column {column}" in result.output
    assert shown in result.output
    assert value not in result.output


def test_a_clean_folder_has_none():
    assert CliRunner().invoke(main, ["check", "--privacy", str(COMPLETE)]).exit_code == 0


def test_dates_in_date_columns_are_a_warning(tmp_path):
    folder = tmp_path / "trial"
    shutil.copytree(COMPLETE, folder)
    (folder / "ae.csv").write_text("patient,term,grade,start_date\nA01,Fever,1,2021-03-04\n")
    result = CliRunner().invoke(main, ["check", "--privacy", str(folder)])
    assert result.exit_code == 0
    assert "WARNING" in result.output
    assert "2021" not in result.output


@pytest.mark.parametrize(
    ("header", "row", "column"),
    [
        ("file,patient,day,sample_type,remark", 'a.tsv,A01,3,patient,"Meier, Hans"', "remark"),
        ("file;patient;day;sample_type;mrn", "a.tsv;A01;3;patient;77", "mrn"),
        ("file,patient,day,sample_type", "Hans_12345678.tsv,A01,3,patient", "file"),
    ],
)
def test_sample_sheets_are_looked_into_too(header, row, column, tmp_path):
    folder = tmp_path / "trial"
    shutil.copytree(COMPLETE, folder)
    (folder / "assays").mkdir()
    (folder / "assays" / "tcr.csv").write_text(f"{header}\n{row}\n")
    result = CliRunner().invoke(main, ["check", "--privacy", str(folder)])
    assert result.exit_code == 1
    assert f"assays/tcr.csv, row 2, column {column}" in result.output
    assert "Hans" not in result.output


def test_shape_keeps_the_look_and_loses_the_meaning():
    assert shape("Ab-12 ü") == "aa-## a"
