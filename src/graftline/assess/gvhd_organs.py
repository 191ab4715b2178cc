"""Organ stages of acute GVHD by MAGIC, and the overall grade made of them."""

from functools import reduce
from operator import or_
from typing import Any, Literal

import polars as pl

from graftline.assess.on_arrays import Words
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import bounded_grade
from graftline.assess.sorted_rows import in_order, one_row_each

_PRINTED = printed_criteria("acute_gvhd")
ORGANS = ("skin", "liver", "upper_gi", "lower_gi")
GradingSystem = Literal["magic2016", "glucksberg1994"]


def stage_organs(
    gvhd: pl.DataFrame,
    patients: pl.DataFrame,
    bilirubin: pl.DataFrame | None = None,
    *,
    child_up_to_kg: float = 50,
    mean_of_days: int = 3,
) -> pl.DataFrame:
    """MAGIC stage of skin, liver, upper and lower GI for every day assessed.

    Parameters
    ----------
    gvhd, patients : DataFrame
        Tables of the trial. Weight is that of the assessment, else that of enrolment; without any,
        patients of 18 years and more (or of unknown age) are staged as adults.
    bilirubin : DataFrame [patient, day, value], optional
        Fills in for assessments without bilirubin on the same day, mg/dL.
    child_up_to_kg : float
        Up to this weight diarrhoea is staged by mL/kg and children's episodes.
    mean_of_days : {1, 3}
        3: diarrhoea is the mean of the last three days where they were recorded.

    Returns
    -------
    DataFrame [patient, day, skin, liver, upper_gi, lower_gi, skin_possible, liver_possible,
    upper_gi_possible, lower_gi_possible, cause, uncertain, chronic_sign]
        One row per patient and calendar day; worst of the day. A stage is null where the organ was
        not assessed, 0 where the finding is not GVHD; ``..._possible`` is the highest stage the
        record allows. ``uncertain`` names organs whose attribution is uncertain.

    Notes
    -----
    Harris (2016). Volume goes before episodes. Continuous reading of the printed gaps is
    graftline's.
    """
    ages = patients.select("patient", "age_years", enrolled_kg="weight_kg")
    rows = gvhd.with_columns(day=pl.col("day").floor()).join(
        ages, on="patient", how="left", validate="m:1"
    )
    if bilirubin is not None:
        rows = rows.join(bilirubin, on=["patient", "day"], how="left", validate="m:1").with_columns(
            bilirubin_mg_per_dl=pl.coalesce("bilirubin_mg_per_dl", "value")
        )
    daily = _with_mean_diarrhoea(_one_row_per_day(rows), days=mean_of_days)
    daily = daily.with_columns(as_child=staged_as_child(child_up_to_kg=child_up_to_kg))
    uncertain = pl.concat_str(
        [
            pl.when(pl.col(f"{organ}_is_gvhd") == "uncertain").then(pl.lit(organ))
            for organ in ("skin", "liver", "gi")
        ],
        separator=", ",
        ignore_nulls=True,
    )
    return daily.select(
        "patient",
        "day",
        *(stage.alias(name) for name, stage in organ_stages().items()),
        "cause",
        uncertain=pl.when(uncertain != "").then(uncertain),
        chronic_sign="chronic_sign",
    ).pipe(in_order, "patient", "day")


def staged_as_child(words: Words = pl, *, child_up_to_kg: float = 50) -> Any:
    """Whether diarrhoea is staged by weight: ``weight`` decides, else ``age_years``, else no."""
    child = words.col("weight") <= child_up_to_kg
    return words.coalesce(child, words.col("age_years") < 18, words.lit(value=False))


def organ_stages(words: Words = pl) -> dict[str, Any]:
    """MAGIC stage of each organ from the findings of one day, and the highest one possible.

    Parameters
    ----------
    words : polars, or arrays (``on_arrays``)
        With the findings of the table ``gvhd``, ``upper`` (nausea or vomiting that counts),
        ``weight``, ``as_child`` and ``<skin|liver|gi>_is_gvhd``.

    Returns
    -------
    dict of ``<organ>`` and ``<organ>_possible`` to Int64 column
    """
    stages: dict[str, Any] = {}
    for organ, conditions in _stage_conditions(words).items():
        place = organ.removeprefix("upper_").removeprefix("lower_")
        not_gvhd = words.col(f"{place}_is_gvhd") == "no"
        recorded = reduce(or_, (met.is_not_null() for met in conditions.values()))
        certain, possible = bounded_grade(conditions, words)
        for name, stage in ((organ, certain), (f"{organ}_possible", possible)):
            stages[name] = (
                words.when(not_gvhd).then(words.lit(0)).when(recorded).then(stage).cast(pl.Int64)
            )
    return stages


