"""The decision tables of response: one visit's findings to a class, under each published profile.

Each function takes the visits with their findings and adds a class and the reason where there is
none. What is missing decides nothing: a class is given only where every reading of the missing
value would give the same class.
"""

from typing import Any, Final, Literal

import polars as pl

from graftline.assess.on_arrays import Words

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
    count: str,
    threshold: float,
    words: Words = pl,
    *,
    strict: bool = False,
    trust_supported: bool = False,
) -> Any:
    """Whether a count has recovered to ``threshold``: yes, no, or null where it cannot be told.

    A result below the limit of quantification never reaches a threshold; a result above the upper
    limit reaches those up to the limit. Transfusion or G-CSF can only raise a count, so a supported
    count under the threshold is under it, and one over it is no evidence of recovery.
    """
    value, limit = words.col(count), words.col(f"{count}_limit")
    reached = value > threshold if strict else value >= threshold
    reached = (
        words.when(limit == "below")
        .then(words.when(value <= threshold).then(words.lit(value=False)))
        .when(limit == "above")
        .then(words.when(value >= threshold).then(words.lit(value=True)))
        .otherwise(reached)
    )
    if trust_supported:
        return reached
    supported = words.col(f"{count}_supported").fill_null(value=False)
    return words.when(supported & reached).then(words.lit(value=False)).otherwise(reached)


def adequate_marrow(
    words: Words = pl, *, cells: int = 200, cellularity_percent: float = 10.0
) -> Any:
    """Whether the marrow is more than aplastic; null where neither figure is recorded.

    One figure that passes is enough; one that fails, with the other not recorded, fails.
    """
    counted = (words.col("cells_counted") >= cells).fill_null(value=False)
    cellular = (words.col("cellularity_percent") >= cellularity_percent).fill_null(value=False)
    recorded = (
        words.col("cells_counted").is_not_null() | words.col("cellularity_percent").is_not_null()
    )
    return words.when(recorded).then(counted | cellular)


def cleared(words: Words = pl, *, blasts_below_percent: float = 5.0) -> Any:
    """Blasts under 5 %, none circulating, no extramedullary disease: three-valued.

    Circulating blasts not recorded count as none recorded (visits carry a flag that says so):
    without that reading no published cohort would have a response.
    """
    return (
        (words.col("blasts_percent") < blasts_below_percent)
        & ~words.col("circulating_blasts").fill_null(value=False)
        & ~words.col("extramedullary")
    )


