"""What is taken out is gone to the last byte and stays gone; all else is what it was, whatever happens on the way."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from vdata import open_shards
from vdata.builder import RunConfig, build
from vdata.builder.lock import sole_build
from vdata.builder.remove import remove
from vdata.builder.repair import config_of, repair
from vdata.builder.task import build_shard
from vdata.errors import ConfigError, ShardError
from vdata.shards import ShardWriter
from vdata.shards.dataset_json import read_dataset_json
from vdata.shards.layout import committed_shards
from vdata.shards.rows import read_counts, read_rows, read_schema
from vdata.shards.tar import read_members
from vdata.shards.verify import verify


def samples(folder):
    """Every sample's members and row (but for where it lies), by key."""
    found = {}
    for sample in open_shards(folder):
        row = {name: value for name, value in sample.row.items() if name != "members"}
        found[sample.key] = (row, {ext: sample[ext] for ext in sample.exts})
    return found


def where_bytes_are(folder, needle):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()}


def cells_of(folder):
    """Every text in every Parquet file, by file name: what compression hides from a search for bytes."""
    texts = {}
    for path in folder.rglob("*.parquet"):
        table = pq.read_table(path)
        texts[path.name] = json.dumps(table.to_pylist(), default=str)
    return texts


def several(folder):
    """The keys of the shard that holds most clips."""
    return max((read_rows(folder, shard)["key"].to_pylist() for shard in committed_shards(folder)), key=len)


@pytest.fixture(params=["tar", "parquet"])
def either(request, build_here, small_root, tmp_path):
    """A finished folder of either format."""
    return build_here(small_root, tmp_path / "out", format=request.param)


