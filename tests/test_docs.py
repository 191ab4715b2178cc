"""The written word keeps up with the program (truth: law)."""

import re
from pathlib import Path

import click
import pytest

from graftline.cli import main
from graftline.docs import cli_page, trial_folder_page

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_and_stands_in_the_docs(name):
    command = main.commands[name]
    assert command.help
    assert f"graftline {name}" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_the_list_of_commands_cuts_no_sentence_short(name):
    """Truth: law. Eighty columns leave 64 letters beside the longest name of a command."""
    assert not main.commands[name].get_short_help_str(62).endswith("...")


def test_generated_pages_are_up_to_date():
    """Mend with: python -m graftline.docs."""
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == cli_page()
    assert (ROOT / "docs" / "trial-folder.md").read_text(encoding="utf-8") == trial_folder_page()


def test_version_is_one():
    from graftline import __version__

    for name in ("pyproject.toml", "CITATION.cff"):
        assert re.search(rf'version[ =:]+"?{re.escape(__version__)}', (ROOT / name).read_text())


def test_references_are_complete():
    from graftline.assess.assessment import all_rules
    from graftline.rules import references

    for rule in all_rules().values():
        assert rule.citation in references(), rule.id
        assert rule.words
        assert rule.title
