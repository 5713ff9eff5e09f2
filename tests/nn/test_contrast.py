"""Contrastive losses against slow loops in float64."""

import math

import pytest
import torch
from torch.nn import functional

from vdata.nn.contrast import cosines, nt_xent, queue_nce, unit


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


def slow_queue_loss(queries, keys, queue, t, hard=None):
    """Equation 1 of arXiv 1911.05722, term by term, with one more negative for each query."""

    def cos(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    losses = []
    for i, (query, key) in enumerate(zip(queries, keys, strict=True)):
        scores = [cos(query, key)] + [cos(query, row) for row in queue] + ([cos(query, hard[i])] if hard is not None else [])
        losses.append(-math.log(math.exp(scores[0] / t) / sum(math.exp(score / t) for score in scores)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("hard", [None, rows(7)])
def test_the_queue_loss_against_the_formula(hard):
    queries, keys, queue = rows(4), rows(5), rows(6, b=11)
    found = queue_nce(queries, keys, queue, 0.07, hard)[0].item()
    assert found == pytest.approx(slow_queue_loss(queries, keys, queue, 0.07, hard), rel=1e-10)


def test_the_gradient_flows_through_query_and_hard_negative_alone():
    """A missing stop-gradient on keys or queue is seen here."""
    queries, keys, queue, hard = (rows(n).requires_grad_() for n in range(4, 8))
    queue_nce(queries, keys, queue, 0.1, hard)[0].backward()
    assert keys.grad is None
    assert queue.grad is None
    assert queries.grad.abs().sum() > 0
    assert hard.grad.abs().sum() > 0


def test_the_nearest_is_counted():
    keys, queue = torch.eye(3, 4), torch.eye(4)[3:]
    assert queue_nce(keys, keys, queue, 0.1)[1] == 1
    assert queue_nce(queue.expand(3, 4), keys, queue, 0.1)[1] == 0
    assert queue_nce(keys, keys, queue, 0.1, hard=2 * keys + queue)[1] == 1


def test_half_precision_is_left():
    assert unit(torch.ones(2, 3, dtype=torch.bfloat16)).dtype == torch.float32
    assert unit(rows(1)).dtype == torch.float64
    a, b = rows(1), rows(2, b=3)
    torch.testing.assert_close(cosines(a, b), functional.cosine_similarity(a[:, None], b[None], dim=2))
