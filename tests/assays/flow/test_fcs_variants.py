"""What the standard allows and cytometers write: integer widths, encodings, empty values.

Truth: the text of FCS 3.1 (Spidlen 2010), values by hand.
"""

from pathlib import Path

import numpy as np
import pytest

from graftline.assays.flow.fcs import channel_values, read_fcs
from graftline.problems import InputError
from tests.assays.flow.fcs_writer import write_fcs

TWO = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]


@pytest.mark.parametrize(("order", "name"), [("1,2,3,4", "little"), ("4,3,2,1", "big")])
def test_integers_of_every_whole_number_of_bytes(tmp_path: Path, order: str, name: str) -> None:
    widths = (8, 16, 24, 32, 40, 48, 64)
    rows = [[2**w - 1 - k for w in widths] for k in range(3)]
    events = b"".join(
        value.to_bytes(w // 8, name)  # type: ignore[arg-type]  # the two names of byte order
        for row in rows
        for value, w in zip(row, widths, strict=True)
    )
    bits = {f"$P{i}B": str(w) for i, w in enumerate(widths, start=1)}
    ranges = {f"$P{i}R": str(2**w) for i, w in enumerate(widths, start=1)}
    sample = read_fcs(
        write_fcs(
            tmp_path / "w.fcs",
            [np.zeros(3)] * len(widths),
            kind="I",
            order=order,
            keywords=bits | ranges,
            events=events,
        )
    )
    assert sample.problems == ()
    for i, channel in enumerate(sample.channels):
        assert channel_values(sample, channel).tolist() == [float(row[i]) for row in rows]


@pytest.mark.parametrize("order", ["1,2,3,4", "4,3,2,1", "1,2", "2,1"])
def test_byte_orders_of_two_and_four(tmp_path: Path, order: str) -> None:
    path = write_fcs(tmp_path / "o.fcs", TWO, order=order, kind="I", bits=16, ranges=1024)
    sample = read_fcs(path)
    assert channel_values(sample, "C2").tolist() == [3.0, 4.0]


@pytest.mark.parametrize(("range_", "kept"), [("1000", 1023), ("1024", 1023), ("1025", 2047)])
def test_bits_above_the_next_power_of_two_are_masked(
    tmp_path: Path, range_: str, kept: int
) -> None:
    # FCS 3.1, $PnR: where it is not a power of two, the next one gives the bit mask.
    path = write_fcs(
        tmp_path / "m.fcs",
        [np.array([0x0FFF, 5])],
        kind="I",
        bits=16,
        keywords={"$P1R": range_},
    )
    assert channel_values(read_fcs(path), "C1").tolist() == [float(kept), 5.0]


def test_floats_are_linear_whatever_the_amplification_says(tmp_path: Path) -> None:
    # FCS 3.1: floating-point parameters are stored as linear, with $PnE 0,0.
    sample = read_fcs(write_fcs(tmp_path / "f.fcs", TWO, keywords={"$P1E": "4.07918,1"}))
    assert channel_values(sample, "C1").tolist() == [1.0, 2.0]
    assert [p.column for p in sample.problems] == ["C1"]


def test_the_gain_is_that_of_linear_amplifiers(tmp_path: Path) -> None:
    # FCS 3.1: $PnG is for linear parameters; FlowCal and flowCore leave it out of logarithmic ones.
    text = {"$P1E": "2,1", "$P1G": "8", "$P2G": "8"}
    columns = [np.array([512, 0]), np.array([512, 0])]
    path = write_fcs(tmp_path / "g.fcs", columns, kind="I", bits=16, ranges=1024, keywords=text)
    sample = read_fcs(path)
    assert channel_values(sample, "C1").tolist() == pytest.approx([10.0, 1.0])
    assert channel_values(sample, "C2").tolist() == [64.0, 0.0]


def test_empty_values_and_doubled_delimiters_in_one_file(tmp_path: Path) -> None:
    path = write_fcs(
        tmp_path / "e.fcs",
        TWO,
        keywords={"$P1S": "", "$P2S": "", "PATH": "a//b", "NOTE": "/x", "$CYT": "X", "LAST": ""},
    )
    sample = read_fcs(path)
    assert sample.channels == ("C1", "C2")
    told = {k: sample.keywords[k] for k in ("$P1S", "$P2S", "PATH", "NOTE", "$CYT")}
    assert told == {"$P1S": "", "$P2S": "", "PATH": "a//b", "NOTE": "/x", "$CYT": "X"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_keywords_beyond_ascii(tmp_path: Path, encoding: str) -> None:
    path = write_fcs(
        tmp_path / "k.fcs",
        TWO,
        keywords={"$P1S": "TNF\u00b5", "$SRC": "M\u00fcller"},
        encoding=encoding,
    )
    sample = read_fcs(path)
    assert sample.keywords["$SRC"] == "M\u00fcller"
    assert channel_values(sample, "TNF\u00b5").tolist() == [1.0, 2.0]


def test_the_matrix_may_name_markers(tmp_path: Path) -> None:
    text = {"$P1S": "CD3", "$P2S": "CD7", "SPILL": "2,CD3,CD7,1,0.5,0,1"}
    sample = read_fcs(write_fcs(tmp_path / "s.fcs", TWO, keywords=text))
    assert sample.spillover is not None
    assert sample.spillover.detectors == ("C1", "C2")


def test_a_spectral_file_has_many_channels_and_no_matrix(tmp_path: Path) -> None:
    columns = list(np.arange(64.0 * 3).reshape(64, 3))
    sample = read_fcs(write_fcs(tmp_path / "n.fcs", columns))
    assert (len(sample.channels), sample.spillover, sample.problems) == (64, None, ())
    assert channel_values(sample, "C64").tolist() == [189.0, 190.0, 191.0]


def test_events_without_their_number_are_counted(tmp_path: Path) -> None:
    sample = read_fcs(write_fcs(tmp_path / "t.fcs", TWO, total=0))
    assert sample.events == 2
    assert "room for 2" in sample.problems[0].expected


def test_doubles_called_floats_are_refused(tmp_path: Path) -> None:
    # Read as 32 bits, 1.0 and 2.0 in 64 bits would be 0, 1.875, 0, 2.
    doubles = np.column_stack(TWO).astype("<f8").tobytes()
    text = {"$P1B": "64", "$P2B": "64"}
    path = write_fcs(tmp_path / "d.fcs", TWO, events=doubles, keywords=text)
    with pytest.raises(InputError, match="F with 64 bits"):
        read_fcs(path)
    # The same statement over 32-bit values does no harm.
    sample = read_fcs(write_fcs(tmp_path / "f.fcs", TWO, keywords=text))
    assert channel_values(sample, "C2").tolist() == [3.0, 4.0]


def test_room_for_more_events_than_stated_is_told(tmp_path: Path) -> None:
    sample = read_fcs(write_fcs(tmp_path / "t.fcs", TWO, total=1))
    assert channel_values(sample, "C1").tolist() == [1.0]
    assert sample.problems[-1].found == "room for 2"


def test_data_sets_behind_each_other(tmp_path: Path) -> None:
    second = write_fcs(tmp_path / "2.fcs", [np.array([9.0])], names=["FL9"]).read_bytes()
    first = write_fcs(tmp_path / "1.fcs", TWO, keywords={"$NEXTDATA": "000000"})
    content = first.read_bytes()
    both = tmp_path / "both.fcs"
    both.write_bytes(content.replace(b"000000", b"%06d" % len(content)) + second)
    sample = read_fcs(both)
    assert sample.channels == ("C1", "C2")
    assert [p.found for p in sample.problems] == ["another data set behind it"]
    other = read_fcs(both, data_set=2)
    assert (other.channels, other.problems) == (("FL9",), ())
    assert channel_values(other, "FL9").tolist() == [9.0]
    with pytest.raises(InputError, match="a file of 3 data sets"):
        read_fcs(both, data_set=3)


def test_a_cut_file_read_in_slices(tmp_path: Path) -> None:
    sample = read_fcs(write_fcs(tmp_path / "c.fcs", TWO))
    assert channel_values(sample, "C2", slice(1, 2)).tolist() == [4.0]
