"""Reading protocol files: overrides, all faults at once, and files that cannot be read."""

from datetime import date

import pytest

from graftline.problems import ProtocolError, Severity
from graftline.protocol import (
    find_protocol,
    parse_protocol,
    protocol_text,
    read_trial_protocol,
    shipped_protocol,
)
from graftline.protocol.strategy import Endpoint


def written(tmp_path, text: str):
    path = tmp_path / "protocol.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_protocol_with_overrides(tmp_path):
    path = written(
        tmp_path,
        """
        [trial]
        name = "ours"
        protocol = "all-in-one-2024"
        data_cut = 2023-11-08
        [definitions]
        response = "eln2022"
        [graft]
        donor = "sibling"
        """,
    )
    protocol, settings = read_trial_protocol(path)
    shipped = shipped_protocol("all-in-one-2024")
    assert protocol.definitions.response == "eln2022"
    # what is not overridden stays
    assert protocol.definitions.mrd == shipped.definitions.mrd
    assert protocol.graft.donor == "sibling"
    assert protocol.graft.window_days == shipped.graft.window_days
    assert protocol.gate == shipped.gate
    assert (settings.name, settings.data_cut) == ("ours", date(2023, 11, 8))


def test_name_of_the_folder_where_none_is_given(tmp_path):
    folder = tmp_path / "my-trial"
    folder.mkdir()
    path = written(folder, '[trial]\nprotocol = "ns7car"\n')
    assert read_trial_protocol(path)[1].name == "my-trial"


def test_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "protocol.toml"
    path.write_bytes(b"\xef\xbb\xbf" + b'[trial]\nprotocol = "ns7car"\n')
    assert read_trial_protocol(path)[0].name == "ns7car"


def test_missing_file_is_unreadable(tmp_path):
    with pytest.raises(ProtocolError) as raised:
        read_trial_protocol(tmp_path / "protocol.toml")
    assert raised.value.problems[0].severity is Severity.UNREADABLE


@pytest.mark.parametrize("content", [b"[trial\n", b"\xff\xfe\x00", b"name = \n"])
def test_not_toml_is_unreadable(tmp_path, content):
    path = tmp_path / "protocol.toml"
    path.write_bytes(content)
    with pytest.raises(ProtocolError) as raised:
        read_trial_protocol(path)
    assert raised.value.problems[0].severity is Severity.UNREADABLE


def test_every_fault_of_a_protocol_is_named():
    with pytest.raises(ProtocolError) as raised:
        parse_protocol(
            {
                "name": "x",
                "title": "x",
                "citations": [],
                "graft": {"planned": "sometimes", "donor": "any", "source": "graftline"},
                "definitions": {"response": "recist"},
                "conditionning": [],
            },
            file="protocol.toml",
        )
    columns = {p.column for p in raised.value.problems}
    assert columns == {"graft.planned", "definitions.response", "conditionning"}


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ('data_cut = "8 November"', "trial.data_cut"),
        ('data_cut_day = "90"', "trial.data_cut_day"),
        ('simulated = "no"', "trial.simulated"),
        ('decimal = ";"', "trial.decimal"),
        ("dose = 3", "trial.dose"),
    ],
)
def test_wrong_settings_name_their_key(tmp_path, line, column):
    path = written(tmp_path, f'[trial]\nprotocol = "ns7car"\n{line}\n')
    with pytest.raises(ProtocolError) as raised:
        read_trial_protocol(path)
    assert [p.column for p in raised.value.problems] == [column]


def test_unknown_strategy_lists_those_that_ship(tmp_path):
    path = written(tmp_path, '[trial]\nprotocol = "all-in-one-2023"\n')
    with pytest.raises(ProtocolError, match="universal-cd7"):
        read_trial_protocol(path)


def test_stopping_rule_has_no_defaults_for_what_a_protocol_must_say():
    # definitions, section 8.3: limit, cutoff, maximum n and window are the protocol's own
    with pytest.raises(ProtocolError) as raised:
        parse_protocol(
            {
                "name": "x",
                "title": "x",
                "citations": [],
                "graft": {"planned": "none", "donor": "none", "source": "graftline"},
                "stopping": [{"id": "a", "event": "death", "source": "graftline"}],
            },
            file="protocol.toml",
        )
    missing = {(p.column or "").rsplit(".", 1)[-1] for p in raised.value.problems}
    assert missing == {"limit", "cutoff", "prior", "maximum_n", "window_days"}


def test_whole_numbers_and_flags_keep_their_kind():
    gate = shipped_protocol("all-in-one-2024").gate
    values = {c.variable: c.value for one in gate for c in one.any_of}
    assert values["cellularity_percent"] == 25
    assert values["pancytopenia"] is True
    assert values["prior_allo_hsct"] is False


def test_protocols_cannot_be_changed_in_place():
    endpoint = Endpoint(title="x", source="graftline")
    with pytest.raises(ValueError, match="frozen"):
        endpoint.origin = "hspc"  # type: ignore[misc]  # that is what is tested


OWN = """selection = "all_enrolled"
selection_source = "own trial"  # a [note] in brackets

[trial]
protocol = "all-in-one-2024"
title = "Ours"
data_cut_day = 400.0

[graft]
window_days = [20, 40]
"""


def test_a_protocol_is_found_by_name_by_file_and_by_folder(tmp_path):
    path = written(tmp_path, OWN)
    assert find_protocol("ns7car") == shipped_protocol("ns7car")
    assert find_protocol(str(path)).graft.window_days == (20, 40)
    assert find_protocol(str(tmp_path)) == find_protocol(str(path))


@pytest.mark.parametrize("name", ["all-in-one-2023", "no-folder/protocol.toml"])
def test_a_protocol_that_is_nowhere_is_an_error(name):
    with pytest.raises(ProtocolError):
        find_protocol(name)


# law: a written protocol says what the one it came from says, under its own [trial]
@pytest.mark.parametrize("own", [OWN, None])
def test_a_protocol_written_again_is_the_same_protocol(tmp_path, own):
    name = "universal-cd7" if own is None else str(written(tmp_path, own))
    text = protocol_text(name, trial={"title": 'A "new" one', "simulated": True})
    (tmp_path / "again").mkdir()
    again = tmp_path / "again" / "protocol.toml"
    again.write_text(text, encoding="utf-8")
    protocol, settings = read_trial_protocol(again)
    assert protocol == find_protocol(name)
    assert settings.title == 'A "new" one'
    assert settings.simulated
    assert settings.data_cut_day is None
