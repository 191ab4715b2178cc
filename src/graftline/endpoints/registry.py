"""The endpoints graftline knows: how their events are found, and what each is by default."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from graftline.endpoints.disease_free_survival import disease_free_survival, relapse_free_survival
from graftline.endpoints.engraftment_time import engraftment
from graftline.endpoints.event_free_survival import event_free_survival
from graftline.endpoints.events import Happenings
from graftline.endpoints.gvhd_free import grfs, refined_grfs
from graftline.endpoints.gvhd_incidence import acute_gvhd, chronic_gvhd
from graftline.endpoints.nrm import non_relapse_mortality
from graftline.endpoints.overall_survival import overall_survival
from graftline.endpoints.people import Answers
from graftline.endpoints.relapse_incidence import relapse_incidence
from graftline.endpoints.viral_reactivation import viral_reactivation
from graftline.protocol import Endpoint, unknown_name
from graftline.protocol import Protocol as Strategy
from graftline.trial import Trial


class Happens(Protocol):
    """How an endpoint finds its events."""

    def __call__(self, people: pl.DataFrame, trial: Trial, assessed: Answers) -> Happenings:
        """Events of one endpoint and the patients it cannot be told for."""


def _car_t(title: str, source: str) -> Endpoint:
    return Endpoint(title=title, source=source)


def _hspc(title: str, source: str, *, horizon_days: float | None = None) -> Endpoint:
    return Endpoint(
        title=title,
        origin="hspc",
        population="transplanted",
        horizon_days=horizon_days,
        source=source,
    )


_MODERATE = ("moderate", "severe")
# name -> how its events are found, and what it is where the protocol does not say
REGISTRY: Final[Mapping[str, tuple[Happens, Endpoint]]] = MappingProxyType(
    {
        "overall_survival": (overall_survival, _car_t("Overall survival", "iacobelli2013")),
        "disease_free_survival": (
            disease_free_survival,
            _car_t("Disease-free survival", "iacobelli2013"),
        ),
        "event_free_survival": (event_free_survival, _car_t("Event-free survival", "dohner2022")),
        "relapse_free_survival": (
            relapse_free_survival,
            Endpoint(
                title="Relapse-free survival",
                origin="first_remission",
                population="remission",
                source="dohner2022",
            ),
        ),
        "relapse": (
            relapse_incidence,
            _car_t("Cumulative incidence of relapse", "iacobelli2013"),
        ),
        "non_relapse_mortality": (
            non_relapse_mortality,
            _car_t("Non-relapse mortality", "iacobelli2013"),
        ),
        "acute_gvhd_1_4": (
            partial(acute_gvhd, grade=1),
            _hspc("Acute GVHD, grade I-IV", "iacobelli2013", horizon_days=100),
        ),
        "acute_gvhd_2_4": (
            partial(acute_gvhd, grade=2),
            _hspc("Acute GVHD, grade II-IV", "iacobelli2013", horizon_days=100),
        ),
        "acute_gvhd_3_4": (
            partial(acute_gvhd, grade=3),
            _hspc("Acute GVHD, grade III-IV", "iacobelli2013", horizon_days=100),
        ),
        "chronic_gvhd": (chronic_gvhd, _hspc("Chronic GVHD", "jagasia2015")),
        "chronic_gvhd_moderate_severe": (
            partial(chronic_gvhd, severities=_MODERATE),
            _hspc("Chronic GVHD, moderate or severe", "jagasia2015"),
        ),
        "grfs": (grfs, _hspc("GVHD-free, relapse-free survival", "holtan2015")),
        "refined_grfs": (
            refined_grfs,
            _hspc("Refined GVHD-free, relapse-free survival", "ruggeri2016"),
        ),
        "neutrophil_engraftment": (
            partial(engraftment, rule="neutrophil_engraftment"),
            _hspc("Neutrophil engraftment", "kharfan2021", horizon_days=28),
        ),
        "platelet_engraftment": (
            partial(engraftment, rule="platelet_engraftment_20"),
            _hspc("Platelet engraftment, 20e9/L", "kharfan2021", horizon_days=60),
        ),
        "platelet_engraftment_50": (
            partial(engraftment, rule="platelet_engraftment_50"),
            _hspc("Platelet engraftment, 50e9/L", "cibmtr", horizon_days=60),
        ),
        "viral_reactivation": (
            viral_reactivation,
            _car_t("Viral reactivation", "ljungman2017"),
        ),
        "cmv_reactivation": (
            partial(viral_reactivation, rule="cmv_dnaemia"),
            _car_t("CMV reactivation", "ljungman2017"),
        ),
        "ebv_reactivation": (
            partial(viral_reactivation, rule="ebv_dnaemia"),
            _car_t("EBV reactivation", "styczynski2016"),
        ),
    }
)


def endpoint_spec(protocol: Strategy, name: str) -> Endpoint:
    """What an endpoint is by the protocol, else by the registry.

    Without CAR-T (index infusion HSPC) the registry's endpoints count from HSPC.

    Raises
    ------
    ProtocolError
        No such endpoint is known.
    """
    if name not in REGISTRY:
        raise unknown_name(f"endpoints.{name}", name, REGISTRY)
    stated = protocol.endpoints.get(name)
    if stated is not None:
        return stated
    spec = REGISTRY[name][1]
    if protocol.index_infusion == "hspc" and spec.origin == "car_t":
        return spec.model_copy(update={"origin": "hspc", "population": "transplanted"})
    return spec
