"""Times, causes, entries, weights and groups of patients, checked before anything is estimated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from graftline.stats.event_counts import FloatArray, IntArray


class StatsInputError(ValueError):
    """Arrays that cannot be analysed as they are; names the rows and the remedy."""


_SHOWN = 10
_MOST_CAUSES = 100


@dataclass(frozen=True, slots=True)
class CompetingData:
    """Checked arrays of equal length, patients of weight zero left out.

    ``cause`` is 0 for censored and 1..k for the place in ``causes``; ``group`` and ``stratum`` are
    places in the sorted ``labels`` and ``strata_labels``.
    """

    time: FloatArray
    cause: IntArray
    causes: tuple[int, ...]
    entry: FloatArray | None
    weights: FloatArray | None
    group: IntArray | None
    labels: tuple[object, ...]
    stratum: IntArray | None
    strata_labels: tuple[object, ...]

    def only(self, rows: NDArray[np.bool_]) -> "CompetingData":
        """The patients chosen."""
        return CompetingData(
            self.time[rows],
            self.cause[rows],
            self.causes,
            None if self.entry is None else self.entry[rows],
            None if self.weights is None else self.weights[rows],
            None if self.group is None else self.group[rows],
            self.labels,
            None if self.stratum is None else self.stratum[rows],
            self.strata_labels,
        )


def competing_data(
    time: ArrayLike,
    status: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    causes: Sequence[int] | None = None,
    group: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> CompetingData:
    """Check and convert; every problem of every argument is reported together.

    Raises
    ------
    StatsInputError
    """
    problems: list[str] = []
    times = number_array("time", time, problems)
    codes = number_array("status", status, problems)
    entries = None if entry is None else number_array("entry", entry, problems)
    case = None if weights is None else number_array("weights", weights, problems)
    groups, labels = (None, ()) if group is None else label_places("group", group, problems)
    levels, level_labels = (
        (None, ()) if strata is None else label_places("strata", strata, problems)
    )
    check_lengths(
        {
            "time": times,
            "status": codes,
            "entry": entries,
            "weights": case,
            "group": groups,
            "strata": levels,
        },
        problems,
    )
    raise_problems(problems)
    check_times(times, entries, problems)
    if case is not None:
        check_rows(
            "weights", ~(case >= 0.0) | np.isinf(case), case, "a finite weight, 0 or more", problems
        )
    known = _causes(codes, causes, problems)
    raise_problems(problems)
    data = CompetingData(
        times, _places(codes, known), known, entries, case, groups, labels, levels, level_labels
    )
    if case is not None and np.any(case == 0.0):
        data = data.only(case > 0.0)
    if data.time.size == 0:
        raise StatsInputError("time: found no patients\n  expected at least one row")
    return data


def number_array(name: str, values: ArrayLike, problems: list[str]) -> FloatArray:
    """One-dimensional float array; text and other shapes become problems."""
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
    series = (
        values if isinstance(values, pl.Series) else pl.Series(name, np.asarray(values).tolist())
    )
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan()
    if missing.any():
        rows = np.flatnonzero(missing.to_numpy())
        problems.append(
            f"{name}: no label in {row_list(rows)}\n  expected a label in every row\n"
            "  leave out those patients, or give them a label of their own"
        )
        return np.zeros(len(series), dtype=np.int64), ()
    labels = series.unique().sort()
    lookup = pl.DataFrame({"label": labels, "place": np.arange(len(labels), dtype=np.int64)})
    placed = pl.DataFrame({"label": series}).join(
        lookup, on="label", how="left", maintain_order="left", validate="m:1"
    )
    return placed["place"].to_numpy(), tuple(labels.to_list())


def check_lengths(arrays: dict[str, NDArray[np.generic] | None], problems: list[str]) -> None:
    """Every array as long as the first."""
    present = {name: array.shape[0] for name, array in arrays.items() if array is not None}
    first = next(iter(present))
    problems.extend(
        f"{name}: found {size} values\n  expected {present[first]}, as many as {first} has"
        for name, size in present.items()
        if size != present[first]
    )


def check_times(times: FloatArray, entries: FloatArray | None, problems: list[str]) -> None:
    """Times finite and not negative, entry before the time (or both 0)."""
    expected = "a finite time, 0 or later"
    check_rows("time", ~(times >= 0.0) | np.isinf(times), times, expected, problems)
    if entries is None:
        return
    check_rows("entry", ~(entries >= 0.0) | np.isinf(entries), entries, expected, problems)
    late = (entries >= times) & ~((entries == 0.0) & (times == 0.0))
    check_rows("entry", late, entries, "an entry before the row's own time", problems)


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


def _causes(
    codes: FloatArray, causes: Sequence[int] | None, problems: list[str]
) -> tuple[int, ...]:
    whole = "0 for censored or a whole number 1, 2, ... for the cause"
    odd = ~(codes >= 0.0) | np.isinf(codes)
    odd[~odd] = codes[~odd] != np.floor(codes[~odd])
    check_rows("status", odd, codes, whole, problems)
    if causes is None:
        largest = 1.0 if codes.size == 0 or np.any(odd) else max(1.0, float(codes.max()))
        if largest > _MOST_CAUSES:
            problems.append(
                f"status: found codes up to {largest:g}\n  expected 0 or a cause from 1 to "
                f"{_MOST_CAUSES}\n  name the codes in `causes` if they are right"
            )
            return (1,)
        return tuple(range(1, int(largest) + 1))
    known = tuple(int(cause) for cause in causes)
    if not known or min(known) < 1 or len(set(known)) != len(known):
        problems.append(f"causes: found {list(causes)}\n  expected different whole numbers from 1")
        return (1,)
    unknown = ~odd & ~np.isin(codes, (0, *known))
    check_rows("status", unknown, codes, f"0 or one of the causes {list(known)}", problems)
    return known


def _places(codes: FloatArray, causes: tuple[int, ...]) -> IntArray:
    if causes == tuple(range(1, len(causes) + 1)):
        return codes.astype(np.int64)
    places = np.zeros(max(causes) + 1, dtype=np.int64)
    places[list(causes)] = np.arange(1, len(causes) + 1)
    return np.asarray(places[codes.astype(np.int64)])
