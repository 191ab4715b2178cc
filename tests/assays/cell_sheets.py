"""Small sheets of cell assays with what is in them known: for tests of studies and commands."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tests.assays.test_generations import drawn
from tests.assays.test_str_chimerism import family, genotypes, mix


def write_rows(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header.split())
        writer.writerows(rows)
    return path


MLR_CELLS = {
    ("donor", "none"): [600],
    ("donor", "third_party"): [200, 200, 400],  # precursors 200, 100, 100: half divided
    ("patient", "none"): [600],
    ("patient", "third_party"): [540, 60],
}


def mlr_sheet(folder: Path, *, patients: Sequence[str] = ("P1",)) -> Path:
    """Wells of CSV intensities; two replicates each."""
    rows = []
    for n, patient in enumerate(patients):
        for (person, stimulus), cells in MLR_CELLS.items():
            for replicate in (1, 2):
                name = f"{patient}_{person}_{stimulus}_{replicate}.csv"
                values = drawn(cells, width=0.15, seed=10 * n + replicate)
                pl.DataFrame({"CFSE-A": values}).write_csv(folder / name)
                rows.append((name, patient, person, 180, stimulus, replicate))
    return write_rows(folder / "mlr.csv", "file patient person day stimulus replicate", rows)


STR_SHARES = {(49, "unsorted"): 0.8835, (49, "cd3"): 0.99, (49, "cd33"): 0.70, (200, "unsorted"): 1}


def chimerism_sheet(folder: Path, *, patient: str = "P1", donor: str = "D1") -> Path:
    """A haploidentical pair with stutter, four samples of one peaks file."""
    people = dict(zip((donor, patient), family("haploidentical", loci=12).values(), strict=True))
    genotypes(people).write_csv(folder / "genotypes.csv")
    parts, rows = [], []
    for (day, lineage), share in STR_SHARES.items():
        sample = f"{day}-{lineage}"
        made = mix(people, {donor: share, patient: 1 - share}, stutter=0.08)
        parts.append(made.select(pl.lit(sample).alias("sample"), "locus", "allele", "area"))
        rows.append(("peaks.csv", "genotypes.csv", patient, day, lineage, patient, donor, sample))
    pl.concat(parts).write_csv(folder / "peaks.csv")
    header = "file genotypes patient day lineage recipient donor sample"
    return write_rows(folder / "chimerism.csv", header, rows)


FUNCTION_PERCENT = {"none": 0.2, "pma_ionomycin": 20.2, "cd3_cd28": 10.2, "cmv": 1.2, "ebv": 0.2}


def function_sheet(folder: Path, *, patients: Sequence[str] = ("P1", "P2")) -> Path:
    """Counts that are the percent exactly; donors respond to PMA/ionomycin twice as much."""
    rows = []
    for patient in patients:
        for person in ("patient", "donor"):
            for stimulus, percent in FUNCTION_PERCENT.items():
                twice = person == "donor" and stimulus == "pma_ionomycin"
                hits = round(100 * (2 * percent - 0.2 if twice else percent))
                rows += [
                    (patient, 180, person, stimulus, replicate, hits, 10_000)
                    for replicate in (1, 2)
                ]
    header = "patient day person stimulus replicate responding parent"
    return write_rows(folder / "function.csv", header, rows)


LABS = """patient,day,analyte,value,unit,quantification,lloq
A,0,car_t_qpcr,50,,below,50
A,4,car_t_qpcr,500,,,50
A,7,car_t_qpcr,20000,,,50
A,10,car_t_qpcr,180000,,,50
A,14,car_t_qpcr,290000,,,50
A,21,car_t_qpcr,60000,,,50
A,28,car_t_qpcr,9000,,,50
B,7,car_t_flow,1,,below,1
B,10,car_t_flow,1,,below,1
B,14,car_t_flow,1,,below,1
"""


def labs_file(folder: Path) -> Path:
    """The worked profile of one patient by qPCR; another who was never quantifiable by flow."""
    path = folder / "labs.csv"
    path.write_text(LABS, encoding="utf-8")
    return path


def tracks(folder: Path) -> None:
    """Baseline with 8 over the promoter and 1 elsewhere, relapse with 2 and 1."""
    import pybigtools

    from graftline.assays.cd7_locus.gene import CD7, promoter

    start, end = CD7.start - 40_000, CD7.end + 40_000
    place = promoter(CD7)
    for name, height in (("base.bw", 8.0), ("relapse.bw", 2.0)):
        rows = [
            ("chr17", start, place.start - 1, 1.0),
            ("chr17", place.start - 1, place.end, height),
            ("chr17", place.end, end, 1.0),
        ]
        pybigtools.open(str(folder / name), "w").write({"chr17": 83_257_441}, rows)


def cells_file(path: Path) -> Path:
    """Six samples of ten cells; the low cluster is 1, 2, 3 of ten before and 6, 7, 8 after."""
    import h5py

    low = [1, 2, 3, 6, 7, 8]
    cluster = np.concatenate([[0] * n + [1] * (10 - n) for n in low])
    with h5py.File(path, "w") as file:
        obs, var = file.create_group("obs"), file.create_group("var")
        obs.attrs["_index"], var.attrs["_index"] = "_index", "gene"
        obs["_index"], var["gene"] = [f"c{i}" for i in range(60)], ["CD3E", "CD7"]
        for name, levels, codes in (
            ("cluster", ["CD7 low", "CD7 high"], cluster),
            ("sample", [f"s{i}" for i in range(6)], np.repeat(np.arange(6), 10)),
            ("time", ["baseline", "relapse"], np.repeat([0, 1], 30)),
        ):
            group = obs.create_group(name)
            group["categories"], group["codes"] = levels, np.asarray(codes, np.int8)
        file["X"] = np.c_[np.ones(60), np.where(cluster == 0, 0.0, 2.0)]
    return path
