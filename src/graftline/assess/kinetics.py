"""CAR-T kinetics by qPCR and by flow cytometry, never mixed; days from CAR-T infusion."""

import polars as pl

from graftline.assess.answers import answer_everybody, join_flags
from graftline.assess.nca import BLQ_RULES, BlqRule, StartRule, Trapezoid, nca
from graftline.assess.population import infused_patients
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.sorted_rows import is_first_row
from graftline.rules import Read, Rule
from graftline.trial import Trial, hsct_days

ASSAYS = {"car_t_qpcr": "copies/ug DNA", "car_t_flow": "cells/uL"}
_ASSAY = pl.Enum(sorted(ASSAYS))
_BLQ_WORDS = " Values below quantification by the protocol's rule, " + "; or ".join(
    f"{name}: {words}" for name, words in BLQ_RULES.items()
)
_PEAK_WORDS = (
    "from day 0 to 28, the earliest of equal ones; needs three samples between day 5 and 21, or as "
    "many as the protocol's peak_samples says"
)
_PARAMETERS = {
    "cmax": ("Cmax", f"Highest quantifiable value {_PEAK_WORDS}.", "stein2019"),
    "tmax": ("Tmax, days", f"Day of the highest quantifiable value {_PEAK_WORDS}.", "stein2019"),
    "auc0_28": (
        "AUC day 0-28",
        "Linear up, log down, unless the protocol names another auc_trapezoid or auc_start; "
        "interpolated at day 28; nothing is extrapolated. With a last sample before day 21 the "
        "area ends at the last quantifiable value; before day 28 at the last sample; both are "
        f"lower bounds.{_BLQ_WORDS}.",
        "pknca",
    ),
    "tlast": ("Tlast, days", "Day of the last quantifiable value.", "pknca"),
    "half_life": (
        "Half-life, days",
        "Log-linear over at least three points after the peak; the fit with the best adjusted r2 "
        "of all, which must fall and reach 0.8, or the protocol's half_life_r2.",
        "pknca",
    ),
    "persistence": (
        "Persistence, days",
        "Day of the last quantifiable value; a lower bound while the last sample is quantifiable.",
        "stein2019",
    ),
    "detectable_last": (
        "Detectable at the last sample",
        "Whether the last sample was at or above the lower limit of quantification.",
        "stein2019",
    ),
}

_CONVENTIONS = {
    "cmax": ("peak_samples",),
    "tmax": ("peak_samples",),
    "auc0_28": ("auc_trapezoid", "auc_start", "peak_samples"),
    "half_life": ("half_life_r2",),
}

RULES: tuple[Rule, ...] = tuple(
    Rule(
        id=f"{assay}_{name}",
        title=f"{title} by {'qPCR' if assay == 'car_t_qpcr' else 'flow cytometry'}"
        + (f", {unit}" if name in ("cmax", "detectable_last") else "")
        + (f" x day, {unit}" if name == "auc0_28" else ""),
        words=words,
        citation=citation,
        reads=(Read("labs", "analyte", (assay,), (0, None)),),
        parameters=("blq", *_CONVENTIONS.get(name, ())),
    )
    for assay, unit in ASSAYS.items()
    for name, (title, words, citation) in _PARAMETERS.items()
)


def car_t_profiles(labs: pl.DataFrame) -> pl.DataFrame:
    """Samples of CAR-T after infusion, both assays.

    Returns
    -------
    DataFrame [patient, assay, day, value, below, above, lloq]; every sample, several a day too
    """
    return (
        labs.select("patient", "day", "value", "lloq", "analyte", "quantification")
        .filter(pl.col("analyte").is_in(list(ASSAYS)) & (pl.col("day") >= 0))
        .select(
            "patient",
            "day",
            "value",
            "lloq",
            assay=pl.col("analyte").cast(_ASSAY),
            below=(pl.col("quantification") == "below").fill_null(value=False),
            above=(pl.col("quantification") == "above").fill_null(value=False),
        )
        .sort("patient", "assay", "day", "value")
    )


