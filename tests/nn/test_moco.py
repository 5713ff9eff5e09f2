"""Momentum contrast: what enters the loss, what the queue and the key encoder do, and the triplets."""

import pytest
import torch

from vdata.errors import ConfigError
from vdata.nn.backbones import make_backbone
from vdata.nn.contrast import queue_nce, unit
from vdata.nn.moco import Moco, MocoConfig, triplet


def rows(seed, b=4, d=8):
    return torch.randn(b, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def parts():
    backbone = make_backbone("r3d_small")
    torch.manual_seed(1)
    clips = torch.rand(3, 3, 4, 16, 16)
    return backbone, Moco(backbone, MocoConfig(dim=8, queue=10, temperature=0.2)), clips


def test_the_loss_is_that_of_head_keys_and_the_queue_before_it_moves(parts):
    backbone, moco, clips = parts
    before = moco.queue.rows.clone()
    moco.eval()
    features, hard = backbone.eval()(clips), backbone(clips.flip(2))
    found = moco.loss(features, clips.flip(3), hard)
    keys = moco.head(backbone(clips.flip(3))).detach()
    expected, nearest = queue_nce(moco.head(features), keys, before, 0.2, moco.head(hard))
    torch.testing.assert_close(found["loss"], expected)
    assert found["positive_nearest"] == nearest
    torch.testing.assert_close(moco.queue.rows[:3], unit(keys))
    assert torch.equal(moco.queue.rows[3:], before[3:])
    cos = torch.nn.functional.cosine_similarity
    behind = cos(moco.head(features), keys) > cos(moco.head(features), moco.head(hard))
    assert found["hard_behind"] == behind.float().mean()


def test_no_gradient_reaches_the_keys_and_every_other_weight_has_one(parts):
    backbone, moco, clips = parts
    moco.loss(backbone(clips), clips, backbone(clips.flip(2)))["loss"].backward()
    assert all(p.grad is None for p in moco.keys.parameters())
    for p in (*backbone.parameters(), *moco.head.parameters()):
        assert p.grad is not None


def test_the_key_encoder_follows_backbone_and_head(parts):
    backbone, moco, _ = parts
    before = {name: p.clone() for name, p in moco.keys.network.named_parameters()}
    with torch.no_grad():
        for p in (*backbone.parameters(), *moco.head.parameters()):
            p.add_(1)
    moco.follow(backbone)
    for name, p in moco.keys.network.named_parameters():
        torch.testing.assert_close(p, before[name] + 0.001, msg=name)


def test_the_backbone_is_not_kept_twice(parts):
    _, moco, _ = parts
    assert not any(name.startswith("backbone") for name in moco.state_dict())


def test_triplets_against_a_loop():
    q, p, n, margin = rows(1), rows(2), rows(3), 5.0

    def term(i, j):
        def far(a, b):
            return ((a - b + 1e-6) ** 2).sum().sqrt().item()

        return max(far(q[i], p[i]) - far(q[i], n[j]) + margin, 0)

    expected = sum(term(i, i) for i in range(4)) / 4 + sum(term(i, 3 - i) for i in range(4)) / 4
    assert triplet(q, p, n, margin).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("setting", [{"dim": 0}, {"queue": 0}, {"momentum": 1.5}, {"temperature": 0.0}])
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"moco.{next(iter(setting))}"):
        MocoConfig(**setting)
