"""A sample written as an FCS file without anything that readers read differently."""

from pathlib import Path

import numpy as np

from graftline.assays.flow.fcs import FlowSample, channel_values
from graftline.assays.flow.fcs_data import Floats

_DELIMITER = "\x1e"
_HEADER = 58
_MOST_IN_HEADER = 99_999_999


def write_plain_fcs(sample: FlowSample, path: Path) -> None:
    """Linear values of every channel as 64-bit floats: no gain, logarithm, mask or time step left.

    Channels keep their unique names and the file its usable matrix; other keywords are not carried.
    """
    table: Floats = np.empty((sample.events, len(sample.channels)))
    for column, channel in enumerate(sample.channels):
        table[:, column] = channel_values(sample, channel)
    data = table.astype("<f8", copy=False)
    keywords = {
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": "D",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(sample.channels)),
        "$TOT": str(sample.events),
        "$FIL": sample.name,
        **_parameters(sample),
        **_spillover(sample),
    }
    # Offsets of fixed width, so that writing them does not move what they point to.
    text = _text({"$BEGINDATA": 20 * " ", "$ENDDATA": 20 * " ", **keywords})
    begin = _HEADER + len(text)
    end = begin + data.nbytes - 1
    text = _text({"$BEGINDATA": f"{begin:>20}", "$ENDDATA": f"{end:>20}", **keywords})
    place = (begin, end) if end <= _MOST_IN_HEADER else (0, 0)
    offsets = "".join(f"{at:>8}" for at in (_HEADER, begin - 1, *place, 0, 0))
    with path.open("wb") as stream:
        stream.write(f"FCS3.1    {offsets}".encode())
        stream.write(text)
        stream.write(data.data)


def _text(keywords: dict[str, str]) -> bytes:
    pairs = (f"{key}{_DELIMITER}{_single(value)}{_DELIMITER}" for key, value in keywords.items())
    return (_DELIMITER + "".join(pairs)).encode()


def _single(value: str) -> str:
    """A value as the standard wants it: not empty, without the delimiter."""
    return value.replace(_DELIMITER, " ") or " "


def _parameters(sample: FlowSample) -> dict[str, str]:
    keywords: dict[str, str] = {}
    for place, (channel, parameter) in enumerate(
        zip(sample.channels, sample.parameters, strict=True), start=1
    ):
        top = max(parameter.range, 1.0)
        keywords |= {
            f"$P{place}N": channel,
            f"$P{place}B": "64",
            f"$P{place}R": f"{top:.0f}",
            f"$P{place}E": "0,0",
        }
        if parameter.marker:
            keywords[f"$P{place}S"] = parameter.marker
    return keywords


def _spillover(sample: FlowSample) -> dict[str, str]:
    if sample.spillover is None or any("," in name for name in sample.spillover.detectors):
        return {}
    names, numbers = sample.spillover.detectors, sample.spillover.matrix.ravel()
    parts = [str(len(names)), *names, *(repr(float(number)) for number in numbers)]
    return {"$SPILLOVER": ",".join(parts)}
