"""Values in their declared units and within their declared bounds."""

import polars as pl

from graftline.problems import Problem, Severity
from graftline.schema import Table
from graftline.trial.findings import Findings, bad_rows
from graftline.units import accepted_units, conversion_factor


def convert_units(frame: pl.DataFrame, declared: Table, findings: Findings) -> pl.DataFrame:
    """Bring every analyte to its own unit; with an unknown unit the value is taken out (error)."""
    if declared.quantity_column is None or frame.height == 0:
        return frame
    pairs = frame.select(declared.quantity_column, "unit").unique().drop_nulls().sort(pl.all())
    factors, wrong = [], []
    for name, unit in pairs.iter_rows():
        quantity = declared.quantity(name)
        if quantity is None:
            continue
        factor = conversion_factor(unit, quantity.unit, analyte=name)
        factors.append((name, unit, *(factor or (None, None)), quantity.unit))
        if factor is None:
            wrong.append((name, unit, quantity.unit))
    for name, unit, canonical in wrong:
        mask = (frame[declared.quantity_column] == name) & (frame["unit"] == unit)
        shown = ", ".join(accepted_units(canonical, analyte=name))
        findings.rows(
            bad_rows(frame, frame["unit"], mask.fill_null(value=False)),
            "unit",
            f"a unit of {name}: {shown}",
            "convert the values, or correct the unit",
        )
    units = {q.name: q.unit for q in declared.quantities}
    own = pl.col(declared.quantity_column).replace_strict(
        units, default=None, return_dtype=pl.String
    )
    if all((multiply, divide) == (1, 1) for _, _, multiply, divide, _ in factors):
        return frame.with_columns(unit=own)
    table_of_factors = pl.DataFrame(
        factors,
        schema={
            declared.quantity_column: pl.String,
            "unit": pl.String,
            "_multiply": pl.Float64,
            "_divide": pl.Float64,
            "_unit": pl.String,
        },
        orient="row",
    )
    joined = frame.join(
        table_of_factors,
        on=[declared.quantity_column, "unit"],
        how="left",
        validate="m:1",
        maintain_order="left",
    )
    converted = sorted({(n, u, c) for n, u, f, _, c in factors if f is not None and u != c})
    for name, unit, canonical in converted:
        findings.problems.append(
            Problem(
                findings.file,
                f"{name} in {canonical}",
                "converted exactly",
                Severity.NOTE,
                column="unit",
                found=unit,
            )
        )
    known = pl.col("_multiply").is_not_null() | pl.col("unit").is_null()
    scaled = [c for c in ("value", "lloq", "lower_normal", "upper_normal") if c in frame.columns]
    return joined.with_columns(
        *(
            pl.when(known)
            .then(pl.col(c) * pl.col("_multiply").fill_null(1.0) / pl.col("_divide").fill_null(1.0))
            .alias(c)
            for c in scaled
        ),
        unit=pl.when(known).then(own).otherwise(pl.col("unit")),
    ).drop("_multiply", "_divide", "_unit")


def check_bounds(frame: pl.DataFrame, declared: Table, findings: Findings) -> None:
    """Find values outside their hard bounds (error) and outside what is usual (warning)."""
    with_patient = (
        frame if "patient" in frame.columns else frame.with_columns(patient=pl.lit(None, pl.String))
    )
    for column in declared.columns:
        if column.minimum is None and column.maximum is None and column.plausible is None:
            continue
        values = frame[column.name]
        low, high = column.minimum, column.maximum
        outside = pl.repeat(value=False, n=values.len(), dtype=pl.Boolean, eager=True)
        if low is not None:
            outside = outside | (values < low).fill_null(value=False)
        if high is not None:
            outside = outside | (values > high).fill_null(value=False)
        if outside.any():
            findings.rows(
                bad_rows(with_patient, values, outside),
                column.name,
                _between(low, high, column.unit),
                "correct the value, or remove the row"
                if column.required
                else "correct the value; leave it empty where it is not known",
            )
        if column.plausible is not None:
            odd = ((values < column.plausible[0]) | (values > column.plausible[1])).fill_null(
                value=False
            ) & ~outside
            findings.rows(
                bad_rows(with_patient, values, odd),
                column.name,
                f"usually {_between(*column.plausible, column.unit)}",
                "check it against the record; it is used as it stands",
                severity=Severity.WARNING,
            )
    _check_quantities(with_patient, declared, findings)


def _check_quantities(frame: pl.DataFrame, declared: Table, findings: Findings) -> None:
    limits = {q.name: q.plausible for q in declared.quantities if q.plausible is not None}
    if not limits or declared.quantity_column is None:
        return
    bounds = pl.DataFrame(
        [(name, low, high) for name, (low, high) in limits.items()],
        schema={declared.quantity_column: pl.String, "_low": pl.Float64, "_high": pl.Float64},
        orient="row",
    )
    odd = (
        frame.select("row", "patient", declared.quantity_column, "value")
        .join(bounds, on=declared.quantity_column, how="inner", maintain_order="left")
        .filter((pl.col("value") < pl.col("_low")) | (pl.col("value") > pl.col("_high")))
    )
    for name in odd[declared.quantity_column].unique().sort().to_list():
        rows = odd.filter(pl.col(declared.quantity_column) == name)
        quantity = declared.quantity(name)
        findings.rows(
            rows.select("row", "patient", found=pl.col("value").cast(pl.String)),
            "value",
            f"{name} usually {_between(*limits[name], quantity.unit if quantity else None)}",
            "check value and unit against the record; it is used as it stands",
            severity=Severity.WARNING,
        )


def _between(low: float | None, high: float | None, unit: str | None) -> str:
    suffix = f" {unit}" if unit and unit != "day" else ""
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}{suffix}"
    return f"at least {low:g}{suffix}" if low is not None else f"at most {high:g}{suffix}"
