"""The report for machines: every table in full precision as JSON."""

import json
import math
from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from graftline import __version__
from graftline.report.value import Report, Section
from graftline.tables.value import ReportTable


def machine_report(report: Report) -> str:
    """The report as JSON text: sections, texts, tables (full precision and as printed), figures."""
    content = {
        "graftline": __version__,
        "title": report.title,
        "subtitle": report.subtitle,
        "simulated": report.simulated,
        "facts": dict(report.facts),
        "warnings": list(report.warnings),
        "sections": _sections(report.sections),
        "patients": _sections(report.patients),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _sections(sections: Iterable[Section]) -> list[dict[str, Any]]:
    return [
        {
            "id": section.id,
            "title": section.title,
            "text": list(section.text),
            "missing": list(section.missing),
            "references": list(section.list_items),
            "tables": [_table(table) for table in section.tables],
            "figures": [
                {"id": f.id, "title": f.title, "caption": f.caption} for f in section.figures
            ],
        }
        for section in sections
    ]


def _table(table: ReportTable) -> dict[str, Any]:
    return {
        "id": table.id,
        "title": table.title,
        "columns": [column.heading for column in table.columns],
        "printed": [{"group": row.group, "cells": list(row.cells)} for row in table.rows],
        "footnotes": list(table.footnotes),
        "data": _records(table.data),
    }


def _records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [{k: _plain(v) for k, v in row.items()} for row in frame.iter_rows(named=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value
