"""Files that name others: playlists, scripts, references; their reader would open what they name."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from _boxes import box, edit, full, png
from _table import Bait, add, entry, plain, write

_HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n{more}#EXTINF:10.0,\n{target}\n#EXT-X-ENDLIST\n"
_DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" codecs="avc1.640028">'
    "<BaseURL>{target}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>"
)
_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
_IMF = (
    '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Id>urn:uuid:1</Id>'
    "<EditRate>24 1</EditRate><SegmentList><Resource><TrackFileId>{target}</TrackFileId></Resource></SegmentList>"
    "</CompositionPlaylist>"
)
_SCRIPTS: dict[str, Callable[[str], str]] = {
    "m3u8": lambda target: _HLS.format(target=target, more=""),
    "m3u8-key": lambda target: _HLS.format(target=target, more=f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n'),
    "m3u8-map": lambda target: _HLS.format(target=target, more=f'#EXT-X-MAP:URI="{target}"\n'),
    "m3u8-concat": lambda target: _HLS.format(target=f"concat:{target}|{target}", more=""),
    "m3u8-master": lambda target: f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
    "ffconcat": lambda target: f"ffconcat version 1.0\nfile '{target}'\nduration 1\n",
    "dash": lambda target: _DASH.format(target=target),
    "imf": lambda target: _IMF.format(target=target),
    "edl": lambda target: f"# mpv EDL v0\n{target},0,10\n",
    "asx": lambda target: f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "reference": lambda target: f"[Reference]\nRef1={target}\nRef2={target}\n",
    "vobsub": lambda target: f"# VobSub index file, v7 (do not modify this line!)\n# {target}\nid: en, index: 0\ntimestamp: 0\n",
    "avisynth": lambda target: f'AVISource("{target}")\n',
    "smil": lambda target: f'<smil><body><video src="{target}"/></body></smil>',
    "rtsp": lambda target: f"rtsptext\n{target}\n",
    "subfile": lambda target: _HLS.format(target=f"subfile,,start,0,end,100,,:{target}", more=""),
    "ffmetadata": lambda target: f";FFMETADATA1\ntitle={target}\n",
}
_SCRIPT_NAMES = (".mp4", ".ts", ".mkv", ".avi", ".mov")

for _number, (_name, _script) in enumerate(_SCRIPTS.items()):
    _extension = _SCRIPT_NAMES[_number % len(_SCRIPT_NAMES)]
    add(f"{_name}-file", _extension, lambda bait, script=_script: script(str(bait.canary)).encode())
    add(f"{_name}-url", _extension, lambda bait, script=_script: script(bait.url).encode())
    add(f"{_name}-uri", _extension, lambda bait, script=_script: script(bait.canary.as_uri()).encode())
for _extension in _SCRIPT_NAMES:
    add(f"m3u8-as-{_extension[1:]}", _extension, lambda bait: _SCRIPTS["m3u8"](str(bait.canary)).encode())
add("sdp", ".mp4", lambda bait: _SDP.format(port=bait.url.rpartition(":")[2].split("/")[0]).encode())


@entry("image-pattern")
def _image_pattern(path: Path, bait: Bait) -> None:
    """A name that ffmpeg would expand, and the pictures that it would find."""
    for number in range(3):
        write(path, f"-{number:03d}.png", b"not even a picture")
    write(path, "-%03d.mp4", png(16, 16))


def _data_reference(kind: bytes, body: bytes) -> bytes:
    """The plain MP4, whose media is said to lie in another file."""
    entry = box(kind, body)
    return edit(plain(), (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"), lambda _: full(1) + entry)


add("dref-url", ".mov", lambda bait: _data_reference(b"url ", full() + bait.canary.as_uri().encode() + b"\0"))
add("dref-http", ".mov", lambda bait: _data_reference(b"url ", full() + bait.url.encode() + b"\0"))
add("dref-urn", ".mp4", lambda bait: _data_reference(b"urn ", full() + b"x\0" + bait.url.encode() + b"\0"))


def _alias(target: Path) -> bytes:
    """A QuickTime alias record (version 2) with the file's name, and its absolute path as entry 18 and as entry 2."""
    name = target.name.encode()[:63]
    record = struct.pack(">4xHH", 150, 2) + bytes([0, 4]) + b"disk".ljust(27, b"\0") + bytes(8)
    record += bytes([len(name)]) + name.ljust(63, b"\0")
    record = record.ljust(150, b"\0")
    path = os.fsencode(target)
    for kind in (2, 18):
        record += struct.pack(">HH", kind, len(path)) + path + bytes(len(path) % 2)
    return full() + record + struct.pack(">HH", 0xFFFF, 0)


add("dref-alias", ".mov", lambda bait: _data_reference(b"alis", _alias(bait.canary)))
add("rmra", ".mov", lambda bait: box(b"ftyp", b"qt  " * 3) + box(b"moov", box(b"rmra", box(b"rmda", _redirect(bait)))))


def _redirect(bait: Bait) -> bytes:
    url = bait.url.encode() + b"\0"
    return box(b"rdrf", full() + b"url " + struct.pack(">I", len(url)) + url)
