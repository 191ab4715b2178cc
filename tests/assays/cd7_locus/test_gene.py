"""Where CD7 lies, which headers speak against GRCh38, and exons in the files that people have."""

import gzip
from pathlib import Path

import pytest

from graftline.assays.cd7_locus.gene import CD7, assembly_fault, flanks, promoter, read_exons
from graftline.problems import InputError, Severity


def test_cd7_lies_where_ensembl_and_ncbi_have_it() -> None:
    # Ensembl ENSG00000173762: chr17:82,314,868-82,317,608, minus strand. NCBI gene 924, release
    # RS_2023_10: NC_000017.11 (82314873..82317608, complement). SECTM1, the next gene, begins at
    # 82,321,024: promoter and body hold nothing of it, and the flanks begin beyond its first part.
    assert (CD7.chromosome, CD7.start, CD7.end) == ("chr17", 82_314_868, 82_317_608)
    assert CD7.start <= 82_314_873
    upstream = promoter(CD7)
    assert upstream.end > CD7.end > upstream.start
    assert upstream.end < 82_321_024
    left, right = flanks(CD7)
    assert left.end < CD7.start - 19_999
    assert right.start > CD7.end + 19_999


@pytest.mark.parametrize(
    ("words", "severity"),
    [
        ("##reference=file:///ref/hg19.fa", Severity.ERROR),
        ("##reference=hs37d5.fa.gz", Severity.ERROR),
        ("##contig=<ID=17,assembly=b37>", Severity.ERROR),
        ("##reference=human_g1k_v37_decoy.fasta", Severity.ERROR),
        ("##reference=GCA_009914755.4_T2T-CHM13v2.0.fa", Severity.ERROR),
        ("##reference=/ref/Homo_sapiens_assembly19.fasta", Severity.WARNING),
        ("##reference=GRCh38.d1.vd1.fa", None),
        ("##reference=file:///hg38.fa", None),
        ("", Severity.WARNING),
    ],
)
def test_words_of_a_header_without_lengths(words: str, severity: Severity | None) -> None:
    fault = assembly_fault("a.vcf", chromosome="chr17", bases=None, words=words)
    assert (fault and fault.severity) == severity


def test_the_length_goes_before_words() -> None:
    words = "##reference=hg19.fa"
    assert assembly_fault("a", chromosome="chr17", bases=83_257_441, words=words) is None
    assert assembly_fault("a", chromosome="chr1", bases=5, words=words) is None


def test_exons_from_bed_and_gtf(tmp_path: Path) -> None:
    bed, gtf = tmp_path / "e.bed", tmp_path / "e.gtf"
    bed.write_text("chr17\t82314867\t82315000\nchr17\t82317500\t82317608\nchr1\t5\t9\n")
    gtf.write_text(
        "#x\n17\th\texon\t82314868\t82315000\t.\t-\t.\tgene\n17\th\tgene\t1\t2\t.\t-\t.\tg\n"
    )
    assert [(e.start, e.end) for e in read_exons(bed)] == [
        (82_314_868, 82_315_000),
        (82_317_501, 82_317_608),
    ]
    assert [(e.start, e.end) for e in read_exons(gtf)] == [(82_314_868, 82_315_000)]
    bed.write_text("chr17\t1\t2\n")
    with pytest.raises(InputError, match="GRCh38"):
        read_exons(bed)


def test_blocks_of_twelve_fields_are_the_exons_not_the_whole_gene(tmp_path: Path) -> None:
    # UCSC: blockStarts count from chromStart, which counts from 0
    bed = tmp_path / "e.bed"
    bed.write_text(
        "browser position chr17\ntrack name=x\n"
        "chr17 82314867 82317608 CD7 0 - 82315000 82317500 0 2 133,108, 0,2633,\n"
    )
    assert [(e.start, e.end) for e in read_exons(bed)] == [
        (82_314_868, 82_315_000),
        (82_317_501, 82_317_608),
    ]


def test_exons_of_other_genes_and_packed_files(tmp_path: Path) -> None:
    rows = [
        '17\tens\texon\t82314868\t82315000\t.\t-\t.\tgene_id "ENSG00000173762"; gene_name "CD7";',
        '17\tens\texon\t82316000\t82316100\t.\t+\t.\tgene_id "ENSG1"; gene_name "OTHER";',
        "NC_000017.11\tBestRefSeq\texon\t82317501\t82317700\t.\t-\t.\tID=e1;gene=CD7;Parent=r",
    ]
    gtf = tmp_path / "e.gtf.gz"
    gtf.write_bytes(gzip.compress("\n".join(rows).encode()))
    # the last exon reaches beyond the gene's end in another release: it is kept
    assert [(e.start, e.end) for e in read_exons(gtf)] == [
        (82_314_868, 82_315_000),
        (82_317_501, 82_317_700),
    ]
    gtf.write_bytes(gzip.compress("\n".join(rows).encode())[:-12])
    with pytest.raises(InputError, match="a text file"):
        read_exons(gtf)
