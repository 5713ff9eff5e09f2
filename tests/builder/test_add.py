"""A field that is added equals the one that is built, and changes nothing else."""

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest

import vdata
from vdata.builder import RunConfig
from vdata.builder.add import Addition, add
from vdata.builder.build import finish
from vdata.builder.plan_file import read_plan
from vdata.builder.remove import remove
from vdata.builder.state import tool_versions
from vdata.builder.task import TRIES, Postponed
from vdata.errors import ConfigError, CorruptShardError, DecodeError, MediaError, SchemaMismatchError, UnknownNameError
from vdata.extract import EXTRACTORS, Extracted
from vdata.extract.curation import CurationConfig
from vdata.extract.motion import MotionExtractor
from vdata.media.motion_codec import INTRA
from vdata.records import Column, FeatureFile, GivenBoxes, Segment, Video
from vdata.shards.dataset_json import read_dataset_json
from vdata.shards.layout import committed_shards
from vdata.shards.read import read_range
from vdata.shards.rows import read_added, read_rows
from vdata.shards.verify import verify


def members(folder, ext):
    """That member of every clip, by key."""
    return {sample.key: sample[ext] for sample in vdata.open_shards(folder) if ext in sample}


def tars(folder, pattern="clips-??????.tar"):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern)}


@pytest.fixture
def bare(build_here, small_root, tmp_path):
    """Shards without motion."""
    return build_here(small_root, tmp_path / "bare", ("keyframes",))


@pytest.mark.parametrize("form", ["tar", "parquet"])
@pytest.mark.parametrize("settings", [{}, {"form": "vectors"}, {"block": 8}])
def test_what_is_added_equals_what_is_built(build_here, add_here, small_root, tmp_path, form, settings):
    built = build_here(small_root, tmp_path / "built", ("keyframes", "motion"), format=form, motion=settings)
    added = build_here(small_root, tmp_path / "added", ("keyframes",), format=form)
    rows, clips = [vdata.open_shards(added)[i].row for i in range(3)], members(added, "mp4")
    report = add_here(added, "motion", settings)
    ext = "vectors.npz" if settings.get("form") == "vectors" else "motion.npz"
    assert members(added, ext) == members(built, ext) != {}
    assert members(added, "mp4") == clips
    assert (report.shards, report.tally.clips_written, report.tally.clips_failed) == (len(committed_shards(added)), len(clips), 0)
    assert report.tally.bytes == sum(map(len, members(built, ext).values()))
    assert verify(added, decode=True).ok, verify(added).damaged
    for i, row in enumerate(rows):
        new = vdata.open_shards(added)[i].row
        assert new["fields"] == [*row["fields"], "motion"]
        assert {name: new[name] for name in row if name not in ("members", "fields")} == {
            name: row[name] for name in row if name not in ("members", "fields")
        }
    sums = [json.loads((folder / "dataset.json").read_text())["counts"]["bytes"] for folder in (added, built)]
    assert sums[0] == sums[1]


def test_motion_is_added_to_three_layers_from_their_own_pictures(build_here, add_here, small_root, tmp_path):
    """Near what the build finds, which had the source's frames; and the same every time."""
    layered = {"clip": {"short_side": 64, "seconds": 0.5, "layers": 3, "gop": 8, "min_seconds": 0.1}}
    built = build_here(small_root, tmp_path / "built", ("keyframes", "motion"), **layered)
    bare, again = (build_here(small_root, tmp_path / name, ("keyframes",), **layered) for name in ("bare", "again"))
    assert add_here(bare, "motion").tally.clips_failed == 0
    add_here(again, "motion")
    assert members(bare, "mp4") == members(built, "mp4")
    assert members(bare, "motion.npz") == members(again, "motion.npz")
    assert verify(bare, decode=True).ok
    for sample in vdata.open_shards(bare):
        (ours, kinds), (theirs, _) = sample.motion(), vdata.open_shards(built)[sample.key].motion()
        assert ours.shape == theirs.shape
        assert len(ours) == sample.row["num_frames"]
        for t in range(len(ours)):
            if t % 8:
                assert np.abs(np.median(ours[t], axis=(0, 1)) - np.median(theirs[t], axis=(0, 1))).max() <= 2  # quarter pixels
            else:
                assert (kinds[t] == INTRA).all()


