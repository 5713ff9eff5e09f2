from vdata.builder.config import PlanConfig
from vdata.builder.plan import Plan, PlannedVideo, make_plan
from vdata.builder.plan_file import read_plan, write_plan
from vdata.records import Skipped, Video


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


def test_parts_of_a_film_are_kept(tmp_path):
    film = Video("film", "film.mp4", end_seconds=7.5)
    plan = Plan((PlannedVideo(0, 0, 10, film, 0, 2), PlannedVideo(1, 0, 10, film, 1, 2)), ())
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan


def test_no_plan_is_none(tmp_path):
    assert read_plan(tmp_path) is None
