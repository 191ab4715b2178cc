"""Protocols of one's own go through the model as those that ship."""

import polars as pl
import pytest

from graftline.problems import InputError
from graftline.simulate.campaign import plan_campaign, simulate_endpoints
from graftline.simulate.strategy import protocol_to_simulate
from graftline.simulate.trial import FollowUp, simulate_folder
from graftline.trial.read import read_trial

SAME = '[trial]\nprotocol = "all-in-one-2024"\ntitle = "Ours"\n'
LATER = (
    SAME
    + """
[graft]
window_days = [25, 40]

[[lymphodepletion]]
drug = "fludarabine"
dose = 30
days = [-5, -4, -3]
source = "own"

[[lymphodepletion]]
drug = "cyclophosphamide"
dose = 10
unit = "mg/kg"
days = [-4, -3]
source = "own"
"""
)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "protocol.toml"

    def written(text):
        path.write_text(text, encoding="utf-8")
        return path

    return written


def simulated(protocol, folder):
    simulate_folder(protocol, 6, 1, folder, followup=FollowUp(90, 0), threads=1)
    return read_trial(folder)


# law: a file that only names a shipped strategy is that strategy
def test_the_same_protocol_gives_the_same_records(own, tmp_path):
    one = simulated("all-in-one-2024", tmp_path / "one")
    two = simulated(str(own(SAME)), tmp_path / "two")
    for name, table in one.tables.items():
        assert table.equals(two.tables[name]), name


def test_drugs_are_given_on_their_own_days_and_the_window_is_kept(own, tmp_path):
    trial = simulated(str(own(LATER).parent), tmp_path / "later")
    drugs = trial["drugs"].filter(pl.col("indication") == "lymphodepletion")
    given = drugs.select("drug", "start_day", "end_day").unique().sort("drug").rows()
    assert given == [("cyclophosphamide", -4.0, -3.0), ("fludarabine", -5.0, -3.0)]
    grafted = trial["infusions"].filter(pl.col("kind") == "hspc")
    assert grafted.height
    assert grafted["day"].is_between(25, 40).all()
    assert trial.protocol == protocol_to_simulate(str(tmp_path / "protocol.toml"))


def test_what_the_model_does_not_hold_is_refused_at_once(own):
    text = LATER.replace("fludarabine", "melphalan").replace("[-4, -3]", "[-7, -3, 1]")
    with pytest.raises(InputError) as raised:
        protocol_to_simulate(str(own(text)))
    found = {(p.column, p.found) for p in raised.value.problems}
    assert found == {("lymphodepletion.1.drug", "melphalan"), ("lymphodepletion.2.days", "-7, 1")}


# a worker of a campaign may not see the file
def test_a_campaign_holds_its_protocol(own):
    path = own(LATER)
    campaign = plan_campaign(str(path), 6, 1, chunk=6, longest_days=60)
    path.unlink()
    endpoints, failures = simulate_endpoints(campaign, 0)
    assert not failures
    assert set(endpoints["patient"]) == {f"V{k:07}" for k in range(6)}
