from dataclasses import replace

import pytest

from vdata.builder.config import resolve
from vdata.builder.estimate import estimate
from vdata.builder.plan import make_plan
from vdata.records import Video


def test_the_estimate_scales_the_headers_of_a_few_to_all(tmp_path, make_video):
    config = resolve("folder", settings={"clip": {"seconds": 1.0}})
    source = make_video("0.mp4", num_frames=100, fps=25).read_bytes()
    for number in range(1, 40):
        (tmp_path / f"{number}.mp4").write_bytes(source)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    videos = [Video(name, name) for name in ("bad.mp4", *(f"{n}.mp4" for n in range(40)))]
    found = estimate(make_plan(tmp_path, videos, config.plan).videos, config, tmp_path)
    assert found.num_looked_at in (23, 24)
    assert found.hours == pytest.approx(40 * 4 / 3600, rel=0.01)
    assert found.clips == pytest.approx(160, abs=2)
    assert found.bytes > 0 < found.core_hours


def test_nothing_is_guessed_where_nothing_is_told(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    config = resolve("folder")
    found = estimate(make_plan(tmp_path, [Video("a", "a.mp4")], config.plan).videos, config, tmp_path)
    assert (found.num_looked_at, found.hours, found.clips) == (0, 0, 0)


def test_documents_and_features_are_a_row_each_and_no_video(tmp_path, make_video, bare_root):
    make_video("a.mp4", num_frames=50)
    for name in ("all.txt", "f0.npy", "f1.npy", "f2.npy"):
        (tmp_path / name).write_bytes((bare_root[0] / name).read_bytes())
    config = resolve("folder", settings={"clip": {"seconds": 1.0}})
    alone = estimate(make_plan(tmp_path, [Video("a", "a.mp4")], config.plan).videos, config, tmp_path)
    both = estimate(make_plan(tmp_path, [Video("a", "a.mp4"), *bare_root[1]], config.plan).videos, config, tmp_path)
    assert both == replace(alone, clips=alone.clips + 8)
