"""A study of repertoires: shares worked by hand, and what must not depend on what."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from graftline.assays.tcr.samples import samples_of_files, samples_of_sheet
from graftline.assays.tcr.study import TcrOptions, TcrStudy, tcr_files_study, tcr_study
from graftline.problems import InputError
from graftline.report.assay_tcr import _missing
from tests.assays.repertoire_files import (
    DONOR,
    SHEET,
    write_airr,
    write_sheet,
    write_study,
)

QUICK = TcrOptions(draws=20, depth=50, top=2)


@pytest.fixture
def study(tmp_path: Path) -> TcrStudy:
    return tcr_study(write_study(tmp_path, patients=("P2", "P1")), options=QUICK)


def test_donor_first_then_by_day_patients_as_in_the_sheet(study: TcrStudy) -> None:
    assert study.samples["sample"].to_list()[:5] == [
        "P2 donor",
        "P2 d50",
        "P2 d110",
        "P2 d200",
        "P2 d385",
    ]
    assert study.samples["sample"][5] == "P1 donor"
    assert study.samples["month"][4] == pytest.approx(365 / 30.4375)
    assert study.summary["sample"].to_list() == study.samples["sample"].to_list()


def test_top_clones_of_month_12_are_traced_back_to_the_donor(study: TcrStudy) -> None:
    one = study.traced.filter(pl.col("patient") == "P1")
    # A and C: 60 + 20 of 100 at month 12, 5 + 10 of 100 in the donor.
    assert one["share"].to_list() == pytest.approx([0.15, 0.4, 0.5, 0.65, 0.8])
    place = study.ranked.row(0, named=True)
    assert (place["ranked_at"], place["donor"]) == ("P2 d385", "P2 donor")


def test_expanded_clones_are_called_within_the_patient(study: TcrStudy) -> None:
    one = study.expansion.filter(pl.col("patient") == "P1")
    calls = dict(one.select("junction_aa", "call").rows())
    # R 4: fisher.test(matrix(c(5,95,60,40),2)) p < 1e-15; CASE is 45 then 0.
    assert calls["CASA"] == "expanded"
    assert calls["CASE"] == "contracted"
    assert calls["CASC"] == "unchanged"


def test_clonality_rises_in_every_patient(study: TcrStudy) -> None:
    over_all = study.trends.filter(
        pl.col("patient").is_null(), pl.col("measure") == "clonality"
    ).row(0, named=True)
    assert over_all["p"] == pytest.approx(2 / 24**2)


def test_no_value_moves_when_another_sample_is_dropped(tmp_path: Path, study: TcrStudy) -> None:
    rows = [line.split(",") for line in (tmp_path / "tcr.csv").read_text().splitlines()[1:]]
    fewer = write_sheet(tmp_path / "fewer.csv", SHEET, [r for r in rows if r[1] == "P1"])
    alone = tcr_study(fewer, options=QUICK)
    for name in ("summary", "at_depth"):
        whole = getattr(study, name).filter(pl.col("sample").str.starts_with("P1"))
        assert whole.equals(getattr(alone, name))


def test_the_day_to_rank_at_is_yours(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    early = tcr_study(sheet, options=replace(QUICK, rank_at=100))
    assert early.ranked["ranked_at"].to_list() == ["P1 d110"]
    never = tcr_study(sheet, options=replace(QUICK, rank_at=3000))
    assert never.ranked["reason"].to_list() == ["no sample within 61 days of day 3000"]
    assert never.tracked.is_empty()


def test_without_month_12_the_last_sample_is_ranked_and_said(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    lines = sheet.read_text().splitlines()[:-1]
    sheet.write_text("\n".join(lines) + "\n")
    row = tcr_study(sheet, options=QUICK).ranked.row(0, named=True)
    assert (row["ranked_at"], row["rule"]) == ("P1 d200", "last sample (none near month 12)")


def test_samples_from_before_hspc_are_no_part_of_the_course_after_it(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    # Against the rise: the patient's own repertoire before the transplant, nearly one clone.
    write_airr(tmp_path / "P1_before.tsv", {"CASZ": 99, "CASA": 1})
    before = "P1_before.tsv,P1,10,patient,20\n"
    plain = tcr_study(sheet, options=QUICK)
    sheet.write_text(sheet.read_text() + before)
    found = tcr_study(sheet, options=QUICK)
    assert found.trends.equals(plain.trends)
    assert found.summary.filter(pl.col("sample") == "P1 d10")["month"][0] < 0
    donor = "P1_donor.tsv,P1,,donor,20\n"
    alone = tmp_path / "alone.csv"
    alone.write_text(f"{SHEET}\n{donor}{before}")
    only = tcr_study(alone, options=QUICK).ranked.row(0, named=True)
    assert (only["ranked_at"], only["reason"]) == (None, "only samples from before month 0")


def test_days_of_hspc_may_come_from_the_trial(tmp_path: Path) -> None:
    write_study(tmp_path)
    rows = [("P1_donor.tsv", "P1", "", "donor"), ("P1_30.tsv", "P1", 50, "patient")]
    sheet = write_sheet(tmp_path / "bare.csv", "file,patient,day,sample_type", rows)
    assert samples_of_sheet(sheet).table["day"].to_list() == [None, 50.0]
    known = pl.DataFrame({"patient": ["P1"], "hsct_day": [20.0]})
    assert samples_of_sheet(sheet, hsct_days=known).table["day"].to_list() == [None, 30.0]


def test_one_file_with_two_samples_needs_their_names(tmp_path: Path) -> None:
    first = write_airr(tmp_path / "both.tsv", DONOR, sample="S1").read_text()
    second = write_airr(tmp_path / "b.tsv", {"CASW": 9}, sample="S2").read_text()
    (tmp_path / "both.tsv").write_text(first + second.split("\n", 1)[1])
    header = "file,patient,day,sample_type,repertoire"
    bare = write_sheet(tmp_path / "bare.csv", header, [("both.tsv", "P1", 1, "patient", "")])
    with pytest.raises(InputError, match=r"one of S1, S2"):
        tcr_study(bare, options=QUICK)
    rows = [("both.tsv", "P1", 1, "patient", "S2"), ("both.tsv", "P1", 9, "patient", "S1")]
    named = tcr_study(write_sheet(tmp_path / "n.csv", header, rows), options=QUICK)
    assert named.summary.select("sample", "reads").rows() == [("P1 d1", 9), ("P1 d9", 100)]
    loose = tcr_files_study([tmp_path / "both.tsv"], options=QUICK)
    assert loose.summary["sample"].to_list() == ["both:S1", "both:S2"]


def test_files_without_a_sheet_are_samples_without_patients(tmp_path: Path) -> None:
    paths = [write_airr(tmp_path / f"{name}.tsv", DONOR) for name in "ab"]
    found = tcr_files_study(paths, options=QUICK)
    assert found.summary["sample"].to_list() == ["a", "b"]
    assert found.ranked.is_empty()
    assert found.overlap["morisita_horn"].to_list() == pytest.approx([1.0])
    with pytest.raises(InputError, match="each file name once"):
        samples_of_files([tmp_path / "a.tsv", tmp_path / "x" / "a.tsv"])


def test_counts_of_different_kinds_are_told(tmp_path: Path) -> None:
    write_airr(tmp_path / "a.tsv", DONOR)
    text = write_airr(tmp_path / "b.tsv", DONOR).read_text()
    (tmp_path / "b.tsv").write_text(text.replace("duplicate_count", "umi_count"))
    found = tcr_files_study([tmp_path / "a.tsv", tmp_path / "b.tsv"], options=QUICK)
    assert any("counts of one kind" in p.expected for p in found.problems)


def test_a_sample_without_clones_stays_in_the_table(tmp_path: Path) -> None:
    sheet = write_study(tmp_path)
    write_airr(tmp_path / "P1_90.tsv", {"CASA": 7}, productive="F")
    found = tcr_study(sheet, options=QUICK)
    row = found.summary.filter(pl.col("sample") == "P1 d110").row(0, named=True)
    assert (row["reads"], row["clonality"], row["note"]) == (0, None, "no clones")
    assert "P1 d110" not in found.traced["sample"].to_list()


def test_many_patients_without_a_donor_are_one_sentence(tmp_path: Path) -> None:
    rows = [(f"p{n}.tsv", f"P{n}", 30, "patient") for n in range(13)]
    for file, *_ in rows:
        write_airr(tmp_path / file, {"CASF": 2})
    sheet = write_sheet(tmp_path / "tcr.csv", "file,patient,day,sample_type", rows)
    sentences = _missing(tcr_study(sheet, options=QUICK))
    named = "P0, P1, P2, P3, P4, P5, P6, P7 and 5 more"
    assert sentences[0] == f"Patients {named}: no donor sample to trace back to."
    one = write_sheet(tmp_path / "one.csv", "file,patient,day,sample_type", rows[:1])
    assert _missing(tcr_study(one, options=QUICK)) == [
        "Patient P0: no donor sample to trace back to."
    ]
