"""docs/loading.md and docs/views.md: every block of code runs, and batches hold what the comments say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines import ClipIterator
from pipelines.readers import READERS
from vdata.evaluate import evaluation_view
from vdata.media.audio_codec import dump_flac
from vdata.media.feature_codec import dump_features
from vdata.media.text_codec import Question, Subtitle, Text, dump_text
from vdata.media.tracklet_codec import TRACKLET, dump_tracklets
from vdata.views import Clip
from vdata.views.window import SAMPLERS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = Text(
    label="a",
    caption="a ball",
    subtitles=(Subtitle(0.2, 3.0, "here it comes"),),
    questions=(Question("q", "what?", tuple("abcde"), 2),),
)


def code(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def complete(every_field):
    """Six clips of 96 frames that have every field; features of 16 numbers."""
    tracks = np.zeros(96, TRACKLET)
    tracks["frame"], tracks["x1"], tracks["y1"] = np.arange(96), 40, 40
    members = {
        "flac": dump_flac(np.arange(4 * 48000, dtype=np.int16), 48000),
        "text.json": dump_text(TEXT),
        "features.npy": dump_features(np.ones((24, 16))),
        "tracklets.npy": dump_tracklets(tracks),
    }
    return every_field(members, {"feature_stride": pa.int32()}, {"feature_stride": 4})


VIEW_BLOCKS = code("views.md")


@pytest.mark.parametrize("number", range(len(VIEW_BLOCKS)))
def test_a_batch_holds_what_the_page_says(complete, number):
    names: dict = {}
    exec(compile(VIEW_BLOCKS[0], "views.md", "exec"), names)
    exec(compile(VIEW_BLOCKS[number], "views.md", "exec"), names)
    said = dict(re.findall(r"^# (\w+): (.*)$", VIEW_BLOCKS[number], re.MULTILINE))
    with ClipIterator(complete, views=names["views"], batch_size=2, seed=number) as it:
        batch = next(iter(it))
    found = {key: value for key, value in batch.items() if key not in ("idx", "label", "valid", "meta")}
    shapes = {key: str(tuple(tensor.shape)).replace("(2", "(B", 1) for key, tensor in found.items()}
    assert {key: f"{tensor.dtype}".removeprefix("torch.") + f" {shapes[key]}" for key, tensor in found.items()} == said
    assert set(batch["meta"]) == {view.name for view in names["views"]}


def test_the_page_shows_every_kind_of_view():
    shown = set(re.findall(r"\b([A-Z]\w+)\(", "".join(VIEW_BLOCKS)))
    assert shown == {kind.__name__ for kind in READERS} | {"Augment"}


def test_the_page_names_every_sampler():
    table = (DOCS / "views.md").read_text().split("| `start` |")[1]
    assert set(re.findall(r"^\| `(\w+)[:`]", table, re.MULTILINE)) == set(SAMPLERS)


def test_the_loop_of_the_page_runs(complete):
    loop = code("loading.md")[0].replace("shards/mine", str(complete)).replace("batch_size=32", "batch_size=2")
    names: dict = {}
    exec(compile(loop, "loading.md", "exec"), names)
    assert names["x"].shape == (2, 3, 16, 112, 112)
    assert names["y"].shape == (2,)
    assert (names["state"]["epoch"], names["state"]["position"]) == (2, 0)


def test_the_weights_of_the_page_are_taken(complete):
    lines = code("loading.md")[1].replace('"dataset", {"ucf101": 1, "hmdb51": 2}', '"dataset", {"test": 1}').splitlines()
    for line in lines[2:]:
        names: dict = {}
        exec(f"{lines[0]}\n{line}", names)
        with ClipIterator([complete, complete], views=(Clip(size=32),), batch_size=2, **names["settings"]) as it:
            assert len(it) == 6


def test_evaluation_is_as_the_page_says(complete):
    view = evaluation_view((Clip("v0", size=32),), "uniform:10", "three")
    with ClipIterator(complete, views=(view,), batch_size=4, train=False) as it:
        batches = list(it)
    assert [len(batch["idx"]) for batch in batches] == [4, 2]
    assert batches[0]["clip"].shape == (4, 30, 3, 16, 32, 32)
