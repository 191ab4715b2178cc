"""Extramedullary and nodal disease: Lugano classes per examination, and the worse of two classes.

The order of the classes and the words are those of Cheson 2014; PET decides where PET was done.
"""

from typing import Final

import polars as pl

# best first; the words of two vocabularies that mean the same share a rank
RANKS: Final = {
    "CR": 0,
    "CMR": 0,
    "CRh": 1,
    "CRi": 2,
    "MLFS": 3,
    "PR": 4,
    "PMR": 4,
    "NR": 5,
    "NMR": 5,
    "SD": 5,
    "PD": 6,
    "PMD": 6,
}
AS_RESPONSE: Final = {
    "CMR": "CR",
    "CR": "CR",
    "PMR": "PR",
    "PR": "PR",
    "NMR": "NR",
    "SD": "NR",
    "PMD": "PD",
    "PD": "PD",
}


def response_rank(label: pl.Expr) -> pl.Expr:
    """Rank of a response class, 0 the best; null for a word that is not a class."""
    return label.replace_strict(RANKS, default=None, return_dtype=pl.Int64)


def worse_response(marrow: pl.Expr, imaging: pl.Expr) -> pl.Expr:
    """The worse of the marrow's class and the imaging's, in the marrow's vocabulary.

    Null imaging (no such disease) leaves the marrow's class; a null marrow class stays null,
    except that progression is progression whatever the marrow.
    """
    seen = imaging.replace_strict(AS_RESPONSE, default=None, return_dtype=pl.String)
    worse = pl.when(response_rank(seen) > response_rank(marrow)).then(seen).otherwise(marrow)
    return (
        pl.when(seen.is_null())
        .then(marrow)
        .when(seen == "PD")
        .then(seen)
        .when(marrow.is_not_null())
        .then(worse)
    )


def grade_lugano(
    imaging: pl.DataFrame,
    *,
    deauville_complete: int = 3,
    node_complete_mm: float = 15.0,
    partial_fall: float = 0.5,
    progression_rise: float = 0.5,
    baseline_until_day: float = 0.0,
) -> pl.DataFrame:
    """Lugano class per examination day.

    PET: complete where every site is Deauville 1 to 3; progressive with a new lesion or more
    uptake, no response with unchanged uptake, partial with less. CT: complete where every long axis
    is at most 15 mm; progressive with a new lesion, or one lesion longer than 15 mm whose product
    of axes rose by half over its smallest before; partial where the sum of products fell by half
    from baseline. Other examinations say only whether disease is present.

    Parameters
    ----------
    imaging : DataFrame of the schema's ``imaging``
        A day known only as a range takes its middle. Where PET-CT was done that day, the other
        modalities of the day are not used.
    baseline_until_day : float
        Examinations up to this day are baseline and give the sums to compare with; without one,
        the first examination is the baseline.

    Returns
    -------
    DataFrame [patient, day, modality, lugano, disease_present, flags], sorted by patient and day
        ``lugano`` is null where the class cannot be told; ``disease_present`` may still be known.

    Notes
    -----
    Source: Cheson 2014 (Lugano). A site with Deauville 4 or 5 whose change is not recorded keeps
    the examination unclassed.
    """
    sites = _sites(imaging, baseline_until_day)
    pet = _grade_pet(sites.filter(pl.col("modality") == "PET-CT"), deauville_complete)
    ct = _grade_ct(
        sites.filter(pl.col("modality") == "CT"), node_complete_mm, partial_fall, progression_rise
    )
    rest = (
        sites.filter(~pl.col("modality").is_in(["PET-CT", "CT"]))
        .group_by("patient", "day")
        .agg(
            modality=pl.col("modality").min(),
            lugano=pl.when(pl.col("new_lesion").any())
            .then(pl.lit("PD"))
            .when(_none_seen())
            .then(pl.lit("CR")),
            disease_present=_any_seen(),
        )
    )
    order = pl.col("modality").replace_strict({"PET-CT": 0, "CT": 1}, default=2)
    exams = (
        pl.concat([pet, ct, rest])
        .sort("patient", "day", order, "modality")
        .unique(["patient", "day"], keep="first", maintain_order=True)
    )
    complete = pl.col("lugano").is_in(["CMR", "CR"])
    return exams.with_columns(
        disease_present=pl.when(pl.col("lugano").is_not_null())
        .then(~complete)
        .otherwise("disease_present"),
        flags=pl.when(pl.col("lugano").is_null()).then(pl.lit("class not derivable")),
    )


