"""Text into the declared types: every value that does not fit becomes a finding with its row."""

import difflib
from collections.abc import Sequence

import polars as pl

from graftline.problems import Problem, Severity
from graftline.schema import Column, Table, table
from graftline.trial.files import RawTable
from graftline.trial.findings import Findings, bad_rows
from graftline.trial.identity import safe_text
from graftline.trial.quantities import check_bounds, convert_units

_MISSING = ("", "NA")
_MISSING_WARNED = (
    ".",
    "-",
    "--",
    "?",
    "N/A",
    "n/a",
    "na",
    "NULL",
    "null",
    "None",
    "none",
    "nan",
    "NaN",
    "#N/A",
    "missing",
    "unknown",
    "ND",
    "nd",
)
_TRUE = ("yes", "true", "1", "y", "t")
_FALSE = ("no", "false", "0", "n", "f")


def cast_table(raw: RawTable, *, decimal: str = ".") -> tuple[pl.DataFrame, list[Problem]]:
    """Cast one table to its declaration.

    Parameters
    ----------
    raw : RawTable
    decimal : {".", ","}
        Decimal mark of the text numbers, as declared in protocol.toml.

    Returns
    -------
    frame : DataFrame
        ``row``, the declared columns in canonical units, declared date columns that the file has
        (type Datetime), and unknown columns as text.
    problems : list of Problem
    """
    declared = table(raw.table)
    findings = Findings(raw.source.name)
    text = _trimmed(raw.frame)
    _check_header(text, declared, findings)
    with_patient = (
        text if "patient" in text.columns else text.with_columns(patient=pl.lit(None, pl.String))
    )
    with_patient = _take_limits(with_patient, declared, findings)
    series: dict[str, pl.Series] = {"row": text["row"].cast(pl.UInt32)}
    for column in declared.columns:
        if column.name not in text.columns:
            series[column.name] = pl.repeat(None, text.height, dtype=column.dtype, eager=True)
            continue
        series[column.name] = _cast_column(with_patient, column, declared, findings, decimal)
    for name in _extras(text, declared):
        series[name] = text[name]
    frame = pl.DataFrame({name: values.alias(name) for name, values in series.items()})
    frame = _read_limits(frame, with_patient, declared, findings, decimal)
    frame = convert_units(frame, declared, findings)
    check_bounds(frame, declared, findings)
    return frame, findings.problems


def _trimmed(frame: pl.DataFrame) -> pl.DataFrame:
    """Strip text, turn empty text and NA into null; numbers of Parquet files stay numbers."""
    text = [n for n, t in frame.schema.items() if t == pl.Categorical or t == pl.Enum]
    frame = frame.with_columns(pl.col(text).cast(pl.String)) if text else frame
    strings = [n for n, t in frame.schema.items() if t == pl.String]
    stripped = [pl.col(n).str.strip_chars().alias(n) for n in strings]
    frame = frame.with_columns(stripped)
    return frame.with_columns(
        pl.when(~pl.col(n).is_in(_MISSING)).then(pl.col(n)).alias(n) for n in strings
    )


def date_columns(declared: Table) -> tuple[str, ...]:
    """Names of the columns of a table that may hold a day as a calendar date."""
    return tuple(c.date_column for c in declared.columns if c.date_column is not None)


def _extras(text: pl.DataFrame, declared: Table) -> list[str]:
    known = {"row", *declared.names}
    return [name for name in text.columns if name not in known]


