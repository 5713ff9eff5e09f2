"""Where a video's text is looked for, in which order, and what becomes of what cannot be read."""

import json

import pytest

from vdata.errors import MediaError
from vdata.extract._video_text import LARGEST_DOCUMENT, TextSources, video_text
from vdata.media.origin import Origin
from vdata.media.text_codec import Question, Text
from vdata.records import Video

SOURCES = {"beside": True, "embedded": False, "language": (), "encoding": "cp1252", "subtitles": "", "questions": ()}


def srt(word: str) -> str:
    return f"1\n00:00:00,500 --> 00:00:01,500\n{word}\n"


@pytest.fixture
def found(tmp_path, make_video):
    """A function: the text of run/a.mp4 beside files of these contents."""
    make_video("run/a.mp4", num_frames=4)

    def find(files: dict[str, str | bytes] | None = None, text: dict | None = None, **sources):
        for name, content in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        video = Video("run/a.mp4", "run/a.mp4", label_name="run", text=text or {})
        return video_text(Origin(tmp_path, video), TextSources(**SOURCES | sources))

    return find


def words(found) -> list[str]:
    assert found.problems == ()
    return [cue.text for cue in found.text.subtitles]


def test_a_label_alone(found):
    text = found().text
    assert (text.label, text.caption, text.tags, text.subtitles, text.questions) == ("run", "", (), (), ())


def test_what_the_dataset_says(found):
    said = {
        "caption": "a man",
        "tags": ["x", "y"],
        "subtitles": [{"start": 2, "end": 3.5, "text": "late"}, {"start": 1, "end": 2, "text": "early"}],
        "questions": [{"id": "q1", "question": "who?", "answers": ["a", "b"], "answer": 0}],
    }
    files = {"run/a.srt": srt("beside"), "run/a.txt": "beside", "run/a.json": '{"tags": ["beside"]}'}
    text = found(files, said).text
    assert (text.caption, text.tags) == ("a man", ("x", "y"))
    assert [cue.text for cue in text.subtitles] == ["early", "late"]
    assert text.questions == (Question("q1", "who?", ("a", "b"), 0),)


def test_what_the_dataset_says_wrongly_is_told(found):
    result = found(text={"captions": "a man"})
    assert result.text.caption == ""
    (problem,) = result.problems
    assert problem.startswith("bad_text: the dataset:")
    assert "Did you mean" in problem


def test_subtitles_beside_the_video_in_their_order(found):
    files = {"run/a.en.vtt": "WEBVTT\n\n" + srt("english"), "run/a.srt": srt("plain"), "run/a.vtt": srt("second")}
    assert words(found(files)) == ["plain"]
    assert words(found(language=("en", "eng"))) == ["english"]
    assert words(found(language=("fr",))) == ["plain"]
    assert words(found(beside=False)) == []


def test_a_broken_file_is_told_and_the_next_is_read(found):
    result = found({"run/a.srt": "nothing of the kind", "run/a.vtt": srt("second")})
    assert [cue.text for cue in result.text.subtitles] == ["second"]
    assert result.problems == ("bad_subtitles: .srt: 19 bytes without one line of times, as 00:00:01,000 --> 00:00:02,000",)


def test_a_file_that_is_too_large_is_told(found, tmp_path):
    with (tmp_path / "run/a.srt").open("wb") as file:
        file.truncate(2**24 + 1)
    (problem,) = found().problems
    assert problem.startswith("too_large: .srt:")


def test_the_named_folder_comes_first(found, tmp_path):
    folder = tmp_path / "tvqa_subtitles"
    files = {"tvqa_subtitles/a.srt": srt("caf\xe9").encode("latin-1"), "run/a.srt": srt("beside")}
    said = {"subtitles": [{"start": 0, "end": 1, "text": "said"}]}
    assert words(found(files, said, subtitles=str(folder))) == ["caf\xe9"]
    (folder / "a.srt").unlink()
    assert words(found(text=said, subtitles=str(folder))) == ["said"]


@pytest.mark.parametrize(
    ("content", "caption", "tags"),
    [
        ({"caption": "c", "title": "t", "description": "d", "tags": ["x"]}, "c", ("x",)),
        ({"title": "t", "description": "d", "tags": []}, "t", ()),
        ({"description": " d "}, "d", ()),
        # As video2dataset writes it, with yt-dlp's words within.
        (
            {"caption": None, "key": "0", "yt_meta_dict": {"info": {"title": "t", "tags": ["x", "y"]}, "subtitles": None}},
            "t",
            ("x", "y"),
        ),
        ({"caption": "c", "yt_meta_dict": {"info": {"title": "t", "tags": ["x"]}}}, "c", ("x",)),
        ({"caption": "c", "yt_meta_dict": None}, "c", ()),
        ({"caption": 1, "tags": "x"}, "", ()),
        ({"tags": [1, "x", None]}, "", ("x",)),
        ([1], "", ()),
        (None, "", ()),
    ],
)
@pytest.mark.parametrize("name", ["run/a.json", "run/a.info.json"])
def test_captions_and_tags_of_json_beside_the_video(found, name, content, caption, tags):
    result = found({name: json.dumps(content)})
    assert (result.text.caption, result.text.tags, result.problems) == (caption, tags, ())


