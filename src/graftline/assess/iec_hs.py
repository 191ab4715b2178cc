"""IEC-HS by ASTCT 2023: required and typical features of every day with ferritin."""

import polars as pl

from graftline.assess.answers import adjudicated_for, answer_everybody, join_flags
from graftline.assess.cell_counts import from_nearest_day, worst_of_day
from graftline.assess.crs import crs_course
from graftline.assess.ctcae import grade_ctcae_days
from graftline.assess.population import infused_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import is_above, is_below
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.rules import Read, Rule
from graftline.trial import Trial

_PRINTED = printed_criteria("iec_hs_astct2023")
COUNTED = ("crs_resolving", "transaminases", "fibrinogen", "haemophagocytosis")
LISTED = ("cytopenia",)
OTHER = ("ldh", "direct_bilirubin", "triglycerides")
_LABS = ("ferritin", "alt", "ast", "fibrinogen", "ldh", "direct_bilirubin", "triglycerides")

RULES: tuple[Rule, ...] = (
    Rule(
        id="iec_hs",
        title="IEC-HS, probable",
        words=(
            f"Required: {_PRINTED['required']['ferritin']['printed']}. Typical: "
            + "; ".join(_PRINTED["typical"][name]["printed"] for name in (*COUNTED, *LISTED))
            + ". Probable: required, at least two typical and CRS resolving or resolved; cytopenia "
            "is listed, never counted. The consensus gives no number of typical features. Not if "
            "better explained by CRS alone, infection or progression: the investigator decides."
        ),
        citation="hines2023",
        reads=(
            Read("labs", "analyte", _LABS),
            Read("vitals"),
            Read("ae", "term", tuple(_PRINTED["typical"]["haemophagocytosis"]["ae_terms"])),
            Read("drugs", "indication", ("iec_hs",)),
            Read("events", "event", ("iec_hs",)),
        ),
        parameters=(
            "typical_required",
            "values_within_days",
            "baseline_window_days",
            "crs_known_for_days",
        ),
    ),
)


def iec_hs_features(
    labs: pl.DataFrame,
    crs_days: pl.DataFrame,
    findings: pl.DataFrame,
    cytopenia: pl.DataFrame,
    *,
    values_within_days: float = 1,
    baseline_window_days: float = 30,
    typical_required: int = 2,
    crs_known_for_days: float = 2,
) -> pl.DataFrame:
    """Features of IEC-HS on every day after day 0 with a ferritin value.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table in canonical units
    crs_days : DataFrame [patient, day, grade]
        CRS is resolving once a day's grade is below the worst so far.
    findings : DataFrame [patient, start_day]
        Haemophagocytosis reported, from its first day on.
    cytopenia : DataFrame [patient, day, grade]
        CTCAE grades of counts; grade 4 after day 0 is listed.
    values_within_days : float
        Other values may be so far from the ferritin.
    baseline_window_days : float
        Age of the value at infusion.
    typical_required : int
        Typical features that make IEC-HS probable; graftline's number.
    crs_known_for_days : float
        So long a day of CRS speaks for the days after it without vital signs.

    Returns
    -------
    DataFrame [patient, day, ferritin, required, crs_resolving, transaminases, fibrinogen,
    haemophagocytosis, cytopenia, ldh, direct_bilirubin, triglycerides, typical, probable]
        True, false or null (not known); ``typical`` counts the features that are true.

    Notes
    -----
    Hines (2023).
    """
    days = _daily_conditions(labs, _baselines(labs, baseline_window_days=baseline_window_days))
    features = _with_course(
        days.sort("patient", "day")
        .with_columns(
            from_nearest_day(name, within_days=values_within_days)
            for name in ("transaminases", "fibrinogen", *OTHER)
        )
        .filter(pl.col("required_known") & (pl.col("day") > 0)),
        crs_days,
        findings,
        cytopenia,
        crs_known_for_days=crs_known_for_days,
    )
    known = pl.sum_horizontal(pl.col(c).fill_null(value=False).cast(pl.Int64) for c in COUNTED)
    # a biopsy nobody reported cannot keep every patient open: it only ever adds
    possible = known + pl.sum_horizontal(
        pl.col(c).is_null().cast(pl.Int64) for c in COUNTED if c != "haemophagocytosis"
    )
    enough = (
        pl.when(known >= typical_required)
        .then(pl.lit(value=True))
        .when(possible < typical_required)
        .then(pl.lit(value=False))
    )
    return features.select(
        "patient",
        "day",
        "ferritin",
        "required",
        *COUNTED,
        *LISTED,
        *OTHER,
        typical=known,
        probable=pl.col("required") & pl.col("crs_resolving") & enough,
    ).sort("patient", "day")


