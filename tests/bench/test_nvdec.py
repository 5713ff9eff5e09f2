"""The GPU case as far as it goes without one: what NVDEC would be given decodes to the right frames, and a Skip says why."""

import io

import av
import numpy as np
import pytest
import torch

from pipelines.clips import open_clips
from pipelines.read import Reader
from vdata import open_shards
from vdata.bench import Bench, Skip, nvdec
from vdata.bench.loader_material import make_material
from vdata.bench.nvdec import decode_pipeline, difference, load_frames, num_decoders, random_parts, same_size, window_part
from vdata.bench.run import _load, case_files
from vdata.bench.sources import SourceKind
from vdata.views import Clip

SMALL = SourceKind(96, 64, 25, 2, "mp4", ("-c:v", "libx264", "-crf", "30"))


@pytest.fixture
def layered(shards, tmp_path, monkeypatch):
    """A folder of two clips with three layers, of 50 frames."""
    monkeypatch.setattr("vdata.bench.loader_material.BATCH_SIZE", 2)
    return make_material(Bench(shards, tmp_path / "scratch", quick=True), "small", SMALL).shards[3]


def decoded(mp4):
    """All frames that an MP4 shows."""
    with av.open(io.BytesIO(mp4)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("thins", [False, True])
def test_the_bytes_of_a_window_show_its_frames(layered, thins):
    clips, whole = open_clips(layered), decoded(open_shards(layered)[0]["mp4"])
    for start, stride in ((0, 1), (3, 2), (5, 4), (1, 8), (16, 5)):
        frames = start + stride * np.arange(6)
        part = window_part(Reader(clips), 0, frames, thins=thins)
        shown = decoded(part.mp4.tobytes())
        assert len(shown) == part.num_pictures
        for place, frame in zip(part.places, frames, strict=True):
            assert np.array_equal(shown[place], whole[frame])


def test_thinning_leaves_pictures_out(layered):
    clips, frames = open_clips(layered), np.arange(0, 48, 8)
    whole, thinned = (window_part(Reader(clips), 0, frames, thins=thins) for thins in (False, True))
    assert whole.num_pictures == 48
    # Places 0, 4 and 8 of each GOP of 16.
    assert thinned.num_pictures == 9
    assert len(thinned.mp4) < len(whole.mp4)


def test_batches_are_of_random_windows_and_the_graph_is_the_decoder_alone(layered):
    batches = random_parts(open_clips(layered), Clip("clip", frames=4, stride=2), 3, thins=True)
    assert [len(batch) for batch in batches] == [3] * nvdec.NUM_BATCHES
    assert len({part.mp4.tobytes() for batch in batches for part in batch}) > 3
    pipeline = decode_pipeline(batches, 0)
    assert (pipeline.max_batch_size, pipeline.device_id) == (3, 0)
    assert pipeline.num_threads >= nvdec.NUM_ENGINES


def test_whole_pictures_are_the_cpus_own(layered):
    view = Clip("clip", frames=4, stride=3)
    first, again = (load_frames(layered, view, "cpu", 1)[0] for _ in range(2))
    assert first.dtype == torch.uint8
    assert first.shape[1] == 4
    assert torch.equal(first, again)


def test_a_conversion_is_told_from_another_frame():
    picture = torch.randint(0, 200, (2, 8, 8, 3), dtype=torch.uint8)
    assert difference(picture + 2, picture) == (2.0, 2)
    assert difference(picture + 2, picture).is_conversion
    assert not difference(picture.flip(2), picture).is_conversion
    spot = picture.clone()
    spot[0, 0, 0, 0] += 50
    assert not difference(spot, picture).is_conversion


def test_decoders_are_counted_by_coded_size(layered):
    clips = open_clips(layered)
    assert num_decoders(clips) == 1
    assert same_size(clips).all()


@pytest.mark.parametrize(("device", "why"), [("cpu", "asked for by --device cuda:0"), ("cuda:0", "has no NVIDIA GPU")])
def test_the_case_says_why_it_cannot_run(shards, tmp_path, device, why):
    if device != "cpu" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    (skip,) = _load(case_files()["gpu"]).variants(Bench(shards, tmp_path, device=device))
    assert isinstance(skip, Skip)
    assert why in skip.reason
