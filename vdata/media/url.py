"""What a root or a source may be called, and what of a URL may be printed or stored. Nothing is opened here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

__all__ = ["RemoteRoot", "Root", "is_url", "local_path", "parse_root", "without_secrets"]

_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL_SCHEMES = ("file://", "local://")
_USER = re.compile(r"(?<=://)[^/?#\s'\"]*@")
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;?#\s'\"]+)=([^&;#\s'\"]+)")
_SECRET = frozenset(
    {
        *("accesskey", "amz", "apikey", "auth", "authorization", "awsaccesskeyid", "credential", "credentials", "expires"),
        *("goog", "googleaccessid", "hmac", "key", "passwd", "password", "policy", "pwd", "se", "secret", "session", "sig"),
        *("signature", "ske", "skt", "token"),
    }
)
"""Words in the names of parameters that sign a URL, or that change with each signing: AWS, Google, Azure, CloudFront."""
_LONGEST_SHOWN = 24
"""Characters; a longer value may be a token under any name, and is shown as a part of its hash."""


@dataclass(frozen=True, slots=True)
class RemoteRoot:
    """A root on another machine, as `s3://bucket/prefix`. Printed, it has no secrets."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """The URL without user, password and signature."""
        return without_secrets(self.url)

    def absolute(self) -> RemoteRoot:
        """Itself: a URL does not depend on where it is used."""
        return self


Root = Path | RemoteRoot
"""Where a dataset lies."""


def parse_root(text: str) -> Root:
    """The root that was typed: a path of this machine, or a URL elsewhere."""
    return local_path(text) or (RemoteRoot(text) if is_url(text) else Path(text))


def is_url(text: str) -> bool:
    """Whether a name begins with a scheme; no path below a folder does, since it holds no two slashes in a row."""
    return _SCHEME.match(text) is not None


def local_path(url: str) -> Path | None:
    """The path that a URL as file:///data/a.mp4 stands for; None for any other name."""
    for scheme in _LOCAL_SCHEMES:
        if url.startswith(scheme):
            return Path(unquote(url.removeprefix(scheme).removeprefix("localhost"), errors="surrogateescape"))
    return None


def without_secrets(text: str) -> str:
    """A URL, or a text with URLs in it, without users, passwords and the values of parameters that may be secret.

    URLs that differ in more than such values stay different, and a URL that is signed anew stays the same.

    Source: our own choice.
    """
    return _PARAMETER.sub(_shown_parameter, _USER.sub("", text))


def _shown_parameter(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    if not _SECRET.isdisjoint(re.split(r"[-_.]", name.lower())):
        return f"{name}=..."
    return match[0] if len(value) <= _LONGEST_SHOWN else f"{name}=~{hashlib.sha256(value.encode()).hexdigest()[:12]}"
