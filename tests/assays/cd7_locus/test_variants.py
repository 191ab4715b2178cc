"""Baseline and relapse variants in CD7 from small VCF files."""

from pathlib import Path

import pysam
import pytest

from graftline.assays.cd7_locus.gene import Region
from graftline.assays.cd7_locus.variants import compare_variants, read_variants
from graftline.problems import InputError

HEAD = """##fileformat=VCFv4.2
##contig=<ID={chromosome},length=83257441>
##FILTER=<ID=germline,Description="g">
##FORMAT=<ID=GT,Number=1,Type=String,Description="g">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="a">
##FORMAT=<ID=AF,Number=A,Type=Float,Description="f">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="d">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	{samples}
"""


def vcf(path: Path, *rows: str, chromosome: str = "chr17", samples: str = "S") -> Path:
    lines = [f"{chromosome}\t{row}" for row in rows]
    path.write_text(HEAD.format(chromosome=chromosome, samples=samples) + "\n".join(lines) + "\n")
    return path


def record(position: int, change: str, depths: str, filter_: str = "PASS") -> str:
    reference, alternative = change.split(">")
    # AF and DP say something else on purpose: they are not to be used.
    return (
        f"{position}\t.\t{reference}\t{alternative}\t.\t{filter_}\t.\tGT:AD:AF:DP"
        f"\t0/1:{depths}:0.99:1000"
    )


def test_depths_come_from_ad(tmp_path: Path) -> None:
    path = vcf(
        tmp_path / "a.vcf",
        record(82_315_000, "C>T", "30,10"),
        record(82_315_100, "A>G,T", "10,5,5", "germline"),
        record(82_315_200, "G>A", "."),
        record(100, "G>A", "1,1"),
    )
    table = read_variants(path, sample="S")
    assert table.select("position", "alternative", "alternative_reads", "depth").rows() == [
        (82_315_000, "T", 10, 40),
        (82_315_100, "G", 5, 20),
        (82_315_100, "T", 5, 20),
        (82_315_200, "A", None, None),
    ]
    assert table["fraction"].to_list() == [0.25, 0.25, 0.25, None]
    assert table["filter"].to_list() == ["PASS", "germline", "germline", "PASS"]


def test_bgzip_with_index_and_bare_chromosome_names_agree(tmp_path: Path) -> None:
    rows = (record(82_315_000, "C>T", "30,10"), record(82_318_000, "C>T", "3,1"))
    plain = vcf(tmp_path / "a.vcf", *rows, chromosome="17")
    packed = tmp_path / "b.vcf.gz"
    pysam.tabix_compress(str(plain), str(packed))
    unindexed = read_variants(packed, sample="S")
    pysam.tabix_index(str(packed), preset="vcf")
    assert read_variants(packed, sample="S").equals(read_variants(plain, sample="S"))
    assert unindexed.equals(read_variants(plain, sample="S"))
    assert unindexed.height == 1


def test_calls_between_baseline_and_relapse(tmp_path: Path) -> None:
    at = 82_315_000
    baseline = vcf(
        tmp_path / "b.vcf",
        record(at, "C>T", "40,0"),
        record(at + 1, "C>T", "20,20"),
        record(at + 2, "C>T", "5,0"),
        record(at + 3, "C>T", "30,10"),
        record(at + 6, "C>T", "30,10"),
        record(at + 7, "C>T", "."),
    )
    relapse = vcf(
        tmp_path / "r.vcf",
        record(at, "C>T", "20,20"),
        record(at + 1, "C>T", "20,20"),
        record(at + 2, "C>T", "20,20"),
        record(at + 3, "C>T", "40,0"),
        record(at + 4, "C>T", "20,20"),
        record(at + 5, "C>T", "98,2"),
        record(at + 7, "C>T", "20,20"),
    )
    table = compare_variants(*(read_variants(p, sample="S") for p in (baseline, relapse)))
    assert table["call"].to_list() == [
        "new",
        "shared",
        "not evaluable",  # five reads at baseline cannot show absence
        "lost",
        "new (no baseline record)",
        "absent",
        "lost (no relapse record)",
        "not evaluable",  # baseline depths missing
    ]


def test_only_exons_are_kept_and_a_deletion_reaches_into_one(tmp_path: Path) -> None:
    at = 82_315_000
    path = vcf(tmp_path / "r.vcf", record(at, "CATG>C", "20,20"), record(at + 50, "C>T", "20,20"))
    found = read_variants(path, sample="S")
    exon = Region("exon 1", "chr17", at + 3, at + 20)
    empty = found.clear()
    assert compare_variants(empty, found, exons=[exon])["position"].to_list() == [at]


def test_wrong_files_are_findings(tmp_path: Path) -> None:
    path = vcf(tmp_path / "a.vcf", record(82_315_000, "C>T", "30,10"), samples="tumour")
    with pytest.raises(InputError, match="found 'tumour'"):
        read_variants(path, sample="S")
    other = vcf(tmp_path / "b.vcf", chromosome="chrUn", samples="S")
    with pytest.raises(InputError, match="a contig chr17"):
        read_variants(other, sample="S")
    (tmp_path / "t.vcf").write_text("hello\n")
    (tmp_path / "e.vcf").write_text("")
    for name in ("t.vcf", "e.vcf", "absent.vcf"):
        with pytest.raises(InputError, match="VCF or BCF"):
            read_variants(tmp_path / name, sample="S")
