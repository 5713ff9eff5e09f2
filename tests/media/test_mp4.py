"""The box reader against PyAV's demuxer and decoder."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest

from vdata.errors import ContractError
from vdata.media import mp4

STRUCTURES = {
    "P only": ("frag_keyframe+empty_moov+default_base_moof+skip_trailer", {"bf": "0"}),
    "with B": ("frag_keyframe+delay_moov+default_base_moof+skip_trailer", {"bf": "3", "x264-params": "b-adapt=0:open-gop=0"}),
}


@pytest.fixture(scope="module", params=list(STRUCTURES))
def clip(request) -> bytes:
    """30 frames of moving noise in fragments of 12, 12 and 6."""
    movflags, options = STRUCTURES[request.param]
    target = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (80, 160), dtype=np.uint8)
    with av.open(target, "w", format="mp4", container_options={"movflags": movflags}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"g": "12", "keyint_min": "12", "sc_threshold": "0", "preset": "veryfast"} | options
        for t in range(30):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(noise[8:72, t : t + 96]), "gray")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return target.getvalue()


def split(clip: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Init, and every fragment with its offset, found by a search for b"moof" rather than by the reader under test."""
    starts, at = [], clip.find(b"moof")
    while at >= 0:
        starts.append(at - 4)
        at = clip.find(b"moof", at + 1)
    return clip[: starts[0]], [(start, clip[start:end]) for start, end in zip(starts, [*starts[1:], len(clip)], strict=True)]


