"""Fixtures of the dataset readers: the real annotation files, and empty files laid out as the owners publish them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest


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
