"""How long ``graftline --help`` takes cold, against importing the libraries it must not load."""

import subprocess
import sys

from bench.measure import seconds


def run() -> list[dict[str, object]]:
    def start(*arguments: str) -> float:
        return seconds(
            lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True),
            repeat=7,
        )

    help_ = start("-m", "graftline", "--help")
    imports = start("-c", "import polars, matplotlib")
    return [
        {
            "what": "graftline --help",
            "seconds": f"{help_:.3f}",
            "ratio": f"{help_ / imports:.2f} (goal 0.4)",
        },
        {"what": "import polars, matplotlib", "seconds": f"{imports:.3f}", "ratio": "1"},
    ]
