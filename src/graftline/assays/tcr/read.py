"""Repertoire files as lazily scanned rows with one set of column names."""

from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from graftline.assays.table_file import TableFile, open_table_file
from graftline.assays.tcr.dialects import (
    Dialect,
    columns_present,
    count_columns_present,
    named_dialect,
    recognise_dialect,
)
from graftline.assays.tcr.genes import gene_name, locus_name
from graftline.problems import InputError, Problem, Severity

MISSING = ["NA", "na", "NaN", "nan", "null", "NULL", "None", "N/A"]
_TRUE = ("t", "true", "1", "1.0", "yes", "y", "productive")
_FALSE = ("f", "false", "0", "0.0", "no", "n", "unproductive", "non-productive", "nonproductive")
_IN, _NOT_IN = ("in", "in-frame"), ("out", "stop", "out-of-frame", "out of frame", "has stop")
_WORDS = {
    "frame": (_IN + _TRUE, _NOT_IN + _FALSE),
    "productive": (_TRUE, _FALSE),
    "in_frame": (_TRUE, _FALSE),
    "stop": (_TRUE, _FALSE),
}
_SEQUENCES, _GENES = ("junction", "junction_aa"), ("v_call", "j_call")


@dataclass(frozen=True, slots=True)
class Rearrangements:
    """A repertoire file that can be scanned: rows, where the counts come from, findings so far.

    ``rows`` has ``junction, junction_aa, count`` and, as the file spells them, the columns named
    in ``calls``. ``count`` is NaN where the file's value is missing, negative or not a whole
    number: a NaN never becomes a number. ``genes`` make of the calls ``v_gene, j_gene``, and
    ``described`` of both ``sample, locus, productive`` (null where the file does not say) and
    ``conflict`` (the V gene is not of the locus stated). A file of millions of rows has a few
    thousand different calls, so they are described once each, not once a row.
    """

    table: TableFile
    dialect: str
    count_column: str
    rows: pl.LazyFrame
    calls: tuple[str, ...]
    genes: tuple[pl.Expr, ...]
    described: tuple[pl.Expr, ...]
    problems: tuple[Problem, ...]


def scan_rearrangements(
    path: str | Path,
    *,
    sample: str | None = None,
    count_column: str | None = None,
    dialect: str | None = None,
) -> Rearrangements:
    """Rows of an AIRR, immunoSEQ (v1-v3) or MiXCR file, plain or gzip, not yet read.

    Parameters
    ----------
    path : str or Path
        The file; separator (tab, comma, semicolon) and format are recognised from its header.
    sample : str, optional
        Name given to all rows; without it the file's own sample column, else the file name.
    count_column : str, optional
        Which column holds the clone counts. Without it the first of the format's own columns that
        is not wholly empty: ``duplicate_count``, then ``umi_count`` for AIRR.
        ``consensus_count`` counts reads behind a consensus and is used only when named here.
    dialect : {"airr", "immunoseq", "mixcr"}, optional
        The format, where it is not to be recognised from the header.

    Raises
    ------
    InputError
        Not readable, no format recognised, or no count column with values in it.
    """
    table = open_table_file(Path(path))
    spoken = recognise_dialect(table) if dialect is None else named_dialect(table, dialect)
    columns_present(table, spoken)  # a column that occurs twice is said before rows are read
    first = _first_rows(table)
    if first.is_empty():
        raise InputError([Problem(table.path.name, "at least one row of data", "export it again")])
    empty = {name for name in table.columns if first[name].is_null().all()}
    columns = columns_present(table, spoken, empty=empty)
    counted, problems = _choose_count(table, first, spoken, count_column)
    upper = _any_has(first, columns, _SEQUENCES, "[a-z]")
    scored = _any_has(first, columns, _GENES, r"\(")
    calls = tuple(meaning for meaning in columns if meaning not in _SEQUENCES)
    rows = scan_table(table, number=counted).select(
        *(_as_called(columns, meaning, scored=scored) for meaning in calls),
        *(_sequence(columns, meaning, upper=upper) for meaning in _SEQUENCES),
        _whole(pl.col(counted)).alias("count"),
    )
    if not table.utf8:
        problems.append(_not_utf8(table))
    problems += _unknown_words(table, first, columns)
    stem = table.path.name.removesuffix(".gz").rsplit(".", 1)[0]
    genes = tuple(_gene(letter, calls).alias(f"{letter}_gene") for letter in "vj")
    described = (
        _sample(calls, named=sample, otherwise=stem),
        _locus(calls).alias("locus"),
        _productive(calls).alias("productive"),
        _conflict(calls).alias("conflict"),
    )
    return Rearrangements(
        table, spoken.name, counted, rows, calls, genes, described, tuple(problems)
    )


