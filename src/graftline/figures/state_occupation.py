"""Stacked state occupation: where patients are at each time, with the numbers in each state."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graftline.endpoints.states import DEATH, GVHD, HSCT, RELAPSE
from graftline.figures.survival_curves import Floats, risk_layout, thin_steps
from graftline.figures.theme import (
    DAYS_PER_MONTH,
    DOUBLE_COLUMN,
    SKY,
    VERMILION,
    YELLOW,
    day_axis,
    month_axis,
    themed,
)
from graftline.tables.states import StatesEstimate, count_in_states

_SHORT_DAYS = 190.0
DEAD = "#9A9A9A"
# the same state has the same colour in every model
COLOURS: Mapping[str, str] = {
    "infused": "#BFE0F2",
    HSCT: SKY,
    GVHD: YELLOW,
    RELAPSE: VERMILION,
    DEATH: DEAD,
}


def draw_occupation(estimate: StatesEstimate, *, title: str) -> Figure:
    """Probability of each state in percent, stacked to 100, death on top.

    Under the axis: patients observed in each state, and those dead by then. In months beyond half
    a year, else in days.
    """
    model = estimate.clinical.model
    with themed():
        figure, upper, lower = risk_layout(len(model.states))
        figure.set_figwidth(DOUBLE_COLUMN)  # the legend stands beside the stack
        last = estimate.last_day
        unit = 1.0 if last <= _SHORT_DAYS else DAYS_PER_MONTH
        bands = [(state, COLOURS[state]) for state in model.states]
        times = np.append(estimate.occupation.time, last) / unit
        shares = np.column_stack(
            (estimate.occupation.probability, estimate.occupation.probability[:, -1])
        )
        draw_stack(upper, times, 100 * shares, bands)
        upper.set_title(title)
        ticks = _ticks(upper, last, unit, estimate.origin)
        draw_numbers(
            lower,
            ticks,
            [
                (
                    state,
                    count_in_states(
                        estimate.clinical.stays, model.states, [t * unit for t in ticks]
                    )
                    .filter(state=state)["patients"]
                    .to_list(),
                )
                for state in model.states
            ],
        )
    return figure


def draw_stack(axes: Axes, time: Floats, percent: Floats, bands: Sequence[tuple[str, str]]) -> None:
    """Bands stacked from 0 to 100, named inside where there is room, in a legend beside it.

    Parameters
    ----------
    time : array (T)
        In units of the axis; values hold until the next time.
    percent : array (bands x T)
    bands : sequence of (label, colour), from the bottom up
    """
    time, *rows = thin_steps(time, *percent)
    edges = np.vstack((np.zeros(time.size), np.cumsum(np.array(rows), axis=0)))
    for place, (label, colour) in enumerate(bands):
        axes.fill_between(
            time,
            edges[place],
            edges[place + 1],
            step="post",
            facecolor=colour,
            edgecolor="white",
            linewidth=0.5,
            label=label,
        )
    axes.set_ylim(0, 100)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False
    )


def _ticks(axes: Axes, last: float, unit: float, origin: str) -> Sequence[float]:
    if unit == 1.0:
        ticks = day_axis(axes, last, label=f"Days from {origin}")
    else:
        ticks = month_axis(axes, last, label=f"Months from {origin}")
    axes.set_xlim(0, last / unit)
    return list(ticks)


def draw_numbers(
    axes: Axes, ticks: Sequence[float], rows: Sequence[tuple[str, Sequence[int]]]
) -> None:
    """Numbers in each state under the ticks, in the order of the stack."""
    shown = list(reversed(rows))
    axes.set_ylim(-len(shown) + 0.4, 0.7)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_yticks([-float(i) for i in range(len(shown))], [label for label, _ in shown])
    axes.tick_params(left=False, bottom=False, labelbottom=False, pad=14)
    axes.set_title("Patients in each state", fontsize=7, fontweight="normal", style="italic", pad=1)
    for place, (_, numbers) in enumerate(shown):
        for tick, value in zip(ticks, numbers, strict=True):
            axes.text(tick, -place, f"{value:,}", ha="center", va="center")
