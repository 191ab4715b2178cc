"""Published criteria as they are printed: wording, unit and threshold side by side in TOML."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def printed_criteria(name: str) -> dict[str, Any]:
    """One file of ``assess/criteria``, parsed.

    Parameters
    ----------
    name : str
        File name without ``.toml``.

    Returns
    -------
    dict
        As written in the file: printed wording and threshold beside each other, with ``citation``.
    """
    path = files("graftline.assess").joinpath("criteria", f"{name}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
