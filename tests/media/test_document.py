"""The text of a document from its bytes."""

import pytest

from vdata.errors import MediaError
from vdata.media.document import is_json_lines, read_document


def test_a_text_is_decoded_and_has_no_blanks_around_it():
    assert read_document(" caf\u00e9\r\n".encode(), "a.txt", "cp1252") == "caf\u00e9"
    assert read_document(b"caf\xe9", "a.txt", "cp1252") == "caf\u00e9"


def test_a_line_of_json_lines_is_its_text():
    assert read_document(b'{"text": " one\\ntwo ", "id": 3}', "a.JSONL", "cp1252") == "one\ntwo"
    # The same bytes in a .txt are the document themselves.
    assert read_document(b'{"text": "one"}', "a.txt", "cp1252") == '{"text": "one"}'


@pytest.mark.parametrize("line", [b"{", b"[1]", b"{}", b'{"text": 3}', b"\xff", b"[" * 100_000])
def test_another_line_has_no_text(line):
    with pytest.raises(MediaError) as caught:
        read_document(line, "a.jsonl", "cp1252")
    assert caught.value.reason == "bad_json"


def test_names_of_json_lines():
    names = ["a.jsonl", "a.NDJSON", "a.json", "jsonl", "a.txt"]
    assert [is_json_lines(name) for name in names] == [True, True, False, False, False]
