"""Campaigns: parts, resuming, the same bytes whatever happens, plain words when a disk refuses."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from graftline.assess.assessment import assess_trial
from graftline.endpoints.derive import derive_endpoints
from graftline.problems import InputError
from graftline.simulate import campaign as module
from graftline.simulate.campaign import (
    MANIFEST,
    part_path,
    plan_campaign,
    read_endpoints,
    run_campaign,
    say_progress,
)
from graftline.simulate.trial import FollowUp, simulate_folder
from graftline.trial.read import read_trial

PROTOCOLS = (
    "all-in-one-2024",
    "all-in-one-2025",
    "universal-cd7",
    "ns7car",
    "bridge-to-conventional-hsct",
)
SMALL = plan_campaign("all-in-one-2024", 10, 3, chunk=4, longest_days=60)


def content(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run_campaign(SMALL, folder)
    return content(folder)


def test_every_patient_is_in_one_part(undisturbed, tmp_path):
    for name, data in undisturbed.items():
        (tmp_path / name).write_bytes(data)
    rows = read_endpoints(tmp_path).filter(pl.col("endpoint") == "overall_survival").collect()
    assert rows["patient"].n_unique() == rows.height
    assert rows.height <= 10
    assert len([n for n in undisturbed if n.endswith(".parquet")]) == 3


# property: what was interrupted and resumed has the same bytes
def test_resuming_gives_the_same_bytes(undisturbed, tmp_path):
    for name, data in undisturbed.items():
        (tmp_path / name).write_bytes(data)
    part_path(tmp_path, 1).unlink()
    (tmp_path / ".endpoints-000001.parquet.4711").write_bytes(b"half a part")
    seen = []
    run_campaign(SMALL, tmp_path, progress=seen.append)
    assert content(tmp_path) == undisturbed
    assert [p.patients_done for p in seen] == [6, 10]
    assert seen[0].seconds_left is None
    assert seen[1].seconds_left == 0.0


def agrees_with_the_whole_folder(protocol, patients, days, folder):
    campaign = plan_campaign(protocol, patients, 3, chunk=patients, longest_days=days)
    lean, failures = module.simulate_endpoints(campaign, 0)
    simulate_folder(protocol, patients, 3, folder, followup=FollowUp(days, 0), threads=1)
    whole = read_trial(folder)
    full = derive_endpoints(whole, assess_trial(whole)).select(lean.columns)
    assert not failures
    assert lean.height > 0
    assert lean.equals(full.sort("endpoint", "patient"))


# law: leaving out tables, rows and criteria that no endpoint reads changes no endpoint
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_endpoints_are_those_of_the_whole_folder(protocol, tmp_path):
    agrees_with_the_whole_folder(protocol, 25, 400, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_endpoints_are_those_of_a_large_folder(protocol, tmp_path):
    agrees_with_the_whole_folder(protocol, 200, 730, tmp_path)


def test_another_campaign_in_the_folder_is_refused(undisturbed, tmp_path):
    (tmp_path / MANIFEST).write_bytes(undisturbed[MANIFEST])
    other = plan_campaign("all-in-one-2024", 10, 4, chunk=4, longest_days=60)
    with pytest.raises(InputError, match="seed = 4"):
        run_campaign(other, tmp_path)


def test_a_full_disk_says_so_and_leaves_no_half_part(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        run_campaign(SMALL, tmp_path)
    assert not list(tmp_path.glob("*endpoints*"))


def test_an_unwritable_folder_says_so(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="a folder that can be written"):
        run_campaign(SMALL, tmp_path / "file")


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(InputError, match=r"graftline\[cluster\]"):
        run_campaign(SMALL, tmp_path, cluster="tcp://nowhere:8786")


def test_progress_is_said_in_words():
    assert say_progress(module.Progress(0, 2000, None)) == "0 of 2,000 patients"
    assert (
        say_progress(module.Progress(500, 2000, 3600)) == "500 of 2,000 patients, about 60 min left"
    )


def test_the_manifest_says_what_was_computed(undisturbed):
    manifest = json.loads(undisturbed[MANIFEST])
    assert manifest["seed"] == 3
    assert len(manifest["protocol_sha256"]) == 64


CODE = """
import sys
from pathlib import Path
from graftline.simulate.campaign import plan_campaign, run_campaign
if __name__ == "__main__":
    plan = plan_campaign("all-in-one-2024", 40, 3, chunk=4, longest_days=60)
    run_campaign(plan, Path(sys.argv[1]), workers=int(sys.argv[2]))
"""


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(CODE)
    for workers in (1, 2):
        subprocess.run([sys.executable, script, tmp_path / str(workers), str(workers)], check=True)
    assert content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_gives_the_same_bytes(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(CODE)
    start = time.monotonic()
    subprocess.run([sys.executable, script, tmp_path / "whole", "1"], check=True)
    whole = time.monotonic() - start
    broken = tmp_path / "broken"
    for kill in range(50):
        run = subprocess.Popen([sys.executable, script, broken, "1"])
        # spread over the whole run, start-up and writing included
        time.sleep(whole * (kill + 0.5) / 50)
        run.send_signal(signal.SIGKILL)
        run.wait()
        if kill % 10 == 9:
            for part in sorted(broken.glob("endpoints-*"))[::2]:
                part.unlink()
    subprocess.run([sys.executable, script, broken, "1"], check=True)
    assert content(broken) == content(tmp_path / "whole")


@pytest.mark.slow
def test_a_local_cluster_with_a_worker_killed_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    plan = plan_campaign("all-in-one-2024", 40, 3, chunk=4, longest_days=60)
    run_campaign(plan, tmp_path / "alone")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        killed = []

        def kill_once(progress):
            if progress.patients_done >= 8 and not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        run_campaign(
            plan, tmp_path / "cluster", cluster=cluster.scheduler_address, progress=kill_once
        )
    assert killed
    assert content(Path(tmp_path / "cluster")) == content(tmp_path / "alone")
