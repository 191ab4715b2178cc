"""Chimerism tests that speak of this graft's donor, with days from HSPC."""

import polars as pl

from graftline.trial import Trial


def graft_donors(trial: Trial) -> pl.DataFrame:
    """Donor of the first graft, where recorded with the infusion, its product or the donors.

    Returns
    -------
    DataFrame [patient, graft_donor]; patients whose graft donor is recorded and is one person
    """
    products = trial["products"].select("patient", "product", made_from="donor")
    infused = (
        trial["infusions"]
        .filter(
            (pl.col("kind") == "hspc") & (pl.col("purpose") != "second graft").fill_null(value=True)
        )
        .join(
            products.unique(["patient", "product"], keep="first", maintain_order=True),
            on=["patient", "product"],
            how="left",
            validate="m:1",
        )
        .sort("patient", "day", "row", nulls_last=True)
        .select("patient", donor=pl.coalesce("donor", "made_from"), rank=0)
    )
    declared = trial["donors"].filter(pl.col("role") == "hspc").select("patient", "donor", rank=1)
    known = pl.concat([infused, declared]).drop_nulls("donor")
    return (
        known.filter(pl.col("rank") == pl.col("rank").min().over("patient"))
        .group_by("patient", maintain_order=True)
        .agg(graft_donor=pl.col("donor").first())
        .sort("patient")
    )


def graft_donor_tests(trial: Trial, grafts: pl.DataFrame) -> pl.DataFrame:
    """Chimerism tests of the graft's donor in every patient, before and after HSPC.

    A percentage of another donor (an earlier graft, a third-party CAR-T) is left out; a test that
    names no donor is taken to mean the graft's. A day known only as a range takes its middle and
    keeps the bounds. Tests after a DLI or later graft are left out.

    Parameters
    ----------
    grafts : DataFrame [patient, hsct_day, hsct_low, hsct_high, second_graft]

    Returns
    -------
    DataFrame [patient, day, hsct_day, low, high, lineage, donor, donor_percent, method,
    before_hspc, assumed], sorted
        ``day`` from CAR-T; ``hsct_day``, ``low``, ``high`` from HSPC, null without HSPC.
        ``before_hspc``: up to and on the day of HSPC, or never transplanted.
    """
    middle = (pl.col("day_low") + pl.col("day_high")) / 2
    own = (
        trial["chimerism"]
        .join(graft_donors(trial), on="patient", how="left", validate="m:1")
        .filter((pl.col("donor") == pl.col("graft_donor")).fill_null(value=True))
        .join(
            grafts.select("patient", "second_graft", "hsct_low", "hsct_high", origin="hsct_day"),
            on="patient",
            how="left",
            validate="m:1",
        )
        .with_columns(
            at=pl.coalesce("day", middle),
            first=pl.coalesce("day", "day_low", "day_high"),
            last=pl.coalesce("day", "day_high", "day_low"),
        )
        .drop_nulls("donor_percent")
    )
    since = pl.col("at") - pl.col("origin")
    return (
        own.filter((since < pl.col("second_graft")).fill_null(value=True))
        .select(
            "patient",
            "lineage",
            "donor",
            "donor_percent",
            "method",
            day="at",
            hsct_day=since,
            low=pl.col("first") - pl.col("hsct_high"),
            high=pl.col("last") - pl.col("hsct_low"),
            before_hspc=(since <= 0).fill_null(value=True),
            assumed=pl.col("first") != pl.col("last"),
        )
        .sort("patient", "day", "lineage", "donor_percent", nulls_last=True)
    )
