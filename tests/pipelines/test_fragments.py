"""Which pictures of a fragment are decoded: against decoding with and without every single packet."""

from __future__ import annotations

import itertools
import struct

import av
import av.error
import numpy as np
import pytest

from pipelines.fragments import Coded, needed
from vdata.errors import ContractError
from vdata.media.mp4 import avc_config, packets, track_run
from vdata.media.structure import STRUCTURES

GOPS = {1: 12, 3: 16}


@pytest.fixture(
    scope="module", params=[(1, 12), (1, 5), (3, 16), (3, 14), (3, 3), (3, 1)], ids=lambda param: f"{param[0]}x{param[1]}"
)
def fragment(request, make_clip, make_frames) -> tuple[bytes, bytes, str]:
    """Extradata, one GOP of so many frames, and its types in display order."""
    layers, count = request.param
    clip = make_clip(make_frames(count, (64, 48), seed=count), GOPS[layers], layers)
    data = clip.mp4[clip.fragments[0].offset :]
    assert len(clip.fragments) == 1
    return avc_config(clip.mp4[: clip.init_size]), data, STRUCTURES[layers].types(count, GOPS[layers])


def display_order(fragment: bytes) -> list[int]:
    return track_run(fragment).display_order()


def decoded(extradata: bytes, fragment: bytes, places: set[int]) -> dict[int, bytes]:
    """The frames that come out of these packets alone, by their places; nothing where the decoder complains."""
    context = av.VideoCodecContext.create("h264", "r")
    context.extradata, context.thread_count, context.options = extradata, 1, {"err_detect": "explode"}
    found, run = {}, packets(fragment)
    try:
        for packet, place in zip(run, display_order(fragment), strict=True):
            if place in places:
                sent = av.Packet(fragment[packet.offset : packet.offset + packet.size])
                sent.pts = place
                found |= {frame.pts: frame.to_ndarray().tobytes() for frame in context.decode(sent)}
        found |= {frame.pts: frame.to_ndarray().tobytes() for frame in context.decode(None)}
    except av.error.FFmpegError:
        return {}
    return found


def test_each_picture_by_brute_force(fragment):
    """The packets without which a frame is not what it is in the whole fragment are all among those that `needed` names."""
    extradata, data, types = fragment
    everything = set(range(len(types)))
    whole = decoded(extradata, data, everything)
    assert set(whole) == everything
    for place in everything:
        lacking = {other for other in everything if decoded(extradata, data, everything - {other}).get(place) != whole[place]}
        found = {coded.place for coded in needed(data, {place})}
        # A reference that this picture happens not to look at is needed all the same: the standard says so.
        assert lacking <= found
        assert {other for other in found if types[other] == "B"} <= {place}
        assert decoded(extradata, data, found)[place] == whole[place]
        # The last reference, and the first, are looked at by every picture of a moving texture.
        assert {place, 0} <= lacking


def test_sets_of_pictures_are_the_union_up_to_the_last(fragment):
    _, data, types = fragment
    rng = np.random.default_rng(0)
    for _ in range(50):
        wanted = set(rng.choice(len(types), rng.integers(0, len(types) + 1), replace=False).tolist())
        found = [coded.place for coded in needed(data, wanted)]
        single = [{coded.place for coded in needed(data, {place})} for place in wanted]
        assert set(found) == set().union(*single)
        order = display_order(data)
        assert found == [place for place in order if place in set(found)]


def test_bytes_are_where_the_packets_are(fragment):
    _, data, types = fragment
    run = packets(data)
    expected = [Coded(place, packet.offset, packet.size) for packet, place in zip(run, display_order(data), strict=True)]
    assert needed(data, range(len(types))) == expected


def test_only_what_a_window_needs(make_clip, make_frames):
    """I BBBP BBBP BBBP BBP: on multiples of four the references alone, off them a B and its neighbours."""
    clip = make_clip(make_frames(16, (64, 48)), 16, 3)
    data = clip.mp4[clip.fragments[0].offset :]

    def places(*wanted: int) -> list[int]:
        return sorted(coded.place for coded in needed(data, wanted))

    assert places(0, 4, 8, 12) == [0, 4, 8, 12]
    assert places(0) == [0]
    assert places(5) == [0, 4, 5, 8]
    assert places(8) == [0, 4, 8]
    assert places(1, 9) == [0, 1, 4, 8, 9, 12]
    assert places(13) == [0, 4, 8, 12, 13, 15]
    assert places() == []
    assert places(99) == []


def test_one_layer_needs_everything_before(make_clip, make_frames):
    clip = make_clip(make_frames(12, (64, 48)))
    data = clip.mp4[clip.fragments[0].offset :]
    assert [coded.place for coded in needed(data, {3, 7})] == list(range(8))
    assert [coded.place for coded in needed(data, {0})] == [0]


def test_bytes_that_are_no_fragment_are_named(fragment):
    _, data, _ = fragment
    for broken in (b"", data[:40], b"\0" * len(data), data[:-1], data + b"\0"):
        with pytest.raises(ContractError):
            needed(broken, {0})


def test_no_flipped_byte_of_the_tables_is_a_bug(fragment):
    """Whatever stands in the boxes: an answer, or an error that names the contract."""
    _, data, types = fragment
    head = packets(data)[0].offset + 6
    for place, value in itertools.product(range(head), (0x00, 0x01, 0x7F, 0xFF)):
        broken = bytearray(data)
        broken[place] = value
        try:
            found = needed(bytes(broken), range(len(types)))
        except ContractError:
            continue
        assert all(0 <= coded.offset <= len(data) - coded.size for coded in found)


def test_a_picture_without_bytes_is_named(make_clip, make_frames):
    clip = make_clip(make_frames(16, (64, 48)), 16, 3)
    data = clip.mp4[clip.fragments[0].offset :]
    run = packets(data)
    # The last picture gets the bytes of the one before: the sum is right still.
    place = data.rindex(struct.pack(">I", run[-1].size), 0, run[0].offset)
    before = data.rindex(struct.pack(">I", run[-2].size), 0, place)
    broken = bytearray(data)
    broken[place : place + 4], broken[before : before + 4] = struct.pack(">I", run[-1].size + run[-2].size), bytes(4)
    with pytest.raises(ContractError, match="holds no slice"):
        needed(bytes(broken), {display_order(data)[-1]})
