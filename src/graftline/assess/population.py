"""Who a rule is asked about: everybody with the index infusion, or everybody with HSPC."""

import polars as pl

from graftline.trial import Trial, hsct_days, once_per_trial


@once_per_trial
def infused_patients(trial: Trial) -> pl.DataFrame:
    """Patients with the protocol's index infusion.

    Returns
    -------
    DataFrame [patient], sorted; one row per patient of ``patients`` who has such an infusion.
    """
    infused = trial["infusions"].filter(pl.col("kind") == trial.protocol.index_infusion)
    return (
        trial.patients.select("patient")
        .join(infused.select("patient").unique(), on="patient", how="semi")
        .sort("patient")
    )


@once_per_trial
def transplanted_patients(trial: Trial) -> pl.DataFrame:
    """Patients with HSPC.

    Returns
    -------
    DataFrame [patient, hsct_day, hsct_assumed], sorted by patient
    """
    grafts = hsct_days(trial).select("patient", "hsct_day", hsct_assumed="assumed")
    return grafts.join(trial.patients.select("patient"), on="patient", how="semi").sort("patient")
