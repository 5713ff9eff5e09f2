"""Whole builds of hostile folders: they end, account for every file, and touch nothing that is not theirs."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from _driver import Site, errors, rows, site
from _fuzz import hostile_folder, odd_names, sound_videos
from _tricks import TRICKS, Bait
from _videos import video
from _watch import Listener, OpenWatch, eventually, processes, snapshot

pytestmark = pytest.mark.ray

LIMITS = {"limit.cpu_seconds": 20, "limit.wall_seconds": 60, "limit.memory_gib": 1.5, "clip.short_side": 64, "clip.seconds": 2}
SECRET = "3b1f8e-this-must-not-leave-the-environment"
NEVER_BUILT = ("m3u8", "ffconcat", "dash", "imf", "edl", "asx", "reference", "vobsub", "sdp", "rtsp", "subfile", "smil")
"""Tricks whose file is a script: a clip of one would have come from somewhere else."""


@pytest.fixture(scope="session")
def real_videos() -> Path | None:
    """The folder of real videos, where there is one; the generated ones do without."""
    root = Path(os.environ.get("VDATA_TEST_VIDEOS", Path(__file__).parents[3] / "shared" / "videos"))
    return root if root.is_dir() else None


def settings(**changes: float) -> list[str]:
    """Small limits as arguments, and the share of failures that stops no build."""
    given = [word for key, value in (LIMITS | changes).items() for word in ("--set", f"{key}={value}")]
    return [*given, "--max-failed", "1.0"]


def listed(folder: Path) -> set[str]:
    """The name of every entry below a folder that is no folder itself, as the rows spell it."""
    start = os.fsencode(folder)
    found = set()
    for place, folders, files in os.walk(start):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 - bytes
        for name in [*files, *links]:
            path = os.path.relpath(os.path.join(place, name), start)  # noqa: PTH118 - names of any bytes
            found.add(path.decode("utf-8", "backslashreplace"))
    return found


def outcomes(place: Site) -> dict[str, set[str]]:
    """For every source the reasons of its failures, and "built" if it has clips."""
    found: dict[str, set[str]] = {row["source"]: {"built"} for row in rows(place.out)}
    for row in errors(place.out):
        found.setdefault(row["source"], set()).add(row["reason"])
    return found


def assert_accounts_for_all(place: Site) -> dict[str, set[str]]:
    """Every entry is in the clips or in the errors, and nothing else is; the sums say the same."""
    found = outcomes(place)
    assert set(found) == listed(place.root)
    counts = place.info()["counts"]
    assert counts["videos_listed"] == len(found)
    parts = ("videos_built", "videos_partial", "videos_skipped", "videos_failed")
    assert sum(counts[part] for part in parts) == len(found)
    assert counts["videos_built"] + counts["videos_partial"] == sum("built" in reasons for reasons in found.values())
    assert counts["clips_written"] == len(rows(place.out))
    return found


def assert_says_it_well(place: Site) -> None:
    """An error row is for people: a code, and one line that can be printed. Tables are UTF-8, whatever a name's bytes are."""
    for row in errors(place.out):
        assert row["reason"].replace("_", "").isalpha(), row
        assert row["message"].strip(), row
        assert len(row["message"].splitlines()) == 1, row
    for path in place.out.rglob("*.parquet"):
        pq.read_table(path).to_pylist()
    assert len({row["key"] for row in rows(place.out)}) == len(rows(place.out))
    for path in place.out.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def build_and_watch(place: Site, bait: Bait, listener: Listener, *arguments: str) -> dict[str, set[str]]:
    """The outcomes of a build that has touched nothing but its output and its temporary folder."""
    home, temporary, cwd = place.private
    watched = [bait.canary, *place.root.rglob("*.png")]
    guarded = [place.root, home, cwd, bait.canary.parent]
    before = [snapshot(folder) for folder in guarded]
    with OpenWatch(watched) as watch:
        running = place.start(*arguments)
        assert running.status(3000) == 0, running.errors()
        assert watch.touched() == set()
    assert listener.knocks == 0
    assert [snapshot(folder) for folder in guarded] == before
    assert list(temporary.iterdir()) == []
    assert {path.name for path in place.base.iterdir()} == {"out", "home", "tmp", "cwd", "log.out", "log.err"}
    assert "Traceback" not in running.errors()
    assert place.ffmpegs == []
    assert eventually(lambda: not processes(place.base), 10), processes(place.base)
    return assert_accounts_for_all(place)


def assert_withstands(tmp_path: Path, monkeypatch, count: int, seed: int, real: Path | None, *arguments: str) -> None:
    monkeypatch.setenv("VDATA_SOAK_SECRET", SECRET)
    root, canary = tmp_path / "root", tmp_path / "elsewhere" / "canary.mp4"
    canary.parent.mkdir()
    canary.write_bytes(video(".mp4", num_frames=30))
    with ExitStack() as stack:
        listener = stack.enter_context(Listener())
        bait = Bait(canary, f"http://127.0.0.1:{listener.port}/x.mp4")
        root.mkdir()
        hostile_folder(root, count, seed, sound_videos(real), bait)
        for name, data in sound_videos(None).items():
            (root / f"sound-{name}").write_bytes(data)
        odd_names(root / "odd")
        place = stack.enter_context(site(root))
        found = build_and_watch(place, bait, listener, *arguments)
        assert_says_it_well(place)
        place.verify()
    sys.stdout.write(summary(found))  # shown by `pytest -s`, and by a test that fails
    for source, reasons in found.items():
        name = source.rpartition("/")[2]
        if source.startswith(("odd/", "sound-")):
            assert reasons == {"built"}, (source, reasons)
        if name[4:].startswith(NEVER_BUILT):
            assert "built" not in reasons, (source, reasons)


def summary(found: dict[str, set[str]]) -> str:
    """How the files ended, by reason, and what came of every one."""
    tally = Counter(" + ".join(sorted(reasons)) for reasons in found.values())
    lines = [f"{number:5d} {reasons}" for reasons, number in tally.most_common()]
    each = sorted(found.items(), key=lambda item: item[0].rpartition("/")[2])
    lines += [f"      {', '.join(sorted(reasons))}: {source!r}" for source, reasons in each]
    return "\n".join(lines)


def test_forty_hostile_files_end_as_rows(tmp_path, monkeypatch, real_videos):
    assert_withstands(tmp_path, monkeypatch, 40, 0, real_videos, *settings(**{"limit.cpu_seconds": 2}))


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1])
def test_five_hundred_hostile_files_end_as_rows(tmp_path, monkeypatch, real_videos, seed):
    assert len(TRICKS) > 150
    assert_withstands(tmp_path, monkeypatch, 500, seed, real_videos, *settings())


def test_a_folder_without_a_video_says_so(tmp_path):
    (tmp_path / "root" / "empty").mkdir(parents=True)
    with site(tmp_path / "root") as place:
        running = place.start()
        assert running.status() == 2
        assert len(running.errors().splitlines()) == 1
        assert not (place.out / "dataset.json").exists()
