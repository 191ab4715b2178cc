"""Grade 4 pancytopenia and severe marrow hypocellularity: first day, and whether still there."""

from typing import Any, Literal, cast

import polars as pl

from graftline.assess.adjudicated import adjudicated_events
from graftline.assess.answers import adjudicated_for, answer_everybody, join_flags
from graftline.assess.cell_counts import from_nearest_day, with_calculated_anc, worst_of_day
from graftline.assess.on_arrays import Column, OnArrays, Words
from graftline.assess.population import infused_patients, transplanted_patients
from graftline.assess.printed import printed_criteria
from graftline.assess.quantified import is_below, less_than
from graftline.assess.results import Assessed, as_results, combine_results
from graftline.assess.sorted_rows import gather_rows
from graftline.rules import Read, Rule
from graftline.trial import Trial

Definition = Literal["graftline", "camitta1979"]

_COUNTS = Read(
    "labs",
    "analyte",
    ("anc", "wbc", "neutrophil_percent", "platelets", "hemoglobin", "reticulocytes"),
)
_PRINTED = printed_criteria("pancytopenia")

RULES: tuple[Rule, ...] = (
    Rule(
        id="pancytopenia_grade4",
        title="Grade 4 pancytopenia",
        words=(
            f"{_PRINTED['graftline']['printed']}; values within 1 day of one another; from day 0 "
            f"to HSCT. Option camitta1979: {_PRINTED['camitta1979']['printed']}. value = days on "
            "which it was met, day = the first."
        ),
        citation="graftline",
        reads=(_COUNTS, Read("transfusions", "product", ("red_cells",))),
        parameters=("definition", "values_within_days", "transfusion_within_days"),
    ),
    Rule(
        id="marrow_hypocellularity",
        title="Severe marrow hypocellularity",
        words=(
            f"{_PRINTED['hypocellularity']['printed']}; any marrow from day 0 to HSCT. value = "
            "lowest cellularity, day = first examination that meets it."
        ),
        citation="camitta1979",
        reads=(Read("marrow"),),
        parameters=(
            "cellularity_below",
            "cellularity_below_if_few_haematopoietic",
            "haematopoietic_below",
        ),
    ),
    Rule(
        id="pancytopenia_on_hsct_day",
        title="Grade 4 pancytopenia on the day of HSCT",
        words="The pancytopenia rule on the day of HSCT itself, with values within 1 day of it.",
        citation="graftline",
        reads=(_COUNTS, Read("transfusions", "product", ("red_cells",)), Read("infusions")),
        parameters=("definition", "values_within_days", "transfusion_within_days"),
    ),
)


def pancytopenia_days(
    labs: pl.DataFrame,
    transfusions: pl.DataFrame | None,
    *,
    extra_days: pl.DataFrame | None = None,
    definition: Definition = "graftline",
    values_within_days: float = 1,
    transfusion_within_days: float = 7,
) -> pl.DataFrame:
    """Whether the pancytopenia definition holds, for every day with a count.

    Parameters
    ----------
    labs : DataFrame, the ``labs`` table in canonical units
    transfusions : DataFrame or None
        The ``transfusions`` table; None where no transfusions were recorded at all, so that a
        haemoglobin above the limit may owe it to red cells nobody wrote down.
    extra_days : DataFrame [patient, day], optional
        Whole days to answer for besides those with a count (the day of HSCT).
    definition : {"graftline", "camitta1979"}
    values_within_days : float
        A count not taken that day is borrowed from the nearest earlier, else later day so close.
    transfusion_within_days : float
        Red cells on day t stand for a low haemoglobin from t to t + this.

    Returns
    -------
    DataFrame [patient, day, met, measured], sorted by patient and day
        ``met`` null where the counts known are low and another is missing; ``measured`` false
        where every count is borrowed from another day.

    Notes
    -----
    Grade 4 pancytopenia is not a CTCAE term; the definition is graftline's, the option is the
    severe aplasia of Camitta (1979). Worst value of each day.
    """
    limits: dict[str, float] = _PRINTED[definition]["below"]
    low = [
        worst_of_day(labs, analyte, worst="lowest").select(
            "patient", "day", is_below(float(limit)).alias(analyte)
        )
        for analyte, limit in limits.items()
    ]
    if extra_days is not None:
        low.append(extra_days.select("patient", "day"))
    # no day has two rows of one analyte: the only value is the largest
    wide = gather_rows(
        pl.concat(low, how="diagonal"), ("patient", "day"), {a: pl.col(a).max() for a in limits}
    )
    if transfusions is not None and "hemoglobin" in limits:
        wide = _with_red_cells(wide, transfusions, within_days=transfusion_within_days)
    else:
        wide = wide.with_columns(red_cells=pl.lit(None, dtype=pl.Boolean))
    near = wide.with_columns(
        from_nearest_day(analyte, within_days=values_within_days) for analyte in limits
    )
    measured = wide.select(pl.any_horizontal(pl.col(a).is_not_null() for a in limits)).to_series()
    return near.select("patient", "day", met=_all_low(definition, pl), measured=measured)


