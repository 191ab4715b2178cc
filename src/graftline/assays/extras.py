"""Optional readers: found when installed, named with the extra to install when not."""

from importlib import import_module
from types import ModuleType

from graftline.problems import ExtraMissingError


def load_extra(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Raises
    ------
    ExtraMissingError
        The package is absent.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as absent:
        if absent.name is not None and absent.name.split(".")[0] == module.split(".")[0]:
            raise ExtraMissingError(
                f"{purpose} needs the package {module!r}, which is not installed.\n"
                f'  Install it with: pip install "graftline[{extra}]"'
            ) from absent
        raise
