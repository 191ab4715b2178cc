"""STR and stimulation tables as laboratories export them."""

from pathlib import Path

import pytest

from graftline.assays.long_tables import read_stimulation_file, read_str_genotypes, read_str_peaks
from graftline.assays.str_chimerism import estimate_chimerism
from graftline.problems import InputError

WIDE = (
    "Sample Name\tMarker\tAllele 1\tHeight 1\tArea 1\tAllele 2\tHeight 2\tArea 2"
    "\tAllele 3\tHeight 3\tArea 3\n"
    "d28\tTH01\t6\t900\t8000\t9.3\t100\t1000\tOL\t5\t50\n"
    "d28\tTPOX\t8\t500\t5000\t\t\t\t\t\t\n"
)
PEOPLE = "Sample;Marker;Allele 1;Allele 2\nD;TH01;6;6\nR;TH01;6;9.3\nD;TPOX;8;8\nR;TPOX;8;8\n"


def test_wide_export_of_genotyping_software(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text(WIDE)
    (tmp_path / "g.csv").write_text(PEOPLE)
    peaks = read_str_peaks(tmp_path / "p.txt")
    assert sorted(peaks.select("locus", "allele", "area").rows()) == [
        ("TH01", "6", 8000.0),
        ("TH01", "9.3", 1000.0),
        ("TPOX", "8", 5000.0),
    ]
    found = estimate_chimerism(
        peaks, read_str_genotypes(tmp_path / "g.csv"), recipient="R", donors=["D"]
    )
    # 9.3 holds (1 - d) / 2 = 1/9.
    assert found.percent["D"] == pytest.approx(100 * (1 - 2 / 9))


def test_a_table_of_peaks_as_the_sequencer_software_writes_it(tmp_path: Path) -> None:
    # one row per peak, a tab at the end of every line, peaks of no locus, off-ladder peaks
    (tmp_path / "p.txt").write_text(
        "Dye/Sample Peak\tSample File Name\tMarker\tAllele\tSize\tHeight\tArea\tData Point\t\n"
        '"B,1"\tm3.fsa\tD3S1358\tOL\t104.29\t124\t737\t1942\t\n'
        '"B,3"\tm3.fsa\tD3S1358\t14\t120.33\t941\t5862\t2086\t\n'
        '"B,13"\tm3.fsa\t\t\t321.11\t150\t957\t4053\t\n'
        '"Y,1"\tm3.fsa\tAMEL\tX\t104.29\t1131\t6424\t1942\t\n'
    )
    assert read_str_peaks(tmp_path / "p.txt").rows() == [
        ("m3.fsa", "D3S1358", "14", 5862.0),
        ("m3.fsa", "AMEL", "X", 6424.0),
    ]


def test_long_tables_and_heights(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("sample,locus,allele,height\ns,A,7,10\ns,A,8,20\n")
    assert read_str_peaks(path)["area"].to_list() == [10, 20]
    path.write_text("person,locus,allele\nD,A,7\nR,A,8\n")
    assert read_str_genotypes(path).height == 2


def test_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("sample,locus,allele,area\ns,A,7,10\ns,A,8,n.d.\n")
    with pytest.raises(InputError, match=r"row 3, column area: found 'n\.d\.'"):
        read_str_peaks(path)
    path.write_text("sample,locus\ns,A\n")
    with pytest.raises(InputError, match="a column allele"):
        read_str_peaks(path)
    path.write_text("")
    with pytest.raises(InputError, match="empty"):
        read_str_genotypes(path)


def test_stimulation_wells(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    head = "subject\trole\tday\tstimulus\treplicate\tresponding\tparent\n"
    path.write_text(head + "P1\tpatient\t0\tnone\t1\t1\t100\nP1\tpatient\t0\tcmv\t1\t9\t100\n")
    assert read_stimulation_file(path).height == 2
    path.write_text(head + "P1\tpatient\t0\tcmv\t1\t\t100\n")
    with pytest.raises(InputError, match="column responding"):
        read_stimulation_file(path)
