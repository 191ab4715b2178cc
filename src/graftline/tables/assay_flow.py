"""Tables of flow cytometry: gates, T cells by CD7 and their eradication, blasts, MRD, FlowJo."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from graftline.assays.flow.study import FlowStudy
from graftline.assess.lymphocytes import cd7_eradication, cd7_reappearance
from graftline.tables.format import MISSING, number, significant, value_range
from graftline.tables.value import ReportTable, TableColumn, TableRow

_REASONS: Mapping[str | None, str] = {
    None: "",
    "unconfirmed": "below the threshold in the last sample, no next one to confirm it",
    "limit_above_threshold": "too few events: the limit of a sample lies above the threshold",
    "one_sample": "a single sample",
}
_STATES = {
    "yes": "yes",
    "no": "no",
    "not_yet_evaluable": "not yet evaluable",
    "not_evaluable": "not evaluable",
}
_BACK: Mapping[str | None, str] = {
    "unconfirmed": "in the last sample",
    "counts_missing": "no counts",
}
_OF_ALL = ("percent_of_all", "all_low", "all_high")
_PER_UL = "cells/\N{MICRO SIGN}L"
MINUS = "\N{MINUS SIGN}"
_LEAST_WHOLE, _MOST_WHOLE = 1e3, 1e9
_EXACT = "Intervals are exact 95% (Clopper-Pearson); they hold what counting alone leaves open."


def _sample(row: Mapping[str, Any]) -> str:
    """How one calls a sample: day and state, or the file where neither is known."""
    if row["day"] is None:
        return str(row["sample"])
    day = f"day {row['day']:g}".replace("-", MINUS)
    state = row["timepoint"] or (f"control: {row['control']}" if row["control"] else None)
    return f"{day}, {state}" if state else day


def _group(row: Mapping[str, Any]) -> str | None:
    return None if row["patient"] is None else f"Patient {row['patient']}"


def _with_interval(
    value: float | None, low: float | None, high: float | None, *, digits: int = 1
) -> str:
    if value is None:
        return ""
    if low is None or high is None:
        return number(value, digits=digits)
    return f"{number(value, digits=digits)} ({value_range(low, high, digits=digits)})"


def _share(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A percentage whose digits follow its size, with its interval."""
    if value is None:
        return ""
    bounds = "" if low is None else f" ({significant(low)}\N{EN DASH}{significant(high)})"
    return f"{significant(value)}{bounds}"


def _linear(value: float | None) -> str:
    """A linear value of a channel: whole from a thousand on, as cytometers print them."""
    if value is None:
        return ""
    whole = _LEAST_WHOLE <= abs(value) < _MOST_WHOLE
    return f"{value:,.0f}".replace("-", MINUS) if whole else significant(value)


def gates_table(study: FlowStudy, *, id: str = "flow-gates") -> ReportTable:
    """Events of every gate of every sample, with percent of its parent and of all events."""
    ordered = study.gates
    depth = _depths(ordered)
    rows = []
    for row in ordered.iter_rows(named=True):
        name = "\N{NO-BREAK SPACE}" * 2 * depth[row["gate"]] + row["gate"]
        patient = "" if row["patient"] is None else f"{row['patient']}, "
        specimen = "" if row["specimen"] is None else f", {row['specimen']}"
        cells = (
            name,
            f"{row['events']:,}",
            _share(row["percent_of_parent"], row["parent_low"], row["parent_high"]),
            "" if row["parent"] is None else _share(*(row[c] for c in _OF_ALL)),
        )
        rows.append(TableRow(cells, f"{patient}{_sample(row)}{specimen}"))
    columns = (
        TableColumn("Gate", "left"),
        TableColumn("Events"),
        TableColumn("Of parent", unit="%"),
        TableColumn("Of all events", unit="%"),
    )
    return ReportTable(id, "Gates", columns, tuple(rows), ordered, (_EXACT,))


