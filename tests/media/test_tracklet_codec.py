import io

import numpy as np
import pytest

from vdata.errors import ConfigError, CorruptShardError
from vdata.media.tracklet_codec import TRACKLET, dump_tracklets, load_tracklets

ROWS = np.array([(0, 3, 1.5, 2.0, 10.25, 20.0, 0.75, 1), (0, 4, 2.5, 2.0, 11.25, 20.0, 0.5, 0)], TRACKLET)


def test_rows_come_back_and_any_npy_reader_can_read_them():
    member = dump_tracklets(ROWS)
    assert np.array_equal(load_tracklets(member), ROWS)
    plain = np.load(io.BytesIO(member), allow_pickle=False)
    assert plain.dtype.names == ("track", "frame", "x0", "y0", "x1", "y1", "score", "detected")
    assert plain["x1"].tolist() == [10.25, 11.25]


def test_a_clip_without_tracklets_has_no_rows():
    assert load_tracklets(dump_tracklets(np.empty(0, TRACKLET))).shape == (0,)


def test_bytes_that_are_no_tracklets_are_refused():
    other = io.BytesIO()
    np.save(other, np.zeros((3, 4)))
    for member in (b"", b"no npy", dump_tracklets(ROWS)[:-5], other.getvalue()):
        with pytest.raises(CorruptShardError, match=r"tracklets\.npy"):
            load_tracklets(member)
    with pytest.raises(ConfigError, match="must be of dtype"):
        dump_tracklets(np.zeros(3))
