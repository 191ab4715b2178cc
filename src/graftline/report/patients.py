"""A page per patient: the course as a timeline, and every answer with its source."""

import polars as pl

from graftline.assess.assessment import all_rules
from graftline.figures.drawing import Drawing
from graftline.figures.patient_events import patient_events
from graftline.figures.timeline import PANELS, draw_timeline
from graftline.report.value import Inputs, ReportFigure, Section
from graftline.tables.format import sentence
from graftline.tables.gate import patient_gate_table
from graftline.tables.patient_results import patient_results_table
from graftline.tables.value import ReportTable
from graftline.trial import followup_ends, hsct_days

MOST_PAGES = 400


def patient_pages(inputs: Inputs, *, most: int = MOST_PAGES) -> tuple[Section, ...]:
    """Pages of all patients with an index infusion, or of none where there are more than ``most``.

    Pages of a part of a large trial would be read as a sample; ``graftline explain`` answers for
    any single patient instead.
    """
    infused = inputs.trial.patients.filter(pl.col("status").is_in(["infused", "transplanted"]))
    patients = infused["patient"].sort()
    if patients.len() > most:
        return ()
    chosen = inputs.assessed.chosen.sort("patient", "rule").partition_by("patient", as_dict=True)
    events = patient_events(inputs.trial, inputs.assessed).partition_by("patient", as_dict=True)
    gate = inputs.assessed.details.get("gate_criteria")
    gates = {} if gate is None else gate.partition_by("patient", as_dict=True)
    labs = _labs(inputs)
    days = hsct_days(inputs.trial).select("patient", "hsct_day")
    ends = followup_ends(inputs.trial).select("patient", "end_day")
    frame = (
        infused.select("patient", "status", "disease", "stopped_reason")
        .join(days, on="patient", how="left", validate="1:1")
        .join(ends, on="patient", how="left", validate="1:1")
        .sort("patient")
    )
    rules = all_rules()
    pages = []
    for row in frame.iter_rows(named=True):
        key = (row["patient"],)
        table, silent = patient_results_table(
            row["patient"], chosen.get(key, inputs.assessed.chosen.clear()), rules
        )
        figure = draw_timeline(
            events.get(key, _NO_EVENTS),
            labs.get(row["patient"], {}),
            hsct_day=row["hsct_day"] if inputs.trial.protocol.index_infusion == "car_t" else None,
            last_day=row["end_day"],
        )
        undated = events.get(key, _NO_EVENTS).filter(pl.col("start").is_null())["text"]
        if undated.len():
            silent = (f"Without a recorded day: {'; '.join(undated)}.", *silent)
        decided = patient_gate_table(row["patient"], gates[key]) if key in gates else None
        tables = tuple(t for t in (table, decided) if t is not None)
        pages.append(_page(row, tables, silent, figure))
    return tuple(pages)


_NO_EVENTS = pl.DataFrame(
    schema={
        "patient": pl.String,
        "lane": pl.String,
        "text": pl.String,
        "start": pl.Float64,
        "stop": pl.Float64,
        "assumed": pl.Boolean,
        "lane_order": pl.Int64,
    }
)


def _labs(inputs: Inputs) -> dict[str, dict[str, pl.DataFrame]]:
    wanted = [analyte for _, analytes in PANELS for analyte in analytes]
    rows = (
        inputs.trial["labs"]
        .filter(pl.col("analyte").is_in(wanted))
        .select(
            "patient",
            "analyte",
            "day",
            "value",
            below=(pl.col("quantification") == "below").fill_null(value=False),
        )
        .sort("patient", "analyte", "day")
    )
    found: dict[str, dict[str, pl.DataFrame]] = {}
    for key, part in rows.partition_by("patient", "analyte", as_dict=True).items():
        found.setdefault(str(key[0]), {})[str(key[1])] = part.drop("analyte")
    return found


def _page(
    row: dict[str, object],
    tables: tuple[ReportTable, ...],
    silent: tuple[str, ...],
    figure: Drawing | None,
) -> Section:
    patient = str(row["patient"])
    place = f"patient-{patient}"
    facts = [sentence(str(row["status"])), str(row["disease"] or "disease not recorded")]
    if row["stopped_reason"]:
        facts.append(f"stopped: {row['stopped_reason']}")
    missing = list(silent)
    figures: tuple[ReportFigure, ...] = ()
    if figure is None:
        missing.append("No course can be drawn: nothing recorded of this patient has a day.")
    else:
        caption = (
            "Open symbols: the day is known only as a range, or is assumed; in the panels, the "
            "value is below the limit of quantification."
        )
        figures = (ReportFigure(f"timeline-{patient}", f"Course of {patient}", caption, figure),)
    return Section(
        place,
        f"Patient {patient}",
        ("; ".join(facts) + ".",),
        tables,
        figures,
        tuple(missing),
    )
