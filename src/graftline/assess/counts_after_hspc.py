"""Blood counts from HSPC on, each prepared once per trial: several criteria look at them."""

import polars as pl

from graftline.assess.after_hspc import graft_followup
from graftline.assess.cell_counts import with_calculated_anc, worst_of_day
from graftline.assess.quantified import is_at_least, is_below
from graftline.assess.sorted_rows import in_order
from graftline.trial import Trial, once_per_trial

ANALYTES_OF_ANC = ("anc", "wbc", "neutrophil_percent")


@once_per_trial
def neutrophils_after_hspc(trial: Trial) -> pl.DataFrame:
    """``neutrophil_days`` of a trial."""
    return neutrophil_days(trial["labs"], graft_followup(trial))


@once_per_trial
def platelets_after_hspc(trial: Trial) -> pl.DataFrame:
    """Platelets of every measured day: ``without_transfusion`` of ``counts_after_hspc``."""
    return _untransfused(trial, "platelets", "platelets")


@once_per_trial
def hemoglobin_after_hspc(trial: Trial) -> pl.DataFrame:
    """Haemoglobin of every measured day: ``without_transfusion`` of ``counts_after_hspc``."""
    return _untransfused(trial, "hemoglobin", "red_cells")


def _untransfused(trial: Trial, analyte: str, product: str) -> pl.DataFrame:
    grafts = graft_followup(trial)
    counts = counts_after_hspc(trial["labs"], grafts, analyte)
    return without_transfusion(counts, trial["transfusions"], grafts, product)


def counts_after_hspc(labs: pl.DataFrame, grafts: pl.DataFrame, analyte: str) -> pl.DataFrame:
    """Lowest count of every measured day from the day of HSPC to the next graft.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table (for ANC with the calculated rows)
    grafts : DataFrame [patient, hsct_day, second_graft]
    analyte : str

    Returns
    -------
    DataFrame [patient, day, value, quantification]; ``day`` whole, from HSPC
    """
    return (
        worst_of_day(labs, analyte, worst="lowest")
        .join(
            grafts.select("patient", "hsct_day", "second_graft"),
            on="patient",
            how="inner",
            validate="m:1",
            maintain_order="left",
        )
        .with_columns(day=pl.col("day") - pl.col("hsct_day").floor())
        .filter(
            (pl.col("day") >= 0) & (pl.col("day") < pl.col("second_graft")).fill_null(value=True)
        )
        .select("patient", "day", "value", "quantification")
        .pipe(in_order, "patient", "day")
    )


def without_transfusion(
    days: pl.DataFrame,
    transfusions: pl.DataFrame,
    grafts: pl.DataFrame,
    product: str,
    *,
    free_days: float = 7,
) -> pl.DataFrame:
    """Mark the measured days on which the last transfusion is at least ``free_days`` ago.

    Parameters
    ----------
    days : DataFrame [patient, day]; from HSPC
    transfusions : DataFrame, the ``transfusions`` table; days from CAR-T
    grafts : DataFrame [patient, hsct_day]
    product : {"platelets", "red_cells"}
    free_days : float
        Last transfusion on day t: first free day t + ``free_days``.

    Returns
    -------
    DataFrame : ``days`` with Boolean ``free`` and ``transfused`` (day of the last one, or null)
    """
    given = (
        transfusions.filter(pl.col("product") == product)
        .join(grafts.select("patient", "hsct_day"), on="patient", how="inner", validate="m:1")
        .select("patient", transfused=pl.col("day").floor() - pl.col("hsct_day").floor())
        .drop_nulls()
        .sort("transfused")
    )
    return (
        in_order(days, "patient", "day")
        .join_asof(
            given,
            left_on="day",
            right_on="transfused",
            by="patient",
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(
            free=(pl.col("day") - pl.col("transfused") >= free_days).fill_null(value=True)
        )
        .pipe(in_order, "patient", "day")
    )


def neutrophil_days(
    labs: pl.DataFrame, grafts: pl.DataFrame, *, threshold_1e9_per_l: float = 0.5
) -> pl.DataFrame:
    """Measured ANC days after HSPC and whether they had recovered or were low.

    ANC that was not reported is calculated from white cells and differential.

    Returns
    -------
    DataFrame [patient, day, value, quantification, recovered, low]
    """
    needed = labs.filter(pl.col("analyte").is_in(ANALYTES_OF_ANC))
    return counts_after_hspc(with_calculated_anc(needed), grafts, "anc").with_columns(
        recovered=is_at_least(threshold_1e9_per_l), low=is_below(threshold_1e9_per_l)
    )
