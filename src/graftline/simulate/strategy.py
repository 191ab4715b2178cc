"""What a simulation does where the protocol is silent, each with the words the reader will see."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from graftline.model.events import DRUGS
from graftline.model.events import Product as ModelProduct
from graftline.problems import InputError, Problem
from graftline.protocol import Protocol, find_protocol, shipped_protocol
from graftline.protocol.strategy import Drug, Visit

MODEL_PRODUCT: Mapping[str, ModelProduct] = MappingProxyType(
    {
        "donor_derived": "donor",
        "prior_donor": "earlier_donor",
        "universal": "universal",
        "autologous": "autologous",
    }
)
# how many of the published cohort got each product, in the order of the protocol file
_PRODUCT_SHARES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"all-in-one-2024": (0.9, 0.1), "all-in-one-2025": (15 / 19, 4 / 19)}
)
FIRST_DAY = -5.0
_PATTERN = "all-in-one-2024"
_ASSUMED_DOSE = 2e6
_CONVENTIONAL_DRUGS = ("graft.conditioning", "graft.gvhd_prophylaxis")


@dataclass(frozen=True, slots=True)
class Plan:
    """A protocol made complete enough to simulate.

    ``assumed`` says in words what the protocol does not state. ``hsct`` is ``gate`` (everybody who
    passes it), ``physician`` or ``none``.
    """

    protocol: Protocol
    product_types: tuple[str, ...]
    product_shares: tuple[float, ...]
    doses_per_kg: tuple[float, ...]
    lymphodepletion: tuple[Drug, ...]
    visits: tuple[Visit, ...]
    hsct: str
    hsct_wait_days: tuple[float, float]
    window_days: tuple[float, float]
    salvage_after_day: float | None
    conditioning: bool
    prophylaxis: bool
    fixed_hsct_day: float | None
    negative_share_factor: float
    cd34_factor: float
    assumed: tuple[str, ...]


def plan_of(
    protocol: Protocol,
    *,
    hsct_day: float | None = None,
    no_hsct: bool = False,
    car_t_dose_factor: float = 1.0,
    cd34_factor: float = 1.0,
    without_drugs: tuple[str, ...] = (),
    prophylaxis: bool | None = None,
    negative_share_factor: float = 1.0,
) -> Plan:
    """Fill in what the protocol leaves open, and apply what-ifs.

    Parameters
    ----------
    protocol : Protocol
    hsct_day : float, optional
        Day of HSCT for everybody alive, without asking the gate.
    no_hsct : bool
        Nobody is transplanted.
    car_t_dose_factor, cd34_factor : float
        Multiply the CAR-T dose and the CD34+ dose.
    without_drugs : tuple of str
        Drugs left out of lymphodepletion.
    prophylaxis : bool, optional
        GVHD prophylaxis whatever the protocol says.
    negative_share_factor : float
        Multiplies the CD7-negative share of the leukaemia.
    """
    assumed: list[str] = []
    doses = tuple(
        (p.dose_cells_per_kg or _ASSUMED_DOSE) * car_t_dose_factor for p in protocol.products
    )
    if any(p.dose_cells_per_kg is None for p in protocol.products):
        assumed.append(f"CAR-T dose {_ASSUMED_DOSE:g} cells/kg: the protocol does not state it")
    depletion = _lymphodepletion(protocol, assumed)
    visits = protocol.visits or shipped_protocol(_PATTERN).visits
    if not protocol.visits:
        assumed.append(f"visits as in {_PATTERN}: the protocol has none")
    conventional = set(_CONVENTIONAL_DRUGS) <= set(protocol.not_stated)
    conditioned = bool(protocol.graft.conditioning) or ("graft.conditioning" in protocol.not_stated)
    protected = bool(protocol.graft.gvhd_prophylaxis) or (
        "graft.gvhd_prophylaxis" in protocol.not_stated
    )
    if conventional or conditioned:
        assumed.append(
            "conditioning: myeloablative, 4 logs of recipient stem cells, 3 of T cells and CAR-T; "
            "in-vivo T-cell depletion leaves 2 % of the graft's alloreactivity"
        )
    if protected:
        assumed.append(
            "GVHD prophylaxis to day 90 after HSCT, halved to day 180: alloreactivity and CAR-T "
            "expansion to 30 %, T-cell growth to 70 %"
        )
    physician = protocol.graft.planned == "physician's choice"
    if physician:
        assumed.append(
            "physician's choice: 73 % of patients in remission go to HSCT, around day 57"
        )
    never = no_hsct or protocol.graft.planned == "none"
    shares = _PRODUCT_SHARES.get(protocol.name)
    if shares is None or len(shares) != len(protocol.products):
        shares = tuple(1.0 / len(protocol.products) for _ in protocol.products)
    return Plan(
        protocol=protocol,
        product_types=tuple(p.type for p in protocol.products),
        product_shares=shares,
        doses_per_kg=doses,
        lymphodepletion=tuple(d for d in depletion if d.drug not in without_drugs),
        visits=visits,
        hsct="none" if never else "physician" if physician else "gate",
        hsct_wait_days=(14.0, 28.0) if conditioned else (1.0, 4.0),
        window_days=protocol.graft.window_days or (1.0, 180.0),
        salvage_after_day=None if never else protocol.graft.salvage_after_day,
        conditioning=conditioned,
        prophylaxis=protected if prophylaxis is None else prophylaxis,
        fixed_hsct_day=hsct_day,
        negative_share_factor=negative_share_factor,
        cd34_factor=cd34_factor,
        assumed=tuple(assumed),
    )


def protocol_to_simulate(name_or_file: str) -> Protocol:
    """A protocol that ships, or of one's own, if the model can follow it.

    Raises
    ------
    InputError
        It is not known, gives no CAR-T, or gives drugs or days of lymphodepletion that the model
        does not hold; everything at once.
    """
    protocol = find_protocol(name_or_file)
    file = name_or_file if name_or_file.endswith(".toml") else f"{name_or_file}.toml"
    problems = []
    if not protocol.products:
        problems.append(
            Problem(
                file,
                "a protocol that gives CAR-T",
                "the model holds CAR-T with or without HSCT; choose another protocol",
                column="products",
            )
        )
    for place, drug in enumerate(protocol.lymphodepletion, start=1):
        column = f"lymphodepletion.{place}"
        if drug.drug not in DRUGS:
            problems.append(
                Problem(
                    file,
                    f"one of {', '.join(DRUGS)}: the model holds no other drug",
                    "leave the drug out of the simulated protocol, or give another instead",
                    column=f"{column}.drug",
                    found=drug.drug,
                )
            )
        outside = [day for day in drug.days if not FIRST_DAY <= day < 0]
        if outside:
            problems.append(
                Problem(
                    file,
                    f"days {FIRST_DAY:g} to -1: virtual patients begin on day {FIRST_DAY:g}",
                    "move the doses into these days in the simulated protocol",
                    column=f"{column}.days",
                    found=", ".join(str(day) for day in outside),
                )
            )
    if problems:
        raise InputError(problems)
    return protocol


def _lymphodepletion(protocol: Protocol, assumed: list[str]) -> tuple[Drug, ...]:
    pattern = shipped_protocol(_PATTERN).lymphodepletion
    if protocol.lymphodepletion and all(
        d.dose is not None and d.days for d in protocol.lymphodepletion
    ):
        return protocol.lymphodepletion
    assumed.append(f"lymphodepletion as in {_PATTERN}: the protocol does not state its doses")
    return pattern