def _check_header(text: pl.DataFrame, declared: Table, findings: Findings) -> None:
    for column in declared.columns:
        given = column.name in text.columns or (column.date_column or "") in text.columns
        if column.required and not given:
            or_date = f" (or {column.date_column})" if column.date_column else ""
            findings.problems.append(
                Problem(
                    findings.file,
                    f"a column {column.name}{or_date}: {column.description.lower()}",
                    "add the column; graftline init writes a template",
                    column=column.name,
                )
            )
    dates = date_columns(declared)
    for name in _extras(text, declared):
        if name not in dates:
            close = difflib.get_close_matches(name, declared.names, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            findings.problems.append(
                Problem(
                    findings.file,
                    f"a column of the table {declared.name}",
                    f"kept as text, used by no rule{hint}",
                    Severity.WARNING,
                    column=safe_text(name),
                )
            )


def _cast_column(
    text: pl.DataFrame, column: Column, declared: Table, findings: Findings, decimal: str
) -> pl.Series:
    values = text[column.name]
    if column.kind in ("text", "category"):
        values = values.cast(pl.String)
    if column.kind != "text":
        values = _warn_missing(text, values, column, findings)
    if column.kind == "category":
        cast = _cast_category(text, values, column, findings)
    elif column.kind == "flag":
        cast = _cast_flag(text, values, column, findings)
    elif column.kind in ("number", "integer", "day"):
        cast = _cast_number(text, values, column, declared, findings, decimal)
    else:
        cast = values
    if column.required and column.kind != "day":
        _check_required(text, values, column, findings)
    return cast


def _warn_missing(
    text: pl.DataFrame, values: pl.Series, column: Column, findings: Findings
) -> pl.Series:
    if values.dtype != pl.String:
        return values
    words = [w for w in _MISSING_WARNED if w not in column.allowed]
    odd = values.is_in(words).fill_null(value=False)
    if not odd.any():
        return values
    findings.rows(
        bad_rows(text, values, odd).head(1),
        column.name,
        "an empty field where nothing is recorded",
        f"read as missing ({int(odd.sum())} rows)",
        severity=Severity.WARNING,
    )
    return values.to_frame("v").select(pl.when(~odd).then(pl.col("v"))).to_series()


def _check_required(
    text: pl.DataFrame, values: pl.Series, column: Column, findings: Findings
) -> None:
    empty = values.is_null()
    if empty.any():
        findings.rows(
            bad_rows(text, values, empty),
            column.name,
            f"a value: {column.description.lower()}",
            "fill it in, or remove the row",
        )


def _normal(expression: pl.Expr) -> pl.Expr:
    return expression.str.to_lowercase().str.replace_all(r"[\s_\-]+", " ").str.strip_chars()


def _cast_category(
    text: pl.DataFrame, values: pl.Series, column: Column, findings: Findings
) -> pl.Series:
    if not column.allowed:
        return values
    exact = values.is_in(list(column.allowed)) | values.is_null()
    if exact.all():
        return values
    spelled = {_plain(word): word for word in column.allowed}
    frame = values.to_frame("v").with_columns(plain=_normal(pl.col("v")))
    matched = frame.select(
        pl.when(exact)
        .then("v")
        .otherwise(pl.col("plain").replace_strict(spelled, default=None, return_dtype=pl.String))
    ).to_series()
    respelled = ~exact & matched.is_not_null()
    if respelled.any():
        findings.rows(
            bad_rows(text, values, respelled).unique("found", maintain_order=True),
            column.name,
            "the spelling of the schema",
            "read as the value meant",
            severity=Severity.WARNING,
        )
    wrong = values.is_not_null() & matched.is_null()
    for value in values.filter(wrong).unique().sort().to_list():
        mask = (values == value).fill_null(value=False)
        close = difflib.get_close_matches(str(value), column.allowed, n=1, cutoff=0.6)
        remedy = f"did you mean {close[0]}?" if close else "write one of these words"
        findings.rows(bad_rows(text, values, mask), column.name, _one_of(column.allowed), remedy)
    return matched


def _plain(word: str) -> str:
    return " ".join(word.lower().replace("_", " ").replace("-", " ").split())


def _one_of(words: Sequence[str]) -> str:
    return f"one of {', '.join(words)}"


def _cast_flag(
    text: pl.DataFrame, values: pl.Series, column: Column, findings: Findings
) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values
    plain = values.cast(pl.String).str.to_lowercase()
    flags = (
        plain.to_frame("v")
        .select(
            pl.when(pl.col("v").is_in(_TRUE))
            .then(statement=True)
            .when(pl.col("v").is_in(_FALSE))
            .then(statement=False)
        )
        .to_series()
    )
    wrong = values.is_not_null() & flags.is_null()
    if wrong.any():
        findings.rows(
            bad_rows(text, values, wrong),
            column.name,
            "yes or no",
            "write yes or no; leave it empty where it is not known",
        )
    return flags


def _to_float(values: pl.Series, decimal: str) -> pl.Series:
    if values.dtype == pl.Boolean:
        return pl.repeat(None, values.len(), dtype=pl.Float64, eager=True)
    if values.dtype != pl.String:
        return values.cast(pl.Float64, strict=False)
    if decimal == ",":
        values = values.str.replace(",", ".", literal=True)
    plain = values.str.contains(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    return (
        values.cast(pl.Float64, strict=False)
        .to_frame("v")
        .select(pl.when(plain).then(pl.col("v")))
        .to_series()
    )


def _cast_number(
    text: pl.DataFrame,
    values: pl.Series,
    column: Column,
    declared: Table,
    findings: Findings,
    decimal: str,
) -> pl.Series:
    numbers = _to_float(values, decimal)
    wrong = values.is_not_null() & (numbers.is_null() | ~numbers.is_finite().fill_null(value=True))
    if column.kind == "day" and values.dtype == pl.String:
        wrong = wrong & ~values.str.contains(r"^\d{4}-\d\d-\d\d").fill_null(value=False)
    if column.name == "value" and declared.column("quantification") and values.dtype == pl.String:
        wrong = wrong & ~values.str.contains(_limit_pattern(decimal)).fill_null(value=False)
    if wrong.any():
        unit = f", in {column.unit}" if column.unit else ""
        if declared.quantity_column:
            unit = ", in the unit of the row"
        remedy = "write the number alone; a unit belongs in its column or in the column name"
        if (
            values.dtype == pl.String
            and values.filter(wrong).str.contains(r"^[<>]?\s*-?\d+,\d+$").any()
        ):
            remedy = 'write 0.2 for 0,2, or declare decimal = "," in [trial] of protocol.toml'
            if values.filter(wrong).str.contains(r"^[<>]").any():
                remedy = 'write 0.2 in value and "below" in quantification'
        findings.rows(
            bad_rows(text, values, wrong),
            column.name,
            f"a number with a decimal {'comma' if decimal == ',' else 'point'}{unit}",
            remedy,
        )
        numbers = numbers.to_frame("v").select(pl.when(~wrong).then(pl.col("v"))).to_series()
    if column.kind == "integer":
        return _whole(text, values, numbers, column, findings)
    return numbers


def _whole(
    text: pl.DataFrame, values: pl.Series, numbers: pl.Series, column: Column, findings: Findings
) -> pl.Series:
    broken = ((numbers - numbers.round()).abs() > 0).fill_null(value=False)
    if broken.any():
        findings.rows(
            bad_rows(text, values, broken),
            column.name,
            "a whole number",
            "write it without decimals",
        )
    whole = (
        numbers.to_frame("v")
        .select(pl.when(~broken & (pl.col("v").abs() < 2**53)).then(pl.col("v")))
        .to_series()
    )
    return whole.cast(pl.Int64)


def _take_limits(text: pl.DataFrame, declared: Table, findings: Findings) -> pl.DataFrame:
    """Where a result is below and its value empty, the lower limit beside it is the value."""
    needed = {"value", "quantification", "lloq"}
    if not needed <= {*declared.names} & {*text.columns}:
        return text
    below = _normal(pl.col("quantification").cast(pl.String)) == "below"
    taken = text.select(
        below & pl.col("value").is_null() & pl.col("lloq").is_not_null()
    ).to_series()
    if not taken.fill_null(value=False).any():
        return text
    findings.rows(
        bad_rows(text, text["value"], taken).head(1),
        "value",
        'the limit in value where quantification is "below"',
        f"the lower limit in lloq is taken ({int(taken.sum())} rows)",
        severity=Severity.WARNING,
    )
    limit = pl.col("lloq").cast(text.schema["value"])
    return text.with_columns(value=pl.when(taken).then(limit).otherwise(pl.col("value")))


def _limit_pattern(decimal: str) -> str:
    mark = "," if decimal == "," else r"\."
    return rf"^[<>]\s*\d+({mark}\d+)?([eE][+-]?\d+)?$"


def _read_limits(
    frame: pl.DataFrame, text: pl.DataFrame, declared: Table, findings: Findings, decimal: str
) -> pl.DataFrame:
    """Read ``<0.2`` as the limit 0.2 with quantification below, and say so."""
    if declared.column("quantification") is None or text.schema.get("value") != pl.String:
        return frame
    limits = text["value"].str.contains(_limit_pattern(decimal)).fill_null(value=False)
    if not limits.any():
        return frame
    clash = (
        limits
        & frame["quantification"].is_not_null()
        & (
            frame["quantification"]
            != pl.select(
                pl.when(text["value"].str.starts_with("<"))
                .then(pl.lit("below"))
                .otherwise(pl.lit("above"))
            ).to_series()
        )
    )
    if clash.fill_null(value=False).any():
        findings.rows(
            bad_rows(text, text["value"], clash),
            "value",
            "a sign that agrees with the column quantification",
            "correct one of the two",
        )
    findings.rows(
        bad_rows(text, text["value"], limits).head(1),
        "value",
        'the limit in value and "below" or "above" in quantification',
        f"read that way ({int(limits.sum())} rows)",
        severity=Severity.WARNING,
    )
    number = _to_float(
        text["value"].str.strip_prefix("<").str.strip_prefix(">").str.strip_chars(), decimal
    )
    sign = pl.select(
        pl.when(text["value"].str.starts_with("<")).then(pl.lit("below")).otherwise(pl.lit("above"))
    ).to_series()
    return frame.with_columns(
        value=pl.when(limits).then(number).otherwise(pl.col("value")),
        quantification=pl.when(limits)
        .then(pl.coalesce("quantification", sign))
        .otherwise(pl.col("quantification")),
    )
