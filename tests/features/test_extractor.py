"""Features against a slow loop: PyAV decodes each window, the DALI graph makes its pixels, the network sees it alone."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
import torch

from pipelines.draw import draw
from pipelines.graph import Graph, GraphConfig
from pipelines.philox import NUM_UNIFORMS
from pipelines.views.pictures import PictureReader
from pipelines.windows import Window
from vdata.checkpoint import Checkpoint, load_backbone, load_checkpoint, save_checkpoint
from vdata.errors import ConfigError
from vdata.features import extractor
from vdata.features.config import FeaturesConfig
from vdata.features.extractor import FeatureExtractor, window_frames
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.feature_codec import load_features
from vdata.records import Video
from vdata.views import Clip

CPU = torch.device("cpu")


@pytest.fixture
def clip_of(make_video):
    """A function that makes a clip of a moving texture, by default of three GOPs of 8 and a part of one."""

    def make(num_frames=29, **settings):
        path = make_video(num_frames=num_frames, **settings)
        (clip,) = cut(path.parent, Video("v", path.name), ClipConfig(short_side=64, gop=8), LimitConfig())
        return clip

    return make


def extract(checkpoint, clip, **settings):
    found = FeatureExtractor(FeaturesConfig(checkpoint=str(checkpoint), **settings))(clip)
    features = load_features(found.members["features.npy"])
    assert found.columns["feature_dim"] == features.shape[1]
    return features, found.columns["feature_stride"]


def slow(checkpoint, clip, stride, *, frames=4, step=2, size=32):
    """(T', D) float32 by the definition."""
    backbone = load_backbone(load_checkpoint(checkpoint))
    with av.open(io.BytesIO(clip.mp4)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    view = Clip(frames=frames, stride=step, size=size)
    box = np.array([[0, 0, clip.picture.width, clip.picture.height]])
    reader, rows = PictureReader(view, {}), []
    graph = Graph((reader,), GraphConfig(CPU, batch_size=1, num_threads=1, depth=1))
    for centre in range(0, len(whole), stride):
        numbers = [min(max(centre + (j - frames // 2) * step, 0), len(whole) - 1) for j in range(frames)]
        window = np.stack([whole[number][: clip.picture.height, : clip.picture.width] for number in numbers])
        taken = Window(np.array([numbers]), np.ones((1, frames), bool), np.ones(1, np.int64), np.zeros(1, bool))
        graph.feed({"clip": [window]} | reader.feeds(draw(view, taken, box, np.zeros((1, NUM_UNIFORMS))), [None]))
        ((pixels,),) = graph.take()
        with torch.inference_mode():
            rows.append(backbone(pixels)[0].numpy())
    return np.stack(rows)


def assert_close(found, wanted):
    """Equal but for float16's 11 bits, and the steps of 1/255 that the two resizes round otherwise."""
    assert found.shape == wanted.shape
    assert np.abs(found.astype(np.float32) - wanted).max() <= 2e-3 * np.abs(wanted).max()


@pytest.mark.parametrize(("num_frames", "stride"), [(29, 3), (13, 1), (16, 16), (17, 16), (8, 5)])
def test_features_equal_a_slow_loop(checkpoint, clip_of, num_frames, stride):
    clip = clip_of(num_frames)
    found, stored = extract(checkpoint, clip, stride=stride)
    assert stored == stride
    wanted = slow(checkpoint, clip, stride)
    assert_close(found, wanted)
    # The rows differ from each other by more than what is let pass.
    assert len(wanted) == 1 or np.abs(np.diff(wanted, axis=0)).max(axis=1).min() > 0.01 * np.abs(wanted).max()


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_a_clip_shorter_than_the_window_repeats_its_ends(checkpoint, clip_of, num_frames):
    clip = clip_of(num_frames)
    found, _ = extract(checkpoint, clip, stride=2, frames=8)
    assert len(found) == -(-num_frames // 2)
    assert_close(found, slow(checkpoint, clip, 2, frames=8))


def test_what_the_config_says_goes_over_what_was_trained(checkpoint, clip_of):
    clip = clip_of()
    found, _ = extract(checkpoint, clip, stride=7, frames=3, step=5, size=40)
    assert_close(found, slow(checkpoint, clip, 7, frames=3, step=5, size=40))


def test_the_batch_changes_a_feature_by_rounding_alone(checkpoint, clip_of):
    clip = clip_of()
    ones, sevens, whole = (extract(checkpoint, clip, stride=1, batch=batch)[0] for batch in (1, 7, 100))
    for other in (sevens, whole):
        assert np.abs(ones.astype(np.float32) - other).max() <= 2**-10 * np.abs(ones).max()


def test_equal_clips_give_equal_bytes(checkpoint, clip_of):
    clip, config = clip_of(), FeaturesConfig(str(checkpoint))
    first, second = FeatureExtractor(config), FeatureExtractor(config)
    assert first(clip).members == second(clip).members == second(clip).members


def test_bfloat16_is_near(checkpoint, clip_of):
    clip = clip_of()
    found, _ = extract(checkpoint, clip, stride=4, dtype="bfloat16")
    wanted = slow(checkpoint, clip, 4)
    assert not np.array_equal(found, wanted.astype(np.float16))
    assert np.abs(found - wanted).max() <= 0.05 * np.abs(wanted).max()


def test_a_long_clip_is_decoded_once_and_never_whole_in_memory(checkpoint, clip_of, monkeypatch):
    """One clip may be a whole film: no more frames are held than the windows of one batch and one GOP."""
    clip, decoded, held = clip_of(96), [], []
    decode, take = extractor.decode_frames, extractor._Pictures.take

    def counted(mp4, numbers, picture):
        decoded.extend(numbers)
        return decode(mp4, numbers, picture)

    def watched(pictures, windows):
        taken = take(pictures, windows)
        held.append(len(pictures._ready))
        return taken

    monkeypatch.setattr(extractor, "decode_frames", counted)
    monkeypatch.setattr(extractor._Pictures, "take", watched)
    features, _ = extract(checkpoint, clip, stride=1, batch=2)
    assert len(features) == 96
    assert decoded == list(range(96))
    assert max(held) <= (4 - 1) * 2 + 2 + 8


def test_windows_by_hand():
    odd, even = Clip(frames=3, stride=2, size=8), Clip(frames=4, stride=1, size=8)
    assert window_frames(6, 2, odd).tolist() == [[0, 0, 2], [0, 2, 4], [2, 4, 5]]
    assert window_frames(4, 3, even).tolist() == [[0, 0, 0, 1], [1, 2, 3, 3]]


@pytest.mark.parametrize("content", [None, b"no checkpoint", {"format_version": 1, "weights": torch.zeros(1)}, {"w": 1}])
def test_what_is_no_checkpoint_is_an_error_of_one_line(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save(content, path)
    with pytest.raises(ConfigError, match="checkpoint") as caught:
        FeatureExtractor(FeaturesConfig(str(path)))
    assert "\n" not in str(caught.value)


def test_a_diverged_network_is_refused(checkpoint, tmp_path, clip_of):
    saved = load_checkpoint(checkpoint)
    model = {key: value * float("nan") if value.is_floating_point() else value for key, value in saved.model.items()}
    save_checkpoint(tmp_path / "nan.pt", Checkpoint(saved.config, 1, model, {}, {}))
    with pytest.raises(ConfigError, match="has the network diverged"):
        extract(tmp_path / "nan.pt", clip_of(5))