def _with_course(
    days: pl.DataFrame,
    crs_days: pl.DataFrame,
    findings: pl.DataFrame,
    cytopenia: pl.DataFrame,
    *,
    crs_known_for_days: float,
) -> pl.DataFrame:
    """Add what has a course of its own: CRS resolving, haemophagocytosis and cytopenia so far."""
    crs = crs_days.sort("patient", "day").select(
        "patient",
        "day",
        crs_day="day",
        crs_grade="grade",
        crs_worst=pl.col("grade").cum_max().over("patient"),
    )
    low = cytopenia.filter((pl.col("grade") >= 4) & (pl.col("day") > 0))
    first_low = low.group_by("patient").agg(low_day=pl.col("day").min())
    seen = findings.group_by("patient").agg(seen_day=pl.col("start_day").min())
    joined = (
        days.sort("patient", "day")
        .join_asof(crs.sort("patient", "day"), on="day", by="patient", check_sortedness=False)
        .join(seen, on="patient", how="left", validate="m:1")
        .join(first_low, on="patient", how="left", validate="m:1")
    )
    # CRS last seen running does not stay running (nor resolve) where nobody looked any more
    stale = (pl.col("crs_grade") >= 1) & (pl.col("day") - pl.col("crs_day") > crs_known_for_days)
    return joined.with_columns(
        crs_resolving=pl.when(stale)
        .then(None)
        .when(pl.col("crs_worst") >= 1)
        .then(pl.col("crs_grade") < pl.col("crs_worst"))
        .when(pl.col("crs_worst") == 0)
        .then(pl.lit(value=False)),
        # tissue is looked at only when asked for: nothing found is not known
        haemophagocytosis=pl.when(pl.col("seen_day") <= pl.col("day")).then(pl.lit(value=True)),
        cytopenia=pl.when(pl.col("low_day") <= pl.col("day")).then(pl.lit(value=True)),
    )


def _baselines(labs: pl.DataFrame, *, baseline_window_days: float) -> pl.DataFrame:
    """Value at infusion and its limit of normal, per patient and analyte."""
    return (
        labs.filter(
            pl.col("analyte").is_in(["ferritin", "alt", "ast"])
            & (pl.col("day") <= 0)
            & (pl.col("day") >= -baseline_window_days)
        )
        .sort("patient", "day", "value")
        .unique(["patient", "analyte"], keep="last", maintain_order=True)
        .select("patient", "analyte", baseline="value", baseline_uln="upper_normal")
    )


