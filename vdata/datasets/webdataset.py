"""Tars as the `webdataset` package reads them: `--root FOLDER` with *.tar, or one tar, whose samples are runs of one key.

    000000.mp4   000000.json   000000.txt
    000001.mp4   000001.json   000001.txt

Nothing is unpacked: a video is read where it lies in its tar. So do img2dataset and video2dataset write their output. Compressed
tars cannot be addressed: unpack them first.

Source: the package's own reader (webdataset 1.0.2, tariterators.py) for what is a key, an extension and a sample.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import check_split, entries_in, fail_layout, is_folder, names_in, path_id
from vdata.datasets._rows import Numbering, WordColumns, Words, cell_items, numbered, read_names
from vdata.datasets._tars import COMPRESSED, Member, TarFault, expand_braces, read_members
from vdata.errors import ConfigError
from vdata.media.images import IMAGE_EXTENSIONS
from vdata.media.json_text import load_json
from vdata.records import Column, Skipped, Video, readable

__all__ = ["WebDataset", "WebDatasetConfig"]

_LAYOUT = """ROOT/                       or one tar, or folders with tars, each a split
  00000.tar ...             members KEY.mp4 (webm, mkv, mov, avi ...; jpg, png), KEY.json, KEY.txt, KEY.cls
"""
_EXPECTED = "*.tar, or folders of *.tar, each of them a split; --set webdataset.tars='train-{000..146}.tar' names them"
_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)")
_META = re.compile(r"__[^/]*__(?:/|$)")
_LARGEST_SIDECAR = 2**20


@dataclass(frozen=True)
class WebDatasetConfig:
    """Which tars are read, and which of their members."""

    tars: str = ""
    """Names below the root, with braces and wildcards, as `cc-{00000..00146}.tar` or `val-*.tar`. Empty: all *.tar of the root
    or, where it has none, of each of its folders, which then are the splits."""
    video: tuple[str, ...] = (
        *("mp4", "webm", "mkv", "mov", "avi", "m4v", "mpg", "mpeg", "flv", "wmv"),
        *("jpg", "jpeg", "png"),
    )
    """Extensions of videos and images; the first that a sample has is taken. `left.mp4` is an extension of its own."""
    sidecars: tuple[str, ...] = ("json", "txt", "cls")
    """Which of these members are read: an object with the columns below, a caption, a class."""
    columns: WordColumns = field(default_factory=WordColumns)
    separator: str = ""
    """Between several labels or tags in one text; lists need none."""
    classes: str = ""
    """A file below the root with the name of a class on each line, as `csv.classes`."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """A sample of a tar."""

    tar: str
    """Its path below the root."""
    key: str
    member: Member
    """The video or image."""
    words: Words

    @property
    def video_id(self) -> str:
        return path_id(f"{self.tar.removesuffix('.tar')}/{self.key}")


_Listing = list[_Sample | Skipped]


@DATASETS.add("webdataset")
class WebDataset:
    """The samples of all tars, in their order.

    A key is a member's name up to the first dot of its last part; the id is the tar's path, without `.tar`, and the key. `cls` is
    a class number or name; of `json`, an object, the columns `label`, `caption` and `tags` are taken, and every other number or
    text is kept as text under its own name; `txt` is the caption. Labels are numbered as those of `csv`, over all splits.

    An image is a clip of one frame; a sample of many images is none of the videos that are read here. A sample without a video, a
    member that is a link, and a tar that is compressed, missing or damaged are skipped with their reason; what lies before the
    damage is listed.
    """

    Config: ClassVar[type] = WebDatasetConfig
    splits: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    # What is known of a sample is in its tar.
    build_settings: ClassVar[dict[str, Any]] = {"text": {"beside": False, "embedded": False}}
    extract: ClassVar[tuple[str, ...]] = ("text",)
    about: ClassVar[About] = About(_LAYOUT)

    def __init__(self, config: WebDatasetConfig) -> None:
        self.config = config
        self._known: tuple[object, dict[str, _Listing]] | None = None

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: there is no tar.
        """
        _tars(root, self.config.tars)

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The folders with tars, byte-sorted; none where the tars lie in the root itself."""
        return tuple(split for split in _tars(root, self.config.tars) if split)

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every sample; reads the headers of all tars, and the small members with words.

        Raises:
            ConfigError: there is no tar, or no sample that can be built.
        """
        check_split("webdataset", split, self.splits_in(root))
        samples = self._samples(root)
        numbering = self._numbering(root, samples)
        entries = list(_entries(samples[split], split, numbering))
        if not any(isinstance(entry, Video) for entry in entries):
            first = next(
                (f"; the first, '{entry.source}': {entry.message}" for entry in entries if isinstance(entry, Skipped)), ""
            )
            raise ConfigError(
                f"webdataset: '{root}': found {len(entries)} samples and tars of which none can be built{first}; "
                f"--root must hold {_EXPECTED}"
            )
        yield from entries

    def classes(self, root: Path) -> Classes:
        """`label`: the class list, or the names that the samples have; nothing where labels are numbers."""
        names = self._numbering(root, self._samples(root)).names
        return {"label": names} if names else {}

    def _numbering(self, root: Path, samples: dict[str, _Listing]) -> Numbering:
        folder = root if root.is_dir() else root.parent
        listed = read_names("webdataset", folder / self.config.classes) if self.config.classes else ()
        found = (sample.words.labels for listing in samples.values() for sample in listing if isinstance(sample, _Sample))
        return numbered(found, listed)

    def _samples(self, root: Path) -> dict[str, _Listing]:
        """What all tars hold, by split; they are read once as long as they stay the same."""
        tars, folder = _tars(root, self.config.tars), root if root.is_dir() else root.parent
        paths = [folder / tar for names in tars.values() for tar in names]
        state = [(path, *((found.st_size, found.st_mtime_ns) if (found := _status(path)) else ())) for path in paths]
        if self._known is None or self._known[0] != state:
            listings = {
                split: [item for tar in names for item in _read(folder, tar, self.config)] for split, names in tars.items()
            }
            self._known = state, listings
        return self._known[1]


