"""Swimmer plot: each patient's course from the index infusion, and what happened on the way."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from graftline.figures.theme import (
    BLACK,
    BLUE,
    DAYS_PER_MONTH,
    DOUBLE_COLUMN,
    GREEN,
    MANY_PATIENTS,
    ORANGE,
    PURPLE,
    VERMILION,
    month_axis,
    new_figure,
    split_at,
    themed,
)
from graftline.trial import Trial, followup_ends, hsct_days

_BAR, _HATCH = "#CFE4F2", "#9CC4DF"
_LONG, _EARLY = 8.0, 3.0  # months: a longer course is drawn wider at first
_SIZES = {"relapse": 8.0, "death": 6.0}
# what is marked: label, marker, colour
_MARKS: Mapping[str, tuple[str, str, str]] = {
    "hsct": ("HSCT", "D", BLUE),
    "remission": ("CR, CRh or CRi", "^", GREEN),
    "gvhd": ("acute GVHD", "s", ORANGE),
    "autologous": ("autologous recovery", "v", PURPLE),
    "relapse": ("relapse or progression", "*", VERMILION),
    "death": ("death", "X", BLACK),
}


def swimmer_lanes(trial: Trial) -> pl.DataFrame:
    """One lane per infused patient, longest first.

    Returns
    -------
    DataFrame [patient, end_day, dead, assumed, lane]
    """
    infused = trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    return (
        followup_ends(trial)
        .join(infused.select("patient"), on="patient", how="semi")
        .drop_nulls("end_day")
        .sort("end_day", "patient", descending=[True, False])
        .select("patient", "end_day", "dead", "assumed")
        .with_row_index("lane")
    )


def swimmer_marks(trial: Trial, chosen: pl.DataFrame) -> pl.DataFrame:
    """Events with a known day from the index infusion.

    Returns
    -------
    DataFrame [patient, mark, day]
    """
    grafts = hsct_days(trial).select("patient", "hsct_day")
    ends = followup_ends(trial)
    yes = chosen.filter(pl.col("state") == "yes").select("patient", "rule", "day")
    after = yes.join(grafts, on="patient", how="left", validate="m:1")
    parts = [
        grafts.select("patient", mark=pl.lit("hsct"), day="hsct_day"),
        yes.filter(pl.col("rule") == "remission").select(
            "patient", mark=pl.lit("remission"), day="day"
        ),
        yes.filter(pl.col("rule") == "gvhd_before_hspc").select(
            "patient", mark=pl.lit("gvhd"), day="day"
        ),
        # these two count their days from HSPC
        after.filter(pl.col("rule") == "acute_gvhd").select(
            "patient", mark=pl.lit("gvhd"), day=pl.col("day") + pl.col("hsct_day")
        ),
        after.filter(pl.col("rule") == "autologous_recovery").select(
            "patient", mark=pl.lit("autologous"), day=pl.col("day") + pl.col("hsct_day")
        ),
        yes.filter(pl.col("rule").is_in(["relapse", "progression"])).select(
            "patient", mark=pl.lit("relapse"), day="day"
        ),
        ends.filter("dead").select("patient", mark=pl.lit("death"), day="death_day"),
    ]
    return pl.concat(parts).drop_nulls("day").sort("patient", "mark", "day")


def shown_lanes(lanes: pl.DataFrame, *, most: int = MANY_PATIENTS) -> pl.DataFrame:
    """All lanes, or ``most`` of them evenly spread over the lengths of follow-up."""
    if lanes.height <= most:
        return lanes
    keep = np.unique(np.linspace(0, lanes.height - 1, most).astype(np.int64))
    return lanes.drop("lane").select(pl.all().gather(keep.tolist())).with_row_index("lane")


def draw_swimmer(lanes: pl.DataFrame, marks: pl.DataFrame) -> Figure:
    """A bar per patient with marks; an arrow says that observation goes on.

    Parameters
    ----------
    lanes : DataFrame of ``swimmer_lanes`` (or ``shown_lanes``)
    marks : DataFrame of ``swimmer_marks``
    """
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 1.2 + 0.19 * lanes.height)
        axes = figure.subplots()
        y = -lanes["lane"].cast(pl.Float64).to_numpy()
        ends = lanes["end_day"].to_numpy() / DAYS_PER_MONTH
        assumed = lanes["assumed"].fill_null(value=False).to_numpy()
        bars = axes.barh(y, ends, height=0.6, color=_BAR, linewidth=0)
        for bar, guess in zip(bars, assumed, strict=True):
            if guess:
                bar.set_hatch("////")
                bar.set_edgecolor(_HATCH)
        alive = ~lanes["dead"].to_numpy()
        axes.plot(
            ends[alive] + max(ends.max(), 1) * 0.008,
            y[alive],
            linestyle="none",
            marker=">",
            color=BLUE,
            markersize=4.5,
            label="alive at last contact",
            clip_on=False,
        )
        placed = marks.join(lanes.select("patient", "lane"), on="patient", how="inner")
        for key, (label, marker, colour) in _MARKS.items():
            part = placed.filter(pl.col("mark") == key)
            if part.height:
                axes.plot(
                    part["day"].to_numpy() / DAYS_PER_MONTH,
                    -part["lane"].cast(pl.Float64).to_numpy(),
                    linestyle="none",
                    marker=marker,
                    color=colour,
                    label=label,
                    markersize=_SIZES.get(key, 5.5),
                    markeredgecolor="white",
                    markeredgewidth=0.4,
                    clip_on=False,
                    zorder=3,
                )
        axes.set_yticks(y, lanes["patient"].to_list())
        axes.set_ylim(y.min() - 0.7, 0.7)
        axes.tick_params(axis="y", left=False)
        axes.spines["left"].set_visible(False)
        last = float(lanes["end_day"].max())  # type: ignore[arg-type]  # never empty, never null
        months = last / DAYS_PER_MONTH
        if months > _LONG:
            axes.set_xlim(0, months)
            split_at(axes, months * 1.02, at=_EARLY, share=0.4)
            axes.set_xlabel(f"Months from index infusion (closer together after month {_EARLY:g})")
        else:
            month_axis(axes, last, label="Months from index infusion")
        handles, labels = axes.get_legend_handles_labels()
        if assumed.any():
            handles.append(Patch(facecolor=_BAR, hatch="////", edgecolor=_HATCH, linewidth=0))
            labels.append("end of follow-up assumed")
        figure.legend(handles, labels, loc="outside lower left", ncols=4)
    return figure