def _daily_conditions(labs: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """One row per patient and day: ferritin and which laboratory features hold."""
    required, typical, other = (_PRINTED[part] for part in ("required", "typical", "other"))
    ferritin, enzymes = required["ferritin"], typical["transaminases"]["above_x"]
    abnormal = pl.col("baseline").round(9) > pl.coalesce("baseline_uln", "upper_normal").round(9)
    by_limit, by_baseline = (
        is_above(pl.col(column) * enzymes) for column in ("upper_normal", "baseline")
    )
    conditions = {
        "ferritin": is_above(pl.col("upper_normal") * ferritin["above_x_uln"])
        | is_above(pl.col("baseline") * ferritin["above_x_baseline"]),
        "alt": pl.when(abnormal).then(by_baseline).otherwise(by_limit),
        "ast": pl.when(abnormal).then(by_baseline).otherwise(by_limit),
        "fibrinogen": is_below(float(typical["fibrinogen"]["below_g_per_l"]))
        | is_below(pl.col("lower_normal")).fill_null(value=False),
        "ldh": is_above(pl.col("upper_normal") * other["ldh"]["above_x_uln"]),
        "direct_bilirubin": is_above(
            pl.col("upper_normal") * other["direct_bilirubin"]["above_x_uln"]
        ),
        "triglycerides": is_above(float(other["triglycerides"]["above_mg_per_dl"])),
    }
    limits = (
        labs.filter(pl.col("analyte").is_in(_LABS))
        .group_by("patient", pl.col("day").floor(), "analyte")
        .agg(pl.col("upper_normal").drop_nulls().min(), pl.col("lower_normal").drop_nulls().max())
    )
    days = []
    for analyte, met in conditions.items():
        worst = worst_of_day(
            labs, analyte, worst="lowest" if analyte == "fibrinogen" else "highest"
        ).with_columns(analyte=pl.lit(analyte))
        joined = worst.join(
            limits, on=["patient", "day", "analyte"], how="left", validate="1:1"
        ).join(base, on=["patient", "analyte"], how="left", validate="m:1")
        days.append(joined.select("patient", "day", "analyte", "value", met=met))
    long = pl.concat(days)

    def of(analyte: str) -> pl.Expr:
        return pl.col("met").filter(pl.col("analyte") == analyte).first()

    wide = long.group_by("patient", "day").agg(
        ferritin=pl.col("value").filter(pl.col("analyte") == "ferritin").first(),
        required=of("ferritin"),
        transaminases=of("alt"),
        ast=of("ast"),
        **{name: of(name) for name in ("fibrinogen", *OTHER)},
    )
    # one enzyme above its limit is enough; the other, unmeasured, does not undo a normal one
    enzyme = pl.coalesce(
        pl.col("transaminases") | pl.col("ast"), pl.col("transaminases"), pl.col("ast")
    )
    return wide.with_columns(
        transaminases=enzyme, required_known=pl.col("ferritin").is_not_null()
    ).drop("ast")


def _labs_beside_ferritin(labs: pl.DataFrame) -> pl.DataFrame:
    """What the criteria read, of patients with ferritin: nobody else can be asked."""
    asked = labs.filter(pl.col("analyte") == "ferritin").select("patient").unique()
    return labs.filter(pl.col("analyte").is_in([*_LABS, "anc", "platelets"])).join(
        asked, on="patient", how="semi", maintain_order="left"
    )


def assess(trial: Trial) -> Assessed:
    """Probable IEC-HS per infused patient; the investigator's diagnosis beside.

    Returns
    -------
    Assessed
        Rule ``iec_hs``: ``day`` = first probable day, ``value`` = grade as far as records tell (1,
        or 2 where treatment for IEC-HS was given; a lower bound), ``flags`` = features then.
        ``details["iec_hs_features"]``: columns of ``iec_hs_features``.
    """
    labs = _labs_beside_ferritin(trial["labs"])
    counts = pl.concat(
        [grade_ctcae_days(labs, analyte) for analyte in ("anc", "platelets")]
    ).select("patient", "day", "grade")
    terms = _PRINTED["typical"]["haemophagocytosis"]["ae_terms"]
    findings = (
        trial["ae"]
        .filter(pl.col("term").str.to_lowercase().is_in(terms))
        .select("patient", "start_day")
    )
    course = crs_course(trial).filter(pl.col("grade").is_not_null())
    population = infused_patients(trial)
    features = iec_hs_features(labs, course, findings, counts).join(
        population, on="patient", how="semi"
    )
    treated = trial["drugs"].filter(pl.col("indication") == "iec_hs").select("patient").unique()
    answers = _answers(features, treated)
    return Assessed(
        combine_results(
            [
                as_results(answer_everybody(population, answers), rule="iec_hs"),
                adjudicated_for(trial, population, "iec_hs", rule="iec_hs"),
            ]
        ),
        {"iec_hs_features": features},
    )


def _answers(features: pl.DataFrame, treated: pl.DataFrame) -> pl.DataFrame:
    probable = pl.col("probable")
    listed = join_flags(
        [pl.when(pl.col(name)).then(pl.lit(name)) for name in (*COUNTED, *LISTED, *OTHER)]
    ).str.replace_all("; ", ", ")
    text = pl.format(
        "required {}, typical {}: {}",
        pl.when("required").then(pl.lit("met")).otherwise(pl.lit("not met")),
        "typical",
        listed.fill_null("none"),
    )
    first = pl.col("day").filter(probable).first()
    per_patient = (
        features.with_columns(text=text)
        .sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(
            yes=probable.fill_null(value=False).any(),
            unknown=probable.is_null().any(),
            day=first,
            # without a probable day: the day with the most features
            flags=pl.coalesce(
                pl.col("text").filter(probable).first(),
                pl.col("text").sort_by("required", "typical", "day", descending=True).first(),
            ),
        )
        .with_columns(treated=pl.col("patient").is_in(treated["patient"].implode()))
    )
    yes = pl.col("yes")
    return per_patient.select(
        "patient",
        "day",
        "flags",
        state=pl.when(yes)
        .then(pl.lit("yes"))
        .when("unknown")
        .then(pl.lit("not_evaluable"))
        .otherwise(pl.lit("no")),
        value=pl.when(yes & pl.col("treated")).then(2.0).when(yes).then(1.0),
        label=pl.when(yes).then(pl.lit("probable")),
        lower_bound=yes,
        reason=pl.when(~yes & pl.col("unknown")).then(pl.lit("features_missing")),
    )
