"""Columns as the tools write them, each from the tool's manual or a public export of it."""

from pathlib import Path

import pytest

from graftline.assays.tcr.clones import read_clones
from graftline.assays.tcr.findings import cut_problems
from graftline.assays.tcr.study import tcr_files_study
from graftline.problems import InputError, Severity

CLONE = ("CASSLEETQYF", "TRBV12-3", "TRBJ2-5", 12)
NT = "TGTGCCAGCAGTTTAGAAGAGACCCAGTACTTC"
# Columns that matter, in the order of the tool's own export, between others of it.
LAYOUTS = {
    "MiXCR 1, names for people": (
        "Clone ID|Clone count|Clone fraction|Clonal sequence(s)|All V hits|All D hits|All J hits|"
        "All C hits|N. Seq. CDR3|Min. qual. CDR3|AA. Seq. CDR3|Ref. points",
        f"0|12|0.5|{NT}|TRBV12-3*00(716),TRBV12-4*00(716)||TRBJ2-5*00(291.3)||{NT}|41|CASSLEETQYF|:",
    ),
    "MiXCR 1, best hits": (
        "Clone count|Best V hit|Best J hit|N. Seq. CDR3|AA. Seq. CDR3",
        f"12|TRBV12-3*00|TRBJ2-5*00|{NT}|CASSLEETQYF",
    ),
    "MiXCR 3": (
        "cloneId|cloneCount|cloneFraction|targetSequences|targetQualities|allVHitsWithScore|"
        "allDHitsWithScore|allJHitsWithScore|allCHitsWithScore|nSeqCDR3|aaSeqCDR3|refPoints",
        f"0|12.0|0.5|{NT}|JJ|TRBV12-3*00(716),TRBV12-4*00(716)||TRBJ2-5*00(291.3)||{NT}|"
        "CASSLEETQYF|::",
    ),
    "MiXCR 4 with UMIs": (
        "cloneId|readCount|readFraction|uniqueMoleculeCount|uniqueMoleculeFraction|targetSequences|"
        "allVHitsWithScore|allJHitsWithScore|nSeqCDR3|aaSeqCDR3",
        f"0|12.0|0.5|3|0.5|{NT}|TRBV12-3*00(716.5)|TRBJ2-5*00(291.3)|{NT}|CASSLEETQYF",
    ),
    "MiXCR 4, molecules alone": (
        "cloneId|uniqueTagCountMolecule|allVHitsWithScore|allJHitsWithScore|nSeqCDR3|aaSeqCDR3",
        f"0|12|TRBV12-3*00(716.5)|TRBJ2-5*00(291.3)|{NT}|CASSLEETQYF",
    ),
    "MiXCR exportAirr": (
        "sequence_id|sequence|rev_comp|productive|v_call|d_call|j_call|c_call|complete_vdj|junction|"
        "junction_aa|junction_length|duplicate_count|cell_id|clone_id",
        f"clone.0|{NT}|F|T|TRBV12-3*00,TRBV12-4*00||TRBJ2-5*00||F|{NT}|CASSLEETQYF|33|12||0",
    ),
    "immunoSEQ, first exports": (
        "sequenceID|container|nucleotide|aminoAcid|normalizedFrequency|normalizedCopy|rawFrequency|"
        "copy|cdr3Length|VFamilyName|VGeneName|VTies|JGeneName|JTies|sequenceStatus",
        f"1|p|{NT}|CASSLEETQYF|0.4|11|0.5|12|33|TCRBV12|TCRBV12-03||TCRBJ02-05||In",
    ),
    "immunoSEQ v2": (
        "nucleotide|aminoAcid|count (templates/reads)|frequencyCount (%)|cdr3Length|vMaxResolved|"
        "vFamilyName|vGeneName|jMaxResolved|jFamilyName|jGeneName|vIndex|sequenceStatus",
        f"{NT}|CASSLEETQYF|12|0.5|33|TCRBV12-03*01|TCRBV12|TCRBV12-03|TCRBJ02-05*01|TCRBJ02|"
        "TCRBJ02-05|-1|In",
    ),
    "immunoSEQ v3, ImmuneCODE": (
        "rearrangement|extended_rearrangement|bio_identity|amino_acid|templates|frame_type|"
        "rearrangement_type|productive_frequency|v_family|v_gene|v_allele|j_family|j_gene|j_allele",
        f"{NT}|{NT}|X|CASSLEETQYF|12|In|VDJ|0.5|TCRBV12|TCRBV12-03|01|TCRBJ02|TCRBJ02-05|01",
    ),
    "immunoSEQ, CDR3 alone": (
        "cdr3_rearrangement|cdr3_amino_acid|v_resolved|j_resolved|frame_type|seq_reads|templates",
        f"{NT}|CASSLEETQYF|TCRBV12-03*01|TCRBJ02-05*01|In|99|12",
    ),
}
FOREIGN = {
    "vdjtools": "count|freq|cdr3nt|cdr3aa|v|d|j|VEnd|DStart|DEnd|JStart",
    "TRUST4 report": "#count|frequency|CDR3nt|CDR3aa|V|D|J|C|cid|cid_full_length",
    "10x contigs": "barcode|is_cell|contig_id|chain|v_gene|j_gene|cdr3|cdr3_nt|reads|umis",
}


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(line.replace("|", "\t") for line in lines) + "\n")
    return path


