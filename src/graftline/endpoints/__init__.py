"""Time to event: one row per patient with time, status and cause, and who was left out."""

from graftline.endpoints.alternatives import Alternative, alternatives
from graftline.endpoints.derive import derive_endpoint, derive_endpoints, endpoint_attrition
from graftline.endpoints.registry import REGISTRY, endpoint_spec
from graftline.endpoints.states import (
    CLINICAL_MODELS,
    ClinicalModel,
    ClinicalStays,
    clinical_model,
    clinical_stays,
)

__all__ = [
    "CLINICAL_MODELS",
    "REGISTRY",
    "Alternative",
    "ClinicalModel",
    "ClinicalStays",
    "alternatives",
    "clinical_model",
    "clinical_stays",
    "derive_endpoint",
    "derive_endpoints",
    "endpoint_attrition",
    "endpoint_spec",
]
