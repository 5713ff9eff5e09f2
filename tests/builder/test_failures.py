import pytest

from vdata.builder.failures import FailureWatch, retryable_shards
from vdata.builder.tally import Tally
from vdata.errors import BuildFailedError
from vdata.records import Failure
from vdata.shards.schema import row_schema
from vdata.shards.write import ShardWriter


def commit(folder, shard, tally, *failures):
    writer = ShardWriter(folder, shard, row_schema())
    for failure in failures:
        writer.fail(failure)
    writer.commit(tally.to_mapping())


def failure(name, *, retryable=False):
    return Failure(name, name, None, "cut", "no_frames", "not one frame could be decoded", retryable=retryable)


def test_a_share_is_looked_at_from_100_videos_on_and_at_the_end(tmp_path):
    commit(tmp_path, 0, Tally(videos=90, built=80, failed=10), *(failure(f"{n}.mp4") for n in range(10)))
    watch = FailureWatch([tmp_path], [], 0.1)
    watch.check(Tally(videos=9, failed=9))  # 19 of 99
    words = r"20 of 100 videos failed, more than --max-failed 0.1 allows: empty 1; such as '0.mp4' \(no_frames: not one"
    with pytest.raises(BuildFailedError, match=words):
        watch.check(Tally(videos=1, failed=1, reasons={"empty": 1}))
    with pytest.raises(BuildFailedError, match="10 of 90"):
        FailureWatch([tmp_path], [], 0.1).check_end()
    FailureWatch([tmp_path], [], 0.12).check_end()


def test_all_may_fail_by_default(tmp_path):
    watch = FailureWatch([tmp_path], [], 1.0)
    watch.check(Tally(videos=200, failed=200))
    watch.check_end()


def test_shards_with_a_failure_to_retry(tmp_path):
    commit(tmp_path, 0, Tally(), failure("a.mp4"))
    commit(tmp_path, 1, Tally(), failure("b.mp4"), failure("c.mp4", retryable=True))
    commit(tmp_path, 2, Tally())
    assert retryable_shards(tmp_path) == [1]
