"""Shortened names: laws they must obey, and names laboratories give."""

from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.tables.short_names import short_names, shortened_note


def test_what_all_begin_with_is_left_out_up_to_a_word() -> None:
    site = "TRIAL-2024-SITE-03-PATIENT-"
    found = short_names([f"{site}0017 donor", f"{site}0017 d33", f"{site}0018 d33"], width=16)
    assert list(found.values()) == ["…0017 donor", "…0017 d33", "…0018 d33"]
    assert shortened_note(found) != ()


def test_a_long_name_alone_keeps_both_its_ends() -> None:
    (short,) = short_names(["202401_MiSeq_run00_Laboratory-A_S7_L001"], width=20).values()
    assert (len(short), short[:6], short[-7:]) == (20, "202401", "S7_L001")


def test_names_that_would_be_alike_stay_whole() -> None:
    names = ["sample-" + "x" * 15 + middle + "y" * 15 for middle in "ab"]
    assert list(short_names(names, width=12).values()) == names


def test_short_names_are_left_alone() -> None:
    assert short_names(["P1 donor", "P1 d30"], width=20) == {
        "P1 donor": "P1 donor",
        "P1 d30": "P1 d30",
    }
    assert short_names([], width=20) == {}
    assert shortened_note({"P1": "P1"}) == ()


@settings(deadline=None, max_examples=80, derandomize=True)
@given(
    st.lists(st.text("AB01 -_", min_size=1, max_size=40), min_size=1, max_size=12, unique=True),
    st.integers(6, 30),
)
def test_names_that_differ_still_differ(names: list[str], width: int) -> None:
    found = short_names(names, width=width)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert all(len(short) <= width or short == name for name, short in found.items())
