"""3D residual networks of full 3x3x3 convolutions, and the frame of blocks and stages that R(2+1)D shares.

Modules carry torchvision's names (`stem.0`, `layer1.0.conv1.0` ...), so its published video weights load once their `fc` is left
out. torchvision itself is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vdata.nn.backbones import BACKBONES, Backbone

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "Convolution",
    "ResNet3d",
    "Stride",
    "conv3x3x3",
    "mc3_18",
    "r3d18",
    "r3d26",
    "r3d50",
    "r3d_small",
    "resnet10_2d",
    "resnet10_3d",
    "stem3d",
]

Stride = tuple[int, int, int]
"""Of a convolution over (T, H, W)."""
Convolution = Callable[[int, int, int, Stride], nn.Module]
"""(channels in, channels out, channels between, stride) -> a module that keeps the size at stride 1."""

_HALVES: Stride = (2, 2, 2)
_KEEPS: Stride = (1, 1, 1)


class ResNet3d(Backbone):
    """A stem and four stages of blocks.

    Stages 2 to 4 halve time and space, or what `halves` says; the stem halves space alone.

    Source: Hara et al., arXiv 1711.09577, and Tran et al., arXiv 1711.11248 (R3D), in torchvision's layout.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: tuple[int, int, int, int],
        *,
        conv: Convolution | Sequence[Convolution],
        stem: nn.Sequential,
        width: int = 64,
        halves: Stride = _HALVES,
    ) -> None:
        """Builds it with `depths` blocks a stage; stage i has `width * 2**i` channels, times the block's expansion.

        `conv` is the blocks' convolution, or one for each stage.
        """
        super().__init__()
        self.stem = stem
        channels = width
        for i, depth in enumerate(depths):
            planes, stride = width * 2**i, _KEEPS if i == 0 else halves
            made = conv[i] if isinstance(conv, Sequence) else conv
            blocks = [block(channels, planes, stride, made)]
            channels = planes * block.expansion
            blocks += [block(channels, planes, _KEEPS, made) for _ in range(depth - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.num_features = channels
        self.apply(_initialise)

    def maps(self, clips: Tensor) -> tuple[Tensor, ...]:
        """The maps of the four stages."""
        x, found = self.stem(clips), []
        for i in range(1, 5):
            x = self.get_submodule(f"layer{i}")(x)
            found.append(x)
        return tuple(found)


class BasicBlock(nn.Module):
    """Two convolutions beside the identity."""

    expansion = 1

    def __init__(self, channels: int, planes: int, stride: Stride, conv: Convolution) -> None:
        """Maps `channels` to `planes`; both convolutions have one width between, as in torchvision."""
        super().__init__()
        between = channels * planes * 27 // (channels * 9 + 3 * planes)
        self.conv1 = nn.Sequential(conv(channels, planes, between, stride), nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv(planes, planes, between, _KEEPS), nn.BatchNorm3d(planes))
        self.downsample = _shortcut(channels, planes * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, planes, T / stride, H / stride, W / stride)."""
        return torch.relu(self.conv2(self.conv1(x)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A convolution between two pointwise ones, beside the identity."""

    expansion = 4

    def __init__(self, channels: int, planes: int, stride: Stride, conv: Convolution) -> None:
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


def conv3x3x3(channels: int, out: int, _between: int, stride: Stride) -> nn.Module:
    """A full 3D convolution; `_between` is there for the factorised one's sake."""
    return nn.Conv3d(channels, out, 3, stride=stride, padding=1, bias=False)


def conv1x3x3(channels: int, out: int, _between: int, stride: Stride) -> nn.Module:
    """A convolution of each frame alone, whatever the stride says of time."""
    return nn.Conv3d(channels, out, (1, 3, 3), stride=(1, *stride[1:]), padding=(0, 1, 1), bias=False)


def stem3d(width: int, kernel: int = 7, channels: int = 3, frames: int = 3) -> nn.Sequential:
    """The stem of R3D: frames x kernel x kernel, stride 2 in space."""
    padding = (frames // 2, kernel // 2, kernel // 2)
    conv = nn.Conv3d(channels, width, (frames, kernel, kernel), stride=(1, 2, 2), padding=padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(width), nn.ReLU(inplace=True))


@BACKBONES.add("r3d18")
def r3d18() -> Backbone:
    """R3D-18: 512 features, 33,166,272 parameters.

    Source: Tran et al., arXiv 1711.11248, table 1.
    """
    return ResNet3d(BasicBlock, (2, 2, 2, 2), conv=conv3x3x3, stem=stem3d(64))


@BACKBONES.add("mc3_18")
def mc3_18() -> Backbone:
    """MC3-18: 512 features, 11,490,240 parameters; 3D convolutions in the first stage, 2D ones in the others, time kept.

    Source: Tran et al., arXiv 1711.11248, section 3.4.
    """
    conv = (conv3x3x3, conv1x3x3, conv1x3x3, conv1x3x3)
    return ResNet3d(BasicBlock, (2, 2, 2, 2), conv=conv, stem=stem3d(64), halves=(1, 2, 2))


@BACKBONES.add("r3d26")
def r3d26() -> Backbone:
    """R3D-26: 2048 features, two bottlenecks a stage.

    Source: Huang et al. (CMD), CVPR 2021, section 4.1.
    """
    return ResNet3d(Bottleneck, (2, 2, 2, 2), conv=conv3x3x3, stem=stem3d(64))


@BACKBONES.add("resnet10_3d")
def resnet10_3d(channels: int = 3) -> Backbone:
    """ResNet-10 on clips, of one block a stage: 512 features; CMD reads motion with it, of 2 channels.

    Source: Huang et al. (CMD), CVPR 2021, section 3.
    """
    return ResNet3d(BasicBlock, (1, 1, 1, 1), conv=conv3x3x3, stem=stem3d(64, channels=channels))


@BACKBONES.add("resnet10_2d")
def resnet10_2d() -> Backbone:
    """ResNet-10 on frames, each alone: 512 features; CMD reads keyframes with it, as clips of one frame.

    Source: Huang et al. (CMD), CVPR 2021, section 3.
    """
    return ResNet3d(BasicBlock, (1, 1, 1, 1), conv=conv1x3x3, stem=stem3d(64, frames=1), halves=(1, 2, 2))


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


def _pointwise(channels: int, out: int, stride: Stride = _KEEPS) -> nn.Module:
    return nn.Conv3d(channels, out, 1, stride=stride, bias=False)


def _shortcut(channels: int, out: int, stride: Stride) -> nn.Module:
    if stride == _KEEPS and channels == out:
        return nn.Identity()
    return nn.Sequential(_pointwise(channels, out, stride), nn.BatchNorm3d(out))


def _initialise(module: nn.Module) -> None:
    """He's normal initialisation by fan-out, as in torchvision; norms start as the identity by default."""
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