def _depths(gates: pl.DataFrame) -> dict[str, int]:
    depth: dict[str, int] = {}
    for gate, parent in gates.select("gate", "parent").unique(maintain_order=True).rows():
        depth.setdefault(gate, depth.get(parent, -1) + 1)
    return depth


def t_cells_table(study: FlowStudy) -> ReportTable:
    """CAR-negative T cells by CD7, and CAR-T cells, of every blood sample."""
    table = study.t_cells.sort("patient", "day", "sample", nulls_last=True)
    counted = table["reference"].is_not_null().any()
    rows = [TableRow(_t_cells_of(row, counted=counted), _group(row)) for row in table.to_dicts()]
    columns = [
        TableColumn("Sample", "left"),
        TableColumn(f"CAR{MINUS} T", unit="events"),
        TableColumn("CD7+ of them", unit="events"),
        TableColumn("CD7+ of them", unit="%"),
    ]
    if counted:
        columns += [
            TableColumn(f"CAR{MINUS} CD7+ T", unit=_PER_UL),
            TableColumn(f"CAR{MINUS} CD7{MINUS} T", unit=_PER_UL),
            TableColumn("CAR-T", unit=_PER_UL),
            TableColumn("Counted by", "left"),
        ]
    least = study.thresholds.least_events
    notes = [_EXACT]
    if counted:
        notes = [
            f"Below a limit: fewer than {least} events seen; the limit is what {least} events "
            "would be. Intervals of shares are exact 95% (Clopper-Pearson), of counts exact 95% "
            "(Poisson), the reference taken as known."
        ]
    title = "T cells by CD7, in the CAR-negative gate"
    return ReportTable("flow-t-cells", title, tuple(columns), tuple(rows), table, tuple(notes))


def _t_cells_of(row: Mapping[str, Any], *, counted: bool) -> tuple[str, ...]:
    share = _with_interval(
        row["cd7_positive_percent"],
        row["cd7_positive_percent_low"],
        row["cd7_positive_percent_high"],
    )
    cells = (
        _sample(row),
        f"{row['car_negative_events']:,}",
        "" if row["cd7_positive_events"] is None else f"{row['cd7_positive_events']:,}",
        share,
    )
    if not counted:
        return cells
    concentrations = (_per_ul(row, name) for name in ("cd7_positive", "cd7_negative", "car_t"))
    return (*cells, *concentrations, row["reference"] or "not counted")


def _per_ul(row: Mapping[str, Any], name: str) -> str:
    value = row[f"{name}_per_ul"]
    if value is None:
        return MISSING
    if row[f"{name}_below"]:
        return f"<{significant(value)}"
    return _share(value, row[f"{name}_per_ul_low"], row[f"{name}_per_ul_high"])


def eradication(
    study: FlowStudy, *, cells_per_ul_below: float = 1, percent_of_cd3_below: float = 0.1
) -> pl.DataFrame:
    """Days to eradication of CD7+ T cells, and of their return, as the trial's rules have them.

    Returns
    -------
    DataFrame [patient, state, value, day, flags, reason, back_state, back_day, back_reason]
        By `cd7_eradication` and `cd7_reappearance`. Empty without any patient's T cells.
    """
    if study.labs.is_empty():
        return pl.DataFrame()
    gone = cd7_eradication(
        study.labs, cells_per_ul_below=cells_per_ul_below, percent_of_cd3_below=percent_of_cd3_below
    )
    back = cd7_reappearance(study.labs, gone).select(
        "patient", back_state="state", back_day="day", back_reason="reason"
    )
    return gone.join(back, on="patient", how="left", validate="1:1").sort("patient")


