"""Protocol criteria evaluated on observations: met, not met, or unknown, never silently met.

One frame with one row per patient at one visit goes in, so that a recorded trial and a simulated
chunk of patients pass through the same lines.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_
from typing import Final

import polars as pl

from graftline.assess.results import as_written
from graftline.problems import Problem, ProtocolError
from graftline.protocol import Comparison, Criterion
from graftline.schema import TABLES
from graftline.units import accepted_units, conversion_factor

MET: Final = "met"
NOT_MET: Final = "not met"
UNKNOWN: Final = "unknown"
_OPERATORS: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "==": pl.Expr.eq,
    "!=": pl.Expr.ne,
    "<": pl.Expr.lt,
    "<=": pl.Expr.le,
    ">": pl.Expr.gt,
    ">=": pl.Expr.ge,
}
_KEYS: Final = ("patient", "decision_day")


def evaluate_criteria(criteria: Sequence[Criterion], observed: pl.DataFrame) -> pl.DataFrame:
    """Every criterion for every row, with what was observed.

    Parameters
    ----------
    criteria : sequence of Criterion
    observed : DataFrame
        One row per patient at that visit: ``patient``, optionally ``decision_day``, a column per
        variable (numbers in canonical units), and beside it, where known, ``<variable>_age_days``
        (days since the observation), ``<variable>_limit`` (``below`` or ``above`` where the number
        is a limit of quantification) and ``<variable>_record`` (where it is written). A variable
        without a column is unknown.

    Returns
    -------
    DataFrame [patient, decision_day, criterion, text, observed, record, met, source]
        ``decision_day`` only where ``observed`` has it; ``met`` is met, not met or unknown. Rows in
        the order of ``observed``, criteria in theirs.

    Raises
    ------
    ProtocolError
        A threshold does not fit the variable: its type, its operator or its unit.

    Notes
    -----
    A criterion is met when any alternative holds (``all_of`` together is one alternative), unknown
    when none holds and one is unknown. An observation older than ``within_days``, of unknown age
    where that matters, or made after the decision is unknown.
    """
    keys = [key for key in _KEYS if key in observed.columns]
    _check(criteria, observed)
    answers = [
        observed.select(
            *keys,
            _row=pl.int_range(pl.len()),
            _order=pl.lit(order),
            criterion=pl.lit(criterion.id),
            text=pl.lit(criterion.text),
            observed=_joined([_observed(c, observed) for c in _comparisons(criterion)]),
            record=_joined([_record(c, observed) for c in _comparisons(criterion)]),
            met=in_words(criterion_met(criterion, observed)),
            source=pl.lit(criterion.source),
        )
        for order, criterion in enumerate(criteria)
    ]
    if not answers:
        words = ("criterion", "text", "observed", "record", "met", "source")
        empty = [pl.lit(None, pl.String).alias(name) for name in words]
        return observed.select(*keys).clear().select(*keys, *empty)
    return pl.concat(answers).sort("_row", "_order").drop("_row", "_order")


def decide(criteria: Sequence[Criterion], observed: pl.DataFrame) -> pl.DataFrame:
    """The whole list for every row: the hot path, without texts.

    Parameters
    ----------
    criteria, observed
        As in ``evaluate_criteria``.

    Returns
    -------
    DataFrame [patient, decision_day, decision]
        ``decision`` is met where every criterion is met, not met where any is not, else unknown; a
        list without criteria decides nothing and is unknown. Rows in the order of ``observed``.

    Raises
    ------
    ProtocolError
        As in ``evaluate_criteria``.
    """
    keys = [key for key in _KEYS if key in observed.columns]
    _check(criteria, observed)
    met = [criterion_met(criterion, observed) for criterion in criteria]
    whole = reduce(and_, met) if met else pl.lit(None, pl.Boolean)
    return observed.select(*keys, decision=in_words(whole))


def criterion_met(criterion: Criterion, observed: pl.DataFrame) -> pl.Expr:
    """One criterion as an expression over ``observed``: true, false, or null for unknown."""
    alternatives = [_compared(c, observed) for c in criterion.any_of]
    if criterion.all_of:
        alternatives.append(reduce(and_, [_compared(c, observed) for c in criterion.all_of]))
    if not alternatives:
        return pl.lit(None, pl.Boolean)
    return reduce(or_, alternatives)


def in_words(met: pl.Expr) -> pl.Expr:
    """Met, not met, unknown for true, false, null."""
    return (
        pl.when(met.is_null())
        .then(pl.lit(UNKNOWN))
        .when(met)
        .then(pl.lit(MET))
        .otherwise(pl.lit(NOT_MET))
    )


def variables_of(criteria: Sequence[Criterion]) -> tuple[str, ...]:
    """Every variable the criteria look at, each once, in their order."""
    return tuple(dict.fromkeys(c.variable for one in criteria for c in _comparisons(one)))


def _comparisons(criterion: Criterion) -> tuple[Comparison, ...]:
    return (*criterion.any_of, *criterion.all_of)


def _compared(comparison: Comparison, observed: pl.DataFrame) -> pl.Expr:
    name = comparison.variable
    if name not in observed.columns or observed.schema[name] == pl.Null():
        return pl.lit(None, pl.Boolean)
    holds = _holds(comparison, observed)
    if comparison.within_days is None:
        return holds
    if f"{name}_age_days" not in observed.columns:
        return pl.lit(None, pl.Boolean)
    age = pl.col(f"{name}_age_days")
    return pl.when((age >= 0) & (age <= comparison.within_days)).then(holds)


def _holds(comparison: Comparison, observed: pl.DataFrame) -> pl.Expr:
    """The comparison on the value alone; a limit of quantification settles only what it can."""
    value = pl.col(comparison.variable)
    if isinstance(comparison.value, tuple):
        inside = value.is_in(list(comparison.value))
        return pl.when(value.is_not_null()).then(inside)
    compare, limit = _OPERATORS[comparison.operator], f"{comparison.variable}_limit"
    if isinstance(comparison.value, bool | str):
        return compare(value, pl.lit(comparison.value))
    threshold = _in_canonical_unit(comparison.value, comparison)
    plain = compare(value, pl.lit(threshold))
    if limit not in observed.columns:
        return plain
    return (
        pl.when(pl.col(limit) == "below")
        .then(pl.when(value <= threshold).then(pl.lit(comparison.operator in ("<", "<=", "!="))))
        .when(pl.col(limit) == "above")
        .then(pl.when(value >= threshold).then(pl.lit(comparison.operator in (">", ">=", "!="))))
        .otherwise(plain)
    )


def _in_canonical_unit(value: float, comparison: Comparison) -> float:
    canonical = _canonical_unit(comparison.variable)
    if comparison.unit is None or canonical is None:
        return value
    factor = conversion_factor(comparison.unit, canonical, analyte=comparison.variable)
    return value if factor is None else value * factor[0] / factor[1]


def _canonical_unit(variable: str) -> str | None:
    analyte = TABLES["labs"].quantity(variable)
    if analyte is not None:
        return analyte.unit
    columns = (TABLES[name].column(variable) for name in ("patients", "marrow", "vitals"))
    return next((c.unit for c in columns if c is not None), None)


def _check(criteria: Sequence[Criterion], observed: pl.DataFrame) -> None:
    """Collect every threshold that does not fit its variable."""
    problems = [
        problem
        for criterion in criteria
        for comparison in _comparisons(criterion)
        if (problem := _misfit(criterion, comparison, observed)) is not None
    ]
    if problems:
        raise ProtocolError(problems)


def _misfit(criterion: Criterion, comparison: Comparison, observed: pl.DataFrame) -> Problem | None:
    name, value = comparison.variable, comparison.value
    canonical = _canonical_unit(name)
    place = f"{criterion.id}.{name}"
    if (
        comparison.unit is not None
        and canonical is not None
        and conversion_factor(comparison.unit, canonical, analyte=name) is None
    ):
        return Problem(
            "protocol.toml",
            f"a unit of {name}: {', '.join(accepted_units(canonical, analyte=name))}",
            "write the threshold in one of these units",
            column=place,
            found=comparison.unit,
        )
    if isinstance(value, tuple) != (comparison.operator == "in"):
        return Problem(
            "protocol.toml",
            'operator "in" with a list, any other operator with one value',
            "correct the operator or the value",
            column=place,
            found=comparison.operator,
        )
    dtype = observed.schema.get(name)
    if dtype is None or dtype == pl.Null():
        return None
    expected = _expected(dtype)
    kind = "text" if isinstance(value, str | tuple) else type(value).__name__
    kind = {"bool": "true or false", "float": "a number"}.get(kind, kind)
    if kind == expected and (kind == "a number" or comparison.operator in ("==", "!=", "in")):
        return None
    return Problem(
        "protocol.toml",
        f"{expected} for {name}, and an operator that fits it",
        "correct the value or the operator",
        column=place,
        found=f"{comparison.operator} {value}",
    )


def _expected(dtype: pl.DataType) -> str:
    if dtype == pl.Boolean():
        return "true or false"
    return "a number" if dtype.is_numeric() else "text"


def _observed(comparison: Comparison, observed: pl.DataFrame) -> pl.Expr:
    """What was seen, in words: name, value, age; null where nothing was."""
    name = comparison.variable
    if name not in observed.columns:
        return pl.lit(f"{name}: not recorded")
    value, text = pl.col(name), pl.col(name).cast(pl.String)
    dtype = observed.schema[name]
    if dtype == pl.Boolean():
        text = value.replace_strict({True: "yes", False: "no"}, default=None)
    elif dtype.is_numeric():
        text = as_written(value)
    said = pl.format("{} = {}", pl.lit(name), text)
    age = f"{name}_age_days"
    if age in observed.columns:
        aged = pl.format("{} ({} d before)", said, as_written(pl.col(age)))
        said = pl.coalesce(aged, said)
    return pl.coalesce(said, pl.lit(f"{name}: not recorded"))


def _record(comparison: Comparison, observed: pl.DataFrame) -> pl.Expr:
    name = f"{comparison.variable}_record"
    return pl.col(name) if name in observed.columns else pl.lit(None, pl.String)


def _joined(texts: Sequence[pl.Expr]) -> pl.Expr:
    if not texts:
        return pl.lit(None, pl.String)
    text = pl.concat_str(list(texts), separator="; ", ignore_nulls=True)
    return pl.when(text != "").then(text)
