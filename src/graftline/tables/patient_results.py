"""Every answer about one patient: what, when, from which source, with what remark."""

from collections.abc import Mapping

import polars as pl

from graftline.rules import Rule
from graftline.tables.format import number, sentence, significant, words
from graftline.tables.value import ReportTable, TableColumn, TableRow

_WHOLE = 100_000
_ORIGINS = {"car_t": "CAR-T", "hspc": "HSPC"}


def patient_results_table(
    patient: str, results: pl.DataFrame, rules: Mapping[str, Rule]
) -> tuple[ReportTable | None, tuple[str, ...]]:
    """Answers of one patient, and sentences on what could not be judged.

    Parameters
    ----------
    results : assessment of this patient, one row per rule
    rules : mapping of id to Rule
    """
    answered = results.filter(pl.col("state").is_in(["yes", "no"])).sort("rule")
    silent = results.filter(~pl.col("state").is_in(["yes", "no"])).sort("reason", "rule")
    rows = [_row(row, rules.get(row["rule"])) for row in answered.iter_rows(named=True)]
    sentences = tuple(
        f"{sentence(state)} ({words(reason or 'no reason given')}): "
        + ", ".join(_title(r, rules.get(r)) for r in part["rule"])
        + "."
        for (state, reason), part in _by_reason(silent)
    )
    if not rows:
        return None, sentences
    table = ReportTable(
        f"results-{patient}",
        f"Results of {patient}",
        (
            TableColumn("Result", "left"),
            TableColumn("Answer", "left"),
            TableColumn("Value"),
            TableColumn("Day", "left"),
            TableColumn("Source", "left"),
            TableColumn("Remarks", "left"),
        ),
        tuple(rows),
        results,
    )
    return table, sentences


def _by_reason(silent: pl.DataFrame) -> list[tuple[tuple[str, str | None], pl.DataFrame]]:
    parts = silent.partition_by("state", "reason", maintain_order=True, as_dict=True)
    return [((str(key[0]), key[1]), part) for key, part in parts.items()]


def _title(id: str, rule: Rule | None) -> str:
    return rule.title if rule is not None else sentence(id)


def _row(row: dict[str, object], rule: Rule | None) -> TableRow:
    value, day = row["value"], row["day"]
    shown = "" if not isinstance(value, float) else _plain(value)
    if row["lower_bound"] and shown:
        shown = f"at least {shown}"
    origin = _ORIGINS[rule.origin] if rule is not None else ""
    when = "" if not isinstance(day, float) else _day_from(origin, day)
    answer = str(row["state"]) + (f": {words(str(row['label']))}" if row["label"] else "")
    return TableRow(
        (
            _title(str(row["rule"]), rule),
            answer,
            shown,
            when,
            str(row["source"]),
            words(str(row["flags"] or "")),
        )
    )


def _day_from(origin: str, day: float) -> str:
    """A day as transplant teams write it: HSPC +12; the parts are never torn apart."""
    sign = "+" if day > 0 else ""
    return f"{origin}\N{NO-BREAK SPACE}{sign}{_plain(day)}" if origin else _plain(day)


def _plain(value: float) -> str:
    """Grades and days without decimals, everything else at three significant digits."""
    whole = value.is_integer() and abs(value) < _WHOLE
    return number(value, digits=0) if whole else significant(value)
