"""T-cell function: percent responding to stimulation, net of unstimulated, replicates kept."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import fisher_exact, ttest_ind_from_stats
from scipy.stats import t as t_distribution

from graftline.problems import InputError, Problem

_ROUNDING = 1e-9
STIMULI = ("none", "pma_ionomycin", "cd3_cd28", "cmv", "ebv")
_COLUMNS = ("subject", "role", "day", "stimulus", "replicate", "responding", "parent")


def read_stimulation(table: pl.DataFrame, *, file: str = "stimulation") -> pl.DataFrame:
    """Checked wells of a stimulation assay.

    Parameters
    ----------
    table : DataFrame [subject, role, day, stimulus, replicate, responding, parent]
        One row per well: events that respond (such as IFN-gamma+) and events of the parent gate.
        ``role`` is patient or donor; ``stimulus`` one of ``none, pma_ionomycin, cd3_cd28, cmv,
        ebv``. A column ``row`` is the row of the file that a fault is reported at.

    Raises
    ------
    InputError
        Missing columns or values, unknown words, more responding than parent events, a well
        given twice, a subject and day without an unstimulated well; all at once.
    """
    absent = [name for name in _COLUMNS if name not in table.columns]
    if absent:
        raise InputError(
            Problem(file, f"a column {name}", "add it", row=1, column=name) for name in absent
        )
    rows = table.select(*_COLUMNS)
    rows = (
        rows.with_columns(table["row"]) if "row" in table.columns else rows.with_row_index("row", 2)
    )
    problems = [*_faulty_values(rows, file), *_faulty_wells(rows, file)]
    if problems:
        raise InputError(problems)
    return rows.drop("row").sort("subject", "day", "stimulus", "replicate")


def _faulty_values(rows: pl.DataFrame, file: str) -> list[Problem]:
    events = pl.col("responding"), pl.col("parent")
    checks = (
        ("role", ~pl.col("role").is_in(["patient", "donor"]), "patient or donor"),
        ("stimulus", ~pl.col("stimulus").is_in(STIMULI), "one of " + ", ".join(STIMULI)),
        ("responding", (events[0] < 0) | (events[0] > events[1]), "0 up to the parent's events"),
        ("parent", events[1] <= 0, "at least one event"),
        *((name, pl.col(name).is_null(), "a value") for name in _COLUMNS),
    )
    return [
        Problem(file, expected, "correct it", row=row, column=name, found=str(found))
        for name, wrong, expected in checks
        for row, found in rows.filter(wrong).select("row", name).rows()
    ]


def _faulty_wells(rows: pl.DataFrame, file: str) -> list[Problem]:
    well = ("subject", "day", "stimulus", "replicate")
    doubled = rows.filter(~pl.struct(well).is_first_distinct())
    problems = [
        Problem(file, "each well once", "number the replicates", row=row, column="replicate")
        for row in doubled["row"]
    ]
    lacking = (
        rows.group_by("subject", "day")
        .agg((pl.col("stimulus") == "none").any().alias("rested"), pl.col("row").min())
        .filter(~pl.col("rested"))
        .sort("row")
    )
    remedy = "add the unstimulated well: net responses need it"
    problems += [
        Problem(file, f"a well 'none' on day {day:g}", remedy, row=row, patient=str(subject))
        for subject, day, row in lacking.select("subject", "day", "row").rows()
    ]
    return problems


def net_responses(wells: pl.DataFrame) -> pl.DataFrame:
    """Percent responding per well, and net of the mean of the unstimulated wells.

    Returns
    -------
    DataFrame [subject, role, day, stimulus, replicate, percent, background_percent, net_percent]
        Net may be negative and is not cut at 0: cutting would bias the mean upwards.
    """
    percent = (100 * pl.col("responding") / pl.col("parent")).alias("percent")
    rows = wells.with_columns(percent)
    background = (
        rows.filter(pl.col("stimulus") == "none")
        .group_by("subject", "day")
        .agg(pl.col("percent").mean().alias("background_percent"))
    )
    return (
        rows.filter(pl.col("stimulus") != "none")
        .join(background, on=["subject", "day"], how="left", validate="m:1")
        .with_columns((pl.col("percent") - pl.col("background_percent")).alias("net_percent"))
        .select(
            *("subject", "role", "day", "stimulus", "replicate"),
            *("percent", "background_percent", "net_percent"),
        )
        .sort("subject", "day", "stimulus", "replicate")
    )


def summarize_responses(wells: pl.DataFrame, *, level: float = 0.05) -> pl.DataFrame:
    """Per subject, day and stimulus: mean and SD over replicates, and whether there is a response.

    Returns
    -------
    DataFrame [subject, role, day, stimulus, replicates, net_mean, net_sd, p, responds]
        ``p`` is Fisher's exact test of responding events, replicates pooled, against the
        unstimulated wells, one-sided. Where replicate wells scatter more than counting explains, it
        is no smaller than that of a t-test by that scatter: events of one well are not independent
        of each other. ``responds`` is p < level with a net mean above 0.
    """
    net = (
        net_responses(wells)
        .group_by("subject", "role", "day", "stimulus")
        .agg(
            pl.len().cast(pl.Int64).alias("replicates"),
            pl.col("net_percent").mean().alias("net_mean"),
            pl.col("net_percent").std().alias("net_sd"),
        )
    )
    pooled = _pooled(wells)
    rest = pooled.filter(pl.col("stimulus") == "none").drop("stimulus")
    both = (
        net.join(pooled, on=["subject", "day", "stimulus"], validate="1:1")
        .join(rest, on=["subject", "day"], suffix="_rest", validate="m:1")
        .sort("subject", "day", "stimulus")
    )
    counts = both.select("responding", "parent", "responding_rest", "parent_rest").rows()
    exact = [
        float(fisher_exact([[a, b - a], [c, d - c]], alternative="greater")[1])
        for a, b, c, d in counts
    ]
    p = np.maximum(exact, _p_by_scatter(both))
    return (
        both.with_columns(pl.Series("p", p, dtype=pl.Float64))
        .with_columns(((pl.col("p") < level) & (pl.col("net_mean") > 0)).alias("responds"))
        .select(
            *("subject", "role", "day", "stimulus", "replicates", "net_mean", "net_sd"),
            *("p", "responds"),
        )
    )


def _pooled(wells: pl.DataFrame) -> pl.DataFrame:
    """Events of all replicates, their number, and the chi-square of what lies between them."""
    share = pl.col("responding").sum() / pl.col("parent").sum()
    expected = pl.col("parent") * share
    between = ((pl.col("responding") - expected) ** 2 / (expected * (1 - share))).sum()
    return wells.group_by("subject", "day", "stimulus").agg(
        pl.col("responding").sum(),
        pl.col("parent").sum(),
        wells=pl.len(),
        between=pl.when(share.is_between(0, 1, closed="none")).then(between).otherwise(0.0),
    )


def _p_by_scatter(both: pl.DataFrame) -> NDArray[np.float64]:
    """One-sided p by the scatter between replicate wells, 0 where counting explains it."""
    freedom = (both["wells"] + both["wells_rest"] - 2).to_numpy().astype(np.float64)
    between = (both["between"] + both["between_rest"]).to_numpy()
    a, b, c, d = (
        both[name].to_numpy().astype(np.float64)
        for name in ("responding", "parent", "responding_rest", "parent_rest")
    )
    known = np.maximum(freedom, 1.0)
    beyond = between / known
    share = (a + c) / (b + d)
    error = np.sqrt(np.maximum(beyond, 1.0) * share * (1 - share) * (1 / b + 1 / d))
    z = np.divide(a / b - c / d, error, out=np.zeros_like(error), where=error > 0)
    wide = (freedom >= 1) & (beyond > 1)
    return np.asarray(np.where(wide, t_distribution.sf(z, known), 0.0), dtype=np.float64)


def compare_roles(summary: pl.DataFrame, *, stimuli: Sequence[str] = STIMULI[1:]) -> pl.DataFrame:
    """Patients against donors per stimulus of a stimulation assay, as `compare_people`.

    Returns
    -------
    DataFrame [stimulus, patients, donors, patient_mean, donor_mean, difference, p]
    """
    known = [s for s in stimuli if (summary["stimulus"] == s).any()]
    return compare_people(summary, stimuli=known, value="net_mean", role="role", person="subject")


def compare_people(
    table: pl.DataFrame,
    *,
    value: str,
    role: str,
    person: str = "patient",
    stimuli: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Patients against donors per stimulus: one value per person, Welch's test.

    A person with several rows counts once, with their mean: replicates and days of one person are
    not independent people.

    Parameters
    ----------
    table : DataFrame [stimulus, role, person, value]
        Columns named by the arguments; ``role`` is patient or donor.

    Returns
    -------
    DataFrame [stimulus, patients, donors, patient_mean, donor_mean, difference, p]
        ``p`` null with fewer than two people on a side, or where nobody differs from another.
    """
    people = (
        table.group_by("stimulus", role, person)
        .agg(pl.col(value).mean())
        .sort("stimulus", role, person)
    )
    rows = []
    for stimulus in stimuli if stimuli is not None else people["stimulus"].unique().sort():
        of = people.filter(pl.col("stimulus") == stimulus)
        patient, donor = (
            of.filter(pl.col(role) == side)[value].drop_nulls().to_numpy()
            for side in ("patient", "donor")
        )
        means = [float(np.mean(x)) if x.size else None for x in (patient, donor)]
        p = _welch(patient, donor) if min(patient.size, donor.size) > 1 else None
        gap = None if None in means else float(np.mean(patient) - np.mean(donor))
        rows.append((stimulus, patient.size, donor.size, *means, gap, p))
    schema = {
        "stimulus": pl.String,
        "patients": pl.Int64,
        "donors": pl.Int64,
        "patient_mean": pl.Float64,
        "donor_mean": pl.Float64,
        "difference": pl.Float64,
        "p": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _welch(one: np.ndarray, other: np.ndarray) -> float | None:
    """Two-sided p of Welch's test; null where neither side varies by more than rounding."""
    spreads = [float(np.std(x, ddof=1)) for x in (one, other)]
    if max(spreads) <= _ROUNDING * max(1.0, float(np.abs(np.concatenate((one, other))).max())):
        return None
    first, second = (
        (float(np.mean(x)), s, x.size) for x, s in zip((one, other), spreads, strict=True)
    )
    return float(ttest_ind_from_stats(*first, *second, equal_var=False).pvalue)
