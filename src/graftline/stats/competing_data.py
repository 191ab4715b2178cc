"""Times, causes, entries, weights and groups of patients, checked before anything is estimated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graftline.stats.event_counts import FloatArray, IntArray
from graftline.stats.inputs import (
    StatsInputError,
    check_lengths,
    check_rows,
    check_times,
    label_places,
    number_array,
    raise_problems,
)

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
