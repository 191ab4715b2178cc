"""The section on T-cell repertoires, from a study of a sample sheet or of files alone."""

from collections.abc import Sequence
from statistics import median

import polars as pl

from graftline.assays.tcr.spectrum import Spectrum
from graftline.assays.tcr.study import TcrStudy
from graftline.figures.assays_tcr import draw_overlap, draw_rarefaction, draw_repertoire_courses
from graftline.figures.assays_tcr_traced import (
    draw_expansion,
    draw_rank_bands,
    draw_tracked_clones,
)
from graftline.report.value import ReportFigure, Section
from graftline.tables.assay_tcr import (
    KEYS,
    clones_table,
    depth_table,
    diversity_table,
    expansion_table,
    month_text,
    overlap_listing,
    sample_labels,
    samples_table,
    time_name,
    traced_table,
    trends_table,
)
from graftline.tables.format import number, value_range
from graftline.tables.short_names import short_names

MOST_PANELS = 12
MOST_OVERLAPS = 40
_MOST_NAMED_LINES, _MOST_LISTED = 24, 8
_TITLE, _LABEL = 16, 26


def tcr_section(study: TcrStudy) -> Section:
    """What the repertoires say: clonality, diversity, and the donor's clones in the patient."""
    with_patients = study.samples["patient"].is_not_null().any()
    tables = [samples_table(study), diversity_table(study), depth_table(study)]
    figures, missing = [*_rarefaction(study), *_overlap(study)], list[str]()
    if with_patients:
        tables += [traced_table(study), trends_table(study)]
        figures = [*_courses(study), *_traced(study), *figures]
        missing += _missing(study)
    else:
        missing.append(
            "Nothing is traced and no trend is tested: files without a sample sheet have no "
            "patient and no day."
        )
    if len(study.spectra) > MOST_OVERLAPS:
        missing.append(
            f"No overlap map of more than {MOST_OVERLAPS} samples; all pairs are in the data."
        )
    tables += [
        t for t in (expansion_table(study), clones_table(study), overlap_listing(study)) if t
    ]
    return Section(
        "tcr",
        "T-cell repertoires",
        _text(study),
        tuple(table for table in tables if table.rows),
        tuple(figures),
        tuple(missing),
    )


def tcr_facts(study: TcrStudy) -> tuple[tuple[str, str], ...]:
    """What a reader of the page wants first."""
    patients = study.samples["patient"].drop_nulls().n_unique()
    facts = [("Samples", f"{study.samples.height:,}")]
    if patients:
        facts.insert(0, ("Patients", f"{patients:,}"))
    reads = study.summary["reads"].drop_nulls().to_list()
    ends = dict.fromkeys((min(reads), max(reads)))
    return (
        *facts,
        ("Reads or templates per sample", " to ".join(f"{n:,}" for n in ends)),
        ("Locus", study.options.locus or "all"),
    )


def _text(study: TcrStudy) -> tuple[str, ...]:
    options = study.options
    locus = "all loci" if options.locus is None else f"locus {options.locus}"
    rows = "Productive rows" if options.productive == "only" else "All rows, productive or not,"
    opening = (
        f"{rows} of {locus}; a clone has {KEYS[options.key]}. Shares are of the reads or templates "
        "kept."
    )
    return (opening, *_claim(study))


def _claim(study: TcrStudy) -> tuple[str, ...]:
    """The share of the top clones at the ranked sample and in the donor, over patients."""
    if study.traced.is_empty():
        return ()
    pairs = study.ranked.drop_nulls(["ranked_at", "donor"])
    held = {
        end: pairs.join(
            study.traced, left_on=["patient", end], right_on=["patient", "sample"], validate="1:1"
        )["share"]
        for end in ("ranked_at", "donor")
    }
    if held["donor"].is_empty():
        return ()
    late, donor = (_share_range(held[end]) for end in ("ranked_at", "donor"))
    n = held["donor"].len()
    return (
        f"The top {study.options.top} clones of the ranked sample hold {late} of it and {donor} of "
        f"the donor's repertoire (median and range over {n} patient{'s' * (n > 1)}).",
    )


def _share_range(shares: pl.Series) -> str:
    values = sorted(100 * share for share in shares)
    return f"{number(median(values))}% ({value_range(values[0], values[-1])})"


def _missing(study: TcrStudy) -> list[str]:
    found = study.ranked.drop_nulls("reason")
    reasons = found.group_by("reason", maintain_order=True).agg("patient").rows()
    sentences = [f"{_listed(patients)}: {reason}." for reason, patients in reasons]
    patients = study.samples["patient"].drop_nulls().n_unique()
    if patients > MOST_PANELS:
        sentences.append(
            f"Figures with a panel per patient show the first {MOST_PANELS} of {patients}."
        )
    return sentences


