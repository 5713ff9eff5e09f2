"""Published features: files as people publish them, read by NumPy here, and the rows that fall to clips."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdata.errors import MediaError
from vdata.extract import EXTRACTORS
from vdata.extract.published import read_features
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.feature_codec import load_features
from vdata.media.npy_codec import dump_npy
from vdata.media.origin import Origin
from vdata.records import FeatureFile, Segment, Video

COUNT = 30
NAMES = tuple(f"{number:03d}.png" for number in range(COUNT))


def rows(count, dim=5):
    return np.arange(count * dim, dtype=np.float32).reshape(count, dim)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("features")
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(root / name), np.full((48, 64, 3), 8 * number, np.uint8))
    np.save(root / "all.npy", rows(COUNT))
    np.save(root / "short.npy", rows(COUNT - 3))
    return root


def bare(root, file, **video):
    return EncodedClip.without_pictures(Origin(root, Video("f", file.source, medium="features", features=file, **video)))


def extracted(clip):
    return EXTRACTORS["published"](EXTRACTORS["published"].Config())(clip)


@pytest.mark.parametrize(
    ("name", "axes", "write"),
    [
        ("a.npy", "TD", np.save),
        ("a.NPY", "DT", lambda path, x: path.write_bytes(dump_npy(x.T.astype(np.float64)))),
        ("fortran.npy", "TD", lambda path, x: np.save(path, np.asfortranarray(x.astype(">f8")))),
        ("whole.npy", "TD", lambda path, x: np.save(path, x.astype(np.int16))),
        ("a.txt", "TD", np.savetxt),
        ("a.csv", "DT", lambda path, x: np.savetxt(path, x.T, delimiter=",")),
        ("windows.txt", "TD", lambda path, x: np.savetxt(path, x, delimiter="\t ", newline=" \r\n\r\n")),
        ("noname", "TD", lambda path, x: np.savetxt(path, x, delimiter=", ", fmt="%+g")),
    ],
)
def test_files_of_every_kind(tmp_path, name, axes, write):
    expected = rows(7) - 3.5 if name != "whole.npy" else rows(7)
    write(tmp_path / name, expected)
    found = extracted(bare(tmp_path, FeatureFile(name, axes)))
    assert np.array_equal(load_features(found.members["features.npy"]), expected.astype(np.float16))
    assert found.columns == {"feature_dim": 5, "feature_stride": 1}


def test_text_of_many_rows_is_read_exactly(tmp_path):
    """More than one block of Arrow's reader; np.loadtxt as the reference."""
    values = np.random.default_rng(0).normal(size=(2000, 64))
    np.savetxt(tmp_path / "a.txt", values)
    found = read_features(bare(tmp_path, FeatureFile("a.txt")).origin, FeatureFile("a.txt"))
    assert np.array_equal(found, np.loadtxt(tmp_path / "a.txt").astype(np.float16))


def test_a_real_file_of_breakfast():
    """8 of its lines; skipped where they are not."""
    from pathlib import Path  # noqa: PLC0415 - of this test alone

    folder = Path(__file__).parents[3] / "shared/annotations/breakfast/features/coffee"
    name = "P08_webcam01_P08_coffee.txt"
    if not (folder / name).exists():
        pytest.skip(f"no {folder}")
    found = read_features(bare(folder, FeatureFile(name)).origin, FeatureFile(name))
    assert np.array_equal(found, np.loadtxt(folder / name).astype(np.float16))
    assert found.shape == (8, 64)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.npy", np.zeros(3), r"holds float64 \(3,\)"),
        ("a.npy", np.zeros((1, 3, 2)), "axes T and D"),
        ("a.npy", np.zeros((0, 4)), r"\(0, 4\)"),
        ("a.npy", np.array([["a", "b"]]), "not numbers"),
        ("a.npy", np.array([[1, np.nan]]), "holds nan"),
        ("a.npy", np.array([[1, -np.inf]]), "holds inf"),
        ("a.npy", np.array([[1, 65520.0]]), "holds 65520: .* float16"),
        ("a.npy", np.array([[-(2**63), 1]]), "float16"),
        ("a.npy", b"no npy at all", "is no npy"),
        ("a.npy", b"", "is no npy"),
        ("a.txt", b"1 2 3\n4 5\n", "table of numbers.*got 2"),
        ("a.txt", b"1 2\n4 x\n", "table of numbers"),
        ("a.txt", b'1 2\n4 "5"\n', "table of numbers"),
        ("a.txt", b"1 nan\n", "holds nan"),
        ("a.txt", b"1 NULL\n", "table of numbers"),
        ("a.txt", b" \n\n", "it has no line"),
        ("a.txt", b"\x93NUMPY\x01\x00", "table of numbers"),
    ],
)
def test_bad_files(tmp_path, name, content, what):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        np.save(tmp_path / name, content)
    with pytest.raises(MediaError, match=f"'{name}'.*{what}") as caught:
        extracted(bare(tmp_path, FeatureFile(name)))
    assert caught.value.reason == "bad_features"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(("axes", "other"), [("DT", "TD"), ("TD", "DT")])
