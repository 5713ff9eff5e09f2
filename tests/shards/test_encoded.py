"""A stored clip is the one that was cut."""

from pathlib import Path

import pytest

from vdata.errors import CorruptShardError
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.origin import Origin
from vdata.records import Video
from vdata.shards import ShardWriter, clip_columns, open_shards, row_schema
from vdata.shards.encoded import encoded_clip


@pytest.mark.parametrize("cells", [(), ("mp4",)])
def test_it_equals_the_clip_that_was_cut(make_video, make_row, tmp_path, cells):
    path, video = make_video("a.mp4", num_frames=40, size=(98, 64)), Video("a", "a.mp4")
    config = ClipConfig(seconds=0.5, min_seconds=0.1, short_side=64, gop=6)
    clips = list(cut(path.parent, video, config, LimitConfig()))
    writer = ShardWriter(tmp_path / "o", 0, row_schema(cells=cells))
    for number, clip in enumerate(clips):
        writer.add(f"k{number}", make_row(clip, number) | clip_columns(clip), {"mp4": clip.mp4})
    writer.commit()
    assert len(clips) > 2
    for sample, clip in zip(open_shards(tmp_path / "o"), clips, strict=True):
        # The file of the origin is open while the video is cut, and is not part of what is stored.
        assert encoded_clip(sample, clip.origin) == clip


def test_other_bytes_are_refused(shard_folder):
    row = open_shards(shard_folder)[0].row
    place = row["members"][0]
    content = bytearray((shard_folder / place["file"]).read_bytes())
    content[place["offset"] + 50] ^= 1
    (shard_folder / place["file"]).write_bytes(content)
    with pytest.raises(CorruptShardError, match=r"mp4' is damaged: mend it with `vdata verify --repair`"):
        encoded_clip(open_shards(shard_folder)[0], Origin(Path(), Video("v", "v.mp4")))
