"""CAR-T kinetics in blood, T cells by CD7, donor chimerism, and immune reconstitution."""

from collections.abc import Iterable, Sequence

import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graftline.figures.courses import draw_courses, mark_transplants
from graftline.figures.theme import DOUBLE_COLUMN, new_figure, split_at, themed
from graftline.trial import Trial, hsct_days

_LOWEST_LIMITS = 3
_LONG, _EARLY = 250.0, 100.0  # days: a longer course is drawn wider at first
_NOT_PATIENTS = (
    "HSCT",
    "HSCT (median)",
    "median",
    "5th to 95th percentile",
    "25th to 75th percentile",
)
_PANELS = {
    "car_t_qpcr": "CAR-T by qPCR (copies/\N{MICRO SIGN}g DNA)",
    "car_t_flow": "CAR-T by flow (cells/\N{MICRO SIGN}L)",
    "cd3_cd7_positive": "CD7+ T cells (cells/\N{MICRO SIGN}L)",
    "cd3_cd7_negative": "CD7\N{MINUS SIGN} T cells (cells/\N{MICRO SIGN}L)",
    "cd4": "CD4+ T cells (cells/\N{MICRO SIGN}L)",
    "cd8": "CD8+ T cells (cells/\N{MICRO SIGN}L)",
    "nk": "NK cells (cells/\N{MICRO SIGN}L)",
    "nk_cd7_negative": "CD7\N{MINUS SIGN} NK cells (cells/\N{MICRO SIGN}L)",
    "nk_cd7_positive": "CD7+ NK cells (cells/\N{MICRO SIGN}L)",
    "cd19": "B cells (cells/\N{MICRO SIGN}L)",
}
_BLOOD = {
    "anc": "Neutrophils (1e9/L)",
    "platelets": "Platelets (1e9/L)",
}


def lab_courses(trial: Trial, analyte: str, *, from_hspc: bool = False) -> pl.DataFrame:
    """Values of one analyte over time.

    Returns
    -------
    DataFrame [patient, day, value, below, lloq]
        ``day`` from the index infusion, or from HSPC (patients with HSPC only). ``below`` where a
        row says so or its value is less than ``lloq``, at which it then stands.
    """
    below = (pl.col("quantification") == "below").fill_null(value=False)
    below |= (pl.col("value") < pl.col("lloq")).fill_null(value=False)
    rows = (
        trial["labs"]
        .filter(pl.col("analyte") == analyte)
        .select(
            "patient",
            "day",
            value=pl.when(below).then(pl.coalesce("lloq", "value")).otherwise("value"),
            below=below,
            lloq="lloq",
        )
    )
    if not from_hspc:
        return rows.sort("patient", "day")
    days = hsct_days(trial).select("patient", "hsct_day")
    return (
        rows.join(days, on="patient", how="inner", validate="m:1")
        .with_columns(day=pl.col("day") - pl.col("hsct_day"))
        .drop("hsct_day")
        .sort("patient", "day")
    )


