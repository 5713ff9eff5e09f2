"""I3D, S3D and S3D-G: the Inception network on clips, with full, separable, and separable gated convolutions.

S3D's modules carry torchvision's names (`features.5.branch1.1.0.0` ...), so its published weights load without `classifier`.
The last pooling rounds sizes up as in the networks' first release; torchvision's rounds down, which differs for odd sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vdata.nn.backbones import BACKBONES, Backbone

__all__ = ["Gate", "Inception3d", "i3d", "s3d", "s3dg"]

Convolution = Callable[[int, int, int, int], nn.Sequential]
"""(channels in, channels out, kernel, stride) -> convolution over time and space, norm and ReLU."""

_BLOCKS = (
    (192, (64, 96, 128, 16, 32, 32)),
    (256, (128, 128, 192, 32, 96, 64)),
    (480, (192, 96, 208, 16, 48, 64)),
    (512, (160, 112, 224, 24, 64, 64)),
    (512, (128, 128, 256, 24, 64, 64)),
    (512, (112, 144, 288, 32, 64, 64)),
    (528, (256, 160, 320, 32, 128, 128)),
    (832, (256, 160, 320, 32, 128, 128)),
    (832, (384, 192, 384, 48, 128, 128)),
)
"""Channels in, and the widths of each Inception block. Source: Szegedy et al., arXiv 1409.4842, table 1."""
_STAGES = ((0, 2), (2, 7), (7, 9))
"""Blocks between two poolings."""


class Inception3d(Backbone):
    """The Inception network whose convolutions reach over time; 1024 features. Time shrinks by 8, space by 32.

    Source: Carreira and Zisserman, arXiv 1705.07750, figure 3.
    """

    num_features = 1024

    def __init__(self, conv: Convolution) -> None:
        """Builds it with `conv` in place of every convolution of more than one pixel."""
        super().__init__()
        blocks = [_Block(channels, widths, conv) for channels, widths in _BLOCKS]
        pools = [nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.MaxPool3d(3, 2, 1), nn.MaxPool3d(2, 2, ceil_mode=True)]
        stem = [conv(3, 64, 7, 2), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), _unit(64, 64, 1), conv(64, 192, 3, 1)]
        parts = [part for pool, (first, end) in zip(pools, _STAGES, strict=True) for part in (pool, *blocks[first:end])]
        self.features = nn.Sequential(*stem, *parts)

    def maps(self, clips: Tensor) -> tuple[Tensor, ...]:
        """The maps before each of the last three poolings, and the last."""
        x, found = clips, []
        for place, part in enumerate(self.features):
            if isinstance(part, nn.MaxPool3d) and place > 1:
                found.append(x)
            x = part(x)
        return (*found, x)


class _Block(nn.Module):
    """Four branches side by side on the channel axis."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int], conv: Convolution) -> None:
        super().__init__()
        alone, before1, out1, before2, out2, pooled = widths
        self.branch0 = _unit(channels, alone, 1)
        self.branch1 = nn.Sequential(_unit(channels, before1, 1), conv(before1, out1, 3, 1))
        self.branch2 = nn.Sequential(_unit(channels, before2, 1), conv(before2, out2, 3, 1))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, 1, 1), _unit(channels, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class Gate(nn.Module):
    """Channels (N, C, T, H, W), each weighted by what the mean over the clip says of it.

    Source: Xie et al., arXiv 1712.04851, section 5: sigmoid(W pool(x) + b) * x.
    """

    def __init__(self, channels: int) -> None:
        """One weight for each pair of channels."""
        super().__init__()
        self.weigh = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return torch.sigmoid(self.weigh(x.mean(dim=(2, 3, 4))))[:, :, None, None, None] * x


def _unit(channels: int, out: int, kernel: int | tuple[int, int, int], stride: int | tuple[int, int, int] = 1) -> nn.Sequential:
    """Convolution, norm and ReLU; the size is kept at stride 1. The norm's numbers are those of the released networks."""
    sides = (kernel, kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (sides[0] // 2, sides[1] // 2, sides[2] // 2)
    conv = nn.Conv3d(channels, out, sides, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(out, eps=1e-3, momentum=1e-3), nn.ReLU(inplace=True))


def _full(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return _unit(channels, out, kernel, stride)


def _separable(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    """Over space, then over time."""
    space = _unit(channels, out, (1, kernel, kernel), (1, stride, stride))
    return nn.Sequential(space, _unit(out, out, (kernel, 1, 1), (stride, 1, 1)))


def _gated(channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(*_separable(channels, out, kernel, stride), Gate(out))


@BACKBONES.add("i3d")
def i3d() -> Backbone:
    """I3D: 1024 features, full 3D convolutions.

    Source: Carreira and Zisserman, arXiv 1705.07750.
    """
    return Inception3d(_full)


@BACKBONES.add("s3d")
def s3d() -> Backbone:
    """S3D: 1024 features, 7,910,048 parameters; every convolution one over space and one over time.

    Source: Xie et al., arXiv 1712.04851, section 4.
    """
    return Inception3d(_separable)


@BACKBONES.add("s3dg")
def s3dg() -> Backbone:
    """S3D-G: S3D with a gate on the channels after every convolution over time; 1024 features.

    Source: Xie et al., arXiv 1712.04851, section 5.
    """
    return Inception3d(_gated)