def _any_seen() -> pl.Expr:
    """Whether disease is seen at any site: three-valued."""
    return pl.col("disease_present").any(ignore_nulls=False)


def _none_seen() -> pl.Expr:
    return (~pl.col("disease_present")).all(ignore_nulls=False)


def _sites(imaging: pl.DataFrame, baseline_until_day: float) -> pl.DataFrame:
    """Dated sites with their product of axes, the baseline's and the smallest before."""
    sites = (
        imaging.with_columns(
            day=pl.coalesce("day", (pl.col("day_low") + pl.col("day_high")) / 2).floor(),
            site=pl.col("site").fill_null("").str.strip_chars().str.to_lowercase(),
            product=pl.col("long_axis_mm") * pl.col("short_axis_mm"),
        )
        .drop_nulls("day")
        .sort("patient", "day", "site", "row")
    )
    first = pl.col("day").min().over("patient", "modality")
    reference = (pl.col("day") <= baseline_until_day) | (pl.col("day") == first)
    return sites.with_columns(
        nadir=pl.col("product").cum_min().shift(1).over("patient", "modality", "site"),
        is_baseline=reference,
    )


def _grade_pet(sites: pl.DataFrame, deauville_complete: int) -> pl.DataFrame:
    avid = (
        pl.when(pl.col("deauville").is_not_null())
        .then(pl.col("deauville") > deauville_complete)
        .otherwise("disease_present")
    )
    change = pl.col("uptake_change")
    sites = sites.with_columns(avid=avid)
    lesions = pl.col("avid").fill_null(value=True)
    worse = (pl.col("new_lesion").fill_null(value=False) | (lesions & (change == "more"))).any()
    return sites.group_by("patient", "day", "modality").agg(
        lugano=pl.when(worse)
        .then(pl.lit("PMD"))
        .when((~pl.col("avid")).all(ignore_nulls=False))
        .then(pl.lit("CMR"))
        .when((pl.col("avid").is_null() | (lesions & change.is_null())).any())
        .then(None)
        .when((lesions & (change == "unchanged")).any())
        .then(pl.lit("NMR"))
        .otherwise(pl.lit("PMR")),
        disease_present=pl.col("avid").any(ignore_nulls=False),
    )


def _grade_ct(
    sites: pl.DataFrame, node_complete_mm: float, partial_fall: float, progression_rise: float
) -> pl.DataFrame:
    grown = (pl.col("long_axis_mm") > node_complete_mm) & (
        pl.col("product") >= (1 + progression_rise) * pl.col("nadir")
    )
    small = (
        pl.when(pl.col("long_axis_mm").is_not_null())
        .then(pl.col("long_axis_mm") <= node_complete_mm)
        .otherwise(~pl.col("disease_present"))
    )
    exams = sites.group_by("patient", "day", "modality").agg(
        grown=(pl.col("new_lesion").fill_null(value=False) | grown.fill_null(value=False)).any(),
        clear=small.all(ignore_nulls=False),
        total=pl.when(pl.col("product").is_not_null().all()).then(pl.col("product").sum()),
        is_baseline=pl.col("is_baseline").any(),
    )
    sums = (
        exams.filter("is_baseline")
        .sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(baseline=pl.col("total").last())
    )
    exams = exams.join(sums, on="patient", how="left", validate="m:1")
    return exams.select(
        "patient",
        "day",
        "modality",
        lugano=pl.when("grown")
        .then(pl.lit("PD"))
        .when("clear")
        .then(pl.lit("CR"))
        .when(pl.col("total") <= (1 - partial_fall) * pl.col("baseline"))
        .then(pl.lit("PR"))
        .when(pl.col("total").is_not_null() & pl.col("baseline").is_not_null())
        .then(pl.lit("SD")),
        disease_present=~pl.col("clear"),
    )
