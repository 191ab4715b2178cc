"""The commands in process: exit status, what is printed, what is written (truth: law)."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from graftline.cli import main

ROOT = Path(__file__).parents[1]
HU = ROOT / "examples" / "hu-2024"


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], *[[c, "--help"] for c in sorted(main.commands)]]
)
def test_help_is_printed(arguments):
    result = run(*arguments)
    assert result.output.startswith("Usage: ")
    assert result.exit_code in (0, 2)


def test_init_then_check_says_what_to_do_next(tmp_path):
    folder = tmp_path / "new"
    assert run("init", folder).exit_code == 0
    assert (folder / "README.md").exists()
    result = run("check", folder)
    assert result.exit_code == 1
    assert "at least one patient" in result.output


def test_init_refuses_a_folder_with_files(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    result = run("init", tmp_path)
    assert result.exit_code == 2
    assert "new or empty" in result.output


def test_init_names_the_protocols_it_knows(tmp_path):
    result = run("init", tmp_path / "x", "--protocol", "nonsense")
    assert result.exit_code == 1
    assert "all-in-one-2024" in result.output
    assert not (tmp_path / "x").exists()


def test_check_of_nothing(tmp_path):
    result = run("check", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "a folder that exists" in result.output


def test_check_as_json():
    problems = json.loads(run("check", HU, "--json").output)
    assert {p["severity"] for p in problems} == {"note"}


def test_protocols_are_listed_and_printed():
    assert "all-in-one-2024" in run("protocols").output
    assert 'source = "hu2024, Methods"' in run("protocols", "all-in-one-2024").output
    assert run("protocols", "none").exit_code == 1


def test_explain_prints_records_rule_source_and_answer():
    result = run("explain", ROOT / "examples" / "worked-trial", "W1", "neutrophil_engraftment")
    assert result.exit_code == 0, result.output
    for part in ("Rule:", "Source:", "Kharfan-Dabaja", "Answer (derived): yes, value 12", "labs,"):
        assert part in result.output


@pytest.mark.parametrize(
    ("patient", "rule", "said"),
    [("W99", "crs", "such as W9"), ("W1", "neutrophil", "neutrophil_engraftment")],
)
def test_explain_helps_with_names(patient, rule, said):
    result = run("explain", ROOT / "examples" / "worked-trial", patient, rule)
    assert result.exit_code == 1
    assert said in result.output


def test_unknown_formats_are_named():
    result = run("report", HU, "--figures", "gif")
    assert result.exit_code == 2
    assert "expected pdf, png, svg" in result.output


def test_report_refuses_what_check_refuses(tmp_path):
    run("init", tmp_path / "new")
    result = run("report", tmp_path / "new", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run("report", HU, "--out", tmp_path / "file" / "inside")
    assert result.exit_code == 2
    assert "can be written" in result.output
