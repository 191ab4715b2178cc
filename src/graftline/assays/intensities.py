"""Intensities of one marker: from an FCS file, gated if asked, or from a column of a CSV."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.assays.flow.fcs import FlowSample, read_fcs
from graftline.assays.flow.gates import GatedSample, axis_values, gate_sample
from graftline.assays.flow.gating_file import Dimension, Gating, read_gating
from graftline.assays.table_file import open_table_file
from graftline.problems import InputError, Problem, Severity

Floats = NDArray[np.float64]
_CFSE = ("CFSE", "CELLTRACE", "CTV", "CTFR")
_BASES = {"log2": 2.0, "ln": float(np.e), "log10": 10.0}
_MISSING = {"", "na", "nan", "null", "n/a"}
_LARGEST_LOGARITHM = 20.0
# Analogue cytometers: 1,024 channels over four decades.
_CHANNELS, _DECADES = 1024, 4
_LARGEST_INTENSITY = 1e9  # detectors end at 2^24, about 1.7e7


def read_intensities(
    path: Path,
    *,
    channel: str | None = None,
    gating: Path | None = None,
    population: str | None = None,
    scale: str | None = None,
) -> tuple[Floats, tuple[Problem, ...]]:
    """Intensities of one channel on the linear scale, and what is worth knowing of the file.

    Parameters
    ----------
    channel : str, optional
        Channel, marker, or column; needed where not exactly one is called CFSE or CellTrace.
    gating, population : Path, str, optional
        Gating file and the gate whose events count (FCS only). Where the file or the gating has a
        spillover matrix the channel is compensated.
    scale : {"linear", "log2", "ln", "log10", "channel"}, optional
        How a CSV holds the values; linear by default. Channels are 1,024 over four decades. FCS
        files say it themselves.

    Raises
    ------
    InputError
        Unreadable, no such channel or gate, a CSV with text where numbers should be, values that
        look like logarithms and are not said to be.
    """
    if not _is_fcs(path):
        return _from_table(path, channel, scale, gated=gating is not None), ()
    sample = read_fcs(path)
    name = channel or _only_cfse(path, _labels(sample))
    if gating is None:
        values = axis_values(
            sample, Gating(path.name, "file", {}, (), {}), sample.spillover, Dimension(name)
        )
        return values, sample.problems
    gated = gate_sample(sample, read_gating(gating))
    inside = gate_of(gated, population or "all", gating)
    values = axis_values(sample, gated.gating, gated.spillover, Dimension(name))
    return values[inside], sample.problems


def gate_of(gated: GatedSample, name: str, gating: Path) -> NDArray[np.bool_]:
    """Events inside one gate.

    Raises
    ------
    InputError
        The gating file has no such gate.
    """
    if name not in gated.inside:
        remedy = f"name one of: {', '.join(gated.inside)}"
        raise InputError([Problem(gating.name, "a gate of the file", remedy, found=name)])
    return gated.inside[name]


def _is_fcs(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(3)
    except OSError as error:
        raise InputError(
            [_unreadable(path, f"a file that can be read ({error.strerror})")]
        ) from None
    return start == b"FCS" or path.suffix.lower() == ".fcs"


def _labels(sample: FlowSample) -> dict[str, str]:
    """Channel names, with what each is called beside it."""
    return {
        name: f"{name} {parameter.marker or ''}"
        for name, parameter in zip(sample.channels, sample.parameters, strict=True)
    }


def _only_cfse(path: Path, labels: dict[str, str]) -> str:
    found = [n for n, label in labels.items() if any(word in label.upper() for word in _CFSE)]
    # area before height and width of the same dye
    areas = [name for name in found if name.upper().endswith("-A")]
    found = areas if len(areas) == 1 else found
    if len(found) != 1:
        remedy = f"name the channel in the sheet, one of: {', '.join(labels)}"[:300]
        expected = "one channel called CFSE or CellTrace"
        raise InputError([Problem(path.name, expected, remedy, found=", ".join(found) or "none")])
    return found[0]


def _from_table(path: Path, channel: str | None, scale: str | None, *, gated: bool) -> Floats:
    if gated:
        remedy = "leave the gating file out; a CSV holds the gated cells"
        raise InputError([Problem(path.name, "an FCS file, as there is a gating file", remedy)])
    columns = _table_columns(path)
    if channel is None and len(columns) == 1:
        channel = next(iter(columns))
    name = channel or _only_cfse(path, {name: name for name in columns})
    if name not in columns:
        remedy = f"name one of: {', '.join(columns)}"[:300]
        raise InputError([Problem(path.name, "a column of the file", remedy, found=name)])
    values = _numbers(path, name, columns[name])
    known = values[np.isfinite(values)]
    if scale in _BASES:
        with np.errstate(over="ignore"):
            made = np.asarray(_BASES[scale] ** values)
        if known.size and np.nanmedian(made) > _LARGEST_INTENSITY:
            expected = f"logarithms ({scale}), as the column scale says"
            remedy = "these look like intensities: write linear in the column scale of the sheet"
            found = f"{known.min():.3g} to {known.max():.3g}"
            raise InputError([Problem(path.name, expected, remedy, column=name, found=found)])
        return made
    if scale == "channel":
        return np.asarray(10.0 ** (values * _DECADES / _CHANNELS))
    if scale is None and known.size:
        _check_linear(path, name, known)
    return values


def _check_linear(path: Path, name: str, known: Floats) -> None:
    """Refuse values that are hardly intensities on the linear scale."""
    found, like, word = f"{known.min():.3g} to {known.max():.3g}", "", ""
    if 0 < np.median(known) <= known.max() < _LARGEST_LOGARITHM:
        like, word = "logarithms", "log10, log2 or ln"
    elif known.min() >= 0 and known.max() < _CHANNELS and not np.any(known % 1):
        like, word = "channels from 0 to 1023", "channel"
    if like:
        expected = f"intensities on the linear scale; these look like {like}"
        remedy = f"write {word} (or linear, if they are) in the column scale of the sheet"
        raise InputError([Problem(path.name, expected, remedy, column=name, found=found)])


def _table_columns(path: Path) -> dict[str, list[str]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    single = bool(lines) and not any(mark in lines[0] for mark in "\t;,")
    if single:
        # a header alone is a well without events
        return {lines[0].strip().strip('"'): [line.strip() for line in lines[1:]]}
    table = open_table_file(path)
    try:
        frame = pl.read_csv(path, separator=table.separator, infer_schema=False)
    except pl.exceptions.PolarsError as fault:
        said = str(fault).strip().splitlines()[0]
        raise InputError([_unreadable(path, f"a CSV of intensities ({said})")]) from None
    return dict(
        zip(table.columns, (frame[c].fill_null("").to_list() for c in frame.columns), strict=False)
    )


def _numbers(path: Path, name: str, cells: list[str]) -> Floats:
    text = pl.Series(cells, dtype=pl.String).str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    given = ~text.str.to_lowercase().is_in(list(_MISSING))
    wrong = [n for n, bad in enumerate((values.is_null() & given).to_list(), start=2) if bad]
    if wrong:
        raise InputError(
            [
                Problem(
                    path.name,
                    "a number with a decimal point",
                    "correct it",
                    row=wrong[0],
                    column=name,
                    found=cells[wrong[0] - 2][:40],
                    count=len(wrong),
                )
            ]
        )
    return values.fill_null(float("nan")).to_numpy().astype(np.float64)


def _unreadable(path: Path, expected: str) -> Problem:
    return Problem(path.name, expected, "copy or export it again", Severity.UNREADABLE)
