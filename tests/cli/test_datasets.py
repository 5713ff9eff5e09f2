"""`vdata datasets`: every dataset by name, its layout, and roots that are not as it must be."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

import vdata.cli
from vdata.cli.datasets import command
from vdata.datasets import DATASETS
from vdata.errors import ConfigError, UnknownNameError

ROOTS = ("absent", "file", "empty", "other")


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_list_has_a_line_for_every_dataset():
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(DATASETS)
    assert "246,534" in next(line for line in lines if line.startswith("kinetics400"))
    assert json.loads(run("--json").stdout).keys() == set(DATASETS)


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_dataset_says_what_it_is_and_how_it_lies(name):
    shown = run(name).stdout
    about = DATASETS[name].about
    assert about.layout in shown
    assert f"vdata build --dataset {name}" in shown
    assert shown.startswith(f"{name}: ")
    assert json.loads(run(name, "--json").stdout)["layout"] == about.layout


@pytest.fixture(params=ROOTS)
def wrong_root(request, tmp_path):
    """No folder, a file, an empty folder, and one of other things."""
    root = tmp_path / request.param
    if request.param == "file":
        root.write_bytes(b"\x00\x01 not a list of anything \xff")
    elif request.param != "absent":
        root.mkdir()
    if request.param == "other":
        (root / "holiday").mkdir()
        (root / "holiday" / "notes.pdf").write_bytes(b"%PDF")
        (root / "read me.docx").write_bytes(b"PK")
    return root


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "sample"])
def test_a_wrong_root_is_answered_in_one_line(name, wrong_root, monkeypatch, capsys):
    """What was looked for, what was found, what to do; never a traceback (an error that is not ours would leave main)."""
    monkeypatch.setattr(sys, "argv", ["vdata", "datasets", name, "--check", str(wrong_root)])
    with pytest.raises(SystemExit) as ended:
        vdata.cli.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    (line,) = (out + err).strip().splitlines()
    assert name in line
    assert "looked for" in line or "found" in line
    assert wrong_root.name in line
    assert len(line) < 1200


def test_what_is_missing_is_counted_with_its_first_names(tmp_path):
    (tmp_path / "val").mkdir()
    rows = "".join(f"abseiling,video_{n:05d},0,10,val\n" for n in range(6))
    (tmp_path / "val.csv").write_text("label,youtube_id,time_start,time_end,split\n" + rows)
    (tmp_path / "val" / "video_00002_000000_000010.mp4").touch()
    found = run("kinetics400", "--check", tmp_path)
    assert found.exit_code == 1
    assert "val: 6 listed (published: 19,906), 1 to build, 5 skipped" in found.stdout
    assert "missing 5:" in found.stdout
    assert "... and 2 more" in found.stdout
    assert found.stdout.count("cannot be built: kinetics400: looked for") == 2
    one = json.loads(run("kinetics400", "--check", tmp_path, "--json").stdout)["val"]
    assert (one["videos"], one["skipped"], one["is_whole"]) == (1, {"missing": 5}, False)


def test_fewer_than_published_are_not_all(tmp_path):
    (tmp_path / "ucfTrainTestlist").mkdir()
    (tmp_path / "ucfTrainTestlist/classInd.txt").write_text("1 A\n")
    for split, number in (("train", 1), ("test", 2)):
        (tmp_path / f"ucfTrainTestlist/{split}list01.txt").write_text(f"A/v_A_g0{number}_c01.avi\n")
        (tmp_path / "UCF-101/A").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"UCF-101/A/v_A_g0{number}_c01.avi").touch()
    found = run("ucf101", "--check", tmp_path)
    assert found.exit_code == 1
    assert "fewer are listed than are published, by 9,536" in found.stdout


def test_nothing_to_build_is_exit_status_2(tmp_path):
    (tmp_path / "all.txt").write_text("a few words\n" * 3)
    found = run("documents", "--check", tmp_path / "all.txt", "--set", "documents.min_words=9")
    assert found.exit_code == 2
    assert "0 to build" in found.stdout


def test_settings_and_columns_are_explained():
    shown = run("kinetics600").stdout
    assert "  --set kinetics600.whole_videos=false   Whether files named ID.mp4 are whole" in shown
    assert "  youtube_id   The YouTube video" in shown
    assert "published: train 392,622, val 30,000, test 72,924" in shown


def test_a_whole_folder_is_exit_status_0(tmp_path):
    (tmp_path / "a.mp4").touch()
    found = run("folder", "--check", tmp_path)
    assert (found.exit_code, found.stdout) == (0, "folder: 1 listed, 1 to build, 0 skipped\n")


def test_questions_without_an_answer():
    assert run("--check", "somewhere").exit_code == 2
    with pytest.raises(UnknownNameError, match="Did you mean 'ucf101'"):
        run("ucf10")
    with pytest.raises(ConfigError, match="makes its videos itself"):
        run("sample", "--check", "somewhere")


def test_settings_reach_the_check(tmp_path):
    with pytest.raises(ConfigError, match=r"ucf101\.fold"):
        run("ucf101", "--check", tmp_path, "--set", "ucf101.fold=7")
