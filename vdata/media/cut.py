"""One encode of a video gives all its clips.

The encoder writes fragmented MP4 to a pipe, one fragment a GOP. A clip is a run of whole fragments behind a copy of
the stream's init, with its times moved to 0: no second encode, no file on disk, and memory for one clip at a time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import IO

import ffmpeg

from vdata.errors import DecodeError, MediaError, OpenError
from vdata.media.canvas import canvas_for, scaled_size
from vdata.media.clip import EncodedClip
from vdata.media.config import ClipConfig, LimitConfig
from vdata.media.encoder import P_ONLY, output_options
from vdata.media.ffmpeg import INPUT, Child, SidePipe, running, tail
from vdata.media.fragments import fragments_in_step
from vdata.media.mp4 import decode_time, packets, rebase
from vdata.media.origin import Origin
from vdata.media.probe import Source, probe
from vdata.media.source import SourceFile, open_video
from vdata.media.structure import STRUCTURES, Structure
from vdata.media.url import Root
from vdata.records import Fragment, Keyframe, Picture, Video, printable

__all__ = ["CutPlan", "DroppedTail", "Part", "cut", "encode_arguments", "has_exact_times", "plan_cut"]

_Group = tuple[bytes, ...]
"""The init, or one fragment, of every stream that the encoder writes: the clips', and the P-only one if there is one."""
_MOV_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_EBML = b"\x1aE\xdf\xa3"
_LEAD = 16
"""Frames that a part of a film decodes before its own, so that the rate filter has what it may need to repeat."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several tasks that share a film. They cut it on one grid of frames: no frame is lost or twice where they meet.

    With `clip.fps` a source frame halfway between two of the grid may fall to the one or the other.
    """

    number: int = 0
    num_parts: int = 1
    seconds: float = math.inf
    """Length of a part; the whole number of clips nearest to it is taken. The last part goes to the film's end."""


WHOLE = Part()
"""A film that one task cuts."""


@dataclass(frozen=True, slots=True)
class DroppedTail:
    """The end of a film that was shorter than `clip.min_seconds`."""

    num_frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CutPlan:
    """What is fixed for all clips of one video before the encoder starts."""

    origin: Origin
    source: Source
    fps: Fraction
    picture: Picture
    canvas: tuple[int, int]
    structure: Structure
    part: Part = WHOLE
    jumps: bool = False
    """Whether the decoder starts close to the part; otherwise it decodes the film from its start, and drops what is before."""
    p_only: bool = False
    """Whether the frames are encoded a second time, P-only, for their motion."""

    @property
    def start_seconds(self) -> float:
        """Where the wanted part of the video starts in the source."""
        return self.origin.video.start_seconds

    def first_frame(self, config: ClipConfig) -> int:
        """The first frame of the part, counted in the whole film."""
        return self.part.number * (self.num_frames(config) or 0)

    def num_frames(self, config: ClipConfig) -> int | None:
        """Frames of a part that is followed by another; None for a whole film."""
        if self.part.num_parts == 1:
            return None
        per_clip = self.gops_per_clip(config) * config.gop
        return per_clip * max(1, round(Fraction(self.part.seconds) * self.fps / per_clip))

    def gops_per_clip(self, config: ClipConfig) -> int:
        """The whole number of GOPs nearest to the wanted length, at least one."""
        return max(1, round(Fraction(config.seconds) * self.fps / config.gop))


def cut(
    root: Root,
    video: Video,
    config: ClipConfig,
    limits: LimitConfig,
    part: Part = WHOLE,
    opened: AbstractContextManager[SourceFile] | None = None,
    *,
    with_motion: bool = True,
) -> Iterator[EncodedClip | DroppedTail]:
    """The clips of one video, or of a part of it, in order, and its dropped tail if it has one.

    `opened` is its file, where that has been fetched ahead (see `prefetched`). `with_motion` says whether `EncodedClip.motion`
    will be asked for: a structure with B pictures then costs a second encode.

    Raises:
        OpenError: the file is no usable video; nothing was yielded.
        DecodeError: the stream is damaged; what was whole has been yielded before.
        MediaError: a limit of time or memory was reached.
    """
    if video.end_seconds is not None and video.end_seconds <= video.start_seconds:
        wanted = f"from {video.start_seconds} to {video.end_seconds} s"
        raise OpenError("empty_span", f"the wanted part of '{printable(video.source)}', {wanted}, has no length")
    with opened or open_video(root, video, limits) as file:
        plan = plan_cut(Origin(root, video, limits, file), config, part, with_motion=with_motion)
        try:
            yield from _encoded(plan, config)
        except _BadStartError:
            yield from _encoded(replace(plan, jumps=False), config)


class _BadStartError(Exception):
    """A decoder that was sent into the middle of a film complains before it has given a clip."""