def pancytopenic(
    counts: OnArrays,
    *,
    definition: Definition = "graftline",
    transfusion_within_days: float = 7,
) -> Column:
    """Whether the pancytopenia definition holds on the counts of one day.

    Parameters
    ----------
    counts : arrays (``on_arrays``)
        The day's counts by analyte, quantified, and ``red_cells_age``: days since red cells were
        last given, infinite where never.
    definition, transfusion_within_days
        As in ``pancytopenia_days``.
    """
    quantified = counts.lit("quantified")
    low: dict[str, Column] = {
        analyte: less_than(counts.col(analyte), float(limit), quantified, counts)
        for analyte, limit in _PRINTED[definition]["below"].items()
    }
    low["red_cells"] = counts.col("red_cells_age") <= transfusion_within_days
    return cast(Column, _all_low(definition, OnArrays(low, counts.rows)))


def _all_low(definition: Definition, words: Words) -> Any:
    """Kleene logic: one count known not to be low settles the day, a missing one does not."""
    lines = [
        words.col(line) | words.col("red_cells") if line == "hemoglobin" else words.col(line)
        for line in _PRINTED[definition]["below"]
    ]
    return words.all_horizontal(*lines)


def _with_red_cells(
    days: pl.DataFrame, transfusions: pl.DataFrame, *, within_days: float
) -> pl.DataFrame:
    """Add ``red_cells``: red cells on the day or within the days before."""
    given = (
        transfusions.filter(pl.col("product") == "red_cells")
        .select("patient", day=pl.col("day").floor())
        .drop_nulls()
        .unique()
        .sort("patient", "day")
        .with_columns(given_day="day")
    )
    joined = days.sort("patient", "day").join_asof(
        given, on="day", by="patient", strategy="backward", check_sortedness=False
    )
    age = pl.col("day") - pl.col("given_day")
    return joined.with_columns(red_cells=(age <= within_days).fill_null(value=False)).sort(
        "patient", "day"
    )


def hypocellular_marrows(
    marrow: pl.DataFrame,
    *,
    cellularity_below: float = 25,
    cellularity_below_if_few_haematopoietic: float = 50,
    haematopoietic_below: float = 30,
) -> pl.DataFrame:
    """Whether each marrow is severely hypocellular.

    Parameters
    ----------
    marrow : DataFrame, the ``marrow`` table; blood and CSF are left out

    Returns
    -------
    DataFrame [patient, day, cellularity_percent, met]
        ``met`` null where cellularity (or, between the limits, the haematopoietic share) is
        missing. A day known as a range takes the middle. Source: Camitta (1979).
    """
    cellularity = pl.col("cellularity_percent")
    few = pl.col("haematopoietic_percent") < haematopoietic_below
    middle = (pl.col("day_low") + pl.col("day_high")) / 2
    return (
        marrow.filter(pl.col("specimen").fill_null("marrow") == "marrow")
        .select(
            "patient",
            "cellularity_percent",
            day=pl.coalesce("day", middle),
            met=(cellularity < cellularity_below)
            | ((cellularity < cellularity_below_if_few_haematopoietic) & few),
        )
        .sort("patient", "day", nulls_last=True)
    )


