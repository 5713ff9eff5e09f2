"""What the graph is fed: decoded pictures against PyAV's whole clip, and bytes that PyAV decodes in NVDEC's place."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from pipelines import ClipIterator, LoaderConfig
from pipelines.clips import open_clips
from pipelines.decode import Decoder
from pipelines.philox import NUM_UNIFORMS
from pipelines.read import Reader
from pipelines.samples import Samples, known_of
from pipelines.sources import DecodedSource, EncodedSource
from pipelines.units import make_units
from pipelines.views import Finish, Shot
from vdata.errors import CorruptShardError, DecodeError
from vdata.records import Picture
from vdata.views import Augment, Clip, Keyframe

WINDOWS = [[20, 24, 28], [29, 0, 15], [2, 28, 30], [5, 5, 5], list(range(30)), [29]]


def sample_of(folder: Path, number: int = 0, unit: str = "clip") -> tuple[Reader, Samples]:
    """A reader, and the one unit of that number."""
    index = open_clips(folder)
    units = make_units(unit, index, np.arange(len(index)))
    runs = units.runs(np.array([number]), np.zeros(1))
    return Reader(index), known_of(index, runs, (), {}, np.zeros((1, NUM_UNIFORMS)))


def shots_of(windows: Sequence[Sequence[int]], finish: Finish | None = None) -> list[Shot]:
    return [Shot(f"v{place}", np.array(window), finish) for place, window in enumerate(windows)]


@pytest.fixture(scope="module", params=[1, 3], ids=["one layer", "three layers"])
def layers(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def two_clips(layers, make_clip, make_frames, whole, tmp_path_factory, request) -> tuple[Path, np.ndarray]:
    """A video of two clips, 30 and 37 frames, and all frames behind one another."""
    frames = make_frames(67, seed=3)
    gop = 12 if layers == 1 else 16
    # The second clip begins with a keyframe of its own, as the builder's clips do.
    made = [make_clip(part, gop, layers) for part in (frames[:30], frames[30:])]
    write = request.getfixturevalue("write_clips")
    folder = write(tmp_path_factory.mktemp("video") / "shards", made, videos=[0, 0])
    return folder, np.concatenate([whole(clip.mp4) for clip in made])


# ------------------------------------------------------------------------------------------------------------------ decoded


def test_decoded_windows_are_the_pictures_of_the_whole_clip(folder, pixels):
    reader, samples = sample_of(folder, 6)
    for window, found in zip(WINDOWS, DecodedSource(reader).load(samples, 0, shots_of(WINDOWS)), strict=True):
        assert np.array_equal(found, pixels[6][window])


def test_a_frame_that_several_views_want_is_decoded_once(folder, pixels):
    reader, samples = sample_of(folder, 6)
    source = DecodedSource(reader)
    found = source.load(samples, 0, shots_of([range(12), [0, 4, 8], [11, 11, 3], range(24, 26)]))
    assert source.decoder.num_packets == 12 + 2
    assert np.array_equal(found[2], pixels[6][[11, 11, 3]])


def test_windows_lie_across_the_clips_of_a_run(two_clips):
    folder, expected = two_clips
    reader, samples = sample_of(folder, 0, "video")
    assert samples.num_frames.tolist() == [67]
    windows = [range(20, 45, 3), [66, 29, 30, 0], [29, 30], range(67)]
    for window, found in zip(windows, DecodedSource(reader).load(samples, 0, shots_of(windows)), strict=True):
        assert np.array_equal(found, expected[list(window)])


def test_a_picture_away_from_the_corner(clips, make_folder, whole):
    """For whole pictures and for finished ones."""
    clip = clips[2]
    frames = whole(clip.mp4)
    moved = type(clip)(**{name: getattr(clip, name) for name in clip.__dataclass_fields__} | {"picture": Picture(6, 4, 60, 40)})
    reader, samples = sample_of(make_folder([moved]))
    (found,) = DecodedSource(reader).load(samples, 0, shots_of([[7, 9]]))
    assert np.array_equal(found, frames[[7, 9], 4:44, 6:66])
    plain, other = sample_of(make_folder([clip]))
    by_corner = shots_of([[7]], Finish(np.array([2, 2, 42, 34], np.float32), (24, 24), None, 0.0))
    by_box = shots_of([[7]], Finish(np.array([8, 6, 48, 38], np.float32), (24, 24), None, 0.0))
    assert np.array_equal(DecodedSource(reader).load(samples, 0, by_corner), DecodedSource(plain).load(other, 0, by_box))


# ---------------------------------------------------------------------------------------------- padding reaches no batch

EVERYTHING = Augment(area=(0.1, 1.0), aspect=(0.5, 3.0), jitter=0.0, gray=0.0, blur=0.5, blur_sigma=(1.0, 2.0), rotate=45.0)
VIEWS = (
    Clip("crops", 4, 2, 48, Augment(area=(0.1, 1.0), aspect=(0.5, 3.0), jitter=0.0, gray=0.0, blur=0.0)),
    Clip("blurred", 4, 2, 48, Augment(area=(0.1, 1.0), aspect=(0.5, 3.0), jitter=0.0, gray=0.0, blur=1.0, blur_sigma=(1.5, 2.0))),
    Clip("all", 4, 2, 48, EVERYTHING),
    Clip("small", 4, 2, 8, Augment(area=(0.8, 1.0), jitter=0.0, gray=0.0, blur=0.0)),
    Clip("random", 4, 2, 48, Augment(crop="random", resize=(0, 50), jitter=0.0, gray=0.0, blur=0.0)),
    Clip("centre", 4, 2, (16, 96)),
    Clip("three", 4, 2, 48, crops="three"),
    Keyframe("key", of="crops", size=48, augment=Augment(area=(0.1, 1.0), aspect=(0.5, 3.0), jitter=0.0, gray=0.0, blur=0.0)),
)


def borders(box: np.ndarray) -> tuple[int, int]:
    """How many boxes touch the right and the lower edge of the picture."""
    return int((box[..., 2] == 96).sum()), int((box[..., 3] == 64).sum())


@pytest.mark.parametrize("shortcuts", [(), ("scale",), ("scale", "blur")])
def test_padding_reaches_no_batch(folder, shortcuts):
    """Right of the pictures and below them the canvas is magenta: 253 more blue than green; the pictures have 60 at most."""
    touched = np.zeros(2, int)
    with ClipIterator(folder, views=VIEWS, batch_size=14, config=LoaderConfig(shortcuts=shortcuts)) as it:
        for batch in itertools.chain.from_iterable(itertools.repeat(it, 3)):
            for view in VIEWS:
                channel = batch[view.name].movedim(-3 if view.name == "key" else -4, 0)
                assert 255 * (channel[2] - channel[1]).max() < 75, view.name
                if view.name in ("crops", "blurred", "all"):
                    touched += borders(batch["meta"][view.name]["crop"].numpy())
    assert (touched > 4).all()


def painted(frame: av.VideoFrame, value: int) -> av.VideoFrame:
    """A copy whose pixels outside of the picture, 96x64, have another value in every plane."""
    copy = av.VideoFrame(frame.width, frame.height, "yuv420p")
    copy.pts, copy.colorspace, copy.color_range = frame.pts, frame.colorspace, frame.color_range
    for part, source, target in zip((1, 2, 2), frame.planes, copy.planes, strict=True):
        pixels = np.frombuffer(source, np.uint8).reshape(source.height, source.line_size)[:, : source.width].copy()
        pixels[64 // part :], pixels[:, 96 // part :] = value, value
        rows = np.zeros((target.height, target.line_size), np.uint8)
        rows[:, : target.width] = pixels
        target.update(rows.tobytes())
    return copy


@pytest.mark.parametrize("shortcuts", [(), ("scale", "blur")])
def test_what_lies_outside_of_the_picture_changes_no_bit(folder, shortcuts, monkeypatch):
    def batch_with(value: int) -> dict:
        with monkeypatch.context() as patch:
            frames = Decoder.frames
            patch.setattr(Decoder, "frames", lambda *given: ((number, painted(frame, value)) for number, frame in frames(*given)))
            with ClipIterator(folder, views=VIEWS, batch_size=14, config=LoaderConfig(shortcuts=shortcuts)) as it:
                return next(iter(it))

    black, white = batch_with(0), batch_with(255)
    assert all(torch.equal(black[view.name], white[view.name]) for view in VIEWS)


def test_without_size_no_padding_comes_either(folder):
    with ClipIterator(folder, views=(Clip("raw", 4, 2, None),), batch_size=14) as it:
        raw = next(iter(it))["raw"].int()
    assert raw.shape == (14, 4, 64, 96, 3)
    assert (raw[..., 2] - raw[..., 1]).max() < 75


def test_padding_would_be_seen(folder):
    """What the tests above look for is there: a crop that is two pixels too wide shows it."""
    reader, samples = sample_of(folder)
    for box, is_too_large in (([50, 20, 96, 64], False), ([50, 20, 98, 64], True), ([50, 20, 96, 66], True)):
        shots = shots_of([[0]], Finish(np.array(box, np.float32), (48, 48), None, 0.0))
        (found,) = DecodedSource(reader).load(samples, 0, shots)
        assert ((found[..., 2].astype(int) - found[..., 1]).max() > 75) == is_too_large


# ------------------------------------------------------------------------------------------------------------------ encoded


def times(mp4: bytes) -> list[int]:
    with av.open(io.BytesIO(mp4)) as container:
        return [frame.pts for frame in container.decode(video=0)]


@pytest.mark.parametrize("thins", [False, True])
def test_encoded_windows_are_mp4s_whose_counted_frames_are_the_wanted_ones(
    layers, make_clip, make_frames, make_folder, whole, thins
):
    clip = make_clip(make_frames(42), 12 if layers == 1 else 16, layers)
    expected = whole(clip.mp4)
    reader, samples = sample_of(make_folder([clip]))
    windows = [
        *WINDOWS,
        *(range(start, start + 4 * stride + 1, stride) for stride in (1, 2, 4, 8) for start in (0, 3, 41 - 4 * stride)),
    ]
    for window, (mp4, places) in zip(
        windows, EncodedSource(reader, thins=thins).load(samples, 0, shots_of(windows)), strict=True
    ):
        assert places.dtype == np.int32
        assert mp4.dtype == np.uint8
        assert np.array_equal(whole(mp4.tobytes())[places], expected[list(window)]), window


def test_thinned_windows_have_no_picture_too_many(make_clip, make_frames, make_folder, whole):
    clip = make_clip(make_frames(48), 16, 3)
    reader, samples = sample_of(make_folder([clip]))
    # The last: 0 1 4 of the first GOP, nothing of the second, 32 36 40 44 46 47 of the third.
    for window, count in (([0, 4, 8, 12], 4), ([16, 24, 32, 40], 6), ([5], 4), ([1, 46], 3 + 6)):
        ((mp4, _),) = EncodedSource(reader, thins=True).load(samples, 0, shots_of([window]))
        assert len(whole(mp4.tobytes())) == count, window


@pytest.mark.parametrize("thins", [False, True])
def test_encoded_windows_across_two_clips_go_on_in_time(two_clips, whole, thins):
    folder, expected = two_clips
    reader, samples = sample_of(folder, 0, "video")
    windows = [range(20, 45, 3), [66, 29, 30, 0], [29, 30], range(67), [3, 35], range(1, 66, 16)]
    for window, (mp4, places) in zip(
        windows, EncodedSource(reader, thins=thins).load(samples, 0, shots_of(windows)), strict=True
    ):
        data = mp4.tobytes()
        assert np.array_equal(whole(data)[places], expected[list(window)]), window
        shown = times(data)
        assert all(later > earlier for earlier, later in itertools.pairwise(shown)), window
        if not thins:
            assert len({later - earlier for earlier, later in itertools.pairwise(shown)}) <= 1


def test_clips_of_another_init_are_refused(make_clip, make_frames, make_folder):
    made = [make_clip(make_frames(24, size)) for size in ((96, 64), (64, 96))]
    reader, samples = sample_of(make_folder(made, videos=[0, 0]), 0, "video")
    source = EncodedSource(reader, thins=False)
    with pytest.raises((DecodeError, CorruptShardError), match="not encoded alike"):
        source.load(samples, 0, shots_of([[20, 30]]))
    assert len(source.load(samples, 0, shots_of([[20, 22]]))) == 1


def test_encoded_windows_hold_no_fragment_before_the_first(folder, clips):
    reader, samples = sample_of(folder, 6)
    ((mp4, places),) = EncodedSource(reader, thins=False).load(samples, 0, shots_of([[20, 24, 28]]))
    assert places.tolist() == [8, 12, 16]
    assert len(mp4) == clips[6].init_size + sum(fragment.size for fragment in clips[6].fragments[1:3])


def test_encoded_feeds_name_every_source_of_the_graph(folder):
    index = open_clips(folder)
    runs = make_units("clip", index, np.arange(len(index))).runs(np.array([6, 2]), np.zeros(2))
    samples = known_of(index, runs, (), {}, np.zeros((2, NUM_UNIFORMS)))
    source = EncodedSource(Reader(index), thins=False)
    shots = shots_of([[20, 24, 28], [29, 0, 15]])
    feeds = source.feeds(["v0", "v1"], [source.load(samples, row, shots) for row in (0, 1)], samples)
    assert set(feeds) == {f"v{place}{part}" for place in "01" for part in ("", ".frames", ".picture_corner", ".picture_shape")}
    assert feeds["v0.picture_corner"].tolist() == [[0, 0], [0, 0]]
    assert feeds["v0.picture_shape"].tolist() == [[64, 96], [64, 96]]
    assert feeds["v1.frames"].shape == (2, 3)


# -------------------------------------------------------------------------------------------------------------------- both


def sources(reader: Reader) -> list[DecodedSource | EncodedSource]:
    return [DecodedSource(reader), EncodedSource(reader, thins=False), EncodedSource(reader, thins=True)]


@pytest.mark.parametrize("which", range(3))
def test_lost_headers_show_in_load(clips, make_folder, which):
    folder = make_folder(clips[:3])
    index = open_clips(folder)
    with (folder / "clips-000000.tar").open("r+b") as tar:
        tar.seek(int(index.mp4_offset[1]) + clips[1].init_size)
        tar.write(bytes(200))  # the first fragment's moof
    reader, samples = sample_of(folder, 1)
    source = sources(reader)[which]
    with pytest.raises(CorruptShardError, match=rf"clips-000000\.tar', key '{index.key(1)}'.*box"):
        source.load(samples, 0, shots_of([[0, 4]]))
    assert len(source.load(samples, 0, shots_of([[13, 14]]))) == 1


@pytest.mark.parametrize("which", range(3))
def test_what_is_asked_for_ahead_is_what_is_read(two_clips, which, monkeypatch):
    folder, _ = two_clips
    reader, samples = sample_of(folder, 0, "video")
    asked: dict[str, set[tuple[int, int]]] = {"read": set(), "ahead": set()}
    read = reader.read

    def listed(kind: str, clip: int, frames: np.ndarray) -> None:
        first = np.asarray(
            reader._clips.fragment_frame[reader._clips.fragment_start[clip] : reader._clips.fragment_start[clip + 1]]
        )
        asked[kind] |= {(clip, int(place)) for place in np.searchsorted(first, frames, "right")}

    monkeypatch.setattr(reader, "ahead", lambda clip, frames: listed("ahead", clip, frames))
    monkeypatch.setattr(reader, "read", lambda clip, frames: (listed("read", clip, frames), read(clip, frames))[1])
    source, shots = sources(reader)[which], shots_of([[3, 20], [25, 40, 60]])
    source.ahead(samples, 0, shots)
    source.load(samples, 0, shots)
    assert asked["ahead"] == asked["read"] != set()


def test_a_tar_that_is_gone_is_named(clips, make_folder):
    folder = make_folder(clips[:2], per_shard=1)
    reader, samples = sample_of(folder, 1)
    (folder / "clips-000001.tar").unlink()
    for source in sources(reader):
        with pytest.raises(CorruptShardError, match=r"clips-000001\.tar"):
            source.load(samples, 0, shots_of([[0]]))
