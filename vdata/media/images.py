"""A sequence of image files as one file that ffmpeg reads as a video: the same bytes, packet by packet, in a MOV.

So frame folders, single pictures and tracklets of crops go through the same transcode as videos, under the same limits. Nothing
is decoded here: an image that is broken behind its first bytes is one damaged frame. One that is empty, or of another format,
fails the sequence: no packet can stand for it, and without it the frames behind it would have the boxes and labels of others.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import IO

import av
import av.error
from PIL import Image, UnidentifiedImageError

from vdata.errors import OpenError

__all__ = ["IMAGE_EXTENSIONS", "Images", "join_images"]

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".png"})
"""Extensions of the images that are read, lower case."""

_CODECS = {b"\xff\xd8\xff": "mjpeg", b"\x89PNG\r\n\x1a\n": "png"}
"""libavcodec's name by an image's first bytes: the formats that a MOV may hold."""
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap the sides. ffmpeg turns the picture by the same tag."""


@dataclass(frozen=True, slots=True)
class Images:
    """What a sequence of images is, by its first."""

    codec: str
    width: int
    """As coded, before any turn, in pixels."""
    height: int
    is_turned: bool
    """Whether it is shown turned by a quarter."""
    rate: Fraction
    """Images a second."""
    count: int


def join_images(images: Iterable[tuple[str, bytes]], rate: Fraction) -> tuple[IO[bytes], Images]:
    """A temporary file without a name that holds the images as a video of that rate, at its start, and what it is.

    Args:
        images: name and bytes of each, in order. All have one format, JPEG or PNG; sizes may differ.
        rate: images a second.

    Raises:
        OpenError: `empty`, `not_image`, `mixed_formats`, `too_large` or `no_frames`.
    """
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        try:
            found = _write(file, images, rate)
        except av.error.FFmpegError as error:  # a full disk is an OSError of Python's own
            raise OpenError("not_image", f"the images cannot be joined as a video of {rate} a second: {error}") from error
        file.seek(0)
        stack.pop_all()
    return file, found


def _write(file: IO[bytes], images: Iterable[tuple[str, bytes]], rate: Fraction) -> Images:
    first, count = None, 0
    with av.open(file, "w", format="mov") as container:
        for name, data in images:
            if not data:
                raise OpenError("empty", f"'{name}' has no bytes")
            if first is None:
                first = _described(name, data, rate)
                stream = container.add_mux_stream(first.codec, rate=rate, width=first.width, height=first.height)
            elif not data.startswith(_magic(first.codec)):
                raise OpenError("mixed_formats", f"'{name}' is not of the first image's format ({first.codec}), as all must be")
            packet = av.Packet(data)
            packet.pts = packet.dts = count
            packet.duration, packet.time_base, packet.stream, packet.is_keyframe = 1, 1 / rate, stream, True
            container.mux(packet)
            count += 1
        if first is None:
            raise OpenError("no_frames", "the sequence has not one image")
    return Images(first.codec, first.width, first.height, first.is_turned, rate, count)


def _described(name: str, data: bytes, rate: Fraction) -> Images:
    codec = next((codec for magic, codec in _CODECS.items() if data.startswith(magic)), "")
    if not codec:
        raise OpenError("not_image", f"'{name}' is no JPEG or PNG picture")
    with warnings.catch_warnings():
        # Of a picture's size, where the limit of this package is limit.max_pixels; and of EXIF that is broken, in nobody's way.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            with Image.open(io.BytesIO(data)) as image:
                turned = image.getexif().get(_ORIENTATION) in _TURNED
                return Images(codec, *image.size, turned, rate, 0)
        except Image.DecompressionBombError as error:
            raise OpenError("too_large", f"'{name}': {error}") from error
        except (OSError, ValueError, SyntaxError) as error:
            # Pillow's own words are of an address in memory.
            why = "it is cut off or broken" if isinstance(error, UnidentifiedImageError) else error
            raise OpenError("not_image", f"'{name}' begins as {codec}, but its header cannot be read: {why}") from error


def _magic(codec: str) -> bytes:
    return next(magic for magic, name in _CODECS.items() if name == codec)
