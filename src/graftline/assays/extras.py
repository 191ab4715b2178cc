"""Optional readers: found when installed, named with the extra to install when not."""

from importlib import import_module
from types import ModuleType


class MissingExtra(ImportError):
    """A reader that is not part of the plain install is needed; the message names the extra."""

    def __init__(self, module: str, extra: str, purpose: str) -> None:
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {module!r}, which is not installed.\n"
            f'  Install it with: pip install "graftline[{extra}]"'
        )


def load_extra(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Raises
    ------
    MissingExtra
        The package is absent.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as absent:
        if absent.name is not None and absent.name.split(".")[0] == module.split(".")[0]:
            raise MissingExtra(module, extra, purpose) from absent
        raise
