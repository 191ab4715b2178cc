"""The decision tables of response: one visit's findings to a class, under each published profile.

Each function takes the visits with their findings and adds a class and the reason where there is
none. What is missing decides nothing: a class is given only where every reading of the missing
value would give the same class.
"""

from typing import Final, Literal

import polars as pl

Adequacy = Literal["all", "mlfs_only"]
REMISSIONS: Final = ("CR", "CRh", "CRi")
FINDINGS: Final = (
    "blasts_percent",
    "baseline_blasts_percent",
    "circulating_blasts",
    "extramedullary",
    "anc",
    "anc_limit",
    "anc_supported",
    "platelets",
    "platelets_limit",
    "platelets_supported",
    "cells_counted",
    "cellularity_percent",
    "spicules",
    "trilineage",
)


def at_least(
    count: str, threshold: float, *, strict: bool = False, trust_supported: bool = False
) -> pl.Expr:
    """Whether a count has recovered to ``threshold``: yes, no, or null where it cannot be told.

    A result below the limit of quantification never reaches a threshold; a result above the upper
    limit reaches those up to the limit. Transfusion or G-CSF can only raise a count, so a supported
    count under the threshold is under it, and one over it is no evidence of recovery.
    """
    value, limit = pl.col(count), pl.col(f"{count}_limit")
    reached = value > threshold if strict else value >= threshold
    reached = (
        pl.when(limit == "below")
        .then(pl.when(value <= threshold).then(pl.lit(value=False)))
        .when(limit == "above")
        .then(pl.when(value >= threshold).then(pl.lit(value=True)))
        .otherwise(reached)
    )
    if trust_supported:
        return reached
    supported = pl.col(f"{count}_supported").fill_null(value=False)
    return pl.when(supported & reached).then(pl.lit(value=False)).otherwise(reached)


def adequate_marrow(*, cells: int = 200, cellularity_percent: float = 10.0) -> pl.Expr:
    """Whether the marrow is more than aplastic; null where neither figure is recorded.

    One figure that passes is enough; one that fails, with the other not recorded, fails.
    """
    counted = (pl.col("cells_counted") >= cells).fill_null(value=False)
    cellular = (pl.col("cellularity_percent") >= cellularity_percent).fill_null(value=False)
    recorded = pl.col("cells_counted").is_not_null() | pl.col("cellularity_percent").is_not_null()
    return pl.when(recorded).then(counted | cellular)


def cleared(*, blasts_below_percent: float = 5.0) -> pl.Expr:
    """Blasts under 5 %, none circulating, no extramedullary disease: three-valued.

    Circulating blasts not recorded count as none recorded (visits carry a flag that says so):
    without that reading no published cohort would have a response.
    """
    return (
        (pl.col("blasts_percent") < blasts_below_percent)
        & ~pl.col("circulating_blasts").fill_null(value=False)
        & ~pl.col("extramedullary")
    )


def _partial(full: pl.Expr, *, low: float = 5.0, high: float = 25.0, fall: float = 0.5) -> pl.Expr:
    """Counts as CR, blasts 5 to 25 % and at most half of baseline: three-valued."""
    blasts = pl.col("blasts_percent")
    return (
        blasts.is_between(low, high)
        & (blasts <= (1 - fall) * pl.col("baseline_blasts_percent"))
        & full
    )


def _why_none() -> pl.Expr:
    return (
        pl.when(pl.col("blasts_percent").is_null())
        .then(pl.lit("no_blasts"))
        .when(pl.col("extramedullary").is_null())
        .then(pl.lit("extramedullary_not_assessed"))
        .when(pl.col("anc").is_null() | pl.col("platelets").is_null())
        .then(pl.lit("no_counts"))
        .when(pl.col("baseline_blasts_percent").is_null())
        .then(pl.lit("no_baseline"))
        .otherwise(pl.lit("limit_of_quantification"))
    )


def _with_class(visits: pl.DataFrame, profile: str, label: pl.Expr, why: pl.Expr) -> pl.DataFrame:
    return visits.with_columns(label.alias(profile)).with_columns(
        pl.when(pl.col(profile).is_null()).then(why).alias(f"{profile}_reason")
    )


def classify_nejm2024(
    visits: pl.DataFrame, *, anc_1e9_per_l: float = 1.0, platelets_1e9_per_l: float = 100.0
) -> pl.DataFrame:
    """CR or CRi as Hu 2024 uses them: CRi has no lower limit on counts or cellularity.

    Parameters
    ----------
    visits : DataFrame with the columns of ``FINDINGS``
        Counts in 1e9/L; ``extramedullary`` is false where there is none, null where it is known
        from before and was not looked at again.

    Returns
    -------
    DataFrame : ``visits`` with ``nejm2024`` (CR, CRi, PR, NR) and ``nejm2024_reason``

    Notes
    -----
    Source: Hu 2024, Methods. PR and NR, which the paper does not define, are those of ELN 2022.
    """
    clear = cleared()
    full = at_least("anc", anc_1e9_per_l) & at_least("platelets", platelets_1e9_per_l)
    label = (
        pl.when(clear & full)
        .then(pl.lit("CR"))
        .when(clear & ~full)
        .then(pl.lit("CRi"))
        .when(_partial(full))
        .then(pl.lit("PR"))
        .when(~clear & ~_partial(full))
        .then(pl.lit("NR"))
    )
    return _with_class(visits, "nejm2024", label, _why_none())


