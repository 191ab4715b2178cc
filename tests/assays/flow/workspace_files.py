"""Writes FlowJo 10 workspaces of few samples, in the form in which FlowJo 10.7 writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

BASE = "http://www.isac-net.org/std/Gating-ML/v2.0"
_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<Workspace version="20.0" flowJoVersion="10.7.1" xmlns:gating="{BASE}/gating"
  xmlns:transforms="{BASE}/transformations" xmlns:data-type="{BASE}/datatypes">
<Groups><GroupNode name="All Samples"><Group name="All Samples"><SampleRefs>%s</SampleRefs></Group>
</GroupNode></Groups><SampleList>%s</SampleList></Workspace>
"""
LINEAR = '<transforms:linear transforms:minRange="0" transforms:maxRange="262144" gain="1">'
BIEX = (
    '<transforms:biex transforms:length="256" transforms:maxRange="262144" transforms:neg="0"'
    ' transforms:width="-10" transforms:pos="4.418539922">'
)


def rectangle(
    name: str, bounds: Mapping[str, tuple[float, float]], count: int, below: str = ""
) -> str:
    """A population of a box gate; ``below`` are its own populations."""
    dimensions = "".join(
        f'<gating:dimension gating:min="{low}" gating:max="{high}">'
        f'<data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension>'
        for channel, (low, high) in bounds.items()
    )
    return (
        f'<Population name="{name}" owningGroup="" count="{count}"><Gate>'
        f'<gating:RectangleGate eventsInside="1">{dimensions}</gating:RectangleGate></Gate>'
        f"<Subpopulations>{below}</Subpopulations></Population>"
    )


def combination(kind: str, name: str, parts: Sequence[str], count: int, below: str = "") -> str:
    """A Boolean population: ``kind`` is And, Or or Not, ``parts`` are paths of populations."""
    listed = "".join(f'<Dependent name="{part}"/>' for part in parts)
    return (
        f'<{kind}Node name="{name}" owningGroup="" count="{count}">'
        f"<Dependents>{listed}</Dependents><Subpopulations>{below}</Subpopulations></{kind}Node>"
    )


def sample(
    name: str,
    populations: str,
    *,
    channels: Sequence[str],
    uri: str | None = None,
    original: str | None = None,
    scales: Mapping[str, str] | None = None,
    extra: str = "",
    events: int = 10,
) -> str:
    """A sample: ``uri`` where FlowJo found its file, ``original`` its $FIL, ``events`` of it."""
    scaled = "".join(
        f'{scale}<data-type:parameter data-type:name="{channel}"/></{scale.split()[0][1:]}>'
        for channel, scale in (dict.fromkeys(channels, LINEAR) | dict(scales or {})).items()
    )
    return (
        f'<Sample><DataSet uri="{uri or f"file:/C:/data/{name}"}" sampleID="@ID@"/>{extra}'
        f"<Transformations>{scaled}</Transformations>"
        f'<Keywords><Keyword name="$FIL" value="{original or name}"/></Keywords>'
        f'<SampleNode name="{name}" owningGroup="" count="{events}" sampleID="@ID@">'
        f"<Subpopulations>{populations}</Subpopulations></SampleNode></Sample>"
    )


def write_workspace(path: Path, samples: Sequence[str]) -> Path:
    """A workspace of the samples, numbered from 1."""
    numbered = [text.replace("@ID@", str(n)) for n, text in enumerate(samples, start=1)]
    refs = "".join(f'<SampleRef sampleID="{n}"/>' for n in range(1, len(samples) + 1))
    path.write_text(_HEAD % (refs, "".join(numbered)), encoding="utf-8")
    return path
