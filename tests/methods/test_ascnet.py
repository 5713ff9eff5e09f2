"""ASCNet: the consistency's values, the retrieval against a loop, what the pool keeps, the gradient."""

import math

import pytest
import torch

from vdata.errors import ConfigError
from vdata.methods.ascnet import AscNet, AscNetConfig, consistency, retrieve
from vdata.nn.backbones import make_backbone
from vdata.nn.contrast import unit
from vdata.views import check_views

SMALL = {"hidden": 16, "dim": 8, "frames": 4, "size": 24}


def method(**settings):
    torch.manual_seed(0)
    return AscNet(make_backbone("r3d_small"), AscNetConfig(**(SMALL | settings)))


def batch(videos=(1, 2, 3, 4), speeds=(1, 2, 1, 2)):
    torch.manual_seed(1)
    count, first = len(videos), torch.tensor(speeds)
    clips = {name: torch.rand(count, 3, 4, 24, 24) for name in ("c0", "c1")}
    meta = {"c0": {"speed": first}, "c1": {"speed": 3 - first}}
    return {**clips, "video": torch.tensor(videos), "meta": meta}


def test_the_consistency_of_the_same_of_a_right_angle_and_of_the_opposite():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    y = torch.tensor([[3.0, 0.0], [0.0, 0.5], [-2.0, 0.0]])
    torch.testing.assert_close(consistency(x, y), torch.tensor([0.0, 2.0, 4.0]))


def test_no_gradient_flows_into_the_goal():
    x, y = torch.rand(3, 4, requires_grad=True), torch.rand(3, 4, requires_grad=True)
    consistency(x, y).sum().backward()
    assert y.grad is None
    assert x.grad.abs().sum() > 0


def slow_retrieve(seen, known, pool, pool_known):
    places = []
    for row, (speed, video) in zip(seen.tolist(), known.tolist(), strict=True):
        best, place = -math.inf, -1
        for number, (other, (speed_there, video_there)) in enumerate(zip(pool.tolist(), pool_known.tolist(), strict=True)):
            alike = sum(a * b for a, b in zip(row, other, strict=True))
            if speed == speed_there and video != video_there and alike > best:
                best, place = alike, number
        places.append(place)
    return places


def test_the_retrieval_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    seen, pool = (unit(torch.randn(count, 6, generator=generator)) for count in (20, 50))
    known, there = (torch.randint(1, 4, (count, 2), generator=generator) for count in (20, 50))
    there[::7] = -1
    assert retrieve(seen, known, pool, there).tolist() == slow_retrieve(seen, known, pool, there)


def test_a_clip_never_meets_its_own_video_nor_another_speed():
    """Its own second clip is the most alike of all, and would make the second task the first."""
    seen = unit(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    known = torch.tensor([[1, 7], [1, 7], [1, 8]])
    assert retrieve(seen, known, seen, known).tolist() == [2, 2, 1]
    assert retrieve(seen, torch.tensor([[2, 7], [1, 7], [1, 7]]), seen, known).tolist() == [-1, 2, 2]


@pytest.mark.parametrize("target", ["stopgrad", "ema"])
@pytest.mark.parametrize("pool", [0, 6])
def test_the_gradient_reaches_the_backbone(target, pool):
    net = method(target=target, pool=pool)
    parts = net.loss(batch())
    parts["loss"].backward()
    assert parts["loss"].isfinite()
    trained = [p for name, p in net.named_parameters() if not name.startswith("goals")]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    assert all(p.grad.abs().sum() > 0 for p in net.backbone.parameters())
    assert net.goals is None or all(p.grad is None for p in net.goals.parameters())


def test_the_loss_is_the_sum_of_both_tasks():
    net, given = method(speed_weight=0.5).eval(), batch()
    parts = net.loss(given)
    clips = torch.cat([given["c0"], given["c1"]])
    features = net.backbone(clips)
    seen, speed = (unit(net.heads[name](features)) for name in ("appearance", "speed"))
    asked = {name: net.predictors[name](net.heads[name](features)) for name in ("appearance", "speed")}
    appearance = consistency(asked["appearance"], torch.cat([seen[4:], seen[:4]])).mean()
    known = torch.tensor([[1, 1], [2, 2], [1, 3], [2, 4], [2, 1], [1, 2], [2, 3], [1, 4]])
    places = slow_retrieve(seen, known, seen, known)
    like = consistency(asked["speed"], speed[places]).mean()
    torch.testing.assert_close(parts["loss"], appearance + 0.5 * like)
    torch.testing.assert_close(parts["appearance"], appearance)
    assert parts["retrieved"] == 1


def test_a_batch_of_one_video_has_nothing_to_retrieve():
    parts = method().loss(batch(videos=(5, 5, 5, 5)))
    assert parts["retrieved"] == 0
    assert parts["speed"] == 0
    assert parts["loss"].isfinite()


def test_the_pool_keeps_the_last_clips_with_their_speed_and_video():
    net = method(pool=10)
    net.loss(batch(videos=(1, 2, 3, 4)))
    assert net.pool_known[:8].tolist() == [[1, 1], [2, 2], [1, 3], [2, 4], [2, 1], [1, 2], [2, 3], [1, 4]]
    assert (net.pool_known[8:] == -1).all()
    net.loss(batch(videos=(5, 6, 7, 8)))
    assert net.pool_known[8:].tolist() == [[1, 5], [2, 6]]
    assert net.pool_known[:6].tolist() == [[1, 7], [2, 8], [2, 5], [1, 6], [2, 7], [1, 8]]
    torch.testing.assert_close(net.pool_seen.norm(dim=1), torch.ones(10))
    alone = method(pool=10)
    alone.loss(batch(videos=(1, 2, 3, 4)))
    # One video, whose like is in the pool alone.
    assert alone.loss(batch(videos=(9, 9, 9, 9)))["retrieved"] == 1


def test_the_goals_follow_by_a_momentum_that_rises():
    net = method(target="ema", momentum=0.9)
    with torch.no_grad():
        for p in net.backbone.parameters():
            p.add_(1.0)
    before = [p.clone() for p in net.goals.network.backbone.parameters()]
    net.after_step(0, 100)
    for old, now in zip(before, net.goals.network.backbone.parameters(), strict=True):
        torch.testing.assert_close(now, old + 0.1)
    net.after_step(100, 100)
    for old, now in zip(before, net.goals.network.backbone.parameters(), strict=True):
        torch.testing.assert_close(now, old + 0.1)


def test_views_begin_together_and_differ_in_speed():
    views = AscNet.views(AscNetConfig())
    check_views(views)
    assert [view.name for view in views] == ["c0", "c1", "video"]
    assert (views[1].start, views[1].speed_unlike, views[0].speeds, views[0].pad) == ("same:c0", "c0", (1, 2), "loop")


@pytest.mark.parametrize("setting", [{"speeds": (1,)}, {"momentum": 2.0}, {"dim": 0}, {"speed_weight": -1.0}, {"pool": -1}])
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"ascnet.{next(iter(setting))}"):
        AscNetConfig(**setting)
