"""All repertoires of a study: summary, common depth, overlap, clones traced back, trends."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from graftline.assays.tcr.clones import CloneKey, Clones
from graftline.assays.tcr.expansion import expansion_test
from graftline.assays.tcr.findings import cut_problems
from graftline.assays.tcr.overlap import overlap_table
from graftline.assays.tcr.samples import (
    DAYS_PER_MONTH,
    Samples,
    read_sample_clones,
    samples_of_files,
    samples_of_sheet,
)
from graftline.assays.tcr.spectrum import Spectrum
from graftline.assays.tcr.summary import sample_spectra, summarize_at_depth, summarize_clones
from graftline.assays.tcr.tracking import (
    TieRule,
    summarize_tracked,
    track_clones,
    track_rank_bands,
)
from graftline.assays.tcr.trend import course_trends
from graftline.problems import Problem, Severity

MONTH_12_DAYS = 12 * DAYS_PER_MONTH
_TREND_MEASURES = ("clonality", "hill_1", "inverse_simpson", "clonality_at_depth")


@dataclass(frozen=True, slots=True)
class TcrOptions:
    """What a study of repertoires may be asked for; every choice is printed with the results.

    ``rank_at`` is the day (from HSPC where known) at which clones are ranked; a patient's sample
    within ``rank_within`` days of it is taken, the nearest first. Without it month 12, and the last
    sample of patients who have none there. ``depth`` is the common depth in reads or templates;
    1,000 unless said otherwise, because samples early after a transplant are shallow. It is never
    taken from the samples: no value moves when another sample is dropped.
    """

    key: CloneKey = "aa_v_j"
    locus: str | None = "TRB"
    productive: Literal["only", "all"] = "only"
    rank_at: float | None = None
    rank_within: float = 61.0
    top: int = 50
    ties: TieRule = "order"
    depth: float = 1000
    seed: int = 1
    draws: int = 200
    least_reads: int = 5
    fdr: float = 0.05


@dataclass(frozen=True, slots=True)
class TcrStudy:
    """Results of all samples; frames are in the order of ``samples``.

    * ``samples`` [row, sample, patient, sample_type, day, month, file, ...]: see `Samples`;
    * ``summary``: one row per sample: patient, sample_type, month and every column of
      `summarize_repertoires`;
    * ``at_depth`` of `summarize_at_depth`; ``overlap`` of `overlap_table`;
    * ``ranked`` [patient, ranked_at, ranked_month, rule, donor, reason]: where clones were ranked
      and which donor sample they are compared with; null with a reason where it cannot be;
    * ``tracked``, ``traced``, ``bands``: `track_clones`, `summarize_tracked`, `track_rank_bands`,
      with ``patient``;
    * ``expansion``: `expansion_test` of donor against ranked sample, with ``patient``;
    * ``trends`` of `course_trends`.
    """

    options: TcrOptions
    source: str
    from_hsct: bool
    samples: pl.DataFrame
    summary: pl.DataFrame
    at_depth: pl.DataFrame
    overlap: pl.DataFrame
    ranked: pl.DataFrame
    tracked: pl.DataFrame
    traced: pl.DataFrame
    bands: pl.DataFrame
    expansion: pl.DataFrame
    trends: pl.DataFrame
    spectra: Mapping[str, Spectrum]
    tally: pl.DataFrame
    problems: tuple[Problem, ...]


def tcr_study(
    sheet: Path,
    *,
    options: TcrOptions | None = None,
    hsct_days: pl.DataFrame | None = None,
    without: Collection[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> TcrStudy:
    """Everything the repertoires of a sample sheet say.

    Parameters
    ----------
    sheet : Path
        Columns of `graftline.schema.sheets.TCR_SHEET`.
    options : TcrOptions, optional
    hsct_days : DataFrame [patient, hsct_day], optional
        Days of HSPC where the sheet has none.
    without : collection of int
        Rows of the sheet to leave out.
    progress : callable
        Told what is being done.

    Raises
    ------
    InputError
        The sheet or a file it names cannot be used; all findings of all files.
    """
    samples = samples_of_sheet(sheet, hsct_days=hsct_days, without=without)
    return study_samples(samples, options=options or TcrOptions(), progress=progress)


def tcr_files_study(
    paths: Sequence[Path],
    *,
    options: TcrOptions | None = None,
    dialect: str | None = None,
    count_column: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> TcrStudy:
    """As `tcr_study`, for files without a sheet: no patient, no time, nothing to trace.

    Raises
    ------
    InputError
        A file cannot be used; all findings of all files.
    """
    samples = samples_of_files(paths, dialect=dialect, count_column=count_column)
    return study_samples(samples, options=options or TcrOptions(), progress=progress)


def inspect_tcr(
    sheet: Path,
    *,
    options: TcrOptions | None = None,
    hsct_days: pl.DataFrame | None = None,
    without: Collection[int] = (),
) -> list[Problem]:
    """Findings of a sheet and its files that stop nothing, without the numbers.

    Raises
    ------
    InputError
        As `tcr_study`.
    """
    chosen = options or TcrOptions()
    samples = samples_of_sheet(sheet, hsct_days=hsct_days, without=without)
    named, clones = read_sample_clones(
        samples, key=chosen.key, locus=chosen.locus, productive=chosen.productive
    )
    return [*clones.problems, *_comparison_problems(named, clones)]


def study_samples(
    samples: Samples, *, options: TcrOptions, progress: Callable[[str], None] = lambda _: None
) -> TcrStudy:
    """Study of samples whose files are known.

    Raises
    ------
    InputError
        A file cannot be used; all findings of all files.
    """
    progress("Reading repertoires")
    samples, found = read_sample_clones(
        samples, key=options.key, locus=options.locus, productive=options.productive
    )
    clones, table = found.clones, samples.table
    identity = table.select("sample", "patient", "sample_type", "day", "month")
    summary = identity.join(
        summarize_clones(found), on="sample", how="left", validate="1:1", maintain_order="left"
    )
    progress("Values at the common depth")
    at_depth = summarize_at_depth(
        clones, depth=options.depth, seed=options.seed, draws=options.draws
    )
    progress("Overlap, clones traced back, expansion")
    ranked = _ranked(summary, options)
    tracked, bands, expansion = _traced(clones, summary, ranked, options)
    # What was there before month 0 is no part of the course after it.
    after = pl.when(pl.col("month") >= 0).then("month")
    patients = summary.filter(pl.col("sample_type") == "patient").with_columns(month=after)
    courses = patients.join(
        at_depth.filter(pl.col("measure") == "clonality").select(
            "sample", clonality_at_depth="estimate"
        ),
        on="sample",
        how="left",
        validate="1:1",
        maintain_order="left",
    )
    order = {name: place for place, name in enumerate(table["sample"])}
    return TcrStudy(
        options,
        samples.source,
        samples.from_hsct,
        table,
        summary,
        _in_order(at_depth, order),
        overlap_table(clones, key=options.key),
        ranked,
        tracked,
        _traced_summary(tracked),
        bands,
        expansion,
        course_trends(courses, measures=_TREND_MEASURES),
        dict(sorted(sample_spectra(clones).items(), key=lambda item: order[item[0]])),
        found.tally,
        (
            *found.problems,
            *_comparison_problems(samples, found),
            *_depth_problems(summary, options),
        ),
    )


def _in_order(table: pl.DataFrame, order: Mapping[str, int]) -> pl.DataFrame:
    place = pl.col("sample").replace_strict(order, return_dtype=pl.Int64)
    return table.sort(place, maintain_order=True)


def _ranked(summary: pl.DataFrame, options: TcrOptions) -> pl.DataFrame:
    """The sample of each patient at which clones are ranked, and the donor's first sample."""
    rows = []
    readable = summary.filter(pl.col("clones") > 0)
    for patient in summary["patient"].drop_nulls().unique(maintain_order=True):
        own = readable.filter(pl.col("patient") == patient)
        donors = own.filter(pl.col("sample_type") == "donor")["sample"]
        later = own.filter(pl.col("sample_type") == "patient", pl.col("day").is_not_null())
        later = later.sort("day", maintain_order=True)
        at, month, rule, reason = _ranking_sample(later, options)
        donor = donors[0] if donors.len() else None
        if reason is None and donor is None:
            reason = "no donor sample to trace back to"
        rows.append((patient, at, month, rule, donor, reason))
    schema = dict.fromkeys(("patient", "ranked_at"), pl.String) | {"ranked_month": pl.Float64}
    schema |= dict.fromkeys(("rule", "donor", "reason"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _ranking_sample(
    later: pl.DataFrame, options: TcrOptions
) -> tuple[str | None, float | None, str | None, str | None]:
    if later.is_empty():
        return None, None, None, "no sample of the patient with clones and a day"
    wanted = MONTH_12_DAYS if options.rank_at is None else options.rank_at
    away = (pl.col("day") - wanted).abs()
    near = later.filter(away <= options.rank_within).sort(away, "day", maintain_order=True)
    said = "month 12" if options.rank_at is None else f"day {wanted:g}"
    if near.height:
        rule = f"nearest to {said}, within {options.rank_within:g} days"
        return near["sample"][0], near["month"][0], rule, None
    if options.rank_at is not None:
        return None, None, None, f"no sample within {options.rank_within:g} days of {said}"
    after = later.filter(pl.col("day") >= 0)
    if after.is_empty():
        return None, None, None, "only samples from before month 0"
    return after["sample"][-1], after["month"][-1], "last sample (none near month 12)", None


def _traced(
    clones: pl.DataFrame, summary: pl.DataFrame, ranked: pl.DataFrame, options: TcrOptions
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Tracked clones, rank bands and expansion of every patient with a sample to rank at."""
    tracked, bands, expansions = [], [], []
    readable = summary.filter(pl.col("clones") > 0)
    for row in ranked.filter(pl.col("ranked_at").is_not_null()).iter_rows(named=True):
        patient, at = pl.lit(row["patient"]).alias("patient"), row["ranked_at"]
        names = readable.filter(pl.col("patient") == row["patient"])["sample"].to_list()
        own = clones.filter(pl.col("sample").is_in(names))
        followed = track_clones(
            own, at=at, key=options.key, top=options.top, ties=options.ties, samples=names
        )
        tracked.append(followed.select(patient, pl.all()))
        parts = track_rank_bands(own, at=at, key=options.key, bands=_bands(options.top))
        place = {name: n for n, name in enumerate(names)}
        bands.append(_in_order(parts, place).select(patient, pl.all()))
        if row["donor"] is not None:
            tested = expansion_test(
                own,
                before=row["donor"],
                after=at,
                key=options.key,
                least_reads=options.least_reads,
                fdr=options.fdr,
            )
            expansions.append(tested.select(patient, pl.all()))
    frames = (tracked, bands, expansions)
    first, second, third = (pl.concat(f) if f else pl.DataFrame() for f in frames)
    return first, second, third


def _bands(top: int) -> tuple[int, ...]:
    return tuple(sorted({max(1, top // 5), top, 2 * top}))


def _traced_summary(tracked: pl.DataFrame) -> pl.DataFrame:
    if tracked.is_empty():
        return pl.DataFrame()
    parts = tracked.partition_by("patient", as_dict=True, maintain_order=True)
    return pl.concat(
        summarize_tracked(part).select(pl.lit(patient).alias("patient"), pl.all())
        for (patient,), part in parts.items()
    )


def _comparison_problems(samples: Samples, found: Clones) -> list[Problem]:
    """Samples whose counts count different things, or whose CDR3s are cut differently."""
    names, cut = found.counted, cut_problems(found.clones, samples.source)
    if len(names) < 2:
        return cut
    said = "; ".join(f"{column} in {', '.join(files[:3])}" for column, files in names.items())
    return [
        Problem(
            samples.source,
            "counts of one kind (reads, templates or molecules) in all samples",
            "compare diversity only between samples counted alike",
            Severity.WARNING,
            found=said[:300],
        ),
        *cut,
    ]


def _depth_problems(summary: pl.DataFrame, options: TcrOptions) -> list[Problem]:
    shallow = summary.filter(pl.col("reads") < options.depth)
    if shallow.is_empty():
        return []
    names = ", ".join(shallow["sample"].head(8))
    return [
        Problem(
            "repertoires",
            f"at least the {options.depth:g} reads or templates of the common depth",
            f"no value at the common depth for {shallow.height} samples; name a smaller depth",
            Severity.NOTE,
            found=names,
        )
    ]
