"""A whole campaign as a user runs it: wall and processor time, memory of all its processes.

Run: python -m bench.campaign_whole FOLDER [patients] [workers]. Linux: reads /proc. An interrupted
run goes on; its times are then those of the rest.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

_CODE = "from graftline.cli import main; main()"
_EVERY_SECONDS = 2.0


def processes(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def memory_gb(pid: int, kind: str) -> float:
    """Resident set (``Rss``), or with shared pages divided among those who share them (``Pss``)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return (
        sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(kind + ":")) / 1e6
    )


def processor_seconds(pid: int) -> float:
    """User and system time of a process, without its children."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def watch(run: "subprocess.Popen[bytes]") -> tuple[float, dict[str, float]]:
    """Processor time and peak memory, sampled until the run ends."""
    spent: dict[int, float] = {}
    peak = {"Rss": 0.0, "Pss": 0.0}
    while run.poll() is None:
        now = {"Rss": 0.0, "Pss": 0.0}
        for pid in processes(run.pid):
            try:
                spent[pid] = processor_seconds(pid)
                for kind in now:
                    now[kind] += memory_gb(pid, kind)
            except OSError:  # it has just ended
                continue
        peak = {kind: max(peak[kind], now[kind]) for kind in peak}
        time.sleep(_EVERY_SECONDS)
    return sum(spent.values()), peak


def main(folder: str, patients: int, workers: int) -> None:
    start = time.monotonic()
    command = ["simulate", "all-in-one-2024", "-n", str(patients), "--endpoints"]
    command += ["--workers", str(workers), "--seed", "1", "--out", folder]
    run = subprocess.Popen([sys.executable, "-c", _CODE, *command])
    spent, peak = watch(run)
    wall = time.monotonic() - start
    print(f"{patients} patients, {workers} workers: {wall:.0f} s, exit {run.returncode}")
    print(f"processor time {spent:.0f} s, {1e3 * spent / patients:.2f} ms per patient")
    print(
        f"peak memory of all processes {peak['Rss']:.2f} GB, shared pages once {peak['Pss']:.2f} GB"
    )


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    main(given[0], int(given.get(1, 1_000_000)), int(given.get(2, 2)))
