"""A page shows what a sample has, where it is, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.audio_codec import dump_flac
from vdata.media.box_codec import boxes_of, dump_boxes
from vdata.media.label_codec import dump_labels
from vdata.media.motion_codec import INTER, dump_grid, dump_vectors
from vdata.media.text_codec import Question, Subtitle, Text, dump_text
from vdata.media.tracklet_codec import TRACKLET, dump_tracklets
from vdata.shards import Sample, open_shards
from vdata.shards.contact_sheet import SheetConfig, contact_sheet

ZOOM = 256 / 44
"""The clips' pictures are 62 x 44 pixels."""
LEFT, TOP = 6, 3 * 17 + 6 + 17
"""The first picture's corner on the page."""
WORDS = dump_text(Text(label="nod"))


@pytest.fixture
def sample_of(write_shards, tmp_path):
    """A function that gives the first sample, 30 frames, of shards with these members."""

    def make(**members: bytes) -> Sample:
        extra = {name.replace("_", "."): data for name, data in members.items()}
        return open_shards(write_shards(tmp_path / f"{len(list(tmp_path.iterdir()))}", extra={"text.json": WORDS} | extra))[0]

    return make


@pytest.fixture
def written(monkeypatch):
    """The lines of text that are written on pages."""
    lines: list[str] = []
    monkeypatch.setattr("vdata.shards.contact_sheet.write", lambda page, text, *place, **settings: lines.append(text))
    return lines


