"""Every room's public list is sorted, complete and importable (truth: law)."""

import importlib
import pkgutil

import graftline


def rooms():
    return [m.name for m in pkgutil.iter_modules(graftline.__path__, "graftline.") if m.ispkg]


def test_public_names_are_sorted_and_exist():
    for name in rooms():
        room = importlib.import_module(name)
        public = list(getattr(room, "__all__", []))
        assert public == sorted(public, key=_as_ruff_sorts), name
        for one in public:
            assert hasattr(room, one), f"{name}.{one}"


def _as_ruff_sorts(name):
    kind = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return kind, name


def test_every_room_says_what_it_is():
    for name in rooms():
        assert importlib.import_module(name).__doc__, name
