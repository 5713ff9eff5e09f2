import os
from fractions import Fraction

from vdata.builder.config import PlanConfig
from vdata.builder.plan import Plan, PlannedVideo, make_plan
from vdata.builder.plan_file import read_plan, write_plan
from vdata.records import FeatureFile, GivenBoxes, Segment, Skipped, Video


def test_a_saved_plan_is_read_back_whole(tmp_path):
    videos = []
    for number in range(20):
        name = f"{number:03d}.mp4"
        (tmp_path / name).write_bytes(b"x" * 1000 * (number + 1))
        facts = {"scene": number % 3, "weight": number / 2, "tags": f"t{number}"}
        videos.append(Video(f"v{number:03d}", name, label=number % 5, labels=(1, number), splits=("train1",), facts=facts))
    plan = make_plan(tmp_path, [*videos, Skipped("notes.txt", "not_media", "no video by its name")], PlanConfig())
    write_plan(tmp_path, plan)
    again = read_plan(tmp_path)
    assert again == plan
    assert type(again.videos[0].video.facts["weight"]) is float
    assert type(again.videos[0].video.facts["scene"]) is int


def test_what_only_some_videos_have_is_kept_over_several_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("vdata.builder.plan_file._ROWS_AT_ONCE", 3)
    odd = os.fsdecode(b"odd-\xff")
    videos = (
        Video("plain", "a.mp4", facts={"weight": 1.0, "name": "", "count": 0}),
        Video("frames", odd, frames=(f"{odd}/1.jpg", "2.jpg"), frame_rate=Fraction(30000, 1001)),
        Video("part", "all.tar", byte_range=(512, 2**40), start_seconds=1.5, end_seconds=2.5),
        Video("text", "a.txt", medium="text", text={"caption": "ä", "questions": [{"id": "1", "question": "?"}]}),
        Video("boxes", "b.mp4", boxes=GivenBoxes.of([0.0, 1.0], [[0, 0, 1, 1]] * 2, size=(640, 360))),
        Video("segments", "c.mp4", segments=Segment.runs([1, 1, 0])),
        Video("features", "d.npy", medium="features", features=FeatureFile("d.npy", "DT"), labels=(3, 1), splits=("a", "b")),
    )
    planned = tuple(PlannedVideo(i // 2, i, 10 * i, video) for i, video in enumerate(videos))
    plan = Plan(planned, tuple(Skipped(f"{i}.txt", "not_media", "no", f"v{i}") for i in range(5)))
    write_plan(tmp_path, plan)
    again = read_plan(tmp_path)
    assert again == plan
    assert [[type(value) for value in item.video.facts.values()] for item in again.videos[:1]] == [[float, str, int]]
    write_plan(tmp_path, Plan((), plan.skipped))
    assert read_plan(tmp_path) == Plan((), plan.skipped)
    write_plan(tmp_path, Plan((), ()))
    assert read_plan(tmp_path) == Plan((), ())


def test_parts_of_a_film_are_kept(tmp_path):
    film = Video("film", "film.mp4", end_seconds=7.5)
    plan = Plan((PlannedVideo(0, 0, 10, film, 0, 2), PlannedVideo(1, 0, 10, film, 1, 2)), ())
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan


def test_no_plan_is_none(tmp_path):
    assert read_plan(tmp_path) is None
