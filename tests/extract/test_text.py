"""Text of clips: against a count of milliseconds on frames that carry their own time, and through every source at once."""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from vdata.builder import resolve
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.ffmpeg import binary
from vdata.media.origin import Origin
from vdata.media.text_codec import Subtitle, Text, load_text
from vdata.records import Video

FPS = 10
TextExtractor = EXTRACTORS["text"]


def film(path: Path, *, late: float = 0.0, subtitles: Path | None = None) -> Path:
    """4.3 seconds whose frame n has luma 16 + 4 n, beside sound from 0; the picture begins `late`."""
    grey = f"color=black:s=64x64:r={FPS}:d=4.3,format=gray,geq=lum='16+4*N',format=yuv420p"
    words = ["-itsoffset", str(late), "-f", "lavfi", "-i", grey, "-f", "lavfi", "-i", "sine=d=5"]
    words += ["-i", str(subtitles), "-map", "0", "-map", "1", "-map", "2"] if subtitles else []
    words += ["-c:v", "libx264", "-qp", "1", "-c:a", "flac" if path.suffix == ".mkv" else "aac"]
    words += ["-c:s", "mov_text" if path.suffix == ".mp4" else "subrip", str(path)]
    subprocess.run([binary(), "-v", "error", "-y", *words], check=True)
    return path


def cut_clips(path: Path, **video) -> Iterator[EncodedClip]:
    """Clips of a second while their source is open, as the builder has them."""
    settings = ClipConfig(seconds=1, gop=FPS, min_seconds=0, short_side=64)
    return cut(path.parent, Video("v", path.name, **video), settings, LimitConfig())


def clips_of(path: Path, **video) -> list[EncodedClip]:
    """The same with their source closed, as `vdata add` has them."""
    return [replace(clip, origin=replace(clip.origin, file=None)) for clip in cut_clips(path, **video)]


def frame_times(path: Path) -> list[float]:
    """When a player shows each frame, counted from the container's start."""
    with av.open(str(path)) as container:
        return [frame.time - container.start_time / 1e6 for frame in container.decode(video=0)]


def shown(clip: EncodedClip, times: list[float]) -> list[float]:
    """The source's time of each frame of a clip, read off its pictures."""
    with av.open(io.BytesIO(clip.mp4)) as container:
        lumas = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    return [times[round((luma - 16) / 4)] for luma in lumas]


def random_cues(rng: random.Random) -> list[tuple[int, int]]:
    """Spans in milliseconds, many of which begin or end where a clip may; some are moments."""
    edges = [0, 700, 1000, 1030, 1100, 1700, 2000, 2030, 2700, 3000, 4300, 5000]
    cues = [(start, end) for start in edges for end in edges if start <= end]
    for _ in range(60):
        start = rng.randrange(5200)
        cues.append((start, start + rng.choice([0, 1, 40, 400, 2500])))
    return cues


def srt_time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"00:00:{seconds:02d},{rest:03d}"


def write_srt(path: Path, cues: list[tuple[int, int]]) -> None:
    blocks = [f"{n}\n{srt_time(start)} --> {srt_time(end)}\ncue {n}\n" for n, (start, end) in enumerate(cues)]
    path.write_text("\n".join(blocks))


def expected(cues: list[tuple[int, int]], first: int, last: int) -> dict[str, tuple[int, int, bool]]:
    """The cues of a clip from `first` up to `last`, by counting milliseconds that both have."""
    clip = set(range(first, last))
    found = {}
    for n, (start, end) in enumerate(cues):
        own = set(range(start, end)) or {start}
        if own & clip:
            found[f"cue {n}"] = (start - first, end - first, own <= clip)
    return found


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(
    ("late", "span"),
    [
        (0.0, {}),
        (0.7, {}),
        (0.0, {"start_seconds": 1.0, "end_seconds": 3.5}),
        (0.0, {"start_seconds": 1.03}),
        (0.7, {"start_seconds": 0.3}),
        (0.7, {"start_seconds": 1.96}),
    ],
)
def test_cues_at_every_edge_of_every_clip(tmp_path, suffix, late, span):
    path = film(tmp_path / f"a{suffix}", late=late)
    cues = random_cues(random.Random(3))
    write_srt(tmp_path / "a.srt", cues)
    times, extractor = frame_times(path), TextExtractor(TextExtractor.Config())
    clips, starts = clips_of(path, **span), dict[str, int]()
    assert len(clips) >= 2
    for clip in clips:
        seen = shown(clip, times)
        first, last = round(seen[0] * 1000), round((seen[-1] + 1 / FPS) * 1000)
        assert last - first == clip.num_frames * 1000 // FPS
        extracted = extractor(clip)
        text = load_text(extracted.members["text.json"])
        known = expected(cues, first, last)
        found = {cue.text: (round(cue.start * 1000), round(cue.end * 1000), cue.whole) for cue in text.subtitles}
        assert found == known
        assert extracted.columns["num_subtitles"] == len(known)
        for name, (start, _, _) in found.items():
            starts[name] = starts.get(name, 0) + (start >= 0)
    assert max(starts.values()) == 1


