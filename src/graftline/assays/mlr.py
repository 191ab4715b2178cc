"""Mixed-lymphocyte reaction: division of CFSE-labelled cells by generations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.problems import InputError, Problem

Floats = NDArray[np.float64]
_BINS_PER_DIVISION = 64


@dataclass(frozen=True, slots=True)
class UndividedPeak:
    """Where undivided cells lie: CFSE intensity of the peak and its width in divisions (log2)."""

    intensity: float
    width: float
    events: int


@dataclass(frozen=True, slots=True)
class GenerationFit:
    """Cells per generation, 0 first, and how well the fit follows the histogram.

    ``rms`` is the root mean square difference between observed and fitted events per bin, as a
    share of the highest fitted bin. ``left_out`` counts events that are not positive.
    """

    cells: Floats
    width: float
    rms: float
    events: int
    left_out: int


@dataclass(frozen=True, slots=True)
class DivisionIndices:
    """Indices of division, each under the name of its definition.

    With N_i cells seen in generation i and precursors P_i = N_i / 2^i:

    * ``division_index`` = sum i P_i / sum P_i, over all precursors (FlowJo);
    * ``proliferation_index`` = sum i P_i / sum P_i over i >= 1, dividing precursors only (FlowJo);
    * ``expansion_index`` = sum N_i / sum P_i (ModFit, flowFit and FCS Express print it as
      "proliferation index");
    * ``replication_index`` = sum N_i / sum P_i over i >= 1;
    * ``percent_divided`` = share of precursors that divided, not of CFSE-low cells.
    """

    division_index: float
    proliferation_index: float
    expansion_index: float
    replication_index: float
    percent_divided: float


@dataclass(frozen=True, slots=True)
class Well:
    """CFSE of the gated cells of one well, linear scale."""

    subject: str
    stimulus: str
    replicate: int
    cfse: Floats


def division_indices(cells: Sequence[float] | Floats) -> DivisionIndices:
    """Indices of division from the cells of each generation, 0 first; NaN where undefined."""
    n = np.asarray(cells, dtype=np.float64)
    generation = np.arange(n.size)
    precursors = n / 2.0**generation
    total, divided = precursors.sum(), precursors[1:].sum()
    rounds = (generation * precursors).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return DivisionIndices(
            division_index=float(np.divide(rounds, total)),
            proliferation_index=float(np.divide(rounds, divided)),
            expansion_index=float(np.divide(n.sum(), total)),
            replication_index=float(np.divide(n[1:].sum(), divided)),
            percent_divided=float(100 * np.divide(divided, total)),
        )


def fit_undivided_peak(cfse: Floats, *, least_events: int = 200) -> UndividedPeak:
    """Peak and width of undivided cells in an unstimulated well.

    A few cells divide without stimulation: the peak is fitted together with two generations below
    it, started at the mode of the histogram.

    Raises
    ------
    ValueError
        Fewer than ``least_events`` positive values.
    """
    logs = _logs(cfse)
    if logs.size < least_events:
        raise ValueError(f"the undivided peak needs {least_events} events, not {logs.size}")
    centre, counts = _histogram(logs)
    smooth = np.convolve(counts, np.hanning(_BINS_PER_DIVISION // 2 + 1), mode="same")
    peak = float(centre[int(smooth.argmax())])
    above = logs[logs >= peak] - peak
    width = float(np.clip(np.sqrt((above**2).mean()), 0.02, 1.0))
    steps = np.arange(3.0)
    share = np.array([0.98, 0.01, 0.01])
    for _ in range(500):
        belongs = _responsibility(centre, peak - steps, width, share) * counts[:, None]
        before = peak
        share = belongs.sum(axis=0) / counts.sum()
        distance = centre[:, None] + steps - peak
        peak += float((belongs * distance).sum() / counts.sum())
        spread = centre[:, None] + steps - peak
        width = max(float(np.sqrt((belongs * spread**2).sum() / counts.sum())), 0.01)
        if abs(peak - before) < 1e-10:
            break
    return UndividedPeak(float(2**peak), width, int(logs.size))


def fit_generations(
    cfse: Floats,
    undivided: UndividedPeak,
    *,
    generations: int = 8,
    autofluorescence: float = 0.0,
    iterations: int = 5000,
) -> GenerationFit:
    """Cells in each generation of a stimulated well, by maximum likelihood.

    The peak of generation i lies at (peak - autofluorescence) / 2^i + autofluorescence, fixed from
    the unstimulated well; all peaks share one log-normal width, which is fitted.

    Parameters
    ----------
    cfse : array, shape (events,)
        Linear CFSE intensity of the responding cells.
    generations : int
        Highest generation; brighter cells than generation 0 belong to it, dimmer ones than the
        last to the last.

    Raises
    ------
    ValueError
        No positive values, or autofluorescence not below the undivided peak.
    """
    logs = _logs(cfse)
    if logs.size == 0:
        raise ValueError("no events with positive CFSE")
    if not 0 <= autofluorescence < undivided.intensity:
        raise ValueError("autofluorescence must lie below the undivided peak")
    steps = 2.0 ** np.arange(generations + 1)
    peaks = np.log2((undivided.intensity - autofluorescence) / steps + autofluorescence)
    centre, counts = _histogram(logs)
    width, share = undivided.width, np.full(peaks.size, 1 / peaks.size)
    for _ in range(iterations):
        belongs = _responsibility(centre, peaks, width, share) * counts[:, None]
        before = share
        share = belongs.sum(axis=0) / counts.sum()
        squares = (belongs * (centre[:, None] - peaks) ** 2).sum() / counts.sum()
        # A width beyond half a division would let one generation swallow its neighbours.
        width = float(np.clip(np.sqrt(squares), 0.5 * undivided.width, 0.5))
        if np.abs(share - before).max() < 1e-9:
            break
    fitted = _density(centre, peaks, width, share) * counts.sum() / _BINS_PER_DIVISION
    rms = float(np.sqrt(((counts - fitted) ** 2).mean()) / fitted.max())
    return GenerationFit(
        share * logs.size, width, rms, int(logs.size), int(np.size(cfse) - logs.size)
    )


def _logs(cfse: Floats) -> Floats:
    values = np.asarray(cfse, dtype=np.float64)
    return np.asarray(np.log2(values[np.isfinite(values) & (values > 0)]))


def _histogram(logs: Floats) -> tuple[Floats, Floats]:
    low = np.floor(logs.min() * _BINS_PER_DIVISION)
    place = (np.floor(logs * _BINS_PER_DIVISION) - low).astype(np.int64)
    counts = np.bincount(place).astype(np.float64)
    centre: Floats = (low + np.arange(counts.size) + 0.5) / _BINS_PER_DIVISION
    return centre, counts


def _parts(centre: Floats, peaks: Floats, width: float, share: Floats) -> Floats:
    z = (centre[:, None] - peaks) / width
    parts: Floats = share * np.exp(-0.5 * z**2) / (width * np.sqrt(2 * np.pi))
    return parts


def _density(centre: Floats, peaks: Floats, width: float, share: Floats) -> Floats:
    density: Floats = _parts(centre, peaks, width, share).sum(axis=1)
    return density


def _responsibility(centre: Floats, peaks: Floats, width: float, share: Floats) -> Floats:
    parts = _parts(centre, peaks, width, share)
    total = parts.sum(axis=1, keepdims=True)
    nearest = np.zeros_like(parts)
    nearest[np.arange(centre.size), np.abs(centre[:, None] - peaks).argmin(axis=1)] = 1
    with np.errstate(invalid="ignore"):
        return np.where(total > 1e-290, parts / total, nearest)


def percent_cfse_low(cfse: Floats, undivided: UndividedPeak) -> float:
    """Percent of cells dimmer than half way (in log) between the undivided and the next peak.

    NaN for no cells. Values that are not positive are low; NaN values are left out.
    """
    known = np.asarray(cfse, dtype=np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan")
    return float(100 * (known < undivided.intensity / np.sqrt(2)).mean())


def summarize_wells(
    wells: Sequence[Well],
    *,
    unstimulated: str = "none",
    generations: int = 8,
    autofluorescence: float = 0.0,
) -> pl.DataFrame:
    """One row per well: percent CFSE-low, net of unstimulated, and the indices of its fit.

    Each subject's undivided peak comes from its own unstimulated wells together; net is the well's
    percent minus the mean of the subject's unstimulated replicates, and may be negative.

    Returns
    -------
    DataFrame [subject, stimulus, replicate, events, cfse_low_percent, net_cfse_low_percent,
        division_index, proliferation_index, expansion_index, replication_index, percent_divided,
        fit_rms, undivided_peak]
        Sorted by subject, stimulus, replicate.

    Raises
    ------
    InputError
        A subject without unstimulated wells, wells without events, a replicate given twice.
    """
    _check_wells(wells, unstimulated)
    rows = []
    for subject in sorted({well.subject for well in wells}):
        own = [well for well in wells if well.subject == subject]
        rest = [well.cfse for well in own if well.stimulus == unstimulated]
        peak = fit_undivided_peak(np.concatenate(rest))
        background = float(np.mean([percent_cfse_low(cfse, peak) for cfse in rest]))
        for well in own:
            fit = fit_generations(
                well.cfse, peak, generations=generations, autofluorescence=autofluorescence
            )
            low = percent_cfse_low(well.cfse, peak)
            index = division_indices(fit.cells)
            rows.append(
                {
                    "subject": subject,
                    "stimulus": well.stimulus,
                    "replicate": well.replicate,
                    "events": fit.events,
                    "cfse_low_percent": low,
                    "net_cfse_low_percent": low - background,
                    "division_index": index.division_index,
                    "proliferation_index": index.proliferation_index,
                    "expansion_index": index.expansion_index,
                    "replication_index": index.replication_index,
                    "percent_divided": index.percent_divided,
                    "fit_rms": fit.rms,
                    "undivided_peak": peak.intensity,
                }
            )
    return pl.DataFrame(rows).sort("subject", "stimulus", "replicate")


def _check_wells(wells: Sequence[Well], unstimulated: str) -> None:
    problems = []
    subjects = {well.subject for well in wells}
    resting = {well.subject for well in wells if well.stimulus == unstimulated}
    for subject in sorted(subjects - resting):
        remedy = "add it, or name it with unstimulated=..."
        problems.append(
            Problem("wells", f"a well {unstimulated!r} of each subject", remedy, patient=subject)
        )
    seen: set[tuple[str, str, int]] = set()
    for well in wells:
        key = (well.subject, well.stimulus, well.replicate)
        least = 200 if well.stimulus == unstimulated else 1
        if _logs(well.cfse).size < least:
            expected = f"at least {least} events with positive CFSE in {well.stimulus}"
            problems.append(Problem("wells", expected, "leave the well out", patient=well.subject))
        if key in seen:
            expected = f"each replicate once; {well.stimulus} {well.replicate} comes twice"
            problems.append(Problem("wells", expected, "number them", patient=well.subject))
        seen.add(key)
    if problems or not wells:
        raise InputError(problems or [Problem("wells", "at least one well", "add wells")])


def summarize_replicates(wells: pl.DataFrame) -> pl.DataFrame:
    """Mean and SD over replicates of the net percent CFSE-low and of the division index.

    Returns
    -------
    DataFrame [subject, stimulus, replicates, net_mean, net_sd, division_index_mean,
        division_index_sd]
        SD null for one replicate.
    """
    net, index = pl.col("net_cfse_low_percent"), pl.col("division_index")
    return (
        wells.sort("subject", "stimulus", "replicate")
        .group_by("subject", "stimulus", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("replicates"),
            net.mean().alias("net_mean"),
            net.std().alias("net_sd"),
            index.mean().alias("division_index_mean"),
            index.std().alias("division_index_sd"),
        )
    )