def _tars(root: Path, pattern: str) -> dict[str, list[str]]:
    """Paths of the tars below the root, by split; "" where there are no splits.

    Raises:
        ConfigError: there are none.
    """
    if root.is_file():
        return {"": [root.name]}
    if not root.is_dir():
        named = f"write --root '{root.parent}' --set webdataset.tars='{root.name}'"
        way_out = named if "{" in root.name or "*" in root.name else f"--root must hold {_EXPECTED}"
        raise ConfigError(f"webdataset: looked for a folder of tars at '{root}', found nothing; {way_out}")
    if pattern:
        found = {"": [name for part in expand_braces(pattern) for name in _matching(root, part)]}
    else:
        found = {"": _matching(root, "*")}
        if not any(name.endswith(".tar") for name in found[""]):
            # A split's name is stored, and typed: one of other bytes than UTF-8 is neither.
            found |= {path_id(folder): _matching(root, f"{folder}/*") for folder in _folders(root)}
    found = {split: names for split, names in found.items() if any(name.endswith(".tar") for name in names)}
    if not found:
        looked_for = f"'{pattern}'" if pattern else "*.tar (a compressed tar must be unpacked to .tar)"
        fail_layout("webdataset", looked_for, root, _EXPECTED)
    return found


def _folders(root: Path) -> list[str]:
    return sorted((entry.name for entry in entries_in(root) if is_folder(entry)), key=os.fsencode)


