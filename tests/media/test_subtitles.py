"""Subtitles: every trap that was met in a file, encodings, streams that ffmpeg has written, and thousands of damaged files."""

import random
import re
import subprocess

import pytest

from vdata.errors import MediaError
from vdata.media.config import LimitConfig
from vdata.media.container import holds_no_text
from vdata.media.ffmpeg import binary
from vdata.media.source import open_source
from vdata.media.subtitles import embedded_subtitles, parse_subtitles, plain_text, read_text

SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,500\nWorld <i>it</i>\nline two\n\n"
VTT = """WEBVTT - a title
Kind: captions
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000

NOTE
a comment
of two lines

STYLE
::cue { color: red }

REGION
id:fred
width:40%

intro
00:01.000 --> 00:02.000 align:start position:0%
<v Fred>Hello &amp; &lt;b&gt;</v> <c.yellow>x</c>

NOTE between

00:00:03.000 --> 00:00:04.500
World
- two
"""
YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:00.320 --> 00:00:02.070 align:start position:0%
 
hello<00:00:00.640><c> my</c><00:00:01.040><c> friends</c>

00:00:02.070 --> 00:00:02.080 align:start position:0%
hello my friends
 

00:00:02.080 --> 00:00:04.000 align:start position:0%
hello my friends
how<00:00:02.400><c> are</c><00:00:02.600><c> you</c>
"""  # noqa: W293 - the lines of one blank are the point
TWO = [(1.0, 2.0, "Hello"), (3.0, 4.5, "World it\nline two")]
TRAPS = {
    "good": (SRT, TWO),
    "crlf": (SRT.replace("\n", "\r\n"), TWO),
    "cr": (SRT.replace("\n", "\r"), TWO),
    "empty": ("", []),
    "blank": (" \n\n", []),
    "no counters": ("00:00:01,000 --> 00:00:02,000\na\n\n00:00:03,000 --> 00:00:04,000\nb", [(1, 2, "a"), (3, 4, "b")]),
    "no blank lines": (
        "1\n00:00:01,000 --> 00:00:02,000\na\n2\n00:00:03,000 --> 00:00:04,000\n2021\n\n3\n00:00:05,000 --> 00:00:06,000\nc",
        [(1, 2, "a"), (3, 4, "2021"), (5, 6, "c")],
    ),
    "blank line within": (
        "00:00:01,000 --> 00:00:02,000\na\n\nb\n\n2\n00:00:03,000 --> 00:00:04,000\nc",
        [(1, 2, "a\nb"), (3, 4, "c")],
    ),
    "numbers are text": (
        "00:00:01,000 --> 00:00:02,000\n42\n\n00:00:03,000 --> 00:00:04,000\nhave\n7\n\n",
        [(1, 2, "42"), (3, 4, "have\n7")],
    ),
    "short times": (
        "0:0:1.5 --> 0:0:2.25\na\n\n00:03,000 --> 00:04,500\nno hours\n\n00:00:05 --> 00:00:06\nno decimals",
        [(1.5, 2.25, "a"), (3, 4.5, "no hours"), (5, 6, "no decimals")],
    ),
    "long times": ("100:00:01,000 --> 100:00:02,9999999\na", [(360001, 360002.999, "a")]),
    "negative": ("-00:00:01,500 --> 00:00:02,000\na", [(-1.5, 2, "a")]),
    "reversed": ("00:00:09,000 --> 00:00:04,500\na", [(9, 9, "a")]),
    "unknown end": ("00:00:09,000 --> 1193:02:51,796\na", [(9, 9, "a")]),
    "no length": ("00:00:05,000 --> 00:00:05,000\na", [(5, 5, "a")]),
    "unsorted, overlapping": (
        "00:00:05,000 --> 00:00:09,000\nb\n\n00:00:01,000 --> 00:00:06,000\na\n\n00:00:05,000 --> 00:00:06,000\nc",
        [(1, 6, "a"), (5, 9, "b"), (5, 6, "c")],
    ),
    "coordinates": ("00:00:01,000 --> 00:00:02,000 X1:100 X2:200 Y1:1 Y2:2\na", [(1, 2, "a")]),
    "no blanks": ("00:00:01,000-->00:00:02,000\na --> b", [(1, 2, "a --> b")]),
    "unreadable times": (
        "1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:xx,000 --> 00:00:04,000\nlost\n\n3\n00:00:05,000 --> 00:00:06,000\nc",
        [(1, 2, "a"), (5, 6, "c")],
    ),
    "empty cue": ("1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:03,000 --> 00:00:04,000\nb", [(3, 4, "b")]),
    "only markup": ("00:00:01,000 --> 00:00:02,000\n<i> </i>\n", []),
    "null bytes": ("00:00:01,000 --> 00:00:02,000\na\0b\x1b\n", [(1, 2, "ab")]),
    "vtt": (VTT, [(1, 2, "Hello & <b> x"), (3, 4.5, "World\n- two")]),
    "vtt without header": ("00:01.000 --> 00:02.000\na", [(1, 2, "a")]),
    "vtt with commas": ("WEBVTT\n\n00:00:01,000 --> 00:00:02,000\na", [(1, 2, "a")]),
    "vtt identifiers": ("WEBVTT\n\n1\n00:01.000 --> 00:02.000\na\n\n2\n00:03.000 --> 00:04.000\nb", [(1, 2, "a"), (3, 4, "b")]),
    "youtube": (YOUTUBE, [(0.32, 2.07, "hello my friends"), (2.08, 4.0, "how are you")]),
}


def cues(data: bytes) -> list[tuple[float, float, str]]:
    return [(cue.start, cue.end, cue.text) for cue in parse_subtitles(data, "cp1252")]


@pytest.mark.parametrize("name", list(TRAPS))
def test_a_file_is_read_whatever_its_writer_did(name):
    text, known = TRAPS[name]
    assert cues(text.encode()) == known


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_are_told_apart(encoding):
    text = SRT.replace("Hello", "caf\xe9 \u2013 no")
    assert cues(text.encode(encoding))[0] == (1.0, 2.0, "caf\xe9 \u2013 no")


def test_a_named_encoding_is_for_what_is_no_unicode():
    assert read_text("\u0434\u0430".encode("cp1251"), "cp1251") == "\u0434\u0430"
    assert read_text("\u0434\u0430".encode(), "cp1251") == "\u0434\u0430"
    assert read_text(b"\x81", "cp1252") == "\ufffd"


@pytest.mark.parametrize("data", [b"no subtitles at all", b"\x00\x01\x02\xff" * 100, b"1\n2\n3\n--> \n", b"\xff\xfe\x00"])
def test_what_is_no_subtitles_has_a_reason(data):
    with pytest.raises(MediaError, match="bad_subtitles") as caught:
        cues(data)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('<font color="#ff0000">red</font> <b>b</b>', "red b"),
        ("{\\an8}top {\\i1}x{\\i0}", "top x"),
        ("a < b & c > d", "a < b & c > d"),
        ("AT&T &copy2 &unknown;", "AT&T &copy2 &unknown;"),
        ("&lt;i&gt; &nbsp;x&#39;y&#x26;", "<i> x'y&"),
        ("<ruby>base<rt>over</rt></ruby> <lang en>t</lang> <00:00:01.000>u", "baseover t u"),
        (" two   blanks\t\n\n \nand lines ", "two blanks\nand lines"),
        ("{curly} stays", "{curly} stays"),
    ],
)
def test_markup_becomes_plain_text(text, plain):
    assert plain_text(text) == plain


def test_damaged_files_give_cues_or_a_reason():
    """4,000 files with bytes changed, cut, doubled and moved: nothing else is raised, and what is read is whole."""
    rng = random.Random(5)
    pieces = [text.encode(form) for text, _ in TRAPS.values() for form in ("utf-8", "utf-16")]
    scraps = [b"-->", b"\n\n", b"<", b">", b"&#", b"{\\", b"00:00:", b"WEBVTT", b"\x00", b"\xff", b"9" * 30, b"\r", b" --> "]
    num_read = 0
    for _ in range(4000):
        data = bytearray(rng.choice(pieces))
        for _ in range(rng.randrange(1, 8)):
            place, other = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
            match rng.randrange(4):
                case 0:
                    data[place:place] = rng.choice(scraps)
                case 1:
                    del data[place : place + rng.randrange(20)]
                case 2:
                    data[place:place] = data[other : other + 40]
                case 3:
                    data[place : place + 1] = bytes([rng.randrange(256)])
        try:
            found = cues(bytes(data))
        except MediaError as error:
            assert error.reason == "bad_subtitles"  # noqa: PT017 - one of two good ends
            continue
        num_read += bool(found)
        assert found == sorted(found, key=lambda cue: cue[0])
        assert all(start <= end and text and text == text.strip() for start, end, text in found)
    assert num_read > 1000


@pytest.mark.parametrize("unit", ["<a", "{\\", "&#", " ", "00:00:01,000 --> ", "<00:", "1\n", "-->\n"])
def test_long_lines_take_linear_time(unit):
    """A megabyte; with a pattern that backtracks this would take hours."""
    data = ("00:00:01,000 --> 00:00:02,000\nx" + unit * (2**20 // len(unit))).encode()
    assert len(cues(data)) <= 1


def test_more_cues_than_any_film_has_are_not_read():
    data = b"0:0:1 --> 0:0:2\na\n"
    assert len(cues(data * 100_000)) == 100_000
    with pytest.raises(MediaError, match="too_large: more than 100000 cues"):
        cues(data * 100_001)


@pytest.fixture
def film(tmp_path):
    """A function that writes four seconds of video with subtitle streams (text, ffmpeg's options) and opens it."""

    def make(name: str, *streams: tuple[str, str], options: str = "-c:v libx264 -preset ultrafast", late: float = 0.0):
        inputs, maps = ["-itsoffset", str(late), "-f", "lavfi", "-i", "testsrc=s=96x96:r=10:d=4"], ["-map", "0:v"]
        for number, (text, stream_options) in enumerate(streams):
            (tmp_path / f"{number}.srt").write_text(text)
            inputs += ["-i", str(tmp_path / f"{number}.srt")]
            maps += ["-map", f"{number + 1}:s", *stream_options.replace(":N", f":s:{number}").split()]
        words = ["-v", "error", "-y", *inputs, *maps, *options.split(), str(tmp_path / name)]
        subprocess.run([binary(), *words], check=True)
        return open_source(tmp_path, name)

    return make


def embedded(source, *languages: str) -> list[tuple[float, float, str]]:
    with source as file:
        found = embedded_subtitles(file, LimitConfig(), languages)
        return [(cue.start, cue.end, cue.text) for cue in found]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mkv", "-c:v libx264 -c:s subrip"),
        ("ass.mkv", "-c:v libx264 -c:s ass"),
        ("a.mp4", "-c:v libx264 -c:s mov_text"),
        ("fragments.mp4", "-c:v libx264 -c:s mov_text -bf 0 -movflags frag_keyframe+empty_moov"),
        ("a.mov", "-c:v libx264 -c:s mov_text"),
        ("a.webm", "-c:v libvpx -deadline realtime -c:s webvtt"),
    ],
)
def test_a_text_stream_is_read_from_every_container(film, name, options):
    assert embedded(film(name, (SRT, ""), options=options)) == TWO


