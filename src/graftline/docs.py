"""Documentation pages that are written by the program: ``python -m graftline.docs``."""

from pathlib import Path

import click

from graftline.cli import main
from graftline.trial.template import folder_guide


def cli_page() -> str:
    """The command-line reference as Markdown, from the help of every command."""
    parts = ["# Command line\n", "```text", _help(), "```"]
    for name in sorted(main.commands):
        parts += [
            f"\n## graftline {name}\n",
            "```text",
            _help(name),
            "```",
        ]
    return "\n".join(parts) + "\n"


def _help(*names: str) -> str:
    command: click.Command = main
    context = click.Context(main, info_name="graftline", **main.context_settings)
    for name in names:
        command = main.commands[name]
        context = click.Context(command, info_name=name, parent=context)
    context.terminal_width = 96
    return command.get_help(context).rstrip()


def trial_folder_page() -> str:
    """The reference of tables and columns as Markdown, from the schema."""
    return folder_guide()


def write_pages(folder: Path) -> None:
    """Write the generated pages into a documentation folder."""
    (folder / "cli.md").write_text(cli_page(), encoding="utf-8")
    (folder / "trial-folder.md").write_text(trial_folder_page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path("docs"))
