"""FCS files of real cytometers, files written by the letter of the standard, hostile files."""

import contextlib
import csv
from pathlib import Path
from typing import Any

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graftline.assays.flow.fcs import channel_index, channel_values, read_fcs
from graftline.problems import InputError
from tests.assays.flow.fcs_writer import write_fcs
from tests.reference import reference_path

REAL = (
    "flow/compensation/test_comp_example.fcs",
    "flow/index_sorted_example.fcs",
    "flow/test_data_2d_01.fcs",
    "flow/noncompliant/data_stop_offset_discrepancy_example.fcs",
    "flow/flowcore_facscalibur/0877408774.B08",
    "fcs_fcsparser/EY_2013-07-19_PBS_FCS_2.0_Custom_Without_Add_Well_A1.001.fcs",
    "fcs_fcsparser/EY_2013-07-19_PBS_FCS_3.1_Well_A1.001.fcs",
    "fcs_fcsparser/FCS_3.0_Fortessa_PBS_Specimen_001_A1_A01.fcs",
    "fcs_fcsparser/SG_2014-09-26_Duplicate_Names.fcs",
    "fcs_fcsparser/Sample_Well_A02.fcs",
    "fcs_fcsparser/cyflow_cube_8.fcs",
)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.filterwarnings("ignore::UserWarning")  # flowio warns of the offsets that it forgives
def test_every_value_of_real_files_is_flowios(name: str) -> None:
    path = reference_path(name)
    sample = read_fcs(path)
    peer = flowio.FlowData(
        str(path),
        ignore_offset_error=True,
        ignore_offset_discrepancy=True,
        use_header_offsets=False,
    )
    if "xxx" in peer.text.get("timestep", ""):
        peer.text["timestep"] = "1"
    values = peer.as_array()
    assert (sample.events, len(sample.channels)) == values.shape
    for i, channel in enumerate(sample.channels):
        assert np.array_equal(channel_values(sample, channel), values[:, i], equal_nan=True), (
            channel
        )


def test_offsets_one_byte_late_are_read_and_said() -> None:
    sample = read_fcs(reference_path("flow/compensation/test_comp_example.fcs"))
    assert sample.events == 10_703
    assert any("1 more byte" in (p.found or "") for p in sample.problems)


@pytest.mark.parametrize("which", ["start", "stop"])
def test_header_and_text_disagree_about_data(which: str) -> None:
    name = f"flow/noncompliant/data_{which}_offset_discrepancy_example.fcs"
    sample = read_fcs(reference_path(name))
    other = {"start": "stop", "stop": "start"}[which]
    twin = read_fcs(
        reference_path(f"flow/noncompliant/data_{other}_offset_discrepancy_example.fcs")
    )
    assert sample.events == 2
    assert np.array_equal(sample.raw, twin.raw)
    assert any("same place of DATA" in p.expected for p in sample.problems)


def test_empty_values_in_text_do_not_swallow_the_next_keyword() -> None:
    # CellQuest writes $P3S\\$P4S\\$P6N\FL1-A: read by the letter, parameter 6 loses its name.
    sample = read_fcs(reference_path("flow/flowcore_facscalibur/0877408774.B08"))
    assert sample.channels == (
        *("FSC-H", "SSC-H", "FL1-H", "FL2-H", "FL3-H", "FL1-A", "FL4-H", "Time"),
    )


def test_channel_means_and_medians_are_flowkits() -> None:
    sample = read_fcs(reference_path("flow/compensation/test_comp_example.fcs"))
    golden = reference_path("flow/compensation/golden_channel_stats_flowkit.csv")
    with golden.open() as stream:
        for row in csv.DictReader(stream):
            values = channel_values(sample, row["channel"])
            assert values.mean() == pytest.approx(float(row["raw_mean"]), rel=1e-9)
            assert np.median(values) == pytest.approx(float(row["raw_median"]), rel=1e-9)
            assert np.array_equal(channel_values(sample, row["marker"]), values)


