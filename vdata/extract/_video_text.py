"""What is known of a whole video in words, from wherever it is said: the dataset, files beside the video, its container."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vdata.errors import ConfigError, MediaError
from vdata.extract._questions import Questions
from vdata.media.document import LARGEST_DOCUMENT, read_document
from vdata.media.origin import Origin
from vdata.media.probe import probe
from vdata.media.source import open_source
from vdata.media.subtitles import LARGEST_BYTES, embedded_subtitles, parse_subtitles, read_text, unicode_of
from vdata.media.text_codec import Question, Subtitle, Text, text_of

__all__ = ["TextSources", "VideoText", "video_text"]

T = TypeVar("T")

_NOTHING: tuple[str, tuple[str, ...]] = ("", ())
_CAPTION_KEYS = ("caption", "title", "description")


@dataclass(frozen=True, slots=True)
class TextSources:
    """Where text is looked for, beside what the dataset says."""

    beside: bool
    embedded: bool
    language: tuple[str, ...]
    encoding: str
    subtitles: str
    """A folder of subtitle files by the videos' names; empty for none."""
    questions: Sequence[Questions]


@dataclass(frozen=True, slots=True)
class VideoText:
    """The text of a video and what could not be read of it."""

    text: Text
    """Times in seconds from the container's start, as a player shows them."""
    first_seconds: float
    """Time of the frame that the clips count as 0; only known, and only needed, where the text has times."""
    problems: tuple[str, ...]


def video_text(origin: Origin, sources: TextSources) -> VideoText:
    """All text of a video.

    Each part is taken from the first that has it: subtitles from the named folder, the dataset, NAME.srt and NAME.vtt, the
    container; the caption from the dataset, NAME.txt, NAME.json and NAME.info.json; tags from the dataset and these two.
    Questions of the named files follow those of the dataset.

    Of a row without pictures nothing is looked for beside its source or in it: NAME.txt may be the document, or the features.

    Raises:
        MediaError: a limit of time or memory was reached; retryable. What is unreadable otherwise is told in `problems`.
    """
    pictures = origin.video.has_pictures
    sources = replace(sources, beside=sources.beside and pictures, embedded=sources.embedded and pictures)
    search = _Search(origin, sources)
    said = search.said()
    caption, tags = search.described() if sources.beside and not (said.caption and said.tags) else _NOTHING
    questions = (*said.questions, *search.questions())
    subtitles = search.subtitles(said.subtitles)
    document = said.document or search.document()
    text = Text(origin.video.label_name, said.caption or caption, said.tags or tags, subtitles, questions, document, said.other)
    timed = bool(subtitles) or any(question.start is not None for question in questions)
    return VideoText(text, _first_seconds(origin) if timed and pictures else 0.0, tuple(search.problems))


