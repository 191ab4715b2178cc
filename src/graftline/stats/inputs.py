"""Arrays and data-frame columns checked before anything is estimated, every problem at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from graftline.stats.event_counts import TIE_TOLERANCE, FloatArray, IntArray

_SHOWN = 10


class StatsInputError(ValueError):
    """Arrays that cannot be analysed as they are; names the rows and the remedy."""


@dataclass(frozen=True, slots=True)
class SurvivalData:
    """Checked arrays of equal length, rows of weight zero left out.

    ``event`` is 0 for censored and 1 for the event; ``group`` and ``stratum`` are places in the
    sorted ``labels`` and ``strata_labels``, ``subject`` a number for each subject.
    """

    time: FloatArray
    event: IntArray
    entry: FloatArray | None
    weights: FloatArray | None
    group: IntArray | None
    labels: tuple[object, ...]
    stratum: IntArray | None
    strata_labels: tuple[object, ...]
    subject: IntArray | None = None

    def only(self, rows: NDArray[np.bool_] | IntArray) -> "SurvivalData":
        """The rows chosen."""
        return replace(
            self,
            time=self.time[rows],
            event=self.event[rows],
            entry=None if self.entry is None else self.entry[rows],
            weights=None if self.weights is None else self.weights[rows],
            group=None if self.group is None else self.group[rows],
            stratum=None if self.stratum is None else self.stratum[rows],
            subject=None if self.subject is None else self.subject[rows],
        )


def survival_data(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    subject: ArrayLike | None = None,
    groups_needed: int = 1,
) -> SurvivalData:
    """Check and convert times, a 0/1 status and whatever goes with them.

    Parameters
    ----------
    time, status : array (n)
        Time of event or censoring, not negative; 1 (or true) for the event, 0 for censored.
    entry : array (n), optional
        Start of observation of the row: before ``time``, or both 0.
    weights : array (n), optional
        Case weights, finite, 0 or more.
    group, strata, subject : array (n), optional
        Labels. Rows of one ``subject`` must not overlap.
    groups_needed : int
        Fewest different groups with which the method makes sense.

    Raises
    ------
    StatsInputError
        Naming the rows (counted from 0), what was found and what was expected.
    """
    problems: list[str] = []
    times = number_array("time", time, problems)
    codes = number_array("status", status, problems)
    entries = None if entry is None else number_array("entry", entry, problems)
    case = None if weights is None else number_array("weights", weights, problems)
    groups, labels = _labels("group", group, problems)
    levels, level_labels = _labels("strata", strata, problems)
    subjects, _ = _labels("subject", subject, problems)
    columns = {
        "time": times,
        "status": codes,
        "entry": entries,
        "weights": case,
        "group": groups,
        "strata": levels,
        "subject": subjects,
    }
    check_lengths(columns, problems)
    raise_problems(problems)
    check_times(times, entries, problems)
    check_rows(
        "status", (codes != 0.0) & (codes != 1.0), codes, "0 (censored) or 1 (event)", problems
    )
    _check_weights(case, problems)
    if subjects is not None:
        starts = np.zeros(times.size) if entries is None else entries
        check_overlaps(subjects, starts, times, problems)
    raise_problems(problems)
    event = codes.astype(np.int64)
    data = SurvivalData(times, event, entries, case, groups, labels, levels, level_labels, subjects)
    if case is not None and np.any(case == 0.0):
        data = _without_empty_groups(data.only(case > 0.0))
    if data.time.size == 0:
        raise StatsInputError("time: found no rows\n  expected at least one patient")
    if groups is not None and len(data.labels) < groups_needed:
        raise StatsInputError(
            f"group: found one level ({data.labels[0]!r})\n  expected at least {groups_needed} "
            "groups to compare"
        )
    return data


def number_array(name: str, values: ArrayLike, problems: list[str]) -> FloatArray:
    """One-dimensional float array; text and other shapes become problems, nulls become NaN."""
    try:
        if isinstance(values, pl.Series):
            array = values.cast(pl.Float64).to_numpy()
        else:
            array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        problems.append(f"{name}: expected numbers\n  {error}")
        return np.empty(0)
    if array.ndim != 1:
        problems.append(f"{name}: found shape {array.shape}\n  expected one value per row")
        return np.empty(0)
    return np.ascontiguousarray(array)


def label_places(
    name: str, values: ArrayLike, problems: list[str]
) -> tuple[IntArray, tuple[object, ...]]:
    """Place of each row's label among the sorted labels; missing labels become problems."""
    series = _label_series(name, values)
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan()
    if missing.any():
        rows = np.flatnonzero(missing.to_numpy())
        problems.append(
            f"{name}: no label in {row_list(rows)}\n  expected a label in every row\n"
            "  leave out those rows, or give them a label of their own"
        )
        return np.zeros(len(series), dtype=np.int64), ("",)
    coded = None
    if len(series) > 0 and series.dtype.is_integer():
        coded = _small_integer_places(series.to_numpy())
    elif len(series) > 0 and series.dtype == pl.String:
        coded = _text_places(series)
    if coded is not None:
        return coded
    labels = series.unique().sort()
    lookup = pl.DataFrame({"label": labels, "place": np.arange(len(labels), dtype=np.int64)})
    placed = pl.DataFrame({"label": series}).join(
        lookup, on="label", how="left", maintain_order="left", validate="m:1"
    )
    return placed["place"].to_numpy(), tuple(labels.to_list())