def test_duplicate_names_are_kept_apart(tmp_path: Path) -> None:
    columns = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 6.0])]
    path = write_fcs(tmp_path / "d.fcs", columns, names=["A", "B", "A"], keywords={"$P3S": "CD7"})
    sample = read_fcs(path)
    assert sample.channels == ("A", "B", "A (2)")
    assert channel_values(sample, "A (2)").tolist() == [5.0, 6.0]
    assert channel_values(sample, "CD7").tolist() == [5.0, 6.0]
    assert [p.found for p in sample.problems] == ["A"]
    with pytest.raises(InputError, match="occurs once"):
        channel_index(sample, "A")
    with pytest.raises(InputError, match=r"A \(2\) \(CD7\)"):
        channel_index(sample, "CD3")


@pytest.mark.parametrize(
    ("decades", "expected"),
    [("4,1", [1.0, 10.0, 100.0]), ("4,0", [1, 10, 100]), ("2,5", [5, 5 * 10**0.5, 50])],
)
def test_log_amplified_channels_become_linear(
    tmp_path: Path, decades: str, expected: list[float]
) -> None:
    # f 10^(d x / R) with R 1024; an offset of 0 is to be read as 1 (FCS 3.1, $PnE).
    path = write_fcs(
        tmp_path / "log.fcs",
        [np.array([0, 256, 512])],
        version="FCS2.0",
        kind="I",
        order="4,3,2,1",
        bits=16,
        ranges=1024,
        keywords={"$P1E": decades},
    )
    wanted = expected if decades != "2,5" else [5 * 10 ** (2 * x / 1024) for x in (0, 256, 512)]
    assert channel_values(read_fcs(path), "C1") == pytest.approx(wanted)


def test_gain_time_step_and_masked_bits(tmp_path: Path) -> None:
    path = write_fcs(
        tmp_path / "g.fcs",
        [np.array([4, 1024 + 8]), np.array([100, 200])],
        names=["FSC-A", "Time"],
        kind="I",
        bits=16,
        ranges=1024,
        keywords={"$P1G": "2.0", "$P2G": "0.01", "$TIMESTEP": "0.01", "$P1R": "1000"},
    )
    sample = read_fcs(path)
    # 1000 needs ten bits: the eleventh is not data.
    assert channel_values(sample, "FSC-A").tolist() == [2.0, 4.0]
    assert channel_values(sample, "Time") == pytest.approx([1.0, 2.0])


@settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    values=st.lists(
        st.lists(st.integers(0, 65535), min_size=3, max_size=3), min_size=1, max_size=9
    ),
    layout=st.sampled_from([("I", 16), ("I", 32), ("F", 32), ("D", 64)]),
    order=st.sampled_from(["1,2,3,4", "4,3,2,1"]),
    version=st.sampled_from(["FCS2.0", "FCS3.0", "FCS3.1"]),
    delimiter=st.sampled_from(["/", "|", "\\", "\f", "!"]),
)
def test_what_is_written_is_read(
    tmp_path: Path,
    values: list[list[int]],
    layout: tuple[str, int],
    order: str,
    version: str,
    delimiter: str,
) -> None:
    table = np.array(values)
    path = write_fcs(
        tmp_path / "r.fcs",
        list(table.T),
        version=version,
        kind=layout[0],
        bits=layout[1],
        order=order,
        delimiter=delimiter,
        ranges=65536,
        keywords={"COMMENT": f"a{delimiter}b{delimiter}{delimiter}c"},
    )
    sample = read_fcs(path)
    assert sample.problems == ()
    assert sample.keywords["COMMENT"] == f"a{delimiter}b{delimiter}{delimiter}c"
    read = np.column_stack([channel_values(sample, c) for c in sample.channels])
    assert np.array_equal(read, table)


EVENTS = [np.arange(1.0, 101.0), np.arange(1.0, 101.0)]


def message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_fcs(path)
    return str(caught.value)