def test_the_clips_files_are_not_touched(bare, add_here):
    before, digest = tars(bare), vdata.open_shards(bare).index.digest
    times = {path: path.stat().st_mtime_ns for path in bare.glob("clips-??????.tar")}
    add_here(bare, "motion")
    assert tars(bare) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(tars(bare, "*.motion.tar")) == len(before)
    # A loader's saved state is that of an index: it must open after a field has been added.
    index = vdata.open_shards(bare).index
    assert index.digest == digest
    # And it finds the members by the index alone.
    places = index.members["motion.npz"]
    for i, (file, offset, size) in enumerate(zip(places.file, places.offset, places.size, strict=True)):
        assert index.file_path(int(file)).name == f"clips-{index.shard[i]:06d}.motion.tar"
        assert read_range(index.file_path(int(file)), int(offset), int(size)) == vdata.open_shards(bare)[i]["motion.npz"]


def test_a_second_time_nothing_is_left_to_do(bare, add_here, contents):
    add_here(bare, "motion")
    before = contents(bare)
    report = add_here(bare, "motion")
    assert (report.shards, report.standing) == (0, len(committed_shards(bare)))
    assert contents(bare) == before


def test_two_fields_stand_beside_each_other(out, add_here):
    grids = members(out, "motion.npz")
    add_here(out, "motion", {"form": "vectors"})
    add_here(out, "slic")
    sample = vdata.open_shards(out)[0]
    assert members(out, "motion.npz") == grids
    assert len(sample.motion_vectors()) == sample.row["num_frames"]
    assert sample.row["fields"] == ["keyframes", "motion", "slic"]
    assert [*read_added(out, 0)] == ["motion", "slic"]
    assert verify(out).ok


def test_other_settings_are_refused_or_made_anew(bare, build_here, add_here, small_root, tmp_path):
    add_here(bare, "motion")
    with pytest.raises(ConfigError, match=r"motion with block 16, not 8: give the same, or --again"):
        add_here(bare, "motion", {"block": 8})
    before = tars(bare)
    add_here(bare, "motion", {"block": 8}, again=True)
    wanted = build_here(small_root, tmp_path / "wanted", ("keyframes", "motion"), motion={"block": 8})
    assert members(bare, "motion.npz") == members(wanted, "motion.npz")
    assert tars(bare) == before
    assert verify(bare).ok
    add_here(bare, "motion", {"form": "vectors"}, again=True)
    assert "motion.npz" not in vdata.open_shards(bare)[0]
    assert verify(bare).ok


class Moody(MotionExtractor):
    """Motion that fails for clips of one video."""

    def __call__(self, clip):
        if "v3" in clip.origin.video.video_id and clip.clip_in_video == 1:
            raise DecodeError("decoder_error", "no", "last words")
        return super().__call__(clip)


def test_a_clip_that_fails_keeps_all_else(bare, add_here, monkeypatch):
    monkeypatch.setitem(EXTRACTORS._entries, "motion", Moody)
    (key,) = [row.key for row in vdata.open_shards(bare) if "v3" in row.key and row.row["clip_in_video"] == 1]
    report = add_here(bare, "motion")
    assert report.tally.clips_failed == 1
    assert dict(report.tally.reasons) == {"decoder_error": 1}
    sample = vdata.open_shards(bare)[key]
    assert "motion.npz" not in sample
    assert sample.row["fields"] == ["keyframes"]
    assert len(sample.frames()) == sample.row["num_frames"]
    (row,) = [
        row
        for shard in committed_shards(bare)
        for row in read_rows(bare, shard, suffix=".errors.parquet").to_pylist()
        if row["key"]
    ]
    assert (row["key"], row["stage"], row["reason"], row["tail"]) == (key, "add motion", "decoder_error", "last words")
    assert verify(bare).ok
    # Not retryable: nothing to do; made anew it is whole, and its failure is no longer told.
    monkeypatch.undo()
    assert add_here(bare, "motion", run=RunConfig(retry_failed=True)).shards == 0


