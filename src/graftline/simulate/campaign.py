"""Many virtual patients: chunk by chunk into Parquet parts, resumable, the same on any workers.

A chunk is a fixed range of patient numbers, so that its bytes depend on the protocol, the seed and
the size of chunks alone. A part appears under its name only when it is whole; a run that was
interrupted goes on with the parts that lack.
"""

import hashlib
import io
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graftline import __version__
from graftline.assess import (
    engraftment,
    graft_failure,
    gvhd_acute,
    gvhd_chronic,
    relapse,
    response,
)
from graftline.assess.assessment import Assessments, assess_by
from graftline.endpoints.derive import derive_endpoints
from graftline.problems import InputError, Problem, Severity
from graftline.protocol import Protocol
from graftline.simulate.strategy import Plan, plan_of, protocol_to_simulate
from graftline.simulate.streams import streams_of
from graftline.simulate.trial import FollowUp, cannot_write, simulate_trial
from graftline.trial import Trial

MANIFEST = "campaign.json"
CHUNK = 6_250
TABLES_OF_ENDPOINTS = (
    "patients",
    "donors",
    "infusions",
    "products",
    "drugs",
    "labs",
    "marrow",
    "transfusions",
    "gvhd",
    "chimerism",
    "events",
    "followup",
)
ANALYTES_OF_ENDPOINTS = ("anc", "platelets", "hemoglobin", "blood_blasts")
_KEPT = ("patient", "endpoint", "entry_days", "time_days", "status", "cause")


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign computes: everything its bytes depend on.

    ``definition`` is the whole protocol as JSON, ``protocol`` what the user called it.
    """

    protocol: str
    protocol_sha256: str
    definition: str
    patients: int
    seed: int
    chunk: int
    longest_days: int
    version: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is; ``seconds_left`` from the pace of this run, none before its first."""

    patients_done: int
    patients: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Finished:
    """Parts of a finished campaign, in order, and patients whose integration failed."""

    folder: Path
    parts: tuple[Path, ...]
    failures: tuple[str, ...]
    assumed: tuple[str, ...]


def say_progress(progress: Progress) -> str:
    """One line for the user."""
    left = progress.seconds_left
    when = "" if left is None else f", about {_duration(left)} left"
    return f"{progress.patients_done:,} of {progress.patients:,} patients{when}"


def _duration(seconds: float) -> str:
    minutes = seconds / 60.0
    if minutes < 1.0:
        return f"{max(seconds, 1.0):.0f} s"
    return f"{minutes:.0f} min" if minutes < 90.0 else f"{minutes / 60.0:.1f} h"


def plan_campaign(
    protocol: str, patients: int, seed: int, *, chunk: int = CHUNK, longest_days: int = 730
) -> Campaign:
    """Describe a campaign of a protocol: one that ships, or a file of one's own.

    Raises
    ------
    InputError : the protocol is not known, or the model cannot follow it.
    """
    text = protocol_to_simulate(protocol).model_dump_json()
    return Campaign(
        protocol=protocol,
        protocol_sha256=hashlib.sha256(text.encode()).hexdigest(),
        definition=text,
        patients=patients,
        seed=seed,
        chunk=chunk,
        longest_days=longest_days,
        version=__version__,
    )


def simulate_endpoints(campaign: Campaign, chunk: int) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Endpoints of one chunk: simulate, assess, derive.

    Returns
    -------
    DataFrame [patient, endpoint, entry_days, time_days, status, cause], and patients that failed
    """
    first = chunk * campaign.chunk
    numbers = np.arange(first, min(first + campaign.chunk, campaign.patients))
    followup = FollowUp(longest_days=campaign.longest_days, accrual_days=0)
    simulated = simulate_trial(
        _plan(campaign),
        streams_of(campaign.seed),
        numbers,
        followup=followup,
        threads=1,
        only=TABLES_OF_ENDPOINTS,
        analytes=ANALYTES_OF_ENDPOINTS,
    )
    trial = simulated.trial
    endpoints = derive_endpoints(trial, assess_for_endpoints(trial))
    return endpoints.select(_KEPT).sort("endpoint", "patient"), simulated.failures


def assess_for_endpoints(trial: Trial) -> Assessments:
    """The criteria that time-to-event endpoints of the shipped protocols are built from."""
    return assess_by(
        (gvhd_acute, gvhd_chronic, engraftment, graft_failure, response, relapse), trial
    )


def write_part(campaign: Campaign, chunk: int, folder: str) -> tuple[str, ...]:
    """Compute one chunk and put its part in place; the name appears only with the whole content.

    Returns the patients whose integration failed.
    """
    endpoints, failures = simulate_endpoints(campaign, chunk)
    buffer = io.BytesIO()
    endpoints.write_parquet(buffer, compression="zstd", statistics=False)
    target = part_path(Path(folder), chunk)
    if failures:
        _replace(target.with_suffix(".failed"), "\n".join(failures).encode())
    _replace(target, buffer.getvalue())
    return failures


def _replace(target: Path, content: bytes) -> None:
    """Write a file beside its place, make sure it is on disk, then rename it."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def part_path(folder: Path, chunk: int) -> Path:
    """Place of one chunk's endpoints."""
    return folder / f"endpoints-{chunk:06d}.parquet"


