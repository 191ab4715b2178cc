"""Tubes of a made-up study with known cells: bright and dim clusters far apart, spillover added."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.assays.flow.fcs_writer import write_fcs

CHANNELS = {
    "FSC-A": "",
    "FSC-H": "",
    "SSC-A": "",
    "FITC-A": "CAR",
    "PE-A": "CD7",
    "APC-A": "CD3",
    "BV421-A": "CD34",
    "V500-A": "CD45",
}
DIM, BRIGHT = 60.0, 9000.0
#             FSC    SSC    CAR    CD7     CD3     CD34   CD45
POPULATIONS = {
    "debris": (9e3, 5e3, DIM, DIM, DIM, DIM, DIM),
    "granulocytes": (1.1e5, 1.5e5, DIM, DIM, DIM, DIM, 6000.0),
    "B": (6e4, 2e4, DIM, DIM, DIM, DIM, BRIGHT),
    "CD7+ T": (6e4, 2e4, DIM, BRIGHT, BRIGHT, DIM, BRIGHT),
    "CD7- T": (6e4, 2e4, DIM, DIM, BRIGHT, DIM, BRIGHT),
    "CAR-T": (6e4, 2e4, BRIGHT, DIM, BRIGHT, DIM, BRIGHT),
    "CD7+ CAR-T": (6e4, 2e4, BRIGHT, BRIGHT, BRIGHT, DIM, BRIGHT),
    "CD7+ blasts": (8e4, 3e4, DIM, 4000.0, DIM, BRIGHT, 6000.0),
    "CD7- blasts": (8e4, 3e4, DIM, DIM, DIM, BRIGHT, 6000.0),
}
SPILL = np.eye(5) + np.array(
    [
        [0.00, 0.18, 0.00, 0.00, 0.02],
        [0.03, 0.00, 0.01, 0.00, 0.01],
        [0.00, 0.01, 0.00, 0.00, 0.00],
        [0.00, 0.00, 0.00, 0.00, 0.12],
        [0.01, 0.00, 0.00, 0.05, 0.00],
    ]
)

GATING = """\
[scales.fluor]
kind = "logicle"
t = 262144

[[gates]]
name = "cells"
bounds = [{ channel = "FSC-A", min = 30000 }]

[[gates]]
name = "singlets"
parent = "cells"
x = { channel = "FSC-A" }
y = { channel = "FSC-H" }
vertices = [[25000, 18000], [250000, 180000], [250000, 270000], [25000, 30000]]

[[gates]]
name = "leukocytes"
parent = "singlets"
bounds = [{ channel = "CD45", scale = "fluor", min = 0.5 }, { channel = "SSC-A" }]

[[gates]]
name = "T"
parent = "leukocytes"
bounds = [{ channel = "CD3", scale = "fluor", min = 0.5 }, { channel = "SSC-A", max = 60000 }]

[[gates]]
name = "CAR+"
parent = "T"
bounds = [{ channel = "CAR", scale = "fluor", min = 0.5 }, { channel = "CD3", scale = "fluor" }]

[[gates]]
name = "CAR-"
parent = "T"
none_of = ["CAR+"]

[[gates]]
name = "CD7+ T"
parent = "CAR-"
bounds = [{ channel = "CD7", scale = "fluor", min = 0.5 }, { channel = "CD3", scale = "fluor" }]

[[gates]]
name = "CD7- T"
parent = "CAR-"
none_of = ["CD7+ T"]

[[gates]]
name = "blasts"
parent = "leukocytes"
bounds = [
  { channel = "CD34", scale = "fluor", min = 0.5 },
  { channel = "CD3", scale = "fluor", max = 0.5 },
]

[[gates]]
name = "CD7+ blasts"
parent = "blasts"
bounds = [{ channel = "CD7", scale = "fluor", min = 0.5 }]

[roles]
leukocytes = "leukocytes"
nucleated = "leukocytes"
car_t = "CAR+"
car_negative_t = "CAR-"
cd7_positive_t = "CD7+ T"
cd7_negative_t = "CD7- T"
blasts = "blasts"
cd7_positive_blasts = "CD7+ blasts"
mrd = "blasts"
"""


def write_tube(
    path: Path, cells: Mapping[str, int], *, seed: int = 1, spread: float = 0.3, step: float = 1.0
) -> Path:
    """An FCS file of so many cells per population; ``step`` scales CD7 on blasts."""
    random = np.random.default_rng(seed)
    blocks = []
    for name, count in cells.items():
        fsc, ssc, *dyes = POPULATIONS[name]
        if name.endswith("blasts"):
            dyes[1] *= step
        area = fsc * random.lognormal(0, 0.1, count)
        scatter = [area, area * random.normal(0.9, 0.02, count)]
        scatter.append(ssc * random.lognormal(0, 0.15, count))
        bright = np.array(dyes) * random.lognormal(0, spread, (count, 5))
        noise = random.normal(0, 60, (count, 5))
        blocks.append(np.column_stack([*scatter, (bright + noise) @ SPILL]))
    table = np.concatenate(blocks)
    random.shuffle(table)
    names = list(CHANNELS)
    numbers = ",".join(f"{x:g}" for x in SPILL.ravel())
    text = {f"$P{i}S": marker for i, marker in enumerate(CHANNELS.values(), start=1) if marker}
    text["SPILL"] = f"5,{','.join(names[3:])},{numbers}"
    return write_fcs(path, list(table.T), names=names, keywords=text)


HEALTHY = {"debris": 300, "granulocytes": 4000, "B": 300, "CD7- T": 200}
# Events per microlitre at 5e9/L: leukocytes are made to be 5,000, so an event is one cell per uL.
BLOOD = {
    "P01": {0: 410, 5: 36, 8: 0, 12: 0},
    "P02": {0: 300, 5: 120, 8: 60, 12: 0},
}


def write_study(folder: Path, *, more: int = 1, wbc: float = 5) -> Path:
    """A sheet, a gating file and tubes: blood of two patients, marrow of one at three times.

    ``more`` multiplies every cell; ``wbc`` is the white-cell count in 1e9/L.
    """
    folder.mkdir(exist_ok=True)
    (folder / "gating.toml").write_text(GATING)
    rows = ["file,patient,day,specimen,gating,timepoint,wbc_1e9_per_l"]
    for patient, course in BLOOD.items():
        for day, positive in course.items():
            car = {"CAR-T": 10 * day, "CD7+ CAR-T": 5 if day else 0}
            cells = {**HEALTHY, "CD7+ T": positive, **car}
            rest = 5000 - sum(n for name, n in cells.items() if name != "debris")
            cells["granulocytes"] += rest
            name = f"{patient}_d{day}.fcs"
            counted = {k: n * more for k, n in cells.items()}
            write_tube(folder / name, counted, seed=day + 1 + 100 * (patient == "P02"))
            rows.append(f"{name},{patient},{day},blood,gating.toml,,{wbc}")
    marrow = {"baseline": (-7, 1500, 100), "remission": (28, 0, 3), "relapse": (180, 60, 900)}
    for state, (day, positive, negative) in marrow.items():
        name = f"P01_{state}.fcs"
        cells = {**HEALTHY, "CD7+ T": 150, "CD7+ blasts": positive, "CD7- blasts": negative}
        counted = {k: n * more for k, n in cells.items()}
        if state == "remission":
            counted["CD7- blasts"] = negative
        write_tube(folder / name, counted, seed=day + 50)
        rows.append(f"{name},P01,{day},marrow,gating.toml,{state},")
    sheet = folder / "flow.csv"
    sheet.write_text("\n".join(rows) + "\n")
    return sheet
