"""Who may import whom: data flow one way, and so do imports (truth: docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "graftline"
GROUND = {"problems", "units", "rules"}
ALLOWED = {
    "problems": set(),
    "units": {"problems"},
    "rules": set(),
    "schema": {"problems", "units"},
    "settings": {"problems"},
    "protocol": {"schema", "settings", "problems"},
    "trial": {"schema", "settings", "protocol", "problems", "units"},
    "assess": {"trial", "protocol", "schema", *GROUND},
    "endpoints": {"assess", "trial", "protocol", "rules"},
    "stats": set(),
    "assays": {"trial", "schema", *GROUND},
    "model": set(),
    "simulate": {"model", "protocol", "assess", "endpoints", "trial", "problems", "schema"},
    "explain": {"assess", "endpoints", "trial", "problems", "rules"},
    "tables": {
        "endpoints",
        "stats",
        "assess",
        "assays",
        "rules",
        "trial",
        "protocol",
        "schema",
        "settings",
        "problems",
    },
    "figures": {"endpoints", "stats", "assess", "assays", "trial", "protocol", "tables"},
    "report": {
        "tables",
        "figures",
        "explain",
        "endpoints",
        "assess",
        "assays",
        "trial",
        "rules",
        "problems",
        "stats",
        "protocol",
        "schema",
        "settings",
    },
}
FREE = {"cli", "cli_assays", "cli_cells", "docs", "terminal", "__init__", "__main__"}


def room_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
            if node.module == "graftline":
                names = [f"graftline.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("graftline."):
                yield name.split(".")[1]


MODULES = sorted(p for p in SOURCE.rglob("*.py") if room_of(p) not in FREE)


@pytest.mark.parametrize("path", MODULES, ids=[str(p.relative_to(SOURCE)) for p in MODULES])
def test_a_room_imports_only_what_it_may(path):
    room = room_of(path)
    assert room in ALLOWED, f"{room} is not a room of the house"
    wrong = set(imported_rooms(path)) - ALLOWED[room] - {room, "__version__"}
    assert not wrong, f"{room} may not import {', '.join(sorted(wrong))}"


def test_the_command_line_starts_without_heavy_libraries():
    import subprocess
    import sys

    code = "import sys, graftline, graftline.cli; print([m for m in %r if m in sys.modules])"
    heavy = ["polars", "numpy", "matplotlib", "scipy", "numba", "great_tables", "pydantic"]
    out = subprocess.run(
        [sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == "[]"


def modules_and_imports():
    graph = {}
    names = {
        p: "graftline." + ".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in MODULES
    }
    known = {name.removesuffix(".__init__") for name in names.values()}
    for path, name in names.items():
        targets = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("graftline"):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    targets.add(full if full in known else node.module)
        graph[name.removesuffix(".__init__")] = targets - {name.removesuffix(".__init__")}
    return graph


def test_no_import_cycle():
    graph = modules_and_imports()
    done, open_ = set(), []

    def visit(name):
        if name in done or name not in graph:
            return
        assert name not in open_, " -> ".join([*open_[open_.index(name) :], name])
        open_.append(name)
        for target in sorted(graph[name]):
            visit(target)
        open_.pop()
        done.add(name)

    for name in graph:
        visit(name)


def test_modules_and_functions_stay_small():
    long_modules, long_functions = [], []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 800:
            long_modules.append(str(path.relative_to(SOURCE)))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 100:
                long_functions.append(f"{path.relative_to(SOURCE)}:{node.name}")
    assert not long_modules
    assert not long_functions