def second_expansion(
    profiles: pl.DataFrame,
    hsct: pl.DataFrame,
    *,
    times_trough: float = 3,
    times_lloq: float = 10,
) -> pl.DataFrame:
    """First sample after HSPC with a new rise of CAR-T.

    Parameters
    ----------
    profiles : DataFrame as from ``car_t_profiles``
    hsct : DataFrame [patient, hsct_day]
    times_trough : float
        Rise over the lowest value between the peak before HSPC and the sample; a value below
        quantification stands at its limit.
    times_lloq : float
        Least multiple of the lower limit of quantification.

    Returns
    -------
    DataFrame [patient, assay, second_expansion, second_expansion_day, hsct_day]
        Profiles of transplanted patients with a sample after HSPC. ``second_expansion`` is null
        where it hangs on a limit of quantification that is not recorded.
    """
    keys = ["patient", "assay"]
    below = pl.col("below") | (pl.col("value") < pl.col("lloq")).fill_null(value=False)
    limit = pl.coalesce("lloq", pl.when(pl.col("value") > 0).then("value"))
    rows = (
        profiles.join(hsct.select("patient", "hsct_day"), on="patient", how="inner", validate="m:1")
        .sort(*keys, "day", "value")
        .with_columns(
            below=below | (pl.col("value") <= 0),
            # one integer per profile: names are compared once, not at every step
            profile=is_first_row(*keys).cum_sum().set_sorted(),
        )
        .with_columns(limit=pl.when("below").then(limit).otherwise("lloq"))
        .with_columns(
            level=pl.when("below").then(pl.col("limit").fill_null(0.0)).otherwise("value"),
            highest_limit=pl.col("limit").max().over("profile"),
        )
    )
    peaks = (
        rows.filter(pl.col("day") <= pl.col("hsct_day"))
        .sort(["profile", "level", "day"], descending=[False, True, False])
        .filter(is_first_row("profile"))
        .select("profile", peak_day="day")
    )
    rows = rows.join(
        peaks, on="profile", how="left", validate="m:1", maintain_order="left"
    ).with_columns(pl.col("profile").set_sorted())
    after_peak = (pl.col("day") >= pl.col("peak_day")).fill_null(value=True)
    trough = pl.when(after_peak).then("level").cum_min().shift(1).over("profile")
    risen = ~pl.col("below") & (pl.col("value") >= times_trough * trough)
    enough = pl.col("value") >= times_lloq * pl.col("highest_limit")
    later = rows.with_columns(again=risen & pl.when(risen).then(enough)).filter(
        pl.col("day") > pl.col("hsct_day")
    )
    return (
        later.group_by("profile", maintain_order=True)
        .agg(
            *(pl.col(key).first() for key in keys),
            hsct_day=pl.col("hsct_day").first(),
            found=pl.col("again").any(),
            unknown=pl.col("again").is_null().any(),
            second_expansion_day=pl.col("day").filter(pl.col("again")).min(),
        )
        .select(
            *keys,
            "second_expansion_day",
            "hsct_day",
            second_expansion=pl.when("found")
            .then(pl.lit(value=True))
            .when(~pl.col("unknown"))
            .then(pl.lit(value=False)),
        )
        .sort(keys)
    )


def car_t_nca(
    labs: pl.DataFrame,
    hsct: pl.DataFrame,
    *,
    blq: BlqRule = "pknca",
    trapezoid: Trapezoid = "linear_up_log_down",
    start: StartRule = "zero",
    auc_until: float = 28,
    peak_until: float = 28,
    minimum_samples: int = 3,
    half_life_r2: float = 0.8,
) -> pl.DataFrame:
    """Kinetic parameters of every patient and assay.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table; days from CAR-T infusion
    hsct : DataFrame [patient, hsct_day]
    blq, trapezoid, start, auc_until, minimum_samples, half_life_r2
        As in ``nca``.
    peak_until : float
        Day to which the peak is looked for.

    Returns
    -------
    DataFrame : columns of ``nca`` by patient and assay, with ``above_limit`` (the peak is a limit),
        ``second_expansion``, ``second_expansion_day`` and ``hsct_day``, which marks the curve and
        does not divide it.
    """
    keys = ["patient", "assay"]
    profiles = car_t_profiles(labs)
    rows = nca(
        profiles,
        by=keys,
        below="below",
        lloq="lloq",
        blq=blq,
        trapezoid=trapezoid,
        start=start,
        auc_until=auc_until,
        peak_window=(0, peak_until),
        minimum_samples=minimum_samples,
        half_life_r2=half_life_r2,
    )
    above = profiles.filter("above").group_by(keys).agg(highest_limit=pl.col("value").max())
    days = hsct.select("patient", "hsct_day")
    return (
        rows.join(above, on=keys, how="left", validate="1:1")
        .with_columns(
            above_limit=(pl.col("highest_limit") >= pl.col("cmax")).fill_null(value=False)
        )
        .join(
            second_expansion(profiles, hsct).drop("hsct_day"), on=keys, how="left", validate="1:1"
        )
        .join(days, on="patient", how="left", validate="m:1")
        .drop("highest_limit")
        .sort(keys)
        .with_columns(pl.col("assay").cast(pl.String))
    )


