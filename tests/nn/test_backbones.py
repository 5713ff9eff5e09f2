import pytest
import torch

from vdata.errors import UnknownNameError
from vdata.nn.backbones import BACKBONES, make_backbone
from vdata.nn.inception3d import Gate
from vdata.nn.resnet3d import resnet10_3d


def count(name: str, num_classes: int = 0) -> int:
    with torch.device("meta"):
        backbone = make_backbone(name)
    head = (backbone.num_features + 1) * num_classes
    return sum(parameter.numel() for parameter in backbone.parameters()) + head


# torchvision's published counts of its video models with a head of 400 classes.
PUBLISHED = [("r3d18", 33_371_472), ("r2plus1d18", 31_505_325), ("mc3_18", 11_695_440), ("s3d", 8_320_048)]


@pytest.mark.parametrize(("name", "num_parameters"), PUBLISHED)
def test_parameter_counts_are_the_published_ones(name, num_parameters):
    assert count(name, num_classes=400) == num_parameters


def test_r3d50_is_the_sum_of_its_convolutions_and_norms():
    def conv(channels, out, volume=1):
        return channels * out * volume + 2 * out

    total, channels = conv(3, 64, 3 * 7 * 7), 64
    for planes, depth in ((64, 3), (128, 4), (256, 6), (512, 3)):
        total += conv(channels, 4 * planes)
        for _ in range(depth):
            total += conv(channels, planes) + conv(planes, planes, 27) + conv(planes, 4 * planes)
            channels = 4 * planes
    assert count("r3d50") == total


@pytest.mark.parametrize("name", list(BACKBONES))
def test_features_have_the_promised_width_and_reach_every_parameter(name):
    backbone = make_backbone(name)
    torch.manual_seed(0)
    features = backbone(torch.rand(2, 3, 2, 8, 8))
    assert features.shape == (2, backbone.num_features)
    features.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in backbone.parameters())


MAPS = {
    "r3d18": [(64, 16, 16, 16), (128, 8, 8, 8), (256, 4, 4, 4), (512, 2, 2, 2)],
    "r2plus1d26": [(256, 16, 16, 16), (512, 8, 8, 8), (1024, 4, 4, 4), (2048, 2, 2, 2)],
    "mc3_18": [(64, 16, 16, 16), (128, 16, 8, 8), (256, 16, 4, 4), (512, 16, 2, 2)],
    "resnet10_2d": [(64, 16, 16, 16), (128, 16, 8, 8), (256, 16, 4, 4), (512, 16, 2, 2)],
    "c3d": [(64, 16, 32, 32), (128, 16, 16, 16), (256, 8, 8, 8), (512, 4, 4, 4), (512, 2, 2, 2)],
    "s3d": [(192, 8, 8, 8), (480, 8, 4, 4), (832, 4, 2, 2), (1024, 2, 1, 1)],
}


@pytest.mark.parametrize("name", MAPS)
def test_time_and_space_shrink_stage_by_stage(name):
    maps = make_backbone(name).eval().maps(torch.rand(1, 3, 16, 32, 32))
    assert [tuple(found.shape[1:]) for found in maps] == MAPS[name]


@pytest.mark.parametrize("name", ["r3d_small", "c3d", "resnet10_2d"])
def test_features_are_the_mean_of_the_last_map(name):
    backbone, clips = make_backbone(name).eval(), torch.rand(2, 3, 2, 8, 8)
    torch.testing.assert_close(backbone(clips), backbone.maps(clips)[-1].mean(dim=(2, 3, 4)))


def test_2d_networks_see_each_frame_alone():
    backbone, clips = make_backbone("resnet10_2d").eval(), torch.rand(1, 3, 3, 16, 16)
    alone = torch.stack([backbone(clips[:, :, t : t + 1]) for t in range(3)]).mean(dim=0)
    torch.testing.assert_close(backbone(clips), alone)


def test_motion_has_two_channels():
    assert resnet10_3d(channels=2).eval()(torch.rand(1, 2, 8, 16, 16)).shape == (1, 512)


def test_a_gate_weighs_channels_by_the_whole_clip():
    gate = Gate(3)
    x = torch.rand(2, 3, 2, 4, 4)
    weights = torch.sigmoid(x.mean(dim=(2, 3, 4)) @ gate.weigh.weight.T + gate.weigh.bias)
    torch.testing.assert_close(gate(x), x * weights[:, :, None, None, None])


def test_keys_are_torchvisions():
    keys = make_backbone("r2plus1d18").state_dict().keys()
    assert {
        "stem.3.weight",
        "layer1.0.conv1.0.0.weight",
        "layer1.0.conv1.0.3.weight",
        "layer2.0.conv2.1.running_mean",
        "layer4.0.downsample.0.weight",
    } <= keys
    inception = make_backbone("s3d").state_dict().keys()
    assert {"features.0.0.0.weight", "features.5.branch1.1.1.0.weight", "features.15.branch3.1.1.running_var"} <= inception
    assert not any(key.startswith("layer1.0.downsample") for key in keys)


def test_a_block_adds_its_input():
    block = make_backbone("r3d18").layer1[0]
    torch.nn.init.zeros_(block.conv2[1].weight)
    x = torch.rand(1, 64, 2, 4, 4)
    assert torch.equal(block(x), x)


def test_order_of_frames_matters():
    backbone = make_backbone("r3d_small").eval()
    clip = torch.rand(1, 3, 8, 32, 32)
    assert not torch.allclose(backbone(clip), backbone(clip.flip(2)), rtol=1e-3)


def test_the_seed_makes_the_weights_and_leaves_the_generator_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, same, other = (make_backbone("r3d_small", seed).stem[1].weight for seed in (3, 3, 4))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_backbone_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no backbone is named .r3d19.\. Did you mean .r3d18."):
        make_backbone("r3d19")


def test_the_small_stem_sees_frames_and_what_moves():
    clip = torch.rand(2, 3, 8, 6, 6)
    frames, deviation = make_backbone("r3d_small").stem[0](clip).chunk(2, dim=1)
    assert torch.equal(frames, clip)
    torch.testing.assert_close(deviation, 4 * (clip - clip.mean(dim=2, keepdim=True)))
    still = clip[:, :, :1].expand(-1, -1, 8, -1, -1)
    assert make_backbone("r3d_small").stem[0](still)[:, 3:].abs().max() < 1e-6
