"""FCS files into samples: named channels, linear values, spillover, findings."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graftline.assays.flow.fcs_data import (
    Floats,
    Parameter,
    byte_order_finding,
    event_type,
    linear_values,
    locate_data,
    read_parameters,
    whole_keyword,
    widen_integers,
)
from graftline.assays.flow.fcs_segments import Segments, read_segments, unreadable
from graftline.assays.flow.spillover import Spillover, read_spillover
from graftline.problems import InputError, Problem, Severity


@dataclass(frozen=True, slots=True)
class FlowSample:
    """One FCS file.

    ``channels`` are unique names: the second ``FSC-A`` of a file is ``FSC-A (2)``. ``raw`` holds
    the events as they lie in the file; `channel_values` brings one channel to the linear scale.
    """

    name: str
    version: str
    channels: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    raw: NDArray[np.void]
    time_step: float
    spillover: Spillover | None
    keywords: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.raw.size)


def read_fcs(path: str | Path, *, data_set: int = 1) -> FlowSample:
    """An FCS 2.0, 3.0, 3.1 or 3.2 file.

    Parameters
    ----------
    data_set : int
        Which data set, counted from 1, of a file that holds several ($NEXTDATA).

    Offsets that disagree or are one byte off, duplicate channel names, an unreadable time step and
    events that are not numbers are read and reported in ``problems``.

    Raises
    ------
    InputError
        Absent or empty, not FCS, truncated, offsets past the end, byte order that gives impossible
        values, histogram or ASCII data, a data set that the file does not hold.
    """
    path = Path(path)
    content = _file_content(path)
    if data_set < 1:
        remedy = "leave data_set empty, or choose one of the file"
        raise unreadable(path, "a data set from 1 on", found=str(data_set), remedy=remedy)
    segments = read_segments(path, content)
    for number in range(2, data_set + 1):
        content = _next_data_set(path, content, segments, number)
        segments = read_segments(path, content)
    parameters = read_parameters(path, segments.keywords)
    layout = event_type(path, segments.keywords, parameters)
    begin, total, problems = locate_data(path, segments, len(content), layout.itemsize, parameters)
    raw = np.frombuffer(content, dtype=layout, count=total, offset=begin)
    raw = widen_integers(raw, segments.keywords)
    wrong_order = byte_order_finding(path, parameters, raw)
    if wrong_order is not None:
        raise InputError([wrong_order])
    channels, doubled = _unique_names(path, parameters)
    spillover, spill_problems = read_spillover(
        path, segments.keywords, channels, [p.marker for p in parameters]
    )
    step, step_problems = _time_step(path, segments.keywords)
    problems += [*doubled, *spill_problems, *step_problems]
    problems += _remarks(path, segments.keywords, parameters, raw, data_set)
    return FlowSample(
        path.name,
        segments.version,
        channels,
        tuple(parameters),
        raw,
        step,
        spillover,
        segments.keywords,
        tuple(problems),
    )


def _file_content(path: Path) -> memoryview:
    if not path.is_file():
        raise unreadable(path, "a file; check the name and the folder")
    try:
        # Not mapped into memory: a file cut short while it is read would end the program.
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as fault:
        raise unreadable(path, f"a readable file ({fault.strerror})") from None
    content.flags.writeable = False
    return content.data


def _next_data_set(path: Path, content: memoryview, segments: Segments, number: int) -> memoryview:
    """The rest of the file from the data set that $NEXTDATA points to, counted from this one."""
    offset = whole_keyword(path, segments.keywords, "$NEXTDATA", "0")
    if offset == 0:
        remedy = f"choose a data set from 1 to {number - 1}"
        found = "1 data set" if number == 2 else f"{number - 1} data sets"
        raise unreadable(path, f"a file of {number} data sets", found=found, remedy=remedy)
    if offset >= len(content):
        found = segments.keywords["$NEXTDATA"]
        raise unreadable(path, f"data set {number}: $NEXTDATA inside the file", found=found)
    return content[offset:]


def channel_index(sample: FlowSample, name: str) -> int:
    """Position of a channel given by its name, or by its marker where only one has it.

    Raises
    ------
    InputError
        No such channel, or several; the channels are listed.
    """
    for labels in (
        list(sample.channels),
        [p.marker for p in sample.parameters],
        [c.upper() for c in sample.channels],
    ):
        wanted = name.upper() if labels == [c.upper() for c in sample.channels] else name
        if labels.count(wanted) == 1 and f"{name} (2)" not in sample.channels:
            return labels.index(wanted)
    several = f"{name} (2)" in sample.channels
    listed = ", ".join(
        f"{c} ({p.marker})" if p.marker else c
        for c, p in zip(sample.channels, sample.parameters, strict=True)
    )
    remedy = f"name one of: {listed}"
    expected = "a channel name that occurs once" if several else "a channel of the file"
    raise InputError([Problem(sample.name, expected, remedy, found=name)])


def channel_values(sample: FlowSample, name: str, events: slice = slice(None)) -> Floats:
    """Values of one channel on the linear scale, of all events or of a slice of them.

    Raises
    ------
    InputError
        No such channel.
    """
    index = channel_index(sample, name)
    parameter = sample.parameters[index]
    raw = sample.raw[events][f"p{parameter.number}"]
    if parameter.name.upper() == "TIME":
        # $TIMESTEP takes the place of the gain, which BD software also writes for time.
        with np.errstate(over="ignore"):
            return linear_values(replace(parameter, gain=1.0), raw) * sample.time_step
    return linear_values(parameter, raw)


def _unique_names(path: Path, parameters: list[Parameter]) -> tuple[tuple[str, ...], list[Problem]]:
    seen: Counter[str] = Counter()
    names = []
    for parameter in parameters:
        seen[parameter.name] += 1
        again = seen[parameter.name]
        names.append(parameter.name if again == 1 else f"{parameter.name} ({again})")
    expected = "each channel name once; the second one is called 'name (2)' here"
    remedy = "name the channel you mean in gates by that name or by its marker"
    return tuple(names), [
        Problem(path.name, expected, remedy, severity=Severity.WARNING, found=name)
        for name, times in seen.items()
        if times > 1
    ]


def _time_step(path: Path, keywords: Mapping[str, str]) -> tuple[float, list[Problem]]:
    text = keywords.get("$TIMESTEP", "").strip()
    if not text:
        return 1.0, []
    try:
        step = float(text)
    except ValueError:
        step = math.nan
    if math.isfinite(step) and step > 0:
        return step, []
    return 1.0, [
        Problem(
            path.name,
            "seconds in $TIMESTEP; the time channel stays in ticks",
            "nothing to do unless a gate uses time",
            severity=Severity.WARNING,
            found=text,
        )
    ]


def _remarks(
    path: Path,
    keywords: Mapping[str, str],
    parameters: list[Parameter],
    raw: NDArray[np.void],
    data_set: int,
) -> list[Problem]:
    remarks: list[tuple[str, str, str, str | None]] = []
    if raw.size == 0:
        remarks.append(("at least one event", "0 events", "acquire or export again", None))
    if keywords.get("$NEXTDATA", "0").strip() not in ("", "0"):
        expected = f"one data set; data set {data_set} was read"
        remedy = f"choose the next one with data_set = {data_set + 1}"
        remarks.append((expected, "another data set behind it", remedy, None))
    floats = [parameter for parameter in parameters if parameter.kind != "I"]
    finite = _all_finite(raw)
    for parameter in floats:
        if parameter.decades > 0:
            found = f"{parameter.decades:g} decades for floating-point data"
            remedy = "values were taken as linear, as the standard has it"
            remarks.append(("$PnE 0,0", found, remedy, parameter.name))
        column = raw[f"p{parameter.number}"]
        bad = 0 if finite else int((~np.isfinite(column)).sum())
        if bad:
            found = f"{bad} of {raw.size} events"
            remedy = "these events fall outside every gate on this channel"
            remarks.append(("numbers, not NaN or infinite", found, remedy, parameter.name))
    return [
        Problem(path.name, expected, remedy, Severity.WARNING, column=column, found=found)
        for expected, found, remedy, column in remarks
    ]


def _all_finite(raw: NDArray[np.void]) -> bool:
    """Whether a quick look finds every value finite; False may also mean: look at each column."""
    types = {np.dtype(field[0]) for field in (raw.dtype.fields or {}).values()}
    if len(types) != 1:
        return False
    values = raw.view(types.pop())
    # A sum is not finite if one value is not, and one pass over the events is all it costs.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))
