"""Gates of FlowJo 10 workspaces and of GatingML 2.0 files, applied by FlowKit (an extra)."""

import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from graftline.assays.extras import load_extra
from graftline.assays.flow.fcs import FlowSample, read_fcs
from graftline.assays.flow.plain_fcs import write_plain_fcs
from graftline.assays.flow.workspace import (
    COUNTS,
    files_of_samples,
    read_flowjo_counts,
    read_workspace,
)
from graftline.problems import InputError, Problem, Severity

_COMPARE = "compare its gates, channels and matrices with those of the FCS files, or save it again"


def recompute_flowjo_counts(path: str | Path, fcs: Sequence[str | Path]) -> pl.DataFrame:
    """A workspace's gates applied anew to its FCS files, beside the counts FlowJo stored.

    Rectangles agree exactly. Polygons and ellipses differ by a few events, because FlowJo bins
    them for display and counts in the bins.

    Parameters
    ----------
    fcs : sequence of paths
        Files of samples of the workspace, matched by name; `absent_samples` tells which lack.

    Returns
    -------
    DataFrame [sample, gate, events, flowjo_events, difference]
        ``events`` is null for samples without a file.

    Raises
    ------
    ExtraMissingError
        FlowKit is not installed.
    InputError
        Not a workspace, or one whose gates or files cannot be used; every one.
    """
    path = Path(path)
    samples = read_workspace(path)
    purpose = "Gating by FlowJo workspaces (the counts stored in one are shown without FCS files)"
    flowkit = load_extra("flowkit", extra="flowjo", purpose=purpose)
    matched = files_of_samples(samples, fcs)[0]
    rows: list[tuple[str, str, int]] = []
    problems: list[Problem] = []
    if matched:
        alone = f"{_COMPARE}; without FCS files, the counts stored in it are shown"
        with _foreign_faults(path, "a workspace whose gates can be applied", alone):
            workspace = flowkit.Workspace(str(path), load_missing_file_data=True)
    for name, file in matched.items():
        try:
            rows += _gated(
                flowkit, path, file, name, workspace.get_gating_strategy(name), flowjo=True
            )
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    computed = pl.DataFrame(rows, schema=COUNTS, orient="row")
    return (
        read_flowjo_counts(path)
        .rename({"events": "flowjo_events"})
        .join(computed, on=["sample", "gate"], how="left", validate="m:1", maintain_order="left")
        .select(
            "sample",
            "gate",
            "events",
            "flowjo_events",
            (pl.col("events") - pl.col("flowjo_events")).alias("difference"),
        )
    )


@contextmanager
def _foreign_faults(path: Path, expected: str, remedy: str = _COMPARE) -> Iterator[None]:
    """Faults that FlowKit raises about a file, as findings; its warnings are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as fault:
        # Of many kinds: FlowKit lets those of the packages it stands on through as they are.
        frames = [frame for frame, _ in traceback.walk_tb(fault.__traceback__)]
        if not any(_is_foreign(str(frame.f_globals.get("__name__"))) for frame in frames):
            raise
        raise InputError([_fault(path, f"{expected} ({_told(fault)})", remedy)]) from None


def _is_foreign(module: str) -> bool:
    return module.split(".")[0] in ("flowkit", "flowio")


def _told(fault: Exception) -> str:
    """What an exception says; a `KeyError` says a bare name, others may say nothing."""
    if isinstance(fault, KeyError):
        return f"it refers to {fault}, which it does not define"
    return str(fault).strip() or type(fault).__name__


def _leave_ratios_open(flowkit: Any, strategy: Any) -> None:  # a module of an extra, its object
    """Say that an open end of a ratio is open: FlowKit 1.3.2 leaves it out, and asks for it."""
    for name, above in strategy.get_gate_ids():
        # Quadrants are listed as gates, and have none of their own.
        with suppress(flowkit.exceptions.QuadrantReferenceError):
            for dimension in getattr(strategy.get_gate(name, above), "dimensions", ()):
                for end in ("min", "max"):
                    if hasattr(dimension, "ratio_ref") and not hasattr(dimension, end):
                        setattr(dimension, end, None)


def _gated(
    flowkit: Any,  # a module of an extra
    gates: Path,
    fcs: Path,
    name: str,
    strategy: Any,
    *,
    flowjo: bool = False,
) -> list[tuple[str, str, int]]:
    """Counts of a FlowKit strategy in a file, as rows [sample, gate, events]."""
    sample = read_fcs(fcs)
    remedy = f"{_COMPARE}; channels of the file: {', '.join(sample.channels)}"
    with _foreign_faults(fcs, f"a file to which the gates of {gates.name} apply", remedy):
        given = _flowkit_sample(flowkit, sample, name, flowjo=flowjo)
        return _reported(name, strategy.gate_sample(given).report)


def _flowkit_sample(flowkit: Any, sample: FlowSample, name: str, *, flowjo: bool) -> Any:
    """The sample as this package reads it: FlowKit's own reader loses names and refuses offsets."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.fcs"
        write_plain_fcs(sample, plain)
        return flowkit.Sample(str(plain), sample_id=name, use_flowjo_labels=flowjo, subsample=0)


def _reported(sample: str, report: Any) -> list[tuple[str, str, int]]:  # Any: a pandas frame
    """Rows [sample, gate, events], each gate behind the one it lies in, quadrants in their gate."""
    columns = ("gate_path", "quadrant_parent", "gate_name", "count")
    found = [
        ([*above[1:], *([quadrants] if isinstance(quadrants, str) else []), gate], int(events))
        for above, quadrants, gate, events in zip(*(report[c] for c in columns), strict=True)
    ]
    return [(sample, "/".join(path), events) for path, events in sorted(found)]


def count_gating_ml(path: str | Path, fcs: str | Path) -> pl.DataFrame:
    """Counts of a GatingML 2.0 file's gates in one FCS file.

    Returns
    -------
    DataFrame [sample, gate, events]

    Raises
    ------
    ExtraMissingError
        FlowKit is not installed.
    InputError
        Not a GatingML 2.0 file.
    """
    flowkit = load_extra("flowkit", extra="flowjo", purpose="Gating by GatingML files")
    path, fcs = Path(path), Path(fcs)
    with _foreign_faults(path, "a GatingML 2.0 file"):
        strategy = flowkit.parse_gating_xml(str(path))
        _leave_ratios_open(flowkit, strategy)
    rows = _gated(flowkit, path, fcs, fcs.name, strategy)
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


def _fault(path: Path, expected: str, remedy: str = "save it again") -> Problem:
    return Problem(path.name, expected, remedy, severity=Severity.UNREADABLE)