@pytest.mark.parametrize("tool", LAYOUTS)
def test_one_clone_is_the_same_from_every_tool(tmp_path: Path, tool: str) -> None:
    found = read_clones(write(tmp_path / "a.tsv", *LAYOUTS[tool]))
    assert found.clones.select("junction_aa", "v_gene", "j_gene", "count").rows() == [CLONE]
    assert read_clones(tmp_path / "a.tsv", key="nt").clones["junction"].to_list() == [NT]


@pytest.mark.parametrize("tool", FOREIGN)
def test_other_formats_are_told_what_to_export(tmp_path: Path, tool: str) -> None:
    header = FOREIGN[tool]
    row = "|".join("1" for _ in header.split("|"))
    with pytest.raises(InputError, match="AIRR Rearrangement") as caught:
        read_clones(write(tmp_path / "a.tsv", header, row))
    assert [p.severity for p in caught.value.problems] == [Severity.UNREADABLE]


CELLS = "cell_id|sequence_id|productive|v_call|j_call|junction|junction_aa|duplicate_count"


def test_rows_of_cells_are_not_taken_for_clones_without_a_word(tmp_path: Path) -> None:
    # Cell Ranger's airr_rearrangement.tsv: a row per cell and chain, counts are molecules.
    call = f"T|TRBV12-3|TRBJ2-5|{NT}|CASSLEETQYF"
    rows = [f"{cell}|{cell}_contig_1|{call}|{n}" for cell, n in (("AAA-1", 7), ("AAC-1", 5))]
    cells = read_clones(write(tmp_path / "a.tsv", CELLS, *rows))
    assert cells.clones["count"].to_list() == [12]
    assert [(p.severity, p.column) for p in cells.problems] == [(Severity.WARNING, "cell_id")]
    bulk = read_clones(write(tmp_path / "b.tsv", CELLS, f"|1|{call}|12"))
    assert bulk.problems == ()


def test_cdr3s_without_their_anchors_beside_others_are_a_warning(tmp_path: Path) -> None:
    # IMGT: the junction is the CDR3 with its anchors C 104 and F or W 118.
    header = "v_call|j_call|junction_aa|cdr3_aa|duplicate_count"
    whole = write(tmp_path / "whole.tsv", header, "TRBV9|TRBJ1-1|CASSF|ASS|3")
    header = "v_call|j_call|cdr3_aa|duplicate_count"
    inner = write(tmp_path / "inner.tsv", header, "TRBV9|TRBJ1-1|ASS|3")
    both = read_clones([whole, inner]).clones
    assert both["junction_aa"].to_list() == ["ASS", "CASSF"]
    (problem,) = cut_problems(both, "sheet.csv")
    assert problem.found == "without their ends: inner"
    told = tcr_files_study([whole, inner]).problems
    assert [p.found for p in told if p.column == "junction_aa"] == [problem.found]
    assert cut_problems(read_clones(inner).clones, "sheet.csv") == []
    assert cut_problems(read_clones(whole, key="nt").clones, "sheet.csv") == []


def test_nothing_kept_says_why_and_what_to_ask_for(tmp_path: Path) -> None:
    header = "v_call|j_call|junction|productive|duplicate_count"
    path = write(tmp_path / "nt.tsv", header, f"TRBV9|TRBJ1-1|{NT}|T|3")
    assert any("--key nt" in p.remedy for p in read_clones(path).problems)
    assert read_clones(path, key="nt").clones["count"].to_list() == [3]
    path = write(tmp_path / "out.tsv", header, f"TRBV9|TRBJ1-1|{NT}|F|3")
    assert any("--rows all" in p.remedy for p in read_clones(path).problems)


@pytest.mark.parametrize("count", [" 7 ", "1,234", "1.234,5"])
def test_a_count_with_blanks_or_separators_is_named_with_its_row(
    tmp_path: Path, count: str
) -> None:
    header = "v_call|j_call|junction_aa|duplicate_count"
    path = write(tmp_path / "a.tsv", header, "TRBV9|TRBJ1-1|CASF|3", f"TRBV9|TRBJ1-1|CAF|{count}")
    with pytest.raises(InputError, match=r"row 3, column duplicate_count") as caught:
        read_clones(path)
    assert [p.found for p in caught.value.problems] == [count]


def test_counts_as_computers_write_them_are_whole_numbers(tmp_path: Path) -> None:
    header = "v_call|j_call|junction_aa|duplicate_count"
    counts = {"CASAF": "1e3", "CASCF": "12.0", "CASDF": "4", "CASEF": "90000000000"}
    rows = [f"TRBV9|TRBJ1-1|{aa}|{n}" for aa, n in counts.items()]
    found = read_clones(write(tmp_path / "a.tsv", header, *rows)).clones
    assert found["count"].to_list() == [90_000_000_000, 1000, 12, 4]
