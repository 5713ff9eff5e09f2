"""Fixtures of the dataset readers: the real annotation files, and empty files laid out as the owners publish them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdata.builder import resolve
from vdata.builder.build import finish, missing_orders, plan_splits
from vdata.builder.classes import classes_of, own_classes
from vdata.builder.lock import sole_build
from vdata.builder.plan_file import read_plan, write_plan
from vdata.builder.state import open_build
from vdata.builder.task import build_shard
from vdata.config import merge
from vdata.shards.classes import write_classes

SMALL = {"clip": {"short_side": 48, "gop": 6}, "plan": {"shard_mb": 0.05}}


@pytest.fixture(scope="session")
def annotations_root() -> Path:
    """The folder of pieces of published annotations: VDATA_TEST_ANNOTATIONS, or `shared/annotations` beside the checkout."""
    beside = Path(__file__).parents[3] / "shared" / "annotations"
    root = Path(os.environ.get("VDATA_TEST_ANNOTATIONS", beside))
    if not root.is_dir():
        pytest.skip(f"no annotations at {root}; set VDATA_TEST_ANNOTATIONS")
    return root


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes empty files (or `{path: text}`) below a root and returns the root: a listing opens no video."""

    def write(*paths: str, texts: dict[str, str] | None = None) -> Path:
        for path, text in (dict.fromkeys(paths, "") | (texts or {})).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(text.encode())
        return tmp_path

    return write


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch) -> Path:
    """Where downloads go during a test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def make_image() -> Callable[..., Path]:
    """A function that writes a picture of smooth noise, JPEG or PNG by its name, and returns its path."""

    def make(path: Path, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
        """`size` is (width, height)."""
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC))
        return path

    return make


@pytest.fixture
def build_dataset(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """A function that builds a dataset in this process, by the builder's own parts, and returns the folders by split."""

    def build(
        name: str, root: Path, *, splits: tuple[str, ...] = (), extract: tuple[str, ...] = (), **settings: object
    ) -> dict[str, Path]:
        config = resolve(name, extract, settings=merge(SMALL, settings))
        folders = {}
        for split, plan in plan_splits(config, root, splits).items():
            folders[split] = out = tmp_path / f"shards-{name}" / split
            with sole_build(out) as run:
                open_build(out, config, root, split)
                write_plan(out, plan)
                # The plan as it was saved: what a dataset says of a video must survive the file.
                saved = read_plan(out)
                assert saved == plan
                for order in missing_orders(out, saved, config, root, run):
                    build_shard(order)
                write_classes(out, classes_of(own_classes(config, root), plan))
                finish(out, plan)
        return folders

    return build
