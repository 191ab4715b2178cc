"""A simulated trial folder: reads back, says that it is simulated, refuses what cannot be."""

import pytest
from click.testing import CliRunner

from graftline.cli import main
from graftline.problems import InputError
from graftline.simulate.trial import FollowUp, simulate_folder
from graftline.trial.read import inspect_trial, read_trial


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("simulated") / "trial"
    simulate_folder("all-in-one-2024", 6, 1, place, followup=FollowUp(120, 30), threads=1)
    return place


def test_the_folder_is_read_without_errors_and_marked(folder):
    trial, problems = inspect_trial(folder)
    assert not [str(p) for p in problems if p.severity in ("error", "unreadable")]
    assert trial.settings.simulated
    assert trial.patients.height == 6
    assert trial.protocol.name == "all-in-one-2024"
    assert "nobody was treated" in (folder / "protocol.toml").read_text()


# property: the same seed writes the same files
def test_the_same_seed_gives_the_same_files(folder, tmp_path):
    simulate_folder("all-in-one-2024", 6, 1, tmp_path, followup=FollowUp(120, 30), threads=1)
    for file in folder.iterdir():
        if file.name != "protocol.toml":
            assert file.read_bytes() == (tmp_path / file.name).read_bytes(), file.name


def test_patients_of_a_trial_can_be_imitated(folder, tmp_path):
    simulate_folder(
        "all-in-one-2024", 12, 2, tmp_path, followup=FollowUp(30, 0), like=folder, threads=1
    )
    real, virtual = read_trial(folder).patients, read_trial(tmp_path).patients
    assert virtual["age_years"].to_list() == real["age_years"].to_list() * 2


def test_a_protocol_without_car_t_is_refused(tmp_path):
    with pytest.raises(InputError, match="a protocol that gives CAR-T"):
        simulate_folder("allogeneic-hsct", 3, 1, tmp_path)


def test_command_line_says_what_was_assumed(tmp_path):
    out = tmp_path / "trial"
    result = CliRunner().invoke(
        main, ["simulate", "bridge-to-conventional-hsct", "-n", "3", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "Assumed: conditioning" in result.output
    assert (out / "labs.csv").exists()


def test_command_line_refuses_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(
        main, ["simulate", "all-in-one-2024", "-n", "2", "--out", str(tmp_path / "file")]
    )
    assert result.exit_code == 2
    assert "a folder that can be written" in result.output
