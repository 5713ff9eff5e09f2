"""What the loader reads is the same in number and content wherever the members lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines import ClipIterator
from pipelines.clips import open_clips
from pipelines.read import Reader
from vdata.views import Augment, Clip

VIEWS = (
    Clip("v0", frames=4, stride=4, size=32, augment=Augment()),
    Clip("v1", frames=4, stride=4, size=32, augment=Augment(), start="cvrl_gap:v0"),
)


@pytest.fixture
def cells_folder(clips, make_folder):
    """The 14 clips of `folder`, in cells of their row files."""
    return make_folder(clips, cells=["mp4"])


def tensors(batch, name=""):
    """The tensors of a batch by their paths."""
    if isinstance(batch, dict):
        return {path: one for key, value in batch.items() for path, one in tensors(value, f"{name}/{key}").items()}
    return {name: batch}


def test_both_formats_give_the_same_batches(folder, cells_folder):
    settings = {"views": VIEWS, "batch_size": 3, "seed": 5}
    with ClipIterator(folder, **settings) as tar, ClipIterator(cells_folder, **settings) as cells:
        for _ in range(2):
            pairs = list(zip(tar, cells, strict=True))
            assert len(pairs) == 4
            for batches in pairs:
                one, other = map(tensors, batches)
                assert one.keys() == other.keys()
                assert {"/v0", "/v1", "/label"} <= one.keys()
                assert all(torch.equal(one[name], other[name]) for name in one)


def test_both_formats_read_the_same_fragments_with_as_many_bytes(clips, folder, cells_folder, bytes_read):
    tar, cells = (Reader(open_clips(path)) for path in (folder, cells_folder))
    for number, clip in enumerate(clips):
        for frames in ([0], [13, 14], [11, 12, 29], range(clip.num_frames)):
            wanted = np.array(frames)
            bytes_read.clear()
            found = tar.read(number, wanted)
            of_tar = list(bytes_read)
            bytes_read.clear()
            assert cells.read(number, wanted) == found
            assert bytes_read == of_tar
            used = np.unique(wanted // 12)
            assert found.fragments == tuple(clip.mp4[f.offset : f.offset + f.size] for f in np.array(clip.fragments)[used])
            assert sum(bytes_read) == clip.init_size + sum(len(fragment) for fragment in found.fragments)


def test_folders_of_both_formats_are_joined(clips, folder, cells_folder):
    joined = open_clips([folder, cells_folder])
    reader = Reader(joined)
    for number in (0, 6, 13, 14, 20, 27):
        encoded = reader.read(number, np.arange(joined.num_frames[number]))
        assert encoded.init + b"".join(encoded.fragments) == clips[number % 14].mp4
    assert joined.mp4_path(13).name == "clips-000002.tar"
    assert joined.mp4_path(14) == cells_folder / "clips-000000.parquet"
    assert joined.folder == folder
