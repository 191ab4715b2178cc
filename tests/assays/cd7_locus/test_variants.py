"""Baseline and relapse variants in CD7 from small VCF files."""

import gzip
from pathlib import Path

import pysam
import pytest
from pysam import bcftools

from graftline.assays.cd7_locus.gene import Region
from graftline.assays.cd7_locus.variants import compare_variants, read_variants, variant_notes
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


def calls(baseline: Path, relapse: Path) -> list[tuple[object, ...]]:
    table = compare_variants(read_variants(baseline), read_variants(relapse))
    return table.select("position", "reference", "alternative", "call").rows()


def test_one_allele_written_two_ways_is_one_allele(tmp_path: Path) -> None:
    # With a second allele CAT>C beside it, the insertion of AT stands as CAT>CATAT; bcftools norm
    # splits and shortens the record to C>CAT and CAT>C.
    at = 82_315_000
    both = vcf(tmp_path / "b.vcf", record(at, "CAT>CATAT,C", "30,20,10"))
    alone = vcf(tmp_path / "r.vcf", record(at, "C>CAT", "30,20"))
    assert calls(both, alone) == [
        (at, "C", "CAT", "shared"),
        (at, "CAT", "C", "lost (no relapse record)"),
    ]
    # a substitution inside a longer record, in small letters
    longer = vcf(tmp_path / "b.vcf", record(at, "gCA>gTA,G", "30,20,10"))
    assert calls(longer, vcf(tmp_path / "r.vcf", record(at + 1, "C>T", "30,20")))[1] == (
        at + 1,
        "C",
        "T",
        "shared",
    )


def test_an_allele_in_two_records_counts_once(tmp_path: Path) -> None:
    at = 82_315_000
    path = vcf(tmp_path / "a.vcf", record(at, "C>T", "5,1"), record(at, "C>T", "30,10"))
    assert read_variants(path)["depth"].to_list() == [40]
    assert calls(path, path) == [(at, "C", "T", "shared")]


def test_what_the_caller_did_not_pass_is_not_new(tmp_path: Path) -> None:
    at = 82_315_000
    baseline = vcf(tmp_path / "b.vcf", record(at, "C>T", "40,0"), record(at + 1, "C>T", "20,20"))
    relapse = vcf(
        tmp_path / "r.vcf",
        record(at, "C>T", "20,20", "germline"),
        record(at + 1, "C>T", "20,20", "germline"),
        record(at + 2, "C>T", "20,20", "germline"),
        record(at + 3, "C>T", "20,20", "."),
    )
    assert [call for *_, call in calls(baseline, relapse)] == [
        "filtered",
        "shared",
        "filtered",
        "new (no baseline record)",
    ]


def test_variants_at_the_bounds_of_an_exon(tmp_path: Path) -> None:
    # The answer of `bcftools view --regions-overlap 2` ("the true overlapping variants") for an
    # exon of the bases 1000 to 1010 beyond the start: three of these eight touch it.
    at = 82_315_000
    changes = {
        996: "CATG>C",  # takes 997 to 999
        997: "CATG>C",  # takes 998 to 1000
        999: "C>CAT",  # between 999 and 1000
        1000: "C>CAT",
        1009: "C>CAT",
        1010: "C>CAT",  # between 1010 and 1011
        1011: "C>T",
        998: "CAT>GGG",
    }
    rows = [record(at + place, change, "20,20") for place, change in sorted(changes.items())]
    rows.append(record(at + 1010, "CATG>C", "20,20"))  # takes 1011 to 1013
    found = read_variants(vcf(tmp_path / "r.vcf", *rows))
    exon = Region("exon 1", "chr17", at + 1000, at + 1010)
    inside = compare_variants(found.clear(), found, exons=[exon])
    assert (inside["position"] - at).to_list() == [997, 998, 1000, 1009]


DELETION = """##fileformat=VCFv4.2
##contig=<ID=chr17,length=83257441>
##ALT=<ID=DEL,Description="d">
##INFO=<ID=END,Number=1,Type=Integer,Description="e">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="a">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	S
chr17	82310000	.	N	<DEL>	.	PASS	END=82320000	AD	30,20
"""


def test_a_deletion_of_the_whole_gene_is_in_it_with_and_without_an_index(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.vcf", tmp_path / "a.vcf.gz"
    plain.write_text(DELETION)
    pysam.tabix_compress(str(plain), str(packed))
    pysam.tabix_index(str(packed), preset="vcf")
    for path in (plain, packed):
        table = read_variants(path)
        assert table.select("position", "end", "alternative").rows() == [
            (82_310_000, 82_320_000, "<DEL>")
        ]
        exon = Region("exon 2", "chr17", 82_316_000, 82_316_100)
        assert compare_variants(table.clear(), table, exons=[exon])["call"].to_list() == [
            "new (no baseline record)"
        ]


def test_plain_gzip_bcf_and_an_index_of_another_file(tmp_path: Path) -> None:
    rows = (record(82_315_000, "C>T", "30,10"), record(82_316_000, "G>A", "20,20"))
    plain = vcf(tmp_path / "a.vcf", *rows)
    truth = read_variants(plain)
    packed = tmp_path / "b.vcf.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))  # not in blocks: tabix refuses it
    assert read_variants(packed).equals(truth)
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-9])
    with pytest.raises(InputError, match="VCF or BCF"):
        read_variants(packed)
    binary = tmp_path / "c.bcf"
    bcftools.view("-Ob", "-o", str(binary), str(plain), catch_stdout=False)
    assert read_variants(binary).equals(truth)
    pysam.tabix_compress(str(plain), str(packed), force=True)
    other = tmp_path / "o.vcf.gz"
    far = vcf(tmp_path / "o.vcf", record(100, "C>T", "30,10"))
    pysam.tabix_compress(str(far), str(other))
    pysam.tabix_index(str(other), preset="vcf")
    (tmp_path / "b.vcf.gz.tbi").write_bytes((tmp_path / "o.vcf.gz.tbi").read_bytes())
    assert read_variants(packed).equals(truth)


def test_a_header_without_contigs_is_read_and_one_of_another_assembly_is_not(
    tmp_path: Path,
) -> None:
    text = vcf(tmp_path / "a.vcf", record(82_315_000, "C>T", "30,10")).read_text()
    contig = next(line for line in text.splitlines() if line.startswith("##contig"))
    path = tmp_path / "b.vcf"
    path.write_text(text.replace(contig + "\n", ""))  # VarScan writes none
    table = read_variants(path)
    assert table.height == 1
    assert [note.found for note in variant_notes(path, table)] == ["no length of it"]
    for header, words in (
        ("##contig=<ID=chr17,length=84276897>", "T2T-CHM13"),
        ("##reference=file:///ref/hg19.fa\n##contig=<ID=chr17>", "hg19"),
    ):
        path.write_text(text.replace(contig, header))
        with pytest.raises(InputError, match=words):
            read_variants(path)


def test_a_damaged_record_is_said(tmp_path: Path) -> None:
    text = vcf(tmp_path / "a.vcf", record(82_315_000, "C>T", "30,10")).read_text()
    path = tmp_path / "b.vcf"
    for fault in ("\t0/1", "\tGT:AD:AF:DP\t0/1:30,10:0.99:1000", "chr17\t82315000"):
        path.write_text(text.replace(fault, "", 1))
        with pytest.raises(InputError, match="VCF or BCF"):
            read_variants(path)
