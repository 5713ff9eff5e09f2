import sys
import tarfile

import av
import pytest

from vdata.bench import Bench, Skip, peers
from vdata.bench.peers import FILM, Video2dataset, _cuts, build_beside_video2dataset, check_clips, x264_options
from vdata.bench.sources import HD, UCF, SourceKind
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import encode_arguments, plan_cut
from vdata.media.origin import Origin
from vdata.media.source import open_source
from vdata.records import Video

SMALL = SourceKind(160, 120, 25, 1, "avi", ("-c:v", "mpeg4", "-q:v", "4", "-bf", "1"))

STAND_IN = """#!{python}
import json, subprocess, sys, tarfile
from pathlib import Path
from time import time

settings = json.loads(Path(sys.argv[4]).read_text())
call = settings["call"]
out = Path(call["output_folder"])
out.mkdir()
if {fails}:
    sys.exit("no such codec")
height = call["config"]["subsampling"]["ResolutionSubsampler"]["args"]["height"]
options = [word for name, value in settings["encode"].items() for word in ("-" + name, str(value))]
rows = json.loads(Path(call["url_list"]).read_text())
for number, row in enumerate(rows):
    clip = out / f"{{number}}.mp4"
    scale = ["-vf", f"scale=-2:{{height}}", "-c:v", "libx264"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", row["url"], *scale, *options, clip], check=True)
    with tarfile.open(out / f"{{number}}.tar", "w") as tar:
        tar.add(clip, clip.name)
    times = {{"successes": 1, "start_time": 100.0 + number, "end_time": 101.5 + number}}
    (out / f"{{number}}_stats.json").write_text(json.dumps(times))
"""


@pytest.fixture
def stand_in(tmp_path):
    """Makes an interpreter that does what the peer does, with the ffmpeg on its PATH, and says that each shard took 1.5 s."""

    def make(*, fails=False):
        path = tmp_path / "python"
        path.write_text(STAND_IN.format(python=sys.executable, fails=fails))
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def tars(tmp_path, make_video):
    """A folder with the clips `(num_frames, height)` in a tar each."""

    def make(*clips):
        out = tmp_path / "tars"
        out.mkdir()
        for number, (num_frames, height) in enumerate(clips):
            path = make_video(f"clip-{number}.mp4", num_frames=num_frames, size=(160, height))
            with tarfile.open(out / f"{number}.tar", "w") as tar:
                tar.add(path, f"{number}.mp4")
        return out

    return make


def test_the_peer_is_measured_only_if_asked_for_and_there(tmp_path, monkeypatch):
    (skip,) = build_beside_video2dataset(Bench(tmp_path, tmp_path), SMALL, 1)
    assert skip == Skip("video2dataset", "asked for by --peers")
    monkeypatch.setattr(peers, "PYTHON", tmp_path / ".venv-peers" / "bin" / "python")
    (skip,) = build_beside_video2dataset(Bench(tmp_path, tmp_path, peers=True), SMALL, 1)
    assert skip == Skip("video2dataset", "'.venv-peers' is not there: `make bench-peers` in a checkout makes it")


def test_both_variants_of_the_peer_give_all_frames_and_its_own_times(tmp_path, shards, stand_in, monkeypatch):
    monkeypatch.setattr(peers, "PYTHON", stand_in())
    monkeypatch.setattr(peers, "_cores", lambda: 2)
    same, ours, medium = build_beside_video2dataset(Bench(shards, tmp_path, peers=True), SMALL, 1)
    assert [(one.name, one.base) for one in (ours, medium)] == [
        ("clips only", "video2dataset"),
        ("video2dataset medium", "clips only"),
    ]
    sizes = []
    for variant in (same, medium):
        variant.prepare()
        timed = variant.run()
        assert (timed.work, timed.seconds) == (2 * 25, 2.5)
        assert timed.detail["whole seconds"] == pytest.approx(timed.detail["start seconds"] + 2.5)
        sizes.append(timed.detail["bytes a frame"])
    assert sizes[0] != sizes[1]  # the settings arrive


def test_a_peer_that_fails_gives_its_last_words(tmp_path, stand_in):
    call = Video2dataset([tmp_path / "a.avi"], tmp_path / "peer", 64, {}, stand_in(fails=True))
    with pytest.raises(ValueError, match=r"video2dataset ended with status 1: \.\.\.no such codec"):
        call.run(tmp_path / "out")


def test_a_worker_has_few_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "_cores", lambda: 2)
    for count, a_shard in ((1, 1), (8, 1), (16, 2), (60, 8)):
        call = Video2dataset([tmp_path] * count, tmp_path, 256, {}, tmp_path).settings(tmp_path)["call"]
        assert call["config"]["storage"]["number_sample_per_shard"] == a_shard
        assert call["config"]["distribution"]["processes_count"] == 2


