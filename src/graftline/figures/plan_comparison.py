"""Paired differences between plans on the same virtual patients, one panel of lines."""

import polars as pl
from matplotlib.figure import Figure

from graftline.figures.theme import BLACK, CYCLE, DOUBLE_COLUMN, new_figure, themed

_LINE = 0.19  # inches


def draw_plan_differences(rows: pl.DataFrame) -> Figure:
    """Difference of each plan from the first, in points, with Monte Carlo intervals.

    Parameters
    ----------
    rows : DataFrame [plan, outcome, difference, lower, upper]
        The first plan of each outcome is the reference and is not drawn.
    """
    plans = rows["plan"].unique(maintain_order=True).to_list()
    outcomes = rows["outcome"].unique(maintain_order=True).to_list()
    others, step = plans[1:], len(plans)
    with themed():
        figure = new_figure(DOUBLE_COLUMN, 1.2 + _LINE * step * len(outcomes))
        axes = figure.subplots()
        for place, plan in enumerate(others):
            mine = rows.filter(pl.col("plan") == plan)
            height = [outcomes.index(o) * step + place for o in mine["outcome"]]
            colour = CYCLE[(place + 1) % len(CYCLE)]  # the first is the reference's in curves
            axes.hlines(height, mine["lower"], mine["upper"], color=colour, linewidth=1.1)
            axes.plot(mine["difference"], height, "s", color=colour, label=plan, linestyle="none")
        axes.axvline(0.0, color=BLACK, linewidth=0.7, linestyle=":", zorder=0)
        middle = (len(others) - 1) / 2
        axes.set_yticks([i * step + middle for i in range(len(outcomes))], outcomes)
        axes.set_ylim(step * len(outcomes) - 0.5, -1.0)
        axes.tick_params(left=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"Difference from {plans[0]} (percentage points)")
        axes.set_title("Paired differences, 95% Monte Carlo intervals")
        figure.legend(loc="outside lower center", ncols=1, frameon=False)
    return figure
