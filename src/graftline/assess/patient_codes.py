"""Patients as codes while criteria run: joins, sorts and windows compare integers, not text."""

from dataclasses import replace

import polars as pl

from graftline.trial import Trial


def with_coded_patients(trial: Trial) -> Trial:
    """Return the trial with ``patient`` of every table as one Enum, ordered as the names are.

    Codes sort, join and print as the names do; only equal Enums can be joined, so all tables of the
    answer go together.
    """
    mentioned = [frame["patient"] for frame in trial.tables.values() if "patient" in frame.columns]
    names = pl.concat([column.unique() for column in mentioned]).unique().drop_nulls().sort()
    codes = pl.Enum(names)
    tables = {
        name: frame.with_columns(pl.col("patient").cast(codes))
        if "patient" in frame.columns
        else frame
        for name, frame in trial.tables.items()
    }
    return replace(trial, tables=tables)


def with_named_patients(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with ``patient`` as text again."""
    if "patient" not in frame.columns:
        return frame
    return frame.with_columns(pl.col("patient").cast(pl.String))
