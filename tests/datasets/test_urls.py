"""A list of URLs and paths: what is listed, what of a URL is stored, and a build from a web server that misbehaves."""

import os
import pickle
import threading

import pyarrow.parquet as pq
import pytest

import vdata.media.download
import vdata.media.source
from vdata import open_shards
from vdata.builder import resolve
from vdata.builder.plan import changes, located, make_plan
from vdata.builder.plan_file import read_plan, write_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.errors import ConfigError
from vdata.records import Skipped, Video
from vdata.shards.write import merge_errors

SMALL = {"clip": {"short_side": 96}, "limit": {"answer_seconds": 1.0}}


@pytest.fixture
def listed(tmp_path):
    """A function that lists a text."""

    def entries(text: str | bytes) -> list[Video | Skipped]:
        (tmp_path / "list.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        dataset = DATASETS["urls"](DATASETS["urls"].Config())
        dataset.prepare(tmp_path / "list.txt")
        return list(dataset.videos(tmp_path / "list.txt", ""))

    return entries


def test_a_line_is_a_name_and_perhaps_a_class(listed):
    text = "# list\n\nhttps://h/a.mp4\twalk\r\n  # more\ns3://b/c d.mkv\trun\n/abs/e.avi\n sub/f.mp4 \t walk \n./#g\t\n"
    found = [(video.source, video.label, video.label_name) for video in listed(text)]
    assert found == [
        ("https://h/a.mp4", 1, "walk"),
        ("s3://b/c d.mkv", 0, "run"),
        ("/abs/e.avi", -1, ""),
        (" sub/f.mp4 ", 1, "walk"),
        ("./#g", -1, ""),
    ]


def test_a_list_of_another_editor_is_the_same_list(listed):
    assert listed("\ufeffa.mp4\r\nb.mp4\r\n") == listed("a.mp4\nb.mp4")


def test_lines_that_cannot_be_built_are_skipped_with_their_number(listed):
    found = listed("a.mp4\nhtps://h/b.mp4\nc.mp4\tx\ty\na.mp4\thouse\nhttps://h/d?sig=1\nhttps://h/d?sig=2\n")
    assert [(entry.source, entry.reason) for entry in found if isinstance(entry, Skipped)] == [
        ("htps://h/b.mp4", "bad_url"),
        ("c.mp4", "bad_line"),
        ("a.mp4", "listed_twice"),
        ("https://h/d?sig=...", "listed_twice"),
    ]
    assert [entry.message.partition(":")[0].split()[1] for entry in found if isinstance(entry, Skipped)] == ["2", "3", "4", "6"]


def test_a_path_of_any_bytes_keeps_them(listed):
    first, second = listed(b"caf\xe9.mp4\tcl\xe9\ncaf\\xe9.mp4\n")
    assert os.fsencode(first.source) == b"caf\xe9.mp4"
    assert first.label_name == "cl\\xe9"
    assert first.video_id != second.video_id == "caf\\xe9.mp4"


def test_what_signs_a_url_is_kept_apart_from_its_name(listed):
    url = "https://me:word@h/v.mp4?id=7&X-Amz-Signature=abc&X-Amz-Expires=9"
    (video,) = listed(url)
    assert video.source == video.video_id == "https://h/v.mp4?id=7&X-Amz-Signature=...&X-Amz-Expires=..."
    assert video.location == url
    assert "word" not in repr(video)
    assert pickle.loads(pickle.dumps(video)).location == url
    assert listed(url.replace("abc", "def")) == [video]


@pytest.mark.parametrize(
    ("text", "words"), [("", "has no line that names a video"), ("# only\n", "has no line that names a video")]
)
def test_an_empty_list_says_so(listed, text, words):
    with pytest.raises(ConfigError, match=words):
        listed(text)


def test_a_root_that_is_no_list_says_so(tmp_path):
    dataset = DATASETS["urls"](DATASETS["urls"].Config())
    with pytest.raises(ConfigError, match="found a folder"):
        dataset.prepare(tmp_path)
    with pytest.raises(ConfigError, match="found nothing"):
        dataset.prepare(tmp_path / "none.txt")
    (tmp_path / "list.txt").write_text("a.mp4")
    with pytest.raises(ConfigError, match="must be empty"):
        list(dataset.videos(tmp_path / "list.txt", "train"))


def test_a_saved_plan_has_no_secret_and_goes_on_with_a_list_that_was_signed_anew(listed, tmp_path):
    config = resolve("urls").plan
    texts = [f"https://me:pass-word-{n}@h/a?sig=signed-{n}\nb.mp4\n" for n in range(2)]
    old, new = (make_plan(tmp_path / "list.txt", listed(text), config) for text in texts)
    write_plan(tmp_path, old)
    data = (tmp_path / "plan.parquet").read_bytes() + str(pq.read_table(tmp_path / "plan.parquet").to_pylist()).encode()
    assert b"pass-word" not in data
    assert b"signed" not in data
    saved = read_plan(tmp_path)
    assert not str(changes(saved, new))
    assert {item.video.location for item in located(saved, new).videos} == {"", "https://me:pass-word-1@h/a?sig=signed-1"}
    assert {item.source_bytes for item in saved.videos} == {0, vdata.media.source.UNKNOWN_BYTES}


def test_a_list_is_built_and_every_line_accounted_for(make_video, web, tmp_path, temporary_folder, monkeypatch):
    """A good page, a local file, a cut that is resumed, a cut without end, 404, silence, a redirect off the web, no video."""
    monkeypatch.setattr(vdata.media.download, "PAUSES", (0.0, 0.0))
    data = make_video("root/local.mp4", num_frames=20).read_bytes()
    other = make_video("root/other.mp4", num_frames=20, seed=1).read_bytes()
    silent = threading.Event()
    web.pages |= {
        "/good.mp4": web.Page(other),
        "/resumed": web.Page(data, headers={"ETag": '"1"'}, cuts=[len(data) // 2]),
        "/cut": web.Page(data, cuts=[100] * 9),
        "/silent": web.Page(data, release=silent),
        "/away": web.Page(status=302, headers={"Location": (tmp_path / "root/local.mp4").as_uri()}),
        "/text": web.Page(b"no video"),
    }
    lines = ["local.mp4\ta", web.url("/good.mp4\tb"), *map(web.url, ("/resumed", "/cut", "/silent", "/away", "/text"))]
    lines += [web.url("/gone?token=a-token", "me:pass-word@"), "gone.mp4", "htps://h/a"]
    root, out = tmp_path / "root/list.txt", tmp_path / "out"
    root.write_text("\n".join(lines))
    out.mkdir()
    config = resolve("urls", settings=SMALL)
    dataset = DATASETS["urls"](DATASETS["urls"].Config())
    plan = make_plan(root, dataset.videos(root, ""), config.plan)
    # The first of several tries: what cannot be downloaded is recorded all the same, and the shard is not begun anew.
    tallies = [build_shard(Order(out, root, shard, videos, config, attempt=1)) for shard, videos in plan.by_shard().items()]
    silent.set()
    merge_errors(out, plan.skipped)
    rows = {sample.row["source"]: sample for sample in open_shards(out)}
    assert set(rows) == {"local.mp4", web.url("/good.mp4"), web.url("/resumed")}
    assert rows["local.mp4"]["mp4"] == rows[web.url("/resumed")]["mp4"] != rows[web.url("/good.mp4")]["mp4"]
    errors = pq.read_table(out / "errors.parquet").to_pylist()
    assert {row["source"]: (row["reason"], row["retryable"]) for row in errors} == {
        web.url("/cut"): ("download", True),
        web.url("/silent"): ("download", True),
        web.url("/away"): ("download", True),
        web.url("/text"): ("not_video", False),
        web.url("/gone?token=..."): ("missing", False),
        "gone.mp4": ("missing", False),
        "htps://h/a": ("bad_url", False),
    }
    assert sum(tally.videos for tally in tallies) + len(plan.skipped) == len(lines)
    assert not list(temporary_folder.iterdir())
    for path in out.rglob("clips-*"):
        assert b"pass-word" not in path.read_bytes()
        assert b"a-token" not in path.read_bytes()
    assert "pass-word" not in str(errors)
    assert "a-token" not in str(errors)
