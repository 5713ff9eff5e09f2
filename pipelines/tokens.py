"""From text to token ids: bytes, or a tokenizer of the user's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vdata.config import check
from vdata.errors import ConfigError, MissingExtraError

__all__ = ["Tokenizer", "make_tokenizer"]

_CONTINUES, _CONTINUED = 0xC0, 0x80
"""Mask and value of a UTF-8 byte that is not the first of its character."""


class Tokenizer(Protocol):
    """Makes ids of text. Any number of threads may share one."""

    pad: int
    """The id behind a text's end."""

    def __call__(self, text: str) -> tuple[Sequence[int], Sequence[int]]:
        """Ids (n,), and for each the number of the character at which it begins, -1 for what is not in the text."""


def make_tokenizer(name: str, most: int, key: str) -> Tokenizer:
    """The tokenizer `bytes`, or that of a `tokenizer.json`; it cuts texts to `most` tokens. `key` is the setting's.

    Raises:
        ConfigError: no tokenizer can be read there, or its special tokens alone are too many.
        MissingExtraError: the package `tokenizers` is not installed.
    """
    return _Bytes(most) if name == "bytes" else _Trained(name, most, key)


class _Bytes:
    """UTF-8 bytes plus 1."""

    pad = 0

    def __init__(self, most: int) -> None:
        self._most = most

    def __call__(self, text: str) -> tuple[Sequence[int], Sequence[int]]:
        # A lone surrogate, which JSON can hold, becomes a question mark.
        data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)[: self._most]
        first = (data & _CONTINUES) != _CONTINUED
        return (data.astype(np.int64) + 1).tolist(), (np.cumsum(first) - 1).tolist()


class _Trained:
    """What `tokenizer.json` describes, with its own special tokens and its own padding token."""

    def __init__(self, path: str, most: int, key: str) -> None:
        self._tokenizer, self._most = _open(path, key), most
        special = int(self._tokenizer.num_special_tokens_to_add(is_pair=False))
        check(special < most, f"{key} '{path}'", special, f"special tokens leave no room for text in {most} tokens: raise tokens")
        padding = self._tokenizer.padding
        self.pad = int(padding["pad_id"]) if padding else 0
        # Its own settings of both may be of a training on other lengths.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(most)

    def __call__(self, text: str) -> tuple[Sequence[int], Sequence[int]]:
        found = self._tokenizer.encode(text)
        places = [-1 if start == end else start for start, end in found.offsets]
        return found.ids, places


def _open(path: str, key: str) -> Any:  # noqa: ANN401 - the package is an extra
    try:
        from tokenizers import Tokenizer as Opened  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(f"{key} '{path}'", "tokenizers", "pip install '.[text]' in vdata's checkout") from error
    try:
        text = Path(path).read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key} '{path}' cannot be read ({error}): name a tokenizer.json, or bytes") from error
    try:
        return Opened.from_str(text)
    except Exception as error:
        # The package has no errors of its own and raises the plain base class.
        if type(error) is not Exception:
            raise
        raise ConfigError(f"{key} '{path}' is no tokenizer.json: {error}") from error
