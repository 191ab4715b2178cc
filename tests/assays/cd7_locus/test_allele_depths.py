"""Reads of alleles as callers write them: lines after each caller's own documentation."""

from pathlib import Path

import pytest

from graftline.assays.cd7_locus.variants import read_variants, variant_notes

AT = 82_315_000
CONTIG = "##contig=<ID=chr17,length=83257441>"
GATK = '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Allelic depths">'
VARSCAN = (
    '##FORMAT=<ID=RD,Number=1,Type=Integer,Description="Depth of reference-supporting bases">\n'
    '##FORMAT=<ID=AD,Number=1,Type=Integer,Description="Depth of variant-supporting bases">\n'
    '##FORMAT=<ID=FREQ,Number=1,Type=String,Description="Variant allele frequency">'
)
FREEBAYES = (
    '##FORMAT=<ID=RO,Number=1,Type=Integer,Description="Reference observation count">\n'
    '##FORMAT=<ID=AO,Number=A,Type=Integer,Description="Alternate observation count">'
)
STRELKA = "\n".join(
    f'##FORMAT=<ID={key},Number=2,Type=Integer,Description="Counts in tiers 1,2">'
    for key in ("AU", "CU", "GU", "TU", "TAR", "TIR")
)
SNIPER = '##FORMAT=<ID=DP4,Number=4,Type=Integer,Description="Strands">'
BCFTOOLS = '##INFO=<ID=DP4,Number=4,Type=Integer,Description="Strands">'

# caller: header, (reference, alternatives), INFO, format, call -> (alternative reads, depth) each
CALLERS = {
    "GATK": (GATK, "C T,A", ".", "GT:AD:DP 0/1:30,10,5:99", [(5, 45), (10, 45)]),
    "no declaration": ("", "C T", ".", "GT:AD 0/1:30,10", [(10, 40)]),
    "declared as text": (
        GATK.replace("Number=R,Type=Integer", "Number=.,Type=String"),
        "C T",
        ".",
        "GT:AD 0/1:30,10",
        [(10, 40)],
    ),
    "missing": (GATK, "C T", ".", "GT:AD ./.:.", [(None, None)]),
    "one missing": (GATK, "C T", ".", "GT:AD 0/1:.,10", [(None, None)]),
    "absent": (GATK, "C T", ".", "GT 0/1", [(None, None)]),
    # AD counts the variant alone: taken for "reference, variant" it would be no number or a wrong
    "VarScan": (VARSCAN, "C T", ".", "GT:RD:AD:FREQ 0/1:30:10:25%", [(10, 40)]),
    "FreeBayes": (FREEBAYES, "C T,A", ".", "GT:RO:AO 0/1:30:10,5", [(5, 45), (10, 45)]),
    # the Strelka2 guide: tier 1 of the counts of the two bases
    "Strelka2": (STRELKA, "C T", ".", "AU:CU:GU:TU 2,2:30,33:0,0:10,12", [(10, 40)]),
    "Strelka2 indel": (STRELKA, "C CAT", ".", "TAR:TIR 30,31:10,12", [(10, 40)]),
    "SomaticSniper": (SNIPER, "C T", ".", "GT:DP4 0/1:16,14,6,4", [(10, 40)]),
    "bcftools": (BCFTOOLS, "C T", "DP4=16,14,6,4", "GT 0/1", [(10, 40)]),
    "phased and star": (GATK, "C T,*", ".", "GT:AD 1|2:30,10,8", [(10, 48)]),
    "gVCF": (GATK, "C T,<NON_REF>", ".", "GT:AD 0/1:30,10,0", [(10, 40)]),
}


def write(path: Path, header: str, *records: str, samples: str = "S") -> Path:
    columns = f"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT {samples}".replace(" ", "\t")
    declared = [line for line in ("##fileformat=VCFv4.2", header) if line]
    body = [record.replace(" ", "\t") for record in records]
    path.write_text("\n".join([*declared, columns, *body]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("caller", CALLERS)
def test_reads_of_each_caller(tmp_path: Path, caller: str) -> None:
    header, alleles, info, call, expected = CALLERS[caller]
    declared = f'{CONTIG}\n##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n{header}'
    record = f"chr17 {AT} . {alleles} 50 PASS {info} {call}"
    path = write(tmp_path / "a.vcf", declared.strip(), record)
    table = read_variants(path)
    assert table.select("alternative_reads", "depth").rows() == expected
    notes = variant_notes(path, table)
    assert [note.found for note in notes] == (
        [f"none in {table.height} of CD7"] if expected == [(None, None)] else []
    )


def test_a_site_without_an_alternative_is_no_variant(tmp_path: Path) -> None:
    records = [
        f"chr17 {AT} . C . 50 PASS . GT:AD 0/0:40",
        f"chr17 {AT + 1} . C * 50 . . GT:AD 1:2,3",
    ]
    path = write(tmp_path / "a.vcf", f"{CONTIG}\n{GATK}", *records)
    assert read_variants(path).height == 0


def test_strands_of_a_record_are_not_those_of_one_of_two_samples(tmp_path: Path) -> None:
    record = f"chr17 {AT} . C T 50 PASS DP4=16,14,6,4 GT 0/1 0/0"
    path = write(tmp_path / "a.vcf", f"{CONTIG}\n{BCFTOOLS}", record, samples="A B")
    assert read_variants(path, sample="B")["depth"].to_list() == [None]


def test_each_sample_of_a_file_has_its_own_reads(tmp_path: Path) -> None:
    record = f"chr17 {AT} . C T 50 PASS . GT:AD 0/0:40,0 0/1:20,20"
    path = write(tmp_path / "a.vcf", f"{CONTIG}\n{GATK}", record, samples="NORMAL TUMOR")
    reads = [
        read_variants(path, sample=name)["alternative_reads"][0] for name in ("NORMAL", "TUMOR")
    ]
    assert reads == [0, 20]
