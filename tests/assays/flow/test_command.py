"""``graftline flow`` as a person meets it: sheets, files, and everything that can be wrong."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from graftline.cli import main
from tests.assays.flow.fcs_writer import write_fcs
from tests.assays.flow.study_files import GATING, write_study, write_tube
from tests.reference import reference_path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["flow", *map(str, arguments)])
    # Anything but a plain end or an exit by the command is a traceback.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("flow") / "study")


def test_a_sheet_gives_a_page_tables_figures_and_rows_of_the_trial(
    sheet: Path, tmp_path: Path
) -> None:
    result = run(sheet, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert " Patient P01\n day 0" in result.output
    assert "negative, low" in result.output
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    for name in (
        *("flow.html", "labs.csv", "marrow.csv", "tables/flow-gates.csv", "tables/flow-mrd.csv"),
    ):
        assert name in names
    page = (tmp_path / "out" / "flow.html").read_text()
    assert "CD7 on blasts at baseline" in page
    assert page.count("<svg") == 5
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_files_without_a_gating_file_are_listed(sheet: Path, tmp_path: Path) -> None:
    tube = sheet.parent / "P01_d0.fcs"
    result = run(tube, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "V500-A" in result.output
    assert "--starter" in result.output
    assert (tmp_path / "out" / "tables" / "flow-channels.csv").is_file()


def test_keywords_that_may_name_a_person_are_not_shown(tmp_path: Path) -> None:
    path = write_fcs(tmp_path / "a.fcs", [np.ones(3)], keywords={"$SRC": "Jane Roe", "$CYT": "LSR"})
    run(path, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "flow.html").read_text()
    assert "Jane Roe" not in page
    assert "LSR" in page


def test_the_starter_is_a_gating_file_that_works(sheet: Path, tmp_path: Path) -> None:
    tube = sheet.parent / "P01_relapse.fcs"
    printed = run(tube, "--starter")
    assert printed.exit_code == 0
    gating = tmp_path / "gating.toml"
    gating.write_text(printed.output)
    result = run(tube, "--gating", gating, "--out", tmp_path / "out", "--figures", "png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "figures" / "flow-gates-1.png").is_file()
    assert 'cd7_positive_t = "CD7+ T"' in printed.output


@pytest.mark.parametrize(
    ("names", "dye"),
    [
        (("FS INT LIN", "SS INT LIN", "FL1 INT LOG", "TIME"), "FL1 INT LOG"),  # Beckman Navios
        (("HDR-CE", "HDR-T", "FSC-A", "SSC-A", "V2-A"), "V2-A"),  # Miltenyi MACSQuant
        (("FSC-A", "BSC-A", "FL2-A", "Time"), "FL2-A"),  # Sony SH800
    ],
)
def test_starters_tell_scatter_and_headers_from_dyes(
    names: tuple[str, ...], dye: str, tmp_path: Path
) -> None:
    columns = [np.arange(1.0, 201.0) ** 2] * len(names)
    path = write_fcs(tmp_path / "a.fcs", columns, names=names)
    gates = tomllib.loads(run(path, "--starter").output)["gates"]
    assert [gate["name"] for gate in gates] == ["cells", dye]
    assert gates[0]["bounds"][0]["channel"].startswith("FS")


def test_files_of_real_cytometers_have_starters(tmp_path: Path) -> None:
    for name in (
        "flow/flowcore_facscalibur/0877408774.B08",
        "flow/compensation/test_comp_example.fcs",
        "fcs_fcsparser/SG_2014-09-26_Duplicate_Names.fcs",
    ):
        path = reference_path(name)
        (tmp_path / "g.toml").write_text(run(path, "--starter").output)
        result = run(path, "--gating", tmp_path / "g.toml", "--out", tmp_path / "out")
        assert result.exit_code == 0, result.output


TWO = [np.arange(1.0, 201.0), np.arange(1.0, 201.0)]


def truncated(path: Path) -> None:
    path.write_bytes(write_fcs(path, TWO).read_bytes()[:-9])


def wrong_order(path: Path) -> None:
    content = write_fcs(path, TWO, order="4,3,2,1").read_bytes()
    path.write_bytes(content.replace(b"4,3,2,1", b"1,2,3,4"))


def past_the_end(path: Path) -> None:
    write_fcs(path, TWO, header_data=(90000, 91000), data_shift=90000)


def not_numbers(path: Path) -> None:
    write_fcs(path, TWO, keywords={"$PAR": "NaN"})


HOSTILE = {
    "truncated": (truncated, "bytes"),
    "wrong byte order": (wrong_order, "$BYTEORD"),
    "past the end": (past_the_end, "200 events"),
    "NaN parameters": (not_numbers, "$PAR"),
    "no bytes": (lambda p: p.write_bytes(b""), "FCS file of version"),
    "text": (lambda p: p.write_text("sample,patient\n1,2\n"), "FCS file of version"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(200)), "unpack it"),
    "picture": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "FCS file of version"),
    "absent": (lambda p: None, "check the name"),
}


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("fault", list(HOSTILE))
def test_files_that_cannot_be_read_say_what_and_how_to_mend(
    fault: str, gated: bool, tmp_path: Path
) -> None:
    make, words = HOSTILE[fault]
    path = tmp_path / "bad.fcs"
    make(path)
    (tmp_path / "g.toml").write_text('[[gates]]\nname = "g"\nbounds = [{ channel = "C1" }]\n')
    result = run(path, *(("--gating", tmp_path / "g.toml") if gated else ()))
    assert result.exit_code == 2
    assert "bad.fcs" in result.output
    assert words in result.output
    assert not (tmp_path / "bad-report").exists()


def test_every_bad_file_is_named_at_once(tmp_path: Path) -> None:
    for name, make in (("a.fcs", truncated), ("b.fcs", wrong_order)):
        make(tmp_path / name)
    write_fcs(tmp_path / "good.fcs", TWO)
    result = run(*(tmp_path / n for n in ("a.fcs", "good.fcs", "b.fcs")))
    assert result.exit_code == 2
    assert "a.fcs" in result.output
    assert "b.fcs" in result.output


def test_files_without_events_and_with_values_that_are_no_numbers_are_findings(
    tmp_path: Path,
) -> None:
    write_fcs(tmp_path / "0.fcs", [np.array([]), np.array([])])
    write_fcs(tmp_path / "nan.fcs", [np.array([1.0, np.nan, 3.0]), np.ones(3)])
    (tmp_path / "g.toml").write_text(
        '[[gates]]\nname = "g"\nbounds = [{ channel = "C1", min = 0 }]\n'
    )
    for arguments in ((), ("--gating", tmp_path / "g.toml")):
        result = run(
            tmp_path / "0.fcs", tmp_path / "nan.fcs", *arguments, "--out", tmp_path / "out"
        )
        assert result.exit_code == 0
        assert "0 events" in result.output
        assert "NaN" in result.output
    assert run(tmp_path / "0.fcs", "--starter").exit_code == 0


def test_duplicate_names_and_missing_channels_are_errors_with_the_channels_listed(
    tmp_path: Path,
) -> None:
    columns = [np.ones(9), np.ones(9)]
    write_fcs(tmp_path / "d.fcs", columns, names=["A", "A"])
    gates = '[[gates]]\nname = "{0}"\nbounds = [{{ channel = "{0}", min = 0 }}]\n'
    (tmp_path / "g.toml").write_text(gates.format("A") + gates.format("CD7"))
    result = run(tmp_path / "d.fcs", "--gating", tmp_path / "g.toml")
    assert result.exit_code == 1
    assert "a channel name that occurs once" in result.output
    assert "name one of: A, A (2)" in result.output
    assert "'CD7'" in result.output


def test_folders_and_workspaces_and_sheets_among_files(tmp_path: Path) -> None:
    folder = run(tmp_path)
    assert (folder.exit_code, "not a folder" in folder.output) == (2, True)
    write_fcs(tmp_path / "a.fcs", TWO)
    (tmp_path / "s.csv").write_text("file,patient\n")
    mixed = run(tmp_path / "a.fcs", tmp_path / "s.csv")
    assert (mixed.exit_code, "sheet alone" in mixed.output) == (1, True)
    (tmp_path / "other.csv").write_text("patient,day,value\nP01,1,2\n")
    other = run(tmp_path / "other.csv")
    assert (other.exit_code, "specimen" in other.output) == (1, True)


def test_a_workspace_without_files_shows_the_stored_counts(tmp_path: Path) -> None:
    workspace = reference_path("flow/wsp_no_fcs/8_color_ICS_simple.wsp")
    result = run(workspace, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "283,968" in result.output
    assert "give the FCS files too" in result.output
    (tmp_path / "x.wsp").write_text("hello")
    broken = run(tmp_path / "x.wsp")
    assert (broken.exit_code, "FlowJo workspace" in broken.output) == (2, True)


SHEET_FAULTS = {
    "no gating": ("file,patient,day,specimen\na.fcs,P01,1,blood\n", 1, "--starter"),
    "absent file": ("file,patient,day,specimen,gating\nb.fcs,P01,1,blood,g.toml\n", 1, "row 2"),
    "a date": ("file,patient,day,specimen,gating\na.fcs,P01,2024-01-01,blood,g.toml\n", 1, "day"),
    "specimen": ("file,patient,day,specimen,gating\na.fcs,P01,1,urine,g.toml\n", 1, "marrow"),
    "no patient": ("file,patient,day,specimen,gating\na.fcs,,1,blood,g.toml\n", 1, "patient"),
    "columns": ("file,patient\na.fcs,P01\n", 1, "specimen"),
    "no rows": ("file,patient,day,specimen,gating\n", 1, "one sample"),
    "wbc without its gate": (
        "file,patient,day,specimen,gating,beads_per_ul\na.fcs,P01,1,blood,g.toml,1000\n",
        1,
        '[roles] beads = "name of a gate"',
    ),
    "not positive": (
        "file,patient,day,specimen,gating,wbc_1e9_per_l\na.fcs,P01,1,blood,g.toml,x\n",
        1,
        "wbc_1e9_per_l",
    ),
    "two of a day": (
        "file,patient,day,specimen,gating\na.fcs,P01,1,blood,g.toml\na.fcs,P01,1,blood,g.toml\n",
        1,
        "row 2 is another",
    ),
    "gating is no gating": (
        "file,patient,day,specimen,gating\na.fcs,P01,1,blood,a.fcs\n",
        2,
        "gating file (TOML)",
    ),
}


@pytest.mark.parametrize("fault", list(SHEET_FAULTS))
def test_faults_of_a_sheet_are_named_with_their_row(fault: str, tmp_path: Path) -> None:
    text, code, words = SHEET_FAULTS[fault]
    write_tube(tmp_path / "a.fcs", {"CD7- T": 50, "CD7+ T": 50})
    (tmp_path / "g.toml").write_text(GATING)
    (tmp_path / "flow.csv").write_text(text)
    result = run(tmp_path / "flow.csv")
    assert result.exit_code == code, result.output
    assert words in result.output


def test_cd7_gates_that_hold_car_t_stop_the_sample(tmp_path: Path) -> None:
    write_tube(tmp_path / "a.fcs", {"CD7+ CAR-T": 50, "CD7+ T": 50})
    text = GATING.replace('parent = "CAR-"\nbounds', 'parent = "T"\nbounds')
    (tmp_path / "g.toml").write_text(text)
    result = run(tmp_path / "a.fcs", "--gating", tmp_path / "g.toml")
    assert result.exit_code == 1
    assert "CAR-T cells would count as T cells" in result.output


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("[[gates]\n", 2, "line 1"),
        ("gates = 3\n", 1, "at least one gate"),
        ("scales = 3\ngates = [1]\nroles = []\n", 1, "a table of keys and values"),
        ('[[gates]]\nname = "g"\nbounds = [{ channel = "C1", min = nan }]\n', 1, "numbers for min"),
        ('[[gates]]\nname = "g"\nbounds = [{ channel = "C1", scale = "s" }]\n', 1, "[scales]"),
    ],
)
def test_faults_of_a_gating_file(text: str, code: int, words: str, tmp_path: Path) -> None:
    write_fcs(tmp_path / "a.fcs", TWO)
    (tmp_path / "g.toml").write_text(text)
    result = run(tmp_path / "a.fcs", "--gating", tmp_path / "g.toml")
    assert (result.exit_code, words in result.output) == (code, True), result.output


def test_controls_are_gated_and_never_a_result(tmp_path: Path) -> None:
    write_tube(tmp_path / "a.fcs", {"CD7- T": 100, "CD7+ T": 100})
    (tmp_path / "g.toml").write_text(GATING)
    (tmp_path / "flow.csv").write_text(
        "file,patient,day,specimen,gating,control\n"
        "a.fcs,P01,1,blood,g.toml,\na.fcs,P01,1,blood,g.toml,fmo\n"
    )
    result = run(tmp_path / "flow.csv", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert len((tmp_path / "out" / "labs.csv").read_text().splitlines()) == 2
    assert "control: fmo" in (tmp_path / "out" / "flow.html").read_text()


def test_help_says_the_definitions() -> None:
    text = run("--help").output
    for words in ("confirmed by the next", "limit of detection", "stored counts"):
        assert words in " ".join(text.split())
