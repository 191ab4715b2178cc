"""Event-free survival of ELN 2022."""

import pytest

from graftline.endpoints import derive_endpoint
from tests.endpoints.made import made, made_trial


class TestEventFree:
    """ELN 2022: no remission by day 60 is an event on day 0."""

    def row(self, person: dict, remission: dict | None, *, relapse: float | None = None):
        rows = []
        if remission is not None:
            rows.append({"patient": "A", "rule": "remission", **remission})
        if relapse is not None:
            rows.append({"patient": "A", "rule": "relapse", "state": "yes", "day": relapse})
        frame = derive_endpoint(
            made_trial({"A": {"hsct": 20.0} | person}), made(rows), "event_free_survival"
        )
        return frame.row(0, named=True) if frame.height else None

    @pytest.mark.parametrize(("day", "time"), [(60.0, 200.0), (60.5, 0.5)])
    def test_remission_on_and_after_the_landmark(self, day, time):
        assert self.row({"end": 200.0}, {"state": "yes", "day": day})["time_days"] == time

    def test_no_remission(self):
        row = self.row({"end": 200.0}, {"state": "no"})
        assert (row["time_days"], row["status"]) == (0.5, 1)
        assert row["cause"] == "no remission by day 60"

    def test_not_at_the_landmark_yet(self):
        row = self.row({"end": 59.0}, {"state": "no"})
        assert (row["time_days"], row["status"]) == (59.0, 0)

    def test_died_early_with_and_without_assessment(self):
        assessed = self.row({"end": 30.0, "dead": True}, {"state": "no"})
        assert assessed["time_days"] == 0.5
        silent = self.row({"end": 30.0, "dead": True}, None)
        assert (silent["time_days"], silent["cause"]) == (30.0, "death without relapse")

    def test_nobody_looked(self):
        unknown = {"state": "not_evaluable", "reason": "no_records"}
        assert self.row({"end": 200.0}, unknown) is None

    def test_relapse_after_remission(self):
        row = self.row({"end": 200.0}, {"state": "yes", "day": 14.0}, relapse=90.0)
        assert (row["time_days"], row["cause"]) == (90.0, "relapse")
