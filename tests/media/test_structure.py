"""The structures against a loop written from the rule, and against what x264 makes of them."""

from __future__ import annotations

import io
import subprocess
from fractions import Fraction

import av
import ffmpeg
import pytest

from vdata.errors import SchemaMismatchError
from vdata.media.config import ClipConfig
from vdata.media.encoder import output_options
from vdata.media.ffmpeg import binary
from vdata.media.structure import STRUCTURES, structure_named

SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 18, 19, 20, 21, 33, 48]


def types_by_the_rule(num_frames: int, gop: int, num_b: int) -> str:
    """Frame by frame: what starts a GOP is an I, what ends one or has `num_b` B's before it is a P."""
    types = ""
    for frame in range(num_frames):
        ends = (frame + 1) % gop == 0 or frame + 1 == num_frames
        if frame % gop == 0:
            types += "I"
        elif ends or types.endswith("B" * num_b):
            types += "P"
        else:
            types += "B"
    return types


def encoded(layers: int, num_frames: int, gop: int, **settings) -> bytes:
    """A moving test picture, encoded as clips are."""
    config = ClipConfig(layers=layers, gop=gop, **settings)
    options = output_options(STRUCTURES[layers], config, Fraction(25))
    node = ffmpeg.input("testsrc2=s=64x64:r=25", f="lavfi").output("pipe:", **options, **{"frames:v": num_frames})
    return subprocess.run([binary(), "-v", "error", *node.get_args()], stdout=subprocess.PIPE, check=True).stdout


def test_the_structures_as_they_are_written_down():
    assert STRUCTURES[3].types(16, 16) == "IBBBPBBBPBBBPBBP"
    assert STRUCTURES[3].types(20, 16) == "IBBBPBBBPBBBPBBPIBBP"
    assert STRUCTURES[1].types(14, 12) == "IPPPPPPPPPPPIP"
    assert [STRUCTURES[layers].types(0, 12) for layers in STRUCTURES] == ["", ""]


@pytest.mark.parametrize("layers", STRUCTURES)
@pytest.mark.parametrize("gop", [4, 8, 12, 16, 20])
def test_types_and_orders_follow_the_rule(layers, gop):
    structure = STRUCTURES[layers]
    for num_frames in range(70):
        assert structure.types(num_frames, gop) == types_by_the_rule(num_frames, gop, structure.num_b)
    for num_frames in range(gop + 1):
        order, types = structure.decode_order(num_frames), structure.types(num_frames, gop)
        assert sorted(order) == list(range(num_frames))
        for at, place in enumerate(order):
            # A B comes right behind its later reference, and after the B's that are shown before it.
            later = [other for other in order[at + 1 :] if other < place]
            assert all(types[other] == "B" and types[place] == "P" for other in later)


@pytest.mark.parametrize(("gop", "sizes"), [(16, SIZES), (8, SIZES[8:12]), (4, [3, 4, 5, 8]), (20, [16, 17, 18, 40])])
def test_x264_makes_the_three_layers_as_written(gop, sizes):
    for num_frames in sizes:
        with av.open(io.BytesIO(encoded(3, num_frames, gop))) as container:
            frames = list(container.decode(video=0))
        ticks = Fraction(1, 25) / frames[0].time_base
        assert "".join("?IPB"[frame.pict_type] for frame in frames) == STRUCTURES[3].types(num_frames, gop)
        assert [frame.pts for frame in frames] == [number * ticks for number in range(num_frames)]


@pytest.mark.parametrize("settings", [{"preset": "ultrafast"}, {"preset": "slower"}, {"fastdecode": False}, {"preset": "medium"}])
def test_no_preset_changes_the_structure(settings):
    with av.open(io.BytesIO(encoded(3, 22, 16, **settings))) as container:
        types = "".join("?IPB"[frame.pict_type] for frame in container.decode(video=0))
    assert types == STRUCTURES[3].types(22, 16)


def test_structures_by_their_names():
    assert {name: structure_named(name).num_b for name in ("ip", "ibbbp")} == {"ip": 0, "ibbbp": 3}
    with pytest.raises(SchemaMismatchError, match="structure 'ibp'; this vdata knows ip, ibbbp"):
        structure_named("ibp")
