"""What happened to each patient and when, as lanes of a timeline."""

import polars as pl

from graftline.assess.assessment import Assessments
from graftline.trial import Trial, followup_ends

LANES = (
    "Treatment",
    "Drugs",
    "Response",
    "Engraftment",
    "GVHD",
    "Toxicity",
    "Infection",
    "Outcome",
)
_SCHEMA = {
    "patient": pl.String,
    "lane": pl.String,
    "text": pl.String,
    "start": pl.Float64,
    "stop": pl.Float64,
    "assumed": pl.Boolean,
}
_LEAST_GRADE = 3
_INFUSIONS = {"car_t": "CAR-T", "hspc": "HSPC", "dli": "DLI"}
_INDICATIONS = {
    "crs": "CRS",
    "icans": "ICANS",
    "iec_hs": "IEC-HS",
    "gvhd": "GVHD",
    "gvhd_prophylaxis": "GVHD prophylaxis",
    "cmv": "CMV",
    "ebv": "EBV",
}
_EVENT_LANES = {
    "crs": "Toxicity",
    "icans": "Toxicity",
    "iec_hs": "Toxicity",
    "pancytopenia": "Toxicity",
    "icaht": "Toxicity",
    "acute_gvhd": "GVHD",
    "chronic_gvhd": "GVHD",
    "response": "Response",
    "mrd": "Response",
    "relapse": "Response",
    "progression": "Response",
    "viral_reactivation": "Infection",
    "ptld": "Infection",
    "cd7_t_eradication": "Response",
    "neutrophil_engraftment": "Engraftment",
    "platelet_engraftment": "Engraftment",
    "chimerism": "Engraftment",
    "graft_failure": "Engraftment",
}
_EVENT_NAMES = {
    "crs": "CRS",
    "icans": "ICANS",
    "iec_hs": "IEC-HS",
    "icaht": "ICAHT",
    "mrd": "MRD",
    "ptld": "PTLD",
    "acute_gvhd": "acute GVHD",
    "chronic_gvhd": "chronic GVHD",
    "cd7_t_eradication": "CD7+ T cells eradicated",
}


def patient_events(trial: Trial, assessed: Assessments) -> pl.DataFrame:
    """Infusions, drugs, adjudicated and derived events, infections, severe adverse events, death.

    Returns
    -------
    DataFrame [patient, lane, lane_order, text, start, stop, assumed]
        ``assumed`` true where the day is the middle of a range; rows without any day keep null.
    """
    parts = [
        _infusions(trial),
        _drugs(trial),
        _events(trial),
        _derived_toxicity(trial, assessed),
        _infections(trial),
        _adverse(trial),
        _outcome(trial),
    ]
    order = {lane: place for place, lane in enumerate(LANES)}
    return (
        pl.concat([part.select(pl.col(c).cast(t) for c, t in _SCHEMA.items()) for part in parts])
        .with_columns(
            lane_order=pl.col("lane").replace_strict(
                order, default=len(LANES), return_dtype=pl.Int64
            )
        )
        .sort("patient", "lane_order", "start", "text", nulls_last=True)
    )


def _middle(day: str, low: str, high: str) -> pl.Expr:
    return pl.coalesce(day, (pl.col(low) + pl.col(high)) / 2)


def _infusions(trial: Trial) -> pl.DataFrame:
    return trial["infusions"].select(
        "patient",
        lane=pl.lit("Treatment"),
        text=pl.concat_str(
            pl.col("kind").replace(_INFUSIONS), pl.col("purpose"), separator=", ", ignore_nulls=True
        ),
        start=_middle("day", "day_low", "day_high"),
        stop=pl.lit(None),
        assumed=pl.col("day").is_null(),
    )


def _drugs(trial: Trial) -> pl.DataFrame:
    return (
        trial["drugs"]
        .group_by("patient", "drug", "indication")
        .agg(start=pl.col("start_day").min(), stop=pl.col("end_day").max())
        .select(
            "patient",
            lane=pl.lit("Drugs"),
            text=pl.concat_str(
                "drug",
                pl.col("indication").replace(_INDICATIONS).str.replace_all("_", " ", literal=True),
                separator=", ",
                ignore_nulls=True,
            ),
            start="start",
            stop="stop",
            assumed=pl.lit(value=False),
        )
    )


def _events(trial: Trial) -> pl.DataFrame:
    happened = trial["events"].filter(
        pl.col("occurred").fill_null(value=True) & pl.col("event").ne("death")
    )
    words = pl.concat_str(
        pl.col("event").replace(_EVENT_NAMES).str.replace_all("_", " ", literal=True),
        pl.lit("grade ") + pl.col("grade").cast(pl.String),
        "label",
        pl.lit("CD7 ") + pl.col("cd7"),
        separator=", ",
        ignore_nulls=True,
    )
    return happened.select(
        "patient",
        lane=pl.col("event").replace_strict(
            _EVENT_LANES, default="Outcome", return_dtype=pl.String
        ),
        text=words,
        start=_middle("day", "day_low", "day_high"),
        stop="end_day",
        assumed=pl.col("day").is_null(),
    )


def _derived_toxicity(trial: Trial, assessed: Assessments) -> pl.DataFrame:
    """CRS and ICANS derived from vital signs, where no investigator graded them."""
    rows = assessed.chosen.filter(
        pl.col("rule").is_in(["crs", "icans", "iec_hs"])
        & (pl.col("state") == "yes")
        & (pl.col("source") == "derived")
    ).join(trial["events"].select("patient", rule="event"), on=["patient", "rule"], how="anti")
    return rows.select(
        "patient",
        lane=pl.lit("Toxicity"),
        text=pl.concat_str(
            pl.col("rule").str.replace("_", "-").str.to_uppercase(),
            pl.lit("grade ") + pl.col("value").cast(pl.Int64).cast(pl.String),
            separator=", ",
            ignore_nulls=True,
        ),
        start="day",
        stop=pl.lit(None),
        assumed=pl.lit(value=False),
    )


def _infections(trial: Trial) -> pl.DataFrame:
    return trial["infections"].select(
        "patient",
        lane=pl.lit("Infection"),
        text=pl.concat_str("organism", "site", separator=", ", ignore_nulls=True),
        start=_middle("start_day", "start_day_low", "start_day_high"),
        stop="end_day",
        assumed=pl.col("start_day").is_null(),
    )


def _adverse(trial: Trial) -> pl.DataFrame:
    severe = trial["ae"].filter(
        (pl.col("grade") >= _LEAST_GRADE) | pl.col("serious").fill_null(value=False)
    )
    return severe.select(
        "patient",
        lane=pl.lit("Toxicity"),
        text=pl.col("term") + pl.lit(", grade ") + pl.col("grade").cast(pl.String),
        start="start_day",
        stop="end_day",
        assumed=pl.lit(value=False),
    )


def _outcome(trial: Trial) -> pl.DataFrame:
    ends = followup_ends(trial).drop_nulls("end_day")
    died = pl.concat_str(
        pl.lit("death"), pl.lit("of ") + pl.col("death_cause"), separator=" ", ignore_nulls=True
    )
    return ends.select(
        "patient",
        lane=pl.lit("Outcome"),
        text=pl.when("dead").then(died).otherwise(pl.lit("last contact, alive")),
        start="end_day",
        stop=pl.lit(None),
        assumed=pl.col("assumed"),
    )
