"""What the action segmentation datasets share: one ground truth a video with a class for every frame, and published features.

Two layouts are published. CTE's, which TOT and its followers use: `features/ACTIVITY/VIDEO.txt`, `groundTruth/VIDEO` without an
extension, `mapping/mapping.txt`, no lists; everything is one set. MS-TCN's: `features/VIDEO.npy`, `groundTruth/VIDEO.txt`,
`mapping.txt`, and lists of train and test videos in `splits/`. Either may have the videos beside it.

Source: github.com/trquhuytin/TOT-CVPR22, github.com/Annusha/unsup_temp_embed, github.com/yabufarha/ms-tcn; their own readers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

import pyarrow as pa

from vdata.config import check
from vdata.datasets import About, Classes
from vdata.datasets._ground_truth import names_of_frames, read_bundle, read_mapping, read_truth
from vdata.datasets._layout import check_root, check_split, entries_in, fail_layout, file_named, index_videos, is_folder, names_in
from vdata.errors import ConfigError
from vdata.records import Column, FeatureFile, Segment, Skipped, Video, printable, readable

__all__ = ["LAYOUT", "Described", "Segmentation", "SegmentationConfig"]

LAYOUT = """  groundTruth/VIDEO          or VIDEO.txt: the class of every frame, one a line (or lines START-END CLASS)
  mapping/mapping.txt        or mapping.txt: lines INDEX CLASS
  features/ACTIVITY/VIDEO.txt or features/VIDEO.npy ...   if you have them
  splits/train.split1.bundle  test.split1.bundle ...      if you have them
"""
"""What all these roots hold; the videos' place differs."""

_EXPECTED = "groundTruth/, mapping/mapping.txt (or mapping.txt), and features/ or the videos"
_TRUTH = "groundTruth"
_FEATURES = "features"
_MAPPINGS = ("mapping", ".", "groundTruth/mapping", "splits")
_BUNDLE = re.compile(r"(train|test)\.split(\d+)\.bundle")
_OTHER_MAPPING = re.compile(r"mapping.*\.txt")


@dataclass(frozen=True)
class SegmentationConfig:
    """Which of the things below the root are built."""

    input: Literal["auto", "videos", "features"] = "auto"
    """What a row is: a clip of the video, or the published features alone, without an MP4; `auto` is videos if any is there."""
    fold: int | None = None
    """Fold whose lists are train and test; 0 is the whole set. None: the first fold, or without lists the whole set."""
    mapping: str = ""
    """Name of the numbering: `mid` reads mappingmid.txt, as CTE has two for 50 Salads; empty is mapping.txt."""
    axes: Literal["auto", "TD", "DT"] = "auto"
    """Axes of the feature files. `auto`: of a dataset that MS-TCN publishes, a .npy right in features/ has time last (DT); any
    other file has time first (TD). A file whose other side is as long as the ground truth fails as `bad_features`."""

    def __post_init__(self) -> None:
        """Checks the fold."""
        check(self.fold is None or self.fold >= 0, "fold", self.fold, "must be a fold's number, or 0 for the whole set")


@dataclass(frozen=True, slots=True)
class Described:
    """What the name of a video tells."""

    activity: str
    facts: Mapping[str, str]