_FINDINGS = {
    "skin": ("skin_bsa_percent", "skin_bullae"),
    "liver": ("bilirubin_mg_per_dl",),
    "gi": (
        "stool_ml_per_day",
        "stool_episodes_per_day",
        "severe_abdominal_pain_or_ileus",
        "bloody_stool",
        "upper",
    ),
}
# of several rows of a day the surest attribution counts
_ATTRIBUTION = ("no", "uncertain", "yes")


def _one_row_per_day(rows: pl.DataFrame) -> pl.DataFrame:
    """Worst findings of each day; findings that are not GVHD do not enter the worst."""
    upper = pl.col("upper_gi").is_in(_PRINTED["upper_gi"]["stage_1"])
    is_gvhd = {organ: pl.col(f"{organ}_is_gvhd").fill_null("yes") for organ in _FINDINGS}
    rank = {word: number for number, word in enumerate(_ATTRIBUTION)}
    single = rows.with_columns(
        upper=upper, weight=pl.coalesce("weight_kg", "enrolled_kg")
    ).with_columns(
        *(
            pl.when(is_gvhd[organ] != "no").then(column).alias(column)
            for organ, columns in _FINDINGS.items()
            for column in columns
        ),
        *(
            word.replace_strict(rank, default=0, return_dtype=pl.Int8).alias(f"{organ}_is_gvhd")
            for organ, word in is_gvhd.items()
        ),
    )
    daily = single if one_row_each(single, "patient", "day") else _worst_of_day(single)
    names = dict(enumerate(_ATTRIBUTION))
    return daily.select(
        "patient",
        "day",
        *(column for columns in _FINDINGS.values() for column in columns),
        *(pl.col(f"{o}_is_gvhd").replace_strict(names, return_dtype=pl.String) for o in _FINDINGS),
        "cause",
        "weight",
        "age_years",
        "chronic_sign",
    )


def _worst_of_day(rows: pl.DataFrame) -> pl.DataFrame:
    worst = [column for columns in _FINDINGS.values() for column in columns]
    return (
        rows.sort("patient", "day", "row")
        .group_by("patient", "day", maintain_order=True)
        .agg(
            pl.col(*worst, *(f"{organ}_is_gvhd" for organ in _FINDINGS)).max(),
            cause=pl.col("cause").drop_nulls().first(),
            weight=pl.col("weight").first(),
            age_years=pl.col("age_years").first(),
            chronic_sign=pl.col("chronic_sign").drop_nulls().last(),
        )
    )


def _with_mean_diarrhoea(daily: pl.DataFrame, *, days: int) -> pl.DataFrame:
    """Replace diarrhoea by the mean of the three days that end with the day.

    At the start of a daily series the mean so far is taken, but never more than the mean of the
    first three days: one bad day followed by good ones is not staged by itself.
    """
    if days == 1:
        return daily
    # rows are in order, so that a neighbouring row of the same patient is a neighbouring day
    step = {
        shift: (pl.col("patient").shift(-shift) == pl.col("patient"))
        & (pl.col("day").shift(-shift) - pl.col("day") == shift)
        for shift in (-2, -1, 1, 2)
    }
    means = []
    for column in ("stool_ml_per_day", "stool_episodes_per_day"):
        at: dict[int, pl.Expr] = {
            s: pl.when(ok).then(pl.col(column).shift(-s)) for s, ok in step.items()
        }
        at[0] = pl.col(column)
        ends_here, around, begins_here = (
            (at[a] + at[b] + at[c]) / 3 for a, b, c in ((-2, -1, 0), (-1, 0, 1), (0, 1, 2))
        )
        # null where the day itself has no value: what was before does not stand for it
        so_far = pl.when(at[0].is_not_null()).then(pl.mean_horizontal(at[-1], at[0]))
        start = pl.min_horizontal(so_far, pl.coalesce(around, begins_here))
        means.append(pl.coalesce(ends_here, pl.when(at[0].is_not_null()).then(start)).alias(column))
    return in_order(daily, "patient", "day").with_columns(means)


