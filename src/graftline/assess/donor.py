"""The HSPC donor: HLA match, blood groups, and the graft's cell doses."""

import polars as pl

from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.donor_share import graft_donors
from graftline.assess.hla import match_hla
from graftline.assess.population import transplanted_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("donor")
_DOSES = tuple(_PRINTED["graft_dose"])
_ABO = {pair: line["class"] for line in _PRINTED["abo"]["classes"] for pair in line["pairs"]}

RULES: tuple[Rule, ...] = (
    Rule(
        id="hla_match",
        title="HLA match of ten",
        words=(
            f"{_PRINTED['hla']['printed']} Without DQB1 of eight. First fields alone "
            "allow no claim about alleles. Without typing the number recorded for the donor "
            "is taken."
        ),
        citation=_PRINTED["hla"]["citation"],
        reads=(Read("patients"), Read("donors", "role", ("hspc",))),
        origin="hspc",
    ),
    Rule(
        id="abo_match",
        title="ABO match",
        words=f"{_PRINTED['abo']['printed']} Rh D is told apart.",
        citation=_PRINTED["abo"]["citation"],
        reads=(Read("patients"), Read("donors", "role", ("hspc",))),
        origin="hspc",
    ),
    Rule(
        id="graft_dose",
        title="Graft cell dose within the usual bounds",
        words=(
            "Sum of the bags of the first graft per kg of the recipient's actual weight: "
            + "; ".join(
                f"{d['quantity']} {d['low']:g} to {d['high']:g} {d['unit']}" for d in _DOSES
            )
            + ". Outside raises a query; more CD34 or CD3 than mononuclear cells is an error. "
            "Value is CD34 in 1e6/kg."
        ),
        citation="graftline",
        reads=(Read("infusions", "kind", ("hspc",)), Read("products", "kind", ("hspc",))),
        origin="hspc",
    ),
)


def class_of_abo(recipient: pl.Expr, donor: pl.Expr) -> pl.Expr:
    """Class of ABO compatibility: match, minor, major, bidirectional; null where one is unknown."""
    return (donor + ">" + recipient).replace_strict(_ABO, default=None, return_dtype=pl.String)


def cells_per_kg(
    volume_ml: pl.Expr,
    cells_per_ml: pl.Expr,
    weight_kg: pl.Expr,
    *,
    percent: pl.Expr | None = None,
    viability_percent: pl.Expr | None = None,
) -> pl.Expr:
    """Cells/kg: concentration x volume / weight, of which a share, of which the viable.

    Viability belongs in where the counts were made before thawing.
    """
    dose = cells_per_ml * volume_ml / weight_kg
    for share in (percent, viability_percent):
        if share is not None:
            dose = dose * share / 100
    return dose


def graft_doses(trial: Trial, *, counts_before_thaw: bool = False) -> pl.DataFrame:
    """Cell doses of the first graft, bags summed.

    As recorded with the infusion, else calculated from the product (volume, cells/mL, % CD34, %
    CD3) and the weight in ``patients``.

    Parameters
    ----------
    counts_before_thaw : bool
        Whether product counts must be multiplied by viability.

    Returns
    -------
    DataFrame [patient, quantity, value, unit, bags, unknown_bags, calculated]
        One row per transplanted patient and quantity; ``value`` null where no bag has one, a lower
        bound where ``unknown_bags`` > 0.
    """
    viability = pl.col("viability_percent") if counts_before_thaw else None
    weight = trial.patients.select("patient", "weight_kg")
    products = (
        trial["products"]
        .filter(pl.col("kind") == "hspc")
        .join(weight, on="patient", how="left", validate="m:1")
        .select(
            "patient",
            "product",
            **{
                f"made_{name}": cells_per_kg(
                    pl.col("volume_ml"),
                    pl.col("cells_per_ml"),
                    pl.col("weight_kg"),
                    percent=pl.col(f"{name}_percent"),
                    viability_percent=viability,
                )
                / scale
                for name, scale in (("cd34", 1e6), ("cd3", 1e8))
            },
            made_mnc=pl.lit(None, dtype=pl.Float64),
        )
        .unique(["patient", "product"], keep="first", maintain_order=True)
    )
    bags = _first_graft_bags(trial).join(
        products, on=["patient", "product"], how="left", validate="m:1"
    )
    return pl.concat(
        [
            bags.select(
                "patient",
                value=pl.coalesce(dose["column"], f"made_{dose['quantity']}"),
                calculated=pl.col(dose["column"]).is_null(),
            )
            .sort("patient", "value")
            .group_by("patient", maintain_order=True)
            .agg(
                quantity=pl.lit(dose["quantity"]).first(),
                value=pl.when(pl.col("value").count() > 0).then(pl.col("value").sum()),
                unit=pl.lit(dose["unit"]).first(),
                bags=pl.len(),
                unknown_bags=pl.col("value").null_count(),
                calculated=(pl.col("calculated") & pl.col("value").is_not_null()).any(),
            )
            for dose in _DOSES
        ]
    ).sort("patient", "quantity")


