"""Each endpoint as the protocol counts it, and the alternatives printed beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graftline.endpoints import REGISTRY, alternatives, endpoint_spec
from graftline.protocol import Endpoint
from graftline.stats import KaplanMeier, kaplan_meier
from graftline.stats.aalen_johansen import CumulativeIncidence, cumulative_incidence
from graftline.stats.probability_interval import IntervalType
from graftline.tables.format import DAYS_PER_MONTH
from graftline.trial import Trial

YEAR_DAYS = 12 * DAYS_PER_MONTH
_WITHOUT_COMPETING = ("survival", "grfs")
_ORIGINS = {
    "car_t": "CAR-T",
    "hspc": "HSPC",
    "enrolment": "enrolment",
    "first_remission": "first remission",
}


@dataclass(frozen=True, slots=True)
class Analysis:
    """One way of counting one endpoint: its rows, and in words what is counted from when.

    ``endpoint`` is the protocol's name of it, ``variant`` the choice made differently (empty for
    the protocol's own), ``why`` the reason for printing it.
    """

    endpoint: str
    title: str
    origin: str
    variant: str
    why: str
    rows: pl.DataFrame
    horizon_days: float

    @property
    def competing(self) -> bool:
        """Whether other events compete, so that incidence is estimated and not survival."""
        return not any(word in self.endpoint for word in _WITHOUT_COMPETING)

    @property
    def late_entry(self) -> bool:
        """Whether anybody comes under observation after the origin."""
        return bool((self.rows["entry_days"] > 0).any())

    @property
    def undated(self) -> int:
        """Patients whose event happened on a day nobody states: no curve may be drawn then."""
        return self.rows["time_days"].null_count()


def analyses(trial: Trial, endpoints: pl.DataFrame) -> Iterator[Analysis]:
    """Analyses with at least one patient: each endpoint of the protocol, then its alternatives.

    Parameters
    ----------
    endpoints : DataFrame [patient, endpoint, origin, entry_days, time_days, status, cause, assumed]
    """
    parts = {
        str(key[0]): rows
        for key, rows in endpoints.sort("endpoint", "patient")
        .partition_by("endpoint", as_dict=True)
        .items()
    }
    protocol = trial.protocol
    others = alternatives(protocol)
    for name in protocol.endpoints:
        spec = endpoint_spec(protocol, name) if name in REGISTRY else protocol.endpoints[name]
        if name in parts:
            yield _analysis(name, spec, spec, "", parts[name])
        for other in others:
            if other.endpoint == name and other.name in parts:
                yield _analysis(name, spec, other.spec, other.why, parts[other.name])


def endpoint_titles(trial: Trial) -> dict[str, str]:
    """Every way of counting an endpoint by its id: the title of the protocol, or what differs."""
    own = {name: endpoint.title for name, endpoint in trial.protocol.endpoints.items()}
    return own | {other.name: other.title for other in alternatives(trial.protocol)}


def _analysis(name: str, own: Endpoint, spec: Endpoint, why: str, rows: pl.DataFrame) -> Analysis:
    words = []
    if spec.entry == "hspc":
        words.append("delayed entry at HSPC")
    if spec.censor == "last_response" and own.censor != "last_response":
        words.append("censored at the last response assessment")
    if spec.origin != own.origin:
        words.append("other origin")
    return Analysis(
        endpoint=name,
        title=own.title,
        origin=_ORIGINS.get(spec.origin, spec.origin),
        variant="; ".join(words),
        why=why,
        rows=rows,
        horizon_days=spec.horizon_days or YEAR_DAYS,
    )


def observed_times(analysis: Analysis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and entries of the analysis in days, as numbers at risk are counted from."""
    rows = analysis.rows
    return rows["time_days"].to_numpy(), rows["entry_days"].to_numpy()


def estimate_survival(analysis: Analysis, *, interval: IntervalType) -> KaplanMeier:
    """Kaplan-Meier estimate of an endpoint without competing events."""
    rows = analysis.rows
    return kaplan_meier(
        rows["time_days"].to_numpy(),
        (rows["status"] == 1).cast(pl.Int64).to_numpy(),
        entry=rows["entry_days"].to_numpy() if analysis.late_entry else None,
        interval=interval,
    )


def estimate_incidence(analysis: Analysis, *, causes: Sequence[int] = ()) -> CumulativeIncidence:
    """Aalen-Johansen estimate; cause 1 is the event of interest.

    ``causes`` are estimated also where nobody has them; by default those up to the largest found.
    """
    rows = analysis.rows
    largest = rows["status"].max()
    top = int(largest) if isinstance(largest, int) else 0
    return cumulative_incidence(
        rows["time_days"].to_numpy(),
        rows["status"].to_numpy(),
        entry=rows["entry_days"].to_numpy() if analysis.late_entry else None,
        causes=causes or range(1, max(1, top) + 1),
    )
