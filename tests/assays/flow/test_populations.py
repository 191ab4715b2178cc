"""Cells per microlitre, MRD and CD7 on blasts by hand."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.assays.flow.fcs import read_fcs
from graftline.assays.flow.gates import GatedSample, gate_sample
from graftline.assays.flow.gating_file import parse_gating
from graftline.assays.flow.markers import car_axis, cd7_axis, gate_markers, is_cd7
from graftline.assays.flow.populations import concentration, t_cell_labs
from graftline.assays.flow.residual import marrow_row, mrd_result
from graftline.assays.flow.sample_tables import mrd_table
from graftline.assess.mrd import classify_mrd
from graftline.problems import InputError
from tests.assays.flow.fcs_writer import write_fcs


def axis(channel: str, *, positive: bool) -> dict[str, object]:
    return {"channel": channel, **({"min": 100} if positive else {"max": 100})}


GATES = [
    {"name": "wbc", "bounds": [axis("CD45", positive=True)]},
    {"name": "T", "parent": "wbc", "bounds": [axis("CD3", positive=True)]},
    {"name": "CAR+", "parent": "T", "bounds": [axis("CAR", positive=True)]},
    {"name": "CAR-", "parent": "T", "bounds": [axis("CAR", positive=False)]},
    {"name": "CD7+", "parent": "CAR-", "bounds": [axis("CD7", positive=True)]},
    {"name": "CD7-", "parent": "CAR-", "bounds": [axis("CD7", positive=False)]},
    {"name": "any CD7+", "parent": "T", "bounds": [axis("CD7", positive=True)]},
    {"name": "blasts", "parent": "wbc", "bounds": [axis("CD34", positive=True)]},
    {"name": "CD7+ blasts", "parent": "blasts", "bounds": [axis("CD7", positive=True)]},
]
ROLES = {
    "leukocytes": "wbc",
    "nucleated": "wbc",
    "car_t": "CAR+",
    "car_negative_t": "CAR-",
    "cd7_positive_t": "CD7+",
    "cd7_negative_t": "CD7-",
    "mrd": "blasts",
    "blasts": "blasts",
    "cd7_positive_blasts": "CD7+ blasts",
}
#            CD45, CD3, CAR, CD7, CD34, events
CELLS = [
    ((500, 0, 0, 0, 0), 800),  # leukocytes without anything
    ((500, 500, 500, 500, 0), 100),  # CAR-T that carry CD7
    ((500, 500, 0, 500, 0), 30),  # CD7+ T
    ((500, 500, 0, 0, 0), 40),  # CD7- T
    ((500, 0, 0, 250, 500), 20),  # CD7-dim blasts
    ((500, 0, 0, 0, 500), 10),  # CD7- blasts
]


def gated(tmp_path: Path, **roles: str) -> GatedSample:
    table = np.repeat([c for c, _ in CELLS], [n for _, n in CELLS], axis=0).astype(float)
    names = ["CD45", "CD3", "CAR", "CD7", "CD34"]
    sample = read_fcs(write_fcs(tmp_path / "p.fcs", list(table.T), names=names))
    return gate_sample(sample, parse_gating({"gates": GATES, "roles": {**ROLES, **roles}}))


def test_t_cells_per_microlitre_leave_car_t_out(tmp_path: Path) -> None:
    # 1,000 leukocyte events stand for 5e9/L, so one event is 5 cells/uL.
    labs = t_cell_labs(gated(tmp_path), patient="P1", day=8, wbc_1e9_per_l=5.0, least_events=20)
    assert labs.select("analyte", "value", "quantification", "lloq").rows() == [
        ("cd3_cd7_positive", 150.0, "quantified", 100.0),
        ("cd3_cd7_negative", 200.0, "quantified", 100.0),
        ("car_t_flow", 500.0, "quantified", 100.0),
        (
            "cd3_cd7_positive_percent",
            pytest.approx(100 * 30 / 70),
            "quantified",
            pytest.approx(2000 / 70),
        ),
    ]
    assert labs["unit"].to_list() == ["cells/uL"] * 3 + ["%"]


def test_too_few_events_are_below_the_limit_and_not_zero(tmp_path: Path) -> None:
    labs = t_cell_labs(gated(tmp_path), patient="P1", day=8, wbc_1e9_per_l=5.0, least_events=50)
    below = labs.filter(pl.col("quantification") == "below")
    assert below.select("analyte", "value").rows()[0] == ("cd3_cd7_positive", 250.0)


def test_beads_by_hand() -> None:
    # 50,000 beads in 50 uL of blood are 1,000 per uL; 2,000 seen: one event is half a cell/uL.
    found = concentration(60, reference_events=2000, reference_per_ul=1000)
    assert (found.cells_per_ul, found.limit_per_ul) == (30.0, 10.0)
    with pytest.raises(ValueError, match="reference"):
        concentration(60, reference_events=0, reference_per_ul=1000)


def test_cd7_gates_that_hold_car_t_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CAR-T cells would count as T cells"):
        t_cell_labs(gated(tmp_path, cd7_positive_t="any CD7+"), patient="P", day=1, wbc_1e9_per_l=5)


def test_missing_roles_say_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'\[roles\] beads = "name of a gate"'):
        t_cell_labs(gated(tmp_path), patient="P", day=1, beads_per_ul=1000)
    with pytest.raises(ValueError, match="one of"):
        t_cell_labs(gated(tmp_path), patient="P", day=1, beads_per_ul=1, wbc_1e9_per_l=1)


def test_without_a_reference_there_are_shares_and_no_counts(tmp_path: Path) -> None:
    labs = t_cell_labs(gated(tmp_path), patient="P", day=1)
    assert labs["analyte"].to_list() == ["cd3_cd7_positive_percent"]
    # 170 T cells at 1.7e9 lymphocytes/L are 1,700 per uL: one event is 10 cells per uL.
    counted = t_cell_labs(
        gated(tmp_path, lymphocytes="T"), patient="P", day=1, lymphocytes_1e9_per_l=1.7
    )
    assert counted["value"].to_list()[0] == pytest.approx(300)


@pytest.mark.parametrize(
    ("events", "total", "label", "limit"),
    [
        (50, 500_000, "positive", 4e-5),
        (20, 200_000, "positive", 1e-4),
        (19, 500_000, "negative", 4e-5),
        (0, 500_000, "negative", 4e-5),
        (0, 499_999, "negative, low sensitivity", 20 / 499_999),
        (19, 200_000, "negative, low sensitivity", 1e-4),
        (20, 100_000, "positive", 2e-4),
    ],
)
def test_mrd_at_its_limits(events: int, total: int, label: str, limit: float) -> None:
    """20 events detect; 500,000 make a negative one (Heuser 2021), where they see 1e-4."""
    found = mrd_result(events, total)
    assert (found.label, found.limit_of_detection) == (label, pytest.approx(limit))
    assert found.low <= found.fraction <= found.high


@pytest.mark.parametrize(
    ("total", "needed", "label"),
    [(200_000, 0, "negative"), (199_999, 0, "negative, low sensitivity"), (1000, 1000, "negative")],
)
def test_what_a_negative_mrd_needs_is_the_laboratorys(total: int, needed: int, label: str) -> None:
    sensitivity = 1e-4 if total > 1000 else 0.02
    found = mrd_result(0, total, sensitivity=sensitivity, nucleated_events=needed)
    assert found.label == label


def test_the_page_says_of_mrd_what_the_trial_says(tmp_path: Path) -> None:
    """The label of a sample and the one that `assess` derives from its row of marrow."""
    random = np.random.default_rng(1)
    for events in (499_999, 500_000):
        values = random.random(events).astype("f4") + 1
        sample = read_fcs(write_fcs(tmp_path / "m.fcs", [values], names=["CD34"]))
        gates = [
            {"name": "nucleated", "bounds": [{"channel": "CD34", "min": 0}]},
            {"name": "mrd", "parent": "nucleated", "bounds": [{"channel": "CD34", "min": 9}]},
        ]
        roles = {"nucleated": "nucleated", "mrd": "mrd"}
        found = gate_sample(sample, parse_gating({"gates": gates, "roles": roles}))
        row = marrow_row(found, patient="P1", day=30, gate_markers="CD34")
        unknown = {"day_low": [None], "day_high": [None]}
        marrow = row.with_columns(pl.DataFrame(unknown, schema=dict.fromkeys(unknown, pl.Float64)))
        told = classify_mrd(marrow)["label"].to_list()
        assert told == mrd_table(found, markers="CD34")["label"].to_list()


def test_mrd_outside_the_nucleated_cells_is_refused(tmp_path: Path) -> None:
    sample = read_fcs(write_fcs(tmp_path / "m.fcs", [np.arange(10.0)], names=["X"]))
    gates = [
        {"name": "nucleated", "bounds": [{"channel": "X", "max": 6}]},
        {"name": "blasts", "bounds": [{"channel": "X", "min": 4}]},
    ]
    roles = {"nucleated": "nucleated", "mrd": "blasts"}
    found = gate_sample(sample, parse_gating({"gates": gates, "roles": roles}))
    # 6 to 9 are blasts and not nucleated.
    with pytest.raises(InputError, match="4 events of blasts outside"):
        mrd_table(found, markers="X")
    with pytest.raises(InputError, match="of which it is a share"):
        marrow_row(found, patient="P", day=1, gate_markers="X")


def test_mrd_interval_is_exact() -> None:
    # Nothing seen in n: the upper limit is 1 - 0.025^(1/n); "rule of three" with two-sided 95%.
    found = mrd_result(0, 500_000)
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 500_000), rel=1e-9)
    with pytest.raises(ValueError, match="nucleated events"):
        mrd_result(0, 0)


def test_marrow_row_with_cd7_on_blasts(tmp_path: Path) -> None:
    row = marrow_row(
        gated(tmp_path), patient="P1", day=30, gate_markers="CD34+CD45", cd7_channel="CD7"
    ).row(0, named=True)
    assert row["mrd"] == "positive"
    assert row["mrd_fraction"] == pytest.approx(0.03)
    assert row["mrd_sensitivity"] == pytest.approx(0.02)
    assert row["cd7_percent_of_blasts"] == pytest.approx(100 * 20 / 30)
    # Medians: 250 on the blasts (20 of 30 carry it), 500 on normal T cells.
    assert row["cd7_mfi_percent_of_normal_t"] == pytest.approx(50)
    few = marrow_row(
        gated(tmp_path), patient="P", day=1, gate_markers="CD34", detection_events=31
    ).row(0, named=True)
    assert few["mrd"] == "negative"
    assert few["cd7_percent_of_blasts"] is None


@pytest.mark.parametrize(
    ("label", "said"),
    [("CD7", True), ("CD7 PE-Cy7", True), ("anti-CD7", True), ("CD71", False), ("CD79a", False)],
)
def test_cd7_is_told_from_other_markers(tmp_path: Path, label: str, said: bool) -> None:
    sample = read_fcs(write_fcs(tmp_path / "a.fcs", [np.ones(2)], keywords={"$P1S": label}))
    assert is_cd7(sample, "C1") == said


def test_the_axis_of_car_is_found_beside_others(tmp_path: Path) -> None:
    gates = [dict(g) for g in GATES]
    gates[2] = {**gates[2], "bounds": [axis("CD45", positive=True), axis("CAR", positive=True)]}
    table = np.repeat([c for c, _ in CELLS], [n for _, n in CELLS], axis=0).astype(float)
    names = ["CD45", "CD3", "CAR", "CD7", "CD34"]
    sample = read_fcs(write_fcs(tmp_path / "p.fcs", list(table.T), names=names))
    found = gate_sample(sample, parse_gating({"gates": gates, "roles": ROLES}))
    car, cd7 = car_axis(found), cd7_axis(found)
    assert car is not None
    assert cd7 is not None
    assert (car.channel, cd7.channel) == ("CAR", "CD7")
    assert gate_markers(found, "CD7+ blasts") == ("CD45", "CD7", "CD34")
