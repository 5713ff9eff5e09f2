import av
from av.video.frame import PictureType

from vdata import open_shards
from vdata.bench import Bench, loader_material
from vdata.bench.loader_material import make_material
from vdata.bench.sources import ORDINARY, SourceKind

SMALL = SourceKind(96, 64, 10, 2, "mp4", ("-c:v", "libx264", "-preset", "medium", "-crf", "30"))


def test_sources_become_clips_of_both_structures(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(loader_material, "BATCH_SIZE", 3)
    made = make_material(Bench(shards, tmp_path / "scratch", quick=True), "small", SMALL)
    assert len(made.sources) == 3
    with av.open(str(made.sources[0])) as container:
        types = [PictureType(frame.pict_type) for frame in container.decode(video=0)]
    assert len(types) == 20
    assert set(types) == {PictureType.I, PictureType.P, PictureType.B}
    rows = {layers: [sample.row for sample in open_shards(folder)] for layers, folder in made.shards.items()}
    assert {layers: {row["structure"] for row in found} for layers, found in rows.items()} == {1: {"ip"}, 3: {"ibbbp"}}
    for found in rows.values():
        assert {row["num_frames"] for row in found} == {20}
        assert {row["source"] for row in found} == {path.name for path in made.sources}


def test_sources_are_of_one_length_and_rate():
    assert {(kind.fps, kind.seconds) for kind in ORDINARY.values()} == {(25, 10)}
