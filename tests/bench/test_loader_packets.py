"""Packets of a window against a decoder that is fed one by one."""

import av
import numpy as np
import pytest

from vdata.bench.loader_packets import mean_packets, packet_order, window_packets


def fed(path, wanted, *, jumps):
    """Packets from a keyframe to the one that holds the last wanted frame of its GOP, by a walk along the file."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    shown = sorted(packet.pts for packet in packets)
    runs, missing = [], {shown[number] for number in wanted}
    for packet in packets:
        if packet.is_keyframe or not runs:
            runs.append([0, 0])
        runs[-1][0] += 1
        if packet.pts in missing:
            runs[-1][1] = runs[-1][0]
            missing.discard(packet.pts)
    touched = [place for place, (_, last) in enumerate(runs) if last]
    if jumps:
        return sum(runs[place][1] for place in touched)
    return sum(runs[place][0] for place in range(touched[0], touched[-1])) + runs[touched[-1]][1]


@pytest.fixture(params=[{"bf": "0", "g": "12"}, {"bf": "3", "g": "16", "x264-params": "open-gop=0"}])
def video(request, make_video):
    return make_video(num_frames=60, size=(64, 48), options=request.param)


@pytest.mark.parametrize("jumps", [True, False])
def test_packets_are_those_of_a_decoder_that_drops_none(video, jumps):
    order = packet_order(str(video))
    for stride in (1, 2, 5, 13):
        for start in (0, 3, 7):
            wanted = start + stride * np.arange(4)
            assert window_packets(order, wanted, jumps=jumps) == fed(video, wanted, jumps=jumps), (stride, start)


def test_the_mean_is_over_every_start(video):
    order = packet_order(video.read_bytes())
    starts = range(60 - 3 * 5)
    found = [fed(video, start + 5 * np.arange(4), jumps=True) for start in starts]
    assert mean_packets(order, 4, 5, jumps=True) == pytest.approx(np.mean(found))
    assert mean_packets(packet_order(str(video)), 60, 1, jumps=False) == 60
