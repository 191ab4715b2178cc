"""The strategies of the field as typed data."""

from graftline.protocol.read import (
    TrialSettings,
    find_protocol,
    parse_protocol,
    protocol_text,
    read_trial_protocol,
    shipped_protocol,
    shipped_protocol_text,
    shipped_protocols,
    unknown_name,
)
from graftline.protocol.strategy import (
    Comparison,
    Criterion,
    Definitions,
    Drug,
    Endpoint,
    Graft,
    Product,
    Protocol,
    StoppingRule,
    Visit,
)

__all__ = [
    "Comparison",
    "Criterion",
    "Definitions",
    "Drug",
    "Endpoint",
    "Graft",
    "Product",
    "Protocol",
    "StoppingRule",
    "TrialSettings",
    "Visit",
    "find_protocol",
    "parse_protocol",
    "protocol_text",
    "read_trial_protocol",
    "shipped_protocol",
    "shipped_protocol_text",
    "shipped_protocols",
    "unknown_name",
]
