"""R(2+1)D: every 3D convolution as a spatial one and a temporal one with a ReLU between."""

from __future__ import annotations

from torch import nn

from vdata.nn.backbones import BACKBONES, Backbone
from vdata.nn.resnet3d import BasicBlock, Bottleneck, ResNet3d, Stride

__all__ = ["conv2plus1d", "r2plus1d18", "r2plus1d26"]


def conv2plus1d(channels: int, out: int, between: int, stride: Stride) -> nn.Module:
    """1x3x3 to `between` channels, then 3x1x1 to `out`; as many parameters as the full convolution.

    Source: Tran et al., arXiv 1711.11248, section 3.5.
    """
    return nn.Sequential(
        nn.Conv3d(channels, between, (1, 3, 3), stride=(1, *stride[1:]), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(between),
        nn.ReLU(inplace=True),
        nn.Conv3d(between, out, (3, 1, 1), stride=(stride[0], 1, 1), padding=(1, 0, 0), bias=False),
    )


@BACKBONES.add("r2plus1d18")
def r2plus1d18() -> Backbone:
    """R(2+1)D-18: 512 features, 31,300,125 parameters.

    Source: Tran et al., arXiv 1711.11248, table 1.
    """
    return ResNet3d(BasicBlock, (2, 2, 2, 2), conv=conv2plus1d, stem=_stem())


@BACKBONES.add("r2plus1d26")
def r2plus1d26() -> Backbone:
    """R(2+1)D-26: 2048 features, two bottlenecks a stage.

    Source: Huang et al. (CMD), CVPR 2021, section 4.1.
    """
    return ResNet3d(Bottleneck, (2, 2, 2, 2), conv=conv2plus1d, stem=_stem())


def _stem() -> nn.Sequential:
    """45 channels between its two convolutions, as in torchvision."""
    return nn.Sequential(
        nn.Conv3d(3, 45, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
        nn.BatchNorm3d(45),
        nn.ReLU(inplace=True),
        nn.Conv3d(45, 64, (3, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(64),
        nn.ReLU(inplace=True),
    )
