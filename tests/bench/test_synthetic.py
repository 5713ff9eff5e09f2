"""Synthetic folders open as built ones do, with arrays of the same names and types, and repeated clips keep their bytes."""

import numpy as np
import pytest

import vdata
from vdata.bench import synthetic
from vdata.bench.synthetic import SyntheticConfig, repeat_index, write_synthetic_index
from vdata.errors import ConfigError, CorruptShardError
from vdata.shards import open_index, write_index
from vdata.shards.index import is_fresh
from vdata.shards.index_header import array_names, read_header


def arrays_of(folder):
    return {name: np.load(folder / f"index/{name}.npy") for name in array_names(read_header(folder / "index"))}


def test_it_opens_as_it_was_written_and_has_the_arrays_of_a_build(tmp_path, shards, monkeypatch):
    monkeypatch.setattr(synthetic, "_AT_A_TIME", 7)
    config = SyntheticConfig(clips_per_shard=10, fragments=3, gop=5)
    index = write_synthetic_index(tmp_path / "many", 25, config)
    assert is_fresh(tmp_path / "many")
    assert len(index) == len(open_index(tmp_path / "many")) == 25
    write_index(shards)
    types = [{name: array.dtype for name, array in arrays_of(folder).items()} for folder in (tmp_path / "many", shards)]
    assert types[0] == types[1]
    assert {path.name for path in (tmp_path / "many/index").iterdir()} == {path.name for path in (shards / "index").iterdir()}
    assert index.shards.tolist() == [0, 1, 2]
    assert index.video.tolist() == index.index.tolist() == list(range(25))
    for i in range(25):
        place = index.mp4_place(i)
        assert place.file == tmp_path / f"many/clips-{i // 10:06d}.tar"
        assert place.fragment_frame.tolist() == [0, 5, 10]
        assert place.fragment_offset.tolist() == [place.init_size + k * 19_000 for k in range(3)]
        assert 10 < index.num_frames[i] <= 15
    assert min(np.diff(index.mp4_offset[:10])) >= place.init_size + index.fragment_size[:3].sum()
    with pytest.raises(CorruptShardError):
        index.key(0)


def test_repeated_clips_have_the_bytes_keys_and_members_of_their_own(tmp_path, shards):
    real = vdata.open_shards(shards)
    repeat_index(tmp_path / "many", shards, 7)
    many = vdata.open_shards(tmp_path / "many")
    assert is_fresh(tmp_path / "many")
    assert [sample["mp4"] for sample in many] == [real[i % len(real)]["mp4"] for i in range(7)]
    assert [many.index.key(i) for i in range(7)] == [real[i % len(real)].key for i in range(7)]
    for i in range(7):
        place, own = many.index.mp4_place(i), real.index.mp4_place(i % len(real))
        assert (place.offset, place.init_size) == (own.offset, own.init_size)
        assert place.fragment_offset.tolist() == own.fragment_offset.tolist()
    assert len(set(many.index.index.tolist())) == len(set(many.index.video.tolist())) == 7
    assert many.index.digest != real.index.digest


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"synthetic\.fragments"):
        SyntheticConfig(fragments=0)