def chunks_of(campaign: Campaign) -> range:
    """Numbers of all chunks."""
    return range(-(-campaign.patients // campaign.chunk))


def run_campaign(
    campaign: Campaign,
    folder: Path,
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Finished:
    """Run a campaign, or what is left of it.

    Parameters
    ----------
    folder : Path
        Gets ``campaign.json`` and one Parquet part per chunk.
    workers : int
        Processes on this machine.
    cluster : str, optional
        Address of a Dask scheduler that sees ``folder`` under the same path; instead of workers.
    progress : callable, optional
        Called after every chunk.

    Raises
    ------
    InputError
        The folder holds another campaign, cannot be written, or its disk is full; or the extra
        ``graftline[cluster]`` is not installed.
    """
    try:
        _open(campaign, folder)
        waiting = [k for k in chunks_of(campaign) if not part_path(folder, k).exists()]
        _report(campaign, folder, None, progress)
        started, before = time.monotonic(), _patients_done(campaign, folder)
        for _ in _compute(campaign, waiting, folder, workers, cluster):
            done = _patients_done(campaign, folder) - before
            seconds = time.monotonic() - started
            _report(campaign, folder, seconds / done if done else None, progress)
        for draft in folder.glob(".endpoints-*"):
            draft.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    parts = tuple(part_path(folder, k) for k in chunks_of(campaign))
    failed = [p.with_suffix(".failed") for p in parts if p.with_suffix(".failed").exists()]
    failures = tuple(line for p in failed for line in p.read_text(encoding="utf-8").splitlines())
    return Finished(folder, parts, failures, _plan(campaign).assumed)


def _plan(campaign: Campaign) -> Plan:
    # from the campaign itself: the file may not be there where a worker runs
    return plan_of(Protocol.model_validate_json(campaign.definition))


def _open(campaign: Campaign, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    if manifest.exists():
        found = json.loads(manifest.read_text(encoding="utf-8"))
        wanted = asdict(campaign)
        # the checksum stands for the definition, which is too long to show
        other = sorted(k for k in wanted.keys() - {"definition"} if found.get(k) != wanted[k])
        if other:
            raise InputError(
                [
                    Problem(
                        str(manifest),
                        f"{key} = {wanted[key]}, as asked for now",
                        "choose another folder, or repeat the command that began this one",
                        Severity.ERROR,
                        column=key,
                        found=str(found.get(key)),
                    )
                    for key in other
                ]
            )
        return
    _replace(manifest, (json.dumps(asdict(campaign), indent=2) + "\n").encode())


def _patients_done(campaign: Campaign, folder: Path) -> int:
    done = [k for k in chunks_of(campaign) if part_path(folder, k).exists()]
    last = len(chunks_of(campaign)) - 1
    whole = len(done) * campaign.chunk
    return whole - (campaign.chunk * (last + 1) - campaign.patients if last in done else 0)


def _report(
    campaign: Campaign,
    folder: Path,
    seconds_per_patient: float | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    if progress is None:
        return
    done = _patients_done(campaign, folder)
    left = None
    if seconds_per_patient is not None:
        left = seconds_per_patient * (campaign.patients - done)
    progress(Progress(done, campaign.patients, left))


def _compute(
    campaign: Campaign, waiting: list[int], folder: Path, workers: int, cluster: str | None
) -> Iterator[Any]:
    """Compute the chunks; one item per finished chunk."""
    place = str(folder.resolve())
    if cluster is not None:
        yield from _on_cluster(campaign, waiting, place, cluster)
        return
    if workers <= 1 or len(waiting) <= 1:
        for chunk in waiting:
            yield write_part(campaign, chunk, place)
        return
    # each process works on its own chunk: a library that starts a thread per core would get in
    # the way of the others
    context = multiprocessing.get_context("spawn")
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            futures = [pool.submit(write_part, campaign, chunk, place) for chunk in waiting]
            for future in as_completed(futures):
                yield future.result()
    finally:
        if before is None:
            os.environ.pop("POLARS_MAX_THREADS", None)
        else:
            os.environ["POLARS_MAX_THREADS"] = before


def _on_cluster(
    campaign: Campaign, waiting: Iterable[int], folder: str, address: str
) -> Iterator[Any]:
    try:
        distributed = import_module("distributed")
    except ModuleNotFoundError as error:
        raise InputError(
            [
                Problem(
                    "--cluster",
                    "the extra graftline[cluster] (Dask)",
                    'run: pip install "graftline[cluster]"',
                )
            ]
        ) from error
    with distributed.Client(address) as client:
        # parts are files: a chunk computed twice after a lost worker writes the same bytes
        futures = [
            client.submit(write_part, campaign, k, folder, pure=False, retries=3) for k in waiting
        ]
        for future in distributed.as_completed(futures):
            yield future.result()


def read_endpoints(folder: Path) -> pl.LazyFrame:
    """Endpoints of a finished campaign, lazily."""
    return pl.scan_parquet(sorted(folder.glob("endpoints-*.parquet")))
