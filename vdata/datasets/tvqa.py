"""TVQA: 152,545 questions with five answers about 21,793 clips, 60 to 90 seconds long, of six TV shows, with subtitles.

Published by UNC Chapel Hill (tvqa.cs.unc.edu; code under MIT): questions and subtitles freely, frames at 3 a second (43 GB, a
split tar.gz) after an agreement; videos never, but those who have them name them VID.mp4. 122,039 train, 15,253 validation and
7,623 public test questions without answers, seven a clip; 7,630 of the test are withheld. No clip is in two splits.

Vids are SHOW_sSSeEE_segNN_clip_NN; those of The Big Bang Theory begin with the season. The owners write "How I Met You Mother".

Source: Lei et al. 2018, arXiv 1809.01696; of jayleicn/TVQA the published test questions, data/README.md and preprocessing.py,
which names the folders {bbt,castle,friends,grey,house,met}_frames/VID. That these lie in frames_hq/ and hold 00001.jpg ...,
frame n at (n - 1) / 3 s: finetune/tvqa of rowanz/merlot_reserve. Nobody of us has seen the frames, a true .srt or the train
questions; that answer_idx counts from 0 is known from the README's sample alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About, Classes
from vdata.datasets._layout import label_indices, names_by_index
from vdata.datasets._tv import COLUMNS, Clips, OfQuestions, read_clips, splits_naming
from vdata.records import Column, Skipped, Video

__all__ = ["TVQA", "TVQAConfig"]

_LAYOUT = """ROOT/
  tvqa_qa_release/tvqa_train.jsonl    tvqa_val.jsonl, tvqa_test_public.jsonl; or in ROOT
  tvqa_subtitles/VID.srt ...          and, or tvqa_preprocessed_subtitles.jsonl in ROOT
  frames_hq/bbt_frames/VID/00001.jpg ...  castle_frames/, friends_frames/ ...; or VID.mp4; at any depth to 6
"""
_EXPECTED = (
    "tvqa_qa_release/tvqa_{train,val,test_public}.jsonl, tvqa_subtitles/VID.srt, and the clips, as folders of frames "
    "(frames_hq/SHOW_frames/VID/00001.jpg) or as VID.mp4"
)
_SPLITS = ("train", "val", "test_public")
_SHOWS = ("Castle", "Friends", "Grey's Anatomy", "House M.D.", "How I Met You Mother", "The Big Bang Theory")
_PREFIXES = dict(zip(("castle", "friends", "grey", "house", "met"), _SHOWS, strict=False))


@dataclass(frozen=True)
class TVQAConfig:
    """No settings: what is there is found."""


@DATASETS.add("tvqa")
class TVQA(OfQuestions):
    """The clips that a split's questions name, each with all its questions and subtitles, times in seconds of the clip.

    The class is the show, of the six byte-sorted. A span of NaN-NaN, or one that does not end after its start, is none: the
    question is then about the whole clip, and counted in `num_untimed`. Answers of the test split are not published.
    Subtitles are the clip's .srt; where that is absent or unreadable, those of tvqa_preprocessed_subtitles.jsonl. Files that
    no question names are not listed. Frames are told by the numbers of their names: see `num_absent`. By 1,000 clips, all of
    train takes 20 s and 0.9 GB, for three million frames' paths.
    """

    name: ClassVar[str] = "tvqa"
    expected: ClassVar[str] = _EXPECTED
    folders: ClassVar[tuple[str, ...]] = ("tvqa_qa_release", ".", "data")
    files: ClassVar[Mapping[str, tuple[str, ...]]] = {split: (f"tvqa_{split}.jsonl",) for split in _SPLITS}

    Config: ClassVar[type] = TVQAConfig
    splits: ClassVar[tuple[str, ...]] = _SPLITS
    columns: ClassVar[tuple[Column, ...]] = (Column("show_name", pa.string(), "The TV show, as the owners spell it."), *COLUMNS)
    extract: ClassVar[tuple[str, ...]] = ("text",)
    # Clips: the questions by seven, as the numbers of TVR, which is about the same clips.
    about: ClassVar[About] = About(
        _LAYOUT,
        {"train": 17_435, "val": 2_179, "test_public": 1_089},
        size_gb=43,
        needs="An agreement with the owners for the frames; `cat tvqa_video_frames_fps3_hq.tar.gz.* | tar xz` unpacks them.",
    )

    def __init__(self, config: TVQAConfig) -> None:
        self.config = config

    def videos(self, root: Path, split: str) -> Iterator[Video | Skipped]:
        """A Video for every clip of the split, in the order of its questions; one that is not there is Skipped, `missing`.

        Raises:
            ConfigError: the split's questions are absent or not as published, or the pictures of not one clip are there.
        """
        files = self.opened(root, split)
        labels = label_indices(_SHOWS)
        members = splits_naming(files)
        for clip, entry in Clips("tvqa", root, _EXPECTED).entries(read_clips("tvqa", files[split]), split):
            if isinstance(entry, Skipped):
                yield entry
                continue
            show = clip.show_name or _PREFIXES.get(entry.video_id.partition("_")[0], _SHOWS[-1])
            label = labels.get(show, -1)
            facts = {"show_name": show, **entry.facts}
            label_name = show if label >= 0 else ""
            splits = members.get(entry.video_id, (split,))
            yield replace(entry, splits=splits, label=label, label_name=label_name, facts=facts)

    def classes(self, root: Path) -> Classes:
        """`label`: the six shows."""
        del root
        return {"label": names_by_index(label_indices(_SHOWS))}