def test_embedded_subtitles_fall_where_those_beside_fall(tmp_path):
    cues = [(200, 700), (800, 2600), (3000, 3500)]  # mov_text ends a cue where the next begins
    write_srt(tmp_path / "said.srt", cues)
    for name in ("a.mkv", "a.mp4"):
        path = film(tmp_path / name, late=0.5, subtitles=tmp_path / "said.srt")
        inside = [member(clip) for clip in clips_of(path)]
        assert inside == [member(clip) for clip in cut_clips(path)]
        write_srt(tmp_path / "a.srt", cues)
        beside = [member(clip, embedded=False) for clip in clips_of(path)]
        (tmp_path / "a.srt").unlink()
        assert inside == beside
        assert [len(text.subtitles) if text else 0 for text in inside] == [2, 1, 2, 0, 0]


def member(clip: EncodedClip, **settings) -> Text | None:
    found = TextExtractor(TextExtractor.Config(**settings))(clip)
    assert found.columns["text_problem"] == ""
    return load_text(found.members["text.json"]) if found.members else None


def test_a_clip_without_text_has_no_member(make_video, tmp_path):
    (clip,) = clips_of(make_video("a.mp4", num_frames=12))
    extractor = TextExtractor(TextExtractor.Config())
    extracted = extractor(clip)
    assert extracted.members == {}
    assert extracted.columns == {"num_subtitles": 0, "num_questions": 0, "num_words": 0, "text_problem": ""}
    assert set(extracted.columns) == {column.name for column in extractor.columns}


def test_questions_without_times_are_in_every_clip(tmp_path):
    path = film(tmp_path / "a.mp4")
    questions = [
        {"id": "all", "question": "what is it?"},
        {"id": "part", "question": "and now?", "answers": ["a", "b"], "answer": 1, "start": 1.5, "end": 2.25},
    ]
    texts = [member(clip) for clip in clips_of(path, text={"questions": questions}, label_name="grey")]
    assert [[question.id for question in text.questions] for text in texts] == [["all"], *[["all", "part"]] * 2, ["all"], ["all"]]
    times = [(question.start, question.end, question.whole) for text in texts for question in text.questions]
    assert times[2] == (0.5, 1.25, False)
    assert times[4] == (-0.5, 0.25, False)
    assert times[0] == (None, None, None)
    assert {text.label for text in texts} == {"grey"}


def test_a_new_video_has_its_own_text(make_video):
    extractor = TextExtractor(TextExtractor.Config())
    for word in ("one", "two", "one"):
        (clip,) = clips_of(make_video("a.mp4", num_frames=12), text={"caption": word})
        extracted = extractor(clip)
        assert load_text(extracted.members["text.json"]).caption == word
        assert extracted.columns["num_words"] == 1


def test_equal_clips_give_equal_bytes(make_video, tmp_path):
    write_srt(tmp_path / "a.srt", random_cues(random.Random(1)))
    (clip,) = clips_of(make_video("a.mp4", num_frames=20))
    members = {TextExtractor(TextExtractor.Config())(clip).members["text.json"] for _ in range(3)}
    assert len(members) == 1


def test_a_film_s_worth_of_text_in_one_cue_is_told_not_stored(make_video, tmp_path):
    (tmp_path / "a.srt").write_text(f"1\n00:00:00,000 --> 10:00:00,000\n{'word ' * 300_000}\n")
    (clip,) = clips_of(make_video("a.mp4", num_frames=12), label_name="run")
    extracted = TextExtractor(TextExtractor.Config())(clip)
    assert load_text(extracted.members["text.json"]) == Text(label="run")
    assert extracted.columns["num_subtitles"] == 0
    assert extracted.columns["text_problem"].startswith("too_large: the clip's text has 15")


