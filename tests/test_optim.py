import itertools
import math

import pytest
import torch
from torch import nn

from vdata.errors import ConfigError
from vdata.optim import Lars, OptimConfig, clip_gradients, learning_rate, make_optimizer, parameter_groups


def rates(steps, config, batch_size=256):
    return [learning_rate(step, steps, config, batch_size) for step in range(steps)]


def test_warm_up_rises_in_a_line_to_the_peak_then_a_half_cosine_falls_to_zero():
    lr = rates(100, OptimConfig(lr=2.0, warmup=0.1))
    assert lr[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert lr[10] == 2.0
    assert lr[55] == pytest.approx(1.0)
    assert lr[99] == pytest.approx(1 - math.cos(math.pi / 90), rel=1e-6)
    assert max(lr) == 2.0
    assert all(a > b for a, b in itertools.pairwise(lr[10:]))


def test_without_warm_up_the_first_step_has_the_peak():
    assert learning_rate(0, 10, OptimConfig(lr=0.3, warmup=0.0), 32) == 0.3
    assert learning_rate(0, 1, OptimConfig(lr=0.3), 32) == 0.3


def test_steps_fall_at_their_shares():
    lr = rates(200, OptimConfig(lr=0.4, warmup=0.05, schedule="steps", drops=(0.6, 0.8), gamma=0.1))
    assert lr[:10] == pytest.approx([0.04 * (i + 1) for i in range(10)])
    assert lr[10:120] == [0.4] * 110
    assert lr[120:160] == pytest.approx([0.04] * 40)
    assert lr[160:] == pytest.approx([0.004] * 40)


def test_gradients_are_scaled_to_the_bound_together():
    model = nn.Linear(2, 1)
    for clip, expected in ((1.0, 1.0), (9.0, 5.0), (0.0, 5.0)):
        model.weight.grad, model.bias.grad = torch.tensor([[0.0, 3.0]]), torch.tensor([4.0])
        clip_gradients(model, OptimConfig(clip=clip))
        norm = torch.cat([model.weight.grad.flatten(), model.bias.grad]).norm().item()
        assert norm == pytest.approx(expected, rel=1e-4)
        assert model.weight.grad[0, 1] / model.bias.grad == pytest.approx(0.75)


def test_nesterov_is_torchs():
    (group, _) = make_optimizer(nn.Linear(2, 2), OptimConfig(nesterov=True)).param_groups
    assert group["nesterov"]
    assert group["momentum"] == 0.9


@pytest.mark.parametrize(("scaling", "factor"), [("none", 1), ("linear", 4096 / 256), ("sqrt", 64)])
def test_the_global_batch_scales_the_rate(scaling, factor):
    config = OptimConfig(lr=0.3, scaling=scaling, warmup=0.0)
    assert learning_rate(0, 10, config, 4096) == pytest.approx(0.3 * factor)


def test_norms_and_biases_do_not_decay():
    model = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.Linear(4, 2))
    weights, others = parameter_groups(model.parameters(), 0.1)
    assert [id(p) for p in weights["params"]] == [id(model[0].weight), id(model[2].weight)]
    assert {id(p) for p in others["params"]} == {id(p) for p in (model[0].bias, model[1].weight, model[1].bias, model[2].bias)}
    assert (weights["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_frozen_parameters_are_left_out():
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    assert [len(group["params"]) for group in parameter_groups(model.parameters(), 0.1)] == [0, 1]


@pytest.mark.parametrize("name", ["sgd", "adamw", "lars"])
def test_decay_reaches_weights_alone(name):
    model = nn.Linear(3, 2)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = make_optimizer(model, OptimConfig(name=name, lr=0.1, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert model.weight.norm() < before[0].norm()
    assert torch.equal(model.bias, before[1])


def test_lars_against_the_formula():
    lr, momentum, decay, trust = 0.7, 0.9, 0.01, 0.02
    start = torch.linspace(-1, 2, 12, dtype=torch.float64).view(4, 3)
    weight, bias = nn.Parameter(start.clone()), nn.Parameter(torch.ones(3, dtype=torch.float64))
    groups = [{"params": [weight], "weight_decay": decay}, {"params": [bias], "weight_decay": 0.0, "trust": None}]
    optimizer = Lars(groups, lr=lr, momentum=momentum, trust=trust)
    w, b = start.flatten().tolist(), [1.0] * 3
    v, u = [0.0] * 12, [0.0] * 3
    for step in range(3):
        weight.grad = torch.cos(start + step)
        bias.grad = torch.full((3,), 0.1 * (step + 1), dtype=torch.float64)
        optimizer.step()
        g = [gi + decay * wi for gi, wi in zip(torch.cos(start + step).flatten().tolist(), w, strict=True)]
        ratio = trust * math.sqrt(sum(x * x for x in w)) / math.sqrt(sum(x * x for x in g))
        v = [momentum * vi + lr * ratio * gi for vi, gi in zip(v, g, strict=True)]
        w = [wi - vi for wi, vi in zip(w, v, strict=True)]
        u = [momentum * ui + lr * 0.1 * (step + 1) for ui in u]
        b = [bi - ui for bi, ui in zip(b, u, strict=True)]
    assert weight.flatten().tolist() == pytest.approx(w, rel=1e-12)
    assert bias.tolist() == pytest.approx(b, rel=1e-12)


def test_lars_moves_a_zero_weight_and_survives_a_zero_gradient():
    weight = nn.Parameter(torch.zeros(2, 2))
    still = nn.Parameter(torch.ones(2, 2))
    optimizer = Lars([{"params": [weight, still]}], lr=0.5)
    weight.grad, still.grad = torch.ones(2, 2), torch.zeros(2, 2)
    optimizer.step()
    assert torch.equal(weight.detach(), torch.full((2, 2), -0.5))
    assert torch.equal(still.detach(), torch.ones(2, 2))


@pytest.mark.parametrize(
    "setting", [{"lr": 0.0}, {"momentum": 1.0}, {"betas": (0.9, 1.0)}, {"weight_decay": -1.0}, {"trust": 0.0}, {"warmup": 1.0}]
)
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"optim.{next(iter(setting))}"):
        OptimConfig(**setting)
