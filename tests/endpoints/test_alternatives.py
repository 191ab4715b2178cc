"""What is printed beside the protocol's endpoints."""

from graftline.endpoints import (
    alternatives,
    endpoint_spec,
)
from graftline.protocol import shipped_protocol


def test_alternatives_change_one_choice_each():
    protocol = shipped_protocol("all-in-one-2024")
    for other in alternatives(protocol):
        spec = endpoint_spec(protocol, other.endpoint)
        changed = {
            key
            for key in ("origin", "entry", "population", "censor")
            if getattr(spec, key) != getattr(other.spec, key)
        }
        assert changed in ({"origin"}, {"entry"}, {"censor"}, {"origin", "population"})
        assert other.why
