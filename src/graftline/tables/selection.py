"""Whether the patients of a trial are a selection of those who reached HSCT."""

import polars as pl

from graftline.trial import Trial, hsct_days


def only_transplanted(trial: Trial) -> bool:
    """Whether the patients were selected because they reached HSCT, as the protocol says.

    A simulated trial of such a protocol follows everybody who was infused: what the selection
    forbids to estimate, remission rates and the way to HSCT, can be estimated there.
    """
    if trial.protocol.selection != "reached_hsct":
        return False
    infused = trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    waiting = infused.join(hsct_days(trial), on="patient", how="anti")
    return not (trial.settings.simulated and waiting.height)