def test_bytes_and_rows_are_gone_and_the_rest_is_as_it_was(either):
    before = samples(either)
    keys = several(either)[1:2]
    mp4 = before[keys[0]][1]["mp4"]
    assert where_bytes_are(either, mp4)
    (report,) = remove([either], keys=keys)
    assert (report.keys, len(report.shards)) == (tuple(keys), 1)
    assert report.bytes == sum(len(data) for data in before[keys[0]][1].values())
    assert samples(either) == {key: sample for key, sample in before.items() if key not in keys}
    assert where_bytes_are(either, mp4) == set()
    assert where_bytes_are(either, mp4[len(mp4) // 2 :][:64]) == set()
    assert where_bytes_are(either, keys[0].encode()) <= {"removed.parquet"}
    assert {name for name, text in cells_of(either).items() if keys[0] in text} == {"removed.parquet"}
    assert verify(either, decode=True).ok
    assert not any((either / ".tmp").iterdir())
    assert not (either / ".ready").exists()


def test_the_sums_hold_with_what_was_removed(out):
    keys = several(out)[:2]
    before = read_dataset_json(out).counts
    gone = [samples(out)[key] for key in keys]
    remove([out], keys=keys)
    counts = read_dataset_json(out).counts
    assert read_dataset_json(out).state == "complete"
    assert counts["clips_removed"] == 2
    assert counts["clips_written"] == before["clips_written"] - 2 == len(samples(out))
    assert counts["clips_planned"] == before["clips_planned"]
    assert counts["frames"] == before["frames"] - sum(row["num_frames"] for row, _ in gone)
    lost = sum(len(data) for _, members in gone for ext, data in members.items() if ext != "json")
    assert counts["bytes"] == before["bytes"] - lost
    same = counts.keys() - {"clips_removed", "clips_written", "frames", "bytes"}
    assert {name: counts[name] for name in same} == {name: before[name] for name in same}


def test_a_shard_that_becomes_empty_has_a_row_file_and_no_tar(out):
    keys = several(out)
    (report,) = remove([out], keys=keys)
    (name,) = report.shards
    assert {path.name for path in out.glob(f"{name}.*")} == {f"{name}{end}" for end in (".parquet", ".errors.parquet", ".sha256")}
    assert len(read_rows(out, int(name[6:]))) == 0
    assert verify(out).ok


def test_every_clip_of_a_video_goes_and_its_failures_too(out):
    video = read_rows(out, 0)["video_id"][0].as_py()
    kept = {key for key, (row, _) in samples(out).items() if row["video_id"] != video}
    broken = "a/broken.mp4"
    assert broken in cells_of(out)["errors.parquet"]
    remove([out], videos=[video, broken])
    assert set(samples(out)) == kept
    texts = cells_of(out)
    assert {name for name, text in texts.items() if f'"{video}"' in text} == {"removed.parquet", "plan.parquet"}
    assert {name for name, text in texts.items() if broken in text} == {"removed.parquet", "plan.parquet"}
    assert verify(out).ok


def test_no_build_brings_a_clip_back(out, small_root, build_here, orders_run_here, contents, make_video):
    keys = several(out)[:1]
    video = next(row["video_id"] for row, _ in samples(out).values() if row["video_id"] != samples(out)[keys[0]][0]["video_id"])
    remove([out], keys=keys, videos=[video])
    after, left = contents(out), samples(out)
    build_here(small_root, out)
    assert contents(out) == after
    for path in out.glob("clips-*.parquet"):
        path.unlink()
    assert repair(out).after.ok
    assert samples(out) == left
    assert read_dataset_json(out).counts["clips_removed"] == read_dataset_json(out).counts["clips_planned"] - len(left)


def test_a_video_that_was_removed_is_not_opened_again(out, small_root, orders_run_here):
    tar = max(out.glob("clips-*.tar"), key=lambda path: path.stat().st_size)
    video, source = (read_rows(out, int(tar.stem[6:]))[name][0].as_py() for name in ("video_id", "source"))
    remove([out], videos=[video])
    left, counts = samples(out), read_dataset_json(out).counts
    (small_root / source).unlink()
    tar.with_suffix(".parquet").unlink()
    report = repair(out)
    assert report.after.ok, report.shards
    assert samples(out) == left
    assert read_dataset_json(out).counts == counts


def test_a_build_goes_on_without_the_source_of_a_removed_video(out, small_root, make_video, monkeypatch):
    """With its source deleted too, and with a new video beside it; a source that is missed otherwise still stops the build."""

    def run_orders(orders, *_):
        return ((order, build_shard(order)) for order in orders)

    monkeypatch.setattr(sys.modules["vdata.builder.build"], "run_orders", run_orders)
    rows = {row["video_id"]: row for row, _ in samples(out).values()}
    first, second = sorted(rows)[:2]
    remove([out], videos=[first])
    left = samples(out)
    (small_root / rows[first]["source"]).unlink()
    config = config_of(read_dataset_json(out))
    assert build(config, small_root, out).reconciles
    make_video(small_root / "b/new.mp4", num_frames=13, size=(96, 64), seed=9)
    assert build(config, small_root, out, run=RunConfig(append=True)).reconciles
    assert left.items() < samples(out).items()
    assert {row["source"] for row, _ in samples(out).values()} - {row["source"] for row, _ in left.values()} == {"b/new.mp4"}
    assert verify(out).ok
    (small_root / rows[second]["source"]).unlink()
    with pytest.raises(ConfigError, match="1 is gone"):
        build(config, small_root, out)


def test_a_film_that_several_shards_share(small_root, tmp_path, build_here, orders_run_here, make_video):
    film = make_video("films/film.mp4", num_frames=80, size=(96, 64), options={"crf": "1"})
    make_video("films/other.mp4", num_frames=13, size=(96, 64), seed=5)
    plan = {"shard_mb": 0.03, "task_minutes": 1.0 / 480}
    out = build_here(film.parent, tmp_path / "out", plan=plan)
    shards = {shard for shard in committed_shards(out) if "film.mp4" in read_rows(out, shard)["source"].to_pylist()}
    assert len(shards) > 1
    one = several(out)[0]
    remove([out], keys=[one])
    remove([out], videos=["film.mp4"])
    counts, left = read_dataset_json(out).counts, samples(out)
    assert {row["video_id"] for row, _ in left.values()} == {"other.mp4"}
    for shard in sorted(shards):
        (out / f"clips-{shard:06d}.parquet").unlink()
        assert repair(out).after.ok
    assert samples(out) == left
    assert read_dataset_json(out).counts == counts


def test_unknown_names_change_nothing(out, contents):
    before = contents(out)
    with pytest.raises(ConfigError, match=r"2 of 3 keys to remove are unknown: no-00000, nor-00000; nothing was removed"):
        remove([out], keys=[several(out)[0], "nor-00000", "no-00000"])
    with pytest.raises(ConfigError, match=r"1 of 1 videos to remove are unknown: nobody"):
        remove([out], videos=["nobody"])
    assert contents(out) == before


def test_a_dry_run_changes_nothing(out, contents):
    before, keys = contents(out), several(out)
    (dry,) = remove([out], keys=keys, dry_run=True)
    assert contents(out) == before
    (report,) = remove([out], keys=keys)
    assert dry == report


def test_a_damaged_shard_is_not_copied(out, contents):
    keys = several(out)
    tar = max(out.glob("clips-*.tar"), key=lambda path: path.stat().st_size)
    place = read_rows(out, int(tar.stem[6:]))["members"][1].as_py()[0]["offset"]
    data = bytearray(tar.read_bytes())
    data[place + 99] ^= 1
    tar.write_bytes(data)
    before = contents(out)
    with pytest.raises(ShardError, match=rf"{keys[1]}: mp4 in {tar.name} differs .* --repair"):
        remove([out], keys=keys[:1])
    assert contents(out) == before
    remove([out], keys=keys[1:2])
    assert verify(out).ok


def test_a_lost_shard_is_repaired_first(out):
    next(iter(sorted(out.glob("clips-??????.parquet")))).unlink()
    with pytest.raises(ShardError, match="clips-000000 is lost"):
        remove([out], videos=[read_rows(out, 1)["video_id"][0].as_py()])
    assert (out / "clips-000000.tar").exists()


def test_a_folder_that_is_being_built_is_refused(out):
    with sole_build(out), pytest.raises(ConfigError, match="is being built"):
        remove([out], keys=several(out))


def test_splits_are_searched_together(out, tmp_path):
    for name in ("train", "val"):
        shutil.copytree(out, tmp_path / "data" / name)
    keys = several(tmp_path / "data/val")[:1]
    remove([tmp_path / "data/val"], keys=keys)
    reports = remove([tmp_path / "data/train", tmp_path / "data/val"], keys=keys)
    assert [len(report.keys) for report in reports] == [1, 0]


def with_sidecars(folder):
    """The same shards with a field in a tar of its own, as `vdata add` makes it: on every second clip."""
    for shard in range(len(list(folder.glob("clips-*.tar")))):
        rows = read_rows(folder, shard).to_pylist()
        bytes_of = samples(folder)
        writer = ShardWriter(folder, shard, read_schema(folder, shard), {"flow.npz": ".flow.tar"})
        for number, row in enumerate(rows):
            own = {name: value for name, value in row.items() if name not in ("key", "members")}
            extra = {"flow.npz": b"flow of " + row["key"].encode()} if number % 2 == 0 else {}
            writer.add(row["key"], own, bytes_of[row["key"]][1] | extra)
        writer.commit(read_counts(folder, shard))


def test_sidecar_tars_lose_the_clip_too(out):
    plain = samples(out)
    with_sidecars(out)
    before = samples(out)
    assert {key: {ext: data for ext, data in members.items() if ext != "flow.npz"} for key, (_, members) in before.items()} == {
        key: members for key, (_, members) in plain.items()
    }
    keys = several(out)
    remove([out], keys=keys[:1])
    assert where_bytes_are(out, b"flow of " + keys[0].encode()) == set()
    assert samples(out) == {key: sample for key, sample in before.items() if key != keys[0]}
    assert verify(out).ok
    (tar,) = [path for path in out.glob("clips-*.flow.tar") if where_bytes_are(out, keys[2].encode()) >= {path.name}]
    assert [member.name for member in read_members(tar)] == [f"{key}.flow.npz" for key in keys[2::2]]


class Crash(BaseException):
    """The machine stops here."""


def crashing(monkeypatch, folder, after):
    """Every change of a name below the folder is counted, and the one after `after` of them is not made, nor any behind it."""
    left = [after]

    def stop_or(change):
        def changed(self, *arguments, **options):
            if folder in self.parents:
                if left[0] <= 0:
                    raise Crash
                left[0] -= 1
            return change(self, *arguments, **options)

        return changed

    for name in ("rename", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, stop_or(getattr(Path, name)))


@pytest.mark.parametrize("then", ["remove", "build"])
def test_a_crash_at_any_moment_loses_nothing_and_the_same_command_goes_on(
    out, tmp_path, small_root, build_here, monkeypatch, then
):
    keys = [several(out)[0]]
    before = samples(out)
    kept = {key: sample for key, sample in before.items() if key not in keys}
    crashes = 0
    for after in range(0, 1000, 1 if then == "remove" else 3):
        folder = tmp_path / f"{then}-{after}"
        shutil.copytree(out, folder)
        try:
            with monkeypatch.context() as patched:
                crashing(patched, folder, after)
                remove([folder], keys=keys)
        except Crash:
            crashes += 1
        else:
            break
        if then == "build":
            with monkeypatch.context() as patched:
                # Whoever lost a shard would have to cut it again here, and the sources may be gone for good.
                patched.setattr(sys.modules["vdata.builder.task"], "cut", None)
                build_here(small_root, folder)
            assert kept.items() <= samples(folder).items()
        remove([folder], keys=keys)
        assert samples(folder) == kept, after
        assert verify(folder).ok, after
        shutil.rmtree(folder)
    assert crashes > 5


def test_the_command_reads_keys_from_stdin(out):
    keys = several(out)[:1]
    command = [sys.executable, "-m", "vdata.cli", "remove", "--shards", str(out), "--keys", "-"]
    result = subprocess.run([*command, "--dry-run"], input=f"{keys[0]}\n", text=True, capture_output=True, check=False)
    assert "1 clips would go" in result.stdout
    assert keys[0] in samples(out)
    result = subprocess.run([*command, "--json"], input=f"\n{keys[0]}\n", text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)[0]["keys"] == keys
    assert keys[0] not in samples(out)
    result = subprocess.run([*command], input="none-00000\n", text=True, capture_output=True, check=False)
    assert (result.returncode, "unknown: none-00000" in result.stderr) == (2, True)


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_rows_without_pictures_go_like_any_other(bare_root, build_listed, tmp_path, form):
    folder = build_listed(*bare_root, tmp_path / "shards", ("text", "published"), format=form)
    remove([folder], keys=["document-1-00000", "features-2-00000"])
    keys = {sample.key for sample in open_shards(folder)}
    assert keys == {f"{video.video_id}-00000" for video in bare_root[1]} - {"document-1-00000", "features-2-00000"}
    assert verify(folder, decode=True).ok, verify(folder).damaged
