"""ATAC signal over CD7 from bigWig files written base by base."""

from pathlib import Path

import numpy as np
import pybigtools
import pytest

from graftline.assays.cd7_locus.atac import (
    compare_signal,
    locus_signal,
    read_signal,
    signal_profile,
)
from graftline.assays.cd7_locus.gene import CD7, Region, flanks, promoter
from graftline.assays.extras import load_extra
from graftline.problems import ExtraMissingError, InputError


def bigwig(path: Path, *stretches: tuple[int, int, float], chromosome: str = "chr17") -> Path:
    rows = [(chromosome, start, end, float(value)) for start, end, value in stretches]
    pybigtools.open(str(path), "w").write({"chr1": 1000, chromosome: 83_257_441}, rows)
    return path


def test_bases_without_data_are_zero_and_counted(tmp_path: Path) -> None:
    # 0-based half-open 99-104 are the bases 100 to 104.
    path = bigwig(tmp_path / "a.bw", (99, 104, 2.0), (106, 108, 5.0))
    values, covered = read_signal(path, Region("r", "chr17", 100, 109))
    assert values.tolist() == [2, 2, 2, 2, 2, 0, 0, 5, 5, 0]
    assert covered == 7


def test_single_bases_far_below_zoom_resolution_are_exact(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    truth = random.integers(0, 50, 30_000).astype(float)
    start = CD7.start - 14_000
    rows = [(start + i, start + i + 1, v) for i, v in enumerate(truth) if v]
    path = bigwig(tmp_path / "a.bw", *rows)
    values, _ = read_signal(path, Region("r", "chr17", start + 1, start + truth.size))
    assert np.array_equal(values, truth)


def test_locus_by_hand(tmp_path: Path) -> None:
    left, right = flanks(CD7)
    gene_half = (CD7.start - 1, CD7.start - 1 + 1000, 8.0)
    path = bigwig(
        tmp_path / "a.bw",
        (left.start - 1, left.end, 1.0),
        gene_half,
        (CD7.end, CD7.end + 500, 6.0),
        (right.start - 1, right.end, 3.0),
    )
    table = {r["region"]: r for r in locus_signal(path, sample="S").iter_rows(named=True)}
    length = CD7.end - CD7.start + 1
    assert length == 2741
    assert table["body"]["mean"] == pytest.approx(8000 / length)
    assert table["body"]["mean_covered"] == 8.0
    # Promoter: 500 bases of the gene's right end and 2,000 upstream, of which 500 hold 6.
    assert table["promoter"]["mean"] == pytest.approx(6 * 500 / 2500)
    assert table["body"]["over_flanks"] == pytest.approx(8000 / length / 2.0)


def test_minus_strand_promoter_lies_to_the_right() -> None:
    region = promoter(CD7, upstream=2000, downstream=500)
    assert (region.start, region.end) == (82_317_608 - 499, 82_317_608 + 2000)


def test_samples_against_baseline_do_not_see_depth(tmp_path: Path) -> None:
    left, right = flanks(CD7)

    def made(name: str, depth: float, open_: float) -> Path:
        return bigwig(
            tmp_path / name,
            (left.start - 1, left.end, depth),
            (CD7.start - 1, CD7.end, depth * open_),
            (right.start - 1, right.end, depth),
        )

    paths = {"baseline": made("b.bw", 2, 9), "relapse": made("r.bw", 40, 3)}
    table = compare_signal(paths, baseline="baseline")
    body = table.filter((table["sample"] == "relapse") & (table["region"] == "body"))
    assert body["against_baseline"].to_list() == pytest.approx([1 / 3])
    with pytest.raises(InputError, match="'other'"):
        compare_signal(paths, baseline="other")


def test_chromosome_without_prefix_and_profiles(tmp_path: Path) -> None:
    path = bigwig(tmp_path / "a.bw", (100, 200, 4.0), chromosome="17")
    centres, means = signal_profile(path, Region("r", "chr17", 101, 300), bins=4)
    assert means.tolist() == [4, 4, 0, 0]
    assert centres[0] == 101 + 24.5


def test_wrong_files_are_findings(tmp_path: Path) -> None:
    (tmp_path / "t.bw").write_text("chr17\t1\t2\t3\n")
    (tmp_path / "e.bw").write_bytes(b"")
    for name in ("t.bw", "e.bw", "absent.bw"):
        with pytest.raises(InputError, match="bigWig"):
            read_signal(tmp_path / name, CD7)
    small = tmp_path / "hg.bw"
    pybigtools.open(str(small), "w").write({"chr17": 5000}, [("chr17", 1, 2, 3.0)])
    with pytest.raises(InputError, match="5000 bases"):
        read_signal(small, CD7)


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(ExtraMissingError, match=r'pip install "graftline\[genomics\]"'):
        load_extra("no_such_module_here", extra="genomics", purpose="Reading bigWig files")
