import shutil

from vdata.shards import ShardWriter, open_shards, row_schema
from vdata.shards.replace import finish_replacements, replace_shard
from vdata.shards.verify import verify


def made(folder, clip, row):
    """Another shard 1, of one clip."""
    writer = ShardWriter(folder, 1, row_schema())
    writer.add("new", row, {"mp4": clip.mp4})
    writer.commit()
    return folder


def test_the_new_one_stands_alone_in_the_old_ones_place(shard_folder, clips, make_row):
    (shard_folder / "clips-000001.flow.tar").touch()
    work = made(shard_folder / ".tmp/new", clips[3], make_row(clips[3], 9))
    wanted = {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}
    replace_shard(shard_folder, 1, work)
    assert {path.name: path.read_bytes() for path in shard_folder.glob("clips-000001*")} == wanted
    assert [sample.key for sample in open_shards(shard_folder)][-1] == "new"
    assert not (shard_folder / ".ready").exists()
    assert not work.exists()


def test_one_that_waits_is_seen_and_put_into_place(shard_folder, clips, make_row):
    work = made(shard_folder / ".tmp/new", clips[3], make_row(clips[3], 9))
    (shard_folder / ".ready").mkdir()
    shutil.move(work, shard_folder / ".ready/clips-000001")
    # The crash came when the old row file and one other were gone already.
    (shard_folder / "clips-000001.parquet").unlink()
    (shard_folder / "clips-000001.idx").unlink()
    assert ".ready/clips-000001" in {item.file for item in verify(shard_folder).damaged}
    assert finish_replacements(shard_folder) == [1]
    assert [sample.key for sample in open_shards(shard_folder)][-1] == "new"
    assert finish_replacements(shard_folder) == []
