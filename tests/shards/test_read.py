import io
import os
from dataclasses import asdict

import av
import numpy as np
import pyarrow as pa
import pytest

import vdata
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.box_codec import boxes_of, dump_boxes
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.cut import cut
from vdata.media.motion_codec import dump_grid, dump_vectors
from vdata.media.text_codec import Text
from vdata.records import Column, Video
from vdata.shards import ShardWriter, open_shards, row_schema
from vdata.shards.amend import FieldWriter

KEYFRAMES = Column("keyframes", pa.list_(pa.struct([("frame", pa.int32()), ("offset", pa.int64()), ("size", pa.int64())])), "")


def reference(mp4, row):
    """Every picture by PyAV from the whole file."""
    with av.open(io.BytesIO(mp4)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    return frames[:, : row["picture"]["height"], : row["picture"]["width"]]


def test_numbers_keys_and_iteration_give_the_same_samples(shard_folder, mp4s):
    shards = vdata.open_shards(str(shard_folder))
    assert len(shards) == 6
    keys = [sample.key for sample in shards]
    assert [sample["mp4"] for sample in shards] == mp4s
    assert [shards[key]["mp4"] for key in keys] == mp4s
    assert [shards[i].key for i in range(6)] == [shards[i - 6].key for i in range(6)] == keys
    assert shards[np.int64(2)].key == keys[2]
    assert keys[3] in shards
    assert "other" not in shards
    assert shards[4].row["video_id"] == "video 4"


def test_what_is_not_there_is_named(shard_folder):
    shards = open_shards(shard_folder)
    for number in (6, -7):
        with pytest.raises(IndexError, match=f"sample {number} of 6"):
            shards[number]
    with pytest.raises(KeyError, match="other"):
        shards["other"]
    with pytest.raises(KeyError, match=r"no member 'flac'; it has mp4, text.json, json"):
        shards[0]["flac"]


def test_several_folders_are_for_the_loader(shard_folder):
    with pytest.raises(ConfigError, match="must be one folder of shards"):
        open_shards([shard_folder, shard_folder])


def test_frames_equal_the_whole_file(shard_folder, mp4s):
    for sample, mp4 in zip(open_shards(shard_folder), mp4s, strict=True):
        whole = reference(mp4, sample.row)
        count = len(whole)
        assert np.array_equal(sample.frames(), whole)
        for start, stop, step in [(0, 1, 1), (count - 1, count, 1), (count // 2, count, 3), (1, count, 12), (count, count, 1)]:
            assert np.array_equal(sample.frames(start, stop, step), whole[start:stop:step])


def test_frames_read_only_the_fragments_they_need(shard_folder, bytes_read):
    sample = open_shards(shard_folder)[0]
    init, (_, second, third) = sample.row["init_size"], sample.row["fragments"]
    sample.frames(13, 20, 2)
    assert bytes_read == [init, second["size"]]
    bytes_read.clear()
    assert len(sample.frames(29, 30)) == 1
    assert bytes_read == [init, third["size"]]


def test_frames_outside_the_clip_are_refused(shard_folder):
    sample = open_shards(shard_folder)[0]
    for arguments in [(-1, 2), (0, 31), (5, 4)]:
        with pytest.raises(ConfigError, match="frames"):
            sample.frames(*arguments)
    with pytest.raises(ConfigError, match="step"):
        sample.frames(0, 4, 0)


def test_keyframes_equal_the_whole_file_with_and_without_their_column(shard_folder, tmp_path, clips, make_row, bytes_read):
    writer = ShardWriter(tmp_path / "with", 0, row_schema([], [KEYFRAMES]))
    table = [{"frame": k.frame, "offset": k.offset, "size": k.size} for k in clips[0].keyframes]
    writer.add("a", make_row(clips[0], 0, keyframes=table), {"mp4": clips[0].mp4})
    writer.commit()
    without, own = open_shards(shard_folder)[0], open_shards(tmp_path / "with")["a"]
    whole = reference(clips[0].mp4, own.row)
    for k in range(3):
        assert np.array_equal(without.keyframe(k), whole[12 * k])
        bytes_read.clear()
        assert np.array_equal(own.keyframe(k), whole[12 * k])
        assert bytes_read == [own.row["init_size"], clips[0].keyframes[k].size]
    with pytest.raises(ConfigError, match="keyframe"):
        own.keyframe(3)


@pytest.mark.videos
def test_a_real_video_as_station_two_cuts_it(videos_root, tmp_path, make_row):
    video = Video("people", "good/people/vid_h264.mp4", end_seconds=4.0)
    clips = [
        clip for clip in cut(videos_root, video, ClipConfig(seconds=2, short_side=96), LimitConfig()) if hasattr(clip, "mp4")
    ]
    writer = ShardWriter(tmp_path, 0, row_schema([], [KEYFRAMES]))
    for number, clip in enumerate(clips):
        writer.add(f"a-{number}", make_row(clip, number, keyframes=[asdict(k) for k in clip.keyframes]), {"mp4": clip.mp4})
    writer.commit()
    assert len(clips) >= 2
    for sample in open_shards(tmp_path):
        whole = reference(sample["mp4"], sample.row)
        assert np.array_equal(sample.frames(), whole)
        assert np.array_equal(sample.frames(7, None, 13), whole[7::13])
        for k, fragment in enumerate(sample.row["fragments"]):
            assert np.array_equal(sample.keyframe(k), whole[fragment["first_frame"]])


def test_motion_of_either_form(tmp_path, clips, make_row):
    grid = np.arange(2 * 3 * 4 * 2, dtype=np.int16).reshape(2, 3, 4, 2)
    kind = np.ones((2, 3, 4), np.uint8)
    rows, offsets = np.arange(30, dtype=np.int32).reshape(3, 10), np.array([0, 0, 2, 3])
    members = {"mp4": clips[3].mp4, "motion.npz": dump_grid(grid, kind), "vectors.npz": dump_vectors(rows, offsets)}
    writer = ShardWriter(tmp_path, 0, row_schema())
    writer.add("a", make_row(clips[3], 0), members)
    writer.commit()
    sample = open_shards(tmp_path)["a"]
    assert np.array_equal(sample.motion()[0], grid)
    assert np.array_equal(sample.motion()[1], kind)
    assert [frame.tolist() for frame in sample.motion_vectors()] == [[], rows[:2].tolist(), rows[2:].tolist()]


def test_a_keyframe_s_jpeg_is_one_read_of_its_own_bytes(tmp_path, clips, make_row, bytes_read):
    jpegs = [b"first", b"the second", b"3"]
    ranges = [{"offset": 0, "size": 5}, {"offset": 5, "size": 10}, {"offset": 15, "size": 1}]
    column = Column("keyframe_jpegs", pa.list_(pa.struct([("offset", pa.int64()), ("size", pa.int64())])), "")
    writer = ShardWriter(tmp_path, 0, row_schema([], [column]))
    members = {"mp4": clips[0].mp4, "keyframes.mjpeg": b"".join(jpegs)}
    writer.add("a", make_row(clips[0], 0, keyframe_jpegs=ranges), members)
    writer.commit()
    sample = open_shards(tmp_path)["a"]
    bytes_read.clear()
    assert [sample.keyframe_jpeg(k) for k in range(3)] == jpegs
    assert bytes_read == [5, 10, 1]
    for k in (-1, 3):
        with pytest.raises(ConfigError, match=r"keyframe .* must lie in \[0, 3\)"):
            sample.keyframe_jpeg(k)


def test_fields_that_were_not_built_say_how_to_add_them(shard_folder):
    sample = open_shards(shard_folder)[1]
    for read, words in [
        (sample.motion, "vdata add motion"),
        (sample.motion_vectors, "motion.form=vectors"),
        (sample.boxes, "vdata add slic"),
        (sample.audio, "vdata add audio"),
        (sample.text, "vdata add text"),
        (sample.tracklets, "vdata add tracklets"),
        (sample.features, "vdata add features --checkpoint"),
        (lambda: sample.keyframe_jpeg(0), r"vdata add keyframes --set keyframes\.form=jpeg"),
    ]:
        with pytest.raises(SchemaMismatchError, match=words):
            read()


def test_a_member_in_a_sidecar_tar(shard_folder):
    (shard_folder / "clips-000000.flow.tar").write_bytes(bytes(512) + b"flow!" + bytes(507))
    sample = open_shards(shard_folder)[0]
    member = {"name": "flow.npy", "file": "clips-000000.flow.tar", "offset": 512, "size": 5, "sha256": ""}
    changed = type(sample)(shard_folder, sample.row | {"members": [*sample.row["members"], member]})
    assert changed["flow.npy"] == b"flow!"


def test_damaged_and_missing_tars_name_file_and_key(shard_folder):
    samples = list(open_shards(shard_folder))
    tar = shard_folder / "clips-000000.tar"
    content = bytearray(tar.read_bytes())
    place = samples[0].row["members"][0]["offset"] + samples[0].row["init_size"]
    content[place : place + 3000] = bytes(3000)
    tar.write_bytes(content)
    with pytest.raises(CorruptShardError, match=f"{samples[0].key}.mp4' in clips-000000.tar"):
        samples[0].frames()
    os.truncate(tar, 1000)
    with pytest.raises(CorruptShardError, match=f"clips-000000.tar ends within '{samples[0].key}.mp4'"):
        samples[0]["mp4"]
    tar.unlink()
    with pytest.raises(CorruptShardError, match=r"clips-000000.tar.* is not there"):
        samples[0]["mp4"]


def test_boxes_of_one_source_or_of_all(shard_folder):
    parts = {"slic": boxes_of(0, [[0, 0, 4, 4]], "slic"), "person": boxes_of(12, [[1, 1, 3, 9]], "person", 0.5)}
    for name, boxes in parts.items():
        writer = FieldWriter(shard_folder, 0, name, [f"{name}.boxes.npy"], [], {"config": {}, "tools": {}})
        writer.add(writer.rows[0]["key"], {f"{name}.boxes.npy": dump_boxes([boxes])}, {})
        writer.commit()
    sample = open_shards(shard_folder)[0]
    assert np.array_equal(sample.boxes("person"), parts["person"])
    assert np.array_equal(sample.boxes("person", "slic"), np.concatenate([parts["person"], parts["slic"]]))
    assert np.array_equal(sample.boxes(), np.concatenate([parts["slic"], parts["person"]]))
    with pytest.raises(SchemaMismatchError, match=r"has no 'detector\.boxes\.npy', .*`vdata add detector"):
        sample.boxes("detector")


def test_rows_without_pictures(bare_folder, bare_root):
    shards = open_shards(bare_folder)
    for video in bare_root[1]:
        sample = shards[f"{video.video_id}-00000"]
        for asked in (sample.frames, lambda sample=sample: sample.frames(0, 0), lambda sample=sample: sample.keyframe(0)):
            with pytest.raises(SchemaMismatchError, match=rf"'{sample.key}' has no pictures, only .*num_frames > 0"):
                asked()
        assert repr(sample).startswith(f"<Sample '{sample.key}': 0 frames; ")
        if video.medium == "text":
            text = (bare_root[0] / "all.txt").read_bytes()[slice(video.byte_range[0], sum(video.byte_range))].decode()
            assert sample.text() == Text(label=video.label_name, document=text)
        else:
            number = int(video.video_id[-1])
            count = 10 + 5 * number
            assert sample.features().tolist() == [[number] * 4] * count
            assert sample.frame_labels().tolist() == [0] * (count // 2) + [1] * (count - count // 2)
            assert sample.text() == Text()


def test_no_row_is_told_to_make_what_it_cannot_have(bare_folder, shard_folder):
    document, clip = open_shards(bare_folder)["document-3-00000"], open_shards(shard_folder)[1]
    for asked in (document.motion, document.boxes, lambda: document.boxes("person"), document.audio, document.features):
        with pytest.raises(SchemaMismatchError, match=r"'document-3-00000' has no '.*it has no pictures.*num_frames > 0"):
            asked()
    for sample, name in ((document, "folder"), (clip, "test")):
        for asked, field in ((sample.frame_labels, "frame_labels"), (lambda sample=sample: sample.boxes("dataset"), "dataset")):
            with pytest.raises(SchemaMismatchError, match=f"only a dataset gives `{field}`, and '{name}' gave none for it$"):
                asked()
    with pytest.raises(SchemaMismatchError, match=r"`vdata add slic .*`person`, `detector`.* a dataset's own are there if"):
        clip.boxes()


def test_a_filter_keeps_them_apart(mixed_folder, bare_folder):
    assert len(open_shards(mixed_folder)) == 10
    clips = open_shards(mixed_folder, where="num_frames > 0")
    assert [len(sample.frames()) for sample in clips] == [12] * 5
    assert {sample.text().document != "" for sample in open_shards(mixed_folder, where="codec == ''")} == {True}
    # A column that only pictures have is null for the others, which no filter by it chooses.
    assert len(open_shards(mixed_folder, where="motion_score >= 0")) == 5
    assert len(open_shards(mixed_folder, where="not motion_score >= 0")) == 0
    assert len(open_shards(bare_folder, where="feature_dim == 4")) == 3
