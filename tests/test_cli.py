"""The command line: help, errors in one line, and one whole way from videos to an index."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from vdata.cli import main
from vdata.shards.verify import verify

COMMANDS = sorted(path.stem.replace("_", "-") for path in (Path(__file__).parents[1] / "vdata/cli").glob("[!_]*.py"))


def vdata(*arguments, cwd=None):
    command = [sys.executable, "-m", "vdata.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def vdata_here(monkeypatch, capsys):
    """The same in this process, which has imported most of it; an error that is not ours fails the test."""

    def run(*arguments, cwd="."):
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["vdata", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Answer(ended.value.code or 0, *capsys.readouterr())

    return run


def test_every_command_is_listed():
    listed = vdata("--help").stdout
    assert {"build", "bench", "demo", "eval", "index", "info", "list", "train", "verify"} <= set(COMMANDS)
    for name in COMMANDS:
        assert f"\n  {name} " in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(vdata_here, name):
    result = vdata_here(name, "--help")
    assert result.returncode == 0
    assert f"vdata {name}" in result.stdout.split("\n\n", 1)[1]


def test_list_prints_the_three_tables(vdata_here):
    printed = vdata_here("list").stdout
    for word in ("datasets:", "extractors:", "methods:", "  folder ", "  motion ", "  simclr "):
        assert word in printed


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("build", "--dataset", "foldr", "--root", "."), 2, "vdata: no dataset is named 'foldr'. Did you mean 'folder'?"),
        (("build", "--dataset", "folder"), 2, "--root is needed"),
        (("build", "--dataset", "folder", "--root", "nowhere"), 2, "nowhere"),
        (("build", "--dataset", "folder", "--root", ".", "--set", "clip.gop=zero"), 2, "clip.gop ('zero') must be of type int"),
        (("build", "--dataset", "ucf101", "--root", ".", "--split", "val"), 2, "ucf101"),
        (
            ("build", "--dataset", "folder", "--root", ".", "--extract", "motion", "--keyframes", "jpeg"),
            2,
            "no settings section is named 'keyframes'",
        ),
        (("info", "nowhere"), 2, "vdata: there is no shard folder 'nowhere'"),
        (("verify", "."), 2, "holds no finished shard"),
        (("bench", "--shards", "nowhere"), 2, "there is no shard folder"),
        (("train", "--method", "simcl", "--shards", ".", "--out", "x"), 2, "no method is named 'simcl'. Did you mean 'simclr'?"),
        (("eval", "--checkpoint", "none.pt", "--shards", "."), 2, "checkpoint 'none.pt' cannot be read"),
        (("bild",), 2, "No such command 'bild'"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(vdata_here, tmp_path, arguments, status, words):
    result = vdata_here(*arguments, cwd=tmp_path)
    assert result.returncode == status
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not any(tmp_path.iterdir())


def test_a_mistake_is_told_by_the_process_too(tmp_path):
    result = vdata("build", "--dataset", "foldr", "--root", ".", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("vdata: no dataset is named 'foldr'")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.ray
def test_from_videos_to_verified_shards_and_damage_that_is_named(vdata_here, tmp_path, make_video):
    for number in range(3):
        make_video(f"root/{'ab'[number % 2]}/{number}.mp4", num_frames=30, seed=number)
    (tmp_path / "root/broken.mp4").write_text("no video")
    settings = tmp_path / "c.toml"
    settings.write_text("[clip]\nshort_side = 96\ngop = 10\n")
    build = ("build", "--dataset", "folder", "--root", "root", "--out", "out", "--workers", "1", "--config", settings)
    dry = vdata_here(*build, "--dry-run", cwd=tmp_path)
    assert dry.stdout.startswith("folder: 4 videos (0 skipped), 1 shards")
    assert not (tmp_path / "out").exists()
    result = vdata(*build, "--set", "clip.gop=8", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["reconciles"]
    assert report["splits"][""]["videos_built"] == 3
    assert report["splits"][""]["reasons"] == {"not_video": 1}
    assert pq.read_table(tmp_path / "out/errors.parquet")["source"].to_pylist() == ["broken.mp4"]
    facts = json.loads(vdata_here("info", "out", "--json", cwd=tmp_path).stdout)
    assert (facts["clips"], facts["frames"], facts["state"]) == (3, 90, "complete")
    assert json.loads((tmp_path / "out/dataset.json").read_text())["config"]["clip"]["gop"] == 8
    assert vdata_here("index", "out", cwd=tmp_path).stdout.strip() == "out: 3 clips"
    assert vdata_here("verify", "out", "--decode", cwd=tmp_path).returncode == 0
    tar = tmp_path / "out/clips-000000.tar"
    data = bytearray(tar.read_bytes())
    data[3000] ^= 1
    tar.write_bytes(data)
    damaged = vdata_here("verify", "out", cwd=tmp_path)
    assert damaged.returncode == 1
    key = pq.read_table(tmp_path / "out/clips-000000.parquet")["key"][0].as_py()
    assert f"clips-000000 {key}" in damaged.stdout


def test_a_url_is_planned_as_a_folder_is_and_shown_without_its_secrets(vdata_here, tmp_path, s3):
    bucket = s3({"pre/a b/%41.mp4": b"x" * 3_000_000, "pre/c/notes.txt": b"x"})
    dry = vdata_here("build", "--dataset", "folder", "--root", f"{bucket}/pre", "--dry-run", cwd=tmp_path)
    assert dry.stdout.startswith("folder: 1 videos (1 skipped), 1 shards, 3.0 MB of sources"), dry.stderr
    wrong = vdata_here("build", "--dataset", "ucf101", "--root", "sftp://me:word@host/x", cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("vdata: ucf101: --root ('sftp://host/x') must be a path of this machine")


@pytest.mark.ray
def test_a_build_keeps_a_log_estimates_first_and_counts_its_failures(vdata_here, tmp_path, make_video, orders_run_here):
    for number in range(3):
        make_video(f"root/{number}.mp4", num_frames=50, seed=number)
    (tmp_path / "root/text.mp4").write_text("no video")
    build = ("build", "--dataset", "folder", "--root", "root", "--out", "out", "--workers", "1", "--set", "clip.short_side=64")
    dry = vdata_here(*build, "--dry-run", cwd=tmp_path).stdout
    assert "roughly 0.00 hours of video, 4 clips" in dry
    assert not (tmp_path / "out").exists()
    stopped = vdata(*build, "--max-failed", "0.2", cwd=tmp_path)
    assert stopped.returncode == 1
    words = "1 of 4 videos failed, more than --max-failed 0.2 allows: not_video 1; such as 'text.mp4' (not_video: "
    assert words in stopped.stderr
    assert "Traceback" not in stopped.stderr
    made = json.loads(vdata_here(*build, "--max-failed", "0.25", "--json", cwd=tmp_path).stdout)
    assert made["splits"][""]["videos_failed"] == 1
    assert made["seconds"] >= made["seconds_building"]
    log = (tmp_path / "out/build.log").read_text()
    assert log.count("/vdata/cli/__main__.py build --dataset folder") == log.count("INFO vdata build --dataset folder") == 1
    assert "ERROR ended by BuildFailedError: 1 of 4 videos failed" in log
    assert log.endswith("INFO done\n")
    make_video("root/new.mp4", num_frames=30)
    refused = vdata_here(*build, cwd=tmp_path)
    assert refused.returncode == 2
    assert "1 is new ('new.mp4'); --append builds them too" in refused.stderr
    assert orders_run_here == []  # so far all was built by the process that stopped
    assert vdata_here(*build, "--append", cwd=tmp_path).returncode == 0
    assert orders_run_here == [1]
    assert verify(tmp_path / "out", decode=True).ok


def test_the_doctor_prints_a_line_for_each_part(vdata_here, tmp_path):
    result = vdata_here("doctor", "--out", tmp_path, "--json")
    found = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert found["ffmpeg"]["state"] == "ok"
    assert result.returncode == int(any(finding["state"] == "broken" for finding in found.values()))