def _partial(
    full: Any, words: Words, *, low: float = 5.0, high: float = 25.0, fall: float = 0.5
) -> Any:
    """Counts as CR, blasts 5 to 25 % and at most half of baseline: three-valued."""
    blasts = words.col("blasts_percent")
    return (
        blasts.is_between(low, high)
        & (blasts <= (1 - fall) * words.col("baseline_blasts_percent"))
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


def class_nejm2024(
    words: Words = pl, *, anc_1e9_per_l: float = 1.0, platelets_1e9_per_l: float = 100.0
) -> Any:
    """CR or CRi as Hu 2024 uses them (CRi has no lower limit on counts or cellularity), PR, NR.

    Parameters
    ----------
    words : polars, or arrays (``on_arrays``)
        With the columns of ``FINDINGS``. Counts in 1e9/L; ``extramedullary`` is false where there
        is none, null where it is known from before and was not looked at again.

    Returns
    -------
    Text column; null where a missing value could change the class

    Notes
    -----
    Source: Hu 2024, Methods. PR and NR, which the paper does not define, are those of ELN 2022.
    """
    clear = cleared(words)
    full = at_least("anc", anc_1e9_per_l, words) & at_least("platelets", platelets_1e9_per_l, words)
    partial = _partial(full, words)
    return (
        words.when(clear & full)
        .then(words.lit("CR"))
        .when(clear & ~full)
        .then(words.lit("CRi"))
        .when(partial)
        .then(words.lit("PR"))
        .when(~clear & ~partial)
        .then(words.lit("NR"))
    )


def class_eln2022(
    words: Words = pl,
    *,
    marrow_adequacy: Adequacy = "all",
    anc_1e9_per_l: tuple[float, float] = (1.0, 0.5),
    platelets_1e9_per_l: tuple[float, float] = (100.0, 50.0),
) -> Any:
    """ELN 2022 response: CR, CRh, CRi, MLFS, PR, NR, first match from the top.

    Parameters
    ----------
    words : polars, or arrays (``on_arrays``)
        With the columns of ``FINDINGS``.
    marrow_adequacy : {"all", "mlfs_only"}
        Whether a merely aplastic marrow (under 200 cells and under 10 % cellularity) makes every
        remission class not evaluable, or only MLFS (the criteria read literally).
    anc_1e9_per_l, platelets_1e9_per_l : (for CR, for CRh)

    Returns
    -------
    Text column; null where a missing value could change the class

    Notes
    -----
    Source: Döhner 2022. CRi takes either count or both low, so MLFS is left for a cleared,
    adequate marrow whose counts are missing: it is then the least the patient has.
    """
    clear, adequate = cleared(words), adequate_marrow(words)
    full = at_least("anc", anc_1e9_per_l[0], words) & at_least(
        "platelets", platelets_1e9_per_l[0], words
    )
    half = at_least("anc", anc_1e9_per_l[1], words) & at_least(
        "platelets", platelets_1e9_per_l[1], words
    )
    aplastic = _aplastic(words)
    not_evaluable = aplastic if marrow_adequacy == "all" else words.lit(value=False)
    unsure = full.is_null() | (~full & half.is_null())
    free = clear & adequate & words.col("spicules").fill_null(value=True)
    partial = _partial(full, words)
    return (
        words.when(not_evaluable)
        .then(None)
        .when(clear & full)
        .then(words.lit("CR"))
        .when(clear & ~full & half)
        .then(words.lit("CRh"))
        .when(clear & ~full & ~half)
        .then(words.lit("CRi"))
        .when(free & unsure)
        .then(words.lit("MLFS"))
        .when(partial)
        .then(words.lit("PR"))
        .when(~clear & ~partial)
        .then(words.lit("NR"))
    )


def _aplastic(words: Words) -> Any:
    return cleared(words) & ~adequate_marrow(words).fill_null(value=True)


def class_nccn2022(
    words: Words = pl,
    *,
    anc_above_1e9_per_l: float = 1.0,
    platelets_above_1e9_per_l: float = 100.0,
    progression_rise: float = 0.25,
) -> Any:
    """NCCN 2022 response of ALL: CR above both counts (strict), CRi, PD (progression), NR.

    Parameters
    ----------
    words : polars, or arrays (``on_arrays``)
        With the columns of ``FINDINGS``.
    progression_rise : float
        Relative rise of marrow blasts over baseline that is progression.

    Returns
    -------
    Text column; null where a missing value could change the class

    Notes
    -----
    Source: NCCN 2022. Trilineage haematopoiesis recorded as absent rules out CR and CRi; not
    recorded, it does not.
    """
    clear = cleared(words) & words.col("trilineage").fill_null(value=True)
    full = at_least("anc", anc_above_1e9_per_l, words, strict=True) & at_least(
        "platelets", platelets_above_1e9_per_l, words, strict=True
    )
    blasts, baseline = words.col("blasts_percent"), words.col("baseline_blasts_percent")
    progressed = ((blasts >= 5) & (blasts >= (1 + progression_rise) * baseline)).fill_null(
        value=False
    )
    return (
        words.when(clear & full)
        .then(words.lit("CR"))
        .when(clear & ~full)
        .then(words.lit("CRi"))
        .when(progressed)
        .then(words.lit("PD"))
        .when(~clear)
        .then(words.lit("NR"))
    )


def response_class(profile: str, words: Words = pl, *, marrow_adequacy: Adequacy = "all") -> Any:
    """Class of a visit under one profile by name: nejm2024, eln2022 or nccn2022."""
    if profile == "nejm2024":
        return class_nejm2024(words)
    if profile == "eln2022":
        return class_eln2022(words, marrow_adequacy=marrow_adequacy)
    return class_nccn2022(words)


def classify(
    visits: pl.DataFrame,
    profile: str,
    *,
    marrow_adequacy: Adequacy = "all",
    name: str | None = None,
) -> pl.DataFrame:
    """Add the class under one profile and the reason where there is none.

    Parameters
    ----------
    visits : DataFrame with the columns of ``FINDINGS``
    profile : {"nejm2024", "eln2022", "nccn2022"}
    marrow_adequacy : {"all", "mlfs_only"}
        Of ELN 2022.
    name : str, optional
        Column of the class, default the profile's name; its reason is in ``<name>_reason``.
    """
    why = _why_none()
    if profile == "eln2022":
        why = pl.when(_aplastic(pl)).then(pl.lit("aplastic")).otherwise(why)
    label = response_class(profile, marrow_adequacy=marrow_adequacy)
    return _with_class(visits, name or profile, label, why)


def classify_all(visits: pl.DataFrame, *, marrow_adequacy: Adequacy = "all") -> pl.DataFrame:
    """Every profile side by side, ELN 2022 under both readings of marrow adequacy.

    Returns
    -------
    DataFrame : ``visits`` with ``nejm2024``, ``eln2022``, ``eln2022_literal``, ``nccn2022`` and a
    reason beside each; ``eln2022`` follows ``marrow_adequacy``.
    """
    visits = classify(visits, "nejm2024")
    visits = classify(visits, "eln2022", marrow_adequacy=marrow_adequacy)
    visits = classify(visits, "eln2022", marrow_adequacy="mlfs_only", name="eln2022_literal")
    return classify(visits, "nccn2022")
