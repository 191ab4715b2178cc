"""Speed and memory, peers side by side in one run: ``python -m bench [SECTION ...]``."""

import importlib
import sys
from collections.abc import Mapping, Sequence

SECTIONS = (
    "command_line",
    "trial",
    "stats_survival",
    "stats_regression",
    "kernel",
    "campaign",
    "tolerance",
    "assays",
)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as aligned text, columns in the order of the first row."""
    if not rows:
        return "nothing was measured"
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[str(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(name), *(len(r[i]) for r in cells)) for i, name in enumerate(names)]
    lines = ["  ".join(v.ljust(w) for v, w in zip(r, widths, strict=True)) for r in [names, *cells]]
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    wanted = sys.argv[1:] or SECTIONS
    for name in wanted:
        print(f"\n== {name} ==", flush=True)
        try:
            section = importlib.import_module(f"bench.{name}")
        except ModuleNotFoundError as error:
            print(f"skipped: {error}")
            continue
        print(table(section.run()), flush=True)


if __name__ == "__main__":
    main()
