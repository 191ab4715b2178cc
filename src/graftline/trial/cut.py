"""The data cut: what happened after it is not known yet."""

from datetime import date

import polars as pl

from graftline.trial.trial import Trial

_DAY_COLUMNS = ("day", "start_day", "collected_day", "enrolled_day")


def cut_days(
    index: pl.DataFrame, data_cut: date | None, data_cut_day: float | None
) -> pl.DataFrame:
    """Study day of the data cut per patient.

    Parameters
    ----------
    index : DataFrame [patient, index]
        Date of day 0.
    data_cut : date, optional
        Calendar cut; needs the patient's date of day 0.
    data_cut_day : float, optional
        Study day that holds for every patient; the earlier of the two counts.

    Returns
    -------
    DataFrame [patient, cut_day]
        Patients without a calendar date have no calendar cut.
    """
    days = pl.lit(None, pl.Float64)
    if data_cut is not None:
        days = (pl.lit(data_cut) - pl.col("index").dt.date()).dt.total_days().cast(pl.Float64)
    return index.select(
        "patient", cut_day=pl.min_horizontal(days, pl.lit(data_cut_day, pl.Float64))
    )


def cut_table(frame: pl.DataFrame, name: str, cuts: pl.DataFrame) -> pl.DataFrame:
    """One table as it stood at the cut: later rows leave, open ends are opened again.

    A death after the cut is alive at the cut (definitions of every survival endpoint; Iacobelli
    2013). Rows without a day stay.
    """
    if "patient" not in frame.columns or frame.height == 0:
        return frame
    frame = frame.join(cuts, on="patient", how="left", validate="m:1", maintain_order="left")
    if name == "followup":
        return _cut_followup(frame).drop("cut_day")
    after = [
        (pl.col(column) > pl.col("cut_day")).fill_null(value=False)
        for column in _DAY_COLUMNS
        if column in frame.columns and name != "patients"
    ]
    if {"day_low", "day"} <= set(frame.columns):
        later = pl.col("day").is_null() & (pl.col("day_low") > pl.col("cut_day"))
        after.append(later.fill_null(value=False))
    if after:
        frame = frame.filter(~pl.any_horizontal(after))
    if "end_day" in frame.columns:
        open_again = (pl.col("end_day") > pl.col("cut_day")).fill_null(value=False)
        frame = frame.with_columns(end_day=pl.when(~open_again).then("end_day"))
    return frame.drop("cut_day")


def rows_after_cut(rows: pl.DataFrame, trial: Trial) -> pl.DataFrame:
    """Rows later than the trial's data cut; those without a day are not, nor without a cut.

    Parameters
    ----------
    rows : DataFrame [patient, day, ...]
        Of patients the trial does not know, only the study day that holds for everybody counts.
    """
    cut = pl.coalesce("cut_day", pl.lit(trial.settings.data_cut_day, pl.Float64))
    return (
        rows.join(trial.cut_days, on="patient", how="left", validate="m:1", maintain_order="left")
        .filter(pl.col("day") > cut)
        .drop("cut_day")
    )


def _cut_followup(frame: pl.DataFrame) -> pl.DataFrame:
    later = (pl.coalesce("last_contact_day", "last_contact_day_low") > pl.col("cut_day")).fill_null(
        value=False
    )
    return frame.with_columns(
        status=pl.when(later & (pl.col("status") == "dead"))
        .then(pl.lit("alive"))
        .otherwise("status"),
        last_contact_day=pl.when(later).then("cut_day").otherwise("last_contact_day"),
        last_contact_day_low=pl.min_horizontal("last_contact_day_low", "cut_day"),
        last_contact_day_high=pl.min_horizontal("last_contact_day_high", "cut_day"),
        last_response_day=pl.min_horizontal("last_response_day", "cut_day"),
    )
