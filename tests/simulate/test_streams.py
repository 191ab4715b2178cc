"""Random numbers by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftline.simulate.streams import normals, philox, streams_of, uniforms


# golden: known answers of the generator's authors (Random123, kat_vectors, philox4x32 10 rounds)
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_generator_gives_the_published_answers(counter, key, expected):
    found = philox(*(np.uint64(word) for word in (*counter, *key)))
    assert tuple(int(word) for word in found) == expected


# property: the number of a patient does not depend on who else is asked about
@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30, unique=True),
    st.integers(-5, 730),
)
def test_a_patient_is_the_same_in_any_chunk(numbers, day):
    streams = streams_of(7)
    together = uniforms(streams, np.array(numbers), "marrow", day=day, count=3)
    alone = [uniforms(streams, np.array([k]), "marrow", day=day, count=3)[0] for k in numbers]
    assert np.array_equal(together, np.array(alone))


# property: asking for more numbers of a decision leaves the first ones as they were
def test_more_places_do_not_shift_the_first():
    streams, numbers = streams_of(1), np.arange(50)
    few, many = (uniforms(streams, numbers, "counts", count=k) for k in (3, 9))
    assert np.array_equal(few, many[:, :3])


# law: decisions, days, patients and seeds are independent (correlations of 20,000 pairs)
def test_streams_are_independent_and_uniform():
    numbers = np.arange(20_000)
    one = uniforms(streams_of(1), numbers, "fates", day=3, count=4)
    columns = [
        *one.T,
        uniforms(streams_of(1), numbers, "waits", day=3)[:, 0],
        uniforms(streams_of(1), numbers, "fates", day=4)[:, 0],
        uniforms(streams_of(2), numbers, "fates", day=3)[:, 0],
        np.roll(one[:, 0], 1),
    ]
    correlation = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(numbers.size)
    assert one.min() > 0.0
    assert one.max() < 1.0
    tenths = np.histogram(one[:, 0], bins=10, range=(0, 1))[0]
    assert np.abs(tenths - 2000).max() < 5 * np.sqrt(2000)


def test_normals_have_mean_zero_and_variance_one():
    z = normals(streams_of(3), np.arange(20_000), "person", count=2)
    assert np.abs(z.mean(axis=0)).max() < 4.5 / np.sqrt(20_000)
    assert np.abs(z.var(axis=0) - 1.0).max() < 4.5 * np.sqrt(2.0 / 20_000)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="non-negative"):
        streams_of(-1)