def last_try(order):
    """The same order on the last try."""
    return replace(order, attempt=TRIES)


class Short(MotionExtractor):
    """Motion for which memory is short at first."""

    tries = 0

    def __call__(self, clip):
        if "v3" in clip.origin.video.video_id and type(self).tries < 1:
            raise MediaError("memory", "none left", retryable=True)
        return super().__call__(clip)


def test_what_another_try_may_mend_is_tried_again(bare, add_here, monkeypatch):
    monkeypatch.setitem(EXTRACTORS._entries, "motion", Short)
    postponed = []

    def run_twice(orders, run):
        """The first try of each, and the last of those that were put off."""
        for order in orders:
            result = order.execute()
            if isinstance(result, Postponed):
                postponed.append(result.reason)
                result = last_try(order).execute()
            yield order, result

    (report,) = add([bare], Addition.of("motion"), run_orders=run_twice)
    assert postponed == ["memory"]
    assert report.tally.reasons["memory"] == report.tally.clips_failed > 0
    Short.tries = 1
    again = add_here(bare, "motion", run=RunConfig(retry_failed=True))
    assert again.shards == 1
    assert len(members(bare, "motion.npz")) == len(members(bare, "mp4"))
    assert verify(bare).ok


def test_a_damaged_clip_is_not_worked_on(bare, add_here, contents):
    shard = committed_shards(bare)[-1]
    place = read_rows(bare, shard)["members"][0].as_py()[0]
    content = bytearray((bare / place["file"]).read_bytes())
    content[place["offset"] + place["size"] // 2] ^= 1
    (bare / place["file"]).write_bytes(content)
    with pytest.raises(CorruptShardError, match="verify --repair"):
        add_here(bare, "motion")
    # What was done stays, and nothing half-done is left.
    assert len(tars(bare, "*.motion.tar")) == shard
    assert not any((bare / ".tmp").iterdir())


def test_unknown_names_are_answered(bare, add_here, tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'motion'"):
        Addition.of("motoin")
    with pytest.raises(ConfigError, match="motion"):
        Addition.of("motion", {"blok": 8})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="only what `vdata build` made"):
        add_here(tmp_path / "empty", "motion")


class Counted:
    """A column and no member, made of the origin: a colleague of keyframes."""

    Config = MotionExtractor.Config
    packages = ("pyarrow",)
    reads_source = False
    needs_pictures = True
    fields = ()

    def __init__(self, config):

        self.columns = (Column("name_length", pa.int32(), "Letters of the video's name."),)

    def __call__(self, clip):
        return Extracted(columns={"name_length": len(clip.origin.video.label_name) + clip.num_frames})


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_a_column_alone_needs_no_tar(build_here, add_here, small_root, tmp_path, monkeypatch, form):
    monkeypatch.setitem(EXTRACTORS._entries, "counted", Counted)
    folder = build_here(small_root, tmp_path / "o", ("keyframes",), format=form)
    add_here(folder, "counted")
    assert not list(folder.glob("*.counted.tar"))
    for sample in vdata.open_shards(folder):
        assert sample.row["name_length"] == len(sample.row["label_name"]) + sample.row["num_frames"]
    assert np.array_equal(
        vdata.open_shards(folder).index.column("name_length"), [sample.row["name_length"] for sample in vdata.open_shards(folder)]
    )
    assert verify(folder).ok


def test_the_build_goes_on_as_it_was(bare, add_here, build_here, small_root, make_video):
    add_here(bare, "motion")
    before = read_dataset_json(bare)
    assert before.added["motion"]["config"] == {"form": "grid", "block": 16}
    assert before.added["motion"]["tools"] == tool_versions(("motion",))
    # The same command again: nothing to do, and the note of what was added stays.
    build_here(small_root, bare, ("keyframes",))
    assert read_dataset_json(bare) == before
    assert verify(bare).ok


def test_shards_that_came_later_get_the_field_too(bare, add_here, build_here, small_root):
    add_here(bare, "motion")
    last = committed_shards(bare)[-1]
    for path in bare.glob(f"clips-{last:06d}*"):
        path.unlink()
    build_here(small_root, bare, ("keyframes",))
    lacking = finish(bare, read_plan(bare)).lacking
    assert lacking == {"motion": 1}
    report = add_here(bare, "motion")
    assert (report.shards, report.standing) == (1, last)
    assert finish(bare, read_plan(bare)).lacking == {}
    assert len(members(bare, "motion.npz")) == len(members(bare, "mp4"))


def test_a_removed_clip_leaves_the_added_field_too(bare, add_here):
    add_here(bare, "motion")
    gone = vdata.open_shards(bare)[1]
    motion = gone["motion.npz"]
    remove([bare], keys=[gone.key])
    assert gone.key not in vdata.open_shards(bare)
    assert all(motion not in path.read_bytes() for path in bare.glob("clips-*.tar"))
    assert verify(bare, decode=True).ok
    assert [*read_added(bare, 0)] == ["motion"]
    assert add_here(bare, "motion").shards == 0


def test_jpegs_of_keyframes_are_added_beside_the_ranges_that_were_built(out, add_here):
    add_here(out, "keyframes", {"form": "jpeg"})
    for sample in vdata.open_shards(out):
        assert [sample.keyframe_jpeg(k)[:2] for k in range(len(sample.row["keyframes"]))] == [b"\xff\xd8"] * len(
            sample.row["fragments"]
        )
        assert sample.row["fields"] == ["keyframes", "motion"]
    assert verify(out).ok


def test_a_file_that_is_told_by_its_hash_may_have_moved(bare, add_here, monkeypatch):

    @dataclass(frozen=True)
    class Config:
        model: str = "a.onnx"
        sha256: str = "1234"

    class Told(MotionExtractor):
        def __init__(self, config):
            super().__init__(MotionExtractor.Config())

    Told.Config = Config
    monkeypatch.setitem(EXTRACTORS._entries, "told", Told)
    add_here(bare, "told")
    assert add_here(bare, "told", {"model": "/elsewhere/b.onnx"}).shards == 0
    with pytest.raises(ConfigError, match="sha256 '1234', not '5678'"):
        add_here(bare, "told", {"sha256": "5678"})


def test_again_makes_it_anew_everywhere(bare, add_here):
    add_here(bare, "motion")
    wanted = members(bare, "motion.npz")
    (bare / "clips-000000.motion.tar").unlink()
    report = add_here(bare, "motion", again=True)
    assert report.shards == len(committed_shards(bare))
    assert members(bare, "motion.npz") == wanted
    assert verify(bare).ok


def test_sources_that_are_away_are_told_before_anything_changes(out, add_here, small_root, contents):
    before = contents(out)
    small_root.rename(small_root.with_name("elsewhere"))
    for name in ("audio", "text"):
        with pytest.raises(ConfigError, match=f"{name} reads the sources, and '.*root' is not there: give --root"):
            add_here(out, name)
    assert contents(out) == before
    assert add_here(out, "text", root=small_root.with_name("elsewhere")).tally.clips_failed == 0


class Absent(MotionExtractor):
    """Motion that needs a file which is away for one video."""

    away = True
    calls = 0

    def __call__(self, clip):
        type(self).calls += 1
        if self.away and "v3" in clip.origin.video.video_id:
            raise MediaError("missing", "it is away")
        return super().__call__(clip)


def test_what_was_missing_is_made_later_and_the_rest_is_kept(bare, add_here, monkeypatch):
    monkeypatch.setitem(EXTRACTORS._entries, "motion", Absent)
    failed = add_here(bare, "motion").tally.clips_failed
    assert failed > 1
    assert add_here(bare, "motion").shards == 0
    monkeypatch.setattr(Absent, "away", False)
    monkeypatch.setattr(Absent, "calls", 0)
    add_here(bare, "motion", run=RunConfig(retry_failed=True))
    assert Absent.calls == failed
    assert len(members(bare, "motion.npz")) == len(members(bare, "mp4"))
    assert verify(bare).ok


def test_a_refused_field_leaves_no_trace(out, add_here, contents):
    before = contents(out)
    with pytest.raises(SchemaMismatchError, match="has 'motion"):
        add_here(out, "motion", {"block": 8})
    assert contents(out) == before
    assert verify(out).ok


def test_another_python_is_no_other_field(bare, add_here, monkeypatch):
    add_here(bare, "motion")
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert add_here(bare, "motion").shards == 0


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_rows_without_pictures_are_left_alone_by_fields_that_need_them(bare_root, build_listed, add_here, tmp_path, form):
    folder = build_listed(*bare_root, tmp_path / "shards", ("text",), format=form)
    before = [sample.row for sample in vdata.open_shards(folder)]
    report = add_here(folder, "curation")
    assert (report.tally.clips_planned, report.tally.clips_written, report.tally.clips_failed) == (0, 0, 0)
    for sample, old in zip(vdata.open_shards(folder), before, strict=True):
        assert sample.row["fields"] == old["fields"]
        assert sample.row["motion_score"] is None
    # A second time nothing is left to do, and what needs no pictures is made for all.
    assert add_here(folder, "curation").shards == 0
    assert add_here(folder, "frame_labels").tally.clips_written == len(before)
    assert add_here(folder, "published").tally.clips_failed == 0
    found = vdata.open_shards(folder)["features-1-00000"]
    assert found.features().tolist() == [[1.0] * 4] * 15
    assert found.frame_labels().tolist() == [0] * 7 + [1] * 8
    assert verify(folder, decode=True).ok, verify(folder).damaged


def test_what_the_dataset_gives_is_added_as_it_is_built(build_listed, make_video, add_here, tmp_path):
    root = make_video("root/a.mp4", num_frames=40, size=(96, 64)).parent
    np.save(root / "a.npy", np.arange(80.0).reshape(40, 2))
    boxes = GivenBoxes.of(np.arange(40) / 25, [[0, 0, 48, 32]] * 40, range(40))
    video = Video(
        "a", "a.mp4", boxes=boxes, segments=Segment.runs([0] * 10 + [1] * 30), features=FeatureFile("a.npy"), start_seconds=0.21
    )
    fields = ("dataset", "frame_labels", "published")
    clip = {"short_side": 48, "gop": 6, "seconds": 0.48, "min_seconds": 0.0}
    built = build_listed(root, [video], tmp_path / "built", fields, clip=clip)
    added = build_listed(root, [video], tmp_path / "added", (), clip=clip)
    for name, ext in zip(fields, ("dataset.boxes.npy", "labels.npy", "features.npy"), strict=True):
        add_here(added, name)
        assert members(added, ext) == members(built, ext)
        assert len(members(built, ext)) == 3
    first = vdata.open_shards(built)["a-00000"]
    assert first.boxes("dataset")["class"].tolist() == list(range(6, 18)) == (first.features()[:, 0] // 2).tolist()
    assert first.frame_labels().tolist() == [0] * 4 + [1] * 8


def test_published_features_are_not_covered_by_a_network_s(bare_folder):
    network = Addition("features", CurationConfig(), tool_versions(()), ("features.npy",))
    with pytest.raises(SchemaMismatchError, match=r"has 'features\.npy' already, not from `vdata add features`"):
        add([bare_folder], network, run_orders=lambda orders, run: iter(()))
