"""`vdata show` writes a page, and says where; a mistake is one line."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.cli.show import command
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.shards import open_shards
from vdata.shards.classes import write_classes
from vdata.shards.contact_sheet import SheetConfig, contact_sheet


@pytest.fixture
def shards(tmp_path, make_video):
    make_video("root/walk/a.mp4", num_frames=30)
    root, out = tmp_path / "root", tmp_path / "out"
    config = resolve("folder", settings={"clip": {"short_side": 96}})
    plan = make_plan(root, DATASETS["folder"](config.own["folder"]).videos(root, ""), config.plan)
    out.mkdir()
    for shard, videos in plan.by_shard().items():
        build_shard(Order(out, root, shard, videos, config))
    return out


def show(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_page_is_that_of_the_library(shards, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (sample,) = open_shards(shards)
    result = show(shards)
    assert result.output.startswith(f"{sample.key}.png: ")
    page = cv2.imread(str(tmp_path / f"{sample.key}.png"))[..., ::-1]
    assert np.array_equal(page, contact_sheet(sample))
    out = tmp_path / "new/page.png"
    show(shards, "--key", sample.key, "--frames", "3, 13", "--motion", "--out", out)
    assert np.array_equal(cv2.imread(str(out))[..., ::-1], contact_sheet(sample, SheetConfig(frames=(3, 13), motion=True)))
    show(shards, "--index", "-1", "--every", "8", "--out", out)
    assert np.array_equal(cv2.imread(str(out))[..., ::-1], contact_sheet(sample, SheetConfig(every=8)))


def test_classes_of_frames_have_the_names_of_the_shards(shards, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "vdata.shards.contact_sheet.contact_sheet", lambda *arguments: seen.append(arguments) or np.zeros((9, 9, 3), np.uint8)
    )
    write_classes(shards, {"frame": ["SIL", "pour_milk"]})
    show(shards, "--out", tmp_path / "page.png")
    assert seen[0][2]["frame"] == ("SIL", "pour_milk")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--key", "nobody"), r"--key \('nobody'\) names none of the 1 samples"),
        (("--index", "1"), r"--index \(1\) must lie below the 1 samples"),
        (("--frames", "1,x"), r"--frames\[1\] \('x'\) must be of type int"),
        (("--frames", "99"), r"frames \(99\) must lie in \[0, 30\)"),
        (("--frames", "1", "--every", "2"), "goes without frames"),
        (("--out", "page.txt"), r"--out \('page\.txt'\) must end in one of \.png"),
    ],
)
def test_a_mistake_says_what_is_wrong(shards, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        show(shards, *arguments)
    assert not list(tmp_path.glob("*.png"))
    assert "give one of them" in show(shards, "--key", "a", "--index", "0").output
