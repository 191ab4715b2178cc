"""What a forest plot shows: hazard ratios where there are events enough, else proportions.

With fewer than 20 patients, or fewer than 10 events per term of the model, a hazard ratio says
nothing that the counts do not: then only proportions with exact intervals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from graftline.endpoints.people import Answers, answers_to
from graftline.stats import FitError, clopper_pearson, cox
from graftline.tables.analyses import Analysis, analyses
from graftline.tables.format import count_interval, estimate_interval, words
from graftline.tables.hsct_timing import MIN_PATIENTS_FOR_TEST
from graftline.tables.value import ReportTable, TableColumn, TableRow
from graftline.trial import Trial

EVENTS_PER_TERM: Final = 10
_YOUNGER: Final = {18.0: "under 18", 40.0: "18 to 39", 60.0: "40 to 59"}
_AGES: Final = (*_YOUNGER.values(), "60 or older")
_VARIABLES: Final = (
    ("age", "Age, years"),
    ("sex", "Sex"),
    ("disease", "Disease"),
    ("risk_group", "Risk group"),
    ("extramedullary_disease", "Extramedullary disease"),
    ("prior_allo_hsct", "Earlier allogeneic HSCT"),
)
_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "outcome": pl.String,
    "measure": pl.String,
    "variable": pl.String,
    "level": pl.String,
    "reference": pl.Boolean,
    "n": pl.Int64,
    "events": pl.Int64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Subgroups:
    """What is estimated by subgroup, in words, the numbers, and why not a hazard ratio."""

    outcome: str
    measure: str
    numbers: pl.DataFrame
    note: str


def baseline_groups(trial: Trial) -> pl.DataFrame:
    """Subgroups known before treatment, one row per patient and characteristic.

    Returns
    -------
    DataFrame [patient, variable, level]
        ``level`` null where not recorded.
    """
    age = pl.col("age_years")
    yes_no = {"true": "yes", "false": "no"}
    frame = trial.patients.select(
        "patient",
        pl.coalesce(
            *(pl.when(age < limit).then(pl.lit(label)) for limit, label in _YOUNGER.items()),
            pl.when(age.is_not_null()).then(pl.lit(_AGES[-1])),
        ).alias("age"),
        *(pl.col(name).cast(pl.String) for name, _ in _VARIABLES if name != "age"),
    )
    return frame.unpivot(
        [name for name, _ in _VARIABLES], index="patient", value_name="level"
    ).with_columns(pl.col("level").replace(yes_no))


def subgroup_numbers(trial: Trial, assessed: Answers, endpoints: pl.DataFrame) -> Subgroups | None:
    """Hazard ratios of death where the numbers allow them, else proportions; none without either.

    Returns
    -------
    Subgroups
        ``numbers`` has the columns outcome, measure (``hazard ratio`` or ``proportion``),
        variable, level, reference, n, events, estimate, lower, upper.
    """
    groups = baseline_groups(trial)
    own = next((a for a in analyses(trial, endpoints) if a.endpoint == "overall_survival"), None)
    if own is not None and _enough(own) and not trial.settings.simulated:
        found = list(_hazard_ratios(own, groups))
        if found:
            numbers = pl.DataFrame(found, schema=_SCHEMA, orient="row")
            return Subgroups(
                "death from any cause",
                "hazard ratio",
                numbers,
                "Hazard ratio of each level against the reference, one Cox model (Efron) per "
                f"characteristic, not adjusted for the others. Left out: characteristics with "
                f"fewer than {EVENTS_PER_TERM} deaths per term, and levels of one patient.",
            )
    answers = _outcome(trial, assessed, endpoints)
    if answers is None:
        return None
    outcome, happened = answers
    few = (
        f"fewer than {MIN_PATIENTS_FOR_TEST} patients, or fewer than {EVENTS_PER_TERM} events per "
        "term that can be modelled"
    )
    why = "simulated patients" if trial.settings.simulated else few
    return Subgroups(
        outcome,
        "proportion",
        proportions_by_level(outcome, happened, groups),
        "Proportions with exact (Clopper-Pearson) intervals, as counted and not adjusted. No "
        f"p-values and no hazard ratios: {why}.",
    )


def _enough(own: Analysis) -> bool:
    large = own.rows.height >= MIN_PATIENTS_FOR_TEST
    return large and not own.undated and not own.late_entry


def _hazard_ratios(own: Analysis, groups: pl.DataFrame) -> Iterator[dict[str, object]]:
    for name, label in _VARIABLES:
        rows = (
            own.rows.select("patient", "time_days", event=(pl.col("status") == 1).cast(pl.Int64))
            .join(groups.filter(pl.col("variable") == name), on="patient", how="inner")
            .drop_nulls("level")
            .filter(pl.len().over("level") > 1)
            .sort("patient")
        )
        sizes = rows.group_by("level").agg(n=pl.len(), events=pl.col("event").sum())
        # yes or no is read against no, everything else against the largest level
        first = (pl.col("level") == "no") & pl.col("level").is_in(["yes", "no"]).all()
        sizes = sizes.sort(first, "n", "level", descending=[True, True, False])
        terms = sizes.height - 1
        if terms < 1 or rows["event"].sum() < EVENTS_PER_TERM * terms:
            continue
        reference = sizes["level"][0]
        try:
            fit = cox(
                rows["time_days"].to_numpy(),
                rows["event"].to_numpy(),
                rows.select("level"),
                reference={"level": reference},
            )
        except FitError:  # a level without deaths has no finite ratio
            continue
        frame = fit.to_frame()
        ratios = {
            name.removeprefix("level="): values
            for name, *values in frame.select(
                frame.columns[0], "hazard_ratio", "lower", "upper"
            ).rows()
        }
        for level, n, events in sizes.rows():
            estimate, lower, upper = ratios.get(level, (1.0, None, None))
            yield {
                "outcome": "death from any cause",
                "measure": "hazard ratio",
                "variable": label,
                "level": level,
                "reference": level == reference,
                "n": n,
                "events": events,
                "estimate": estimate,
                "lower": lower,
                "upper": upper,
            }


def _outcome(
    trial: Trial, assessed: Answers, endpoints: pl.DataFrame
) -> tuple[str, pl.DataFrame] | None:
    """What is counted where nothing can be modelled, as [patient, happened]."""
    remission = answers_to(assessed, "remission").filter(pl.col("state").is_in(["yes", "no"]))
    if trial.protocol.selection != "reached_hsct" and remission.height:
        return "remission", remission.select("patient", happened=pl.col("state") == "yes")
    words_ = {
        "disease_free_survival": "relapse, progression or death so far",
        "overall_survival": "death so far",
    }
    for name, outcome in words_.items():
        for own in analyses(trial, endpoints):
            if own.endpoint == name and not own.variant:
                return outcome, own.rows.select("patient", happened=pl.col("status") == 1)
    return None


def proportions_by_level(
    outcome: str, happened: pl.DataFrame, groups: pl.DataFrame
) -> pl.DataFrame:
    """Proportion with the outcome in everybody and in each subgroup, with exact intervals.

    Parameters
    ----------
    happened : DataFrame [patient, happened]
    groups : DataFrame [patient, variable, level]
    """
    labels = dict(_VARIABLES)
    order = {name: place for place, (name, _) in enumerate(_VARIABLES)}
    ages = {age: place for place, age in enumerate(_AGES)}
    counted = (
        happened.join(groups, on="patient", how="inner")
        .drop_nulls("level")
        .group_by("variable", "level")
        .agg(n=pl.len(), events=pl.col("happened").sum())
        .filter(pl.len().over("variable") > 1)
        .sort(
            pl.col("variable").replace_strict(order, return_dtype=pl.Int32),
            pl.col("level").replace_strict(ages, default=len(ages), return_dtype=pl.Int32),
            "level",
        )
    )
    everybody = ("", "All patients", happened.height, int(happened["happened"].sum()))
    rows = []
    for variable, level, n, events in [everybody, *counted.rows()]:
        share = clopper_pearson(events, n)
        rows.append(
            {
                "outcome": outcome,
                "measure": "proportion",
                "variable": labels.get(variable, ""),
                "level": level,
                "reference": False,
                "n": n,
                "events": events,
                "estimate": share.estimate,
                "lower": share.lower,
                "upper": share.upper,
            }
        )
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def level_text(row: dict[str, object]) -> str:
    """A subgroup as printed."""
    level = words(str(row["level"]))
    return f"{level} (reference)" if row["reference"] else level


def estimate_text(row: dict[str, object]) -> str:
    """The estimate of a subgroup as printed."""
    value, low, high = (_number(row[k]) for k in ("estimate", "lower", "upper"))
    if row["reference"]:
        return "1"
    if row["measure"] == "hazard ratio":
        return estimate_interval(value, low, high, digits=2)
    n, total = row["events"], row["n"]
    return count_interval(int(str(n)), int(str(total)), low, high)


def percent_text(row: dict[str, object]) -> str:
    """The proportion of a subgroup in percent, without its counts."""
    scaled = [None if (v := _number(row[k])) is None else 100 * v for k in _ESTIMATE]
    return estimate_interval(*scaled, digits=0)


_ESTIMATE: Final = ("estimate", "lower", "upper")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def subgroup_table(found: Subgroups) -> ReportTable:
    """The numbers of the forest plot as a table."""
    ratios = found.measure == "hazard ratio"
    rows = []
    for row in found.numbers.iter_rows(named=True):
        counts: Sequence[str] = (str(row["n"]), str(row["events"])) if ratios else ()
        cells = (level_text(row), *counts, estimate_text(row))
        rows.append(TableRow(cells, row["variable"] or None))
    counted = (TableColumn("n"), TableColumn("Deaths")) if ratios else ()
    heading = "Hazard ratio (95% CI)" if ratios else "n/N (%; 95% CI)"
    return ReportTable(
        "subgroups",
        f"Subgroups: {found.outcome}",
        (TableColumn("Subgroup", "left"), *counted, TableColumn(heading)),
        tuple(rows),
        found.numbers,
        (found.note,),
    )