def _listed(patients: Sequence[str]) -> str:
    more = len(patients) - _MOST_LISTED
    named = ", ".join(patients[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
    return f"Patient{'s' * (len(patients) > 1)} {named}"


def _courses(study: TcrStudy) -> list[ReportFigure]:
    table = study.summary.filter(pl.col("sample_type") != "product").with_columns(
        month=pl.when(pl.col("sample_type") == "patient").then("month")
    )
    if table["month"].is_null().all():
        return []
    names = short_names(table["patient"].unique().to_list(), width=_LABEL)
    table = table.with_columns(pl.col("patient").replace_strict(names))
    title = "Clonality and diversity over time"
    caption = "A line per patient; open diamonds are donors. Not adjusted for depth."
    if len(names) > _MOST_NAMED_LINES:
        caption += f" More than {_MOST_NAMED_LINES} patients: the lines are not named."
    measures = ("clonality", "hill_1", "inverse_simpson")
    figure = draw_repertoire_courses(table, measures=measures, time=time_name(study))
    return [ReportFigure("tcr-courses", title, caption, figure)]


def _traced(study: TcrStudy) -> list[ReportFigure]:
    if study.tracked.is_empty():
        return []
    options, labels, time = study.options, sample_labels(study), time_name(study)
    ranked = study.ranked.drop_nulls("ranked_at").head(MOST_PANELS)
    names = short_names(ranked["patient"].to_list(), width=_TITLE)
    titles = {
        row["patient"]: f"{names[row['patient']]} (month {month_text(row['ranked_month'])})"
        for row in ranked.iter_rows(named=True)
    }
    figures = [
        ReportFigure(
            "tcr-bands",
            "Clones by their rank at one time",
            "The month at which a patient's clones were ranked stands above the panel.",
            draw_rank_bands(study.bands, labels=labels, titles=titles, time=time),
        ),
        ReportFigure(
            "tcr-tracked",
            f"Top {options.top} clones in every sample",
            "The eight largest have colours; above each bar the share of all of them.",
            draw_tracked_clones(study.tracked, labels=labels, titles=titles, time=time),
        ),
    ]
    compared = {
        patient: names[patient]
        for patient in titles
        if study.expansion.height and (study.expansion["patient"] == patient).any()
    }
    if compared:
        caption = (
            f"Clones with at least {options.least_reads} reads in both samples together; those "
            f"absent on one side lie on its edge. Marked: q < {options.fdr:g}."
        )
        drawn = draw_expansion(
            study.expansion, titles=compared, before="the donor", after="the late sample"
        )
        figures.append(ReportFigure("tcr-expansion", "Donor against late", caption, drawn))
    return figures


def _rarefaction(study: TcrStudy) -> list[ReportFigure]:
    panels: dict[str, dict[str, Spectrum]] = {}
    months = {}
    for sample, patient, kind, month in study.samples.select(
        "sample", "patient", "sample_type", "month"
    ).rows():
        if sample in study.spectra:
            panels.setdefault(patient or "All samples", {})[sample] = study.spectra[sample]
            months[sample] = month if kind == "patient" else None
    if not panels:
        return []
    first = list(panels)[:MOST_PANELS]
    titles = short_names(first, width=_TITLE + 8)
    shown = {titles[panel]: panels[panel] for panel in first}
    months = {sample: months[sample] for samples in shown.values() for sample in samples}
    caption = "Expected number of clones in smaller samples, drawn to each sample's own depth."
    if all(month is None for month in months.values()) and len(months) > _MOST_NAMED_LINES:
        caption += f" More than {_MOST_NAMED_LINES} samples: the lines are not named."
    labels = short_names(list(months), width=_LABEL)
    others = study.samples["sample_type"].drop_nulls().unique().sort().to_list()
    dashed = " or ".join(kind for kind in others if kind != "patient")
    figure = draw_rarefaction(
        shown, months=months, labels=labels, dashed=dashed, time=time_name(study)
    )
    return [ReportFigure("tcr-rarefaction", "Rarefaction", caption, figure)]


def _overlap(study: TcrStudy) -> list[ReportFigure]:
    names = [sample for sample in study.samples["sample"] if sample in study.spectra]
    if not 1 < len(names) <= MOST_OVERLAPS:
        return []
    caption = "Morisita-Horn: 0 no clone in common, 1 the same clones with the same shares."
    figure = draw_overlap(study.overlap, samples=names, labels=short_names(names, width=_LABEL))
    return [ReportFigure("tcr-overlap", "Overlap of repertoires", caption, figure)]
