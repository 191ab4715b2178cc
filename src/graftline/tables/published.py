"""Published figures held against what the recorded facts give; nothing is invented per patient."""

import re
from dataclasses import asdict

import polars as pl

from graftline.tables.format import count, median_range, number, percent, rounded, value_range
from graftline.tables.published_facts import Computed, Facts
from graftline.tables.published_quantities import QUANTITIES, quantity_title
from graftline.tables.value import ReportTable, TableColumn, TableRow

AGREES = "agrees"
WITHIN = "agrees within the ranges stated"
DIFFERS = "differs"
AGGREGATE = "cannot be recomputed: published only as an aggregate"

_UNIT_SCALE = {"1e5 copies/ug DNA": 1e5}


def compare_published(facts: Facts) -> pl.DataFrame:
    """Every published figure with the computed one, the verdict and the reason.

    Counts must agree exactly, other figures at the digits that are printed.

    Returns
    -------
    DataFrame [cohort, quantity, statistic, printed, computed, verdict, basis, note, source, n,
    total, value, low, high] in the order of ``published``
    """
    published = facts.trial["published"].sort("row")
    computed = {
        name: QUANTITIES[name](facts)
        for name in published["quantity"].unique().sort()
        if name in QUANTITIES
    }
    rows = []
    for row in published.iter_rows(named=True):
        made = computed.get(row["quantity"])
        verdict, reason = judge(row, made)
        others = _printed_elsewhere(published, row)
        recomputed = verdict != AGGREGATE and made is not None
        rows.append(
            {
                "cohort": row["cohort"],
                "quantity": row["quantity"],
                "statistic": row["statistic"],
                "printed": printed_text(row),
                "computed": computed_text(row, made) if recomputed and made else "",
                "verdict": verdict,
                "basis": made.basis if recomputed and made else "",
                "note": "; ".join(part for part in (reason, others, row["comment"]) if part),
                "source": row["source"],
                **_figures(made if recomputed else None),
            }
        )
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


_SCHEMA: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(
        (
            "cohort",
            "quantity",
            "statistic",
            "printed",
            "computed",
            "verdict",
            "basis",
            "note",
            "source",
        ),
        pl.String,
    ),
    "n": pl.Int64,
    "total": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}


def _figures(made: Computed | None) -> dict[str, object]:
    keys = ("n", "total", "value", "low", "high")
    return dict.fromkeys(keys) if made is None else {k: asdict(made)[k] for k in keys}


def judge(row: dict[str, object], made: Computed | None) -> tuple[str, str]:
    """Verdict on one published row, and why.

    A figure over patients whose values are not all recorded is not recomputed: a part of them
    says nothing about the whole.
    """
    if made is None:
        return AGGREGATE, "no record of single patients bears on it"
    if row["statistic"] == "date":
        if made.text is None:
            return AGGREGATE, "not in the trial folder"
        return (AGREES, "") if made.text == row["value"] else (DIFFERS, "")
    if made.n is not None:
        return _judge_count(row, made)
    if made.value is None:
        return AGGREGATE, "not stated for any patient"
    printed_n = row["N"]
    if isinstance(printed_n, int) and made.total is not None and made.total < printed_n:
        return AGGREGATE, f"stated for {made.total} of {printed_n} patients"
    return _judge_figures(row, made)


def _judge_count(row: dict[str, object], made: Computed) -> tuple[str, str]:
    n, total = row["n"], row["N"]
    if made.total == 0:
        return AGGREGATE, "not stated for any patient"
    if isinstance(total, int) and made.total is not None and made.total < total:
        return AGGREGATE, f"stated for {made.total} of {total} patients"
    if n is None:
        return AGGREGATE, "the count itself is not printed"
    if made.told_only and isinstance(n, int) and made.n is not None and made.n < n:
        return AGGREGATE, f"only {made.n} of the {n} are told of single patients"
    if (made.n, made.total) == (n, total):
        return AGREES, _assumption(made)
    return DIFFERS, f"counted {made.n} of {made.total}, printed {n} of {total}"


def _judge_figures(row: dict[str, object], made: Computed) -> tuple[str, str]:
    scale = _UNIT_SCALE.get(str(row["unit"]), 1.0)
    pairs = [
        (str(row["value"]), made.value, made.value_to),
        (_float_text(row["low"]), made.low, made.low_to),
        (_float_text(row["high"]), made.high, made.high_to),
    ]
    within, wrong = False, []
    for (printed, low, high), name in zip(pairs, ("value", "lower", "upper"), strict=True):
        if printed in ("", "None") or low is None:
            continue
        digits = decimals(printed)
        target = rounded(float(printed), digits)
        if rounded(low / scale, digits) == target:
            continue
        if high is not None and low / scale <= float(printed) <= high / scale * (1 + 1e-3):
            within = True
        else:
            wrong.append(f"{name} {number(low / scale, digits=digits)} against {printed}")
    if wrong:
        return DIFFERS, "; ".join(wrong)
    return (WITHIN if within else AGREES), _assumption(made)


