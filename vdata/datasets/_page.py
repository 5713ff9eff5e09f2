"""docs/datasets.md: every dataset for people, made from what the datasets say of themselves."""

from __future__ import annotations

import inspect
import sys

from vdata.config import field_docs, to_mapping
from vdata.datasets import DATASETS, Dataset

__all__ = ["page"]

_HEAD = """\
<!-- Written by `make docs` from vdata/datasets; a test compares it. Change it there. -->
# Datasets: as their owners publish them

```bash
vdata datasets                                        # all of them, with the numbers that their owners publish
vdata datasets kinetics400                            # what it is, where it comes from, how its folder must look
vdata datasets kinetics400 --check /data/k400         # what a build would find and what is missing; nothing is written
vdata build --dataset kinetics400 --root /data/k400 --out shards/kinetics400
vdata check-leaks shards/kinetics400/train shards/ucf101/test
```

Point `--root` at what you have downloaded and unpacked; nothing needs to be renamed or converted first. Nothing is downloaded
for you, and no dataset comes with vdata. A root that is laid out otherwise is answered with what was looked for, what was found
and the layout expected. A video that an annotation names and the disk does not have is counted, listed in `errors.parquet` with
the reason `missing`, and stops nothing.

What the annotations say travels with the shards, so that training and evaluation need the shards alone:

| In the rows | What it is |
|---|---|
| `label`, `label_name`, `labels` | The class: index from 0, name as the owners spell it, all indices where there are several |
| `split`, `splits` | The split that was built; every official list that names the video, as `train1`, `test2`, `query` |
| `video_id`, `source` | The owners' own id, and the path below the root |
| further columns | What one dataset alone has, such as `pid` and `camid`: `vdata datasets NAME` lists them |
| `classes.json` | Beside the rows: the names by index of every numbering, `vdata.open_shards(path).classes["label"]` |

In a batch `label` is the one class; `Fact("y", column="labels", classes=24)` gives several as 0 and 1, `Fact("pid")` any column
of numbers ([views.md](views.md)). What a batch has no view for, as the classes of frames, is read from the sample:
`vdata.open_shards(path)[key]` with a key of `batches.keys(batch["idx"])`.

Another fold needs no other build: `ClipIterator(["OUT/train", "OUT/test"], where="'train2' in splits", ...)` reads fold 2
([filters.md](filters.md)).

Some datasets say more than a class. It is stored by extractors that run without being asked for: `text` (captions, tags,
subtitles, questions), `dataset` (boxes that somebody drew, as `dataset.boxes.npy`), `frame_labels` (a class a frame, as
`labels.npy`) and `published` (features that somebody has published, as `features.npy`). See [fields.md](fields.md).

Frame folders and image sequences go through the same transcode as videos: their images become packets of a temporary file that
ffmpeg reads under the same limits. A picture alone is a clip of one frame, a person's sequence of crops is one clip, and a
document, or features without their video, are rows without an MP4 (`num_frames` 0, `codec` empty).

A class list's numbers are its own: two datasets trained on together are balanced by `label_name`.

| Name | Published | First line |
|---|---|---|
"""


def page() -> str:
    """The text of docs/datasets.md."""
    classes = {name: DATASETS[name] for name in DATASETS}
    rows = "".join(f"| [{name}](#{name}) | {_published(dataset)} | {_title(dataset)} |\n" for name, dataset in classes.items())
    return _HEAD + rows + "".join(_section(name, dataset) for name, dataset in classes.items())


def _section(name: str, dataset: type[Dataset]) -> str:
    about, settings, docs = dataset.about, to_mapping(dataset.Config()), field_docs(dataset.Config)
    facts = {
        "Published": _published(dataset),
        "Needs": about.needs,
        "Settings": "; ".join(f"`{name}.{key}` ({value!r}): {docs.get(key, '')}" for key, value in settings.items()),
        "Columns": "; ".join(f"`{column.name}`: {column.doc}" for column in dataset.columns),
        "Always stored": ", ".join(f"`{extractor}`" for extractor in dataset.extract),
    }
    lines = "".join(f"- {word}: {text}\n" for word, text in facts.items() if text)
    return f"\n## {name}\n\n{_text(dataset)}\n\n```text\n{about.layout}```\n" + (f"\n{lines}" if lines else "")


def _published(dataset: type[Dataset]) -> str:
    about = dataset.about
    numbers = ", ".join(f"{split} {count:,}".strip() for split, count in about.num_videos.items())
    return "; ".join(part for part in (numbers, f"{about.size_gb:g} GB" if about.size_gb else "") if part)


def _title(dataset: type[Dataset]) -> str:
    return _text(dataset).partition("\n")[0]


def _text(dataset: type[Dataset]) -> str:
    """The docstring of its file, but for angle brackets, which Markdown would take for tags."""
    return (inspect.getdoc(sys.modules[dataset.__module__]) or "").replace("<", "\\<")
