"""Responses to stimulation by hand: net of unstimulated, patients against donors."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_ind

from graftline.assays.function import (
    compare_people,
    compare_roles,
    net_responses,
    read_stimulation,
    summarize_responses,
)
from graftline.problems import InputError

NAMES = ("subject", "role", "day", "stimulus", "replicate", "responding", "parent")


def wells(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NAMES, orient="row")


SOUND = (
    ("P1", "patient", 180, "none", 1, 10, 10_000),
    ("P1", "patient", 180, "none", 2, 30, 10_000),
    ("P1", "patient", 180, "cmv", 1, 120, 10_000),
    ("P1", "patient", 180, "cmv", 2, 80, 10_000),
    ("P1", "patient", 180, "ebv", 1, 10, 10_000),
)


def test_net_by_hand_with_replicates_kept() -> None:
    net = net_responses(read_stimulation(wells(*SOUND)))
    # Background (0.1 + 0.3) / 2 = 0.2 %.
    assert net.select("stimulus", "replicate", "net_percent").rows() == [
        ("cmv", 1, pytest.approx(1.0)),
        ("cmv", 2, pytest.approx(0.6)),
        ("ebv", 1, pytest.approx(-0.1)),  # negative, not cut at 0
    ]


def test_summary_says_whether_there_is_a_response() -> None:
    summary = summarize_responses(read_stimulation(wells(*SOUND)))
    by = {row["stimulus"]: row for row in summary.iter_rows(named=True)}
    assert by["cmv"]["net_mean"] == pytest.approx(0.8)
    assert by["cmv"]["net_sd"] == pytest.approx(0.4 / 2**0.5)
    assert (by["cmv"]["responds"], by["ebv"]["responds"]) == (True, False)
    assert by["ebv"]["net_sd"] is None
    # Pooled events alone say p < 2.2e-16, but the wells scatter nine times as much as counting:
    # chi-square 2 * 20^2 / 99 + 2 * 10^2 / 19.96 = 18.1 on 2, so t = 0.8 / 0.2323 on 2
    scatter = (2 * 20**2 / 99 + 2 * 10**2 / 19.96) / 2
    error = math.sqrt(scatter * 0.006 * 0.994 * 2 / 20_000)
    z = 0.008 / error
    # the tail of t on 2 degrees of freedom, in closed form
    assert by["cmv"]["p"] == pytest.approx(0.5 - 0.5 * z / math.sqrt(2 + z**2), rel=1e-9)


def test_people_are_compared_not_wells() -> None:
    rows = []
    levels = {"P1": 0.2, "P2": 0.4, "P3": 0.9, "D1": 2.0, "D2": 2.6}
    for subject, level in levels.items():
        role = "patient" if subject[0] == "P" else "donor"
        rows.append((subject, role, 0, "none", 1, 0, 10_000))
        rows += [(subject, role, 0, "cmv", r, int(level * 100), 10_000) for r in (1, 2, 3)]
    found = compare_roles(summarize_responses(read_stimulation(wells(*rows)))).row(0, named=True)
    assert (found["patients"], found["donors"]) == (3, 2)
    assert found["difference"] == pytest.approx(0.5 - 2.3)
    expected = ttest_ind([0.2, 0.4, 0.9], [2.0, 2.6], equal_var=False).pvalue
    assert found["p"] == pytest.approx(expected)


def test_one_person_a_side_has_no_p() -> None:
    rows = (*SOUND, ("D1", "donor", 0, "none", 1, 0, 100), ("D1", "donor", 0, "cmv", 1, 5, 100))
    found = compare_roles(summarize_responses(read_stimulation(wells(*rows))))
    cmv = found.filter(pl.col("stimulus") == "cmv").row(0, named=True)
    assert (cmv["p"], cmv["difference"]) == (None, pytest.approx(0.8 - 5))
    ebv = found.filter(pl.col("stimulus") == "ebv").row(0, named=True)
    assert (ebv["donors"], ebv["donor_mean"], ebv["difference"]) == (0, None, None)


def test_all_faults_at_once() -> None:
    rows = (
        ("P1", "relative", 0, "none", 1, 1, 10),
        ("P1", "patient", 0, "pha", 1, 1, 10),
        ("P1", "patient", 0, "cmv", 1, 11, 10),
        ("P1", "patient", 0, "cmv", 1, 1, 10),
        ("P2", "patient", 0, "cmv", 1, None, 0),
    )
    with pytest.raises(InputError) as caught:
        read_stimulation(wells(*rows))
    text = str(caught.value)
    for word in (
        "row 2, column role",
        "row 3, column stimulus",
        "row 4, column responding",
        "row 5, column replicate",
        "row 6, column parent",
        "row 6 (P2)",
    ):
        assert word in text, word
    with pytest.raises(InputError, match="a column parent"):
        read_stimulation(wells(*rows).drop("parent"))


@pytest.mark.parametrize(
    ("patients", "donors", "p"),
    [
        # R: t.test(c(10, 12, 15), c(20, 26))$p.value; R refuses constant data, so the second is by
        # hand: t = -3 with one degree of freedom, of which the tail is an arctangent
        ((10.0, 12.0, 15.0), (20.0, 26.0), 0.124031747445),
        ((10.0, 10.0), (19.0, 28.0), 2 * (0.5 - math.atan(3.0) / math.pi)),
        ((10.0, 10.0), (20.0, 20.0), None),
        ((0.1 + 0.2, 0.3), (20.0, 20.0 + 4e-15), None),
        ((10.0,), (20.0, 26.0), None),
    ],
)
def test_patients_beside_donors(patients, donors, p) -> None:
    people = [("patient", v) for v in patients] + [("donor", v) for v in donors]
    rows = [("cmv", role, f"{role} {n}", value) for n, (role, value) in enumerate(people)]
    table = pl.DataFrame(rows, schema=["stimulus", "role", "person", "net"], orient="row")
    found = compare_people(table, value="net", role="role", person="person")["p"][0]
    assert found == (None if p is None else pytest.approx(p, rel=1e-4))


@pytest.mark.parametrize(("effect", "low", "high"), [(1.0, 0.0, 0.1), (3.0, 0.85, 1.0)])
def test_wells_that_scatter_do_not_make_responses(effect, low, high) -> None:
    # truth: 0.3 % at rest, wells scatter by 30 %; Fisher's test alone calls a quarter responders
    random = np.random.default_rng(6)
    rows = []
    for n in range(150):
        for stimulus, factor in (("none", 1.0), ("cmv", effect)):
            share = 0.003 * factor * random.gamma(1 / 0.3**2, 0.3**2, 3)
            rows += [
                (f"P{n}", "patient", 0, stimulus, r + 1, int(random.binomial(20_000, p)), 20_000)
                for r, p in enumerate(share)
            ]
    summary = summarize_responses(read_stimulation(wells(*rows)))
    assert low <= summary["responds"].mean() <= high


def test_wells_that_scatter_as_counting_does_keep_the_exact_test() -> None:
    # 36 of 3,000 against 18 of 3,000: the hypergeometric tail, term by term
    rows = [("P1", "patient", 0, "none", r, 6, 1000) for r in (1, 2, 3)]
    rows += [("P1", "patient", 0, "cmv", r, 12, 1000) for r in (1, 2, 3)]
    p = summarize_responses(read_stimulation(wells(*rows)))["p"].item()
    expected = sum(
        math.comb(3000, k) * math.comb(3000, 54 - k) / math.comb(6000, 54) for k in range(36, 55)
    )
    assert p == pytest.approx(expected, rel=1e-9)
