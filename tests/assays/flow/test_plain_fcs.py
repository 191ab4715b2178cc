"""A sample written plainly. Truth: the values read before, and FlowIO's reading of the file."""

from pathlib import Path

import numpy as np
import pytest

from graftline.assays.flow.fcs import channel_values, read_fcs
from graftline.assays.flow.plain_fcs import write_plain_fcs
from tests.reference import reference_path


@pytest.mark.parametrize(
    "name",
    [
        "flow/flowcore_facscalibur/0877408774.B08",  # integers, logarithmic, empty values in TEXT
        "flow/compensation/test_comp_example.fcs",  # floats, a matrix, one byte late
        "fcs_fcsparser/SG_2014-09-26_Duplicate_Names.fcs",
        "fcs_fcsparser/cyflow_cube_8.fcs",
    ],
)
def test_every_reader_finds_the_same_values_under_the_same_names(name: str, tmp_path: Path) -> None:
    flowio = pytest.importorskip("flowio")
    sample = read_fcs(reference_path(name))
    write_plain_fcs(sample, tmp_path / "plain.fcs")
    again = read_fcs(tmp_path / "plain.fcs")
    assert again.problems == ()
    assert again.channels == sample.channels
    values = np.column_stack([channel_values(sample, channel) for channel in sample.channels])
    read = np.column_stack([channel_values(again, channel) for channel in again.channels])
    assert np.array_equal(read, values)
    other = flowio.FlowData(str(tmp_path / "plain.fcs"))
    assert tuple(other.pnn_labels) == sample.channels
    assert np.array_equal(other.as_array(), values)
    if sample.spillover is None:
        assert again.spillover is None
    else:
        assert again.spillover is not None
        assert again.spillover.detectors == sample.spillover.detectors
        assert np.array_equal(again.spillover.matrix, sample.spillover.matrix)