def test_the_stream_is_chosen_by_its_language(film):
    def say(word):
        return f"1\n00:00:01,000 --> 00:00:02,000\n{word}\n"

    streams = [
        (say("forced"), "-disposition:N +forced -metadata:s:N language=ger"),
        (say("none"), ""),
        (say("german"), "-metadata:s:N language=ger"),
        (say("english"), "-metadata:s:N language=eng"),
    ]
    chosen = {
        languages: embedded(film("a.mkv", *streams), *languages)[0][2]
        for languages in [(), ("en", "eng"), ("de", "ger"), ("fr",), ("fr", "eng", "ger")]
    }
    assert list(chosen.values()) == ["none", "english", "german", "none", "english"]
    assert embedded(film("b.mkv", streams[2]), "en", "eng") == []


@pytest.mark.parametrize("late", [0.5, 1.4, 3.0])
def test_cues_before_the_picture_stay_before_it(film, late):
    """The container's clock starts with its first stream, and ffmpeg must not move cues that lie before that."""
    source = film("a.mkv", (SRT, ""), options="-c:v libx264 -c:s subrip -copyts", late=late)
    with source as file:
        arguments = [binary(), "-hide_banner", "-fd", "0", "-i", "fd:"]
        words = subprocess.run(arguments, stdin=file.file, capture_output=True, text=True, check=False).stderr
    begin = float(re.search(r"start: ([0-9.]+)", words)[1])
    assert [
        start for start, _, _ in embedded(film("a.mkv", (SRT, ""), options="-c:v libx264 -c:s subrip -copyts", late=late))
    ] == [
        pytest.approx(1.0 - begin, abs=1e-3),
        pytest.approx(3.0 - begin, abs=1e-3),
    ]