class _Search:
    """One video's sources; what is unreadable in one is noted, and the next is looked at."""

    def __init__(self, origin: Origin, sources: TextSources) -> None:
        self._origin, self._sources = origin, sources
        self.problems: list[str] = []

    def said(self) -> Text:
        """What the dataset says."""
        try:
            return text_of(self._origin.video.text)
        except ConfigError as error:
            self.problems.append(f"bad_text: the dataset: {error}")
            return Text()

    def subtitles(self, said: tuple[Subtitle, ...]) -> tuple[Subtitle, ...]:
        """The first cues that are found."""
        if self._sources.subtitles and (cues := self._named()):
            return cues
        if said:
            return tuple(sorted(said, key=lambda cue: cue.start))
        if self._sources.beside and (cues := self._beside()):
            return cues
        return self._embedded() if self._sources.embedded else ()

    def questions(self) -> Iterator[Question]:
        """Those that the named files have under the video's id, or under its file's name."""
        video_id, name = self._origin.video.video_id, self._name
        for questions in self._sources.questions:
            yield from questions.get(video_id) or questions.get(name, ())

    def described(self) -> tuple[str, tuple[str, ...]]:
        """Caption and tags of the files beside the video: a plain text, or JSON as video2dataset and yt-dlp write it."""
        caption = read_text(self._file(".txt") or b"", self._sources.encoding).strip()
        tags = _NOTHING[1]
        for suffix in (".json", ".info.json"):
            if (data := self._file(suffix)) is not None:
                found = self._tried(partial(_description, data), suffix, _NOTHING)
                caption, tags = caption or found[0], tags or found[1]
        return caption, tags

    def document(self) -> str:
        """The source itself, where that is text."""

        def read() -> str:
            with self._origin.opened() as file:
                if file.num_bytes > LARGEST_DOCUMENT:
                    raise MediaError("too_large", f"it has {file.num_bytes} bytes, at most {LARGEST_DOCUMENT} are stored")
                data, encoding = file.file.read(), self._sources.encoding
            text = read_document(data, self._origin.video.source, encoding)
            if not unicode_of(data):
                self.problems.append(f"bad_text: the document: it is not UTF-8, and was read as text.encoding ({encoding}) says")
            return text

        return self._tried(read, "the document", "") if self._origin.video.medium == "text" else ""

    @property
    def _name(self) -> str:
        """The last name of the video's source, without its extension."""
        last = self._origin.video.source.rpartition("/")[2]
        return last.rpartition(".")[0] or last

    def _named(self) -> tuple[Subtitle, ...]:
        folder = Path(self._sources.subtitles)
        names = [name for name in dict.fromkeys((self._origin.video.video_id, self._name)) if "/" not in name]
        for name in (f"{name}{suffix}" for name in names for suffix in (".srt", ".vtt")):
            if (folder / name).is_file():
                return self._parsed(self._tried(partial(_content, folder, name), name, b""), name)
        return ()

    def _beside(self) -> tuple[Subtitle, ...]:
        for tongue in (*(f".{language}" for language in self._sources.language), ""):
            for suffix in (f"{tongue}.srt", f"{tongue}.vtt"):
                if cues := self._parsed(self._file(suffix) or b"", suffix):
                    return cues
        return ()

    def _embedded(self) -> tuple[Subtitle, ...]:
        def read() -> tuple[Subtitle, ...]:
            with self._origin.opened() as file:
                return embedded_subtitles(file, self._origin.limits, self._sources.language)

        return self._tried(read, "the container", ())

    def _parsed(self, data: bytes, name: str) -> tuple[Subtitle, ...]:
        return self._tried(partial(parse_subtitles, data, self._sources.encoding), name, ())

    def _file(self, suffix: str) -> bytes | None:
        return self._tried(partial(self._origin.beside, suffix), suffix, None)

    def _tried(self, read: Callable[[], T], name: str, otherwise: T) -> T:
        try:
            return read()
        except MediaError as error:
            if error.retryable:
                raise
            self.problems.append(f"{error.reason}: {name}: {error.message}")
            return otherwise


def _content(folder: Path, name: str) -> bytes:
    with open_source(folder, name) as file:
        if file.num_bytes > LARGEST_BYTES:
            raise MediaError("too_large", f"{file.num_bytes} bytes; at most {LARGEST_BYTES} are read")
        return file.file.read()


def _description(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Caption and tags of a JSON object, at its top or where video2dataset puts what yt-dlp knows (`yt_meta_dict.info`)."""
    try:
        top = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MediaError("bad_json", "is no JSON") from error
    objects = [found for found in (top, _inner(_inner(top, "yt_meta_dict"), "info")) if isinstance(found, Mapping)]
    captions = [found.get(key) for key in _CAPTION_KEYS for found in objects]
    caption = next((text.strip() for text in captions if isinstance(text, str) and text.strip()), "")
    lists = [tags for found in objects if isinstance(tags := found.get("tags"), list)]
    tags = next((tuple(tag for tag in tags if isinstance(tag, str)) for tags in lists if tags), ())
    return caption, tags


def _inner(value: Any, key: str) -> Any:  # noqa: ANN401 - JSON is any
    return value.get(key) if isinstance(value, Mapping) else None


def _first_seconds(origin: Origin) -> float:
    """Time of the first frame that is wanted, from the container's start.

    Frame 0 of the first clip is the first frame at or after the wanted span's start (vdata/media/cut.py). Of a source whose
    rate varies it is only known to within a frame where the span starts later than the video.
    """
    with origin.opened() as file:
        source = probe(file, origin.limits)
    begin = origin.video.start_seconds
    # 1e-6: a frame at the very start counts, whatever rounding has done to the two.
    frames = max(0, math.ceil((begin - source.first_seconds) * source.fps - 1e-6))
    return source.first_seconds + float(frames / source.fps)