def check_lengths(arrays: Mapping[str, NDArray[np.generic] | None], problems: list[str]) -> None:
    """Every array as long as the first."""
    present = {name: array.shape[0] for name, array in arrays.items() if array is not None}
    first = next(iter(present))
    problems.extend(
        f"{name}: found {size} values\n  expected {present[first]}, as many as {first} has"
        for name, size in present.items()
        if size != present[first]
    )


def check_times(
    times: FloatArray,
    entries: FloatArray | None,
    problems: list[str],
    *,
    entry_name: str = "entry",
) -> None:
    """Times finite and not negative, entry before the time (or both 0)."""
    expected = "a finite time, 0 or later"
    check_rows("time", ~(times >= 0.0) | np.isinf(times), times, expected, problems)
    if entries is None:
        return
    check_rows(entry_name, ~(entries >= 0.0) | np.isinf(entries), entries, expected, problems)
    late = (entries >= times - tie_gap(times)) & (entries != 0.0)
    check_rows(entry_name, late, entries, f"an {entry_name} before the row's own time", problems)


def tie_gap(times: FloatArray) -> float:
    """Times no further apart than this count as one (see `event_counts`)."""
    return TIE_TOLERANCE * max(1.0, float(np.mean(times))) if times.size else 0.0


def check_overlaps(
    subjects: IntArray, entries: FloatArray, times: FloatArray, problems: list[str]
) -> None:
    """No two rows of one subject cover the same time."""
    order = np.lexsort((times, entries, subjects))
    same = subjects[order][1:] == subjects[order][:-1]
    overlap = same & (entries[order][1:] < times[order][:-1])
    rows = np.sort(order[1:][overlap])
    if rows.size:
        problems.append(
            f"entry: {row_list(rows)} begin before the same subject's earlier row ends\n"
            "  expected intervals of one subject that do not overlap"
        )


def check_rows(
    name: str,
    wrong: NDArray[np.bool_],
    values: NDArray[np.generic],
    expected: str,
    problems: list[str],
) -> None:
    """One problem naming the rows (counted from 0, as arrays are) and their values."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        shown = ", ".join(str(value) for value in values[rows[:_SHOWN]].tolist())
        problems.append(f"{name}: found {shown} in {row_list(rows)}\n  expected {expected}")


def row_list(rows: IntArray) -> str:
    """Row numbers as text, the first ten of them."""
    shown = ", ".join(str(row) for row in rows[:_SHOWN].tolist())
    more = f" and {rows.size - _SHOWN} more" if rows.size > _SHOWN else ""
    return f"row{'s' * (rows.size > 1)} {shown}{more} (counted from 0)"


def raise_problems(problems: list[str]) -> None:
    """All problems in one error; nothing when there are none."""
    if problems:
        count = len(problems)
        end = f"{count} problem{'s' * (count > 1)}. Nothing was computed."
        raise StatsInputError("\n".join([*problems, end]))


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """An option is one of the words it knows."""
    if value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise StatsInputError(f"{name}: found {value!r}\n  expected one of {words}")


def check_level(level: float) -> None:
    """A confidence level lies between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise StatsInputError(
            f"level: found {level!r}\n  expected a number between 0 and 1, as 0.95"
        )


def has_fractions(weights: FloatArray | None) -> bool:
    """Whether a weight is not whole, so that weighting is not repetition."""
    return weights is not None and bool(np.any(weights != np.floor(weights)))


def _labels(
    name: str, values: ArrayLike | None, problems: list[str]
) -> tuple[IntArray | None, tuple[object, ...]]:
    return (None, ()) if values is None else label_places(name, values, problems)


def _without_empty_groups(data: SurvivalData) -> SurvivalData:
    """Labels whose rows all had weight zero are no groups."""
    if data.group is None:
        return data
    present = np.bincount(data.group, minlength=len(data.labels)) > 0
    places = (np.cumsum(present) - 1)[data.group]
    labels = tuple(label for label, kept in zip(data.labels, present.tolist(), strict=True) if kept)
    return replace(data, group=places, labels=labels)


def _label_series(name: str, values: ArrayLike) -> pl.Series:
    if isinstance(values, pl.Series):
        return values
    array = np.asarray(values)
    if array.ndim == 1 and array.dtype.kind in "iufbU":
        return pl.Series(name, array)
    return pl.Series(name, array.tolist(), strict=False)


def _small_integer_places(
    values: NDArray[np.generic],
) -> tuple[IntArray, tuple[object, ...]] | None:
    # Codes such as 0, 1, 2 are by far the usual groups, and counting them needs no hashing.
    codes = values.astype(np.int64)
    low, high = int(codes.min()), int(codes.max())
    if high - low > 1_000_000:
        return None
    present = np.bincount(codes - low, minlength=high - low + 1) > 0
    places = np.cumsum(present) - 1
    labels = (np.flatnonzero(present) + low).tolist()
    return places[codes - low].astype(np.int64), tuple(labels)


def _text_places(series: pl.Series) -> tuple[IntArray, tuple[object, ...]] | None:
    # Polars codes text in one pass; the codes are in no order, so the few labels are sorted after.
    codes = _small_integer_places(series.cast(pl.Categorical).to_physical().to_numpy())
    if codes is None:
        return None
    place, used = codes
    example = np.empty(len(used), dtype=np.int64)
    example[place] = np.arange(place.size)
    labels = [str(series[int(row)]) for row in example]
    order = sorted(range(len(labels)), key=labels.__getitem__)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(labels))
    return rank[place], tuple(labels[i] for i in order)


def _check_weights(case: FloatArray | None, problems: list[str]) -> None:
    if case is not None:
        expected = "a finite weight, 0 or more"
        check_rows("weights", ~(case >= 0.0) | np.isinf(case), case, expected, problems)
