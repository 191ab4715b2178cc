"""What is printed beside the protocol's endpoints: the same, with one choice made differently."""

from dataclasses import dataclass
from typing import Final

from graftline.endpoints.registry import endpoint_spec
from graftline.protocol import Endpoint
from graftline.protocol import Protocol as Strategy

_SURVIVAL: Final = (
    "overall_survival",
    "disease_free_survival",
    "relapse",
    "non_relapse_mortality",
)
_ASSESSED: Final = (
    "disease_free_survival",
    "event_free_survival",
    "relapse_free_survival",
    "relapse",
)


@dataclass(frozen=True, slots=True)
class Alternative:
    """An endpoint printed beside the protocol's own, with one choice made differently.

    ``name`` is what the ``endpoint`` column of its rows says.
    """

    name: str
    endpoint: str
    title: str
    why: str
    spec: Endpoint


def alternatives(protocol: Strategy) -> tuple[Alternative, ...]:
    """The endpoints printed beside the protocol's own, each with one choice made differently.

    From HSCT where the protocol counts from CAR-T, and the reverse; entry at HSCT (left truncation)
    where reaching HSCT is a condition but time starts at CAR-T; censoring at the last response
    assessment (strict) where the protocol censors at last contact.
    """
    found = []
    for name in protocol.endpoints:
        spec = endpoint_spec(protocol, name)
        found += _other_origin(protocol, name, spec)
        if (
            name in _SURVIVAL
            and spec.origin == "car_t"
            and spec.entry == "origin"
            and spec.population == "transplanted"
        ):
            found.append(
                Alternative(
                    f"{name}_entry_at_hsct",
                    name,
                    f"{spec.title}, entry at HSCT",
                    "nobody can die between CAR-T and HSCT in patients selected for reaching HSCT; "
                    "entry at HSCT takes the guaranteed time out of the risk sets",
                    spec.model_copy(update={"entry": "hspc"}),
                )
            )
        if name in _ASSESSED and spec.censor == "last_contact":
            found.append(
                Alternative(
                    f"{name}_strict",
                    name,
                    f"{spec.title}, censored at the last response assessment",
                    "a contact without assessment shows nobody free of disease",
                    spec.model_copy(update={"censor": "last_response"}),
                )
            )
    return tuple(found)


def _other_origin(protocol: Strategy, name: str, spec: Endpoint) -> list[Alternative]:
    if name not in _SURVIVAL or protocol.index_infusion != "car_t":
        return []
    if spec.origin == "car_t":
        changed = {"origin": "hspc", "population": "transplanted", "entry": "origin"}
        return [
            Alternative(
                f"{name}_from_hsct",
                name,
                f"{spec.title} from HSCT",
                "for comparison with transplant series, which count from HSCT",
                spec.model_copy(update=changed),
            )
        ]
    if spec.origin == "hspc":
        return [
            Alternative(
                f"{name}_from_car_t",
                name,
                f"{spec.title} from CAR-T",
                "CAR-T is where the strategy begins",
                spec.model_copy(update={"origin": "car_t", "population": "infused"}),
            )
        ]
    return []
