"""``Trial``: a protocol and its tables, whoever wrote them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps

import polars as pl

from graftline.problems import Problem
from graftline.protocol import Protocol, TrialSettings
from graftline.schema import TABLES, table


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the trial folder: its name and the SHA-256 of its bytes."""

    name: str
    table: str
    sha256: str
    rows: int


def _no_cut() -> pl.DataFrame:
    return pl.DataFrame(schema={"patient": pl.String, "cut_day": pl.Float64})


@dataclass(frozen=True, slots=True)
class Trial:
    """Protocol plus tables.

    Every declared table is in ``tables``, in the declared types and canonical units, with ``row``
    (the file's row, header = 1) in front; a table whose file is absent has no rows and is not in
    ``present``. Columns the schema does not know are kept as text behind the declared ones.
    Days count from the index infusion of the protocol. ``problems`` holds everything found while
    reading and checking. ``cut_days`` [patient, cut_day] is the day of the data cut, for what the
    tables do not hold. ``remembered`` belongs to ``once_per_trial``.
    """

    protocol: Protocol
    settings: TrialSettings
    tables: Mapping[str, pl.DataFrame]
    present: frozenset[str]
    files: tuple[SourceFile, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    cut_days: pl.DataFrame = field(default_factory=_no_cut, compare=False)
    # not handed on by dataclasses.replace: a trial with other tables starts with nothing remembered
    remembered: dict[str, pl.DataFrame] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def patients(self) -> pl.DataFrame:
        """The patients table."""
        return self.tables["patients"]

    def __getitem__(self, name: str) -> pl.DataFrame:
        """One table by name."""
        return self.tables[name]


def once_per_trial(derive: Callable[[Trial], pl.DataFrame]) -> Callable[[Trial], pl.DataFrame]:
    """Remember what a function derives from a trial, because many criteria ask for the same.

    The tables of a trial never change, so the answer does not either.
    """
    name = f"{derive.__module__}.{derive.__qualname__}"

    @wraps(derive)
    def remembering(trial: Trial) -> pl.DataFrame:
        if name not in trial.remembered:
            trial.remembered[name] = derive(trial)
        return trial.remembered[name]

    return remembering


def trial_from_tables(
    protocol: Protocol,
    tables: Mapping[str, pl.DataFrame],
    *,
    settings: TrialSettings | None = None,
    files: tuple[SourceFile, ...] = (),
    problems: tuple[Problem, ...] = (),
) -> Trial:
    """Build a trial from frames that already hold study days and canonical units.

    Parameters
    ----------
    protocol : Protocol
    tables : mapping of table name to DataFrame
        Any subset of the declared tables with any subset of their columns; missing columns are
        filled with null and every column is cast to its declared type.
    settings : TrialSettings, optional

    Raises
    ------
    KeyError
        A table is not declared.
    """
    complete = {}
    for name in TABLES:
        frame = tables.get(name)
        complete[name] = table(name).empty() if frame is None else conform(frame, name)
    if unknown := sorted(set(tables) - set(TABLES)):
        raise KeyError(f"not tables of a trial: {', '.join(unknown)}")
    return Trial(
        protocol=protocol,
        settings=settings or TrialSettings(name=protocol.name),
        tables=complete,
        present=frozenset(tables),
        files=files,
        problems=problems,
    )


def conform(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Give a frame every declared column of table ``name``, in order and type, and ``row``."""
    if "row" not in frame.columns:
        frame = frame.with_row_index("row", offset=2)
    declared = table(name).columns
    known = [
        (pl.col(c.name) if c.name in frame.columns else pl.lit(None)).cast(c.dtype).alias(c.name)
        for c in declared
    ]
    names = {"row", *(c.name for c in declared)}
    extra = [pl.col(column) for column in frame.columns if column not in names]
    return frame.select(pl.col("row").cast(pl.UInt32), *known, *extra)
