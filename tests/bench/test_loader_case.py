import pytest

from vdata.bench import Bench, Skip, Variant, loader_case
from vdata.bench.loader_case import loader_variants
from vdata.bench.loader_material import Material, Sampling
from vdata.bench.run import _load, case_files
from vdata.bench.timing import measure

SAMPLING = Sampling(4, 2, 32)


@pytest.fixture
def bench(shards, tmp_path):
    return Bench(shards, tmp_path / "scratch", quick=True, peers=True)


@pytest.fixture
def material(shards):
    return Material((), {1: shards, 3: shards})


def test_the_loader_is_held_against_its_limit_and_every_peer(bench, material, monkeypatch):
    peers = [Variant("p TorchCodec, sources", lambda: 1.0), Skip("p decord", "not here")]
    monkeypatch.setattr(loader_case, "loader_peers", lambda *_: peers)
    offered = loader_variants(bench, material, SAMPLING, "p ")
    ours = [one for one in offered if one.name.startswith("p ClipIterator")]
    assert [one.name.removeprefix("p ClipIterator, ") for one in ours] == ["layers 1", "layers 3", "layers 3, stride"]
    assert [one.base for one in ours] == [
        (f"p decode, {words}", "p TorchCodec, sources") for words in ("layers 1", "layers 3", "layers 3, stride")
    ]
    names = {one.name for one in offered if isinstance(one, Variant)}
    assert {base for one in offered if isinstance(one, Variant) for base in one.base} <= names
    assert [one for one in offered if isinstance(one, Skip)] == [peers[1]]


def test_without_peers_limits_and_loader_run(bench, material, monkeypatch):
    monkeypatch.setattr("vdata.bench.loader_ours.BATCH_SIZE", 2)
    offered = loader_variants(Bench(bench.shards, bench.scratch, quick=True), material, SAMPLING, "")
    variants = [one for one in offered if isinstance(one, Variant) and "layers 3, stride" in one.name]
    limit, rgb, ours = measure("load", "clips/s", variants, 1, warm_up=False)
    assert limit.ratio_to == {}
    assert set(rgb.ratio_to) == {"decode, layers 3, stride"} == set(ours.ratio_to)
    assert ours.cpu_seconds > 0


def test_cases_take_all_sizes_and_strides_with_peers_alone(bench, monkeypatch):
    asked = []
    for case in ("load", "load_strides"):
        module = _load(case_files()[case])
        monkeypatch.setattr(module, "make_material", lambda bench, name, kind: name)
        monkeypatch.setattr(
            module, "loader_variants", lambda bench, material, sampling, prefix: asked.append((prefix, material)) or []
        )
        for peers in (False, True):
            module.variants(Bench(bench.shards, bench.scratch, peers=peers))
    assert asked[:4] == [("256p ", "256p"), ("720p ", "720p"), ("480p ", "480p"), ("256p ", "256p")]
    assert asked[4:7] == [(f"stride {stride} ", "480p") for stride in (1, 2, 8)]


def test_a_rough_figure_is_of_the_given_clips_that_hold_a_window(make_shards, tmp_path, monkeypatch):
    """Among them are some that do not."""
    shards = make_shards(30, 5, 30, 6)
    case = _load(case_files()["load"])
    monkeypatch.setattr(case, "make_material", lambda *_: "made")
    monkeypatch.setattr("vdata.bench.loader_ours.BATCH_SIZE", 2)
    monkeypatch.setattr(case, "SAMPLING", SAMPLING)
    offered = case.variants(Bench(shards, tmp_path, quick=True))
    names = ["decode, layers 1", "decode, RGB, layers 1", "ClipIterator, layers 1"]
    variants = [one for one in offered if isinstance(one, Variant)]
    assert [one.name for one in variants] == names
    figures = measure("load", "clips/s", variants, 1, warm_up=False)
    assert all(figure.value > 0 for figure in figures)
    monkeypatch.setattr(case, "SAMPLING", Sampling(16, 4, 32))
    monkeypatch.setattr(case, "loader_variants", lambda bench, material, *_: [material])
    assert case.variants(Bench(shards, tmp_path, quick=True)) == ["made"]
