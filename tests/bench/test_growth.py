from vdata.bench.growth import Memory, in_fresh_process, open_and_shuffle, resume
from vdata.bench.synthetic import SyntheticConfig, repeat_index, write_synthetic_index


def test_opening_is_measured_in_a_process_of_its_own(tmp_path):
    write_synthetic_index(tmp_path / "many", 300_000, SyntheticConfig(fragments=1))
    timed = in_fresh_process(open_and_shuffle, tmp_path / "many")
    assert timed.work == 300_000
    assert set(timed.detail) == {"open seconds", "shuffle seconds", "open MB", "own MB", "peak MB"}
    assert 0 < timed.detail["open seconds"] < timed.seconds
    # A number for each clip must be somewhere.
    assert 1 < timed.detail["own MB"] < 500


def test_resuming_waits_for_the_next_batch(tmp_path, shards):
    repeat_index(tmp_path / "many", shards, 64)
    timed = resume(tmp_path / "many")
    assert timed.work == 16
    assert timed.seconds == timed.detail["seconds"] > 0


def test_memory_is_the_kernels():
    before = Memory.now()
    kept = bytearray(80_000_000)
    after = Memory.now()
    assert 70 < after.own - before.own < 120
    assert after.peak >= after.own
    assert len(kept) == 80_000_000
