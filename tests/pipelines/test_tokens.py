"""Bytes as tokens, and where in the text each begins. Tokenizers of one's own are in views/test_text.py."""

from __future__ import annotations

import pytest

from pipelines.tokens import make_tokenizer


@pytest.mark.parametrize("text", ["", "plain", "naïve ☃ 字", "\0\x7f", "𝄞x"])
def test_bytes_begin_where_their_characters_do(text):
    ids, places = make_tokenizer("bytes", 100, "key")(text)
    assert bytes(number - 1 for number in ids).decode() == text
    assert list(places) == [place for place, char in enumerate(text) for _ in char.encode()]


def test_no_byte_is_the_padding():
    tokenizer = make_tokenizer("bytes", 1000, "key")
    ids, _ = tokenizer("".join(map(chr, range(256))))
    assert tokenizer.pad == 0
    assert 1 <= min(ids) <= max(ids) <= 256
    assert len(make_tokenizer("bytes", 3, "key")("abcdef")[0]) == 3