def test_problems_are_one_short_printable_line(make_video, tmp_path):
    (tmp_path / "a.srt").write_bytes(b"nothing")
    (tmp_path / "a.json").write_bytes(b"{")
    said = {"caption\x1b[2J\n": "x" * 1000}
    (clip,) = clips_of(make_video("a.mp4", num_frames=12), text=said)
    problem = TextExtractor(TextExtractor.Config())(clip).columns["text_problem"]
    assert problem.isprintable()
    assert [part.partition(":")[0] for part in problem.split("; ")] == ["bad_text", "bad_json", "bad_subtitles"]
    assert len(problem) < 1000


def test_settings_are_checked(tmp_path):
    with pytest.raises(ConfigError, match=r"text\.encoding \('cp12520'\) must be an encoding"):
        TextExtractor.Config(encoding="cp12520")
    with pytest.raises(ConfigError, match=r"text\.language \('\.\./x'\)"):
        TextExtractor.Config(language=("../x",))
    with pytest.raises(ConfigError, match=r"text\.subtitles: '.*' is no folder"):
        TextExtractor(TextExtractor.Config(subtitles=str(tmp_path / "nowhere")))
    with pytest.raises(ConfigError, match=r"text\.questions: .* cannot be read"):
        TextExtractor(TextExtractor.Config(questions=("nowhere.jsonl",)))


def test_settings_come_from_words_and_paths_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = {"language": "en,eng", "questions": "train.jsonl,val.jsonl", "subtitles": "subs"}
    config = resolve("folder", ("text",), {"text": words})
    own = config.own["text"]
    assert own.language == ("en", "eng")
    assert own.questions == (str(tmp_path / "train.jsonl"), str(tmp_path / "val.jsonl"))
    assert own.subtitles == str(tmp_path / "subs")
    assert resolve("folder", ("text",), {"text": config.to_mapping()["text"]}) == config


@pytest.mark.videos
def test_the_subtitle_of_a_real_film(videos_root):
    path = videos_root / "good" / "oddities" / "sample_with_srt.mkv"
    for clip in cut(path.parent, Video("v", path.name), ClipConfig(short_side=96), LimitConfig()):
        (cue,) = member(clip).subtitles
        assert cue == Subtitle(0.0, 1.234, "This is the first subtitle.", whole=clip.end_seconds >= 1.234)


def row_of(root: Path, **video) -> EncodedClip:
    return EncodedClip.without_pictures(Origin(root, Video("row", "a.txt", **video)))


def test_a_document_is_stored_and_its_words_are_counted(tmp_path):
    (tmp_path / "a.txt").write_text("four words are here\n")
    found = TextExtractor(TextExtractor.Config())(row_of(tmp_path, medium="text"))
    assert load_text(found.members["text.json"]) == Text(document="four words are here")
    assert (found.columns["num_words"], found.columns["text_problem"]) == (4, "")


def test_a_document_whose_json_is_too_large_is_told(tmp_path):
    """Of control characters and quotes the JSON is twice as long."""
    (tmp_path / "a.txt").write_text('"' * 600_000)
    found = TextExtractor(TextExtractor.Config())(row_of(tmp_path, medium="text", label_name="a"))
    assert load_text(found.members["text.json"]) == Text(label="a")
    assert found.columns["text_problem"].startswith("too_large: the clip's text has 1200")


def test_a_row_without_pictures_has_all_that_is_said_of_its_source(tmp_path):
    (tmp_path / "a.txt").write_text("1 2\n")
    said = {
        "subtitles": [{"start": 61.0, "end": 62.0, "text": "late"}],
        "questions": [{"id": "q", "question": "when?", "start": 5.0, "end": 6.0}],
    }
    found = TextExtractor(TextExtractor.Config())(row_of(tmp_path, medium="features", text=said))
    text = load_text(found.members["text.json"])
    assert [(cue.start, cue.end, cue.text) for cue in text.subtitles] == [(61.0, 62.0, "late")]
    assert [(one.start, one.end) for one in text.questions] == [(5.0, 6.0)]