def test_the_other_axis_may_not_be_time(tmp_path, axes, other):
    given = rows(100, 512) if axes == "DT" else rows(100, 512).T
    np.save(tmp_path / "a.npy", given / 1e3)
    labelled = {"segments": Segment.runs([0] * 60 + [1] * 70)}
    told = rf"'a.npy' has 512 rows of 100 numbers in the axes {axes}, .* for 130 frames; set the dataset's `axes` to {other}$"
    with pytest.raises(MediaError, match=told) as caught:
        extracted(bare(tmp_path, FeatureFile("a.npy", axes), **labelled))
    assert caught.value.reason == "bad_features"
    # 30 rows apart from its classes, as published files are; without classes nothing is known.
    assert extracted(bare(tmp_path, FeatureFile("a.npy", other), **labelled)).columns["feature_dim"] == 512
    assert extracted(bare(tmp_path, FeatureFile("a.npy", axes))).columns["feature_dim"] == 100
    # Where both axes are about as long, the dataset's word counts.
    assert extracted(bare(tmp_path, FeatureFile("a.npy", axes), segments=Segment.runs([0] * 480))).columns["feature_dim"] == 100


def test_a_pickle_is_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(MediaError, match="bad_features"):
        extracted(bare(tmp_path, FeatureFile("a.npy")))


def test_a_file_that_is_absent(tmp_path):
    with pytest.raises(MediaError, match="missing"):
        extracted(bare(tmp_path, FeatureFile("none.npy")))


def video(file, **span):
    return Video("v", "images", frames=NAMES, frame_rate=Fraction(10), features=FeatureFile(file), **span)


@pytest.mark.parametrize("fps", [None, 5, 20])
@pytest.mark.parametrize("span", [{}, {"start_seconds": 0.43, "end_seconds": 2.3}])
def test_a_clip_has_the_rows_of_its_pictures(root, fps, span):
    config = ClipConfig(short_side=48, gop=4, seconds=0.8, min_seconds=0.0, **({"fps": fps} if fps else {}))
    for clip in cut(root, video("all.npy", **span), config, LimitConfig()):
        greys = np.rint(clip.pictures(range(clip.num_frames)).mean(axis=(1, 2, 3)) / 8).astype(int)
        assert np.array_equal(load_features(extracted(clip).members["features.npy"]), rows(COUNT)[greys])


def test_a_file_that_ends_before_its_video(root):
    """27 rows for 30 frames: clips of 12 frames, the last of 6 has 3; of 4 frames, the last two have none."""
    config = ClipConfig(short_side=48, gop=4, seconds=1.2, min_seconds=0.0)
    found = [extracted(clip) for clip in cut(root, video("short.npy"), config, LimitConfig())]
    assert [len(load_features(one.members["features.npy"])) for one in found] == [12, 12, 3]
    late = next(cut(root, video("short.npy", start_seconds=2.75), config, LimitConfig()))
    # The pictures are worth a row without them.
    assert (extracted(late).members, extracted(late).columns) == ({}, {})


def test_a_video_without_a_file_has_no_member(root):
    plain = Video("v", "images", frames=NAMES, frame_rate=Fraction(10))
    clip = next(cut(root, plain, ClipConfig(short_side=48), LimitConfig()))
    assert (extracted(clip).members, extracted(clip).columns) == ({}, {})


def test_a_file_is_read_once_a_video(root, monkeypatch):
    read = []
    monkeypatch.setattr(
        "vdata.extract.published.read_features", lambda origin, file: read.append(file) or read_features(origin, file)
    )
    extract = EXTRACTORS["published"](EXTRACTORS["published"].Config())
    config = ClipConfig(short_side=48, gop=4, seconds=0.8, min_seconds=0.0)
    for name in ("all.npy", "short.npy"):
        for clip in cut(root, video(name, end_seconds=2.0), config, LimitConfig()):
            extract(clip)
    assert [file.source for file in read] == ["all.npy", "short.npy"]
