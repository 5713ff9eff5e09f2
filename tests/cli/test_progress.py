from pathlib import Path

from vdata.builder.config import resolve
from vdata.builder.plan import Plan, PlannedVideo
from vdata.builder.tally import Tally
from vdata.builder.task import Order
from vdata.cli import _progress
from vdata.cli._progress import BuildProgress
from vdata.records import Video

VIDEOS = tuple(PlannedVideo(i // 2, i, 10, Video(str(i), f"{i}.mp4")) for i in range(4))
PLAN = Plan(VIDEOS, ())
ORDERS = [Order(Path("out"), Path("root"), shard, videos, resolve("folder")) for shard, videos in PLAN.by_shard().items()]


def test_a_pipe_gets_plain_lines_with_rates_and_failures_by_reason(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "SECONDS_BETWEEN_LINES", 0)
    with BuildProgress(quiet=False) as progress:
        progress.on_plan({"": PLAN}, ORDERS[1:])
        reasons = {"timeout": 1, "empty": 5, "a": 4, "b": 3, "c": 2}
        progress.on_shard(ORDERS[1], Tally(videos=1, clips_written=2, frames=50, bytes=3_000_000, reasons=reasons))
        progress.on_retry(ORDERS[1], "timeout of 'odd [red] \udcff\n name.mp4': tried again")
    printed = capsys.readouterr()
    assert printed.out == ""
    plan, line, retry = printed.err.strip().split("\n", 2)
    assert plan == "4 videos in 2 shards, 1 of them finished by an earlier run"
    assert line.startswith("1/2 videos, ")
    assert "frames/s, 3 MB; failures: empty 5, a 4, b 3, c 2, ...," in line
    assert line.endswith("min left")
    assert "\x1b" not in printed.err
    assert "[red] \\udcff" in retry


def test_a_film_of_many_parts_counts_once(capsys):
    film = Video("film", "film.mp4")
    plan = Plan(tuple(PlannedVideo(part, 0, 10, film, part, 3) for part in range(3)), ())
    with BuildProgress(quiet=False) as progress:
        progress.on_plan({"train": plan}, [])
    assert capsys.readouterr().err.startswith("1 videos in 3 shards")


def test_quiet_prints_nothing(capsys):
    with BuildProgress(quiet=True) as progress:
        progress.on_plan({"": PLAN}, ORDERS)
        progress.on_retry(ORDERS[0], "why")
    assert capsys.readouterr() == ("", "")
