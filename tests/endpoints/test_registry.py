"""The endpoints known, their defaults and their names."""

import pytest

from graftline.endpoints import (
    REGISTRY,
    derive_endpoint,
)
from graftline.problems import ProtocolError
from graftline.protocol import shipped_protocol, shipped_protocols
from graftline.rules import references
from tests.endpoints.made import made, made_trial
from tests.endpoints.ten import ten


def test_every_endpoint_of_a_shipped_protocol_is_known_and_cited():
    for name in shipped_protocols():
        protocol = shipped_protocol(name)
        assert set(protocol.endpoints) <= set(REGISTRY)
    assert {spec.source for _, spec in REGISTRY.values()} <= set(references())


def test_unknown_endpoint_is_said_with_the_known_ones():
    trial, answers = ten()
    with pytest.raises(ProtocolError, match="overall_survival"):
        derive_endpoint(trial, answers, "survivall")


def test_registry_folder_counts_from_hspc():
    protocol = shipped_protocol("all-in-one-2024").model_copy(
        update={"index_infusion": "hspc", "endpoints": {}}
    )
    people = {"A": {"end": 300.0, "dead": True, "hsct": 0.0, "car_t": None}}
    rows = derive_endpoint(made_trial(people, protocol=protocol), made([]), "overall_survival")
    assert (rows["origin"].item(), rows["time_days"].item()) == ("hspc", 300.0)