def draw_analytes(trial: Trial, analytes: Sequence[str], *, columns: int = 2) -> Figure | None:
    """One panel per analyte with records, on logarithmic axes, HSCT marked; else none."""
    courses = {a: lab_courses(trial, a) for a in analytes}
    courses = {a: frame for a, frame in courses.items() if not frame.is_empty()}
    if not courses:
        return None
    transplants = hsct_days(trial)["hsct_day"]
    patients = _everybody(courses.values())
    columns = min(columns, len(courses))
    rows = -(-len(courses) // columns)
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 0.5 + 2.25 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (analyte, frame) in zip(grid, courses.items(), strict=False):
            _panel(axes, frame, _PANELS[analyte], transplants, patients)
        for axes in grid[len(courses) :]:
            axes.set_visible(False)
        _shared_legend(figure, list(grid[: len(courses)]))
    return figure


def draw_blood_counts(trial: Trial) -> Figure | None:
    """Neutrophils and platelets after HSPC, with the thresholds of engraftment; none without."""
    courses = {a: lab_courses(trial, a, from_hspc=True) for a in _BLOOD}
    courses = {a: f.filter(pl.col("day").is_between(-30, 100)) for a, f in courses.items()}
    courses = {a: frame for a, frame in courses.items() if not frame.is_empty()}
    if not courses:
        return None
    patients = _everybody(courses.values())
    thresholds = {"anc": (0.5,), "platelets": (20.0, 50.0)}
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 2.75)
        panels = figure.subplots(1, len(courses), squeeze=False)[0]
        for axes, (analyte, frame) in zip(panels, courses.items(), strict=True):
            draw_courses(axes, frame, log=True, patients=patients)
            for level in thresholds[analyte]:
                axes.axhline(level, color="black", linewidth=0.7, linestyle="--")
            axes.axvline(0, color="black", linewidth=0.6)
            axes.set_title(_BLOOD[analyte])
            axes.set_xlabel("Days from HSPC")
        _shared_legend(figure, list(panels))
    return figure


def draw_chimerism(tests: pl.DataFrame) -> Figure:
    """Donor chimerism after HSPC, one panel per lineage, with the limits of its classes.

    Parameters
    ----------
    tests : DataFrame [patient, hsct_day, lineage, donor_percent]
    """
    patients = _everybody([tests])
    lineages = tests["lineage"].unique().sort().to_list()
    columns = min(3, len(lineages))
    rows = -(-len(lineages) // columns)
    with themed():
        figure = new_figure(DOUBLE_COLUMN if columns > 1 else DOUBLE_COLUMN * 0.7, 0.4 + 2.2 * rows)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, lineage in zip(grid, lineages, strict=False):
            part = tests.filter(pl.col("lineage") == lineage).select(
                "patient", day="hsct_day", value="donor_percent", below=pl.lit(value=False)
            )
            draw_courses(axes, part, log=False, width_days=15.0, patients=patients)
            for limit in (5, 95):
                axes.axhline(limit, color="black", linewidth=0.6, linestyle="--")
            axes.set_ylim(-3, 103)
            axes.set_xlim(0, max(float(tests["hsct_day"].max()) * 1.05, 30.0))  # type: ignore[arg-type]  # never empty
            axes.set_title(lineage if lineage == "unsorted" else lineage.upper())
            axes.set_xlabel("Days from HSPC")
        for axes in grid[len(lineages) :]:
            axes.set_visible(False)
        grid[0].set_ylabel("Donor (%)")
        _shared_legend(figure, list(grid[: len(lineages)]))
    return figure


def _everybody(frames: Iterable[pl.DataFrame]) -> list[str]:
    return pl.concat([f.select("patient") for f in frames])["patient"].unique().sort().to_list()


def _panel(
    axes: Axes,
    frame: pl.DataFrame,
    title: str,
    transplants: pl.Series,
    patients: Sequence[str],
) -> None:
    limits = sorted(frame["lloq"].drop_nulls().unique().to_list())
    shown = limits if len(limits) <= _LOWEST_LIMITS else []
    draw_courses(axes, frame, log=True, lloq=shown, patients=patients)
    mark_transplants(axes, transplants)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_title(title)
    last = float(axes.get_xlim()[1])
    if last > _LONG:
        axes.set_xlim(left=min(0.0, float(frame["day"].min() or 0.0)) - 2.0)  # type: ignore[arg-type]  # a Float64 column
        split_at(axes, last, at=_EARLY)
        axes.set_xlabel(f"Days from index infusion,\ncloser together after day {_EARLY:g}")
    else:
        axes.set_xlabel("Days from index infusion")


def _shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    # patients by name, then what is not a patient
    names = sorted(found, key=lambda name: (name in _NOT_PATIENTS, name))
    if names:
        handles = [found[name] for name in names]
        figure.legend(handles, names, loc="outside lower left", ncols=min(len(names), 6))
