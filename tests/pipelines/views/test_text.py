"""Text of a sample: which parts of it, of which seconds, in which rows, and when each token is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pipelines import ClipIterator
from pipelines.views.text import TextReader, run_text
from vdata.errors import ConfigError, CorruptShardError, SchemaMismatchError
from vdata.media.text_codec import Question, Subtitle, dump_text
from vdata.media.text_codec import Text as Stored
from vdata.views import Clip, Text

STORED = Stored(
    label="cutting",
    caption="a man cuts wood",
    tags=("saw", "wood"),
    subtitles=(Subtitle(0.0, 1.0, "one"), Subtitle(1.0, 2.0, "two"), Subtitle(2.5, 3.0, "three")),
    questions=(
        Question("q1", "what?", ("saw", "axe", "knife"), 1, 0.5, 1.5, whole=True),
        Question("q2", "who?", ("he", "she")),
    ),
)


def told(ids, mask):
    """The text of bytes plus 1, of one row."""
    return bytes((ids[mask] - 1).tolist()).decode()


@pytest.fixture
def read(make_samples, make_members):
    """A function from a view and texts, one a clip of one run, to the batch of that one sample."""

    def load(view, *texts, lengths=None, seed=0, clip=None):
        views = [clip, view] if clip else [view]
        samples = make_samples([list(lengths or [100] * len(texts))], views, seed=seed)
        stored = {(place, "text.json"): dump_text(text) for place, text in enumerate(texts) if text is not None}
        members = make_members(stored | {(99, "text.json"): b""})
        reader = TextReader(view, {})
        drawn = reader.draw(samples, {})
        batch = reader.batch(drawn, [reader.load(members, samples, 0, drawn)], [])
        return {key: values.numpy()[0] for key, values in batch.items()}, samples, members

    return load


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("caption",), "a man cuts wood"),
        (("tags", "label"), "saw wood cutting"),
        (("subtitles",), "one two three"),
        (("questions", "answers"), "what? who? saw axe knife he she"),
    ],
)
def test_parts_come_in_the_asked_order_joined_by_a_blank(read, fields, words):
    batch, _, _ = read(Text(fields=fields), STORED)
    assert set(batch) == {"text", "text_mask"}
    assert batch["text"].shape == batch["text_mask"].shape == (64,)
    assert (batch["text"].dtype, batch["text_mask"].dtype) == (np.int64, bool)
    assert told(batch["text"], batch["text_mask"]) == words
    assert (batch["text"][~batch["text_mask"]] == 0).all()


def test_a_document_is_a_part_like_any_other(read):
    batch, _, _ = read(Text(fields=("document", "label"), tokens=20), Stored(label="x", document="plain words"))
    assert told(batch["text"], batch["text_mask"]) == "plain words x"


def test_empty_parts_leave_no_blank_and_no_text_leaves_no_token(read):
    batch, _, _ = read(Text(fields=("label", "caption", "tags")), Stored(tags=("x",)))
    assert told(batch["text"], batch["text_mask"]) == "x"
    for text in (Stored(), None):
        batch, _, _ = read(Text(times=True), text)
        assert not batch["text_mask"].any()
        assert not batch["text"].any()
        assert np.isnan(batch["text_seconds"]).all()


def test_bytes_are_utf8_plus_1_cut_to_the_length(read):
    caption = "naïve ☃" + "\udc80"
    batch, _, _ = read(Text(tokens=8), Stored(caption=caption))
    assert batch["text"].tolist() == [byte + 1 for byte in "naïve ☃".encode()[:8]]
    batch, _, _ = read(Text(tokens=20), Stored(caption=caption))
    assert batch["text_mask"].sum() == len("naïve ☃".encode()) + 1
    zero, _, _ = read(Text(tokens=2), Stored(caption="\0a"))
    assert zero["text"].tolist() == [1, ord("a") + 1]


def window(seconds):
    """A view of one frame whose window lies at the middle of two seconds, in clips of 100 frames at 25 a second."""
    low, high = seconds
    return Clip(frames=round((high - low) * 25), stride=1, start="centre")


def test_subtitles_and_questions_of_the_window_alone(read):
    """A window [1.48, 2.52) of 4 s: it overlaps two, and its end the third by 20 ms."""
    clip = window((0, 1.04))
    batch, samples, _ = read(Text(fields=("label", "subtitles", "questions"), of="clip"), STORED, clip=clip)
    assert samples.windows["clip"].frames[0][[0, -1]].tolist() == [37, 62]
    assert told(batch["text"], batch["text_mask"]) == "cutting two three what? who?"
    clip = window((0, 0.96))
    batch, samples, _ = read(Text(fields=("subtitles", "questions"), of="clip"), STORED, clip=clip)
    assert samples.windows["clip"].frames[0][[0, -1]].tolist() == [38, 61]
    assert told(batch["text"], batch["text_mask"]) == "two who?"


def test_a_moment_belongs_to_the_seconds_that_it_begins():
    cue = Stored(subtitles=(Subtitle(1.0, 1.0, "now"),))
    assert run_text([(cue, 0.0)], 1.0, 2.0).subtitles
    assert not run_text([(cue, 0.0)], 0.0, 1.0).subtitles
    long = Stored(subtitles=(Subtitle(1.0, 2.0, "long"),))
    assert not run_text([(long, 0.0)], 2.0, 3.0).subtitles
    assert not run_text([(long, 0.0)], 0.0, 1.0).subtitles
    assert run_text([(long, 0.0)], 1.999, 3.0).subtitles


def test_a_run_tells_what_its_clips_share_once(read):
    """Clips of 4 s: a subtitle from 3.5 to 4.5 is in both, as is a question about 3 to 5 s and one about the whole video."""
    late = Question("q", "late?", ("a", "b"), 0, 3.0, 5.0)
    ever = Question("e", "ever?")
    first = Stored(caption="c", subtitles=(Subtitle(3.5, 4.5, "both"),), questions=(late, ever))
    moved = Question("q", "late?", ("a", "b"), 0, -1.0, 1.0)
    second = Stored(caption="c", subtitles=(Subtitle(-0.5, 0.5, "both"), Subtitle(1.0, 2.0, "then")), questions=(moved, ever))
    view = Text(fields=("caption", "subtitles", "questions"), times=True)
    batch, _, members = read(view, first, second)
    assert told(batch["text"], batch["text_mask"]) == "c both then late? ever?"
    assert members.asked == [(0, "text.json", "text"), (1, "text.json", "text")]
    seconds = batch["text_seconds"]
    assert np.isnan(seconds[[0, 1]]).all()
    assert (seconds[2:6] == (3.5, 4.5)).all()
    assert np.isnan(seconds[6]).all()
    assert (seconds[7:11] == (5.0, 6.0)).all()
    assert np.isnan(seconds[11:]).all()


def test_a_window_reads_its_own_clips_and_a_subtitle_that_began_before_them(read):
    """Three clips of 4 s, a window of the 80 frames in the middle of the second."""
    second = Stored(caption="c", subtitles=(Subtitle(-0.5, 0.5, "begun"), Subtitle(1.0, 2.0, "then"), Subtitle(3.7, 4.5, "late")))
    clip = window((0, 3.2))
    batch, samples, members = read(
        Text(fields=("subtitles",), of="clip"), Stored(label="x"), second, Stored(label="x"), clip=clip
    )
    assert samples.windows["clip"].frames[0][[0, -1]].tolist() == [110, 189]
    assert members.asked == [(1, "text.json", "text")]
    assert told(batch["text"], batch["text_mask"]) == "begun then"


def test_choices_are_rows_of_one_question(read):
    view = Text(fields=("subtitles", "questions", "answers"), choices=3, separator=" / ")
    batch, _, _ = read(view, STORED)
    assert batch["text"].shape == (3, 64)
    rows = [told(ids, mask) for ids, mask in zip(batch["text"], batch["text_mask"], strict=True)]
    assert rows == [f"one / two / three / what? / {answer}" for answer in ("saw", "axe", "knife")]
    assert batch["text_answer"] == 1
    assert batch["text_span"].tolist() == [0.5, 1.5]
    assert batch["text_span"].dtype == np.float32


def test_a_question_that_is_not_there_has_no_token(read):
    batch, _, _ = read(Text(fields=("subtitles", "answers"), choices=5, tokens=8), STORED)
    assert batch["text"].shape == (5, 8)
    assert not batch["text_mask"].any()
    assert batch["text_answer"] == -1
    assert np.isnan(batch["text_span"]).all()


def test_every_question_is_as_likely(make_samples, make_members):
    asked = [Question(str(number), str(number), ("a", "b"), number % 2) for number in range(5)]
    view = Text(fields=("questions", "answers"), choices=2, tokens=4)
    samples = make_samples([[10]] * 4000, [view])
    members = make_members(dict.fromkeys([(row, "text.json") for row in range(4000)], dump_text(Stored(questions=tuple(asked)))))
    reader = TextReader(view, {})
    drawn = reader.draw(samples, {})
    batch = reader.batch(drawn, [reader.load(members, samples, row, drawn) for row in range(4000)], [])
    first = batch["text"][:, 0, 0].numpy() - 1 - ord("0")
    assert stats.chisquare(np.bincount(first, minlength=5)).pvalue > 0.01
    assert (batch["text_answer"].numpy() == first % 2).all()


@pytest.fixture
def words(tmp_path):
    """A function that writes the tokenizer of a few words and returns its path."""
    tokenizers = pytest.importorskip("tokenizers")

    def write(*, special=True, pad=None):
        vocabulary = {
            word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "two", "three", "x"])
        }
        made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
        made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        made.add_special_tokens(["[CLS]", "[SEP]"])
        if special:
            pairs = [("[CLS]", 2), ("[SEP]", 3)]
            made.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pairs)
        if pad is not None:
            made.enable_padding(pad_id=pad, length=100)
        made.enable_truncation(3)
        path = tmp_path / "tokenizer.json"
        made.save(str(path))
        return str(path)

    return write


def test_a_tokenizer_of_ones_own_keeps_its_special_tokens(read, words):
    view = Text(fields=("subtitles",), tokenizer=words(), tokens=6, times=True)
    batch, _, _ = read(view, STORED)
    assert batch["text"].tolist() == [2, 4, 5, 6, 3, 0]
    assert batch["text_mask"].tolist() == [True] * 5 + [False]
    np.testing.assert_array_equal(batch["text_seconds"][:, 0], [np.nan, 0.0, 1.0, 2.5, np.nan, np.nan])
    short, _, _ = read(Text(fields=("subtitles",), tokenizer=words(), tokens=4), STORED)
    assert short["text"].tolist() == [2, 4, 5, 3]


def test_padding_and_separator_are_the_tokenizers_own(read, words):
    view = Text(fields=("subtitles", "label"), tokenizer=words(special=False, pad=7), tokens=8, separator=" [SEP] ", times=True)
    batch, _, _ = read(view, STORED)
    assert batch["text"].tolist() == [4, 3, 5, 3, 6, 3, 1, 7]
    assert batch["text_mask"].tolist() == [True] * 7 + [False]
    np.testing.assert_array_equal(batch["text_seconds"][:, 1], [1.0, np.nan, 2.0, np.nan, 3.0, np.nan, np.nan, np.nan])


def test_errors_of_tokenizers(words, tmp_path, monkeypatch):
    path = tmp_path / "bad.json"
    with pytest.raises(ConfigError, match=r"views\.text\.tokenizer .*cannot be read"):
        TextReader(Text(tokenizer=str(path)), {})
    for content in ("no json", "{}", "[1]"):
        path.write_text(content)
        with pytest.raises(ConfigError, match=r"views\.text\.tokenizer"):
            TextReader(Text(tokenizer=str(path)), {})
    with pytest.raises(ConfigError, match=r"\(2\) special tokens leave no room for text in 2 tokens: raise tokens"):
        TextReader(Text(tokenizer=words(), tokens=2), {})
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"needs the package 'tokenizers', which is not installed: pip install '\.\[text\]'"):
        TextReader(Text(tokenizer=str(path)), {})


def test_stored_bytes_that_are_no_text(make_samples, make_members):
    view = Text()
    reader = TextReader(view, {})
    samples = make_samples([[10]], [view])
    drawn = reader.draw(samples, {})
    with pytest.raises(CorruptShardError, match=r"no text\.json"):
        reader.load(make_members({(0, "text.json"): b"{"}), samples, 0, drawn)
    with pytest.raises(SchemaMismatchError):
        reader.load(make_members({}), samples, 0, drawn)


def test_a_row_without_a_video_has_its_text(make_samples, make_members):
    view = Text()
    reader = TextReader(view, {})
    samples = make_samples([[0]], [view], fps=0.0)
    drawn = reader.draw(samples, {})
    tokens = reader.load(make_members({(0, "text.json"): dump_text(STORED)}), samples, 0, drawn)
    assert told(tokens.ids[0], tokens.mask[0]) == "a man cuts wood"
    assert math.isnan(tokens.span[0])


def test_the_loader_s_text_is_that_of_its_windows(make_folder, make_clip, make_frames):
    """A subtitle for each half second; the clips of a video tell them in their own seconds."""
    clips = [make_clip(make_frames(50)) for _ in range(2)] * 2
    halves = [Subtitle(half / 2, half / 2 + 0.5, str(half)) for half in range(4)]
    later = [Subtitle(half / 2, half / 2 + 0.5, str(half + 4)) for half in range(4)]
    texts = [Stored(caption="c", subtitles=tuple(cues)) for cues in (halves, later)] * 2
    folder = make_folder(clips, videos=[0, 0, 1, 1], members=[{"text.json": dump_text(text)} for text in texts])
    views = (Clip(frames=16, stride=2, size=32), Text(fields=("subtitles",), of="clip"), Text(name="all", fields=("subtitles",)))
    with ClipIterator(folder, views=views, batch_size=2, unit="video") as loader:
        for batch in [batch for _ in range(4) for batch in loader]:
            for row, seconds in enumerate(batch["meta"]["clip"]["seconds"].numpy()):
                said = told(batch["text"][row].numpy(), batch["text_mask"][row].numpy())
                wanted = range(int(seconds[0] * 2), int(np.ceil((seconds[-1] + 0.04) * 2 - 1e-9)))
                assert said == " ".join(map(str, wanted))
                assert told(batch["all"][row].numpy(), batch["all_mask"][row].numpy()) == "0 1 2 3 4 5 6 7"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tokens": 0}, "at least 1"),
        ({"fields": ()}, "must be some of"),
        ({"fields": ("captions",)}, "must be some of"),
        ({"choices": 5}, "must name answers"),
        ({"choices": -1}, "not be negative"),
        ({"tokenizer": ""}, "bytes or a path"),
    ],
)
def test_settings_that_break_their_rule(settings, words):
    with pytest.raises(ConfigError, match=words):
        Text(**settings)