def eradication_table(
    study: FlowStudy, *, cells_per_ul_below: float = 1, percent_of_cd3_below: float = 0.1
) -> ReportTable:
    """Per patient: whether CD7+ T cells were eradicated, from which day, and came back."""
    found = eradication(
        study, cells_per_ul_below=cells_per_ul_below, percent_of_cd3_below=percent_of_cd3_below
    )
    rows = [
        TableRow(
            (
                row["patient"],
                _STATES[row["state"]],
                "" if row["day"] is None else f"{row['day']:g}",
                "share" if "percent_of_cd3" in (row["flags"] or "") else "count",
                _back(row),
                _REASONS[row["reason"]],
            )
        )
        for row in found.to_dicts()
    ]
    columns = (
        TableColumn("Patient", "left"),
        TableColumn("Eradicated", "left"),
        TableColumn("Day"),
        TableColumn("By", "left"),
        TableColumn("Back", "left"),
        TableColumn("Because", "left"),
    )
    note = (
        f"First sample from day 0 on below {cells_per_ul_below:g} cell/\N{MICRO SIGN}L (where a "
        f"patient has counts) or below {percent_of_cd3_below:g}% of CAR-negative T cells, "
        f"confirmed by the next sample. A sample with fewer than "
        f"{study.thresholds.least_events} events is below the threshold only if its limit is. "
        f"Back: first of two samples running with at least 10 cells/\N{MICRO SIGN}L after it."
    )
    return ReportTable(
        "flow-eradication", "Eradication of CD7+ T cells", columns, tuple(rows), found, (note,)
    )


def _back(row: Mapping[str, Any]) -> str:
    """Whether eradicated cells came back; nothing where they never went."""
    if row["state"] != "yes":
        return ""
    if row["back_state"] == "yes":
        return f"day {row['back_day']:g}"
    return _BACK.get(row["back_reason"], "no" if row["back_state"] == "no" else "not known")


def blasts_table(study: FlowStudy) -> ReportTable:
    """CD7 on blasts: share of CD7+, median, and median in percent of normal CD7+ T cells."""
    table = study.blasts.sort("patient", "day", "sample", nulls_last=True)
    rows = []
    for row in table.to_dicts():
        few = row["cd7_positive_percent"] is None
        share = _with_interval(
            row["cd7_positive_percent"],
            row["cd7_positive_percent_low"],
            row["cd7_positive_percent_high"],
        )
        cells = (
            _sample(row),
            row["specimen"] or "",
            f"{row['blast_events']:,}",
            "" if row["cd7_positive_events"] is None else f"{row['cd7_positive_events']:,}",
            "too few" if few and row["cd7_positive_events"] is not None else share,
            _linear(row["cd7_median"]),
            ""
            if row["cd7_percent_of_normal_t"] is None
            else significant(row["cd7_percent_of_normal_t"]),
        )
        rows.append(TableRow(cells, _group(row)))
    columns = (
        TableColumn("Sample", "left"),
        TableColumn("Specimen", "left"),
        TableColumn("Blasts", unit="events"),
        TableColumn("CD7+", unit="events"),
        TableColumn("CD7+", unit="%"),
        TableColumn("Median CD7"),
        TableColumn("of normal T", unit="%"),
    )
    note = (
        f"No share and no median for fewer than {study.thresholds.detection_events} cells. Medians "
        "are linear and compensated; normal T: CAR-negative CD7+ T cells of the same tube."
    )
    return ReportTable("flow-blasts", "CD7 on blasts", columns, tuple(rows), table, (note, _EXACT))