def assess(trial: Trial) -> Assessed:
    """Pancytopenia before and on the day of HSCT, and marrow hypocellularity.

    Returns
    -------
    Assessed
        Rules ``pancytopenia_grade4``, ``marrow_hypocellularity``, ``pancytopenia_on_hsct_day``
        (day counted from CAR-T). No details.
    """
    population, grafts = infused_patients(trial), transplanted_patients(trial)
    hsct = grafts.select("patient", hsct_day=pl.col("hsct_day").floor())
    days = pancytopenia_days(
        with_calculated_anc(trial["labs"]),
        trial["transfusions"] if "transfusions" in trial.present else None,
        extra_days=hsct.select("patient", day="hsct_day"),
        definition=trial.protocol.definitions.pancytopenia,
    ).join(hsct, on="patient", how="left", validate="m:1")
    until_hsct = (pl.col("day") >= 0) & (pl.col("day") <= pl.col("hsct_day")).fill_null(value=True)
    marrows = hypocellular_marrows(trial["marrow"]).join(
        hsct, on="patient", how="left", validate="m:1"
    )
    counted = days.filter(until_hsct & pl.col("measured"))
    on_day = days.filter(pl.col("day") == pl.col("hsct_day"))
    return Assessed(
        combine_results(
            [
                _ever(population, counted, "pancytopenia_grade4", pl.col("met").sum()),
                _ever(
                    population,
                    marrows.filter(until_hsct),
                    "marrow_hypocellularity",
                    pl.col("cellularity_percent").min(),
                ),
                _on_day(grafts, on_day),
                adjudicated_for(trial, population, "pancytopenia", rule="pancytopenia_grade4"),
                _adjudicated_on_day(trial, grafts),
            ]
        )
    )


def _ever(population: pl.DataFrame, days: pl.DataFrame, rule: str, value: pl.Expr) -> pl.DataFrame:
    met = pl.col("met")
    answers = (
        days.sort("patient", "day")
        .group_by("patient", maintain_order=True)
        .agg(
            state=_three_states(met.any(ignore_nulls=False)),
            value=value.cast(pl.Float64),
            day=pl.col("day").filter(met).first(),
            lower_bound=met.is_null().any(),
        )
        .with_columns(_reason("incomplete_records"))
    )
    return as_results(answer_everybody(population, answers), rule=rule)


def _on_day(grafts: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    answers = days.select("patient", "day", state=_three_states(pl.col("met"))).with_columns(
        _reason("incomplete_records")
    )
    return as_results(answer_everybody(grafts, answers), rule="pancytopenia_on_hsct_day")


def _adjudicated_on_day(trial: Trial, grafts: pl.DataFrame) -> pl.DataFrame:
    """Investigator's pancytopenia that spans the day of HSCT, where its last day is recorded."""
    spans = (
        adjudicated_events(trial, ["pancytopenia"])
        .filter("occurred")
        .join(grafts, on="patient", how="inner", validate="m:1")
        .with_columns(
            begun=pl.col("day") <= pl.col("hsct_day"),
            over=pl.col("end_day") < pl.col("hsct_day"),
        )
    )
    answers = (
        spans.group_by("patient")
        .agg(
            state=_three_states((pl.col("begun") & ~pl.col("over")).any(ignore_nulls=False)),
            day=pl.col("hsct_day").first(),
            assumed=pl.col("assumed").is_not_null().any(),
        )
        .with_columns(_reason("last_day_unknown"), flags=join_flags([_when_assumed()]))
    )
    return as_results(answers, rule="pancytopenia_on_hsct_day", source="adjudicated")


def _when_assumed() -> pl.Expr:
    return pl.when("assumed").then(pl.lit("assumed"))


def _three_states(met: pl.Expr) -> pl.Expr:
    return (
        pl.when(met)
        .then(pl.lit("yes"))
        .when(~met)
        .then(pl.lit("no"))
        .otherwise(pl.lit("not_evaluable"))
    )


def _reason(word: str) -> pl.Expr:
    return pl.when(pl.col("state") == "not_evaluable").then(pl.lit(word)).alias("reason")
