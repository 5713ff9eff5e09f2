"""3D residual networks of full 3x3x3 convolutions, and the frame of blocks and stages that R(2+1)D shares.

Modules carry torchvision's names (`stem.0`, `layer1.0.conv1.0` ...), so its published video weights load once their `fc` is left
out. torchvision itself is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from vdata.nn.backbones import BACKBONES, Backbone

__all__ = ["BasicBlock", "Bottleneck", "Convolution", "ResNet3d", "conv3x3x3", "r3d18", "r3d50", "r3d_small", "stem3d"]

Convolution = Callable[[int, int, int, int], nn.Module]
"""(channels in, channels out, channels between, stride) -> a module that keeps the size at stride 1."""


class ResNet3d(Backbone):
    """A stem, four stages of blocks and the mean over T, H and W.

    Stages 2 to 4 halve time and space; the stem halves space alone.

    Source: Hara et al., arXiv 1711.09577, and Tran et al., arXiv 1711.11248 (R3D), in torchvision's layout.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: tuple[int, int, int, int],
        *,
        conv: Convolution,
        stem: nn.Sequential,
        width: int = 64,
    ) -> None:
        """Builds it with `depths` blocks a stage; stage i has `width * 2**i` channels, times the block's expansion."""
        super().__init__()
        self.stem = stem
        channels = width
        for i, depth in enumerate(depths):
            planes, stride = width * 2**i, 1 if i == 0 else 2
            blocks = [block(channels, planes, stride, conv)]
            channels = planes * block.expansion
            blocks += [block(channels, planes, 1, conv) for _ in range(depth - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.num_features = channels
        self.apply(_initialise)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, num_features) of clips (N, 3, T, H, W)."""
        x = self.stem(clips)
        for i in range(1, 5):
            x = self.get_submodule(f"layer{i}")(x)
        return cast("Tensor", x.mean(dim=(2, 3, 4)))


class BasicBlock(nn.Module):
    """Two convolutions beside the identity."""

    expansion = 1

    def __init__(self, channels: int, planes: int, stride: int, conv: Convolution) -> None:
        """Maps `channels` to `planes`; both convolutions have one width between, as in torchvision."""
        super().__init__()
        between = channels * planes * 27 // (channels * 9 + 3 * planes)
        self.conv1 = nn.Sequential(conv(channels, planes, between, stride), nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv(planes, planes, between, 1), nn.BatchNorm3d(planes))
        self.downsample = _shortcut(channels, planes * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, planes, T / stride, H / stride, W / stride)."""
        return torch.relu(self.conv2(self.conv1(x)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A convolution between two pointwise ones, beside the identity."""

    expansion = 4

    def __init__(self, channels: int, planes: int, stride: int, conv: Convolution) -> None:
        """Maps `channels` to `planes * 4`; the middle convolution carries the stride."""
        super().__init__()
        out = planes * self.expansion
        between = channels * planes * 27 // (channels * 9 + 3 * planes)
        self.conv1 = nn.Sequential(_pointwise(channels, planes), nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv(planes, planes, between, stride), nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv3 = nn.Sequential(_pointwise(planes, out), nn.BatchNorm3d(out))
        self.downsample = _shortcut(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4 * planes, T / stride, H / stride, W / stride)."""
        return torch.relu(self.conv3(self.conv2(self.conv1(x))) + self.downsample(x))


def conv3x3x3(channels: int, out: int, _between: int, stride: int) -> nn.Module:
    """A full 3D convolution; `_between` is there for the factorised one's sake."""
    return nn.Conv3d(channels, out, 3, stride=stride, padding=1, bias=False)


def stem3d(width: int, kernel: int = 7, channels: int = 3) -> nn.Sequential:
    """The stem of R3D: 3 x kernel x kernel, stride 2 in space."""
    conv = nn.Conv3d(channels, width, (3, kernel, kernel), stride=(1, 2, 2), padding=(1, kernel // 2, kernel // 2), bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(width), nn.ReLU(inplace=True))


@BACKBONES.add("r3d18")
def r3d18() -> Backbone:
    """R3D-18: 512 features, 33,166,272 parameters.

    Source: Tran et al., arXiv 1711.11248, table 1.
    """
    return ResNet3d(BasicBlock, (2, 2, 2, 2), conv=conv3x3x3, stem=stem3d(64))


@BACKBONES.add("r3d50")
def r3d50() -> Backbone:
    """R3D-50: 2048 features, the same frame with bottlenecks.

    Source: Hara et al., arXiv 1711.09577, table 2, with R3D-18's stem; CVRL's R3D-50 has other temporal kernels.
    """
    return ResNet3d(Bottleneck, (3, 4, 6, 3), conv=conv3x3x3, stem=stem3d(64))


@BACKBONES.add("r3d_small")
def r3d_small() -> Backbone:
    """R3D of one block a stage, for clips of 8 to 16 frames at 48 to 64 pixels on a CPU: 128 features, 904,128 parameters.

    Its stem sees every frame beside its deviation from the mean over time. On a variant of the sample dataset with one
    background 400 supervised steps of the plain network left motion at chance (0.17, 6 classes), 100 steps on the deviation
    gave 0.75: in so short a run what stands still hides what moves.

    Source: our own choice.
    """
    stem = nn.Sequential(_FramesAndDeviation(), *stem3d(16, kernel=5, channels=6))
    return ResNet3d(BasicBlock, (1, 1, 1, 1), conv=conv3x3x3, stem=stem, width=16)


class _FramesAndDeviation(nn.Module):
    """(N, 3, T, H, W) -> (N, 6, T, H, W)."""

    def forward(self, clips: Tensor) -> Tensor:
        # Times 4, so that both halves have about the same spread.
        return torch.cat([clips, 4 * (clips - clips.mean(dim=2, keepdim=True))], dim=1)


def _pointwise(channels: int, out: int, stride: int = 1) -> nn.Module:
    return nn.Conv3d(channels, out, 1, stride=stride, bias=False)


def _shortcut(channels: int, out: int, stride: int) -> nn.Module:
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(_pointwise(channels, out, stride), nn.BatchNorm3d(out))


def _initialise(module: nn.Module) -> None:
    """He's normal initialisation by fan-out, as in torchvision; norms start as the identity by default."""
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
