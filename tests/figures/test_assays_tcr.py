"""Figures of repertoires with few samples, many patients and long names: what they must show."""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.patches import Rectangle

from graftline.assays.tcr.overlap import overlap_table
from graftline.assays.tcr.spectrum import spectrum_of
from graftline.figures.assays_tcr import draw_overlap, draw_rarefaction, draw_repertoire_courses
from graftline.figures.assays_tcr_traced import draw_rank_bands


@pytest.fixture(autouse=True)
def closed() -> None:
    plt.close("all")


def courses(patients: int, *, donor: bool) -> pl.DataFrame:
    months = ([None] if donor else []) + [1.0, 12.0]
    rows = [(f"P{n:02d}", month, 0.1 * n) for n in range(patients) for month in months]
    schema = {"patient": pl.String, "month": pl.Float64, "clonality": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_no_two_patients_look_alike() -> None:
    (axes,) = draw_repertoire_courses(courses(20, donor=False), measures=("clonality",)).axes
    looks = {(line.get_color(), line.get_marker()) for line in axes.get_lines()}
    assert len(looks) == 20


@pytest.mark.parametrize("donor", [True, False])
def test_the_donor_has_a_place_only_where_there_is_one(donor: bool) -> None:
    (axes,) = draw_repertoire_courses(courses(2, donor=donor), measures=("clonality",)).axes
    assert ("donor" in [tick.get_text() for tick in axes.get_xticklabels()]) is donor


def test_a_sample_from_before_month_0_does_not_lie_on_the_donors() -> None:
    table = courses(1, donor=True).vstack(
        pl.DataFrame({"patient": "P00", "month": -1.5, "clonality": 0.2})
    )
    (axes,) = draw_repertoire_courses(table, measures=("clonality",)).axes
    places = dict(
        zip((t.get_text() for t in axes.get_xticklabels()), axes.get_xticks(), strict=True)
    )
    assert places["donor"] < -1.5 < places["0"]
    (dotted,) = (line for line in axes.get_lines() if line.get_linestyle() == ":")
    assert np.asarray(dotted.get_path().vertices)[:, 0].tolist() == [places["donor"], 1.0]


def test_rarefaction_names_samples_and_a_donor_only_if_there_is_one() -> None:
    spectra = {"All": {"long name": spectrum_of([3, 1]), "b": spectrum_of([2, 2])}}
    none = dict.fromkeys(("long name", "b"))
    figure = draw_rarefaction(spectra, months=none, labels={"long name": "short"})
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["short", "b"]
    for donors, words in ((None, "(dashed: donor)"), (1.0, "Months from HSPC")):
        figure = draw_rarefaction(spectra, months={"long name": 12.0, "b": donors})
        assert figure.axes[-1].get_ylabel().endswith(words)


def test_an_overlap_that_is_small_is_not_shown_as_none() -> None:
    rows = [("a", "A", 999), ("a", "B", 1), ("b", "C", 999), ("b", "B", 1), ("c", "Z", 5)]
    clones = pl.DataFrame(rows, schema=["sample", "junction_aa", "count"], orient="row")
    axes = draw_overlap(overlap_table(clones, key="aa"), labels={"a": "first"}).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["0", "0", "1e-06"]
    assert axes.get_xticklabels()[0].get_text() == "first"


@pytest.mark.parametrize(
    ("labels", "turned"),
    [
        ("donor 1 3 6 12", False),
        ("donor product 1 3 6 12", True),
        ("1 2 3 4 5 6 7 8 9 10 12", True),
    ],
)
def test_labels_that_would_touch_are_turned(labels: str, turned: bool) -> None:
    names = {f"s{n}": label for n, label in enumerate(labels.split())}
    bands = pl.DataFrame({"patient": "P", "sample": list(names), "band": "1-10", "share": 0.5})
    (axes,) = draw_rank_bands(bands, labels=names, titles={"P": "P"}, time="Months").axes
    assert {tick.get_rotation() for tick in axes.get_xticklabels()} == {90.0 if turned else 0.0}


def test_one_sample_is_a_bar_and_not_a_wall() -> None:
    bands = pl.DataFrame({"patient": "P", "sample": "s", "band": ["1-10", "other"], "share": 0.5})
    (axes,) = draw_rank_bands(bands, labels={"s": "12"}, titles={"P": "P"}, time="Months").axes
    low, high = axes.get_xlim()
    bar = axes.patches[0]
    assert isinstance(bar, Rectangle)
    assert bar.get_width() < 0.2 * (high - low)
    assert low + high == pytest.approx(0)