def test_pictures_are_no_text(film, tmp_path):
    film("a.mkv", (SRT, ""), options="-c:v libx264 -c:s subrip")
    text = (tmp_path / "a.mkv").read_bytes()
    assert text.count(b"S_TEXT/UTF8") == 1
    (tmp_path / "b.mkv").write_bytes(text.replace(b"S_TEXT/UTF8", b"S_VOBSUB\0\0\0"))
    assert embedded(open_source(tmp_path, "b.mkv")) == []


def test_a_stream_without_cues_has_none(film):
    assert embedded(film("a.mkv")) == []
    assert embedded(film("a.mp4")) == []


def test_broken_containers_give_cues_or_a_reason(film, tmp_path):
    with film("a.mkv", (SRT, ""), options="-c:v libx264 -c:s subrip"):
        whole = (tmp_path / "a.mkv").read_bytes()
    for cut in (0, 40, len(whole) // 2):
        (tmp_path / "b.mkv").write_bytes(whole[:cut])
        try:
            assert set(embedded(open_source(tmp_path, "b.mkv"))) <= set(TWO)
        except MediaError as error:
            assert error.reason == "bad_subtitles"  # noqa: PT017 - one of two good ends


def test_too_many_bytes_are_not_read(film, monkeypatch):
    monkeypatch.setattr("vdata.media.subtitles.LARGEST_BYTES", 60)
    with pytest.raises(MediaError, match="too_large"):
        embedded(film("a.mkv", (SRT, ""), options="-c:v libx264 -c:s subrip"))


def test_plain_files_without_text_cost_no_child(film, monkeypatch):
    def no_child(*_):
        raise AssertionError

    for name, options in [("a.mp4", "-c:v libx264"), ("a.mov", "-c:v libx264"), ("a.avi", "-c:v mpeg4 -vtag XVID")]:
        with film(name, options=options) as file:
            assert holds_no_text(file)
    for name in ("b.mp4", "b.mov"):
        with film(name, (SRT, ""), options="-c:v libx264 -c:s mov_text") as file:
            assert not holds_no_text(file)
    with film("a.mkv") as file:
        assert not holds_no_text(file)
    monkeypatch.setattr("vdata.media.subtitles.running", no_child)
    assert embedded(film("a.mp4")) == []
