"""Hostile files from a seed: damaged copies of sound videos, and makers of every special trick in `_tricks`."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from _tricks import TRICKS, Bait
from _videos import CONTAINERS, video

__all__ = ["NAMES", "damaged", "hostile_folder", "sound_videos"]

LARGEST_REAL_BYTES = 450_000
"""Of a real video that is taken: larger ones only take longer."""
HEADER_BYTES = 2048
SETTLED = ("empty", "text", "m3u8-file", "m3u8-url", "one-frame", "size-100000-png", "size-100000-avi", "size-h264")
"""Tricks that every run has, however few files it makes."""
SHARE_DAMAGED = 0.45
"""Of the files that are not settled."""

NAMES: tuple[bytes, ...] = (
    b"two  blanks .mp4",
    b"'single' \"double\" `back`.mp4",
    b"-i.mp4",
    b"--.mkv",
    b"-y -f null.mp4",
    "\N{FILM FRAMES}\N{VARIATION SELECTOR-16}\N{CAT FACE}.mp4".encode(),
    b"line\nbreak\r\n.mp4",
    b"tab\tbell\a\x1b[31m.mp4",
    b"x" * 246 + b".mp4",
    "\N{HIRAGANA LETTER A}".encode() * 82 + b".mp4",
    b"not-utf8-\xff\xfe\x80.mp4",
    b"latin1-\xe9t\xe9.mkv",
    b"half-\xf0\x9f.mp4",
    b"back\\slash\\..\\x.mp4",
    b"$(touch pwned);touch pwned;|touch pwned&.mp4",
    b"%s%n%d-%05d.mp4",
    b"star*[a-z]?{1,2}.mp4",
    b"concat:a.mp4|b.mp4",
    b"subfile,,start,0,end,100,,:a.mp4",
    b"file:a.mp4",
    b"pipe:0.mp4",
    b"data:video;base64,AAAA.mp4",
    b"http:127.0.0.1.mp4",
    b"~.mp4",
    b"..two.mp4",
    b"dots.in.the.name.tar.mp4",
    b"UPPER.MP4",
    b"a b.mp4",
    b"a_b.mp4",
    "\N{LATIN SMALL LETTER E WITH ACUTE}.mp4".encode(),
    "e\N{COMBINING ACUTE ACCENT}.mp4".encode(),
    "\N{RIGHT-TO-LEFT OVERRIDE}4pm.mp4".encode(),
    b"#comment;semi=equal,comma:colon.mp4",
    b"nul\x01control\x7f.mp4",
)
"""Names of sound videos, all of which must be built; some would be one key if keys were only made safe."""

Damage = Callable[[random.Random, bytearray], bytes]


def _truncated(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _header_cut(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.randrange(min(len(data), HEADER_BYTES))])


def _flips(rng: random.Random, data: bytearray, places: int) -> bytes:
    for _ in range(round(10 ** rng.uniform(0, 3))):
        data[rng.randrange(places)] = rng.randrange(256)
    return bytes(data)


def _flips_anywhere(rng: random.Random, data: bytearray) -> bytes:
    return _flips(rng, data, len(data))


def _flips_at_the_start(rng: random.Random, data: bytearray) -> bytes:
    return _flips(rng, data, min(len(data), HEADER_BYTES))


def _flips_at_the_end(rng: random.Random, data: bytearray) -> bytes:
    """An MP4 that was not rearranged has its index there."""
    turned = bytearray(reversed(data))
    return bytes(reversed(_flips(rng, turned, min(len(data), HEADER_BYTES))))


def _single_bits(rng: random.Random, data: bytearray) -> bytes:
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _inserted(rng: random.Random, data: bytearray) -> bytes:
    place = rng.randrange(len(data))
    return bytes(data[:place]) + rng.randbytes(rng.randint(1, 5000)) + bytes(data[place:])


def _deleted(rng: random.Random, data: bytearray) -> bytes:
    place = rng.randrange(len(data))
    return bytes(data[:place] + data[place + rng.randint(1, 5000) :])


def _zeroed(rng: random.Random, data: bytearray) -> bytes:
    place = rng.randrange(len(data))
    run = min(rng.randint(1, 20000), len(data) - place)
    data[place : place + run] = bytes(run)
    return bytes(data)


def _swapped(rng: random.Random, data: bytearray) -> bytes:
    place = rng.randrange(len(data))
    return bytes(data[place:] + data[:place])


def _repeated(rng: random.Random, data: bytearray) -> bytes:
    place = rng.randrange(len(data))
    return bytes(data[:place]) + bytes(data[place : place + 3000]) * rng.randint(2, 50) + bytes(data[place:])


def _joined(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data) * rng.randint(2, 3)


DAMAGES: tuple[Damage, ...] = (
    _truncated,
    _header_cut,
    _flips_anywhere,
    _flips_at_the_start,
    _flips_at_the_end,
    _single_bits,
    _inserted,
    _deleted,
    _zeroed,
    _swapped,
    _repeated,
    _joined,
)


def sound_videos(real: Path | None) -> dict[str, bytes]:
    """Undamaged videos by their names: one in each container, and small real ones where there are any."""
    made = {f"made{extension}": video(extension, seed=number) for number, extension in enumerate(CONTAINERS)}
    if real is None:
        return made
    paths = sorted(path for path in (real / "good").rglob("*.*") if path.stat().st_size <= LARGEST_REAL_BYTES)
    return made | {path.name: path.read_bytes() for path in paths}


def damaged(rng: random.Random, sound: Mapping[str, bytes]) -> tuple[str, str, bytes]:
    """What was done, the extension, and the bytes of a damaged video; one in eight has another's extension."""
    damage = rng.choice(DAMAGES)
    name = rng.choice(sorted(sound))
    extension = os.path.splitext(name if rng.random() > 1 / 8 else rng.choice(sorted(sound)))[1]  # noqa: PTH122 - a name alone
    return damage.__name__.strip("_"), extension, damage(rng, bytearray(sound[name]))


def hostile_folder(folder: Path, count: int, seed: int, sound: Mapping[str, bytes], bait: Bait) -> None:
    """Fills a folder with `count` hostile files, odd names and entries that are no files among them."""
    rng = random.Random(seed)
    others = [name for name in TRICKS if name not in SETTLED]
    tricks = [*SETTLED, *rng.sample(others, min(len(others), round((count - len(SETTLED)) * (1 - SHARE_DAMAGED))))]
    places = [folder / name for name in ("", "a", "b b", "c/d")]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    for number, trick in enumerate(tricks):
        TRICKS[trick](rng.choice(places) / f"{number:03d}-{trick}", bait)
    for number in range(len(tricks), count):
        what, extension, data = damaged(rng, sound)
        (rng.choice(places) / f"{number:03d}-{what}{extension}").write_bytes(data)


def odd_names(folder: Path) -> None:
    """Sound videos under every odd name."""
    content = video(".mp4", num_frames=6)
    folder.mkdir()
    for name in NAMES:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:  # noqa: PTH118, PTH123 - names of any bytes
            file.write(content)
