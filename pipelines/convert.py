"""Decoded frames to RGB: whole pictures as PyAV converts them, or a crop scaled on its way, which never converts the rest.

The second is the CPU's shortcuts, `scale` and `blur`. The planes of the crop, views of the decoder's memory, are scaled as they
are and become colours at the end, all frames in one call, with whatever the sample's colours are. A blur is OpenCV's: bytes
differ by 1 at most from those of the graph's node. `vdata bench --only shortcuts` measures what each of them saves.

How far the shortcut is from the graph's resize: random crops of 42 real videos at 256 pixels, to 112x112, in steps of 1/255.
Mean 1.0 (1.7 in the worst video), 99.9th percentile 7 (36 on colour bars), largest 50. Most of the mean is a bias of 0.7, 1.2,
0.8 (red, green, blue), and it is the graph's: PyAV's conversion of whole frames is darker than exact BT.601 arithmetic on the
decoded planes by 0.8, 1.15, 0.85, while the shortcut is within 0.1 of it (0.4 in the worst video), and 0.35 off on average.
The large differences lie where colours are outside of RGB's gamut, which are clipped before the resize there and after it
here; then at the crop's border, over which the graph's filter reaches; then at edges of chroma, which is scaled as it is
stored here and doubled first there: coloured noise of 4 pixels, enlarged, differs by 3.5 on average.
"""

from __future__ import annotations

import threading
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from pipelines.views import Finish

__all__ = ["Converter", "ScaledPictures", "WholePictures", "blur_window"]

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float32]

_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""A triangle filter, as wide as the reduction; exact rounding, the same on every CPU, for no more time."""
_TO_RGB = np.array(
    [
        [255 / 219, 0.0, 1.402 * 255 / 224],
        [255 / 219, -0.344136 * 255 / 224, -0.714136 * 255 / 224],
        [255 / 219, 1.772 * 255 / 224, 0.0],
    ]
)
"""From Y - 16, Cb - 128, Cr - 128 of limited range. Source: ITU-R BT.601; clips are tagged so."""
_ZERO = np.array([16.0, 128.0, 128.0])


class Converter:
    """What a thread keeps to convert with: a converter set up anew for each frame takes 6 ms a window in place of 1 to 2."""

    def __init__(self) -> None:
        """Sets nothing up yet."""
        self._own = threading.local()

    def rgb(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame as rgb24, bit for bit as PyAV's `to_ndarray(format="rgb24")` has it."""
        return self._reformatter("rgb").reformat(frame, format="rgb24", threads=1)

    def scaled(self, planes: tuple[Pixels, ...], size: tuple[int, int]) -> av.VideoFrame:
        """A picture of yuv420p planes (H, W), which may be views, at `size`, as yuv444p."""
        # The planes are not copied. As three gray pictures they took 1.2 ms a window in place of 0.8.
        picture = av.VideoFrame.from_dlpack(planes, format="yuv420p")
        return self._reformatter("scaled").reformat(
            picture, width=size[1], height=size[0], format="yuv444p", interpolation=_SCALING, threads=1
        )

    def _reformatter(self, kind: str) -> VideoReformatter:
        kept: dict[str, VideoReformatter] | None = getattr(self._own, "kept", None)
        if kept is None:
            kept = self._own.kept = {}
        if kind not in kept:
            kept[kind] = VideoReformatter()
        return kept[kind]


class WholePictures:
    """The pictures of a window, uint8 (T, H, W, 3), cut to the picture rectangle."""

    def __init__(self, converter: Converter, num_frames: int, picture: tuple[int, int, int, int]) -> None:
        """Makes room for `num_frames` pictures of `picture` (x, y, width, height)."""
        self._converter, self._picture = converter, picture
        self._pixels = np.empty((num_frames, picture[3], picture[2], 3), np.uint8)

    def put(self, frame: av.VideoFrame, slots: list[int]) -> None:
        """Writes a frame to its places in the window."""
        x, y, width, height = self._picture
        rgb = self._converter.rgb(frame)
        rows = _rows(rgb.planes[0])
        for slot in slots:
            self._pixels[slot] = rows[y : y + height, 3 * x : 3 * (x + width)].reshape(height, width, 3)

    def take(self) -> Pixels:
        """The pictures."""
        return self._pixels


class ScaledPictures:
    """The crops of a window, scaled: uint8 (T, h, w, 3)."""

    def __init__(self, converter: Converter, num_frames: int, corner: tuple[int, int], finish: Finish) -> None:
        """Makes room for `num_frames` crops of pictures whose upper left `corner` (x, y) in the coded frame is given."""
        self._converter, self._size, self._sigma = converter, finish.size, finish.sigma
        x, y = corner
        x0, y0, x1, y1 = (int(value) for value in finish.box)
        self._box = x + x0, y + y0, x + x1, y + y1
        self._planes = np.empty((3, num_frames, *finish.size), np.uint8)
        self._matrix = _colour_matrix(finish.colour)

    def put(self, frame: av.VideoFrame, slots: list[int]) -> None:
        """Writes a frame's crop to its places in the window."""
        x0, y0, x1, y1 = self._box
        luma, *chroma = (_rows(plane) for plane in frame.planes)
        crop = luma[y0:y1, x0:x1], *(plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] for plane in chroma)
        for number, plane in enumerate(self._converter.scaled(crop, self._size).planes):
            rows = _rows(plane)[:, : self._size[1]]
            for slot in slots:
                self._planes[number, slot] = rows

    def take(self) -> Pixels:
        """The crops."""
        num_frames, (height, width) = self._planes.shape[1], self._size
        joined = cv2.merge([plane.reshape(num_frames * height, width) for plane in self._planes])
        pixels: Pixels = cv2.transform(joined, self._matrix).reshape(num_frames, height, width, 3)
        if self._sigma:
            window = blur_window(self._size)
            for frame in pixels:
                cv2.GaussianBlur(frame, (window, window), self._sigma, dst=frame, borderType=cv2.BORDER_REFLECT_101)
        return pixels


def blur_window(size: tuple[int, int]) -> int:
    """Pixels of the blur's window. Source: SimCLR's code, the height divided by 10, made odd."""
    return size[0] // 10 | 1


def _rows(plane: Any) -> Pixels:  # noqa: ANN401 - PyAV's plane; its buffer is what is meant
    """A plane's memory as (H, line size)."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)


def _colour_matrix(colour: Matrix | None) -> npt.NDArray[np.float64]:
    """(3, 4) from Y, Cb, Cr of limited range to RGB in [0, 255], and from there on through `colour`."""
    matrix: npt.NDArray[np.float64] = np.concatenate([_TO_RGB, (-_TO_RGB @ _ZERO)[:, None]], axis=1)
    if colour is None:
        return matrix
    total: npt.NDArray[np.float64] = colour[:, :3].astype(np.float64) @ matrix
    total[:, 3] += colour[:, 3]
    return total