def demuxed(clip: bytes) -> list[av.Packet]:
    with av.open(io.BytesIO(clip)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def decoded(clip: bytes) -> list[tuple[int, str, np.ndarray]]:
    with av.open(io.BytesIO(clip)) as container:
        return [(frame.pts, "?IPB"[frame.pict_type], frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def read_packets(clip: bytes) -> list[tuple[int, mp4.Packet]]:
    return [(offset + packet.offset, packet) for offset, fragment in split(clip)[1] for packet in mp4.packets(fragment)]


def test_top_level_boxes_tile_the_clip(clip):
    found = list(mp4.boxes(clip))
    assert [box.kind for box in found] == [b"ftyp", b"moov"] + [b"moof", b"mdat"] * 3
    assert [box.start for box in found[1:]] == [box.end for box in found[:-1]]
    assert found[-1].end == len(clip)


def test_packets_are_those_of_the_demuxer(clip):
    theirs, ours = demuxed(clip), read_packets(clip)
    assert [packet.size for packet in theirs] == [packet.size for _, packet in ours]
    assert [bytes(packet) for packet in theirs] == [clip[at : at + packet.size] for at, packet in ours]
    assert [packet.is_keyframe for packet in theirs] == [packet.is_key for _, packet in ours]
    assert [packet.duration for packet in theirs] == [packet.duration for _, packet in ours]
    assert [packet.pts - packet.dts for packet in theirs] == [
        packet.shift - ours[0][1].shift + theirs[0].pts - theirs[0].dts for _, packet in ours
    ]


def test_times_and_order_are_those_of_the_demuxer(clip):
    """Composition times less the edit list's start are the demuxer's pts; their order is the display's."""
    start, init = mp4.edit_start(split(clip)[0]), split(clip)[0]
    theirs = iter(demuxed(clip))
    for _, fragment in split(clip)[1]:
        run, time = mp4.track_run(fragment), mp4.decode_time(fragment)
        packets = [next(theirs) for _ in run.sizes]
        for packet, duration, shift in zip(packets, run.durations, run.shifts, strict=True):
            assert packet.pts == time + shift - start
            time += duration
        assert run.display_order() == np.argsort(np.argsort([packet.pts for packet in packets])).tolist()
        assert mp4.packets(fragment) == run.packets()
    assert (start > 0) == (b"edts" in init and mp4.track_run(split(clip)[1][0][1]).shifts[0] > 0)


def test_the_start_of_an_edit_list_of_either_version(clip):
    def init(edits: bytes) -> bytes:
        elst = struct.pack(">I4s", 8 + len(edits), b"elst") + edits
        edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
        trak = struct.pack(">I4s", 8 + len(edts), b"trak") + edts
        return struct.pack(">I4s", 8 + len(trak), b"moov") + trak

    assert mp4.edit_start(init(struct.pack(">IIIiI", 0, 1, 0, 512, 1 << 16))) == 512
    assert mp4.edit_start(init(struct.pack(">IIQqI", 1 << 24, 1, 0, 1 << 40, 1 << 16))) == 1 << 40


def test_references_are_those_that_the_header_names(clip):
    for packet in demuxed(clip):
        unit = next(unit for unit in mp4.nal_units(bytes(packet)) if unit[0] & 0x1F in (1, 5))
        assert mp4.is_reference(bytes(packet)) == (unit[0] >> 5 != 0)
    assert mp4.is_reference(bytes(demuxed(clip)[0]))
    with pytest.raises(ContractError, match="no slice"):
        mp4.is_reference(b"")


def test_slice_types_are_the_decoders(clip):
    by_pts = {pts: letter for pts, letter, _ in decoded(clip)}
    assert set(by_pts.values()) >= {"I", "P"}
    assert [mp4.slice_type(bytes(packet)) for packet in demuxed(clip)] == [by_pts[packet.pts] for packet in demuxed(clip)]


def test_an_intra_picture_that_is_no_idr_is_told_apart(clip):
    idr = bytes(demuxed(clip)[0])
    at = next(i for i in range(len(idr)) if idr[i] & 0x1F == 5 and idr[i - 4 : i] == struct.pack(">I", len(idr) - i))
    other = idr[:at] + bytes([idr[at] & 0xE0 | 1]) + idr[at + 1 :]
    assert (mp4.slice_type(idr), mp4.slice_type(other)) == ("I", "i")
    with pytest.raises(ContractError, match="no slice"):
        mp4.slice_type(idr[: at - 4])


@pytest.mark.parametrize(("code", "letter"), [(0, "P"), (1, "B"), (2, "i"), (5, "P"), (6, "B"), (7, "i")])
@pytest.mark.parametrize("first_macroblock", [0, 1, 300])
def test_slice_types_of_any_place_and_code(code, letter, first_macroblock):
    """The header written bit by bit; only a slice at macroblock 0 has its type in its first byte."""
    bits = "".join("0" * len(f"{number + 1:b}"[1:]) + f"{number + 1:b}" for number in (first_macroblock, code, 0)) + "1"
    header = int(bits.ljust(64, "0"), 2).to_bytes(8, "big")
    assert mp4.slice_type(struct.pack(">I", 9) + b"\x41" + header) == letter


def test_a_bare_decoder_fed_by_offsets_gives_the_same_frames(clip):
    init, _ = split(clip)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = mp4.avc_config(init)
    decoder.thread_count = 1
    frames = [frame for at, packet in read_packets(clip) for frame in decoder.decode(av.Packet(clip[at : at + packet.size]))]
    frames += decoder.decode(None)
    assert len(frames) == 30
    assert all(
        np.array_equal(frame.to_ndarray(format="rgb24"), whole)
        for frame, (_, _, whole) in zip(frames, decoded(clip), strict=True)
    )


def test_rebase_moves_a_later_run_to_time_zero(clip):
    init, fragments = split(clip)
    whole = decoded(clip)
    start = mp4.decode_time(fragments[1][1])
    moved = [mp4.rebase(fragment, start) for _, fragment in fragments[1:]]
    assert [len(fragment) for fragment in moved] == [len(fragment) for _, fragment in fragments[1:]]
    part = decoded(init + b"".join(moved))
    assert [pts for pts, _, _ in part] == [pts - whole[12][0] for pts, _, _ in whole[12:]]
    assert part[0][0] == 0
    assert all(np.array_equal(ours, theirs) for (_, _, ours), (_, _, theirs) in zip(part, whole[12:], strict=True))


def test_broken_boxes_are_named(clip):
    init, fragments = split(clip)
    fragment = fragments[0][1]
    for broken, words in (
        (fragment[:-1], "claims"),
        (fragment + b"abc", "too few"),
        (struct.pack(">I4s", 4, b"moof"), "claims 4 bytes"),
    ):
        with pytest.raises(ContractError, match=words):
            list(mp4.boxes(broken))
    with pytest.raises(ContractError, match="no moof/traf box"):
        mp4.packets(init)
    mdat = next(box for box in mp4.boxes(fragment) if box.kind == b"mdat")
    shorter = fragment[: mdat.start] + struct.pack(">I4s", mdat.end - mdat.start - 1, b"mdat") + fragment[mdat.body : -1]
    with pytest.raises(ContractError, match="first track run ends"):
        mp4.packets(shorter)
    count = mp4.track_run(fragment).box.body + 4
    for wrong in (0, 13, 1 << 30):
        claimed = fragment[:count] + struct.pack(">I", wrong) + fragment[count + 4 :]
        with pytest.raises(ContractError, match=f"claims {wrong} pictures"):
            mp4.packets(claimed)
    with pytest.raises(ContractError, match="not avc1"):
        mp4.avc_config(init.replace(b"avc1", b"hvc1"))


def test_large_size_box():
    box = struct.pack(">I4sQ", 1, b"mdat", 20) + b"body"
    (found,) = mp4.boxes(box)
    assert box[found.body : found.end] == b"body"