def classify_eln2022(
    visits: pl.DataFrame,
    *,
    marrow_adequacy: Adequacy = "all",
    name: str = "eln2022",
    anc_1e9_per_l: tuple[float, float] = (1.0, 0.5),
    platelets_1e9_per_l: tuple[float, float] = (100.0, 50.0),
) -> pl.DataFrame:
    """ELN 2022 response: CR, CRh, CRi, MLFS, PR, NR, first match from the top.

    Parameters
    ----------
    visits : DataFrame with the columns of ``FINDINGS``
    marrow_adequacy : {"all", "mlfs_only"}
        Whether a merely aplastic marrow (under 200 cells and under 10 % cellularity) makes every
        remission class not evaluable, or only MLFS (the criteria read literally).
    anc_1e9_per_l, platelets_1e9_per_l : (for CR, for CRh)

    Returns
    -------
    DataFrame : ``visits`` with the class in column ``name`` and its reason in ``<name>_reason``

    Notes
    -----
    Source: Döhner 2022. CRi takes either count or both low, so MLFS is left for a cleared,
    adequate marrow whose counts are missing: it is then the least the patient has.
    """
    clear, adequate = cleared(), adequate_marrow()
    full = at_least("anc", anc_1e9_per_l[0]) & at_least("platelets", platelets_1e9_per_l[0])
    half = at_least("anc", anc_1e9_per_l[1]) & at_least("platelets", platelets_1e9_per_l[1])
    aplastic = clear & ~adequate.fill_null(value=True)
    not_evaluable = aplastic if marrow_adequacy == "all" else pl.lit(value=False)
    unsure = full.is_null() | (~full & half.is_null())
    free = clear & adequate & pl.col("spicules").fill_null(value=True)
    label = (
        pl.when(not_evaluable)
        .then(None)
        .when(clear & full)
        .then(pl.lit("CR"))
        .when(clear & ~full & half)
        .then(pl.lit("CRh"))
        .when(clear & ~full & ~half)
        .then(pl.lit("CRi"))
        .when(free & unsure)
        .then(pl.lit("MLFS"))
        .when(_partial(full))
        .then(pl.lit("PR"))
        .when(~clear & ~_partial(full))
        .then(pl.lit("NR"))
    )
    why = pl.when(aplastic).then(pl.lit("aplastic")).otherwise(_why_none())
    return _with_class(visits, name, label, why)


def classify_nccn2022(
    visits: pl.DataFrame,
    *,
    anc_above_1e9_per_l: float = 1.0,
    platelets_above_1e9_per_l: float = 100.0,
    progression_rise: float = 0.25,
) -> pl.DataFrame:
    """NCCN 2022 response of ALL: CR above both counts (strict), CRi, progression, NR.

    Parameters
    ----------
    visits : DataFrame with the columns of ``FINDINGS``
    progression_rise : float
        Relative rise of marrow blasts over baseline that is progression.

    Returns
    -------
    DataFrame : ``visits`` with ``nccn2022`` (CR, CRi, PD, NR) and ``nccn2022_reason``

    Notes
    -----
    Source: NCCN 2022. Trilineage haematopoiesis recorded as absent rules out CR and CRi; not
    recorded, it does not.
    """
    clear = cleared() & pl.col("trilineage").fill_null(value=True)
    full = at_least("anc", anc_above_1e9_per_l, strict=True) & at_least(
        "platelets", platelets_above_1e9_per_l, strict=True
    )
    blasts, baseline = pl.col("blasts_percent"), pl.col("baseline_blasts_percent")
    progressed = ((blasts >= 5) & (blasts >= (1 + progression_rise) * baseline)).fill_null(
        value=False
    )
    label = (
        pl.when(clear & full)
        .then(pl.lit("CR"))
        .when(clear & ~full)
        .then(pl.lit("CRi"))
        .when(progressed)
        .then(pl.lit("PD"))
        .when(~clear)
        .then(pl.lit("NR"))
    )
    return _with_class(visits, "nccn2022", label, _why_none())


def classify(
    visits: pl.DataFrame, profile: str, *, marrow_adequacy: Adequacy = "all"
) -> pl.DataFrame:
    """One profile by name: nejm2024, eln2022 or nccn2022."""
    if profile == "nejm2024":
        return classify_nejm2024(visits)
    if profile == "eln2022":
        return classify_eln2022(visits, marrow_adequacy=marrow_adequacy)
    return classify_nccn2022(visits)


def classify_all(visits: pl.DataFrame, *, marrow_adequacy: Adequacy = "all") -> pl.DataFrame:
    """Every profile side by side, ELN 2022 under both readings of marrow adequacy.

    Returns
    -------
    DataFrame : ``visits`` with ``nejm2024``, ``eln2022``, ``eln2022_literal``, ``nccn2022`` and a
    reason beside each; ``eln2022`` follows ``marrow_adequacy``.
    """
    visits = classify_nejm2024(visits)
    visits = classify_eln2022(visits, marrow_adequacy=marrow_adequacy)
    visits = classify_eln2022(visits, marrow_adequacy="mlfs_only", name="eln2022_literal")
    return classify_nccn2022(visits)
