"""Small cases with everything that goes wrong in real data, against R (tests/golden/*.R)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graftline.stats.kaplan_meier import kaplan_meier
from graftline.stats.logrank import logrank
from graftline.stats.mantel_byar import mantel_byar
from graftline.stats.nelson_aalen import nelson_aalen

FOLDER = Path(__file__).resolve().parents[1] / "golden"
CASES = pl.read_csv(FOLDER / "survival_cases.csv", infer_schema_length=None)
ANSWERS = pl.read_csv(FOLDER / "survival_cases_r.csv")
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


def answers(case: int, prefix: str) -> dict[str, np.ndarray]:
    rows = ANSWERS.filter((pl.col("case") == case) & pl.col("quantity").str.starts_with(prefix))
    return {
        name.removeprefix(prefix): np.array(
            [np.nan if v in ("NA", "NaN", "Inf") else float(v) for v in values.split()]
        )
        for _, name, values in rows.rows()
    }


def assert_equal(found, expected: np.ndarray) -> None:
    values = np.where(np.isinf(found), np.nan, np.asarray(found, dtype=float))
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-11)


case_numbers = pytest.mark.parametrize("case", CASES["case"].unique(maintain_order=True).to_list())


@case_numbers
@pytest.mark.parametrize(
    ("kind", "interval"),
    [
        *(("whole", interval) for interval in ("plain", "log", "log-log", "logit", "arcsin")),
        ("weighted", "log"),
        ("fraction", "log"),
        ("late", "log-log"),
        ("late_fraction", "log-log"),
    ],
)
def test_curves_as_survfit(case: int, kind: str, interval: str) -> None:
    """golden: survfit(Surv(time, status) ~ 1), with weights, with Surv(entry, stop, status)."""
    rows = CASES.filter(pl.col("case") == case)
    late, weight = kind.startswith("late"), kind.removeprefix("late").removeprefix("_")
    time = rows["stop" if late else "time"]
    weights = {"weighted": rows["weight"], "fraction": rows["fraction"]}.get(weight)
    entry = rows["entry"] if late else None
    options = {"entry": entry, "weights": weights}
    curve = kaplan_meier(time, rows["status"], interval=interval, **options)
    hazard = nelson_aalen(time, rows["status"], **options)
    expected = answers(case, f"{kind}.{interval}.")
    # Where everybody at risk has the event S is 0; with fractional weights R subtracts sums that
    # differ in the last bit and goes on from 1e-17, with limits. Those rows are not R's answer.
    survival = expected["survival"]
    sound = (np.abs(survival) > 1e-12) | (survival == 0.0)
    assert_equal(curve.survival, np.where(sound, survival, 0.0))
    for name in ("time", "at_risk", "std_error", "lower", "upper"):
        assert_equal(getattr(curve, name)[sound], expected[name][sound])
    assert_equal(hazard.cumulative_hazard, expected["hazard"])
    assert_equal(hazard.std_error, expected["hazard_error"])


@case_numbers
@pytest.mark.parametrize("interval", ["plain", "log", "log-log", "logit", "arcsin"])
def test_quantiles_as_quantile_survfit(case: int, interval: str) -> None:
    """golden: quantile(survfit(Surv(time, status) ~ 1, conf.type=), probs)."""
    rows = CASES.filter(pl.col("case") == case)
    curve = kaplan_meier(rows["time"], rows["status"], interval=interval)
    quantiles = [curve.quantile(p) for p in SHARES]
    found = [getattr(q, name) for name in ("value", "lower", "upper") for q in quantiles]
    assert_equal(found, answers(case, f"quantile.{interval}")[""])


@case_numbers
def test_tests_as_survdiff_and_coxph(case: int) -> None:
    """golden: survdiff(... rho=), with strata; coxph(ties="exact")$score on tmerge rows."""
    rows = CASES.filter(pl.col("case") == case)
    columns = (rows["time"], rows["status"], rows["group"])
    for kind, strata in (("logrank", None), ("stratified", rows["stratum"])):
        for rho, expected in answers(case, f"{kind}.").items():
            found = logrank(*columns, strata=strata, weighting="fleming-harrington", rho=float(rho))
            assert_equal([found.chi_square], expected)
    found = mantel_byar(rows["stop"], rows["status"], rows["switch"])
    assert_equal([found.chi_square], answers(case, "mantel_byar")[""])
