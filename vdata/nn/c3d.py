"""C3D: eight full 3D convolutions, with norms and without its fully connected layers."""

from __future__ import annotations

from torch import Tensor, nn

from vdata.nn.backbones import BACKBONES, Backbone

__all__ = ["C3d", "c3d"]

_STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Channels of the convolutions between two poolings."""


class C3d(Backbone):
    """Five stages of 3 x 3 x 3 convolutions, 512 features; time shrinks by 8, space by 16.

    Source: Tran et al., arXiv 1412.0767, figure 3. Norms, and the mean in place of the last pooling and the fully connected
    layers, as the self-supervised methods use it [C of DualVar and BE].
    """

    num_features = 512

    def __init__(self) -> None:
        """Builds it; the first pooling keeps time."""
        super().__init__()
        channels, stages = 3, []
        for number, widths in enumerate(_STAGES):
            layers: list[nn.Module] = []
            if number:
                layers.append(nn.MaxPool3d((1, 2, 2) if number == 1 else 2, ceil_mode=True))
            for width in widths:
                conv = nn.Conv3d(channels, width, 3, padding=1, bias=False)
                layers += [conv, nn.BatchNorm3d(width), nn.ReLU(inplace=True)]
                channels = width
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def maps(self, clips: Tensor) -> tuple[Tensor, ...]:
        """The maps of the five stages."""
        found = [clips]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return tuple(found[1:])


@BACKBONES.add("c3d")
def c3d() -> Backbone:
    """C3D with norms: 512 features, 27,658,688 parameters.

    Source: Tran et al., arXiv 1412.0767.
    """
    return C3d()