def test_truncated_anywhere_is_a_finding_never_a_traceback(tmp_path: Path) -> None:
    whole = write_fcs(tmp_path / "w.fcs", EVENTS).read_bytes()
    assert "100 events" in str(whole) or read_fcs(tmp_path / "w.fcs").events == 100
    for length in (*range(0, len(whole) - 1, 7), len(whole) - 1):
        (tmp_path / "cut.fcs").write_bytes(whole[:length])
        assert "cut.fcs" in message(tmp_path / "cut.fcs")
    assert "hold 99 of 100 events" in message(tmp_path / "cut.fcs")


def test_random_bytes_are_findings(tmp_path: Path) -> None:
    whole = bytearray(write_fcs(tmp_path / "w.fcs", EVENTS).read_bytes())
    random = np.random.default_rng(5)
    for _ in range(300):
        broken = bytearray(whole)
        for at in random.integers(0, 400, 3):
            broken[at] = random.integers(0, 256)
        (tmp_path / "b.fcs").write_bytes(broken)
        with contextlib.suppress(InputError):
            read_fcs(tmp_path / "b.fcs")  # any other exception fails the test


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"header_data": (90000, 91000), "data_shift": 90000}, "100 events"),
        ({"total": 500}, "500 events"),
        ({"keywords": {"$PAR": "NaN"}}, "$PAR"),
        ({"keywords": {"$PAR": "0"}}, "$PAR"),
        ({"keywords": {"$P1R": "nan"}}, "$P1R"),
        ({"keywords": {"$P1E": "x"}}, "$P1E"),
        ({"keywords": {"$TOT": "-3"}}, "$TOT"),
        ({"keywords": {"$MODE": "C"}}, "list mode"),
        ({"keywords": {"$DATATYPE": "A"}}, "type I, F or D"),
        ({"keywords": {"$BYTEORD": "3,4,1,2"}}, "byte order"),
        ({"kind": "I", "bits": 16, "keywords": {"$P1B": "10"}}, "bits"),
        ({"kind": "I", "bits": 16, "keywords": {"$P2B": "x"}}, "$P2B"),
        ({"version": "FCS9.9"}, "version 2.0"),
    ],
)
def test_faults_are_named(tmp_path: Path, faults: dict[str, Any], words: str) -> None:
    assert words in message(write_fcs(tmp_path / "f.fcs", EVENTS, **faults))


def test_wrong_byte_order_is_recognised(tmp_path: Path) -> None:
    floats = write_fcs(tmp_path / "f.fcs", EVENTS, order="4,3,2,1").read_bytes()
    (tmp_path / "f.fcs").write_bytes(floats.replace(b"4,3,2,1", b"1,2,3,4"))
    assert "other byte order" in message(tmp_path / "f.fcs")
    path = write_fcs(tmp_path / "i.fcs", EVENTS, kind="I", bits=16, ranges=1024, order="4,3,2,1")
    path.write_bytes(path.read_bytes().replace(b"4,3,2,1", b"1,2,3,4"))
    assert "other byte order" in message(path)


def test_no_events_and_not_a_number_are_findings(tmp_path: Path) -> None:
    empty = read_fcs(write_fcs(tmp_path / "0.fcs", [np.array([])], total=0))
    assert empty.events == 0
    assert [p.found for p in empty.problems] == ["0 events"]
    holes = read_fcs(write_fcs(tmp_path / "n.fcs", [np.array([1.0, np.nan, np.inf, 4.0])]))
    assert [(p.column, p.found) for p in holes.problems] == [("C1", "2 of 4 events")]


def test_absent_and_foreign_files(tmp_path: Path) -> None:
    assert "a file" in message(tmp_path / "none.fcs")
    (tmp_path / "t.fcs").write_text("sequence_id\tv_call\n")
    assert "FCS file of version" in message(tmp_path / "t.fcs")
    (tmp_path / "e.fcs").write_bytes(b"")
    assert "FCS file of version" in message(tmp_path / "e.fcs")
