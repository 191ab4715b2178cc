"""Mixed-lymphocyte reaction: wells of CFSE-labelled cells, net of unstimulated."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from graftline.assays.division_indices import (
    MOST_MISFIT,
    DivisionIndices,
    division_errors,
    division_indices,
    fit_flags,
    judged_indices,
)
from graftline.assays.generations import (
    Floats,
    GenerationFit,
    UndividedPeak,
    events_in_reach,
    fit_generations,
    fit_undivided_peak,
    fit_wells,
    positive_logs,
)
from graftline.problems import InputError, Problem

__all__ = [
    "DivisionIndices",
    "GenerationFit",
    "JudgedWell",
    "UndividedPeak",
    "Well",
    "division_errors",
    "division_indices",
    "fit_flags",
    "fit_generations",
    "fit_undivided_peak",
    "fit_wells",
    "generations_table",
    "judge_wells",
    "judged_indices",
    "percent_cfse_low",
    "summarize_replicates",
    "summarize_wells",
    "wells_table",
]

UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class Well:
    """CFSE of the gated cells of one well, linear scale."""

    subject: str
    stimulus: str
    replicate: int
    cfse: Floats


@dataclass(frozen=True, slots=True)
class JudgedWell:
    """A well with its subject's undivided peak, its fit, and its percent CFSE-low."""

    well: Well
    peak: UndividedPeak
    fit: GenerationFit
    low_percent: float
    net_low_percent: float