def _assumption(made: Computed) -> str:
    return f"the day is assumed for {made.assumed}" if made.assumed else ""


def decimals(printed: str) -> int:
    """Decimals of a printed number; ``2e6`` has none."""
    match = re.fullmatch(r"-?\d+(?:\.(\d+))?(?:[eE]([+-]?\d+))?", printed.strip())
    if match is None:
        return 6
    return max(0, len(match[1] or "") - int(match[2] or 0))


def printed_text(row: dict[str, object]) -> str:
    """A published figure as a reader expects it."""
    plain = row["unit"] in (None, "percent") or row["statistic"] == "date"
    unit = "" if plain else f" {row['unit']}"
    value = str(row["value"]) if row["value"] is not None else ""
    low, high = _float_text(row["low"]), _float_text(row["high"])
    if row["n"] is not None and row["N"] is not None:
        return f"{row['n']}/{row['N']}" + (f" ({value}%)" if value else "")
    if row["unit"] == "percent" and value:
        value += "%"
    if low and high:
        return f"{value} ({low}\N{EN DASH}{high}){unit}".strip()
    bound = {"lower_bound": "more than ", "upper_bound": "less than "}.get(
        str(row["statistic"]), ""
    )
    return f"{bound}{value}{unit}"


def computed_text(row: dict[str, object], made: Computed) -> str:
    """The computed figure at the digits of the printed one."""
    if made.text is not None:
        return made.text
    if made.n is not None:
        return count(made.n, made.total or 0)
    scale = _UNIT_SCALE.get(str(row["unit"]), 1.0)
    value = str(row["value"])
    digits = decimals(value) if re.match(r"-?\d", value) else 1
    if made.value_to is not None:
        parts = ((made.value, made.value_to), (made.low, made.low_to), (made.high, made.high_to))
        shown = [_bounds(a, b, scale, digits) for a, b in parts]
        return f"{shown[0]} ({shown[1]} \N{EN DASH} {shown[2]})"
    scaled = [None if v is None else v / scale for v in (made.value, made.low, made.high)]
    mark = "%" if row["unit"] == "percent" else ""
    if scaled[1] is None or row["low"] is None:
        if "e" in value.lower() and scaled[0] is not None:
            # printed in powers of ten: so is the computed figure
            return f"{scaled[0]:.{digits}e}".replace("e+0", "e").replace("e+", "e")
        return number(scaled[0], digits=digits) + mark
    if mark:
        bounds = value_range(scaled[1], scaled[2], digits=digits)
        return f"{number(scaled[0], digits=digits)}% ({bounds})"
    return median_range(scaled[0], scaled[1], scaled[2], digits=digits)


def _bounds(low: float | None, high: float | None, scale: float, digits: int) -> str:
    if low is None or high is None:
        return number(low, digits=digits)
    left, right = (number(v / scale, digits=digits) for v in (low, high))
    return left if left == right else f"[{left} to {right}]"


def _float_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else ""


def _printed_elsewhere(published: pl.DataFrame, row: dict[str, object]) -> str:
    """The same quantity printed with other numbers in another row: both are shown."""
    same = published.filter(
        (pl.col("quantity") == row["quantity"])
        & pl.col("cohort").eq_missing(pl.lit(row["cohort"]))
        & (pl.col("row") != row["row"])
    )
    mine = printed_text(row)
    other = []
    for twin in same.iter_rows(named=True):
        differs = any(
            twin[k] is not None and row[k] is not None and twin[k] != row[k]
            for k in ("value", "low", "high", "n", "N")
        )
        if differs and printed_text(twin) != mine:
            other.append(f"printed as {printed_text(twin)} in {twin['source']}")
    return "; ".join(other)


def published_table(facts: Facts) -> ReportTable:
    """One row per published figure: computed and judged, or said to be an aggregate only."""
    numbers = compare_published(facts)
    verdicts = numbers["verdict"]
    counts = {v: int((verdicts == v).sum()) for v in (AGREES, WITHIN, DIFFERS, AGGREGATE)}
    rows = [
        TableRow(
            (
                quantity_title(row["quantity"]),
                row["printed"],
                row["computed"],
                row["verdict"],
                "; ".join(part for part in (row["basis"], row["note"]) if part),
                row["source"] or "",
            ),
            row["cohort"],
        )
        for row in numbers.iter_rows(named=True)
    ]
    total = numbers.height
    return ReportTable(
        "published",
        "Published figures, recomputed",
        (
            TableColumn("Quantity", "left"),
            TableColumn("Printed", "left"),
            TableColumn("Computed from the recorded facts", "left"),
            TableColumn("Verdict", "left"),
            TableColumn("Basis and reason", "left"),
            TableColumn("Source", "left"),
        ),
        tuple(rows),
        numbers,
        (
            f"Of {total} figures, {counts[AGREES] + counts[WITHIN]} agree, {counts[DIFFERS]} "
            f"differ and {counts[AGGREGATE]} ({percent(counts[AGGREGATE], total)}) are published "
            "only as an aggregate.",
            "Counts agree exactly or not at all; other figures agree at the digits printed.",
        ),
    )