def _first_graft_bags(trial: Trial) -> pl.DataFrame:
    # a later graft has another purpose, or comes more than seven days after the last bag
    last = transplanted_patients(trial).select("patient", "hsct_day")
    at = pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2)
    later = pl.col("purpose").is_in(["second graft", "boost"]).fill_null(value=False)
    return (
        trial["infusions"]
        .filter((pl.col("kind") == "hspc") & ~later)
        .join(last, on="patient", how="inner", validate="m:1")
        .filter(at <= pl.col("hsct_day"))
    )


def query_graft_doses(doses: pl.DataFrame) -> pl.DataFrame:
    """Cell doses outside the usual bounds, and impossible ones.

    Parameters
    ----------
    doses : DataFrame as from ``graft_doses``

    Returns
    -------
    DataFrame [patient, quantity, value, unit, low, high, finding]
        ``finding``: ``in_range``, ``low``, ``high``, ``more_than_mnc`` (an error) or ``unknown``.
    """
    bounds = pl.DataFrame(_DOSES).select("quantity", pl.col("low", "high").cast(pl.Float64))
    mnc = doses.filter(pl.col("quantity") == "mnc").select("patient", mnc="value")
    in_1e8 = pl.when(pl.col("unit") == "1e6/kg").then(pl.col("value") / 100).otherwise("value")
    value = pl.col("value").round(9)
    return (
        doses.join(bounds, on="quantity", how="left", validate="m:1")
        .join(mnc, on="patient", how="left", validate="m:1")
        .select(
            "patient",
            "quantity",
            "value",
            "unit",
            "low",
            "high",
            finding=pl.when(pl.col("value").is_null())
            .then(pl.lit("unknown"))
            .when((pl.col("quantity") != "mnc") & (in_1e8.round(9) > pl.col("mnc").round(9)))
            .then(pl.lit("more_than_mnc"))
            .when(value < pl.col("low"))
            .then(pl.lit("low"))
            .when(value > pl.col("high"))
            .then(pl.lit("high"))
            .otherwise(pl.lit("in_range")),
        )
        .sort("patient", "quantity")
    )


