"""One row per sample: depth, productive share, clonality, diversity, coverage."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from graftline.assays.tcr.clones import CloneKey, Clones, count_spectrum
from graftline.assays.tcr.depth import Measure, values_at_depth
from graftline.assays.tcr.diversity import (
    ace,
    chao1,
    clonality,
    coverage_chao_jost,
    coverage_good,
    d50_clones,
    d50_complement,
    d50_percent,
    gini_coefficient,
    hill_number,
    inverse_simpson,
    shannon_entropy,
    simpson_clonality,
    top_share,
)
from graftline.assays.tcr.findings import tally_problems
from graftline.assays.tcr.read import scan_rearrangements
from graftline.assays.tcr.spectrum import Spectrum, spectrum_of
from graftline.problems import InputError, Problem

_MEASURES: dict[str, Callable[[Spectrum], float]] = {
    "reads": lambda s: s.reads,
    "clones": lambda s: s.richness,
    "shannon_nats": shannon_entropy,
    "clonality": clonality,
    "simpson_clonality": simpson_clonality,
    "gini": gini_coefficient,
    "inverse_simpson": inverse_simpson,
    "hill_0": lambda s: hill_number(s, order=0),
    "hill_1": lambda s: hill_number(s, order=1),
    "hill_2": lambda s: hill_number(s, order=2),
    "chao1": lambda s: chao1(s).estimate,
    "chao1_low": lambda s: chao1(s).low,
    "chao1_high": lambda s: chao1(s).high,
    "ace": ace,
    "d50_clones": d50_clones,
    "d50_percent": d50_percent,
    "d50_complement": d50_complement,
    "top_1_share": lambda s: top_share(s, clones=1),
    "top_10_share": lambda s: top_share(s, clones=10),
    "top_50_share": lambda s: top_share(s, clones=50),
    "top_100_share": lambda s: top_share(s, clones=100),
    "coverage_good": coverage_good,
    "coverage_chao_jost": coverage_chao_jost,
}


def measure_spectrum(spectrum: Spectrum) -> dict[str, float | None]:
    """Every measure of the summary by name; None where it has no value."""
    values = {name: measure(spectrum) for name, measure in _MEASURES.items()}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def sample_spectra(clones: pl.DataFrame) -> dict[str, Spectrum]:
    """Spectrum of each sample of a table [sample, count] or [sample, count, clones]."""
    many = "clones" in clones.columns
    parts = clones.sort("sample").partition_by("sample", as_dict=True)
    return {
        str(sample): spectrum_of(part["count"], part["clones"] if many else None)
        for (sample, *_), part in parts.items()
    }


def summarize_clones(clones: Clones) -> pl.DataFrame:
    """Summary of clones already read; columns as `summarize_repertoires`."""
    return _summary(sample_spectra(clones.clones), clones.tally)


def summarize_repertoires(
    path: str | Path | Sequence[str | Path],
    *,
    key: CloneKey = "aa_v_j",
    locus: str | None = "TRB",
    productive: Literal["only", "all"] = "only",
    count_column: str | None = None,
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Clonality and diversity of every sample in the files, without holding the clones.

    One streaming group-by per file; ten million rows need about 2 GB.

    Returns
    -------
    DataFrame
        One row per sample: ``sample, productive_read_percent, productive_row_percent, reads,
        clones, shannon_nats, clonality`` (1 - Pielou)``, simpson_clonality, gini,
        inverse_simpson, hill_0, hill_1, hill_2, chao1, chao1_low, chao1_high, ace, d50_clones,
        d50_percent, d50_complement, top_1_share, ..., top_100_share, coverage_good,
        coverage_chao_jost, note``. The percentages are of all rows of the locus. ``reads`` are
        what the count column counts.
    tuple of Problem
        Findings that stop nothing.

    Raises
    ------
    InputError
        As `read_clones`; a sample in two files (read them together with `read_clones`).
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    spectra, tallies = [], list[pl.DataFrame]()
    problems, errors = list[Problem](), list[Problem]()
    for one in paths:
        try:
            scanned = scan_rearrangements(one, count_column=count_column)
            spectrum, tally = count_spectrum(scanned, key=key, locus=locus, productive=productive)
            problems.extend(scanned.problems)
            problems.extend(tally_problems(scanned, tally, locus=locus))
            spectra.append(spectrum)
            tallies.append(tally.with_columns(pl.lit(Path(one).name).alias("file")))
        except InputError as wrong:
            errors.extend(wrong.problems)
    if not errors:
        errors.extend(_shared_samples(tallies))
    if errors:
        raise InputError(errors)
    found = pl.concat(spectra).filter(pl.col("count") > 0)
    return _summary(sample_spectra(found), pl.concat(tallies)), tuple(problems)


def _shared_samples(tallies: Iterable[pl.DataFrame]) -> list[Problem]:
    files = (
        pl.concat(tally.select("sample", "file").unique() for tally in tallies)
        .group_by("sample")
        .agg(pl.col("file").sort())
        .filter(pl.col("file").list.len() > 1)
        .sort("sample")
    )
    return [
        Problem(names[1], "each sample in one file", "join the files or rename", found=sample)
        for sample, names in files.iter_rows()
    ]


def _summary(spectra: dict[str, Spectrum], tally: pl.DataFrame) -> pl.DataFrame:
    shares = _productive_shares(tally)
    empty = spectrum_of([])
    rows = []
    for sample in shares["sample"]:
        spectrum = spectra.get(sample, empty)
        rows.append({"sample": sample, **measure_spectrum(spectrum), "note": _note(spectrum)})
    schema = {"sample": pl.String, **dict.fromkeys(_MEASURES, pl.Float64), "note": pl.String}
    return shares.join(
        pl.DataFrame(rows, schema=schema), on="sample", how="left", validate="1:1"
    ).with_columns(pl.col("reads", "clones", "d50_clones").cast(pl.Int64))


def _note(spectrum: Spectrum) -> str | None:
    if spectrum.richness == 0:
        return "no clones"
    return "one clone: clonality not defined" if spectrum.richness == 1 else None


def _productive_shares(tally: pl.DataFrame) -> pl.DataFrame:
    here = pl.col("status") != "other_locus"
    kept = pl.col("status") == "kept"
    return (
        tally.group_by("sample")
        .agg(
            (100 * pl.col(what).filter(kept).sum() / pl.col(what).filter(here).sum()).alias(name)
            for what, name in (
                ("reads", "productive_read_percent"),
                ("rows", "productive_row_percent"),
            )
        )
        .with_columns(pl.col("^productive.*$").fill_nan(None))
        .sort("sample")
    )


def summarize_at_depth(
    clones: pl.DataFrame,
    *,
    depth: float,
    seed: int,
    measures: Sequence[Measure] = ("richness", "hill_1", "inverse_simpson", "clonality"),
    draws: int = 200,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Each measure of each sample at one depth, with bootstrap interval.

    Parameters
    ----------
    clones : DataFrame [sample, count]
        One row per clone.
    depth : float
        Reads to compare at; samples with fewer have null and the reason.
    seed : int
        Each sample draws from its own stream, so that dropping one leaves the others alone.

    Returns
    -------
    DataFrame [sample, measure, depth, estimate, low, high, reason]
    """
    rows = []
    for sample, spectrum in sample_spectra(clones).items():
        sample_seed = [seed, *sample.encode()]
        values = values_at_depth(
            spectrum,
            depth=depth,
            measures=measures,
            seed=sample_seed,
            draws=draws,
            confidence=confidence,
        )
        reason = f"only {spectrum.reads:.0f} reads" if spectrum.reads < depth else None
        rows += [(sample, m, float(depth), *values[m], reason) for m in measures]
    schema = {
        **dict.fromkeys(("sample", "measure"), pl.String),
        **dict.fromkeys(("depth", "estimate", "low", "high"), pl.Float64),
        "reason": pl.String,
    }
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.with_columns(pl.col("estimate", "low", "high").fill_nan(None))