def _first_rows(table: TableFile) -> pl.DataFrame:
    # A quoted text may have line ends in it, and then the first lines end within one.
    whole = not table.quoted and table.first_lines.count(b"\n") > 1
    source = BytesIO(table.first_lines) if whole else table.path
    return _collected(table, scan_table(table, source=source).head(1000))


def scan_table(
    table: TableFile, *, number: str | None = None, source: Path | BytesIO | None = None
) -> pl.LazyFrame:
    """All columns as text, missing as null.

    With ``number`` that column is a float, and words for missing stay words: looking for them in
    every field takes a third of the time. ``source`` are lines of the table from elsewhere than
    its file.
    """
    schema: dict[str, pl.DataType] = {}
    for name in table.columns:
        unique = name if name not in schema else f"{name} (again, column {len(schema) + 1})"
        schema[unique] = pl.Float64() if unique == number else pl.String()
    return pl.scan_csv(
        table.path if source is None else source,
        separator=table.separator,
        quote_char='"' if table.quoted else None,
        schema=schema,
        null_values=MISSING if number is None else None,
        encoding="utf8" if table.utf8 else "utf8-lossy",
    )


def _not_utf8(table: TableFile) -> Problem:
    return Problem(
        table.path.name,
        "text in UTF-8",
        "signs in another encoding are lost, letters and numbers are not; save it as UTF-8",
        severity=Severity.WARNING,
    )


def _call(meaning: str, calls: Collection[str]) -> pl.Expr:
    return _known(pl.col(meaning)) if meaning in calls else pl.lit(None, dtype=pl.String)


def _known(text: pl.Expr) -> pl.Expr:
    """The text, null where it is a word for missing."""
    return pl.when(~text.is_in(["", *MISSING])).then(text)


def _whole(count: pl.Expr) -> pl.Expr:
    whole = (count >= 0) & count.is_finite() & (count.floor() == count)
    return pl.when(whole).then(count).otherwise(float("nan"))


def _sample(calls: Collection[str], *, named: str | None, otherwise: str) -> pl.Expr:
    if named is not None:
        return pl.lit(named).alias("sample")
    return pl.coalesce(_call("sample", calls), pl.lit(otherwise)).alias("sample")


def _gene(letter: str, calls: Collection[str]) -> pl.Expr:
    """The gene, or the family where the gene is not resolved."""
    return pl.coalesce(
        gene_name(_call(f"{letter}_call", calls)), gene_name(_call(f"{letter}_family", calls))
    )


def _locus(calls: Collection[str]) -> pl.Expr:
    stated = locus_name(_call("locus", calls))
    return pl.coalesce(stated, pl.col("v_gene").str.head(3), pl.col("j_gene").str.head(3))


def _conflict(calls: Collection[str]) -> pl.Expr:
    stated = locus_name(_call("locus", calls))
    return (~pl.col("v_gene").str.starts_with(stated)).fill_null(value=False)


def _sequence(columns: dict[str, str], meaning: str, *, upper: bool) -> pl.Expr:
    name = columns.get(meaning)
    text = pl.lit(None, dtype=pl.String) if name is None else _known(pl.col(name))
    return (text.str.to_uppercase() if upper else text).alias(meaning)


def _as_called(columns: dict[str, str], meaning: str, *, scored: bool) -> pl.Expr:
    call = pl.col(columns[meaning])
    if scored and meaning in _GENES:
        # A score of its own in every row would leave no two calls alike.
        call = call.str.head(call.str.find("(", literal=True).fill_null(99))
    return call.alias(meaning)


def _any_has(
    first: pl.DataFrame, columns: dict[str, str], meanings: Collection[str], pattern: str
) -> bool:
    """Whether any of the columns shows the pattern, judged from the first rows."""
    names = {columns[meaning] for meaning in meanings if meaning in columns}
    return any(first[name].str.contains(pattern).any() for name in names)


def _words(name: str) -> pl.Expr:
    yes, no = _WORDS[name]
    value = pl.col(name).str.strip_chars().str.to_lowercase()
    return pl.when(value.is_in(yes)).then(True).when(value.is_in(no)).then(False)