def mrd_listing(study: FlowStudy) -> ReportTable:
    """Residual disease of every marrow sample with what its events could detect and quantify."""
    table = study.mrd.sort("patient", "day", "sample", nulls_last=True)
    rows = []
    for row in table.to_dicts():
        label = row["label"]
        if label == "positive" and not row["quantified"]:
            label = "positive, below quantification"
        cells = (
            _sample(row),
            label,
            f"{row['mrd_events']:,} of {row['nucleated_events']:,}",
            _share(*(100 * row[name] for name in ("fraction", "low", "high"))),
            significant(100 * row["limit_of_detection"]),
            significant(100 * row["limit_of_quantification"]),
            row["markers"],
        )
        rows.append(TableRow(cells, _group(row)))
    columns = (
        TableColumn("Sample", "left"),
        TableColumn("MRD", "left"),
        TableColumn("Events"),
        TableColumn("Of nucleated", unit="%"),
        TableColumn("Detects from", unit="%"),
        TableColumn("Quantifies from", unit="%"),
        TableColumn("Gate relies on", "left"),
    )
    t = study.thresholds
    note = (
        f"Positive: at least {t.detection_events} events; quantified: at least "
        f"{t.quantification_events}. Limits are these numbers over the nucleated events. A "
        f"negative sample that cannot detect {100 * t.sensitivity:g}%, or has fewer than "
        f"{t.nucleated_events:,} nucleated events, is of low sensitivity. A trial's own definition "
        "of MRD may ask for a fraction as well."
    )
    return ReportTable("flow-mrd", "Residual disease", columns, tuple(rows), table, (note, _EXACT))


def terminal_tables(
    study: FlowStudy, *, cells_per_ul_below: float = 1, percent_of_cd3_below: float = 0.1
) -> tuple[ReportTable, ...]:
    """What fits 96 columns: T cells, eradication and residual disease, without intervals.

    The gates, where the gating files have no roles.
    """
    tables = []
    if study.t_cells.height:
        tables.append(_terminal_t_cells(study))
    if study.labs.height:
        tables.append(
            replace(
                eradication_table(
                    study,
                    cells_per_ul_below=cells_per_ul_below,
                    percent_of_cd3_below=percent_of_cd3_below,
                ),
                footnotes=(f"Below {cells_per_ul_below:g} cell/\N{MICRO SIGN}L, confirmed.",),
            )
        )
    if study.mrd.height:
        tables.append(_terminal_mrd(study))
    told = tuple(table for table in tables if table.rows)
    return told or (replace(gates_table(study), footnotes=()),)


def _terminal_t_cells(study: FlowStudy) -> ReportTable:
    table = study.t_cells.sort("patient", "day", "sample", nulls_last=True)
    rows = []
    for row in table.to_dicts():
        counts = (row["car_negative_events"], row["cd7_positive_events"])
        share = row["cd7_positive_percent"]
        cells = (
            _sample(row),
            *("" if n is None else f"{n:,}" for n in counts),
            "" if share is None else number(share),
            *(_plain_per_ul(row, name) for name in ("cd7_positive", "cd7_negative", "car_t")),
        )
        rows.append(TableRow(cells, _group(row)))
    columns = (
        *_text_columns("Sample"),
        TableColumn(f"CAR{MINUS} T"),
        TableColumn("CD7+"),
        TableColumn("%"),
        TableColumn("CD7+/\N{MICRO SIGN}L"),
        TableColumn(f"CD7{MINUS}/\N{MICRO SIGN}L"),
        TableColumn("CAR-T/\N{MICRO SIGN}L"),
    )
    return ReportTable("flow-t-cells", "CAR-negative T cells by CD7", columns, tuple(rows), table)


def _plain_per_ul(row: Mapping[str, Any], name: str) -> str:
    value = row[f"{name}_per_ul"]
    if value is None:
        return ""
    return f"<{significant(value)}" if row[f"{name}_below"] else significant(value)


def _terminal_mrd(study: FlowStudy) -> ReportTable:
    table = study.mrd.sort("patient", "day", "sample", nulls_last=True)
    rows = [
        TableRow(
            (
                _sample(row),
                row["label"],
                f"{row['mrd_events']:,}",
                f"{row['nucleated_events']:,}",
                significant(100 * row["fraction"]),
                significant(100 * row["limit_of_detection"]),
            ),
            _group(row),
        )
        for row in table.to_dicts()
    ]
    columns = (
        *_text_columns("Sample", "MRD"),
        *(TableColumn(label) for label in ("Events", "Of nucleated", "%", "Detects from %")),
    )
    return ReportTable("flow-mrd", "Residual disease", columns, tuple(rows), table)


