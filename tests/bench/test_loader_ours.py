import dataclasses

import numpy as np
import pytest

from vdata import open_shards
from vdata.bench import loader_ours
from vdata.bench.loader_material import Sampling
from vdata.bench.loader_ours import Counts, Limit, Ours, check_frames, view_of
from vdata.media.structure import structure_named

SAMPLING = Sampling(4, 3, 32)


def packets_of(types, gop, first, wanted):
    """The pictures of one GOP that these frames need: themselves, and the references up to the last that one of them needs."""
    types, places = types[first : first + gop], {frame - first for frame in wanted if 0 <= frame - first < gop}
    references = [place for place, kind in enumerate(types) if kind != "B"]
    last = max((min(place for place in references if place >= wanted_place) for wanted_place in places), default=-1)
    return places.union(place for place in references if place <= last)


def mean_packets(shards, phase):
    """Packets of a window over all clips and starts, by the structure."""
    counts = []
    for sample in open_shards(shards):
        row = sample.row
        starts = range(0, row["num_frames"] - 9, 3 if phase == "stride" else 1)
        for start in starts:
            wanted = [start + 3 * step for step in range(4)]
            types = structure_named(row["structure"]).types(row["num_frames"], row["gop"])
            gops = range(0, row["num_frames"], row["gop"])
            counts.append(sum(len(packets_of(types, row["gop"], first, wanted)) for first in gops))
    return np.mean(counts)


@pytest.mark.parametrize("phase", ["any", "stride"])
def test_limit_and_loader_decode_the_packets_that_the_windows_need(shards, phase, monkeypatch):
    monkeypatch.setattr(loader_ours, "BATCH_SIZE", 2)
    ours = Ours(shards, view_of(SAMPLING, phase), batch_size=2)
    ours.prepare()
    for timed in (ours.run(0.3), Limit(shards, view_of(SAMPLING, phase), rgb=True).run(0.3)):
        assert timed.work >= 20
        assert timed.seconds >= 0.3
        assert timed.cpu_seconds > 0
        assert timed.detail["packets a clip"] == pytest.approx(mean_packets(shards, phase), rel=0.15)
        assert 1 < timed.detail["kB a clip"] < 1000


def test_counts_are_told_a_clip():
    timed = Counts(3.0, 10_000, 50).since(Counts(1.0, 2_000, 10)).timed(4, 8.0)
    assert timed.detail == {"CPU ms a clip": 500.0, "kB a clip": 2.0, "packets a clip": 10.0}
    assert (timed.work, timed.seconds, timed.cpu_seconds) == (4, 8.0, 2.0)


def test_frames_that_are_not_a_plain_decoders_stop_the_case(shards, monkeypatch):
    check_frames(shards, SAMPLING)
    monkeypatch.setattr("vdata.shards.read.Sample.frames", lambda *_: np.zeros(1))
    with pytest.raises(ValueError, match="differ from a plain decoder's"):
        check_frames(shards, SAMPLING)


def test_the_view_is_the_peers_own():
    view = view_of(Sampling(16, 4, 112), "stride")
    assert (view.frames, view.stride, view.size, view.phase) == (16, 4, 112, "stride")
    assert dataclasses.asdict(view.augment) | {"jitter": 0.0, "gray": 0.0, "blur": 0.0} == dataclasses.asdict(view.augment)
