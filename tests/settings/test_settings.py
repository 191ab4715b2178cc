"""Settings of assays: one declaration for commands, trials and studies (truth: law)."""

from inspect import signature
from pathlib import Path

import pytest
from click.testing import CliRunner

from graftline.assays.cd7_locus.study import cd7_study
from graftline.assays.chimerism_study import chimerism_study
from graftline.assays.function_study import function_study
from graftline.assays.mlr_study import MlrOptions
from graftline.assays.tcr.study import TcrOptions
from graftline.assess.kinetics_study import KineticsOptions
from graftline.cli import main
from graftline.problems import ProtocolError
from graftline.protocol import read_trial_protocol
from graftline.protocol.strategy import Definitions
from graftline.report.assay_flow import FlowOptions
from graftline.report.assay_readers import flow_options, tcr_options
from graftline.settings.assays import ASSAY_SETTINGS, chosen_settings
from graftline.settings.trial import setting_faults, settings_guide
from graftline.settings.value import Settings, Value, fits


def defaults(study: object) -> dict[str, object]:
    return {name: p.default for name, p in signature(study).parameters.items()}


def test_the_defaults_are_those_of_the_python_functions() -> None:
    chosen = {name: chosen_settings(name) for name in ASSAY_SETTINGS}
    assert tcr_options(chosen["tcr"]) == TcrOptions()
    assert flow_options(chosen["flow"]) == FlowOptions()
    mlr = chosen["mlr"]
    assert MlrOptions() == MlrOptions(mlr.whole("generations"), mlr.value("autofluorescence"))
    for name, study, places in (
        ("chimerism", chimerism_study, {"detection": "detection_percent", "full": "full_percent"}),
        ("function", function_study, {}),
        ("cd7", cd7_study, {}),
    ):
        own = defaults(study)
        for one in chosen[name].chosen:
            assert one.value == own[places.get(one.setting.name, one.setting.name)], one


def test_what_criteria_use_too_is_a_definition_of_the_same_default() -> None:
    definitions = Definitions()
    shared = [s for settings in ASSAY_SETTINGS.values() for s in settings if s.definition]
    assert {s.definition for s in shared} == {
        *("cd7_eradication_cells_per_ul", "blq", "auc_trapezoid", "auc_start"),
        *("peak_samples", "half_life_r2"),
    }
    for setting in shared:
        assert getattr(definitions, setting.definition) == setting.default
        for choice in setting.choices:
            assert Definitions.model_validate({setting.definition: choice})
    options = KineticsOptions()
    for name, field in (("trapezoid", "trapezoid"), ("start", "start"), ("until", "auc_until")):
        assert chosen_settings("kinetics").value(name) == getattr(options, field)
    assert chosen_settings("kinetics").value("peak_until") == options.peak_until
    assert chosen_settings("kinetics").value("samples") == options.minimum_samples
    assert chosen_settings("kinetics").value("half_life_r2") == options.half_life_r2


@pytest.mark.parametrize("assay", ASSAY_SETTINGS)
def test_every_setting_is_an_option_with_the_same_meaning(assay: str) -> None:
    told = " ".join(CliRunner().invoke(main, [assay, "--help"], terminal_width=400).output.split())
    for setting in ASSAY_SETTINGS[assay]:
        assert f"--{setting.name.replace('_', '-')} " in told
        assert setting.meaning.removesuffix(".") in told


def test_the_command_line_comes_before_the_trial_and_that_before_the_default() -> None:
    found = chosen_settings("flow", given={"least_events": 5}, folder={"sensitivity": 1e-5})
    origins = {one.setting.name: (one.value, one.origin) for one in found.chosen}
    assert origins["least_events"] == (5, "command line")
    assert origins["sensitivity"] == (1e-5, "protocol.toml")
    assert origins["detection_events"] == (20, "default")
    defined = chosen_settings("flow", definitions={"cd7_eradication_cells_per_ul": 0.5})
    (first, *_) = defined.chosen
    assert (first.value, first.origin) == (0.5, "definitions.cd7_eradication_cells_per_ul")


