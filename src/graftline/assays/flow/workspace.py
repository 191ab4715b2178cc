"""FlowJo 10 workspaces: their samples, the counts stored with them, and whose file is whose."""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from graftline.assays.flow.fcs import read_fcs
from graftline.problems import InputError, Problem, Severity

COUNTS = {"sample": pl.String, "gate": pl.String, "events": pl.Int64}
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
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


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
        raise _no_workspace(path, f"a FlowJo workspace ({fault})") from None
    holders = [(holder, node) for holder in root.iter() for node in holder.findall("SampleNode")]
    if not holders:
        raise _no_workspace(path, "a FlowJo 10 workspace with samples")
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
    matched, problems = files_of_samples(samples, fcs)
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


def files_of_samples(
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


def _no_workspace(path: Path, expected: str) -> InputError:
    return InputError([Problem(path.name, expected, "save it again", Severity.UNREADABLE)])
