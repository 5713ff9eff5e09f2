import io

import numpy as np
import pytest

from vdata.errors import ConfigError, CorruptShardError
from vdata.media.label_codec import dump_labels, load_labels


@pytest.mark.parametrize("labels", [[], [3, -1, 0, 2**31 - 1]])
def test_labels_come_back(labels):
    member = dump_labels(np.array(labels, np.int32))
    assert load_labels(member).tolist() == labels
    # Without vdata too.
    assert np.load(io.BytesIO(member)).tolist() == labels


@pytest.mark.parametrize("labels", [np.zeros(3), np.zeros((3, 1), np.int32)])
def test_other_arrays_are_refused(labels):
    with pytest.raises(ConfigError, match=r"labels .* must be int32 \(T,\)"):
        dump_labels(labels)


def foreign(array):
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


@pytest.mark.parametrize("member", [b"", b"no npy", foreign(np.zeros(3)), foreign(np.zeros((2, 3), np.int32))])
def test_other_bytes_are_refused(member):
    with pytest.raises(CorruptShardError, match=r"labels\.npy"):
        load_labels(member)
