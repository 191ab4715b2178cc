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


GENES = {
    # immunoSEQ's ties and orphons; Emerson 2017 has TCRBV06-02/06-03, tcrdist3 the orphons.
    "TCRBV06-02/06-03*01": "TRBV6-2",
    "TCRBV20-or09_02*01": "TRBV20/OR9-2",
    "TCRBV20-X": "TRBV20",
    "TCRBV09-01": "TRBV9",
    "TCRBVA-or09_02": "TRBVA/OR9-2",
    # IMGT: a slash that belongs to the name.
    "TRBV20/OR9-2*01": "TRBV20/OR9-2",
    # Ties as annotators write them.
    "TRBV6-2/6-3": "TRBV6-2",
    "TRBV6-2/TRBV6-3": "TRBV6-2",
    "TRBV6-2*01,TRBV6-3*01": "TRBV6-2",
    "TRBV6-2 or TRBV6-3": "TRBV6-2",
    "TRBV12-3;TRBV12-4": "TRBV12-3",
    "TRBV12-3*00(716),TRBV12-4*00(716)": "TRBV12-3",
    # IMGT/V-QUEST.
    "Homsap TRBV5-1*01 F": "TRBV5-1",
    "Homsap TRBV6-2*01 F, or Homsap TRBV6-3*01 F": "TRBV6-2",
    "trbv9*01": "TRBV9",
    " TRBV9 ": "TRBV9",
}


@pytest.mark.parametrize("call", GENES)
def test_a_call_is_the_imgt_gene_of_its_first_candidate(tmp_path: Path, call: str) -> None:
    header = "locus|v_call|j_call|junction_aa|duplicate_count"
    path = write(tmp_path / "a.csv", header.replace("|", ";"), f'TRB;"{call}";TRBJ2-7;CASF;3')
    found = read_clones(path)
    assert found.clones["v_gene"].to_list() == [GENES[call]]
    assert found.problems == ()
    bare = write(tmp_path / "b.tsv", header[6:], f"{call}|TRBJ2-7|CASF|3")
    assert read_clones(bare).clones["count"].to_list() == [3]


ALPHA = {
    "TCRAV02-01*01": "TRAV2",
    "TCRAV08-04": "TRAV8-4",
    "TRAV14/DV4*01": "TRAV14/DV4",
    "TRAV29DV5*00(635.9)": "TRAV29/DV5",  # MiXCR
}


@pytest.mark.parametrize("call", ALPHA)
def test_alpha_genes_are_imgts_too(tmp_path: Path, call: str) -> None:
    path = write(tmp_path / "a.tsv", "v_call|j_call|cdr3_aa|duplicate_count", f"{call}||CAF|3")
    assert read_clones(path, locus="TRA").clones["v_gene"].to_list() == [ALPHA[call]]


def test_an_unresolved_gene_is_its_family_and_an_unknown_one_none(tmp_path: Path) -> None:
    # Emerson 2017: v_gene is "unresolved" where v_gene_ties has several of one family.
    header = "rearrangement|amino_acid|frame_type|templates|v_family|v_gene|j_family|j_gene"
    rows = (
        f"{NT}|CASSF|In|398|TCRBV03|unresolved|TCRBJ01|TCRBJ01-02",
        f"{NT}|CASSF|In|10|TCRBV06|unresolved|TCRBJ01|TCRBJ01-02",
        f"{NT}|CASSF|In|2|unresolved|unresolved|TCRBJ01|TCRBJ01-02",
        f"{NT}|na|Out|7|TCRBV06|TCRBV06-01|TCRBJ01|TCRBJ01-02",
    )
    path = write(tmp_path / "a.tsv", header, *rows)
    clones = read_clones(path).clones.select("v_gene", "j_gene", "count").rows()
    assert clones == [("TRBV3", "TRBJ1-2", 398), ("TRBV6", "TRBJ1-2", 10), (None, "TRBJ1-2", 2)]
    assert read_clones(path, key="aa", productive="all").clones["count"].to_list() == [410]


WORDS = {
    "T": True,
    "true": True,
    "1.0": True,  # pandas, as soon as one value is missing
    "YES": True,
    "Productive": True,
    "F": False,
    "No": False,
    "N": False,
    "0.0": False,
    "unproductive": False,
}


