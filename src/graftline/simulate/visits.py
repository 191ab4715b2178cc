"""When a virtual patient is seen, and what is looked at: the protocol's visits, and what follows.

Where a protocol's schedule ends, follow-up goes on by rules of graftline: blood counts daily to
day 42 after HSCT, weekly to day 100, then monthly; without HSCT every fourth day to day 100, then
monthly; marrow every 90 days.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graftline.protocol.strategy import Visit

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

_KINDS = {
    "labs.car_t_qpcr": "kinetics",
    "labs.car_t_flow": "kinetics",
    "labs.anc": "counts",
    "labs.platelets": "counts",
    "vitals": "vitals",
    "marrow": "marrow",
    "chimerism": "chimerism",
}
_DAILY_AFTER_HSCT = 42
_WEEKLY_AFTER_HSCT = 100
_MONTH, _QUARTER = 30, 90


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days with a visit, by what is looked at: from CAR-T, and from HSPC; index is the day."""

    car_t: dict[str, Booleans]
    hspc: dict[str, Booleans]


@dataclass(frozen=True, slots=True)
class Due:
    """What is looked at on one day, per patient."""

    counts: Booleans
    vitals: Booleans
    kinetics: Booleans
    marrow: Booleans
    chimerism: Booleans
    viral: Booleans
    gvhd: Booleans

    @property
    def any(self) -> Booleans:
        """Who is seen at all."""
        seen: Booleans = np.any(
            [self.counts, self.kinetics, self.marrow, self.chimerism, self.viral, self.gvhd], axis=0
        )
        return seen


def calendar_of(visits: tuple[Visit, ...], last_day: int) -> Calendar:
    """Calendar of a protocol's visits up to a day; past its last day every 90 days."""
    kinds = sorted(set(_KINDS.values()))
    days = {
        origin: {kind: np.zeros(last_day + 1, dtype=np.bool_) for kind in kinds}
        for origin in ("car_t", "hspc")
    }
    for visit in visits:
        planned = np.array([d for d in visit.days if 0 <= d <= last_day], dtype=np.int64)
        for what in visit.what.split(","):
            kind = _KINDS.get(what.strip())
            if kind is not None:
                days[visit.origin][kind][planned] = True
    for origin, kind in (("car_t", "kinetics"), ("hspc", "marrow"), ("hspc", "chimerism")):
        _go_on(days[origin][kind])
    return Calendar(days["car_t"], days["hspc"])


def _go_on(days: Booleans) -> None:
    planned = np.flatnonzero(days)
    start = int(planned[-1]) if planned.size else 0
    days[np.arange(start + _QUARTER, days.size, _QUARTER)] = True


def due_on(calendar: Calendar, day: int, hsct_day: Floats, active_gvhd: Booleans) -> Due:
    """What is due on a day from CAR-T.

    Parameters
    ----------
    hsct_day : array [n]; NaN without HSCT so far. On the day itself the patient counts as before.
    active_gvhd : boolean array [n]
    """
    grafted = hsct_day < day
    since = np.where(grafted, day - hsct_day, 0.0).astype(np.int64)
    before = ~grafted
    # clinics of later weeks fall on the same days for everybody, so that a chunk is seen together
    weekly, monthly = day % 7 == 0, day % _MONTH == 0
    daily = grafted & (since <= _DAILY_AFTER_HSCT)
    early = grafted & (since <= _WEEKLY_AFTER_HSCT)
    late = grafted & (since > _WEEKLY_AFTER_HSCT)
    waiting = before & (day > 28) & (day % (4 if day <= 100 else _MONTH) == 0)
    from_car_t = {kind: days[day] for kind, days in calendar.car_t.items()}
    nobody = np.zeros(len(hsct_day), dtype=np.bool_)
    after = {kind: grafted & days[since] for kind, days in calendar.hspc.items()}
    surveyed = before & (day > 30) & ((day in (60, 90)) or day % _QUARTER == 0)
    skin_looked_at = (active_gvhd & early & (day % 7 == 3)) | (weekly and 0 < day <= 28)
    checked = (early & weekly) | (late & monthly)
    return Due(
        counts=daily | checked | waiting | (from_car_t["counts"] | nobody) | after["marrow"],
        vitals=from_car_t["vitals"] | nobody,
        kinetics=from_car_t["kinetics"] | nobody,
        marrow=(before & from_car_t["marrow"]) | surveyed | after["marrow"],
        chimerism=after["chimerism"],
        viral=(early & weekly) | (late & monthly & (since <= 180)) | (nobody | (day in (0, 14))),
        gvhd=checked | skin_looked_at,
    )
