"""Whether the patients of a trial are a selection of those who reached HSCT."""

import polars as pl

from graftline.trial import Trial


def only_transplanted(trial: Trial) -> bool:
    """Whether the protocol counts those who reached HSCT, and nobody else is in the folder.

    A simulated trial of the same protocol follows everybody who was infused: what such a
    selection forbids to estimate, remission rates and the way to HSCT, can be estimated there.
    """
    waiting = trial.patients.filter(pl.col("status") == "infused")
    return trial.protocol.selection == "reached_hsct" and waiting.is_empty()
