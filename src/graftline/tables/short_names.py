"""Long names of samples and patients, shortened so that they still differ."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile

CUT = "\N{HORIZONTAL ELLIPSIS}"


def short_names(names: Sequence[str], *, width: int) -> dict[str, str]:
    """Names of at most ``width`` signs that still differ, as far as there are such.

    Where one is longer, what all begin with is left out, up to a blank or a sign between words;
    a name that stays too long loses its middle. Names that would be alike stay whole.
    """
    if max(map(len, names), default=0) <= width:
        return {name: name for name in names}
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*names, strict=False))
    begin = re.sub(r"[^ _./-]*$", "", "".join(signs[0] for signs in alike))
    if len(set(names)) == 1:
        begin = ""
    rest = {name: f"{CUT}{name[len(begin) :]}" if begin else name for name in names}
    head = (width - 1) // 3
    short = {
        name: text if len(text) <= width else f"{text[:head]}{CUT}{text[head + 1 - width :]}"
        for name, text in rest.items()
    }
    seen = Counter(short.values())
    return {name: text if seen[text] == 1 else name for name, text in short.items()}


def shortened_note(names: Mapping[str, str]) -> tuple[str, ...]:
    """A footnote where a name is shortened, else nothing."""
    if not any(CUT in short for short in names.values()):
        return ()
    return (f"{CUT}: long names are shortened; they are whole in the data.",)
