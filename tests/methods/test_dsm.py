"""DSM: warps that keep time, orders that break it, the views, the gradient."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from vdata.errors import ConfigError
from vdata.methods.dsm import Dsm, DsmConfig, bent, broken_order, pushed, radial_push, stretched
from vdata.nn.backbones import make_backbone
from vdata.nn.moco import MocoConfig
from vdata.views import Augment, check_views

SMALL = MocoConfig(dim=8, queue=16)
STRAIGHT = Augment()


def still(b=2, t=4, size=56):
    return torch.rand(b, 3, 1, size, size, generator=torch.Generator().manual_seed(3)).expand(-1, -1, t, -1, -1)


@pytest.mark.parametrize("warp", [lambda x: bent(x, 0.1), radial_push])
def test_a_still_clip_stays_still_but_bends(warp):
    torch.manual_seed(0)
    warped = warp(still())
    assert warped.diff(dim=2).abs().max() == 0
    assert (warped - still()).abs().max() > 0.05


def test_a_push_against_the_release_written_as_loops():
    x = torch.rand(1, 1, 1, 40, 50, dtype=torch.float64)
    point, shift = (17, 21), (4.5, 6.0)
    plane, expected = x[0, 0, 0].numpy(), x[0, 0, 0].numpy().copy()
    for r, c in itertools.product(range(40), range(50)):
        if abs(r - 17) > 13.5 or abs(c - 21) > 18 or r == 17 + 13.5 or c == 21 + 18:
            continue
        d = math.dist((r, c), (point[0] + shift[0], point[1] + shift[1]))
        h = 0.5 / (3 * (d / math.hypot(*shift)) ** 4 + 1)
        rr, cc = r + math.trunc(-h * shift[0]), c + math.trunc(-h * shift[1])
        expected[r, c] = plane[min(max(rr, 0), 39), min(max(cc, 0), 49)]
    found = pushed(x, point, shift)[0, 0, 0].numpy()
    np.testing.assert_array_equal(found, expected)
    assert (found != plane).any()


def slow_order(frames, pairs, swaps):
    """Insertions, then swaps, on a list of frame numbers."""
    order = list(range(frames))
    for place, source in pairs:
        taken = order[source]
        order = [*order[:place], taken, *order[place:]][:frames]
    for a, b in swaps:
        order = [order[b] if i == a else order[a] if i == b else frame for i, frame in enumerate(order)]
    return order


def test_the_broken_order_against_a_list():
    for frames, share, seed in ((16, 0.1, 0), (32, 0.1, 1), (7, 0.5, 2)):
        count = 2 * max(1, int(share * frames))
        torch.manual_seed(seed)
        found = broken_order(frames, share).tolist()
        torch.manual_seed(seed)
        pairs = torch.randint(frames, (count, 2)).tolist()
        swaps = [torch.randperm(frames)[:2].tolist() for _ in range(count)]
        assert found == slow_order(frames, pairs, swaps)
        assert len(found) == frames


def test_swaps_alone_keep_every_frame(monkeypatch):
    """An insertion of a place into itself drops the tail and repeats the place; swaps change no multiset."""
    monkeypatch.setattr(torch, "randint", lambda high, size: torch.full(size, high - 1))
    found = Counter(broken_order(16, 0.1).tolist())
    assert found == Counter([*range(15), 15])


def test_one_frame_stays():
    assert broken_order(1, 0.1).tolist() == [0]


def test_motion_is_stretched_along_itself():
    """A bar that moved 2 right, on by twice that: it stands 4 farther, where the flow is that of its neighbourhood."""
    x = torch.zeros(1, 1, 2, 9, 21)
    x[..., 8] = 1.0
    flow = torch.zeros(1, 2, 2, 9, 21)
    flow[:, 0] = 2.0
    moved = stretched(x, flow, torch.tensor([2.0]))
    expected = torch.zeros_like(x)
    expected[..., 12] = 1.0
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(stretched(x, flow, torch.zeros(1)), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("neg", "contrast"), [("other_time", "moco"), ("eda", "moco"), ("flow", "moco"), ("eda", "triplet")])
@pytest.mark.parametrize("warp", ["radial", "spline"])
def test_the_gradient_reaches_the_backbone(neg, contrast, warp):
    torch.manual_seed(0)
    method = Dsm(make_backbone("r3d_small"), DsmConfig(neg=neg, contrast=contrast, warp=warp, augment=STRAIGHT, moco=SMALL))
    batch = {name: torch.rand(3, 3, 4, 24, 24) for name in ("anchor", "positive", "negative")}
    batch["flow"] = torch.randn(3, 1, 2, 4, 24, 24)
    found = method.loss(batch)
    found["loss"].backward()
    assert found["loss"].isfinite()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.backbone.parameters())


@pytest.mark.parametrize("warped", ["anchor", "positive"])
def test_the_chosen_view_is_bent_and_the_other_is_not(warped, monkeypatch):
    seen = {}
    method = Dsm(make_backbone("r3d_small"), DsmConfig(warped=warped, moco=SMALL)).eval()
    monkeypatch.setattr("vdata.methods.dsm.bent", lambda x, jitter: seen.setdefault("bent", x) + 0)
    batch = {name: torch.rand(2, 3, 4, 16, 16) for name in ("anchor", "positive", "negative")}
    method.loss(batch)
    assert torch.equal(seen["bent"], batch[warped])


def test_views():
    names = {}
    for neg in ("other_time", "eda", "flow"):
        views = Dsm.views(DsmConfig(neg=neg, augment=STRAIGHT))
        check_views(views)
        names[neg] = [view.name for view in views]
    assert names == {
        "other_time": ["anchor", "positive", "negative"],
        "eda": ["anchor", "positive"],
        "flow": ["anchor", "positive", "flow"],
    }


def test_motion_takes_no_turned_pictures():
    with pytest.raises(ConfigError, match=r"dsm\.augment\.rotate"):
        DsmConfig(neg="flow")


@pytest.mark.parametrize("setting", [{"jitter": -0.1}, {"broken": 0.0}, {"margin": 0.0}, {"min_gap_seconds": -1.0}])
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"dsm.{next(iter(setting))}"):
        DsmConfig(**setting)
