"""Repertoire files as laboratories write them, sound and hostile."""

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from graftline.assays.tcr.clones import read_clones
from graftline.assays.tcr.summary import summarize_repertoires
from graftline.problems import InputError, Severity
from tests.reference import reference_path

HEADER = "repertoire_id\tlocus\tv_call\tj_call\tjunction\tjunction_aa\tproductive\tduplicate_count"
ROWS = (
    "P1\tTRB\tTRBV9*01\tTRBJ2-7*01\tTGTGCC\tCASSF\tT\t5",
    "P1\tTRB\tTRBV9*02\tTRBJ2-7*01\tTGTGCA\tCASSF\tT\t3",
    "P1\tTRB\tTRBV5-1*01\tTRBJ1-1*01\tTGTGCT\tCASSF\tT\t2",
    "P1\tTRB\tTRBV5-1*01\tTRBJ1-1*01\tTGTGC\t\tF\t7",
)


def airr(folder: Path, *rows: str, name: str = "a.tsv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def counts(path: Path, **asked: Any) -> list[int]:
    return read_clones(path, **asked).clones["count"].to_list()


def wrong(path: Path, **asked: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_clones(path, **asked)
    with pytest.raises(InputError):
        summarize_repertoires(path, **asked)
    return str(caught.value)


def test_the_key_decides_what_is_one_clone(tmp_path: Path) -> None:
    path = airr(tmp_path, *ROWS)
    assert counts(path, key="nt") == [5, 3, 2]
    assert counts(path, key="aa") == [10]
    assert counts(path, key="aa_v") == [8, 2]  # alleles 01 and 02 are one gene
    assert counts(path, key="aa_v_j") == [8, 2]


def test_what_is_left_out_is_tallied(tmp_path: Path) -> None:
    tally = read_clones(airr(tmp_path, *ROWS)).tally
    by_status = dict(tally.select("status", "reads").iter_rows())
    assert by_status == {"kept": 10, "non_productive": 7}
    table, _ = summarize_repertoires(tmp_path / "a.tsv")
    assert table["productive_read_percent"].to_list() == pytest.approx([100 * 10 / 17])
    assert table["productive_row_percent"].to_list() == [75.0]


@pytest.mark.parametrize("value", ["", "NA", "-3", "2.5", "abc", "inf"])
def test_a_count_that_is_not_a_count_is_an_error_and_never_1(tmp_path: Path, value: str) -> None:
    bad = "P1\tTRB\tTRBV9\tTRBJ2-7\tTGT\tCAF\tT\t" + value
    message = wrong(airr(tmp_path, *ROWS, bad, bad))
    assert "a.tsv, row 6, column duplicate_count" in message
    assert "and 1 more like it" in message
    assert "never taken as 1" in message


def test_invalid_counts_of_rows_left_out_are_errors_too(tmp_path: Path) -> None:
    assert "row 6" in wrong(airr(tmp_path, *ROWS, "P1\tTRB\t\t\tTGT\t\tF\t"))


def test_no_count_column_is_an_error(tmp_path: Path) -> None:
    header = HEADER.replace("duplicate_count", "consensus_count")
    path = airr(tmp_path, *ROWS, header=header)
    assert "never taken as 1" in wrong(path)
    # Reads behind a consensus are used when the user says so.
    assert counts(path, count_column="consensus_count") == [8, 2]
    assert "count column 'nothing'" in wrong(path, count_column="nothing")


def test_umi_count_steps_in_for_an_empty_duplicate_count_with_a_warning(tmp_path: Path) -> None:
    rows = [row.rsplit("\t", 1)[0] + "\t\t4" for row in ROWS]
    path = airr(tmp_path, *rows, header=HEADER + "\tumi_count")
    found = read_clones(path)
    assert found.clones["count"].sum() == 12
    assert [(p.severity, p.column) for p in found.problems] == [(Severity.WARNING, "umi_count")]


def test_one_locus_at_a_time(tmp_path: Path) -> None:
    alpha = "P1\tTRA\tTRAV1\tTRAJ3\tTGT\tCAVF\tT\t90"
    path = airr(tmp_path, *ROWS, alpha)
    found = read_clones(path)
    assert found.clones["count"].sum() == 10
    assert [p.found for p in found.problems] == ["other locus"]
    assert "TRA, TRB" in wrong(path, locus=None)
    assert "found 'TRA, TRB'" in wrong(path, locus="TRG")


def test_a_v_gene_of_another_locus_is_a_finding() -> None:
    path = reference_path("tcr/scirpy_airr/rearrangement_trb.tsv")
    found = read_clones(path)
    assert found.clones["count"].sum() == 168  # umi_count, not the consensus_count reads
    assert any("V genes of the locus" in p.expected for p in found.problems)


def test_stop_in_a_cdr3_flagged_productive_is_left_out_with_a_warning(tmp_path: Path) -> None:
    stop = "P1\tTRB\tTRBV9\tTRBJ2-7\tTGT\tCA*F\tT\t9"
    found = read_clones(airr(tmp_path, *ROWS, stop))
    assert found.clones["count"].sum() == 10
    assert [p.found for p in found.problems] == ["stop in cdr3"]
    everything = read_clones(tmp_path / "a.tsv", productive="all", key="nt")
    assert everything.clones["count"].sum() == 10 + 7 + 9


def test_without_a_flag_the_cdr3_decides(tmp_path: Path) -> None:
    header = HEADER.replace("productive", "other")
    rows = [*ROWS, "P1\tTRB\tTRBV9\tTRBJ2-7\tTGT\tCA_F\t\t9"]
    assert counts(airr(tmp_path, *rows, header=header)) == [8, 2]


@pytest.mark.parametrize("separator", [";", ","])
def test_other_separators_quotes_bom_and_gzip_are_read(tmp_path: Path, separator: str) -> None:
    quoted = "\r\n".join(
        separator.join(f'"{cell}"' for cell in line.split("\t")) for line in (HEADER, *ROWS)
    )
    plain = tmp_path / "q.csv"
    plain.write_bytes(b"\xef\xbb\xbf" + quoted.encode())
    packed = tmp_path / "q.tsv.gz"
    half = len(quoted) // 2
    packed.write_bytes(  # two gzip members, as bgzip and cat write them
        gzip.compress(quoted[:half].encode()) + gzip.compress(quoted[half:].encode())
    )
    assert counts(plain) == counts(packed) == [8, 2]


def test_file_name_is_the_sample_where_no_column_says(tmp_path: Path) -> None:
    header = HEADER.replace("repertoire_id", "x")
    path = airr(tmp_path, *ROWS, header=header, name="P07_m12.tsv")
    assert read_clones(path).clones["sample"].unique().to_list() == ["P07_m12"]
    assert read_clones(path, sample="mine").clones["sample"].unique().to_list() == ["mine"]


def test_hostile_files_are_findings(tmp_path: Path) -> None:
    sound = airr(tmp_path, *ROWS * 3000).read_bytes()
    packed = gzip.compress(sound)
    cases = {
        "empty.tsv": (b"", "empty"),
        "empty.tsv.gz": (b"", "empty"),
        "packed_nothing.tsv.gz": (gzip.compress(b""), "empty"),
        "cut.tsv.gz": (packed[: len(packed) // 2], "cut short"),
        "cut_head.tsv.gz": (packed[:12], "intact gzip"),
        "not_gzip.tsv.gz": (sound, "gzip content"),
        "book.tsv": (b"PK\x03\x04aaaa", "ZIP archive or Excel"),
        "utf16.tsv": (HEADER.encode("utf-16"), "UTF-16"),
        "binary.tsv": (b"a\tb\n\x00\x01", "binary"),
        "one.tsv": (b"hello\nworld\n", "separated by"),
        "other.tsv": (b"gene\tvalue\nCD7\t3\n", "AIRR Rearrangement"),
        "header_only.tsv": (HEADER.encode() + b"\n", "at least one row"),
        "twice.tsv": (HEADER.replace("locus", "v_call").encode() + b"\n", "each column once"),
    }
    for name, (content, words) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert words in wrong(path), name
    assert "a file" in wrong(tmp_path / "absent.tsv")
    assert "a file" in wrong(tmp_path)


def test_all_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_bytes(b"")
    bad = airr(tmp_path, *ROWS, "P1\tTRB\tTRBV9\tTRBJ2-7\tTGT\tCAF\tT\t")
    with pytest.raises(InputError) as caught:
        read_clones([bad, tmp_path / "b.tsv"])
    assert {p.file for p in caught.value.problems} == {"a.tsv", "b.tsv"}


def test_latin_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "l.tsv"
    text = "\n".join([HEADER, *ROWS]).replace("P1", "Pätient")
    path.write_bytes(text.encode("latin-1"))
    assert counts(path) == [8, 2]


def test_immunoseq_v2_numbers_that_tools_disagree_on() -> None:
    # 836 in-frame clones of 2,123 templates; LymphoSeq leaves Out and Stop rows out, vdjtools not.
    path = reference_path("tcr/immunoseq_cfar/015V06013979_CFAR.tsv")
    kept = read_clones(path, key="nt")
    raw = pl.read_csv(path, separator="\t", infer_schema=False)
    in_frame = raw.filter(pl.col("sequenceStatus") == "In")
    assert kept.clones.height == in_frame.height
    assert kept.clones["count"].sum() == in_frame["count (templates)"].cast(pl.Int64).sum()
    assert kept.clones["junction"].n_unique() == kept.clones.height


def test_immunoseq_v1_and_v3_and_their_genes(tmp_path: Path) -> None:
    v1 = tmp_path / "v1.tsv"
    v1.write_text(
        "nucleotide\taminoAcid\tcount\tvGeneName\tjGeneName\tsequenceStatus\n"
        "ACGT\tCASSF\t4\tTCRBV09-01\tTCRBJ02-03\tIn\nACGA\t\t9\tTCRBV06-05\tTCRBJ01-01\tOut\n"
    )
    v3 = tmp_path / "v3.tsv"
    v3.write_text(
        "sample_name\trearrangement\tamino_acid\tframe_type\ttemplates\treads\tv_resolved\tj_resolved\n"
        "S\tACGT\tCASSF\tIn\t4\t40\tTCRBV09-01*01\tTCRBJ02-03*01\n"
        "S\tACGA\tCA*F\tStop\t9\t90\tTCRBV06\tTCRBJ01-01*01\n"
    )
    for path in (v1, v3):
        rows = read_clones(path).clones.select("junction_aa", "v_gene", "j_gene", "count").rows()
        assert rows == [("CASSF", "TRBV9", "TRBJ2-3", 4)]
    found = read_clones(v3, key="nt_v_j", productive="all").clones
    assert found.select("junction", "v_gene").rows() == [("ACGA", "TRBV6"), ("ACGT", "TRBV9")]


@pytest.mark.parametrize(
    "header",
    [
        "cloneId\tcloneCount\tallVHitsWithScore\tallJHitsWithScore\tnSeqCDR3\taaSeqCDR3",
        "Clone ID\tClone count\tAll V hits\tAll J hits\tN. Seq. CDR3\tAA. Seq. CDR3",
        "cloneId\treadCount\treadFraction\tbestVHit\tbestJHit\tnSeqCDR3\taaSeqCDR3",
    ],
)
def test_mixcr_headers_of_three_generations(tmp_path: Path, header: str) -> None:
    rows: tuple[str, ...] = (
        "0\t12.0\t0.6\tTRBV6-2*00(450.5),TRBV6-3*00(450.5)\tTRBJ2-7*00(200)\tTGT\tCASSF",
        "1\t8\t0.4\tTRBV9*00(450)\tTRBJ2-7*00(200)\tTGTA\tCAS_SF",
    )
    if "Fraction" not in header:
        rows = tuple(row.replace("\t0.6\t", "\t").replace("\t0.4\t", "\t") for row in rows)
    found = read_clones(airr(tmp_path, *rows, header=header))
    assert found.clones.drop("sample").rows() == [("CASSF", "TRBV6-2", "TRBJ2-7", 12)]


def test_summary_equals_clones_read_whole() -> None:
    paths = [reference_path(f"tcr/airr_ms_controls/{name}.tsv.gz") for name in ("MS1", "MS2")]
    streamed, _ = summarize_repertoires(paths)
    clones = read_clones(paths).clones
    whole = clones.group_by("sample").agg(pl.len(), pl.col("count").sum()).sort("sample")
    assert streamed["clones"].to_list() == whole["len"].to_list()
    assert streamed["reads"].to_list() == whole["count"].to_list()


def test_a_sample_in_two_files_is_an_error_for_the_streaming_summary(tmp_path: Path) -> None:
    first, second = airr(tmp_path, *ROWS, name="1.tsv"), airr(tmp_path, *ROWS, name="2.tsv")
    with pytest.raises(InputError, match="each sample in one file"):
        summarize_repertoires([first, second])
    assert read_clones([first, second]).clones["count"].to_list() == [16, 4]


def test_one_clone_and_no_clone_are_said_in_words(tmp_path: Path) -> None:
    rows = ("P2\tTRB\tTRBV9\tTRBJ1-1\tTGT\tCAF\tT\t3", "P3\tTRB\tTRBV9\tTRBJ1-1\tTG\t\tF\t3")
    table, _ = summarize_repertoires(airr(tmp_path, *rows))
    assert table["clonality"].to_list() == [None, None]
    assert table["note"].to_list() == ["one clone: clonality not defined", "no clones"]
    assert table["clones"].to_list() == [1, 0]
