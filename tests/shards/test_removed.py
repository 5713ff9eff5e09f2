import pyarrow.parquet as pq
import pytest

from vdata.errors import CorruptShardError
from vdata.shards.removed import Removed, RemovedClip, note_removed, read_removed

CLIPS = [RemovedClip("a-00000", "a", 3), RemovedClip("a-00001", "a", 3), RemovedClip("b-00000", "b", 4)]


def test_it_grows_and_keeps_what_it_has(tmp_path):
    assert read_removed(tmp_path) == Removed()
    note_removed(tmp_path, CLIPS[:2])
    first = pq.read_table(tmp_path / "removed.parquet").to_pylist()
    note_removed(tmp_path, CLIPS, videos=["b", "c"])
    note_removed(tmp_path, CLIPS, videos=["c"])
    assert pq.read_table(tmp_path / "removed.parquet").to_pylist()[:2] == first
    assert len(pq.read_table(tmp_path / "removed.parquet")) == 5
    assert read_removed(tmp_path) == Removed(frozenset(clip.key for clip in CLIPS), frozenset("bc"), {("a", 3): 2, ("b", 4): 1})


def test_one_that_cannot_be_read_is_never_taken_for_nothing(tmp_path):
    (tmp_path / "removed.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptShardError, match="removed clips would come back"):
        read_removed(tmp_path)
