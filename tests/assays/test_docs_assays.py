"""The examples of the assay pages are true: every Python block runs, in order, page by page."""

import re
import tomllib
from pathlib import Path

import pytest

from graftline.assays.flow.gating_file import parse_gating

PAGES = sorted((Path(__file__).parents[2] / "docs" / "assays").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_examples_run(page: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)  # the page itself is what is tested


def test_the_printed_gating_file_is_a_gating_file() -> None:
    page = next(page for page in PAGES if page.stem == "flow")
    (block,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    assert [gate.name for gate in parse_gating(tomllib.loads(block)).gates][-1] == "CD7+"
