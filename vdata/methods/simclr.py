"""SimCLR on clips: two views of one video attract, all other clips of the batch repel.

Source: Chen et al. 2020, arXiv 2002.05709, with the released code's head, temperature and sum of both directions; the pair of
windows follows CVRL, Qian et al. 2021, arXiv 2008.03800. Tags of the settings: [C] the authors' code, [P] the paper's text,
[M] from memory, [D] our own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from vdata.config import check
from vdata.methods import METHODS
from vdata.nn.backbones import Backbone
from vdata.nn.contrast import nt_xent
from vdata.views import Augment, Clip, View

__all__ = ["SimClr", "SimClrConfig", "projection_head"]


@dataclass(frozen=True, slots=True)
class SimClrConfig:
    """Settings of SimCLR."""

    frames: int = 16
    """T of both views [C of CVRL]; 1 is SimCLR on images."""
    stride: int = 2
    """[C of CVRL]."""
    size: int = 112
    """H and W in pixels [D]; CVRL and the paper on images take 224."""
    pair: Literal["uniform", "cvrl_gap"] = "cvrl_gap"
    """How the second window lies to the first: anywhere, or at a distance whose density falls linearly [C of CVRL]."""
    augment: Augment = field(default_factory=Augment)
    """Both views' augmentation; strength 1 [C], kept area from 0.3 as in CVRL [C]."""
    temperature: float = 0.1
    """[C] for ImageNet; 0.5 for CIFAR-10."""
    head_layers: int = 3
    """Layers of the projection head [C]; the first paper had 2 [M]."""
    head_dim: int = 128
    """Dimensions in which clips are compared [C]."""

    def __post_init__(self) -> None:
        """Checks the head and the temperature; the views check themselves."""
        check(self.temperature > 0, "simclr.temperature", self.temperature, "must be positive")
        check(self.head_layers >= 1, "simclr.head_layers", self.head_layers, "must be at least 1")
        check(self.head_dim >= 1, "simclr.head_dim", self.head_dim, "must be at least 1")


@METHODS.add("simclr")
class SimClr(nn.Module):
    """A backbone and a projection head under the NT-Xent loss; the head is thrown away after training."""

    Config: ClassVar[type] = SimClrConfig

    def __init__(self, backbone: Backbone, config: SimClrConfig) -> None:
        """Builds the head on the backbone's features."""
        super().__init__()
        self.backbone = backbone
        self.head = projection_head(backbone.num_features, config.head_layers, config.head_dim)
        self.temperature = config.temperature

    @staticmethod
    def views(config: SimClrConfig) -> tuple[View, ...]:
        """`v0` at a uniform start and `v1` of the same video, each with one draw of the augmentation for all its frames."""
        second = "cvrl_gap:v0" if config.pair == "cvrl_gap" else "uniform"
        return tuple(
            Clip(name, config.frames, config.stride, config.size, config.augment, start=start)
            for name, start in (("v0", "uniform"), ("v1", second))
        )

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """NT-Xent of `v0` and `v1`, (B, 3, T, H, W) each, and the share of `v0` whose positive is the nearest of all."""
        # One forward pass over both views: the batch statistics of the norms are then those of 2B clips, as in the paper.
        z = cast("Tensor", self.head(self.backbone(torch.cat([batch["v0"], batch["v1"]]))))
        z0, z1 = z.chunk(2)
        with torch.autocast(z.device.type, enabled=False):
            loss, nearest = nt_xent(z0, z1, self.temperature)
        return {"loss": loss, "positive_nearest": nearest}


def projection_head(num_features: int, num_layers: int, dim: int) -> nn.Sequential:
    """(N, num_features) -> (N, dim): linear layers as wide as the features, each with a norm, a ReLU after all but the last.

    Source: google-research/simclr, the second version's head. The last norm has no shift there; neither here.
    """
    layers: list[nn.Module] = []
    for _ in range(num_layers - 1):
        layers += [nn.Linear(num_features, num_features, bias=False), nn.BatchNorm1d(num_features), nn.ReLU(inplace=True)]
    last = nn.BatchNorm1d(dim)
    last.register_parameter("bias", None)
    return nn.Sequential(*layers, nn.Linear(num_features, dim, bias=False), last)
