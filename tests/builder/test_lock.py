import multiprocessing
import os
import signal

import pytest

from vdata.builder.lock import committing, sole_build
from vdata.errors import BuildFailedError, ConfigError


def test_a_folder_has_one_build_at_a_time_and_says_whose(tmp_path):
    with sole_build(tmp_path / "out"), pytest.raises(ConfigError, match=f"being built by process {os.getpid()} on "):
        sole_build(tmp_path / "out").__enter__()
    with sole_build(tmp_path / "out"):
        pass


def hold(folder, entered):
    with sole_build(folder):
        entered.set()
        signal.pause()


def test_the_lock_ends_with_a_process_that_is_killed(tmp_path):
    context = multiprocessing.get_context("spawn")
    entered = context.Event()
    holder = context.Process(target=hold, args=(tmp_path, entered))
    holder.start()
    try:
        assert entered.wait(30)
        with pytest.raises(ConfigError, match=f"by process {holder.pid} on"):
            sole_build(tmp_path).__enter__()
    finally:
        holder.kill()
        holder.join()
    with sole_build(tmp_path):
        pass


def test_a_worker_that_was_left_behind_may_not_commit(tmp_path):
    with sole_build(tmp_path) as old, committing(tmp_path, old):
        pass
    with sole_build(tmp_path) as new:
        with committing(tmp_path, new):
            pass
        with pytest.raises(BuildFailedError, match="taken"), committing(tmp_path, old):
            pass


def test_a_folder_that_cannot_be_made_is_a_setting(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--out .* cannot be written"):
        sole_build(tmp_path / "file/out").__enter__()
