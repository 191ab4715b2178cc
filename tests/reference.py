"""Where the reference data lie that are not part of the project."""

import os
from pathlib import Path

import pytest

_SIBLING = Path(__file__).resolve().parents[2] / "shared" / "data"


def reference_path(name: str) -> Path:
    """Path of a reference file; skips the calling test, saying why, where it is absent.

    The folder is ``$GRAFTLINE_REFERENCE_DATA``, or ``../shared/data`` beside the repository.
    """
    root = Path(os.environ.get("GRAFTLINE_REFERENCE_DATA", _SIBLING))
    path = root / name
    if not path.exists():
        pytest.skip(f"reference data {name!r} not found; set GRAFTLINE_REFERENCE_DATA")
    return path
