"""FlowJo 10 workspaces and GatingML 2.0: stored counts beside counts computed anew."""

import math
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graftline.assays.extras import load_extra
from graftline.assays.flow.scales import Floats, negative_rate
from graftline.problems import InputError, Problem, Severity

_COMPARE = "compare its gates, channels and matrices with those of the FCS files, or save it again"
_COUNTS = {"sample": pl.String, "gate": pl.String, "events": pl.Int64}


def biexponential_table(
    *, width_basis: float, negative: float, positive: float, top: float, bins: int = 4096
) -> Floats:
    """Linear value at each display bin of FlowJo's biexponential scale, shape (bins,).

    Parameters
    ----------
    width_basis : float
        FlowJo's width basis, below 0.
    negative, positive : float
        Extra negative decades and positive decades.
    top : float
        Linear value at the end of the scale.

    Raises
    ------
    ValueError
        A width basis that is not below -1, or decades that leave no positive part.
    """
    if not width_basis < -1 or not positive > math.log10(-width_basis) / 2 or not top > 0:
        raise ValueError(
            "the biexponential scale needs width_basis < -1, positive decades, top > 0"
        )
    half = math.log10(-width_basis) / 2
    below = max(negative, 0.0) + half
    decades = positive - half
    zero = min(int(below * bins / (below + decades)), bins // 2)
    if zero:
        decades = below * bins / zero
    width = half / decades
    b = decades * math.log(10)
    d = negative_rate(b, width)
    at = np.arange(bins) / (bins + 1)
    curve = np.exp(b * at) - math.exp((b + d) * (width + below / decades)) * np.exp(-d * at)
    values: Floats = top / math.exp(b) * (curve - curve[zero])
    # Below zero the scale mirrors the part above it.
    values[:zero] = -values[2 * zero - np.arange(zero)]
    return values


def read_flowjo_counts(path: str | Path) -> pl.DataFrame:
    """Counts that FlowJo stored in a workspace, without any FCS file and without extras.

    Returns
    -------
    DataFrame [sample, gate, events]
        ``gate`` is the path of populations, such as ``Time/Singlets/CD3+``; in file order.
        ``events`` is null where FlowJo had not computed a count (it stores -1).

    Raises
    ------
    InputError
        Not a FlowJo 10 workspace.
    """
    path = Path(path)
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as fault:
        raise InputError([_fault(path, f"a FlowJo workspace ({fault})")]) from None
    nodes = list(root.iter("SampleNode"))
    if not nodes:
        raise InputError([_fault(path, "a FlowJo 10 workspace with samples")])
    rows = [
        (node.get("name", ""), gate, events)
        for node in nodes
        for gate, events in _populations(node, "")
    ]
    return pl.DataFrame(rows, schema=_COUNTS, orient="row")


def _populations(node: "ElementTree.Element[str]", above: str) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for population in node.findall("Subpopulations/Population"):
        name = above + population.get("name", "")
        count = population.get("count", "")
        found.append((name, int(count) if count.isascii() and count.isdigit() else None))
        found.extend(_populations(population, name + "/"))
    return found


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
        Not a workspace, or one whose gates or files FlowKit cannot use.
    """
    stored = read_flowjo_counts(path)
    path = Path(path)
    purpose = "Gating by FlowJo workspaces (the counts stored in one are shown without FCS files)"
    flowkit = load_extra("flowkit", extra="flowjo", purpose=purpose)
    asked = set(stored["sample"])
    files = [str(file) for file in fcs if Path(file).name in asked]
    rows: list[tuple[str, str, int]] = []
    with _foreign_faults(path, "a workspace whose gates can be applied"):
        if files:
            workspace = flowkit.Workspace(str(path), fcs_samples=files)
            for sample in workspace.get_sample_ids():
                workspace.analyze_samples(sample_id=sample, use_mp=False)
                rows += _reported(sample, workspace.get_gating_results(sample).report)
    computed = pl.DataFrame(rows, schema=_COUNTS, orient="row")
    return (
        stored.rename({"events": "flowjo_events"})
        .join(computed, on=["sample", "gate"], how="left", validate="m:1", maintain_order="left")
        .select(
            "sample",
            "gate",
            "events",
            "flowjo_events",
            (pl.col("events") - pl.col("flowjo_events")).alias("difference"),
        )
    )


def absent_samples(path: str | Path, fcs: Sequence[str | Path]) -> list[Problem]:
    """A finding for each sample of a workspace without its FCS file, and each file without sample.

    Raises
    ------
    InputError
        Not a workspace.
    """
    name = Path(path).name
    samples = read_flowjo_counts(path)["sample"].unique(maintain_order=True).to_list()
    given = [Path(file).name for file in fcs]
    lacking = [
        Problem(
            name,
            f"the file {sample}",
            "give it too, under the name the workspace knows; its gates were not applied anew",
            Severity.WARNING,
        )
        for sample in samples
        if sample not in given
    ]
    strangers = [
        Problem(
            file,
            f"a sample of the workspace: {', '.join(samples[:5])}",
            "give it the name the workspace knows; it was not read",
            Severity.WARNING,
        )
        for file in given
        if file not in samples
    ]
    return lacking + strangers


@contextmanager
def _foreign_faults(path: Path, expected: str) -> Iterator[None]:
    """Faults that FlowKit raises about a file, as findings; its warnings are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, LookupError) as fault:
        raise InputError([_fault(path, f"{expected} ({fault})", _COMPARE)]) from None
    except Exception as fault:
        # FlowKit and FlowIO have exceptions of their own, which exist only where they are.
        if type(fault).__module__.split(".")[0] not in ("flowkit", "flowio", "lxml"):
            raise
        raise InputError([_fault(path, f"{expected} ({fault})", _COMPARE)]) from None


def _reported(sample: str, report: Any) -> list[tuple[str, str, int]]:  # Any: a pandas frame
    return [
        (sample, "/".join([*above[1:], gate]), int(events))
        for gate, above, events in zip(
            report["gate_name"], report["gate_path"], report["count"], strict=True
        )
    ]


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
    path = Path(path)
    with _foreign_faults(path, "a GatingML 2.0 file"):
        strategy = flowkit.parse_gating_xml(str(path))
    with _foreign_faults(Path(fcs), f"a file to which the gates of {path.name} apply"):
        sample = flowkit.Sample(
            str(fcs),
            sample_id=Path(fcs).name,
            ignore_offset_error=True,
            ignore_offset_discrepancy=True,
            subsample=0,
        )
        rows = _reported(Path(fcs).name, strategy.gate_sample(sample).report)
    return pl.DataFrame(rows, schema=_COUNTS, orient="row")


def _fault(path: Path, expected: str, remedy: str = "save it again") -> Problem:
    return Problem(path.name, expected, remedy, severity=Severity.UNREADABLE)
