import pytest

from vdata import open_shards
from vdata.bench import Bench, Skip
from vdata.bench.vector_peer import mvextractor
from vdata.media import vectors


@pytest.fixture
def clips(shards):
    return [sample["mp4"] for sample in open_shards(shards)]


def test_the_package_reads_every_frame(tmp_path, clips):
    pytest.importorskip("mvextractor.videocap")
    assert mvextractor(Bench(tmp_path, tmp_path, peers=True), clips).run().work == sum(
        len(vectors.read_motion(clip).types) for clip in clips
    )


def test_other_rows_stop_the_case(tmp_path, clips, monkeypatch):
    pytest.importorskip("mvextractor.videocap")
    first = vectors.read_motion(clips[0])
    monkeypatch.setattr("vdata.bench.vector_peer.read_motion", lambda _: first)
    with pytest.raises(ValueError, match=r"rows of 1\.mp4 differ"):
        mvextractor(Bench(tmp_path, tmp_path, peers=True), clips)


def test_it_is_skipped_unless_asked_for(tmp_path):
    assert mvextractor(Bench(tmp_path, tmp_path), []) == Skip("mvextractor", "asked for by --peers")