def percent_cfse_low(cfse: Floats, undivided: UndividedPeak) -> float:
    """Percent of cells dimmer than half way (in log) between the undivided and the next peak.

    NaN for no cells. Values that are not positive are low; NaN values are left out.
    """
    known = np.asarray(cfse, dtype=np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan")
    return float(100 * (known < undivided.intensity / np.sqrt(2)).mean())


def judge_wells(
    wells: Sequence[Well],
    *,
    unstimulated: str = "none",
    generations: int = 8,
    autofluorescence: float | None = None,
) -> tuple[JudgedWell, ...]:
    """Every labelled well with its fit, net of the subject's unstimulated wells.

    Each subject's undivided peak comes from its own unstimulated wells together, and its labelled
    wells are fitted together (`fit_wells`), except those that no comb fits. Net is the well's
    percent minus the mean of the subject's unstimulated replicates, and may be negative.

    Parameters
    ----------
    autofluorescence : float, optional
        Of unlabelled cells. Without it: the median of the subject's wells ``unlabelled``; without
        those it is fitted, over all wells of the subject.

    Raises
    ------
    InputError
        A subject without unstimulated wells, wells without events, a replicate given twice, an
        autofluorescence not below the undivided peak.
    """
    _check_wells(wells, unstimulated)
    judged: list[JudgedWell] = []
    for subject in sorted({well.subject for well in wells}):
        own = [well for well in wells if well.subject == subject]
        rest = [well.cfse for well in own if well.stimulus == unstimulated]
        peak = fit_undivided_peak(np.concatenate(rest))
        background = float(np.mean([percent_cfse_low(cfse, peak) for cfse in rest]))
        dark = autofluorescence if autofluorescence is not None else _unlabelled(own)
        if dark is not None and not 0 <= dark < peak.intensity:
            expected = f"autofluorescence from 0 to below the undivided peak, {peak.intensity:.4g}"
            problem = Problem("wells", expected, "correct it", patient=subject, found=f"{dark:.4g}")
            raise InputError([problem])
        labelled = [well for well in own if well.stimulus != UNLABELLED]
        _check_reach(labelled, peak, generations=generations, autofluorescence=dark)
        fits = _fits(
            [well.cfse for well in labelled],
            peak,
            generations=generations,
            autofluorescence=dark,
        )
        for well, fit in zip(labelled, fits, strict=True):
            low = percent_cfse_low(well.cfse, peak)
            judged.append(JudgedWell(well, peak, fit, low, low - background))
    return tuple(judged)


def _fits(
    wells: Sequence[Floats],
    peak: UndividedPeak,
    *,
    generations: int,
    autofluorescence: float | None,
) -> list[GenerationFit]:
    """Fits of all wells together, and alone of those that no comb fits: they would pull on all."""

    def fit(those: Sequence[int]) -> dict[int, GenerationFit]:
        found = fit_wells(
            [wells[n] for n in those],
            peak,
            generations=generations,
            autofluorescence=autofluorescence,
        )
        return dict(zip(those, found, strict=True))

    fits = fit(range(len(wells)))
    odd = [n for n, one in fits.items() if one.misfit > MOST_MISFIT]
    if odd and len(odd) < len(wells):
        fits = fit([n for n in fits if n not in odd])
        for n in odd:
            fits |= fit([n])
    return [fits[n] for n in range(len(wells))]


def _check_reach(
    wells: Sequence[Well],
    peak: UndividedPeak,
    *,
    generations: int,
    autofluorescence: float | None,
) -> None:
    problems = [
        Problem(
            "wells",
            f"cells between generation 0 and {generations} of the undivided peak, "
            f"{peak.intensity:.4g}, in {well.stimulus} {well.replicate}",
            "check the channel and the gate, or leave the well out",
            patient=well.subject,
            found=f"{np.size(well.cfse)} cells, none there",
        )
        for well in wells
        if not events_in_reach(
            well.cfse, peak, generations=generations, autofluorescence=autofluorescence
        )
    ]
    if problems:
        raise InputError(problems)


def _unlabelled(wells: Sequence[Well]) -> float | None:
    values = [well.cfse[np.isfinite(well.cfse)] for well in wells if well.stimulus == UNLABELLED]
    return max(float(np.median(np.concatenate(values))), 0.0) if values else None


def summarize_wells(
    wells: Sequence[Well],
    *,
    unstimulated: str = "none",
    generations: int = 8,
    autofluorescence: float | None = None,
) -> pl.DataFrame:
    """One row per labelled well; `judge_wells` as the table of `wells_table`.

    Raises
    ------
    InputError
        As `judge_wells`.
    """
    return wells_table(
        judge_wells(
            wells,
            unstimulated=unstimulated,
            generations=generations,
            autofluorescence=autofluorescence,
        )
    )


def wells_table(judged: Sequence[JudgedWell]) -> pl.DataFrame:
    """Percent CFSE-low, net of unstimulated, and the indices of the fit with their errors.

    Returns
    -------
    DataFrame [subject, stimulus, replicate, events, cfse_low_percent, net_cfse_low_percent,
        division_index, proliferation_index, expansion_index, replication_index, percent_divided,
        ..._error, fit_rms, fit_misfit, undivided_peak, undivided_width, shift, spacing,
        autofluorescence, flags]
        Sorted by subject, stimulus, replicate. Indices that cannot be told are null; ``flags`` says
        why, see `fit_flags`.
    """
    rows = []
    for one in judged:
        index, error = judged_indices(one.fit), division_errors(one.fit)
        rows.append(
            {
                "subject": one.well.subject,
                "stimulus": one.well.stimulus,
                "replicate": one.well.replicate,
                "events": one.fit.events,
                "cfse_low_percent": one.low_percent,
                "net_cfse_low_percent": one.net_low_percent,
                **asdict(index),
                **{f"{name}_error": value for name, value in asdict(error).items()},
                "fit_rms": one.fit.rms,
                "fit_misfit": one.fit.misfit,
                "undivided_peak": one.peak.intensity,
                "undivided_width": one.peak.width,
                "shift": one.fit.shift,
                "spacing": one.fit.spacing,
                "autofluorescence": one.fit.autofluorescence,
                "flags": ", ".join(fit_flags(one.fit)) or None,
            }
        )
    table = pl.DataFrame(rows, schema_overrides={"flags": pl.String})
    return table.with_columns(pl.selectors.float().fill_nan(None)).sort(
        "subject", "stimulus", "replicate"
    )


def generations_table(judged: Sequence[JudgedWell]) -> pl.DataFrame:
    """Cells of each generation of each well, with their standard error, and their precursors.

    Returns
    -------
    DataFrame [subject, stimulus, replicate, generation, peak, cells, cells_error, precursors]
    """
    parts = []
    for one in judged:
        numbers = np.arange(one.fit.cells.size)
        parts.append(
            pl.DataFrame(
                {
                    "subject": one.well.subject,
                    "stimulus": one.well.stimulus,
                    "replicate": one.well.replicate,
                    "generation": numbers,
                    "peak": one.fit.peaks,
                    "cells": one.fit.cells,
                    "cells_error": np.sqrt(np.maximum(np.diag(one.fit.covariance), 0.0)),
                    "precursors": one.fit.cells / 2.0**numbers,
                }
            )
        )
    return pl.concat(parts).sort("subject", "stimulus", "replicate", "generation")


def _check_wells(wells: Sequence[Well], unstimulated: str) -> None:
    problems = []
    subjects = {well.subject for well in wells if well.stimulus != UNLABELLED}
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
        if well.stimulus == UNLABELLED:
            least = 0
        if positive_logs(well.cfse).size < least:
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
