"""A ``Trial`` into a folder that reads back the same."""

from pathlib import Path
from typing import Literal

import polars as pl

from graftline.problems import InputError, Problem, Severity
from graftline.trial.trial import Trial


def write_tables(
    trial: Trial, folder: Path, *, format: Literal["csv", "parquet"] = "csv"
) -> list[Path]:
    """Write the tables of a trial that have rows.

    Columns without any value are left out; flags become yes and no in CSV. ``protocol.toml`` is
    the caller's.

    Parameters
    ----------
    trial : Trial
    folder : Path
        Made if it does not exist.
    format : {"csv", "parquet"}

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(trial.present):
            path = folder / f"{name}.{format}"
            _write(trial[name], path, format)
            written.append(path)
    except OSError as error:
        raise InputError(
            [
                Problem(
                    folder.name,
                    "a folder that can be written",
                    error.strerror or str(error),
                    Severity.UNREADABLE,
                )
            ]
        ) from error
    return written


def _write(frame: pl.DataFrame, path: Path, format: Literal["csv", "parquet"]) -> None:
    frame = frame.drop("row")
    kept = [s.name for s in frame if s.null_count() < frame.height or frame.height == 0]
    frame = frame.select(kept)
    if format == "parquet":
        frame.write_parquet(path)
        return
    flags = [n for n, t in frame.schema.items() if t == pl.Boolean]
    frame.with_columns(
        pl.when(n).then(pl.lit("yes")).when(~pl.col(n)).then(pl.lit("no")).alias(n) for n in flags
    ).write_csv(path)
