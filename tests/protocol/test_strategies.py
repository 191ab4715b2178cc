"""The strategies that ship, against what their sources state (definitions, section 8.1)."""

import pytest

from graftline.protocol import Protocol, shipped_protocol, shipped_protocols
from graftline.rules import references

NAMES = (
    "all-in-one-2024",
    "all-in-one-2025",
    "allogeneic-hsct",
    "bridge-to-conventional-hsct",
    "ns7car",
    "universal-cd7",
)


def test_what_ships():
    assert shipped_protocols() == NAMES


def sources(protocol: Protocol) -> list[str]:
    parts = [
        *protocol.products,
        *protocol.lymphodepletion,
        protocol.graft,
        *protocol.graft.conditioning,
        *protocol.graft.gvhd_prophylaxis,
        *protocol.eligibility,
        *protocol.gate,
        *protocol.safety,
        *protocol.visits,
        *protocol.endpoints.values(),
        *protocol.stopping,
    ]
    return [part.source for part in parts] + [protocol.selection_source]


@pytest.mark.parametrize("name", NAMES)
def test_every_value_names_a_source_that_exists(name):
    protocol = shipped_protocol(name)
    assert protocol.name == name
    assert set(protocol.citations) <= set(references())
    for source in sources(protocol):
        assert source.split(":")[0].split(",")[0] in references(), source


@pytest.mark.parametrize("name", NAMES)
def test_a_stated_part_is_never_called_unstated(name):
    protocol = shipped_protocol(name)
    if "graft.conditioning" in protocol.not_stated:
        assert protocol.graft.conditioning == ()
    if "lymphodepletion" in protocol.not_stated:
        assert protocol.lymphodepletion == ()
    if "graft.window_days" in protocol.not_stated:
        assert protocol.graft.window_days is None


def test_no_seed_trial_publishes_a_stopping_rule():
    assert all(shipped_protocol(name).stopping == () for name in NAMES)


def test_2024_as_published():
    protocol = shipped_protocol("all-in-one-2024")
    doses = {p.type: p.dose_cells_per_kg for p in protocol.products}
    assert doses == {"donor_derived": 2e6, "universal": 5e6}
    drugs = {d.drug: (d.dose, d.unit, len(d.days)) for d in protocol.lymphodepletion}
    assert drugs == {
        "fludarabine": (30, "mg/m2", 5),
        "cyclophosphamide": (300, "mg/m2", 5),
        "etoposide": (100, "mg", 5),
    }
    assert [c.id for c in protocol.gate] == [
        "remission",
        "aplasia",
        "car_t_detectable",
        "no_prior_allo_hsct",
    ]
    assert protocol.selection == "reached_hsct"


def test_2025_allows_an_earlier_transplant_and_states_no_doses():
    protocol = shipped_protocol("all-in-one-2025")
    assert not any("prior_allo" in c.id for c in (*protocol.gate, *protocol.eligibility))
    assert {p.dose_cells_per_kg for p in protocol.products} == {2e6}
    assert [d.drug for d in protocol.lymphodepletion] == [
        "fludarabine",
        "cyclophosphamide",
        "etoposide",
    ]
    assert all(d.dose is None for d in protocol.lymphodepletion)
    assert protocol.graft.window_days == (10, 32)
    assert protocol.endpoints["overall_survival"].population == "infused"


def test_universal_is_third_party_with_a_new_hspc_donor():
    protocol = shipped_protocol("universal-cd7")
    (product,) = protocol.products
    assert (product.type, product.dose_cells_per_kg) == ("universal", 5e6)
    assert "not the CAR-T donor" in protocol.graft.donor
    assert protocol.gate == shipped_protocol("all-in-one-2024").gate
    assert protocol.lymphodepletion == shipped_protocol("all-in-one-2024").lymphodepletion


def test_ns7car_is_autologous_and_has_no_gate():
    protocol = shipped_protocol("ns7car")
    (product,) = protocol.products
    assert (product.type, product.dose_cells_per_kg) == ("autologous", 1e6)
    assert protocol.graft.planned == "physician's choice"
    assert protocol.gate == ()
    assert "gate" in protocol.not_stated
    assert len(protocol.registration) == 5


def test_bridge_has_conditioning_that_nobody_states():
    protocol = shipped_protocol("bridge-to-conventional-hsct")
    assert {"graft.conditioning", "graft.gvhd_prophylaxis"} <= set(protocol.not_stated)
    # the all-in-one strategies state that there is none
    for name in ("all-in-one-2024", "all-in-one-2025", "universal-cd7"):
        stated = shipped_protocol(name)
        assert stated.graft.conditioning == ()
        assert "graft.conditioning" not in stated.not_stated


def test_hsct_without_car_t_counts_from_hspc():
    protocol = shipped_protocol("allogeneic-hsct")
    assert protocol.index_infusion == "hspc"
    assert {e.origin for e in protocol.endpoints.values()} == {"hspc"}
    assert {e.population for e in protocol.endpoints.values()} == {"transplanted"}
    assert protocol.products == ()


@pytest.mark.parametrize("name", NAMES)
def test_safety_list_stands_beside_every_way_that_begins_with_car_t(name):
    protocol = shipped_protocol(name)
    if protocol.index_infusion == "car_t":
        assert {c.id for c in protocol.safety} >= {"infection_controlled", "donor_ready"}