def _matching(root: Path, pattern: str) -> list[str]:
    """Names below the root, byte-sorted, that end as tars do, compressed or not; one without wildcards need not exist."""
    folder, _, last = pattern.rpartition("/")
    if not any(char in last for char in "*?["):
        return [pattern]
    names = [name for name in names_in(root / folder) if name.lower().endswith((".tar", *COMPRESSED))]
    return sorted((f"{folder}/{name}" if folder else name for name in fnmatch.filter(names, last)), key=os.fsencode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # ValueError: a name with a null byte
        return None


def _read(folder: Path, tar: str, config: WebDatasetConfig) -> Iterator[_Sample | Skipped]:
    """The samples of a tar."""
    path = folder / tar
    if (status := _status(path)) is None:
        yield Skipped(readable(tar), "missing", "no such file")
        return
    if not stat.S_ISREG(status.st_mode):
        # Opening a FIFO would wait for its writer.
        yield Skipped(readable(tar), "not_regular", "it is no regular file")
        return
    try:
        with path.open("rb", buffering=0) as file:
            others: list[Member | TarFault] = []
            for key, members in groupby(_keyed(read_members(file), others), key=lambda found: found[0]):
                yield from _sample(tar, key, (member for _, member in members), file.fileno(), config)
            yield from (_left_out(tar, item) for item in others)
    except OSError as error:
        yield Skipped(readable(tar), "missing", f"the tar cannot be opened: {error.strerror}")


def _keyed(members: Iterable[Member | TarFault], others: list[Member | TarFault]) -> Iterator[tuple[str, Member]]:
    """The members of samples with their keys. What belongs to none, and so divides none, is put into `others`.

    Folders, and members of the package's own as __meta__, are nothing to be told of.
    """
    for member in members:
        if isinstance(member, TarFault):
            others.append(member)
        elif not member.is_folder and not _META.match(member.name):
            if match := _NAME.fullmatch(member.name):
                yield match[1], member
            else:
                others.append(member)


def _left_out(tar: str, item: Member | TarFault) -> Skipped:
    if isinstance(item, TarFault):
        return Skipped(readable(tar), item.reason, item.message)
    return Skipped(readable(f"{tar}/{item.name}"), "not_media", "its name is not KEY.EXTENSION, so it is of no sample")


def _sample(
    tar: str, key: str, members: Iterable[Member], descriptor: int, config: WebDatasetConfig
) -> Iterator[_Sample | Skipped]:
    """The sample of one key; a Skipped for each extension that comes twice, and in its place where it cannot be built."""
    source = readable(f"{tar}/{key}")
    by_extension: dict[str, Member] = {}
    for member in members:
        extension = member.name[len(key) + 1 :].lower()
        if by_extension.setdefault(extension, member) is not member:
            yield Skipped(f"{source}.{readable(extension)}", "listed_twice", "the sample has another member of that extension")
    chosen = next((by_extension[extension] for extension in config.video if extension in by_extension), None)
    if chosen is None:
        shown = ", ".join(readable(extension) for extension in by_extension)
        way_out = "name its video's by --set webdataset.video=EXTENSION"
        yield Skipped(source, "no_video", f"its members are {shown}: {way_out}")
    elif chosen.kind:
        yield Skipped(source, "not_regular", f"'{readable(chosen.name)}' is {chosen.kind}, not a file with bytes of its own")
    else:
        try:
            yield _Sample(tar, key, chosen, _words(by_extension, descriptor, config))
        except ValueError as error:
            yield Skipped(source, "bad_text", f"{error}; --set webdataset.sidecars=[] reads none")


def _words(members: dict[str, Member], descriptor: int, config: WebDatasetConfig) -> Words:
    """What the small members say.

    Raises:
        ValueError: one is too large, or is not what its extension says.
    """
    texts = {name: _content(members[name], descriptor) for name in config.sidecars if name in members and not members[name].kind}
    values = _object(texts["json"]) if "json" in texts else {}
    words = Words.of(values, config.columns, config.separator)
    labels = cell_items(texts.get("cls"), config.separator)
    return replace(words, labels=labels or words.labels, caption=texts.get("txt", "").strip() or words.caption)


def _content(member: Member, descriptor: int) -> str:
    if member.size > _LARGEST_SIDECAR:
        raise ValueError(f"'{readable(member.name)}' has {member.size} bytes, at most {_LARGEST_SIDECAR} are read")
    return os.pread(descriptor, member.size, member.offset).decode("utf-8-sig", "replace")


def _object(text: str) -> dict[str, Any]:
    """The object in a JSON text, without what is nested in it: downloaders put tables of formats there."""
    try:
        found = load_json(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its json is none: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"its json is a {type(found).__name__}, not an object")  # noqa: TRY004 - a bad member, not a bug
    return {name: value for name, value in found.items() if not _is_nested(value)}


def _is_nested(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))


def _entries(listing: _Listing, split: str, numbering: Numbering) -> Iterator[Video | Skipped]:
    seen: set[str] = set()
    for item in listing:
        if isinstance(item, Skipped):
            yield item
            continue
        video_id, source = item.video_id, readable(f"{item.tar}/{item.key}")
        if fault := numbering.fault(item.words.labels):
            yield Skipped(source, "bad_label", fault, video_id)
        elif video_id in seen:
            yield Skipped(source, "listed_twice", "the tar has an earlier sample of that key, or its members lie apart", video_id)
        else:
            seen.add(video_id)
            yield _video(item, video_id, split, numbering)


def _video(sample: _Sample, video_id: str, split: str, numbering: Numbering) -> Video:
    extension = os.path.splitext(sample.member.name)[1].lower()  # noqa: PTH122 - a Path for each of a million names takes seconds
    still: dict[str, Any] = {"frames": (sample.tar,), "frame_rate": Fraction(1)} if extension in IMAGE_EXTENSIONS else {}
    return Video(
        video_id,
        sample.tar,
        split,
        (split,) if split else (),
        text=sample.words.text,
        byte_range=(sample.member.offset, sample.member.size),
        **numbering.columns(sample.words.labels),
        **still,
    )
