"""The work that `bench.assays` times; each function imports what it needs and returns the work.

The work returns something small that shows it did the same thing: the clonality of one repertoire,
the events in one gate.
"""

from collections.abc import Callable

Work = Callable[[], object]


def graftline_tcr(path: str) -> Work:
    from graftline.assays.tcr.summary import summarize_repertoires

    def work() -> object:
        table, _ = summarize_repertoires(path)
        return round(table["clonality"][0], 6)

    return work


def polars_tcr(path: str) -> Work:
    import polars as pl

    def work() -> object:
        count = pl.col("duplicate_count")
        clones = (
            pl.scan_csv(path, separator="\t")
            .filter(pl.col("productive") == "T")
            .group_by("repertoire_id", "junction_aa", "v_call", "j_call")
            .agg(count.sum())
        )
        table = (
            clones.group_by("repertoire_id")
            .agg(
                pl.len().alias("s"),
                count.sum().alias("n"),
                (count * count.log()).sum().alias("clnc"),
                (count.cast(pl.Float64) ** 2).sum().alias("squares"),
            )
            .collect(engine="streaming")
            .sort("repertoire_id")
        )
        entropy = table["n"].log() - table["clnc"] / table["n"]
        return round((1 - entropy / table["s"].log())[0], 6)

    return work


def pandas_tcr(path: str) -> Work:
    import numpy as np
    import pandas as pd

    def work() -> object:
        table = pd.read_csv(path, sep="\t")
        keys = ["repertoire_id", "junction_aa", "v_call", "j_call"]
        rows = table[table.productive == "T"]
        clones = rows.groupby(keys, sort=False).duplicate_count.sum().reset_index()
        one = clones[clones.repertoire_id == "R0"].duplicate_count
        p = one / one.sum()
        return round(float(1 + (p * np.log(p)).sum() / np.log(len(p))), 6)

    return work


def vdjtools_tcr(path: str) -> Work:
    from vdjtools.io import read_airr

    return lambda: len(read_airr(path))


def airr_tcr(path: str) -> Work:
    import airr

    return lambda: len(airr.load_rearrangement(path))


def immunarch_tcr(path: str) -> Work:
    import shutil
    import subprocess

    if shutil.which("Rscript") is None:
        raise RuntimeError("immunarch is an R package, and there is no Rscript here")
    code = "library(immunarch); cat(nrow(repLoad(commandArgs(TRUE)[1])$data[[1]]))"

    def work() -> object:
        done = subprocess.run(
            ["Rscript", "-e", code, path], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"immunarch: {done.stderr.strip().splitlines()[0]}")
        return done.stdout.splitlines()[-1]

    return work


def graftline_flow(path: str, how: str) -> Work:
    from graftline.assays.flow.fcs import read_fcs
    from graftline.assays.flow.gates import axes_values, gate_sample
    from graftline.assays.flow.gating_file import Dimension, parse_gating

    bounds = [{"channel": f"FL{i}-A", "scale": "f", "min": 0.45} for i in (1, 2)]
    gating = parse_gating(
        {"scales": {"f": {"kind": "logicle"}}, "gates": [{"name": "both", "bounds": bounds}]}
    )

    def work() -> object:
        sample = read_fcs(path)
        gated = gate_sample(sample, gating)
        if how == "all":
            others = [Dimension(f"FL{i}-A", "f") for i in range(3, 10)]
            axes_values(sample, gating, sample.spillover, others)
        return int(gated.inside["both"].sum())

    return work


def flowkit_flow(path: str, how: str) -> Work:
    import flowkit

    def work() -> object:
        sample = flowkit.Sample(path, subsample=0)
        scale = flowkit.transforms.LogicleTransform(262144, 0.5, 4.5, 0)
        matrix = flowkit.Matrix(sample.metadata["spillover"], sample.pnn_labels[3:])
        if how == "all":
            sample.apply_compensation(matrix)
            sample.apply_transform(scale)
        strategy = flowkit.GatingStrategy()
        strategy.add_transform("f", scale)
        strategy.add_comp_matrix("spill", matrix)
        axes = [
            flowkit.Dimension(f"FL{i}-A", "spill", "f", range_min=0.45, range_max=None)
            for i in (1, 2)
        ]
        strategy.add_gate(flowkit.gates.RectangleGate("both", axes), gate_path=("root",))
        return int(strategy.gate_sample(sample).get_gate_count("both"))

    return work
