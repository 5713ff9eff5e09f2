import io

import numpy as np
import pytest

from vdata.errors import ConfigError, CorruptShardError
from vdata.media.feature_codec import dump_features, load_features


def test_features_come_back_as_float16():
    features = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    member = dump_features(features)
    assert np.array_equal(load_features(member), features.astype(np.float16))
    # Without vdata too.
    assert np.array_equal(np.load(io.BytesIO(member)), features.astype(np.float16))


def test_equal_features_give_equal_bytes_however_they_lie_in_memory():
    features = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert dump_features(features) == dump_features(np.asfortranarray(features)) == dump_features(features.astype(np.float64))


def test_no_row_is_a_member_too():
    assert load_features(dump_features(np.empty((0, 128), np.float32))).shape == (0, 128)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e5])
def test_what_float16_does_not_hold_is_refused(value):
    features = np.zeros((2, 3), np.float32)
    features[1, 2] = value
    with pytest.raises(ConfigError, match="fit float16"):
        dump_features(features)


def test_other_axes_are_refused():
    with pytest.raises(ConfigError, match="axes"):
        dump_features(np.zeros(3, np.float32))


def foreign(array):
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


@pytest.mark.parametrize("member", [b"", b"no npy", foreign(np.zeros((2, 3), np.float32)), foreign(np.zeros(3, np.float16))])
def test_other_bytes_are_refused(member):
    with pytest.raises(CorruptShardError, match=r"features\.npy"):
        load_features(member)
