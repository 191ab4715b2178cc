"""Simulate one trial: a protocol, so many virtual patients, a seed; a trial folder comes out."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.problems import InputError, Problem, Severity
from graftline.simulate.clinic import treat
from graftline.simulate.cohort import Correlations, sample_cohort
from graftline.simulate.lab_records import kinds_written
from graftline.simulate.records import protocol_file, trial_of
from graftline.simulate.strategy import Plan, plan_of, protocol_to_simulate
from graftline.simulate.streams import Streams, streams_of, uniforms
from graftline.simulate.ward import open_case
from graftline.trial import Trial
from graftline.trial.read import read_trial
from graftline.trial.write import write_tables

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Calendar of a simulated trial: patients enter over ``accrual_days``, then comes the data cut.

    A patient who enters first is followed for ``longest_days``, the last one for
    ``longest_days - accrual_days``.
    """

    longest_days: int = 730
    accrual_days: int = 640


TO_THE_END = FollowUp(longest_days=730, accrual_days=0)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated trial, what was assumed, and patients whose integration failed with the day."""

    trial: Trial
    assumed: tuple[str, ...]
    failures: tuple[str, ...]


def simulate_trial(
    plan: Plan,
    streams: Streams,
    numbers: Integers,
    *,
    followup: FollowUp | None = None,
    correlations: Correlations | None = None,
    rows: pl.DataFrame | None = None,
    name: str = "simulated",
    threads: int | None = None,
    only: Collection[str] | None = None,
    analytes: Collection[str] | None = None,
    tolerance: float = 1.0,
) -> Simulated:
    """Treat virtual patients by a plan and write down what a hospital would have.

    Parameters
    ----------
    numbers : integer array [n]
        Patient numbers.
    followup : FollowUp, optional
        Default: entry staggered over 640 days, data cut on day 730 of the first patient.
    correlations, rows
        As for ``sample_cohort``.
    only, analytes : collections of str, optional
        Tables, and analytes of ``labs``, that are written; default all.
    tolerance : float
        Multiplies the errors that the integration may make.
    """
    calendar = followup or FollowUp()
    cohort = sample_cohort(plan, streams, numbers, correlations=correlations, rows=rows)
    case = open_case(plan, streams, cohort, tolerance=tolerance)
    entered = uniforms(streams, numbers, "entry")[:, 0] * calendar.accrual_days
    end_day = np.floor(calendar.longest_days - entered)
    ward, ledger = treat(case, end_day, threads=threads, kinds=kinds_written(only, analytes))
    title = f"{len(numbers):,} virtual patients by {plan.protocol.name}"
    trial = trial_of(case, ward, ledger, name=name, title=title, only=only, analytes=analytes)
    names = cohort.table["patient"]
    failed = np.flatnonzero(ward.status)
    return Simulated(
        trial,
        plan.assumed,
        tuple(f"{names[int(i)]}: integration failed on day {ward.day[i]:g}" for i in failed),
    )


def simulate_folder(
    protocol: str,
    patients: int,
    seed: int,
    folder: Path,
    *,
    followup: FollowUp | None = None,
    like: Path | None = None,
    threads: int | None = None,
) -> Simulated:
    """Simulate a trial of a protocol into a trial folder.

    Parameters
    ----------
    protocol : str
        Name of a shipped protocol, a ``protocol.toml``, or a trial folder that holds one.
    folder : Path
        Made if it does not exist; its tables are replaced.
    like : Path, optional
        A trial folder whose ``patients.csv`` the virtual patients imitate, row by row.

    Raises
    ------
    InputError
        The protocol is not known or the model cannot follow it, the folder cannot be written, or
        ``like`` cannot be read.
    """
    plan = plan_of(protocol_to_simulate(protocol))
    rows = None if like is None else _rows_to_imitate(like)
    numbers = np.arange(patients)
    simulated = simulate_trial(
        plan,
        streams_of(seed),
        numbers,
        followup=followup,
        rows=rows,
        name=folder.resolve().name,
        threads=threads,
    )
    title = simulated.trial.settings.title
    try:
        write_tables(simulated.trial, folder)
        text = protocol_file(plan, base=protocol, title=title)
        (folder / "protocol.toml").write_text(text, encoding="utf-8")
    except InputError as error:
        # says which folder, but not what the system said
        if isinstance(error.__cause__, OSError):
            raise cannot_write(folder, error.__cause__) from error
        raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    return simulated


def cannot_write(folder: Path, error: OSError) -> InputError:
    """What to tell the user when a folder or disk refuses."""
    return InputError(
        [
            Problem(
                str(folder),
                "a folder that can be written, on a disk with room",
                "free some room or name another folder; finished parts are kept",
                Severity.UNREADABLE,
                found=error.strerror or str(error),
            )
        ]
    )


def _rows_to_imitate(folder: Path) -> pl.DataFrame:
    return read_trial(folder).patients