class Segmentation:
    """A video for each ground truth; the base of a dataset, which says what its names mean and where its videos lie.

    The label is the activity. `frame_labels` are the ground truth in the mapping's own numbering, silence or background included;
    a negative index, as CTE's -1 for background, is no class. Nothing is cut or stretched where features, video and ground truth
    differ in length (CTE cuts all to the shortest, and drops a video where they differ by more than 50): `num_labels` tells.
    """

    name: ClassVar[str]
    activities: ClassVar[tuple[str, ...]]
    video_folders: ClassVar[tuple[str, ...]] = ("videos", "rgb")
    flat_axes: ClassVar[Literal["TD", "DT"]] = "TD"
    """Axes of a .npy right in features/: DT where that is MS-TCN's."""

    Config: ClassVar[type] = SegmentationConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("num_labels", pa.int32(), "Frames that the video's ground truth has classes for."),
        Column(
            "num_actions", pa.int32(), "Classes of frames in all ground truths of the activity, without negative ones: its K."
        ),
    )
    build_settings: ClassVar[dict[str, Any]] = {}
    extract: ClassVar[tuple[str, ...]] = ("frame_labels", "published")
    about: ClassVar[About]

    def __init__(self, config: SegmentationConfig) -> None:
        self.config = config

    def described(self, video: str) -> Described | None:
        """What the name of a ground truth tells; None where it is not one of this dataset."""
        raise NotImplementedError

    def film_folders(self, root: Path) -> Sequence[str]:
        """The folders below the root that hold videos, directly or in sub-folders."""
        return [folder for folder in self.video_folders if (root / folder).is_dir()]

    def film_name(self, source: str) -> str:
        """The ground truth that a video file belongs to."""
        return source.rpartition("/")[2].rpartition(".")[0]

    def prepare(self, root: Path) -> None:
        """Nothing to make.

        Raises:
            ConfigError: the root lacks ground truth or mapping, or has neither videos nor features, or not the fold's lists.
        """
        self._opened(root).check()

    def splits_in(self, root: Path) -> tuple[str, ...]:
        """The lists of the fold; nothing where the whole set is built."""
        return self.splits if self._opened(root).fold else ()

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """Every video of the fold's list, in its order; of the whole set, every ground truth, byte-sorted.

        Raises:
            ConfigError: the layout is not as published, a class is not in the mapping, or nothing of the split is there.
        """
        files = self._opened(root)
        files.check()
        check_split(self.name, split, self.splits_in(root))
        names = files.folds[f"{split}{files.fold}"] if split else sorted(files.truths, key=os.fsencode)
        sources = files.films if files.has_films else files.features
        if not any(name in sources and name in files.truths for name in names):
            kind = "videos" if files.has_films else "features"
            listed = f"the {split} list" if split else f"{_TRUTH}/"
            fail_layout(self.name, f"{kind} of the {len(names)} names of {listed}, such as '{names[0]}',", root, _EXPECTED)
        truths = {
            name: read_truth(self.name, root / path, files.mapping) for name, path in files.truths.items() if self.described(name)
        }
        num_actions = self._num_actions(truths)
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield Skipped(name, "listed_twice", f"the {split} list names it more than once", name)
                continue
            seen.add(name)
            yield self._video(files, name, split, truths.get(name), num_actions)

    def classes(self, root: Path) -> Classes:
        """`label`: the activities; `frame`: the mapping's classes, several names of one index joined by `|`."""
        return {"label": self.activities, "frame": names_of_frames(self._opened(root).mapping)}

    def _opened(self, root: Path) -> _Files:
        check_root(self.name, root, _EXPECTED)
        return _Files(self, root)

    def _num_actions(self, truths: Mapping[str, Sequence[Segment]]) -> dict[str, int]:
        """How many classes of frames each activity has."""
        found: dict[str, set[int]] = {}
        for name, segments in truths.items():
            if described := self.described(name):
                found.setdefault(described.activity, set()).update(segment.label for segment in segments if segment.label >= 0)
        return {activity: len(labels) for activity, labels in found.items()}

    def _video(
        self, files: _Files, name: str, split: str, truth: Sequence[Segment] | None, num_actions: Mapping[str, int]
    ) -> Video | Skipped:
        described = self.described(name)
        source = (files.films if files.has_films else files.features).get(name)
        if described is None:
            return Skipped(f"{_TRUTH}/{printable(name)}", "unknown_name", f"no name of a video of {self.name}")
        if not truth:
            found = "is empty" if truth is not None else "is not there"
            return Skipped(f"{_TRUTH}/{name}", "missing", f"its ground truth {found}", name)
        if source is None:
            return Skipped(name, "missing", files.missing(name), name)
        return Video(
            name,
            source,
            split,
            files.memberships.get(name, ()),
            self.activities.index(described.activity),
            label_name=described.activity,
            facts={**described.facts, "num_labels": truth[-1].end, "num_actions": num_actions[described.activity]},
            medium="video" if files.has_films else "features",
            segments=tuple(truth),
            features=self._feature_file(files.features.get(name)),
        )

    def _feature_file(self, path: str | None) -> FeatureFile | None:
        if path is None:
            return None
        is_flat = path.count("/") == 1 and path.endswith(".npy")
        axes = self.flat_axes if is_flat else "TD"
        return FeatureFile(path, axes if self.config.axes == "auto" else self.config.axes)


