import fcntl
import os
import time

import pytest

from vdata.builder import connect


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(connect.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(connect, "LONGEST_TMPDIR", 1000)
    return tmp_path


def old(folder):
    (folder / "session").mkdir(parents=True)
    os.utime(folder, (time.time() - 3600,) * 2)
    return folder


def test_what_a_killed_build_left_is_removed_and_nothing_else(place):
    left, alive, other = old(place / "vdata-ray-left"), old(place / "vdata-ray-alive"), old(place / "other")
    young = place / "vdata-ray-young"
    young.mkdir()
    descriptor = os.open(alive, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with connect._scratch() as scratch:
            assert sorted(place.iterdir()) == sorted([alive, other, young, scratch])
            os.utime(scratch, (0, 0))
            connect._remove_if_left(scratch)  # as another build would
            assert scratch.is_dir()
    finally:
        os.close(descriptor)
    assert not left.exists()
    assert not scratch.exists()


def test_a_long_temporary_folder_is_not_for_sockets(tmp_path, monkeypatch):
    monkeypatch.setattr(connect.tempfile, "gettempdir", lambda: f"{tmp_path}/{'x' * 30}")
    with connect._scratch() as scratch:
        assert len(str(scratch)) < 24 + len("/vdata-ray-12345678")


def test_the_environment_is_afterwards_as_before(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with connect._token():
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        os.environ["RAY_AUTH_MODE"] = "token"  # as ray.init does
    assert not {"RAY_AUTH_TOKEN", "RAY_AUTH_MODE"} & set(os.environ)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with connect._token():
        assert os.environ["RAY_AUTH_TOKEN"] == "mine"
        os.environ["RAY_AUTH_MODE"] = "token"
    assert (os.environ["RAY_AUTH_TOKEN"], os.environ["RAY_AUTH_MODE"]) == ("mine", "disabled")
