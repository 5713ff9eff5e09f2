import logging
from pathlib import Path

import pytest

from vdata.builder.config import resolve
from vdata.builder.log import BuildLog, log_file
from vdata.builder.plan import Plan, PlannedVideo
from vdata.builder.tally import Tally
from vdata.builder.task import Order
from vdata.records import Video

PLAN = Plan((PlannedVideo(0, 0, 10, Video("a", "a.mp4")),), ())
ORDER = Order(Path("/out/train"), Path("/root"), 0, PLAN.videos, resolve("folder"))


def test_the_log_tells_the_build_line_by_line_and_grows_from_run_to_run(tmp_path):
    path = tmp_path / "build.log"
    for _ in range(2):
        with log_file(path):
            log = BuildLog("vdata build ...")
            log.on_plan({"train": PLAN}, [ORDER])
            log.on_retry(ORDER, "the worker died")
            log.on_shard(ORDER, Tally(videos=1, failed=1, reasons={"timeout": 1}))
    lines = [line.split(" ", 1)[1] for line in path.read_text().splitlines()]
    assert lines[:5] == [
        "INFO vdata build ...",
        "INFO train: 1 videos, 0 entries skipped, 1 shards, 1 to build",
        "WARNING train/clips-000000: the worker died",
        "WARNING train/clips-000000: 1 videos, 0 clips, 0 frames, 0 bytes; failures: timeout 1",
        "INFO done",
    ]
    assert lines[5:] == lines[:5]


def test_how_it_ended_is_the_last_line(tmp_path):
    def interrupted():
        BuildLog("x").on_plan({}, [])
        raise KeyboardInterrupt("SIGINT")

    with pytest.raises(KeyboardInterrupt), log_file(tmp_path / "build.log"):
        interrupted()
    assert (tmp_path / "build.log").read_text().endswith("ERROR ended by KeyboardInterrupt: SIGINT\n")


def test_a_command_that_is_refused_leaves_no_log(tmp_path):
    with pytest.raises(ValueError, match="no"), log_file(tmp_path / "out/build.log"):
        raise ValueError("no")
    assert not (tmp_path / "out").exists()
    assert logging.getLogger("vdata.build").handlers == []


def test_a_full_disk_ends_no_build_and_prints_nothing(capsys):
    with log_file(Path("/dev/full")):
        BuildLog("x").on_plan({"": PLAN}, [ORDER])
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger("vdata.build").handlers == []