def test_a_plain_caption_is_before_json(found):
    text = found({"run/a.txt": b"\xef\xbb\xbfone\r\ntwo \n", "run/a.json": '{"caption": "c", "tags": ["x"]}'}).text
    assert (text.caption, text.tags) == ("one\ntwo", ("x",))


@pytest.mark.parametrize("content", ["{", "[" * 100_000, b"\xff\xfe\x00", '{"a": 1' + "0" * 5000 + "}"])
def test_broken_json_is_told(found, content):
    assert found({"run/a.json": content}).problems == ("bad_json: .json: is no JSON",)


def test_questions_by_id_and_by_file_name(found):
    by_name, by_id = Question("1", "by name"), Question("2", "by id")
    files = [{"a": (by_name,)}, {"run/a.mp4": (by_id,), "a": (by_name,)}, {"b": (by_name,)}]
    said = {"questions": [{"id": "0", "question": "said"}]}
    assert found(text=said, questions=files).text.questions == (Question("0", "said"), by_name, by_id)


def test_a_container_that_cannot_be_read_is_told_but_a_limit_is_raised(found, monkeypatch):
    def fail(error):
        def embedded(*_):
            raise error

        monkeypatch.setattr("vdata.extract._video_text.embedded_subtitles", embedded)

    fail(MediaError("bad_subtitles", "ffmpeg cannot read stream 2"))
    assert found(embedded=True).problems == ("bad_subtitles: the container: ffmpeg cannot read stream 2",)
    fail(MediaError("timeout", "slow", retryable=True))
    with pytest.raises(MediaError, match="timeout"):
        found(embedded=True)


def test_the_clock_is_read_only_where_something_has_times(found, monkeypatch):
    monkeypatch.setattr("vdata.extract._video_text.probe", None)
    found({"run/a.txt": "caption"}, questions=[{"a": (Question("1", "all of it"),)}])
    with pytest.raises(TypeError):
        found(questions=[{"a": (Question("1", "a part", start=0.0, end=1.0),)}])


def of_row(root, source, text=None, **video):
    """The text of a row without pictures, every source of text asked."""
    row = Video("row", source, label_name="run", text=text or {}, **video)
    return video_text(Origin(root, row), TextSources(**SOURCES | {"embedded": True}))


@pytest.mark.parametrize("data", ["caf\xe9 \u6df1\r\nsecond line\n".encode(), "\ufeffcaf\xe9 \u6df1\nsecond line".encode()])
def test_a_document_is_its_source_and_nothing_beside_it(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    (tmp_path / "a.json").write_text('{"caption": "another\'s"}')
    found = of_row(tmp_path, "a.txt", medium="text")
    assert found.problems == ()
    assert found.text == Text(label="run", document="caf\xe9 \u6df1\nsecond line")


def test_a_document_that_is_not_utf8_is_read_and_told(tmp_path):
    (tmp_path / "a.txt").write_bytes("caf\xe9".encode("latin-1"))
    found = of_row(tmp_path, "a.txt", medium="text")
    assert found.text.document == "caf\xe9"
    assert found.problems == ("bad_text: the document: it is not UTF-8, and was read as text.encoding (cp1252) says",)
    (tmp_path / "a.txt").write_bytes("caf\xe9".encode("utf-16"))
    assert of_row(tmp_path, "a.txt", medium="text").problems == ()


def test_a_document_is_a_part_of_a_file(tmp_path):
    (tmp_path / "all.txt").write_bytes(b"first\nsecond\nthird\n")
    assert of_row(tmp_path, "all.txt", medium="text", byte_range=(6, 6)).text.document == "second"


def test_a_document_that_is_too_large_is_told_and_what_is_said_of_it_stays(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * (LARGEST_DOCUMENT + 1))
    found = of_row(tmp_path, "a.txt", {"caption": "long"}, medium="text")
    assert (found.text.caption, found.text.document) == ("long", "")
    assert found.problems == ("too_large: the document: it has 1048577 bytes, at most 1048576 are stored",)


def test_features_are_no_caption_and_times_need_no_video(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3\n")
    said = {"subtitles": [{"start": 1, "end": 2, "text": "hello"}]}
    found = of_row(tmp_path, "a.txt", said, medium="features")
    assert (found.problems, found.text.caption, found.text.document, found.first_seconds) == ((), "", "", 0.0)
    assert [cue.text for cue in found.text.subtitles] == ["hello"]
