"""Body surface, creatinine clearance, renal dose, CAR-T arithmetic: formulas over columns."""

from typing import Literal

import polars as pl

from graftline.assess.printed import printed_criteria

Surface = Literal["mosteller", "dubois"]
_RENAL = tuple(printed_criteria("dosing")["fludarabine_renal"]["lines"])


def body_surface(
    height_cm: pl.Expr, weight_kg: pl.Expr, *, formula: Surface = "mosteller"
) -> pl.Expr:
    """Body surface in m2 from actual weight (Mosteller 1987, or Du Bois 1916)."""
    if formula == "dubois":
        return 0.007184 * weight_kg.pow(0.425) * height_cm.pow(0.725)
    return (height_cm * weight_kg / 3600).sqrt()


def body_mass_index(height_cm: pl.Expr, weight_kg: pl.Expr) -> pl.Expr:
    """Body mass index in kg/m2."""
    return weight_kg / (height_cm / 100).pow(2)


def creatinine_clearance(
    age_years: pl.Expr, weight_kg: pl.Expr, creatinine_mg_per_dl: pl.Expr, sex: pl.Expr
) -> pl.Expr:
    """Creatinine clearance in mL/min (Cockcroft and Gault 1976); null without sex."""
    male = (140 - age_years) * weight_kg / (72 * creatinine_mg_per_dl)
    return pl.when(sex == "female").then(0.85 * male).when(sex == "male").then(male)


def fludarabine_fraction(clearance_ml_per_min: pl.Expr) -> pl.Expr:
    """Suggested share of the fludarabine dose at a creatinine clearance (US label).

    The label's whole numbers are read as continuous: 79.5 is below 80. 0 means do not give.
    """
    fraction = pl.lit(None, dtype=pl.Float64)
    for line in reversed(_RENAL):
        fraction = (
            pl.when(clearance_ml_per_min >= line["from"])
            .then(pl.lit(float(line["fraction"])))
            .otherwise(fraction)
        )
    return fraction


def car_t_share(
    viability_percent: pl.Expr, cd3_percent: pl.Expr, car_percent: pl.Expr, car_parent: pl.Expr
) -> pl.Expr:
    """Viable CAR+ T cells per counted cell.

    ``car_parent`` says of which cells ``car_percent`` is the share: ``cd3`` (of viable CD3+ cells)
    or ``viable`` (of all viable cells, then % CD3+ does not enter). Null where it is not recorded.
    """
    of_cd3 = cd3_percent / 100 * car_percent / 100
    share = (
        pl.when(car_parent == "viable")
        .then(car_percent / 100)
        .when(car_parent == "cd3")
        .then(of_cd3)
    )
    return viability_percent / 100 * share


def volume_for_dose(
    target_cells_per_kg: pl.Expr, weight_kg: pl.Expr, cells_per_ml: pl.Expr, share: pl.Expr
) -> pl.Expr:
    """Volume in mL that holds the target dose."""
    return target_cells_per_kg * weight_kg / (cells_per_ml * share)


def dmso_g_per_kg(
    volume_ml: pl.Expr,
    weight_kg: pl.Expr,
    *,
    dmso_percent: float = 10,
    density_g_per_ml: float = 1.1,
) -> pl.Expr:
    """DMSO infused in g/kg, to hold against 1 g/kg a day; ``dmso_percent`` by volume."""
    return volume_ml * dmso_percent / 100 * density_g_per_ml / weight_kg