def graft_dose_answers(doses: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    """Whether every known cell dose lies within its bounds.

    Returns
    -------
    DataFrame [patient, state, value, lower_bound, flags, reason]
        ``value`` CD34 in 1e6/kg. Flags name the quantity and finding of each query.
    """
    bad = pl.col("finding").is_in(["low", "high", "more_than_mnc"])
    found = queries.group_by("patient", maintain_order=True).agg(
        queried=bad.any(),
        unknown=(pl.col("finding") == "unknown").all(),
        what=(pl.col("quantity") + "_" + pl.col("finding")).filter(bad).str.join("; "),
    )
    cd34 = doses.filter(pl.col("quantity") == "cd34")
    return found.join(cd34, on="patient", how="left", validate="1:1").select(
        "patient",
        "value",
        lower_bound=pl.col("value").is_not_null() & (pl.col("unknown_bags") > 0),
        state=pl.when("unknown")
        .then(pl.lit("not_evaluable"))
        .when("queried")
        .then(pl.lit("no"))
        .otherwise(pl.lit("yes")),
        reason=pl.when("unknown").then(pl.lit("no_records")),
        flags=join_flags(
            [
                pl.when(pl.col("what") != "").then("what"),
                pl.when("calculated").then(pl.lit("calculated_from_product")),
            ]
        ),
    )


def donor_pairs(trial: Trial) -> pl.DataFrame:
    """Each transplanted patient beside the donor of the first graft.

    Returns
    -------
    DataFrame : columns of ``patients`` and, with the prefix ``donor_``, of ``donors``
    """
    chosen = graft_donors(trial).rename({"graft_donor": "donor"})
    donors = (
        trial["donors"]
        .filter(pl.col("role") == "hspc")
        .join(chosen, on=["patient", "donor"], how="semi")
        .sort("patient", "row")
        .unique("patient", keep="first", maintain_order=True)
        .drop("row")
    )
    renamed = donors.rename({c: f"donor_{c}" for c in donors.columns if c != "patient"})
    return (
        transplanted_patients(trial)
        .select("patient")
        .join(trial.patients, on="patient", how="left", validate="1:1")
        .join(renamed, on="patient", how="inner", validate="1:1")
    )


def hla_answers(pairs: pl.DataFrame) -> pl.DataFrame:
    """HLA match of each pair, from typing, else as recorded for the donor.

    Returns
    -------
    DataFrame [patient, state, value, label, flags, reason]
        ``label`` such as "5/10". State yes: the number is known.
    """
    rows = pairs.join(match_hla(pairs), on="patient", how="left", validate="1:1")
    recorded = pl.col("donor_hla_match_of_10").cast(pl.Float64)
    typed = ~pl.col("incomplete") & (pl.col("out_of") > 0)
    exact = typed & ~pl.col("low_resolution")
    count = pl.when(exact).then(pl.col("matched").cast(pl.Float64))
    value = pl.coalesce(count, recorded)
    of_eight = exact & (pl.col("out_of") < 10)
    label = pl.format("{}/{}", pl.col("matched"), pl.col("out_of"))
    haploidentical = (
        exact
        & pl.col("shares_haplotype")
        & (pl.col("matched") >= _PRINTED["hla"]["haploidentical_from"])
        & (pl.col("matched") < pl.col("out_of"))
    )
    known = value.is_not_null()
    return rows.select(
        "patient",
        value=value,
        state=pl.when(known).then(pl.lit("yes")).otherwise(pl.lit("not_evaluable")),
        label=pl.when(exact)
        .then(label)
        .when(recorded.is_not_null())
        .then(pl.format("{}/10", pl.col("donor_hla_match_of_10")))
        .when(typed)
        .then(pl.format("{} by first fields", label)),
        reason=pl.when(known)
        .then(None)
        .when(typed)
        .then(pl.lit("low_resolution"))
        .when(pl.col("out_of") > 0)
        .then(pl.lit("locus_missing"))
        .otherwise(pl.lit("no_typing")),
        flags=join_flags(
            [
                pl.when(of_eight).then(pl.lit("of_8")),
                pl.when(~exact & known).then(pl.lit("as_recorded")),
                pl.when(haploidentical).then(pl.lit("haploidentical")),
                pl.when(exact & ~of_eight & (recorded != count)).then(
                    pl.lit("differs_from_recorded")
                ),
            ]
        ),
    )


def abo_answers(pairs: pl.DataFrame) -> pl.DataFrame:
    """ABO class of each pair; state yes where the groups match.

    Returns
    -------
    DataFrame [patient, state, label, flags, reason]
    """
    label = class_of_abo(pl.col("abo"), pl.col("donor_abo"))
    rows = pairs.with_columns(label=label)
    deplete = pl.col("label").is_in(list(_PRINTED["abo"]["red_cell_depletion"]))
    rh = pl.col("rh") + ">" + pl.col("donor_rh")
    return rows.select(
        "patient",
        "label",
        state=pl.when(pl.col("label").is_null())
        .then(pl.lit("not_evaluable"))
        .when(pl.col("label") == "match")
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
        reason=pl.when(pl.col("label").is_null()).then(pl.lit("group_missing")),
        flags=join_flags(
            [
                pl.when(deplete).then(pl.lit("red_cell_depletion")),
                pl.when(rh.is_not_null() & (pl.col("rh") != pl.col("donor_rh"))).then(
                    pl.lit("rh_mismatch")
                ),
            ]
        ),
    )


def assess(trial: Trial) -> Assessed:
    """HLA, ABO and graft doses of a trial.

    Details
    -------
    graft_dose_queries [patient, quantity, value, unit, low, high, finding]
    """
    population, pairs = transplanted_patients(trial), donor_pairs(trial)
    doses = graft_doses(trial)
    queries = query_graft_doses(doses)
    frames = [
        as_results(
            answer_everybody(population, hla_answers(pairs), reason="no_donor_record"),
            rule="hla_match",
        ),
        as_results(
            answer_everybody(population, abo_answers(pairs), reason="no_donor_record"),
            rule="abo_match",
        ),
        as_results(
            answer_everybody(population, graft_dose_answers(doses, queries)), rule="graft_dose"
        ),
    ]
    return Assessed(combine_results(frames), {"graft_dose_queries": queries})