def changed(first, second):
    """x0, y0, x1, y1 of the rectangle in which two pages differ."""
    rows, columns = np.nonzero((first != second).any(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def on_page(x0, y0, x1, y1):
    return LEFT + round(x0 * ZOOM), TOP + round(y0 * ZOOM), LEFT + round(x1 * ZOOM), TOP + round(y1 * ZOOM)


def test_the_keyframes_are_shown_with_their_pixels(sample_of):
    sample = sample_of()
    page = contact_sheet(sample)
    assert page.dtype == np.uint8
    width, height = round(62 * ZOOM), 256
    for place, k in enumerate((0, 1, 2)):
        tile = page[TOP : TOP + height, LEFT + place * (width + 6) :][:, :width]
        small = sample.keyframe(k)
        rows, columns = ((np.arange(n) * small.shape[i] // n) for i, n in enumerate((height, width)))
        assert np.array_equal(tile, small[rows][:, columns])
    named = contact_sheet(sample, SheetConfig(frames=(24, 0, 12)))
    assert np.array_equal(
        named[TOP : TOP + height, LEFT : LEFT + width], page[TOP : TOP + height, LEFT + 2 * (width + 6) :][:, :width]
    )


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_source(sample_of):
    plain, box = contact_sheet(sample_of()), (10, 8, 40, 30)
    for source, colour in (("person", (255, 80, 80)), ("slic", (255, 200, 40))):
        page = contact_sheet(sample_of(boxes_npy=dump_boxes([boxes_of(0, [box], source)])))
        heading = TOP - 17
        below = changed(page[heading:], plain[heading:])
        x0, y0, x1, y1 = on_page(*box)
        assert below == (x0, y0 - heading, x1, y1 - heading)
        assert page[y0, x0:x1].tolist() == [list(colour)] * (x1 - x0)
        assert np.array_equal(page[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1], plain[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1])
        # The source is named above, in its colour.
        assert (page[:heading] == colour).all(axis=-1).any()


def test_frames_with_boxes_are_shown_where_the_keyframes_have_none(sample_of, written):
    def numbers(parts, **settings):
        written.clear()
        contact_sheet(sample_of(boxes_npy=dump_boxes(parts)), SheetConfig(**settings))
        return [int(text.split()[0]) for text in written if text.endswith(" s") and text[0].isdigit()]

    def of(source, *frames):
        return [boxes_of(frame, [(10, 8, 40, 30)], source) for frame in frames]

    assert numbers(of("dataset", 7, 25)) == [0, 7, 12, 24, 25]
    assert numbers(of("dataset", 7, 12)) == [0, 12, 24]
    assert numbers([*of("slic", 0, 5), *of("dataset", 7)]) == [0, 7, 12, 24]
    # Half of the page, where there are too many; a damaged member may name any frame.
    assert numbers(of("dataset", *range(1, 12), 99, -3), most=4) == [0, 1, 11, 24]
    assert numbers(of("dataset", 7), most=1) == [7]
    assert numbers(of("dataset", 7), every=15) == [0, 15]
    assert numbers([]) == [0, 12, 24]


def test_classes_of_frames_are_a_line_of_runs(sample_of, written):
    labels = np.repeat(np.array([2, -1, 0, 5, 3], np.int32), [10, 5, 10, 4, 1])
    sample = sample_of(labels_npy=dump_labels(labels))
    contact_sheet(sample, classes={"frame": ("SIL", "b", "pour_milk", ""), "label": ("nod",)})
    assert written[-2:] == ["frames: 0-9 pour_milk, 15-24 SIL, 25-28 5, 29-29 3", "label: nod"]
    written.clear()
    contact_sheet(sample)
    assert "frames: 0-9 2, 15-24 0, 25-28 5, 29-29 3" in written
    written.clear()
    contact_sheet(sample_of(labels_npy=dump_labels(np.full(30, -1, np.int32))))
    contact_sheet(sample_of(labels_npy=dump_labels(np.empty(0, np.int32))))
    assert written.count("frames: none has a class") == 2
    written.clear()
    contact_sheet(sample_of(labels_npy=dump_labels(np.arange(1000, dtype=np.int32))))
    assert (sum("-" in line for line in written[2:]), written[-1], written[-2][-4:]) == (6, "label: nod", " ...")


def test_a_tracklet_is_thick_where_it_was_detected_and_thin_where_it_was_carried(sample_of):
    rows = [(0, frame, 20, 10, 50, 40, 0.5, frame == 0) for frame in (0, 1)]
    sample, plain = sample_of(tracklets_npy=dump_tracklets(np.array(rows, TRACKLET))), sample_of()
    thickness = []
    for frame in (0, 1):
        pages = [contact_sheet(one, SheetConfig(frames=(frame,)))[TOP:] for one in (sample, plain)]
        middle = round(25 * ZOOM)
        row = (pages[0][middle] != pages[1][middle]).any(axis=-1)
        thickness.append(int(row.sum()) // 2)
    assert thickness[0] > thickness[1] == 1
    assert np.array_equal(*(contact_sheet(one, SheetConfig(frames=(5,)))[TOP:] for one in (sample, plain)))


def test_motion_is_drawn_as_arrows_if_it_is_asked_for(sample_of):
    grid = np.zeros((30, 3, 4, 2), np.int16)
    grid[13, 1, 2] = (16, 0)
    member = dump_grid(grid, np.full((30, 3, 4), INTER, np.uint8))
    rows = np.array([[-1, 16, 16, 36, 24, 40, 24, -16, 0, 4]], np.int32)
    vectors = dump_vectors(rows, np.repeat([0, 1], [14, 17]))
    plain = sample_of()
    for members in ({"motion_npz": member}, {"vectors_npz": vectors}):
        sample = sample_of(**members)
        # Frame 12 is a keyframe: the next one's motion is shown.
        for frame in (12, 13):
            config = SheetConfig(frames=(frame,), motion=True)
            pages = contact_sheet(sample, config), contact_sheet(plain, SheetConfig(frames=(frame,)))
            x0, y0, x1, y1 = changed(pages[0][TOP:], pages[1][TOP:])
            # From the middle of the cell, twice 4 pixels to the right.
            assert abs(x0 - LEFT - 40 * ZOOM) <= 2
            assert abs(x1 - LEFT - 48 * ZOOM) <= 2
            assert y0 < 24 * ZOOM < y1
        still = SheetConfig(frames=(5,), motion=True)
        assert np.array_equal(contact_sheet(sample, still)[TOP:], contact_sheet(plain, SheetConfig(frames=(5,)))[TOP:])
    with pytest.raises(SchemaMismatchError, match="vdata add motion"):
        contact_sheet(plain, SheetConfig(motion=True))


def test_sound_is_a_strip_that_is_loud_where_the_sound_is(sample_of):
    samples = np.zeros(48000, np.int16)
    samples[24000:] = 30000
    plain, page = contact_sheet(sample_of()), contact_sheet(sample_of(flac=dump_flac(samples, 48000)))
    assert len(page) == len(plain) + 56
    strip = page[TOP + 256 + 6 :][:56]
    wave = (strip == (120, 200, 255)).all(axis=-1)
    half = strip.shape[1] // 2
    rows = wave.argmax(axis=0)
    assert set(rows[20 : half - 20]) == {28}
    assert (rows[half + 20 : -20] < 4).all()


def test_words_are_lines_below_and_cut_where_they_are_too_many(sample_of):
    few = contact_sheet(sample_of())
    text = Text("nod", "a\nlong " * 400, ("a", "b"), (Subtitle(0, 1, "hé\x1b[31m\nho"),), (Question("q", "why?", ("x", "y"), 1),))
    page = contact_sheet(sample_of(text_json=dump_text(text)))
    assert page.shape == (few.shape[0] + 6 * 17, few.shape[1], 3)
    many = Text("nod", subtitles=tuple(Subtitle(i, i + 1, "word") for i in range(1000)))
    assert len(contact_sheet(sample_of(text_json=dump_text(many)))) == len(few) + 23 * 17


def test_a_sample_without_any_field_or_any_video_gives_a_page(sample_of):
    sample = sample_of()
    bare = Sample(Path(), {**sample.row, "members": sample.row["members"][:1], "num_frames": 0, "fragments": [], "picture": None})
    page = contact_sheet(bare)
    assert page.shape[1] == 640
    assert len(np.unique(page)) > 2
    without = Sample(sample._folder, {**sample.row, "members": [m for m in sample.row["members"] if m["name"] == "mp4"]})
    assert contact_sheet(without).shape == contact_sheet(sample).shape


def test_frames_are_chosen_by_number_or_step_and_no_more_than_fit(sample_of):
    sample = sample_of()
    rows = {every: len(contact_sheet(sample, SheetConfig(every=every, most=8))) for every in (1, 10)}
    assert rows[1] - rows[10] == 256 + 17 + 6  # two rows of four, and one of three
    with pytest.raises(ConfigError, match=r"frames \(30\) must lie in \[0, 30\)"):
        contact_sheet(sample, SheetConfig(frames=(30,)))
    with pytest.raises(ConfigError, match="every"):
        SheetConfig(frames=(1,), every=2)
    with pytest.raises(CorruptShardError, match=r"text\.json"):
        contact_sheet(sample_of(text_json=b'{"number":1}'))


def test_a_document_is_a_page_of_words(bare_folder, written):
    shards = open_shards(bare_folder)
    for every in (0, 4):
        contact_sheet(shards["document-3-00000"], SheetConfig(every=every))
        assert written[1].startswith("no picture   text.json")
        assert written[2:] == ["label: b", "four words are here"]
        written.clear()
    contact_sheet(shards["features-0-00000"])
    assert written[1].startswith("no picture   features: 10 rows of 4 numbers   ")
    assert "features.npy" in written[1]
    assert "frames: 0-4 0, 5-9 1" in written
    with pytest.raises(ConfigError, match=r"frames \(0\) must lie in \[0, 0\)"):
        contact_sheet(shards["document-3-00000"], SheetConfig(frames=(0,)))


def test_a_long_document_is_wrapped_and_cut(bare_folder, monkeypatch, written):
    monkeypatch.setattr("vdata.shards.read.load_text", lambda member: Text(document="word " * 2000))
    contact_sheet(open_shards(bare_folder)["document-3-00000"])
    # 16 words of 5 letters in a line of 84; the row's label and 125 lines in 24.
    assert written[3] == " ".join(["word"] * 17)
    assert written[-1] == "... and 96 lines more"
    assert len(written) == 2 + 24