def plan_cut(origin: Origin, config: ClipConfig, part: Part = WHOLE, *, with_motion: bool = True) -> CutPlan:
    """Sizes, rate and structure for an open video, by one pass over its packets.

    Raises:
        OpenError: the file is no usable video.
    """
    source = probe(origin.cut_file, origin.limits)
    picture = scaled_size(source.width, source.height, source.aspect, short_side=config.short_side, enlarge=config.enlarge)
    canvas = canvas_for(picture, config.short_side)
    fps = config.rate or source.fps
    jumps = part.number > 0 and has_exact_times(origin.cut_file)
    structure = STRUCTURES[config.layers]
    p_only = with_motion and structure.num_b > 0
    return CutPlan(origin, source, fps, picture, canvas, structure, part, jumps, p_only)


def _encoded(plan: CutPlan, config: ClipConfig) -> Iterator[EncodedClip | DroppedTail]:
    num_frames = 0
    with _encoding(plan, config) as (child, streams):
        for item in _clips(fragments_in_step(streams), plan, config):
            # An open GOP, or a packet that needs the one before the jump: not the film's fault.
            if not num_frames and plan.jumps and child.has_spoken():
                raise _BadStartError
            num_frames += item.num_frames
            yield item
    if not num_frames and plan.jumps and child.words:
        raise _BadStartError
    _check_end(child, num_frames, plan)


@contextmanager
def _encoding(plan: CutPlan, config: ClipConfig) -> Iterator[tuple[Child, Sequence[IO[bytes]]]]:
    """The running encoder, and what it writes: the clips' stream and, where the plan says so, the P-only one."""
    limits, file = plan.origin.limits, plan.origin.cut_file
    if not plan.p_only:
        with running(encode_arguments(plan, config), limits, file) as child:
            yield child, (child.stdout,)
        return
    with SidePipe() as side, running(encode_arguments(plan, config, side.url), limits, file, side) as child:
        yield child, (child.stdout, side.stream)


def encode_arguments(plan: CutPlan, config: ClipConfig, p_only_url: str = "") -> list[str]:
    """Arguments of an ffmpeg that encodes a video to the contract, on one thread an encode, from INPUT to its output pipe.

    With `p_only_url` it encodes the same frames a second time, P-only, and writes them there.
    """
    begin = _seek_seconds(plan, config)
    span: dict[str, float] = {"ss": begin} if begin else {}
    video, limits = plan.origin.video, plan.origin.limits
    if video.end_seconds is not None:
        # ffmpeg refuses a span of no length; a part behind the film's end shall come out empty.
        span["t"] = max(video.end_seconds - begin, 1e-3)
    # reinit_filter: where the size changes in mid-stream, a new graph would start its clock again; the scaler adapts itself.
    options = {"threads": 1, "max_pixels": limits.max_pixels, "reinit_filter": 0, **span}
    node = ffmpeg.input(**INPUT, **options)["V:0"]
    node = _filters(_timed(node, plan, config), plan)
    length = _length(plan, config)
    if p_only_url:
        frames = node.split()
        clips = frames[0].output("pipe:", **output_options(plan.structure, config, plan.fps), **length)
        node = ffmpeg.merge_outputs(clips, frames[1].output(p_only_url, **output_options(P_ONLY, config, plan.fps), **length))
    else:
        node = node.output("pipe:", **output_options(plan.structure, config, plan.fps), **length)
    # repeat: each line of the log is then about one thing, and can be judged alone.
    return ["-v", "repeat+error", "-filter_complex_threads", "1", *node.get_args()]


def has_exact_times(file: SourceFile) -> bool:
    """Whether it is an MP4, MOV, Matroska or WebM: elsewhere a jump lands near a time, not at it (seen: MPEG-PS, packed AVI)."""
    head = os.pread(file.file.fileno(), 8, 0)
    return head[4:] in _MOV_BOXES or head[:4] == _EBML


def _seek_seconds(plan: CutPlan, config: ClipConfig) -> float:
    """Where the decoder starts, in seconds of the source."""
    first = plan.first_frame(config)
    if not plan.jumps:
        return plan.start_seconds
    # Half a frame before the first one wanted. Only a film that is wanted from its start is divided (vdata/builder/plan.py).
    origin = Fraction(plan.source.first_seconds).limit_denominator(10**6)
    return float(origin + (first - min(first, _LEAD) - Fraction(1, 2)) / plan.fps)


def _timed(node: ffmpeg.Stream, plan: CutPlan, config: ClipConfig) -> ffmpeg.Stream:
    """Frames at the clip's constant rate, the first at time 0."""
    first = plan.first_frame(config)
    if plan.jumps:
        node = node.filter("setpts", f"PTS-{_text(1 / (2 * plan.fps))}/TB")
        node = node.filter("fps", fps=_text(plan.fps), round="near", start_time=0)
        return node.filter("trim", start_frame=min(first, _LEAD)).filter("setpts", "PTS-STARTPTS")
    node = node.filter("setpts", "PTS-STARTPTS").filter("fps", fps=_text(plan.fps), round="near")
    return node.filter("trim", start_frame=first).filter("setpts", "PTS-STARTPTS") if first else node


def _length(plan: CutPlan, config: ClipConfig) -> dict[str, int]:
    """The option that ends a part where the next one begins."""
    num_frames, part = plan.num_frames(config), plan.part
    is_last = part.number == part.num_parts - 1
    return {} if num_frames is None or is_last else {"frames:v": num_frames}