def kinetic_answers(rows: pl.DataFrame, parameter: str) -> pl.DataFrame:
    """One parameter of one assay as answers.

    Parameters
    ----------
    rows : DataFrame, ``car_t_nca`` of one assay
    parameter : key of the rules: cmax, tmax, auc0_28, tlast, half_life, persistence,
        detectable_last

    Returns
    -------
    DataFrame [patient, state, value, label, day, lower_bound, flags, reason]
    """
    never = pl.col("quantifiable") == 0
    shape = _answer_of(parameter)
    value, reason = shape["value"], shape["reason"]
    state = pl.when(reason.is_not_null()).then(pl.lit("not_evaluable")).otherwise(pl.lit("yes"))
    if parameter == "detectable_last":
        state = pl.when("detectable_last").then(pl.lit("yes")).otherwise(pl.lit("no"))
    elif parameter == "persistence":
        state = pl.when(never).then(pl.lit("no")).otherwise(pl.lit("yes"))
    return rows.select(
        "patient",
        state=state,
        value=value,
        day=shape["day"],
        label=pl.when(never).then(pl.lit("below quantification")),
        lower_bound=shape["lower_bound"].fill_null(value=False),
        reason=reason,
        flags=join_flags(
            [
                shape["flags"],
                pl.when(pl.col("second_expansion").fill_null(value=False)).then(
                    pl.lit("second_expansion")
                ),
            ]
        ),
    )


def _answer_of(parameter: str) -> dict[str, pl.Expr]:
    """Value, day, bound, reason and flag of one parameter."""
    nothing = pl.lit(None, dtype=pl.String)
    false = pl.lit(value=False)
    never = pl.when(pl.col("quantifiable") == 0).then(pl.lit("never_quantified"))
    limit = pl.when("above_limit").then(pl.lit("above_limit"))
    short = pl.col("last_sample") < 28
    still = pl.col("detectable_last")
    # values below quantification are dropped: nothing is known of what follows the last other one
    ended_early = pl.col("auc_to") < pl.min_horizontal(pl.col("last_sample"), 28.0)
    table: dict[str, tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr, pl.Expr]] = {
        "cmax": (
            pl.col("cmax"),
            pl.col("tmax"),
            pl.col("above_limit"),
            pl.col("reason_cmax"),
            limit,
        ),
        "tmax": (pl.col("tmax"), pl.col("tmax"), false, pl.col("reason_cmax"), limit),
        "auc0_28": (
            pl.col("auc"),
            pl.col("auc_to"),
            pl.col("auc").is_not_null() & ((short & still) | pl.col("above_limit")),
            pl.col("reason_auc"),
            join_flags(
                [
                    pl.when((pl.col("last_sample") < 21) | ended_early)
                    .then(pl.lit("to_tlast"))
                    .when(short)
                    .then(pl.lit("to_last_sample")),
                    pl.when("zero_at_start").then(pl.lit("zero_at_start")),
                ]
            ),
        ),
        "tlast": (pl.col("tlast"), pl.col("tlast"), false, never, nothing),
        "half_life": (
            pl.col("half_life"),
            pl.col("half_life_from"),
            false,
            pl.col("reason_half_life"),
            nothing,
        ),
        "persistence": (
            pl.col("tlast"),
            pl.col("tlast"),
            still,
            nothing,
            pl.when(still).then(pl.lit("censored")),
        ),
        "detectable_last": (
            pl.when(still).then("clast"),
            pl.col("last_sample"),
            false,
            nothing,
            nothing,
        ),
    }
    return dict(
        zip(("value", "day", "lower_bound", "reason", "flags"), table[parameter], strict=True)
    )


def assess(trial: Trial) -> Assessed:
    """CAR-T kinetics of a trial.

    Details
    -------
    nca
        One row per patient and assay, see ``car_t_nca``.
    """
    population = infused_patients(trial)
    definitions = trial.protocol.definitions
    rows = car_t_nca(
        trial["labs"],
        hsct_days(trial),
        blq=definitions.blq,
        trapezoid=definitions.auc_trapezoid,
        start=definitions.auc_start,
        minimum_samples=definitions.peak_samples,
        half_life_r2=definitions.half_life_r2,
    ).join(population, on="patient", how="semi")
    frames = [
        as_results(
            answer_everybody(
                population, kinetic_answers(rows.filter(pl.col("assay") == assay), parameter)
            ),
            rule=f"{assay}_{parameter}",
        )
        for assay in ASSAYS
        for parameter in _PARAMETERS
    ]
    return Assessed(combine_results(frames), {"nca": rows})
