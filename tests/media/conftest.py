"""A folder for downloads."""

import tempfile

import pytest

import vdata.media.download


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder of its own, which is empty afterwards, and no pauses between the tries of a download."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(vdata.media.download, "PAUSES", (0.0, 0.0))
    yield folder
    assert not list(folder.iterdir())