def _stage_conditions(words: Words) -> dict[str, dict[int, Any]]:
    """Each organ's stages as conditions that are true, false or unknown."""
    skin, liver = _PRINTED["skin"], _PRINTED["liver"]
    area, mg = words.col("skin_bsa_percent"), words.col("bilirubin_mg_per_dl").round(9)
    alarm = words.col("severe_abdominal_pain_or_ileus").fill_null(value=False) | words.col(
        "bloody_stool"
    ).fill_null(value=False)
    volume, by_weight = words.col("stool_ml_per_day"), _PRINTED["lower_gi"]["child"]
    lower = {
        stage: words.when(words.col("as_child"))
        .then(_diarrhoea(stage, by_weight, volume / words.col("weight"), words))
        .otherwise(_diarrhoea(stage, _PRINTED["lower_gi"]["adult"], volume, words))
        for stage in (1, 2, 3)
    }
    recorded = lower[1].is_not_null()
    return {
        "skin": {
            1: area > skin["stage_1_above"],
            2: area >= skin["stage_2_from"],
            3: area > skin["stage_3_above"],
            # like pain and blood, bullae are written down when present
            4: (area > skin["stage_3_above"])
            & words.when(area.is_not_null()).then(words.col("skin_bullae").fill_null(value=False)),
        },
        "liver": {
            1: mg >= liver["stage_1_from"],
            2: mg > liver["stage_2_above"],
            3: mg > liver["stage_3_above"],
            4: mg > liver["stage_4_above"],
        },
        "upper_gi": {1: words.col("upper")},
        "lower_gi": {
            **{
                stage: words.when(alarm).then(words.lit(value=True)).otherwise(met)
                for stage, met in lower.items()
            },
            # no word on pain and blood beside a volume is a no
            4: words.when(alarm)
            .then(words.lit(value=True))
            .when(recorded)
            .then(words.lit(value=False)),
        },
    }


def _diarrhoea(stage: int, limits: dict[str, Any], volume: Any, words: Words) -> Any:
    """Whether a stage is reached, by volume, else by episodes."""
    volume, episodes = volume.round(9), words.col("stool_episodes_per_day")
    by_volume, by_episodes = limits["volume"][stage - 1], limits["episodes"][stage - 1]
    if stage == 3:
        return words.coalesce(volume > by_volume, episodes > by_episodes)
    return words.coalesce(volume >= by_volume, episodes >= by_episodes)


def overall_grade(system: GradingSystem, words: Words = pl, *, suffix: str = "") -> Any:
    """Overall grade 0 to 4 from the organ stages of one row; missing organs count as stage 0.

    Parameters
    ----------
    system : {"magic2016", "glucksberg1994"}
    words : polars, or arrays (``on_arrays``)
    suffix : str
        ``""`` for the stages seen, ``"_possible"`` for the highest the record allows.
    """
    skin, liver, upper, lower = (words.col(f"{o}{suffix}").fill_null(0) for o in ORGANS)
    if system == "glucksberg1994":
        gut = words.max_horizontal(upper, lower)
        four = (skin == 4) | (liver == 4)
        three = (liver >= 2) | (gut >= 2)
    else:
        four = (skin == 4) | (liver == 4) | (lower == 4)
        three = (liver >= 2) | (lower >= 2)
    two = (skin >= 3) | (liver >= 1) | (upper >= 1) | (lower >= 1)
    return (
        words.when(four)
        .then(4)
        .when(three)
        .then(3)
        .when(two)
        .then(2)
        .when(skin >= 1)
        .then(1)
        .otherwise(0)
    ).cast(pl.Int64)


def with_overall_grade(
    stages: pl.DataFrame, *, system: GradingSystem = "magic2016"
) -> pl.DataFrame:
    """Add ``grade``, ``grade_possible`` and ``lower_bound``; days without any organ are left out.

    Parameters
    ----------
    stages : DataFrame from ``stage_organs``
    system : {"magic2016", "glucksberg1994"}

    Notes
    -----
    A missing organ makes the grade a lower bound where that organ's worst stage would raise it.
    Harris (2016); option Przepiorka (1995).
    """
    worst = {"skin": 4, "liver": 4, "upper_gi": 1, "lower_gi": 4}
    return (
        stages.filter(pl.any_horizontal(pl.col(o).is_not_null() for o in ORGANS))
        .with_columns(pl.col(f"{o}_possible").fill_null(w) for o, w in worst.items())
        .with_columns(
            grade=overall_grade(system), grade_possible=overall_grade(system, suffix="_possible")
        )
        .with_columns(lower_bound=pl.col("grade_possible") > pl.col("grade"))
    )