def _text_columns(*labels: str) -> tuple[TableColumn, ...]:
    return tuple(TableColumn(label, "left") for label in labels)


def channels_listing(channels: pl.DataFrame) -> ReportTable:
    """Channels of FCS files (`channel_table`), a group per file."""
    rows = [
        TableRow(
            (
                str(row["number"]),
                row["channel"],
                row["marker"] or "",
                "logarithmic" if row["decades"] else "linear",
                _linear(row["range"]),
                "yes" if row["in_matrix"] else "",
                *(_linear(row[end]) for end in ("lowest", "median", "highest")),
            ),
            row["sample"],
        )
        for row in channels.to_dicts()
    ]
    columns = (
        TableColumn("No."),
        *_text_columns("Channel", "Marker", "Stored"),
        TableColumn("Range"),
        *_text_columns("In matrix"),
        *(TableColumn(label) for label in ("Lowest", "Median", "Highest")),
    )
    note = "Lowest, median, highest: linear values as recorded, not compensated."
    return ReportTable("flow-channels", "Channels", columns, tuple(rows), channels, (note,))


def keywords_listing(keywords: pl.DataFrame) -> ReportTable:
    """Keywords of FCS files (`keyword_table`), a group per file."""
    rows = [TableRow((k, v), sample) for sample, k, v in keywords.rows()]
    note = "Keywords that may hold names or record numbers are counted, not shown."
    columns = _text_columns("Keyword", "Value")
    return ReportTable("flow-keywords", "Keywords", columns, tuple(rows), keywords, (note,))


def flowjo_table(counts: pl.DataFrame) -> ReportTable:
    """Counts of a FlowJo workspace beside those computed anew, as `recompute_flowjo_counts`."""
    rows = []
    for row in counts.to_dicts():
        *above, gate = row["gate"].split("/")
        name = "\N{NO-BREAK SPACE}" * 2 * len(above) + gate
        difference = row["difference"]
        share = (
            ""
            if difference is None or not row["flowjo_events"]
            else _signed(100 * difference / row["flowjo_events"], digits=2)
        )
        cells = (
            name,
            *("" if row[c] is None else f"{row[c]:,}" for c in ("flowjo_events", "events")),
            "" if difference is None else _signed(difference),
            share,
        )
        rows.append(TableRow(cells, row["sample"]))
    columns = (
        *_text_columns("Gate"),
        TableColumn("FlowJo", unit="events"),
        TableColumn("Computed anew", unit="events"),
        TableColumn("Difference"),
        TableColumn("of FlowJo", unit="%"),
    )
    note = (
        "Rectangles agree exactly. Polygons and ellipses may differ by a few events: FlowJo counts "
        "them in bins of the display."
    )
    return ReportTable(
        "flow-flowjo", "Counts stored by FlowJo", columns, tuple(rows), counts, (note,)
    )


def _signed(value: float, *, digits: int = 0) -> str:
    return "0" if value == 0 else f"{value:+,.{digits}f}".replace("-", MINUS)


def gating_ml_table(counts: pl.DataFrame) -> ReportTable:
    """Counts of a GatingML file's gates, as `count_gating_ml`; a quadrant with its gate's name."""
    known = set(counts["gate"])
    rows = []
    for sample, gate, events in counts.rows():
        above, _, last = gate.rpartition("/")
        indent = "\N{NO-BREAK SPACE}" * 2 * gate.count("/")
        name = f"{indent}{last}" if above in known else gate
        rows.append(TableRow((name, f"{events:,}"), sample))
    columns = (*_text_columns("Gate"), TableColumn("Events"))
    return ReportTable("flow-gatingml", "Gates", columns, tuple(rows), counts)
