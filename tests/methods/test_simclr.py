import math

import pytest
import torch
from torch.nn import functional

from vdata.errors import ConfigError
from vdata.methods import METHODS
from vdata.methods.simclr import SimClr, SimClrConfig, nt_xent, projection_head
from vdata.nn.backbones import make_backbone


def slow_loss(z0, z1, t):
    """Equation 1 of arXiv 2002.05709, term by term in float64: mean over view 0 + mean over view 1."""
    z = [[float(value) for value in row] for row in torch.cat([z0, z1])]
    n, b = len(z), len(z0)

    def s(i, k):
        dot = sum(x * y for x, y in zip(z[i], z[k], strict=True))
        return dot / math.sqrt(sum(x * x for x in z[i]) * sum(y * y for y in z[k]))

    losses = []
    for i in range(n):
        total = sum(math.exp(s(i, k) / t) for k in range(n) if k != i)
        losses.append(-math.log(math.exp(s(i, (i + b) % n) / t) / total))
    return sum(losses[:b]) / b + sum(losses[b:]) / b


def rows(seed, b=5, d=7):
    return torch.randn(b, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_against_the_formula(temperature):
    z0, z1 = rows(1), rows(2)
    assert nt_xent(z0, z1, temperature)[0].item() == pytest.approx(slow_loss(z0, z1, temperature), rel=1e-10)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_identical_orthonormal_views_have_the_known_loss(temperature):
    z, b = torch.eye(6, dtype=torch.float64), 6
    loss, nearest = nt_xent(z, z, temperature)
    assert loss.item() == pytest.approx(2 * math.log(1 + (2 * b - 2) * math.exp(-1 / temperature)), rel=1e-10)
    assert nearest == 1


def test_collapsed_vectors_have_the_known_loss():
    z, b = torch.ones(6, 4, dtype=torch.float64), 6
    assert nt_xent(z, z, 0.1)[0].item() == pytest.approx(2 * math.log(2 * b - 1), rel=1e-10)


def test_symmetric_in_the_views_and_blind_to_length():
    z0, z1 = rows(1), rows(2)
    loss = nt_xent(z0, z1, 0.1)[0]
    torch.testing.assert_close(nt_xent(z1, z0, 0.1)[0], loss)
    torch.testing.assert_close(nt_xent(3 * z0, z1 * torch.rand(5, 1, dtype=torch.float64).add(0.1), 0.1)[0], loss)


def test_the_positive_is_the_same_row_of_the_other_view():
    z = rows(3, b=6, d=32)
    assert nt_xent(z, z, 0.1)[1] == 1
    assert nt_xent(z, z.roll(1, dims=0), 0.1)[1] == 0
    assert nt_xent(z, z, 0.1)[0] < nt_xent(z, z.roll(1, dims=0), 0.1)[0]


def test_gradients_are_right():
    z0, z1 = rows(1, b=3, d=4).requires_grad_(), rows(2, b=3, d=4).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.3)[0], (z0, z1))


@pytest.mark.parametrize("amp", [False, True])
def test_the_gradient_reaches_the_backbone(amp):
    # Seeded: unseeded it failed once, in bfloat16, and in none of 2,500 draws that were looked at afterwards.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        method = SimClr(make_backbone("r3d_small"), SimClrConfig())
        batch = {name: torch.rand(3, 3, 4, 24, 24) for name in ("v0", "v1")}
    with torch.autocast("cpu", torch.bfloat16, enabled=amp):
        parts = method.loss(batch)
    assert parts["loss"].dtype == torch.float32
    parts["loss"].backward()
    sizes = {name: 0.0 if value.grad is None else value.grad.abs().sum().item() for name, value in method.named_parameters()}
    assert {name: size for name, size in sizes.items() if not 0 < size < math.inf} == {}


def test_the_loss_is_of_both_views_through_one_network():
    method = SimClr(make_backbone("r3d_small"), SimClrConfig(temperature=0.3))
    batch = {name: torch.rand(3, 3, 4, 24, 24) for name in ("v0", "v1")}
    z = functional.normalize(method.head(method.backbone(torch.cat([batch["v0"], batch["v1"]]))), dim=1).detach()
    assert method.loss(batch)["loss"].item() == pytest.approx(slow_loss(z[:3], z[3:], 0.3), rel=1e-4)


def test_head_is_that_of_the_second_version():
    head = projection_head(10, 3, 4)
    names = [type(layer).__name__ for layer in head]
    assert names == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d"]
    assert head[-1].bias is None
    assert all(layer.bias is None for layer in head if isinstance(layer, torch.nn.Linear))
    assert head(torch.rand(5, 10)).shape == (5, 4)
    assert len(projection_head(10, 1, 4)) == 2


def test_views():
    config = SimClrConfig(frames=8, stride=3, size=48)
    v0, v1 = METHODS["simclr"].views(config)
    assert (v0.name, v0.start, v1.name, v1.start) == ("v0", "uniform", "v1", "cvrl_gap:v0")
    for view in (v0, v1):
        assert (view.frames, view.stride, view.size, view.augment) == (8, 3, 48, config.augment)
        # SimCLR keeps pixels in [0, 1].
        assert view.mean == (0, 0, 0)
        assert view.std == (1, 1, 1)
    assert [view.start for view in SimClr.views(SimClrConfig(pair="uniform"))] == ["uniform", "uniform"]


@pytest.mark.parametrize("setting", [{"temperature": 0.0}, {"head_layers": 0}, {"head_dim": 0}])
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"simclr.{next(iter(setting))}"):
        SimClrConfig(**setting)
