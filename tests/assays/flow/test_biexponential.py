"""FlowJo's biexponential scale.

Truth: the table that FlowJo prints, and FlowKit 1.3.2, which agrees with FlowJo's gates.
"""

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from graftline.assays.flow.biexponential import (
    biexponential,
    biexponential_table,
    inverse_biexponential,
)
from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.gates import gate_sample
from graftline.assays.flow.gating_file import parse_gating
from graftline.assays.flow.scales import Scale, apply_scale
from graftline.problems import InputError
from tests.assays.flow.fcs_writer import write_fcs
from tests.reference import reference_path


def test_the_table_is_flowjos() -> None:
    name = "tr_biex_l256_w-7.943282_n1.000000_m4.418540_r262144.000029.csv"
    with reference_path(f"flow/flowjo_xforms/{name}").open() as stream:
        printed = [float(row["lookup[i]"]) for row in csv.DictReader(stream)]
    table = biexponential_table(
        width_basis=-7.943282, negative=1.0, positive=4.418540, top=262144.000029
    )
    # FlowJo prints six digits, and all bins but the last.
    assert table[:-1] == pytest.approx(np.array(printed), rel=5e-6, abs=5e-4)
    bins = biexponential(
        np.array(printed), width_basis=-7.943282, negative=1, positive=4.41854, top=262144.000029
    )
    assert bins == pytest.approx(np.arange(4096), abs=0.01)


def test_values_are_flowkits_for_every_setting_of_flowjo() -> None:
    transforms = pytest.importorskip("flowkit").transforms
    random = np.random.default_rng(1)
    values = np.concatenate([random.normal(0, 2000, 500), random.lognormal(8, 3, 500), [0.0]])
    settings = product((0, 0.5, 1, 2), (-1, -3.16, -10, -100, -1000), (4, 4.41854, 6), (1e4, 4e6))
    for negative, width, positive, top in settings:
        scale = Scale("biex", t=top, width=width, positive=positive, negative=negative)
        theirs = transforms.WSPBiexTransform(negative, width, positive, top).apply(values)
        assert apply_scale(values, scale) == pytest.approx(theirs, rel=1e-9, abs=1e-7)


def test_ends_and_values_that_are_no_numbers() -> None:
    of = {"width_basis": -10.0, "negative": 0.0, "positive": 4.41854, "top": 262144.0}
    table = biexponential_table(**of)
    assert (np.diff(table) > 0).all()
    assert table[-1] == pytest.approx(262144, rel=0.003)
    found = biexponential(np.array([-1e9, 0.0, 1e9, np.nan, np.inf, -np.inf]), **of)
    # The bin of 0: half a decade of ten below it, 4.41854 - 0.5 above.
    assert found[:3].tolist() == [0, int(0.5 * 4096 / 4.41854), 4096]
    assert np.isnan(found[3])
    assert found[4:].tolist() == [4096, 0]
    assert inverse_biexponential(np.array([-1.0, 4097.0]), **of).tolist() == [-np.inf, np.inf]
    with pytest.raises(ValueError, match="width <= -1"):
        biexponential_table(width_basis=0.5, negative=0, positive=4.5, top=262144)


def test_gates_of_a_gating_file_hold_what_flowjos_bins_hold(tmp_path: Path) -> None:
    transforms = pytest.importorskip("flowkit").transforms
    random = np.random.default_rng(2)
    columns = [np.where(random.random(3000) < 0.5, 50, 9000) * random.lognormal(0, 0.4, 3000)] * 2
    columns = [column + random.normal(0, 80, 3000) for column in columns]
    sample = read_fcs(write_fcs(tmp_path / "a.fcs", columns, names=["X", "Y"]))
    content = {
        "scales": {"fj": {"kind": "biex", "t": 262144, "width": -100, "negative": 0.5}},
        "gates": [
            {"name": "box", "bounds": [{"channel": "X", "scale": "fj", "min": 1500, "max": 3000}]},
            {
                "name": "triangle",
                "x": {"channel": "X", "scale": "fj"},
                "y": {"channel": "Y", "scale": "fj"},
                "vertices": [[0, 0], [4096, 0], [0, 4096]],
            },
        ],
    }
    inside = gate_sample(sample, parse_gating(content)).inside
    bins = transforms.WSPBiexTransform(0.5, -100, 4.41854, 262144)
    x, y = (bins.apply(column.astype("f4").astype("f8")) for column in columns)
    assert inside["box"].tolist() == ((x >= 1500) & (x < 3000)).tolist()
    assert inside["triangle"].tolist() == (x + y <= 4096).tolist()
    assert 0 < inside["triangle"].sum() < 3000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"width": 10}, "width <= -1"),
        ({"negative": -1}, "negative >= 0"),
        ({"width": -1000, "positive": 1.2}, "log10"),
        ({"w": 0.5}, "not 'w'"),
        ({"width": "wide"}, "width = 'wide'"),
    ],
)
def test_settings_that_make_no_scale_are_findings(given: dict[str, object], words: str) -> None:
    content = {
        "scales": {"fj": {"kind": "biex", **given}},
        "gates": [{"name": "g", "bounds": [{"channel": "X", "scale": "fj", "min": 1}]}],
    }
    with pytest.raises(InputError, match=words) as caught:
        parse_gating(content)
    assert len(caught.value.problems) == 1
