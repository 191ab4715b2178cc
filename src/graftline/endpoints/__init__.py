"""Time to event: one row per patient with time, status and cause, and who was left out."""

from graftline.endpoints.alternatives import Alternative, alternatives
from graftline.endpoints.derive import derive_endpoint, derive_endpoints, endpoint_attrition
from graftline.endpoints.registry import REGISTRY, endpoint_spec

__all__ = [
    "REGISTRY",
    "Alternative",
    "alternatives",
    "derive_endpoint",
    "derive_endpoints",
    "endpoint_attrition",
    "endpoint_spec",
]