def _filters(node: ffmpeg.Stream, plan: CutPlan) -> ffmpeg.Stream:
    picture, (width, height) = plan.picture, plan.canvas
    shrinks = picture.width * picture.height < plan.source.width * plan.source.height
    # area is 19 % cheaper than bicubic from 1080p, but a staircase when it enlarges.
    flags = ("area" if shrinks else "bicubic") + "+accurate_rnd+bitexact"
    node = node.filter("scale", picture.width, picture.height, flags=flags, out_range="tv", out_color_matrix="bt601")
    node = node.filter("format", "yuv420p").filter("setsar", 1)
    if (picture.width, picture.height) != plan.canvas:
        node = node.filter("pad", width, height, 0, 0)
        node = node.filter("fillborders", right=width - picture.width, bottom=height - picture.height, mode="smear")
    tags = {"range": "tv", "colorspace": "smpte170m", "color_primaries": "unknown", "color_trc": "unknown"}
    return node.filter("setparams", **tags)


def _clips(groups: Iterator[_Group], plan: CutPlan, config: ClipConfig) -> Iterator[EncodedClip | DroppedTail]:
    """The clips of the init segments and the fragments that follow them."""
    inits = next(groups, ())
    per_clip = plan.gops_per_clip(config)
    first_frame, group = plan.first_frame(config), list[_Group]()
    number = first_frame // (per_clip * config.gop)
    for fragments in groups:
        group.append(fragments)
        if len(group) == per_clip:
            clip = _clip(inits, group, plan, config, number, first_frame)
            yield clip
            number, first_frame, group = number + 1, first_frame + clip.num_frames, []
    if not group:
        return
    clip = _clip(inits, group, plan, config, number, first_frame)
    seconds = float(clip.num_frames / plan.fps)
    is_short = number > 0 and seconds < config.min_seconds
    yield DroppedTail(clip.num_frames, seconds) if is_short else clip


def _clip(
    inits: _Group, group: Sequence[_Group], plan: CutPlan, config: ClipConfig, number: int, first_frame: int
) -> EncodedClip:
    (init, *others), fragments, keyframes = inits, list[Fragment](), list[Keyframe]()
    parts, *beside = (_rebased(stream) for stream in zip(*group, strict=True))
    offset, frame = len(init), 0
    for data in parts:
        pictures = packets(data)
        fragments.append(Fragment(frame, offset, len(data)))
        keyframes.append(Keyframe(frame, offset + pictures[0].offset, pictures[0].size))
        offset, frame = offset + len(data), frame + len(pictures)
    return EncodedClip(
        mp4=b"".join((init, *parts)),
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
        origin=plan.origin,
        p_only=b"".join((*others, *(data for parts in beside for data in parts))),
    )


def _rebased(fragments: Sequence[bytes]) -> list[bytes]:
    """The fragments with the first one's time moved to 0."""
    start = decode_time(fragments[0])
    return [rebase(data, start) for data in fragments]


def _check_end(child: Child, num_frames: int, plan: CutPlan) -> None:
    """Nothing after a clean end.

    ffmpeg conceals damage and ends with status 0, but says so at level `error`; on the undamaged real videos tried it
    says nothing there. So any word means that frames are missing or were guessed, but for those of an audio decoder, which
    the demuxer runs to learn the audio's form.
    """
    about_audio = tuple(f"[{name} @ " for name in sorted(plan.source.audio_codecs))
    words = "\n".join(line for line in child.words.splitlines() if not line.startswith(about_audio))
    # A film may be shorter than it says: then a part of it is empty, if its decoder has no complaint.
    if num_frames == 0 and (plan.part.number == 0 or child.status or words.strip()):
        raise _without_frames(child, words, plan)
    if "partial file" in words or "Truncating packet" in words:
        raise DecodeError("truncated", f"the file ends in the middle of its stream, after {num_frames} frames", tail(words))
    if child.status or words.strip():
        raise DecodeError("decoder_error", f"damaged frames among the {num_frames} that came out", tail(words))


def _without_frames(child: Child, words: str, plan: CutPlan) -> MediaError:
    """Why not one frame came: the wanted span lies where there is none, or the decoder gave none.

    Asked of an encoder that has ended: a container's tables alone are no reason to refuse what might be decoded.
    """
    video, end = plan.origin.video, plan.source.first_seconds + plan.source.duration_seconds
    name, last = printable(plan.origin.cut_file.name), tail(words)
    until = "s on" if video.end_seconds is None else f"to {video.end_seconds:g} s"
    wanted = f"the wanted part, from {video.start_seconds:g} {until},"
    # A decoder that is sent behind the end of an open GOP or a transport stream complains, of nothing that was wanted.
    if video.start_seconds >= end and not child.status:
        return OpenError("empty_span", f"{wanted} begins behind the end of '{name}' ({round(end, 2)} s)", last)
    if (video.start_seconds or video.end_seconds is not None) and not child.status and not words.strip():
        return OpenError("empty_span", f"{wanted} holds not one frame of '{name}' ({round(end, 2)} s)")
    return DecodeError("no_frames", f"not one frame could be decoded (ffmpeg's status {child.status})", last)


def _text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
