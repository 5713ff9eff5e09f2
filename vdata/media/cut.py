"""One encode of a video gives all its clips.

The encoder writes fragmented MP4 to a pipe, one fragment a GOP. A clip is a run of whole fragments behind a copy of
the stream's init, with its times moved to 0: no second encode, no file on disk, and memory for one clip at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import ffmpeg

from vdata.errors import DecodeError, OpenError
from vdata.media.canvas import canvas_for, scaled_size
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.ffmpeg import INPUT, Child, running, tail
from vdata.media.mp4 import decode_time, packets, rebase
from vdata.media.probe import Source, probe
from vdata.media.source import SourceFile, open_source
from vdata.media.structure import STRUCTURES, Structure
from vdata.records import Fragment, Keyframe, Picture, Video

__all__ = ["CutPlan", "DroppedTail", "cut", "encode_arguments", "plan_cut"]


@dataclass(frozen=True, slots=True)
class DroppedTail:
    """The end of a film that was shorter than `clip.min_seconds`."""

    num_frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CutPlan:
    """What is fixed for all clips of one video before the encoder starts."""

    source: Source
    fps: Fraction
    picture: Picture
    canvas: tuple[int, int]
    structure: Structure
    start_seconds: float

    def gops_per_clip(self, config: ClipConfig) -> int:
        """The whole number of GOPs nearest to the wanted length, at least one."""
        return max(1, round(Fraction(config.seconds) * self.fps / config.gop))


def cut(root: Path, video: Video, config: ClipConfig, limits: LimitConfig) -> Iterator[EncodedClip | DroppedTail]:
    """The clips of one video in order, and its dropped tail if it has one.

    Raises:
        OpenError: the file is no usable video; nothing was yielded.
        DecodeError: the stream is damaged; what was whole has been yielded before.
        MediaError: a limit of time or memory was reached.
    """
    if video.end_seconds is not None and video.end_seconds <= video.start_seconds:
        wanted = f"from {video.start_seconds} to {video.end_seconds} s"
        raise OpenError("empty_span", f"the wanted part of '{video.source}', {wanted}, has no length")
    with open_source(root, video.source) as file:
        plan = plan_cut(file, video, config, limits)
        with running(encode_arguments(plan, video, config, limits), limits, file) as child:
            num_frames = 0
            for item in _clips(_fragments(child.stdout), plan, config):
                num_frames += item.num_frames
                yield item
    _check_end(child, num_frames, plan.source)


def plan_cut(file: SourceFile, video: Video, config: ClipConfig, limits: LimitConfig) -> CutPlan:
    """Sizes, rate and structure for a video, by one pass over its packets.

    Raises:
        OpenError: the file is no usable video.
    """
    source = probe(file, limits)
    picture = scaled_size(source.width, source.height, source.aspect, short_side=config.short_side, enlarge=config.enlarge)
    canvas = canvas_for(picture, config.short_side)
    fps = config.rate or source.fps
    return CutPlan(source, fps, picture, canvas, STRUCTURES[config.layers], video.start_seconds)


def encode_arguments(plan: CutPlan, video: Video, config: ClipConfig, limits: LimitConfig) -> list[str]:
    """Arguments of an ffmpeg that encodes a video to the contract, on one thread, from INPUT to its output pipe."""
    part: dict[str, float] = {"ss": video.start_seconds} if video.start_seconds else {}
    if video.end_seconds is not None:
        part["t"] = video.end_seconds - video.start_seconds
    # reinit_filter: where the size changes in mid-stream, a new graph would start its clock again; the scaler adapts itself.
    options = {"threads": 1, "max_pixels": limits.max_pixels, "reinit_filter": 0, **part}
    node = ffmpeg.input(**INPUT, **options)["V:0"]
    node = _filters(node, plan)
    node = node.output("pipe:", **_encoder(plan, config))
    # repeat: each line of the log is then about one thing, and can be judged alone.
    return ["-v", "repeat+error", "-filter_complex_threads", "1", *node.get_args()]


def _filters(node: ffmpeg.Stream, plan: CutPlan) -> ffmpeg.Stream:
    picture, (width, height) = plan.picture, plan.canvas
    shrinks = picture.width * picture.height < plan.source.width * plan.source.height
    # area is 19 % cheaper than bicubic from 1080p, but a staircase when it enlarges.
    flags = ("area" if shrinks else "bicubic") + "+accurate_rnd+bitexact"
    node = node.filter("setpts", "PTS-STARTPTS").filter("fps", fps=_text(plan.fps), round="near")
    node = node.filter("scale", picture.width, picture.height, flags=flags, out_range="tv", out_color_matrix="bt601")
    node = node.filter("format", "yuv420p").filter("setsar", 1)
    if (picture.width, picture.height) != plan.canvas:
        node = node.filter("pad", width, height, 0, 0)
        node = node.filter("fillborders", right=width - picture.width, bottom=height - picture.height, mode="smear")
    tags = {"range": "tv", "colorspace": "smpte170m", "color_primaries": "unknown", "color_trc": "unknown"}
    return node.filter("setparams", **tags)


def _encoder(plan: CutPlan, config: ClipConfig) -> dict[str, str | int]:
    x264 = {"open-gop": 0, "threads": 1, "lookahead-threads": 1, "cpu-independent": 1, "bframes": plan.structure.num_b}
    tune = {"tune": "fastdecode"} if config.fastdecode else {}
    return {
        "vcodec": "libx264",
        "preset": config.preset,
        **tune,
        "crf": config.crf,
        "pix_fmt": "yuv420p",
        "profile:v": "high",
        "refs": 1,
        "g": config.gop,
        "keyint_min": config.gop,
        "sc_threshold": 0,
        "x264-params": ":".join(f"{key}={value}" for key, value in x264.items()),
        "fps_mode": "passthrough",
        "enc_time_base": _text(1 / plan.fps),
        "map_metadata": -1,
        # Chapters would become a text track beside the video.
        "map_chapters": -1,
        "movflags": plan.structure.movflags,
        "fflags": "+bitexact",
        "flags:v": "+bitexact",
        "format": "mp4",
    }


def _fragments(stream: IO[bytes]) -> Iterator[bytes]:
    """The init segment, then every whole fragment, as they leave the encoder."""
    init, moof = b"", b""
    while (box := _read_box(stream)) is not None:
        kind = box[4:8]
        if kind == b"moof":
            moof = box
        elif kind == b"mdat":
            yield moof + box
        else:
            init += box
            if kind == b"moov":
                yield init


def _read_box(stream: IO[bytes]) -> bytes | None:
    """The next whole box; None at the end, where a half-written one is left out."""
    header = stream.read(8)
    if len(header) < 8:  # noqa: PLR2004 - size and kind
        return None
    (size,) = struct.unpack_from(">I", header)
    body = stream.read(size - 8)
    return header + body if len(body) == size - 8 else None


def _clips(fragments: Iterator[bytes], plan: CutPlan, config: ClipConfig) -> Iterator[EncodedClip | DroppedTail]:
    init = next(fragments, b"")
    per_clip = plan.gops_per_clip(config)
    number, first_frame, group = 0, 0, list[bytes]()
    for fragment in fragments:
        group.append(fragment)
        if len(group) == per_clip:
            clip = _clip(init, group, plan, config, number, first_frame)
            yield clip
            number, first_frame, group = number + 1, first_frame + clip.num_frames, []
    if not group:
        return
    clip = _clip(init, group, plan, config, number, first_frame)
    seconds = float(clip.num_frames / plan.fps)
    is_short = number > 0 and seconds < config.min_seconds
    yield DroppedTail(clip.num_frames, seconds) if is_short else clip


def _clip(init: bytes, group: list[bytes], plan: CutPlan, config: ClipConfig, number: int, first_frame: int) -> EncodedClip:
    parts, fragments, keyframes = [init], list[Fragment](), list[Keyframe]()
    offset, frame, start = len(init), 0, decode_time(group[0])
    for data in group:
        rebased = rebase(data, start)
        pictures = packets(rebased)
        fragments.append(Fragment(frame, offset, len(rebased)))
        keyframes.append(Keyframe(frame, offset + pictures[0].offset, pictures[0].size))
        parts.append(rebased)
        offset, frame = offset + len(rebased), frame + len(pictures)
    return EncodedClip(
        mp4=b"".join(parts),
        init_size=len(init),
        fragments=tuple(fragments),
        keyframes=tuple(keyframes),
        num_frames=frame,
        fps=plan.fps,
        width=plan.canvas[0],
        height=plan.canvas[1],
        picture=plan.picture,
        structure=plan.structure.name,
        gop=config.gop,
        clip_in_video=number,
        start_seconds=plan.start_seconds + float(first_frame / plan.fps),
        end_seconds=plan.start_seconds + float((first_frame + frame) / plan.fps),
        source_width=plan.source.width,
        source_height=plan.source.height,
        has_audio=bool(plan.source.audio_codecs),
    )


def _check_end(child: Child, num_frames: int, source: Source) -> None:
    """Nothing after a clean end.

    ffmpeg conceals damage and ends with status 0, but says so at level `error`; on the undamaged real videos tried it
    says nothing there. So any word means that frames are missing or were guessed, but for those of an audio decoder, which
    the demuxer runs to learn the audio's form.
    """
    about_audio = tuple(f"[{name} @ " for name in sorted(source.audio_codecs))
    words = "\n".join(line for line in child.words.splitlines() if not line.startswith(about_audio))
    if num_frames == 0:
        raise DecodeError("no_frames", f"not one frame could be decoded (ffmpeg's status {child.status})", tail(words))
    if "partial file" in words or "Truncating packet" in words:
        raise DecodeError("truncated", f"the file ends in the middle of its stream, after {num_frames} frames", tail(words))
    if child.status or words.strip():
        raise DecodeError("decoder_error", f"damaged frames among the {num_frames} that came out", tail(words))


def _text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
