"""bigWig in both byte orders, all kinds of block, and damaged: the layout of Kent et al. 2010."""

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pybigtools
import pytest

from graftline.assays.cd7_locus.atac import locus_signal, read_signal, signal_notes
from graftline.assays.cd7_locus.bigwig import BigWig, BigWigError
from graftline.assays.cd7_locus.gene import CD7, Region
from graftline.problems import InputError, Severity
from tests.assays.cd7_locus.bigwig_writer import Block, write_bigwig

AT = CD7.start - 1
# By hand, from base AT counted from 0: 5 5 . . 7 7 | 1 1 . 2 2 . | 9 . 8 .
BLOCKS: list[Block] = [
    (1, [(AT, AT + 2, 5.0), (AT + 4, AT + 6, 7.0)], 0, 0, 0),
    (3, [(1.0,), (2.0,)], AT + 6, 3, 2),
    (2, [(AT + 12, 9.0), (AT + 14, 8.0)], 0, 0, 1),
]
TRUTH = [5, 5, 0, 0, 7, 7, 1, 1, 0, 2, 2, 0, 9, 0, 8, 0]
REGION = Region("r", "chr17", CD7.start, CD7.start + len(TRUTH) - 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [True, False])
def test_every_kind_of_block_in_both_byte_orders(tmp_path: Path, order: str, packed: bool) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS, order=order, packed=packed)
    values, covered = read_signal(path, REGION)
    assert values.tolist() == TRUTH
    assert covered == 10


def test_a_region_cuts_intervals_at_its_ends(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS)
    inner = Region("r", "chr17", REGION.start + 1, REGION.start + 4)
    assert read_signal(path, inner)[0].tolist() == TRUTH[1:5]


def test_an_index_of_two_levels_and_several_chromosomes(tmp_path: Path) -> None:
    # 1,024 intervals to a block and 256 blocks to a node: the last of 270,000 are beyond one node
    starts = CD7.start - 400_000 + 3 * np.arange(270_000)
    values = np.arange(starts.size) % 89 + 1.0
    rows = [("chr1", 3, 9, 5.0)]
    rows += [("chr17", s, s + 2, v) for s, v in zip(starts.tolist(), values.tolist(), strict=True)]
    rows += [("chr2", 3, 9, 5.0)]
    lengths = {"chr1": 500, "chr17": 83_257_441, "chr2": 900}
    path = tmp_path / "a.bw"
    pybigtools.open(str(path), "w").write(lengths, rows)
    for first, last in ((0, starts.size), (1_000, 1_100), (starts.size - 50, starts.size)):
        region = Region("r", "chr17", int(starts[first]) + 1, int(starts[last - 1]) + 2)
        found, covered = read_signal(path, region)
        assert covered == 2 * (last - first)
        assert found.sum() == 2 * values[first:last].sum()
    with BigWig.open(path) as signal:
        assert signal.lengths() == lengths


def damaged(path: Path, offset: int, content: bytes) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[:offset] + content + data[offset + len(content) :])
    return path


def test_a_damaged_block_is_said(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS)
    (first_block,) = struct.unpack_from("<Q", path.read_bytes(), 16)
    with pytest.raises(InputError, match="damaged block"):
        read_signal(damaged(path, first_block + 8 + 5, b"\xff\x00\xff"), REGION)


def test_any_byte_may_be_wrong_without_a_crash(tmp_path: Path) -> None:
    whole = write_bigwig(tmp_path / "a.bw", BLOCKS).read_bytes()
    path = tmp_path / "b.bw"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x81]) + whole[place + 1 :])
        with suppress(InputError):
            read_signal(path, REGION)


def test_a_file_cut_anywhere_before_its_end_is_said(tmp_path: Path) -> None:
    whole = write_bigwig(tmp_path / "a.bw", BLOCKS).read_bytes()
    path = tmp_path / "b.bw"
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="a bigWig file"):
            read_signal(path, REGION)


def test_an_index_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS)
    (index,) = struct.unpack_from("<Q", path.read_bytes(), 24)
    root = index + 48
    circle = struct.pack("<2BH4IQ", 0, 0, 1, 0, 0, 0, 83_257_441, root)
    with pytest.raises(InputError, match="circle"):
        read_signal(damaged(path, root, circle), REGION)


def test_a_bigbed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.bb"
    path.write_bytes(struct.pack("<I", 0x8789F2EB) + bytes(200))
    with pytest.raises(BigWigError, match="bigBed"):
        BigWig.open(path)


# Lengths of chr17 in the UCSC tables of chromosome sizes.
@pytest.mark.parametrize(
    ("length", "words"),
    [
        (81_195_210, "hg19"),
        (84_276_897, "T2T-CHM13"),  # CD7 lies at 83,183,628 there: no CD7 at these positions
        (94_987_271, "mouse"),
    ],
)
def test_another_assembly_is_refused(tmp_path: Path, length: int, words: str) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS, length=length)
    with pytest.raises(InputError, match=words):
        locus_signal(path, sample="S")


def test_the_accession_of_grch38_alone_is_its_chromosome(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS, chromosome="NC_000017.11")
    assert read_signal(path, REGION)[0].tolist() == TRUTH
    path = write_bigwig(tmp_path / "a.bw", BLOCKS, chromosome="NC_000017.10")
    with pytest.raises(InputError, match="chr17"):
        read_signal(path, REGION)


def test_a_length_that_no_assembly_has_is_a_warning(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw", BLOCKS, length=83_000_000)
    (note,) = signal_notes(path, locus_signal(path, sample="S"))
    assert note.severity is Severity.WARNING
    assert note.found == "chr17 of 83,000,000 bases"


def test_no_data_and_logarithms_are_said(tmp_path: Path) -> None:
    far: list[Block] = [(1, [(10, 20, 3.0)], 0, 0, 0)]
    empty = write_bigwig(tmp_path / "a.bw", far)
    table = locus_signal(empty, sample="S")
    assert table["mean"].to_list() == [0, 0, 0, 0]
    assert [note.found for note in signal_notes(empty, table)] == ["no data"]
    # log2 of a ratio has no ratio to its flanks
    below: list[Block] = [(1, [(AT - 40_000, AT, 1.0), (AT, AT + 9, -2.0)], 0, 0, 0)]
    logarithms = write_bigwig(tmp_path / "b.bw", below)
    table = locus_signal(logarithms, sample="S")
    assert table["over_flanks"].null_count() == 4
    assert [note.found for note in signal_notes(logarithms, table)] == ["down to -2"]


def test_infinite_signal_is_refused_and_nan_is_no_data(tmp_path: Path) -> None:
    nan, infinite = float("nan"), float("inf")
    path = write_bigwig(tmp_path / "a.bw", [(3, [(1.0,), (nan,), (3.0,)], AT, 1, 1)])
    values, covered = read_signal(path, Region("r", "chr17", CD7.start, CD7.start + 2))
    assert values.tolist() == [1, 0, 3]
    assert covered == 2
    path = write_bigwig(tmp_path / "a.bw", [(3, [(1.0,), (infinite,)], AT, 1, 1)])
    with pytest.raises(InputError, match="finite"):
        read_signal(path, REGION)