@dataclass(frozen=True)
class _Files:
    """What lies below a root; each kind is listed when it is asked for."""

    dataset: Segmentation
    root: Path

    def check(self) -> None:
        """Nothing, or the error of a root that cannot be built."""
        config = self.dataset.config
        if not self.truths:
            self._fail(f"{_TRUTH}/ with a file for each video")
        _ = self.mapping
        if config.input != "features" and not self.has_films and (config.input == "videos" or not self.features):
            folders = " or ".join(f"{folder}/" for folder in self.dataset.video_folders)
            example = f"the video of a file of {_TRUTH}/, such as '{next(iter(self.truths))}', in {folders}"
            self._fail(example + ("" if config.input == "videos" else f", or {_FEATURES}/,"))
        if config.input == "features" and not self.features:
            self._fail(f"{_FEATURES}/")
        if self.fold:
            for split in self.dataset.splits:
                if f"{split}{self.fold}" not in self.folds:
                    self._fail(f"splits/{split}.split{self.fold}.bundle")

    def _fail(self, looked_for: str) -> NoReturn:
        fail_layout(self.dataset.name, looked_for, self.root, _EXPECTED)

    @cached_property
    def truths(self) -> dict[str, str]:
        """Path below the root of every ground truth, by the video's name."""
        return _listed(self.root, _TRUTH, (".txt", ""), leave_out=("mapping",))

    @cached_property
    def features(self) -> dict[str, str]:
        """Path of every feature file, by the video's name."""
        return _listed(self.root, _FEATURES, (".npy", ".txt"))

    @cached_property
    def films(self) -> dict[str, str]:
        """Path of the video of every ground truth that has one; of two, the first by its bytes."""
        index = index_videos(self.root, self.dataset.film_folders(self.root))
        found: dict[str, str] = {}
        for source in sorted((source for sources in index.values() for source in sources), key=os.fsencode):
            name = self.dataset.film_name(source)
            if name in self.truths:
                found.setdefault(name, source)
        return found

    @cached_property
    def has_films(self) -> bool:
        """Whether the rows are clips of videos."""
        return self.dataset.config.input != "features" and bool(self.films)

    @cached_property
    def mapping(self) -> dict[str, int]:
        """Index of every class of frames."""
        file = f"mapping{self.dataset.config.mapping}.txt"
        path = file_named(self.root, _MAPPINGS, [file])
        if path is None:
            others = [name for folder in _MAPPINGS for name in _names(self.root / folder) if _OTHER_MAPPING.fullmatch(name)]
            if others:
                grain = others[0][len("mapping") : -len(".txt")]
                way_out = f"--set {self.dataset.name}.mapping={grain or repr('')} takes {others[0]}"
                raise ConfigError(
                    f"{self.dataset.name}: looked for {file} below '{self.root}', found {', '.join(others)}; {way_out}"
                )
            self._fail(f"mapping/{file}")
        return read_mapping(self.dataset.name, path)

    @cached_property
    def folds(self) -> dict[str, tuple[str, ...]]:
        """The names in every list, as `train1`."""
        return {key: read_bundle(self.dataset.name, path) for key, path in sorted(self._bundles.items())}

    @cached_property
    def _bundles(self) -> dict[str, Path]:
        folder = self.root / "splits"
        found = [(match, folder / match[0]) for name in _names(folder) if (match := _BUNDLE.fullmatch(name))]
        return {f"{match[1]}{int(match[2])}": path for match, path in found}

    @cached_property
    def fold(self) -> int:
        """The fold that is built; 0 is the whole set."""
        if self.dataset.config.fold is not None:
            return self.dataset.config.fold
        return min((int(key.removeprefix("train")) for key in self._bundles if key.startswith("train")), default=0)

    @cached_property
    def memberships(self) -> dict[str, tuple[str, ...]]:
        """All lists that name a video."""
        found: dict[str, tuple[str, ...]] = {}
        for key, names in self.folds.items():
            for name in dict.fromkeys(names):
                found[name] = (*found.get(name, ()), key)
        return found

    def missing(self, name: str) -> str:
        """What to say of a ground truth without a source."""
        if not self.has_films:
            return f"no file {_FEATURES}/{name}.* is there"
        beside = name in self.features
        way_out = f"; its features are: --set {self.dataset.name}.input=features builds those" if beside else ""
        return f"no video of it is there{way_out}"


def _names(folder: Path) -> list[str]:
    return sorted(names_in(folder), key=os.fsencode)


def _listed(root: Path, folder: str, extensions: Sequence[str], leave_out: Sequence[str] = ()) -> dict[str, str]:
    """Path below the root of the files in a folder and its sub-folders, by name without the first extension that fits.

    Hidden files are left out, and names that are no UTF-8: no published one is.
    """
    found: dict[str, str] = {}
    folders = [folder] if (root / folder).is_dir() else []
    while folders:
        below = folders.pop()
        for entry in sorted(entries_in(root / below), key=lambda entry: os.fsencode(entry.name)):
            extension = next((extension for extension in extensions if entry.name.endswith(extension)), None)
            if readable(entry.name) != entry.name or entry.name.startswith("."):
                continue
            if is_folder(entry):
                folders += [f"{below}/{entry.name}"] if below == folder and entry.name not in leave_out else []
            elif extension is not None:
                found.setdefault(entry.name.removesuffix(extension), f"{below}/{entry.name}")
    return found