def test_a_film_is_cut_at_exact_times_and_a_short_video_is_not(tmp_path):
    film = Video2dataset([tmp_path], tmp_path, 256, {}, tmp_path, _cuts(FILM, ClipConfig())).settings(tmp_path)["call"]
    assert film["config"]["subsampling"]["ClippingSubsampler"] == {"args": {"precision": "exact"}}
    assert film["clip_col"] == "clips"
    short = Video2dataset([tmp_path], tmp_path, 256, {}, tmp_path, _cuts(UCF, ClipConfig())).settings(tmp_path)["call"]
    assert list(short["config"]["subsampling"]) == ["ResolutionSubsampler"]
    assert "clip_col" not in short


@pytest.mark.parametrize("kind", [SMALL, UCF, HD, FILM])
def test_the_cuts_are_those_of_a_build(kind):
    """A clip of a build is the whole number of GOPs nearest to clip.seconds, and a last one that is long enough."""
    clip = ClipConfig()
    a_clip = round(clip.seconds * kind.fps / clip.gop) * clip.gop
    starts = range(0, kind.seconds * kind.fps, a_clip)
    expected = [(start, min(start + a_clip, kind.seconds * kind.fps)) for start in starts]
    assert [(start * kind.fps, end * kind.fps) for start, end in _cuts(kind, clip)] == expected


def test_clips_are_counted_with_their_frames(tars):
    out = tars((20, 96), (20, 96))
    check_clips(out, 2, 20)
    check_clips(out, 2, 20, height=96)
    with pytest.raises(ValueError, match=r"'tars' has 2 clips of 3, with \[20\] frames; 20 each are due"):
        check_clips(out, 3, 20)
    with pytest.raises(ValueError, match=r"with \[0\] frames; 20 each are due"):
        check_clips(out, 2, 20, height=64)


def test_a_clip_that_lacks_a_frame_is_found(tars):
    out = tars((20, 96), (19, 96))
    with pytest.raises(ValueError, match=r"has 2 clips of 2, with \[19, 20\] frames; 20 each are due"):
        check_clips(out, 2, 20)
    with pytest.raises(ValueError, match="20 each are due"):
        check_clips(out, 2, 20, even=False)


def test_uneven_clips_are_allowed_where_their_sum_is_right(tars):
    out = tars((21, 96), (19, 96))
    check_clips(out, 2, 20, even=False)
    with pytest.raises(ValueError, match=r"with \[19, 21\] frames; 20 each are due"):
        check_clips(out, 2, 20)


@pytest.mark.parametrize("clip", [ClipConfig(), ClipConfig(preset="fast", crf=30, fastdecode=False, gop=8)])
def test_the_peer_is_given_the_encoder_settings_of_a_build(make_video, clip):
    path, video = make_video("a.mp4", num_frames=12), Video("a.mp4", "a.mp4")
    with open_source(path.parent, "a.mp4") as file:
        arguments = encode_arguments(plan_cut(Origin(path.parent, video, LimitConfig(), file), clip), clip)
    options = x264_options(clip)
    assert options.pop("bf") == 0
    assert "bframes=0" in arguments[arguments.index("-x264-params") + 1].split(":")
    assert {name: arguments[arguments.index(f"-{name}") + 1] for name in options} == {k: str(v) for k, v in options.items()}
    assert ("tune" in options) == ("-tune" in arguments)


@pytest.mark.slow
@pytest.mark.skipif(not peers.PYTHON.exists(), reason="needs `make bench-peers`")
@pytest.mark.parametrize("cuts", [[(0, 2)], [(0, 1), (1, 2)]])
def test_the_real_peer_transcodes_with_our_settings(tmp_path, make_video, cuts):
    paths = [make_video(f"{number}.mp4", num_frames=50, seed=number) for number in range(3)]
    clip, frames = ClipConfig(short_side=64), 50 // len(cuts)
    call = Video2dataset(paths, tmp_path / "peer", 64, x264_options(clip), peers.PYTHON, cuts)
    seconds, whole = call.run(tmp_path / "out")
    assert 0 < seconds < whole
    check_clips(tmp_path / "out", 3 * len(cuts), frames, height=64)
    with tarfile.open(min((tmp_path / "out").glob("*.tar"))) as tar:
        member = next(member for member in tar if member.name.endswith(".mp4"))
        with av.open(tar.extractfile(member)) as container:
            keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert keys == [number % clip.gop == 0 for number in range(frames)]
