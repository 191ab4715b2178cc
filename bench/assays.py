"""Repertoires of 1e6 and 1e7 rows and FCS files of 1e6 events, peers side by side.

Peers that are not installed here are looked for in the interpreter named by
``GRAFTLINE_BENCH_PEERS`` (FlowKit and vdjtools pin other versions of shared libraries), else
skipped with a message. Every piece of work runs in a process of its own; the files are made once
and lie in the page cache. ``cpu s`` (all threads) depends less on what else the machine does.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

_RUN = """
import importlib, json, sys, time
work = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
setup = work(*json.loads(sys.argv[3]))
times, work_times = [], []
for _ in range(int(sys.argv[4])):
    start, worked = time.perf_counter(), time.process_time()
    result = setup()
    times.append(time.perf_counter() - start)
    work_times.append(time.process_time() - worked)
# Not getrusage: its peak is inherited from the process that started this one.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) / 1024
found = {"first": times[0], "best": min(times), "cpu": min(work_times)}
print(json.dumps(found | {"peak": peak, "result": result}))
"""
OWN = (("graftline", "graftline_tcr"), ("polars group-by alone", "polars_tcr"))
PEERS = (
    ("pandas", "pandas_tcr"),
    ("vdjtools read alone", "vdjtools_tcr"),
    ("airr read alone", "airr_tcr"),
    ("immunarch read alone", "immunarch_tcr"),
)
FLOW = (
    ("graftline, all 9 channels", "graftline_flow", "all"),
    ("graftline, the gate's 2 channels", "graftline_flow", "gate"),
    ("FlowKit, the gate's 2 channels", "flowkit_flow", "gate"),
    ("FlowKit, all 9 channels", "flowkit_flow", "all"),
)


def run() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        rows: list[dict[str, object]] = []
        for size, repeat in ((1_000_000, 9), (10_000_000, 3)):
            path = write_repertoires(Path(folder) / f"{size}.tsv", size)
            works = OWN if size > 1_000_000 else OWN + PEERS
            rows += [
                _row(f"TCR {size:.0e} rows", name, work, [str(path)], repeat)
                for name, work in works
            ]
        fcs = write_events(Path(folder) / "events.fcs", 1_000_000)
        rows += [_row("FCS 1e6 x 12", name, work, [str(fcs), how], 3) for name, work, how in FLOW]
        return rows


def _row(what: str, name: str, work: str, arguments: list[str], repeat: int) -> dict[str, object]:
    fault = ""
    peers = os.environ.get("GRAFTLINE_BENCH_PEERS")
    for interpreter in filter(None, (sys.executable, peers)):
        done = subprocess.run(
            [
                interpreter,
                "-W",
                "ignore",
                "-c",
                _RUN,
                "bench.assays_work",
                work,
                json.dumps(arguments),
                str(repeat),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            found = json.loads(done.stdout.splitlines()[-1])
            return {
                "what": what,
                "with": name,
                "first s": f"{found['first']:.2f}",
                "best s": f"{found['best']:.2f}",
                "cpu s": f"{found['cpu']:.2f}",
                "peak MB": f"{found['peak']:.0f}",
                "result": found["result"],
            }
        fault = done.stderr.strip().splitlines()[-1]
    return {"what": what, "with": name, "first s": "skipped", "result": fault}


def write_repertoires(path: Path, size: int, *, chunk: int = 1_000_000) -> Path:
    """Ten repertoires of clones with heavy-tailed counts, 15 % of rows not productive."""
    random = np.random.default_rng(1)
    genes = [
        np.array([f"TRB{s}{a}-{b}*01" for a in range(*span) for b in (1, 2)])
        for s, span in (("V", (2, 30)), ("J", (1, 8)))
    ]
    pool = _words(random, "ACDEFGHIKLMNPQRSTVWY", int(size * 0.6), 12)
    with path.open("wb") as stream:
        for start in range(0, size, chunk):
            n = min(chunk, size - start)
            clone = random.integers(0, pool.size, n)
            table = pl.DataFrame(
                {
                    "sequence_id": np.arange(start, start + n),
                    "repertoire_id": np.array([f"R{i}" for i in range(10)])[
                        random.integers(0, 10, n)
                    ],
                    "locus": ["TRB"] * n,
                    "v_call": genes[0][clone % genes[0].size],
                    "j_call": genes[1][clone % genes[1].size],
                    "junction": _words(random, "ACGT", n, 36),
                    "junction_aa": pool[clone],
                    "productive": np.where(random.random(n) < 0.85, "T", "F"),
                    "duplicate_count": random.zipf(2.0, n).clip(max=10_000),
                }
            )
            table = table.with_columns(("C" + pl.col("junction_aa") + "F").alias("junction_aa"))
            table.write_csv(stream, separator="\t", include_header=start == 0)
    return path


def _words(random: np.random.Generator, letters: str, count: int, length: int) -> np.ndarray:
    codes = np.frombuffer(letters.encode(), dtype=np.uint8)
    drawn = codes[random.integers(0, codes.size, (count, length))]
    return drawn.view(f"S{length}").ravel().astype(str)


def write_events(path: Path, events: int) -> Path:
    """Twelve channels, nine of them fluorescent with a spillover matrix in the file."""
    random = np.random.default_rng(2)
    names = ["FSC-A", "FSC-H", "SSC-A", *(f"FL{i}-A" for i in range(1, 10))]
    scatter = random.normal(1e5, 3e4, (events, 3))
    bright = random.random((events, 9)) < 0.4
    dye = np.where(
        bright, random.lognormal(9, 0.5, (events, 9)), random.normal(50, 150, (events, 9))
    )
    matrix = np.eye(9) + 0.05 * random.random((9, 9)) * (1 - np.eye(9))
    data = np.column_stack([scatter, dye @ matrix]).astype("<f4").tobytes()
    spill = ",".join(["9", *names[3:], *(f"{x:.6f}" for x in matrix.ravel())])
    text = {"$BEGINDATA": "@1@@@@@@@@", "$ENDDATA": "@2@@@@@@@@", "$PAR": "12", "$MODE": "L"}
    text |= {"$TOT": str(events), "$DATATYPE": "F", "$BYTEORD": "1,2,3,4", "$NEXTDATA": "0"}
    text |= {"$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0"}
    for i, name in enumerate(names, start=1):
        text |= {f"$P{i}N": name, f"$P{i}B": "32", f"$P{i}R": "262144", f"$P{i}E": "0,0"}
    text["$SPILLOVER"] = spill
    body = "|" + "".join(f"{key}|{value}|" for key, value in text.items())
    begin = 58 + len(body)
    body = body.replace("@1@@@@@@@@", f"{begin:010d}").replace(
        "@2@@@@@@@@", f"{begin + len(data) - 1:010d}"
    )
    head = f"FCS3.1    {58:>8}{begin - 1:>8}{begin:>8}{begin + len(data) - 1:>8}{0:>8}{0:>8}"
    path.write_bytes(head.encode() + body.encode() + data)
    return path
