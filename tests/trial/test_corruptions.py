"""Two hundred seeded corruptions of a valid folder: a clear finding each, never a traceback.

What must be said is written in corruptions.py from the corruption itself (truth: law).
"""

import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from graftline.cli import main
from tests.trial.corruptions import KINDS

COMPLETE = Path(__file__).parents[1] / "trials" / "complete"
CASES = [(kind, seed) for seed in range(10) for kind in KINDS][:200]


@pytest.mark.parametrize(
    ("kind", "seed"), CASES, ids=[f"{kind.__name__}-{seed}" for kind, seed in CASES]
)
def test_corruption_gives_a_clear_finding(kind, seed, tmp_path):
    folder = tmp_path / "trial"
    shutil.copytree(COMPLETE, folder)
    expected = kind(folder, random.Random(f"{kind.__name__}-{seed}"))
    result = CliRunner().invoke(main, ["check", str(folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == expected.code, result.output[-2000:]
    assert expected.file in result.output
    for word in expected.words:
        assert word in result.output
    assert len(result.output) < 200_000


def test_the_folder_before_corruption_is_fine():
    result = CliRunner().invoke(main, ["check", str(COMPLETE)])
    assert result.exit_code == 0
    assert "error" not in result.output