@pytest.mark.parametrize("word", WORDS)
def test_words_for_productive(tmp_path: Path, word: str) -> None:
    header = "v_call|j_call|junction_aa|productive|duplicate_count"
    row = f"TRBV9|TRBJ2-7|CASF|{word}|3"
    found = read_clones(write(tmp_path / "a.tsv", header, row, "TRBV9|TRBJ2-7|CASAF|T|2"))
    assert found.clones["count"].to_list() == ([3, 2] if WORDS[word] else [2])
    assert found.problems == ()


def test_a_word_nobody_knows_is_a_warning_and_the_cdr3_decides(tmp_path: Path) -> None:
    header = "v_call|j_call|junction_aa|productive|duplicate_count"
    rows = ("TRBV9|TRBJ2-7|CASF|perhaps|3", "TRBV9|TRBJ2-7|CA*F|perhaps|2")
    found = read_clones(write(tmp_path / "a.tsv", header, *rows))
    assert found.clones["count"].to_list() == [3]
    assert [(p.column, p.found) for p in found.problems] == [("productive", "perhaps")]


def test_out_of_frame_alone_is_said_by_one_column(tmp_path: Path) -> None:
    header = "v_call|j_call|junction_aa|vj_in_frame|duplicate_count"
    rows = ("TRBV9|TRBJ2-7|CASF|T|3", "TRBV9|TRBJ2-7|CASAF|F|2", "TRBV9|TRBJ2-7|CA*F|T|9")
    found = read_clones(write(tmp_path / "a.tsv", header, *rows))
    assert found.clones["count"].to_list() == [3]


def test_an_empty_column_does_not_hide_a_full_one(tmp_path: Path) -> None:
    header = "repertoire_id|sample_id|v_call|j_call|junction_aa|cdr3_aa|duplicate_count"
    rows = ("|S1|TRBV9|TRBJ2-7||ASS|3", "|S2|TRBV9|TRBJ2-7||ASS|2")
    found = read_clones(write(tmp_path / "a.tsv", header, *rows)).clones
    assert found.select("sample", "junction_aa", "count").rows() == [
        ("S1", "ASS", 3),
        ("S2", "ASS", 2),
    ]


def test_quotes_are_read_where_only_fields_have_them(tmp_path: Path) -> None:
    # As Python's csv and pandas write: quotes around fields with a separator in them.
    header, fields = "v_call,j_call,junction_aa,duplicate_count", ",TRBJ2-7,CASF,5\n"
    comma, tab = tmp_path / "a.csv", tmp_path / "b.tsv"
    comma.write_text(header + '\nTRBV9,TRBJ2-7,CASAF,5\n"TRBV6-2*01,TRBV6-3*01"' + fields)
    tab.write_text((header + '\n"TRBV6-2*01;TRBV6-3*01"' + fields).replace(",", "\t"))
    assert set(read_clones(comma).clones["v_gene"]) == {"TRBV9", "TRBV6-2"}
    assert read_clones(tab).clones["v_gene"].to_list() == ["TRBV6-2"]


def test_what_a_file_without_counts_has_instead_is_said(tmp_path: Path) -> None:
    # TRUST4's _airr.tsv has consensus_count alone; IgBLAST's has none, a row is a read.
    header, row = "v_call|j_call|junction_aa|consensus_count", "TRBV9|TRBJ2-7|CASF|12.00"
    path = write(tmp_path / "a.tsv", header, row)
    with pytest.raises(InputError, match="found 'consensus_count"):
        read_clones(path)
    assert read_clones(path, count_column="consensus_count").clones["count"].to_list() == [12]
    path = write(tmp_path / "b.tsv", header[:25], row[:18])
    with pytest.raises(InputError, match="single reads"):
        read_clones(path)


def test_a_comment_above_the_header_is_called_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "# made on Monday", *LAYOUTS["MiXCR 3"])
    with pytest.raises(InputError, match="not a comment"):
        read_clones(path)


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    header = "v_call|j_call|junction_aa|duplicate_count"
    path = write(tmp_path / "a.tsv", header, "TRBV9|TRBJ2-7|CASF|3", "", "")
    assert read_clones(path).clones["count"].to_list() == [3]
    assert read_clones(path).problems == ()
    rows = ("TRBV9|TRBJ2-7|CASF|", "TRBV9|TRBJ2-7|CASF|2", "")
    path = write(tmp_path / "b.tsv", header, "", *rows)
    with pytest.raises(InputError, match="row 3, column duplicate_count") as caught:
        read_clones(path)
    assert [p.count for p in caught.value.problems] == [1]
