"""Fields that were added come back with their shard, whatever of it was damaged."""

import json

import pytest

import vdata
from vdata.builder.add import Addition
from vdata.builder.repair import repair
from vdata.shards.amend import FieldWriter
from vdata.shards.layout import committed_shards
from vdata.shards.rows import read_added
from vdata.shards.verify import verify


def flip(path, position=700):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.fixture(params=["tar", "parquet"])
def grown(request, build_here, add_here, small_root, tmp_path):
    """A folder with two added fields."""
    folder = build_here(small_root, tmp_path / "grown", ("keyframes",), format=request.param)
    add_here(folder, "motion", {"form": "vectors"})
    add_here(folder, "slic")
    assert verify(folder).ok
    return folder


def last(folder):
    return f"clips-{committed_shards(folder)[-1]:06d}"


def test_a_damaged_tar_of_a_field_costs_that_field_alone(grown, orders_run_here, contents):
    if not list(grown.glob("*.slic.tar")):
        return  # cells are in the row file
    before = contents(grown)
    flip(grown / f"{last(grown)}.motion.tar")
    report = repair(grown)
    assert [item.what for item in report.shards] == ["its added fields made again: the original bytes came back"]
    assert report.after.ok, report.after.damaged
    assert orders_run_here == []
    assert contents(grown) == before


def test_a_lost_tar_of_a_field_needs_no_source(grown, small_root, orders_run_here, contents):
    if not list(grown.glob("*.slic.tar")):
        return
    before = contents(grown)
    small_root.rename(small_root.with_name("elsewhere"))
    for path in grown.glob("*.slic.tar"):
        path.unlink()
    report = repair(grown)
    assert report.after.ok, report.after.damaged
    assert orders_run_here == []
    assert contents(grown) == before


@pytest.mark.parametrize("suffix", [".tar", ".parquet"])
def test_a_shard_that_is_built_again_gets_its_fields_too(grown, orders_run_here, contents, suffix):
    path = grown / (last(grown) + suffix)
    if not path.exists():
        return
    before, fields = contents(grown), read_added(grown, committed_shards(grown)[-1])
    flip(path)
    report = repair(grown)
    assert [item.what for item in report.shards] == ["built again: the original bytes came back"], report
    assert report.after.ok, report.after.damaged
    assert orders_run_here == [committed_shards(grown)[-1]]
    assert read_added(grown, committed_shards(grown)[-1]) == fields
    assert contents(grown) == before


def test_a_field_that_no_extractor_makes_is_kept(build_here, small_root, tmp_path, orders_run_here, contents):
    """As features, whose network may be anywhere."""
    folder = build_here(small_root, tmp_path / "o", ("keyframes",))
    for shard in committed_shards(folder):
        writer = FieldWriter(folder, shard, "features", ["features.npy"], [], {"config": {}, "tools": {}})
        for row in writer.rows:
            writer.add(row["key"], {"features.npy": row["key"].encode()}, {})
        writer.commit()
    text = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**text, "added": {"features": {"config": {}, "tools": {}}}}))
    (folder / "SHA256SUMS").unlink()
    repair(folder)
    before = contents(folder)
    flip(folder / f"{last(folder)}.tar")
    assert repair(folder).after.ok
    assert contents(folder) == before
    flip(folder / f"{last(folder)}.features.tar", 513)
    report = repair(folder)
    assert not report.after.ok
    assert "vdata add features --again" in report.shards[0].what
    assert len(vdata.open_shards(folder)) == 12


def test_settings_come_from_dataset_json(grown):
    added = json.loads((grown / "dataset.json").read_text())["added"]
    assert Addition.of("motion", added["motion"]["config"]).config.form == "vectors"


def test_repair_goes_by_what_the_shard_has_not_by_what_was_asked_last(grown, orders_run_here, contents):
    """An `--again` with other settings was cut off: this shard still has the old field."""
    if not list(grown.glob("*.motion.tar")):
        return
    text = json.loads((grown / "dataset.json").read_text())
    text["added"]["motion"]["config"]["form"] = "grid"
    (grown / "dataset.json").write_text(json.dumps(text))
    (grown / "SHA256SUMS").unlink()
    before = (grown / f"{last(grown)}.motion.tar").read_bytes()
    flip(grown / f"{last(grown)}.motion.tar")
    assert repair(grown).shards[0].what == "its added fields made again: the original bytes came back"
    assert (grown / f"{last(grown)}.motion.tar").read_bytes() == before


def test_a_field_of_no_extractor_is_left_out_where_the_rows_are_lost(build_here, small_root, tmp_path, orders_run_here):
    folder = build_here(small_root, tmp_path / "o", ("keyframes",))
    text = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**text, "added": {"features": {"config": {}, "tools": {}}}}))
    (folder / "SHA256SUMS").unlink()
    (folder / f"{last(folder)}.parquet").unlink()
    assert repair(folder).after.ok
