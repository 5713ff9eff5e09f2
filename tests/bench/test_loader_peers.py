"""The peers by name, their checks, and one of them from end to end in its own process."""

import numpy as np
import pytest

from vdata import open_shards
from vdata.bench import Bench, Skip, loader_peers
from vdata.bench.loader_material import Material, Sampling
from vdata.bench.loader_peers import Peer, clip_items, source_items
from vdata.bench.loader_process import PeerProcess

SAMPLING = Sampling(4, 2, 32)


@pytest.fixture
def material(tmp_path, shards):
    return Material(sorted((tmp_path / "videos").glob("*.mp4")), {1: shards})


def test_peers_run_only_if_asked_for_and_there(material, tmp_path, monkeypatch):
    (skip,) = loader_peers.loader_peers(Bench(tmp_path, tmp_path), material, SAMPLING, 1.0, "480p ")
    assert skip == Skip("480p peers", "asked for by --peers")
    monkeypatch.setattr(loader_peers, "PACKAGES", tmp_path / ".venv-peers-load")
    (skip,) = loader_peers.loader_peers(Bench(tmp_path, tmp_path, peers=True), material, SAMPLING, 1.0)
    assert skip == Skip("peers", "'.venv-peers-load' is not there: `make bench-peers` in a checkout makes it")


def test_items_are_the_files_and_the_clips(material, shards):
    assert [(item.path, item.num_frames, item.width, item.height) for item in source_items(material)] == [
        (str(path), 30, 128, 96) for path in material.sources
    ]
    samples = open_shards(shards)
    for item, sample in zip(clip_items(shards), samples, strict=True):
        assert item.source() == sample["mp4"]
        picture = sample.row["picture"]
        assert (item.num_frames, item.width, item.height) == (30, picture["width"], picture["height"])


class Fake:
    """A process that gives what it is told to give."""

    def __init__(self, folder, **answers):
        self.folder, self.answers, self.shift = folder, answers, 0

    def ask(self, *, do, **command):
        if do == "frames":
            items = [loader_peers.Item(*item) for item in command["job"]["items"]]
            frames = [loader_peers._rgb24(items[at].source())[wanted] + self.shift for at, wanted in command["windows"]]
            np.savez(command["file"], *frames)
        return self.answers.get(do, {})


def test_frames_that_are_not_the_clips_stop_the_case(shards, tmp_path):
    process = Fake(tmp_path)
    peer = Peer(process, "decord", clip_items(shards), (), SAMPLING)
    peer.check()
    process.shift = np.uint8(3)
    with pytest.raises(ValueError, match=r"decord's frames of .* differ from PyAV's by"):
        peer.check()


@pytest.mark.parametrize("wrong", [{"shape": [16, 4, 3, 32, 32]}, {"high": 255.0}, {"low": -0.1}])
def test_batches_unlike_ours_stop_the_case(shards, tmp_path, wrong):
    right = {"shape": [16, 3, 4, 32, 32], "low": 0.0, "high": 1.0}
    Peer(Fake(tmp_path, open=right), "decord", clip_items(shards), (), SAMPLING).open()
    with pytest.raises(ValueError, match=r"decord gives batches of .*16 x 3 x 4 x 32 x 32 is due"):
        Peer(Fake(tmp_path, open=right | wrong), "decord", clip_items(shards), (), SAMPLING).open()


def test_a_run_is_told_a_clip(shards, tmp_path):
    done = {"samples": 32, "seconds": 2.0, "cpu": 3.2, "bytes": 64_000}
    timed = Peer(Fake(tmp_path, run=done), "decord", clip_items(shards), (), SAMPLING).run(1.0, 17.5)
    assert (timed.work, timed.seconds, timed.cpu_seconds) == (32, 2.0, 3.2)
    assert timed.detail == {"CPU ms a clip": 100.0, "kB a clip": 2.0, "packets a clip": 17.5}


def test_pyav_with_webdataset_runs_in_a_process_of_its_own(shards, tmp_path):
    pytest.importorskip("webdataset")
    process = PeerProcess(tmp_path / "peer", tmp_path / "none")
    try:
        assert process.ask(do="import", peer="webdataset") == {"missing": ""}
        assert "make bench-peers" in process.ask(do="import", peer="decord")["missing"]
        tars = [str(path) for path in sorted(shards.glob("clips-*.tar"))]
        peer = Peer(process, "webdataset", clip_items(shards), tars, SAMPLING)
        peer.check()
        peer.open()
        timed = peer.run(0.1, peer.num_packets())
        assert timed.work >= 16
        assert timed.detail["CPU ms a clip"] > 0
        assert timed.detail["kB a clip"] > 1
    finally:
        process.close()


@pytest.mark.skipif(not loader_peers.PACKAGES.exists(), reason="needs `make bench-peers`")
@pytest.mark.parametrize("name", ["torchcodec", "decord"])
def test_the_others_give_pyavs_frames(shards, material, tmp_path, name):
    process = PeerProcess(tmp_path / "peer")
    try:
        assert process.ask(do="import", peer=name) == {"missing": ""}
        for items in (clip_items(shards), source_items(material)):
            Peer(process, name, items, (), SAMPLING).check()
    finally:
        process.close()