def _productive(calls: Collection[str]) -> pl.Expr:
    judged = [_words(name) for name in ("frame", "productive") if name in calls]
    frame = [_words("in_frame")] if "in_frame" in calls else []
    stop = [~_words("stop")] if "stop" in calls else []
    if parts := [*frame, *stop]:
        # One alone can say that a row is not productive, but not that it is.
        both = pl.all_horizontal(parts)
        judged.append(both if len(parts) > 1 else pl.when(~both).then(False))
    return pl.coalesce(*judged) if judged else pl.lit(None, dtype=pl.Boolean)


def _unknown_words(table: TableFile, first: pl.DataFrame, columns: dict[str, str]) -> list[Problem]:
    found = []
    for name in (word for word in _WORDS if word in columns):
        value = pl.col(columns[name]).str.strip_chars().str.to_lowercase()
        known = value.is_in([word for words in _WORDS[name] for word in words])
        strange = first.filter(~known)[columns[name]].unique().sort()
        if strange.len():
            remedy = "the CDR3 decided in these rows; write T and F"
            words = ", ".join(strange.head(5))
            expected = "words for yes and no, such as T and F"
            warning = Severity.WARNING
            file, column = table.path.name, columns[name]
            found.append(Problem(file, expected, remedy, warning, column=column, found=words))
    return found


def _choose_count(
    table: TableFile, first: pl.DataFrame, dialect: Dialect, asked: str | None
) -> tuple[str, list[Problem]]:
    if asked is not None:
        if asked in table.columns:
            return asked, []
        raise _no_count(table, f"the count column {asked!r}", ", ".join(table.columns)[:200])
    present = count_columns_present(table, dialect)
    filled = [name for name in present if _has_values(table, first, name)]
    if not filled:
        raise _no_count(table, _names(dialect), _instead(table, dialect, present))
    skipped = present[: present.index(filled[0])]
    usual = dialect.name != "airr" or filled[0].lower() == dialect.counts[0]
    if not skipped and usual:
        return filled[0], []
    note = Problem(
        table.path.name,
        f"clone counts in {dialect.counts[0]!r}; used {filled[0]!r} instead",
        "name the column to use in count_column if this is not the one you mean",
        severity=Severity.WARNING if dialect.name == "airr" else Severity.NOTE,
        column=filled[0],
    )
    return filled[0], [note]


def _instead(table: TableFile, dialect: Dialect, present: list[str]) -> str:
    """What a file without counts has: empty columns, and such as count something else."""
    asked = [name for name in table.columns if name.lower() in dialect.counts_on_request]
    other = [f"{name} (something else: only if you name it)" for name in asked]
    return ", ".join([*(f"{name} (empty)" for name in present), *other])


def _names(dialect: Dialect) -> str:
    return "clone counts in one of " + ", ".join(dialect.counts)


def _no_count(table: TableFile, expected: str, found: str) -> InputError:
    remedy = (
        "name the column that holds the counts (count_column, --count-column); of rows that are "
        "single reads count the identical ones first: a missing count is never taken as 1"
    )
    return InputError([Problem(table.path.name, expected, remedy, row=1, found=found or "none")])


def _has_values(table: TableFile, first: pl.DataFrame, name: str) -> bool:
    # Nearly always answered by the first rows; the whole column is read only if they are empty.
    if first[name].is_not_null().any():
        return True
    return _collected(table, scan_table(table).select(name).drop_nulls().head(1)).height > 0


def _collected(table: TableFile, query: pl.LazyFrame) -> pl.DataFrame:
    try:
        return query.collect()
    except (pl.exceptions.PolarsError, OSError) as damage:
        raise unreadable_table(table, damage) from None


def unreadable_table(table: TableFile, damage: Exception) -> InputError:
    """What the text reader stumbled on, as a finding about the file."""
    if "utf-8" in str(damage).lower():
        expected, remedy = "text in UTF-8 to the end", "save or export the file as UTF-8"
        problem = Problem(table.path.name, expected, remedy, severity=Severity.UNREADABLE)
        return InputError([problem])
    first = str(damage).strip().splitlines()[0] if str(damage).strip() else "damaged content"
    return InputError(
        [
            Problem(
                table.path.name,
                f"rows that can be read to the end ({first})",
                "copy or export the file again; it may be cut short",
                severity=Severity.UNREADABLE,
            )
        ]
    )
