"""What a batch holds beside its views, and what happens to clips that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines import ClipIterator, LoaderConfig
from pipelines.clips import open_clips
from vdata.errors import ConfigError, CorruptShardError
from vdata.views import Augment, Clip

RAW = (Clip("raw", frames=3, stride=4, size=None),)


@pytest.fixture
def broken(clips, make_folder):
    """Ten clips, of which numbers 2 and 7 have lost the headers of all fragments."""
    folder = make_folder(clips[:10])
    index = open_clips(folder)
    for clip in (2, 7):
        with index.mp4_path(clip).open("r+b") as tar:
            for fragment in clips[clip].fragments:
                tar.seek(int(index.mp4_offset[clip]) + fragment.offset)
                tar.write(bytes(64))
    return folder


def epochs(folder, count: int = 1, **settings) -> tuple[list[dict], int]:
    with ClipIterator(folder, views=RAW, **({"batch_size": 5} | settings)) as it:
        return [batch for _ in range(count) for batch in it], it.num_skipped


def test_idx_label_and_meta_belong_to_the_pixels(folder, pixels):
    views = (*RAW, Clip("small", frames=4, stride=2, size=32, augment=Augment(), start="cvrl_gap:raw"))
    with ClipIterator(folder, views=views, batch_size=7, seed=4) as it:
        for batch in it:
            assert batch["idx"].dtype == batch["label"].dtype == torch.int64
            assert torch.equal(batch["label"], (batch["idx"] - 100) % 3)
            meta = batch["meta"]["raw"]
            for row, number in enumerate(batch["idx"].tolist()):
                assert np.array_equal(batch["raw"][row], pixels[number - 100][meta["frames"][row]])
            assert torch.equal(meta["seconds"], meta["frames"].double() / 25)
            assert torch.equal(meta["crop"], torch.tensor([[0.0, 0.0, 96.0, 64.0]] * 7))
            small = batch["meta"]["small"]
            assert small["frames"].shape == (7, 4)
            assert small["flip"].dtype == torch.bool
            assert (small["crop"][:, 2:] > small["crop"][:, :2]).all()


def test_every_view_and_sample_draws_for_itself(folder):
    views = tuple(Clip(name, frames=4, stride=2, size=32, augment=Augment()) for name in "ab")
    with ClipIterator(folder, views=views, batch_size=7) as it:
        crops = torch.cat([batch["meta"][name]["crop"] for batch in it for name in "ab"])
    assert len(torch.unique(crops, dim=0)) == len(crops) == 28


def test_meta_says_what_the_graph_did(folder, pixels):
    """With only flip and crop, the view is found again in the frames at the box that meta names."""
    view = Clip("v", frames=2, stride=4, size=32, augment=Augment(jitter=0, gray=0, blur=0, area=(1.0, 1.0), aspect=(1.5, 1.5)))
    with ClipIterator(folder, views=(view,), batch_size=14, seed=1) as it:
        batch = next(iter(it))
    assert set(batch["meta"]["v"]["flip"].tolist()) == {True, False}
    for row, number in enumerate(batch["idx"].tolist()):
        frames = pixels[number - 100][batch["meta"]["v"]["frames"][row]] / 255
        if batch["meta"]["v"]["flip"][row]:
            frames = frames[:, :, ::-1]
        # The whole picture, 96x64, was scaled to 32x32: means over blocks of 3x2 come close, at the right place only.
        blocks = frames.reshape(2, 32, 2, 32, 3, 3).mean(axis=(2, 4))
        found = batch["v"][row].permute(1, 2, 3, 0).numpy()
        assert np.corrcoef(found.ravel(), blocks.ravel())[0, 1] > 0.99


def test_a_broken_clip_is_named_and_the_process_goes_on(broken):
    with ClipIterator(broken, views=RAW, batch_size=5) as it:
        for _ in range(2):
            with pytest.raises(CorruptShardError, match=r"clips-00000[01]\.tar', key '"):
                list(it)
        it.set_epoch(3)
        with pytest.raises(CorruptShardError):
            list(it)
    good = np.delete(np.arange(10), [2, 7])
    where = np.isin(np.arange(10), good)
    batches, skipped = epochs(broken, batch_size=4, where=where)
    assert len(batches) == 2
    assert skipped == 0


def test_skip_puts_another_clip_in_the_place_and_counts_it(broken, pixels):
    batches, skipped = epochs(broken, 3, on_error="skip")
    assert skipped == 3 * 2
    for batch in batches:
        assert len(batch["idx"]) == 5
        assert not {102, 107} & set(batch["idx"].tolist())
        for row, number in enumerate(batch["idx"].tolist()):
            assert np.array_equal(batch["raw"][row], pixels[number - 100][batch["meta"]["raw"]["frames"][row]])


def test_skip_changes_no_other_sample_and_is_the_same_for_any_number_of_ranks(broken, clips, make_folder):
    whole, _ = epochs(make_folder(clips[:10]), 2)
    once, _ = epochs(broken, 2, on_error="skip", batch_size=5)
    for one, other in zip(once, whole, strict=True):
        for row, number in enumerate(other["idx"].tolist()):
            if number not in (102, 107):
                assert one["idx"][row] == number
                assert torch.equal(one["raw"][row], other["raw"][row])
    ranks = [epochs(broken, 2, on_error="skip", batch_size=1, rank=rank, world_size=5)[0] for rank in range(5)]
    for number, batch in enumerate(once):
        assert torch.equal(torch.cat([rank[number]["raw"] for rank in ranks]), batch["raw"])


def test_when_every_clip_is_broken_skip_gives_up(clips, make_folder):
    folder = make_folder(clips[:2])
    (folder / "clips-000000.tar").write_bytes(b"")
    with ClipIterator(folder, views=RAW, batch_size=2, on_error="skip") as it, pytest.raises(CorruptShardError, match="in a row"):
        list(it)


@pytest.mark.parametrize("config", [LoaderConfig(1, 1, 0), LoaderConfig(3, 2, 5)])
def test_threads_and_depth_change_no_batch(folder, config):
    view = Clip("v", frames=4, stride=2, size=32, augment=Augment())
    found = []
    for settings in (None, config):
        with ClipIterator(folder, views=(view,), batch_size=4, config=settings) as it:
            found.append([batch["v"] for _ in range(2) for batch in it])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_negative_count_is_refused():
    with pytest.raises(ConfigError, match=r"loader\.decode_threads \(-1\)"):
        LoaderConfig(decode_threads=-1)
