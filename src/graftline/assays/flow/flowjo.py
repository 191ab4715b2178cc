"""FlowJo 10 workspaces and GatingML 2.0: stored counts beside counts computed anew."""

import tempfile
import traceback
import warnings
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from graftline.assays.extras import load_extra
from graftline.assays.flow.fcs import FlowSample, read_fcs
from graftline.assays.flow.plain_fcs import write_plain_fcs
from graftline.problems import InputError, Problem, Severity

_COMPARE = "compare its gates, channels and matrices with those of the FCS files, or save it again"
_COUNTS = {"sample": pl.String, "gate": pl.String, "events": pl.Int64}
_POPULATIONS = ("Population", "AndNode", "OrNode", "NotNode")
_MOST_NAMED = 5

Node = ElementTree.Element


@dataclass(frozen=True, slots=True)
class WorkspaceSample:
    """A sample of a workspace: its name, its file's name and $FIL, and the counts stored with it.

    FlowJo calls a sample by $FIL, by its file or as its user says: ``called``. ``name`` is unique:
    the second sample of a name is ``name (2)`` here, and ``twin`` is true of both. ``events`` are
    those of the file that FlowJo had, None where it does not say.
    """

    name: str
    called: str
    twin: bool
    file_name: str
    original: str
    events: int | None
    counts: tuple[tuple[str, int | None], ...]


def read_flowjo_counts(path: str | Path) -> pl.DataFrame:
    """Counts that FlowJo stored in a workspace, without any FCS file and without extras.

    Returns
    -------
    DataFrame [sample, gate, events]
        ``gate`` is the path of populations, such as ``Time/Singlets/CD3+``, and/or/not gates among
        them; in file order. ``events`` is null where FlowJo had not computed a count (it stores
        -1).

    Raises
    ------
    InputError
        Not a FlowJo 10 workspace.
    """
    rows = [
        (sample.name, gate, events)
        for sample in read_workspace(path)
        for gate, events in sample.counts
    ]
    return pl.DataFrame(rows, schema=_COUNTS, orient="row")


def read_workspace(path: str | Path) -> list[WorkspaceSample]:
    """The samples of a FlowJo 10 workspace, in file order.

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
    holders = [(holder, node) for holder in root.iter() for node in holder.findall("SampleNode")]
    if not holders:
        raise InputError([_fault(path, "a FlowJo 10 workspace with samples")])
    names = Counter(node.get("name", "") for _, node in holders)
    seen: Counter[str] = Counter()
    samples = []
    for holder, node in holders:
        name = node.get("name", "")
        seen[name] += 1
        samples.append(
            WorkspaceSample(
                name if seen[name] == 1 else f"{name} ({seen[name]})",
                name,
                names[name] > 1,
                _file_of(holder),
                _keyword(holder, "$FIL"),
                _count_of(node),
                tuple(_populations(node, "")),
            )
        )
    return samples


def _file_of(holder: "Node[str]") -> str:
    data_set = holder.find("DataSet")
    uri = "" if data_set is None else unquote(data_set.get("uri", ""))
    return uri.replace("\\", "/").rsplit("/", 1)[-1]


def _keyword(holder: "Node[str]", name: str) -> str:
    for keyword in holder.findall("Keywords/Keyword"):
        if keyword.get("name") == name:
            return keyword.get("value", "")
    return ""


def _populations(node: "Node[str]", above: str) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for below in node.findall("Subpopulations"):
        for population in below:
            if population.tag not in _POPULATIONS:
                continue
            name = above + population.get("name", "")
            found.append((name, _count_of(population)))
            found.extend(_populations(population, name + "/"))
    return found


def _count_of(node: "Node[str]") -> int | None:
    count = node.get("count", "")
    return int(count) if count.isascii() and count.isdigit() else None


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
    matched = _files_of(samples, fcs)[0]
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
    computed = pl.DataFrame(rows, schema=_COUNTS, orient="row")
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


def absent_samples(path: str | Path, fcs: Sequence[str | Path]) -> list[Problem]:
    """What the files of a workspace lack: samples without file, files without sample, other events.

    Samples of one name are told too: nobody can say which file is whose.

    Raises
    ------
    InputError
        Not a workspace.
    """
    name = Path(path).name
    samples = read_workspace(path)
    matched, problems = _files_of(samples, fcs)
    known = [s for s in samples if not s.twin]
    lacking = [s.name for s in known if s.name not in matched]
    if len(lacking) > _MOST_NAMED:
        rest = len(lacking) - _MOST_NAMED
        named = ", ".join(lacking[:_MOST_NAMED])
        lacking = [f"of {len(lacking)} of its {len(samples)} samples: {named} and {rest} more"]
    remedy = "give it too, under the name the workspace knows; its gates were not applied anew"
    absent = [Problem(name, f"the file {sample}", remedy, Severity.WARNING) for sample in lacking]
    twins = dict.fromkeys(s.called for s in samples if s.twin)
    same = [
        Problem(
            name,
            "a name for each sample; those of one name were not gated anew",
            "give them names of their own in FlowJo, and save it again",
            Severity.WARNING,
            found=twin,
        )
        for twin in twins
    ]
    others = [p for s in known if s.name in matched for p in _other_events(s, matched[s.name])]
    return [*absent, *same, *problems, *others]


def _other_events(sample: WorkspaceSample, file: Path) -> list[Problem]:
    """A finding where a file is not the one that FlowJo had: another plate, or cut short."""
    try:
        events = read_fcs(file).events
    except InputError:
        return []  # told where the file is read to be gated
    if sample.events in (None, events):
        return []
    expected = f"the {sample.events:,} events that FlowJo had of {sample.name}"
    remedy = "give the file that the workspace was made with; counts of another one cannot agree"
    return [Problem(file.name, expected, remedy, Severity.WARNING, found=f"{events:,} events")]


def _files_of(
    samples: Sequence[WorkspaceSample], fcs: Sequence[str | Path]
) -> tuple[dict[str, Path], list[Problem]]:
    """The file of each sample that has one, by the sample's name, and findings about the rest."""
    matched: dict[str, Path] = {}
    problems = []
    for file in map(Path, fcs):
        found = _samples_of(samples, file)
        names = [sample.name for sample in found]
        if len(found) == 1 and not found[0].twin and names[0] not in matched:
            matched[names[0]] = file
            continue
        listed = ", ".join(sample.name for sample in samples[:_MOST_NAMED])
        expected = f"a sample of the workspace: {listed}"
        if len(found) > 1 or any(sample.twin for sample in found):
            expected = f"a file of one sample, not of {', '.join(names)}"
        elif found:
            expected = f"one file of the sample {names[0]}; the first was read"
        remedy = "give it the name the workspace knows; it was not read"
        problems.append(Problem(file.name, expected, remedy, Severity.WARNING))
    return matched, problems


def _samples_of(samples: Sequence[WorkspaceSample], file: Path) -> list[WorkspaceSample]:
    """Samples that a file may be: by their name, by their file's, by what the file calls itself."""
    named = [s for s in samples if s.called == file.name]
    if named:
        return named
    located = [s for s in samples if s.file_name == file.name]
    if located or not file.is_file():
        return located
    original = read_fcs(file).keywords.get("$FIL", "").strip()
    return [s for s in samples if original and original in (s.called, s.original)]


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
    return pl.DataFrame(rows, schema=_COUNTS, orient="row")


def _fault(path: Path, expected: str, remedy: str = "save it again") -> Problem:
    return Problem(path.name, expected, remedy, severity=Severity.UNREADABLE)
