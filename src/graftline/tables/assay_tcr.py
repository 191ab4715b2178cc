"""Tables of repertoires: per sample, at a common depth, clones traced back, trends, overlap."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from graftline.assays.tcr.study import TcrStudy
from graftline.tables.format import (
    count,
    estimate_interval,
    number,
    p_value,
    significant,
)
from graftline.tables.short_names import CUT, short_names, shortened_note
from graftline.tables.value import ReportTable, TableColumn, TableRow

LISTING_LIMIT = 60
_CLONES_SHOWN = 10
_WHOLE_MONTH = 0.26
_WIDE = 1e8
_UNDEFINED = "not defined"
_TABLE_NAME, _TERMINAL_NAME, _TERMINAL_NAME_DATED = 24, 22, 14
KEYS: Mapping[str, str] = {
    "nt": "the same CDR3 nucleotides",
    "aa": "the same CDR3 amino acids",
    "aa_v": "the same CDR3 amino acids and V gene",
    "aa_v_j": "the same CDR3 amino acids, V and J gene",
    "nt_v_j": "the same CDR3 nucleotides, V and J gene",
}
TIES: Mapping[str, str] = {
    "order": "clones tied at the cut are taken in the order of their sequence",
    "include": "all clones tied at the cut are taken",
    "exclude": "clones tied at the cut are left out",
}
MEASURES: Mapping[str, str] = {
    "clonality": "Clonality",
    "hill_1": "Diversity (Hill 1)",
    "inverse_simpson": "Inverse Simpson",
    "clonality_at_depth": "Clonality at the common depth",
    "richness": "Clones",
}


def time_name(study: TcrStudy) -> str:
    """What the months of a study count from."""
    return "Months from HSPC" if study.from_hsct else "Months from day 0"


def month_text(month: float | None) -> str:
    """A month as one says it: whole where the sample was taken within a week of it."""
    if month is None:
        return ""
    if abs(month - round(month)) <= _WHOLE_MONTH:
        return number(month, digits=0)
    return number(month)


def sample_labels(study: TcrStudy) -> dict[str, str]:
    """What stands under a sample in a figure of one patient: donor, product or its month."""
    return {
        sample: month_text(month) if kind == "patient" else kind or sample
        for sample, kind, month in study.samples.select("sample", "sample_type", "month").rows()
    }


def _sample_names(study: TcrStudy) -> dict[str, str]:
    """Names of samples as tables show them, on one line."""
    short = short_names(study.samples["sample"].to_list(), width=_TABLE_NAME)
    return {
        name: text.replace(" ", "\N{NO-BREAK SPACE}").replace(CUT, f"{CUT}\N{WORD JOINER}")
        for name, text in short.items()
    }


def _percent(share: float | None, digits: int = 1) -> str:
    return _undefined(None if share is None else 100 * share, digits)


def _undefined(value: float | None, digits: int = 3) -> str:
    return _UNDEFINED if value is None else number(value, digits=digits)


def _significant(value: float | None) -> str:
    return _UNDEFINED if value is None else significant(value, digits=4)


def _columns(
    first: Sequence[str], rest: Sequence[tuple[str, str | None]]
) -> tuple[TableColumn, ...]:
    return (
        *(TableColumn(label, "left") for label in first),
        *(TableColumn(label, unit=unit) for label, unit in rest),
    )


def _group(row: Mapping[str, Any]) -> str | None:
    return f"Patient {row['patient']}" if row["patient"] else None


def samples_table(study: TcrStudy) -> ReportTable:
    """Depth, productive share, clonality and the share of the largest clones of every sample."""
    dated, labels = study.samples["patient"].is_not_null().any(), sample_labels(study)
    names = _sample_names(study)
    rows = []
    for row in study.summary.iter_rows(named=True):
        when = (labels[row["sample"]],) if dated else ()
        cells = (
            names[row["sample"]],
            *when,
            number(row["reads"], digits=0),
            number(row["clones"], digits=0),
            _undefined(row["productive_row_percent"], digits=1),
            _undefined(row["clonality"]),
            _undefined(row["simpson_clonality"]),
            _undefined(row["gini"]),
            *(_percent(row[f"top_{k}_share"]) for k in (1, 10, 50, 100)),
            _percent(row["coverage_chao_jost"]),
        )
        rows.append(TableRow(cells, _group(row)))
    columns = _columns(
        ("Sample",),
        (
            *((("Month", None),) if dated else ()),
            ("Reads or templates", None),
            ("Clones", None),
            ("Kept", "% of rows"),
            ("Clonality", None),
            ("Simpson clonality", None),
            ("Gini", None),
            *((f"Top {k}", "%") for k in (1, 10, 50, 100)),
            ("Coverage", "%"),
        ),
    )
    notes = (
        "Clonality is 1 \N{MINUS SIGN} H/ln S (Pielou); Simpson clonality the square root of the "
        "sum of squared shares: another number. Coverage by Chao and Jost 2012. Unadjusted values "
        "compare depth as well as repertoires: see the values at a common depth.",
        *_notes(study),
        *shortened_note(names),
    )
    return ReportTable("tcr-samples", "Repertoires", columns, tuple(rows), study.summary, notes)


def _notes(study: TcrStudy) -> tuple[str, ...]:
    said = study.summary.drop_nulls("note").select("sample", "note").rows()
    return tuple(f"{sample}: {note}." for sample, note in said)


def diversity_table(study: TcrStudy) -> ReportTable:
    """Diversity of every sample, each measure under the name of its definition."""
    names, rows = _sample_names(study), []
    for row in study.summary.iter_rows(named=True):
        chao = (row["chao1"], row["chao1_low"], row["chao1_high"])
        cells = (
            names[row["sample"]],
            _undefined(row["hill_0"], digits=0),
            *(_significant(row[f"hill_{q}"]) for q in (1, 2)),
            estimate_interval(*chao, digits=0) if row["chao1"] is not None else _UNDEFINED,
            _undefined(row["ace"], digits=0),
            _undefined(row["d50_clones"], digits=0),
            _undefined(row["d50_percent"], digits=2),
            _undefined(row["d50_complement"]),
        )
        rows.append(TableRow(cells, _group(row)))
    columns = _columns(
        ("Sample",),
        (
            ("Hill 0", "clones"),
            ("Hill 1", "exp Shannon"),
            ("Hill 2", "inverse Simpson"),
            ("Chao1 (95% CI)", None),
            ("ACE", None),
            ("D50", "clones"),
            ("D50", "% of clones"),
            ("1 \N{MINUS SIGN} D50", "share of clones"),
        ),
    )
    notes = (
        "Chao1 is bias-corrected with the log-normal interval. D50: fewest clones that hold half "
        "of the reads (as immunarch), in % of all clones (scirpy), and one minus that share "
        "(vdjtools).",
    )
    data = study.summary.select(
        "sample", "^hill_.$", "^chao1.*$", "ace", "^d50_.*$", "shannon_nats"
    )
    return ReportTable("tcr-diversity", "Diversity", columns, tuple(rows), data, notes)


def depth_table(study: TcrStudy) -> ReportTable:
    """Every sample at the common depth, with bootstrap intervals."""
    measures = ("richness", "hill_1", "inverse_simpson", "clonality")
    patients = dict(study.samples.select("sample", "patient").rows())
    found = {(r["sample"], r["measure"]): r for r in study.at_depth.iter_rows(named=True)}
    names, rows = _sample_names(study), []
    for sample in study.samples["sample"]:
        if (sample, "richness") not in found:
            continue
        cells = [names[sample]]
        for measure in measures:
            row = found[sample, measure]
            bounds = (row["estimate"], row["low"], row["high"])
            digits = 3 if measure == "clonality" else _decimals(row["estimate"])
            cells.append(row["reason"] or estimate_interval(*bounds, digits=digits))
        rows.append(TableRow(tuple(cells), _group({"patient": patients[sample]})))
    depth = f"{study.options.depth:,.0f}"
    columns = _columns(
        ("Sample",),
        (
            ("Clones expected", None),
            ("Hill 1", None),
            ("Inverse Simpson", None),
            ("Clonality", None),
        ),
    )
    notes = (
        f"Expected among {depth} reads or templates drawn without replacement, without random "
        f"numbers; 95% intervals from {study.options.draws} draws of the estimated community (Chao "
        f"et al. 2014), seed {study.options.seed}. Samples with fewer have no value.",
    )
    title = f"At a common depth of {depth}"
    return ReportTable("tcr-depth", title, columns, tuple(rows), study.at_depth, notes)


def _decimals(value: float | None) -> int:
    """Decimals of a number of clones: those of an oligoclonal sample are told apart."""
    return 0 if value is None or value >= 100 else 1 if value >= 10 else 2


def traced_table(study: TcrStudy) -> ReportTable:
    """What the clones that are largest at one time hold there and in the donor."""
    traced = (
        {(r["patient"], r["sample"]): r for r in study.traced.iter_rows(named=True)}
        if study.traced.height
        else {}
    )
    tied = {}
    if study.tracked.height:
        cut = study.tracked.filter("tied_at_cut").group_by("patient")
        tied = dict(cut.agg(pl.col("rank").n_unique()).rows())
    rows = []
    for row in study.ranked.iter_rows(named=True):
        at = traced.get((row["patient"], row["ranked_at"]))
        donor = traced.get((row["patient"], row["donor"]))
        rows.append(
            TableRow(
                (
                    row["patient"],
                    month_text(row["ranked_month"]) or "not ranked",
                    row["rule"] or "",
                    "" if at is None else str(at["tracked"]),
                    "" if at is None else str(tied.get(row["patient"], 0)),
                    "" if at is None else _percent(at["share"]),
                    "" if donor is None else count(donor["found"], donor["tracked"]),
                    "" if donor is None else _percent(donor["share"]),
                    row["reason"] or "",
                )
            )
        )
    columns = (
        TableColumn("Patient", "left"),
        TableColumn("Ranked at month"),
        TableColumn("Sample chosen", "left"),
        TableColumn("Clones"),
        TableColumn("Tied at the cut"),
        TableColumn("Share there", unit="%"),
        TableColumn("Found in the donor"),
        TableColumn("Share in the donor", unit="%"),
        TableColumn("Not possible because", "left"),
    )
    notes = (
        f"Top {study.options.top} clones by count; {TIES[study.options.ties]}. Another key than "
        f"{KEYS[study.options.key]} gives other shares.",
    )
    title = f"Top {study.options.top} clones, traced back to the donor"
    data = study.traced if study.traced.height else study.ranked
    return ReportTable("tcr-traced", title, columns, tuple(rows), data, notes)


def clones_table(study: TcrStudy) -> ReportTable | None:
    """The largest of the tracked clones of every patient; all of them are in the data."""
    if study.tracked.is_empty():
        return None
    patients = study.tracked["patient"].unique(maintain_order=True)
    names = [c for c in ("junction", "junction_aa", "v_gene", "j_gene") if c in study.tracked]
    rows = []
    for place in study.ranked.filter(pl.col("patient").is_in(patients)).iter_rows(named=True):
        own = study.tracked.filter(pl.col("patient") == place["patient"])
        shares = {(r, s): v for r, s, v in own.select("rank", "sample", "share").rows()}
        tested = _tested(study, place["patient"], names)
        shown = own.filter(pl.col("sample") == place["ranked_at"], pl.col("rank") <= _CLONES_SHOWN)
        for clone in shown.iter_rows(named=True):
            q, call = tested.get(tuple(clone[n] for n in names), (None, "not tested"))
            donor = shares.get((clone["rank"], place["donor"]))
            cells = (
                str(clone["rank"]),
                " ".join(clone[n] or "-" for n in names),
                "" if donor is None else _percent(donor, digits=3),
                _percent(clone["share"], digits=3),
                "" if q is None else p_value(q),
                call if place["donor"] is not None else "",
            )
            rows.append(TableRow(cells, f"Patient {place['patient']}"))
    limit = LISTING_LIMIT
    notes = [
        f"The {_CLONES_SHOWN} largest of each patient; all tracked clones in all samples are in "
        "the data."
    ]
    if len(rows) > limit:
        notes.append(f"The first {limit} rows.")
    columns = (
        TableColumn("Rank"),
        TableColumn("Clone", "left"),
        TableColumn("In the donor", unit="%"),
        TableColumn("At the ranked sample", unit="%"),
        TableColumn("q"),
        TableColumn("Change", "left"),
    )
    return ReportTable(
        "tcr-clones", "Largest clones", columns, tuple(rows[:limit]), study.tracked, tuple(notes)
    )


def _tested(
    study: TcrStudy, patient: str, names: Sequence[str]
) -> dict[tuple[Any, ...], tuple[float, str]]:
    if study.expansion.is_empty():
        return {}
    own = study.expansion.filter(pl.col("patient") == patient)
    return {tuple(row[:-2]): (row[-2], row[-1]) for row in own.select(*names, "q", "call").rows()}


def expansion_table(study: TcrStudy) -> ReportTable | None:
    """How many clones changed their share between donor and ranked sample."""
    if study.expansion.is_empty():
        return None
    options = study.options
    counts = study.expansion.group_by("patient", maintain_order=True).agg(
        pl.len().alias("tested"),
        *((pl.col("call") == call).sum().alias(call) for call in ("expanded", "contracted")),
        pl.col("share_after").filter(pl.col("call") == "expanded").sum().alias("held"),
    )
    rows = tuple(
        TableRow((patient, str(tested), str(grown), str(shrunk), _percent(held)))
        for patient, tested, grown, shrunk, held in counts.rows()
    )
    columns = (
        TableColumn("Patient", "left"),
        TableColumn("Clones tested"),
        TableColumn("Expanded"),
        TableColumn("Contracted"),
        TableColumn("Share of expanded clones, late", unit="%"),
    )
    notes = (
        f"Fisher's exact test per clone with at least {options.least_reads} reads in both samples "
        f"together, two-sided; Benjamini-Hochberg within the patient, q < {options.fdr:g}. The "
        "test takes reads as independent: templates or molecules come near that, amplified reads "
        "do not, and their p values are too small.",
    )
    title = "Clones that changed between donor and late sample"
    return ReportTable("tcr-expansion", title, columns, rows, study.expansion, notes)


def trends_table(study: TcrStudy) -> ReportTable:
    """Does clonality rise and diversity fall with time: per patient and over all."""
    rows = []
    for row in study.trends.iter_rows(named=True):
        rho, p = row["rho"], row["p"]
        cells = (
            row["patient"] or f"All {row['patients']} patients",
            str(row["samples"]),
            "not estimable" if rho is None else number(rho, digits=2),
            "not estimable" if p is None else p_value(p),
            row["reason"] or row["method"],
        )
        rows.append(TableRow(cells, MEASURES[row["measure"]]))
    columns = (
        TableColumn("Patient", "left"),
        TableColumn("Samples"),
        TableColumn("Rank correlation with time"),
        TableColumn("p"),
        TableColumn("Method", "left"),
    )
    notes = (
        "Spearman's coefficient within each patient, samples of the patient from month 0 on only "
        "(not the donor's, none from before). Over all: the within-patient rank products summed "
        "(Mantel's correlation statistic, stratified by patient), every order of a patient's "
        "samples equally likely.",
    )
    return ReportTable("tcr-trends", "Trends over time", columns, tuple(rows), study.trends, notes)


def overlap_listing(study: TcrStudy) -> ReportTable | None:
    """Overlap of the pairs of one patient (of all samples without patients)."""
    known = study.samples.select("sample", "patient", place=pl.int_range(pl.len()))
    pairs = study.overlap.join(known, left_on="sample_a", right_on="sample", validate="m:1").join(
        known, left_on="sample_b", right_on="sample", suffix="_b", validate="m:1"
    )
    own = pairs.filter(pl.col("patient").eq_missing(pl.col("patient_b")))
    if own.is_empty():
        return None
    shown = own.sort(pl.min_horizontal("place", "place_b"), pl.max_horizontal("place", "place_b"))
    names, rows = _sample_names(study), []
    for row in shown.head(LISTING_LIMIT).iter_rows(named=True):
        ends = sorted((row["place"], row["place_b"]))
        cells = (
            *(names[study.samples["sample"][end]] for end in ends),
            str(row["shared"]),
            *(significant(round(row[m], 9)) for m in ("jaccard", "morisita_horn", "f", "f2")),
        )
        rows.append(TableRow(cells, _group(row)))
    notes = ["Jaccard counts clones; Morisita-Horn, F and F2 weigh them by their share."]
    if shown.height > LISTING_LIMIT:
        notes.append(f"The first {LISTING_LIMIT} of {shown.height}; all pairs are in the data.")
    columns = _columns(
        ("Sample", "and sample"),
        (
            ("Shared clones", None),
            ("Jaccard", None),
            ("Morisita-Horn", None),
            ("F", None),
            ("F2", None),
        ),
    )
    return ReportTable(
        "tcr-overlap",
        "Overlap of repertoires",
        columns,
        tuple(rows),
        study.overlap,
        tuple(notes),
    )


def _narrow(count: float) -> str:
    return number(count, digits=0) if count < _WIDE else significant(count)


def terminal_table(study: TcrStudy) -> ReportTable:
    """The table of samples at the width of a terminal."""
    dated = study.samples["month"].is_not_null().any()
    width = _TERMINAL_NAME_DATED if dated else _TERMINAL_NAME
    names = short_names(study.summary["sample"].to_list(), width=width)
    rows = []
    for row in study.summary.iter_rows(named=True):
        when = month_text(row["month"]) or (row["sample_type"] or "")
        cells = (
            names[row["sample"]],
            *((when,) if dated else ()),
            _narrow(row["reads"]),
            _narrow(row["clones"]),
            "" if row["productive_row_percent"] is None else number(row["productive_row_percent"]),
            "n/d" if row["clonality"] is None else number(row["clonality"], digits=3),
            "n/d" if row["inverse_simpson"] is None else significant(row["inverse_simpson"]),
            "n/d" if row["chao1"] is None else _narrow(row["chao1"]),
            "n/d" if row["top_50_share"] is None else _percent(row["top_50_share"], digits=0),
            "n/d" if row["coverage_chao_jost"] is None else _percent(row["coverage_chao_jost"], 0),
        )
        rows.append(TableRow(cells))
    columns = _columns(
        ("Sample",),
        (
            *((("Month", None),) if dated else ()),
            ("Reads", None),
            ("Clones", None),
            ("Kept %", None),
            ("Clonality", None),
            ("1/Simpson", None),
            ("Chao1", None),
            ("Top 50 %", None),
            ("Cover. %", None),
        ),
    )
    notes = (
        f"Clonality = 1 \N{MINUS SIGN} Pielou; a clone has {KEYS[study.options.key]}; n/d: not "
        "defined.",
        *shortened_note(names),
    )
    return ReportTable("tcr-terminal", "Repertoires", columns, tuple(rows), study.summary, notes)
