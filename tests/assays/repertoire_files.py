"""Small AIRR repertoires and sample sheets for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

HEADER = "repertoire_id\tlocus\tv_call\tj_call\tjunction\tjunction_aa\tproductive\tduplicate_count"


def airr_line(
    aa: str, count: object, *, locus: str = "TRB", productive: str = "T", sample: str = ""
) -> str:
    return f"{sample}\t{locus}\t{locus}V9*01\t{locus}J2-7*01\tTGT{aa}\t{aa}\t{productive}\t{count}"


def write_airr(path: Path, clones: Mapping[str, object], **asked: str) -> Path:
    """A repertoire of clones, each with its CDR3 and count."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADER, *(airr_line(aa, count, **asked) for aa, count in clones.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sheet(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


SHEET = "file,patient,day,sample_type,hsct_day"
# Hand-made: the donor holds A and B at 5 and 10 of 100 reads, month 12 at 60 and 20 of 100.
DONOR = {"CASA": 5, "CASC": 10, "CASD": 40, "CASE": 45}
COURSE = {
    30: {"CASA": 20, "CASC": 20, "CASD": 30, "CASF": 30},
    90: {"CASA": 30, "CASC": 20, "CASD": 40, "CASF": 10},
    180: {"CASA": 50, "CASC": 15, "CASD": 25, "CASF": 10},
    365: {"CASA": 60, "CASC": 20, "CASD": 12, "CASF": 8},
}


def write_study(folder: Path, *, patients: Sequence[str] = ("P1",)) -> Path:
    """A sheet of donor and four samples of each patient, HSPC on day 20."""
    rows: list[tuple[object, ...]] = []
    for patient in patients:
        write_airr(folder / f"{patient}_donor.tsv", DONOR)
        rows.append((f"{patient}_donor.tsv", patient, "", "donor", 20))
        for day, clones in COURSE.items():
            write_airr(folder / f"{patient}_{day}.tsv", clones)
            rows.append((f"{patient}_{day}.tsv", patient, day + 20, "patient", 20))
    return write_sheet(folder / "tcr.csv", SHEET, rows)
