"""Background erasing: the operation's identities, the views, the gradient."""

import pytest
import torch

from vdata.errors import ConfigError
from vdata.methods.background_erasing import BackgroundErasing, BackgroundErasingConfig, erase_background, static_frames
from vdata.nn.backbones import make_backbone
from vdata.nn.moco import MocoConfig
from vdata.views import check_views

SMALL = MocoConfig(dim=8, queue=16)


def clips(b=3, t=5, seed=0):
    return torch.rand(b, 3, t, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_identities_of_the_operation():
    x, k, w = clips(), 2, torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)
    mixed = erase_background(x, x[:, :, k], w)
    # Frame k is unchanged, differences over time shrink by 1 - w, the mean moves by w towards it.
    torch.testing.assert_close(mixed[:, :, k], x[:, :, k])
    scale = (1 - w)[:, None, None, None, None]
    torch.testing.assert_close(mixed.diff(dim=2), scale * x.diff(dim=2))
    torch.testing.assert_close(mixed.mean(dim=2), scale[:, :, 0] * x.mean(dim=2) + (1 - scale[:, :, 0]) * x[:, :, k])
    assert torch.equal(mixed[0], x[0])
    constant = x[:, :, :1].expand_as(x)
    torch.testing.assert_close(erase_background(constant, constant[:, :, 0], w), constant)


def test_the_input_is_left_as_it_was():
    x = clips()
    before = x.clone()
    erase_background(x, x[:, :, 0], torch.full((3,), 0.5))
    assert torch.equal(x, before)


@pytest.mark.parametrize(("source", "shifts"), [("same", {0}), ("next", {1}), ("random", {1, 2, 3})])
def test_whose_frame_it_is(source, shifts):
    x = torch.arange(4.0)[:, None, None, None, None] * 10 + torch.arange(5.0)[None, None, :, None, None]
    torch.manual_seed(0)
    met, places = set(), set()
    for _ in range(60):
        frames = static_frames(x.expand(4, 3, 5, 2, 2), source)[:, 0, 0, 0]
        met |= {(int(value // 10) - row) % 4 for row, value in enumerate(frames)}
        places |= {int(value % 10) for value in frames}
    assert met == shifts
    assert places == set(range(5))
    assert static_frames(x[:1].expand(1, 3, 5, 2, 2), source).shape == (1, 3, 2, 2)


@pytest.mark.parametrize("contrast", ["moco", "triplet", "consistency"])
def test_the_gradient_reaches_the_backbone(contrast):
    torch.manual_seed(0)
    method = BackgroundErasing(make_backbone("r3d_small"), BackgroundErasingConfig(contrast=contrast, moco=SMALL))
    batch = {name: torch.rand(3, 3, 4, 24, 24) for name in ("anchor", "positive", "negative")}
    found = method.loss(batch)
    found["loss"].backward()
    assert found["loss"].isfinite()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.backbone.parameters())


def test_without_a_weight_anchor_and_positive_are_the_clip_itself():
    """The consistency of a clip with itself, erased by nothing, is none; erased by something it is some."""
    torch.manual_seed(0)
    method = BackgroundErasing(
        make_backbone("r3d_small"), BackgroundErasingConfig(contrast="consistency", strength=0.0, moco=SMALL)
    )
    x = torch.rand(3, 3, 4, 24, 24)
    assert method.eval().loss({"anchor": x, "positive": x})["loss"] == 0
    erased = BackgroundErasing(method.backbone, BackgroundErasingConfig(contrast="consistency", strength=0.9, moco=SMALL)).eval()
    assert erased.loss({"anchor": x, "positive": x})["loss"] > 0


def test_one_weight_a_batch_or_one_a_sample(monkeypatch):
    seen = []
    monkeypatch.setattr("vdata.methods.background_erasing.erase_background", lambda x, s, w: seen.append(w) or x)
    for per in ("sample", "batch"):
        config = BackgroundErasingConfig(contrast="consistency", per=per, moco=SMALL)
        method = BackgroundErasing(make_backbone("r3d_small"), config)
        method.loss({name: torch.rand(5, 3, 4, 16, 16) for name in ("anchor", "positive")})
    assert [len(set(weights.tolist())) for weights in seen] == [5, 1]
    assert all(0 <= weight <= 0.3 for weights in seen for weight in weights.tolist())


def test_views_are_two_looks_at_a_window_and_another_window():
    views = BackgroundErasing.views(BackgroundErasingConfig())
    check_views(views)
    assert [(view.name, view.start) for view in views] == [
        ("anchor", "uniform"),
        ("positive", "same:anchor"),
        ("negative", "disjoint_from:anchor:1.0"),
    ]
    assert [view.name for view in BackgroundErasing.views(BackgroundErasingConfig(intra_negative=False))] == [
        "anchor",
        "positive",
    ]


@pytest.mark.parametrize("setting", [{"strength": 1.0}, {"margin": 0.0}, {"min_gap_seconds": -1.0}])
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"background_erasing.{next(iter(setting))}"):
        BackgroundErasingConfig(**setting)