SETTING = {(a, s.name): s for a, settings in ASSAY_SETTINGS.items() for s in settings}


@pytest.mark.parametrize(
    ("assay", "name", "good", "bad"),
    [
        ("tcr", "depth", [2, 10**9], [1, 1000.0, True, "1000", 10**400, None, [500]]),
        ("tcr", "rank_at", [-3, 365, 0.5], [float("nan"), float("inf"), "month 12"]),
        ("tcr", "locus", ["TRA", "all"], ["trb", "TRX", "", 1]),
        ("flow", "every_gate", [True, False], [1, "yes"]),
        ("flow", "sensitivity", [1, 1e-6], [0, 1.0001, -1e-4]),
        ("function", "level", [0.0001, 0.999], [0, 1]),
        ("chimerism", "full", [50, 100, 97.5], [49.99, 100.01]),
        ("cd7", "gene", ["CD7"], ["", 7]),
    ],
)
def test_both_sides_of_every_bound(
    assay: str, name: str, good: list[object], bad: list[object]
) -> None:
    setting = SETTING[assay, name]
    assert all(fits(setting, value) for value in good)
    assert not any(fits(setting, value) for value in bad)


def protocol(folder: Path, text: str) -> Path:
    path = folder / "protocol.toml"
    path.write_text(f'[trial]\nprotocol = "all-in-one-2024"\n{text}', encoding="utf-8")
    return path


def test_settings_of_a_trial(tmp_path: Path) -> None:
    path = protocol(tmp_path, "[assays.tcr]\ndepth = 500\nlocus = 'TRA'\n[assays.mlr]\n")
    assert read_trial_protocol(path)[1].assays == {"tcr": {"depth": 500, "locus": "TRA"}, "mlr": {}}


def test_all_faults_of_the_settings_and_of_the_trial_are_told_at_once(tmp_path: Path) -> None:
    text = """cut = 3
[assays]
flow = "gates.toml"
tcell = { depth = 5 }
[assays.tcr]
depth = 1
dept = 500
[assays.function]
level = 5
[assays.kinetics]
blq = "zero"
[assays.chimerism]
cd7_eradication_cells_per_ul = 1
"""
    with pytest.raises(ProtocolError) as caught:
        read_trial_protocol(protocol(tmp_path, text))
    found = {p.column: p for p in caught.value.problems}
    assert {p.file for p in found.values()} == {"protocol.toml"}
    assert set(found) == {
        *("trial.cut", "assays.flow", "assays.tcell", "assays.tcr.depth", "assays.tcr.dept"),
        *(
            "assays.function.level",
            "assays.kinetics",
            "assays.chimerism.cd7_eradication_cells_per_ul",
        ),
    }
    depth = found["assays.tcr.depth"]
    assert (depth.found, depth.expected) == ("1", "a whole number at least 2")
    assert found["assays.tcr.dept"].remedy == "write depth, if that is meant"
    assert "[definitions]" in found["assays.kinetics"].remedy
    (shared,) = setting_faults({"flow": {"eradicated_below": 1}}, file="protocol.toml")
    assert "cd7_eradication_cells_per_ul below [definitions]" in shared.remedy
    (whole,) = setting_faults(7, file="protocol.toml")
    assert whole.column == "assays"


def test_the_guide_names_every_key_a_trial_may_write() -> None:
    guide = settings_guide()
    for assay, settings in ASSAY_SETTINGS.items():
        for setting in settings:
            if setting.definition:
                assert f"| `[definitions]` | `{setting.definition}` |" in guide
            else:
                written = f"| `[assays.{assay}]` | `{setting.name}` |" in guide
                assert written is (assay != "kinetics")


def test_a_value_that_is_not_there() -> None:
    settings: Settings = chosen_settings("tcr")
    value: Value | None = settings.value("rank_at")
    assert value is None
    with pytest.raises(KeyError):
        settings.number("rank_at")
