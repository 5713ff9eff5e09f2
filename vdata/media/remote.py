"""Sources on other machines, through fsspec: how a root is listed, and how one source is opened.

A remote root is the URL as it was typed, and a source is the rest of a key. Nothing like a path is made of them (as
universal_pathlib does), since paths are normalised: "a//b", "a/../b" and "a%20b" are names of their own in an object store.

Credentials are found as each filesystem finds them: s3fs takes AWS_ACCESS_KEY_ID and its kin or ~/.aws, another endpoint from
AWS_ENDPOINT_URL, anything else from fsspec's own configuration (~/.config/fsspec, FSSPEC_S3_...). fsspec is imported when the
first remote name is met: local builds do without it.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from vdata.errors import ConfigError, MediaError, MissingExtraError, OpenError
from vdata.media.config import LimitConfig
from vdata.media.url import RemoteRoot, Root, without_secrets
from vdata.records import printable

__all__ = [
    "Reading",
    "RemoteObject",
    "as_media_error",
    "check_scheme",
    "filesystem_of",
    "is_final",
    "list_objects",
    "network_errors",
    "words_of",
]

_SCHEMES = re.compile(r"(?:^|::)([A-Za-z][A-Za-z0-9+.-]*)(?=://|::)")
_HTTP = ("http", "https")
_S3 = ("s3", "s3a")
_MARKS = ("ETag", "etag", "md5Hash", "generation", "content_md5", "mtime", "modified", "last_modified", "created")
_OTHER_ERRORS = {
    "aiohttp": ("ClientError",),
    "azure.core.exceptions": ("AzureError",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "gcsfs.retry": ("HttpError",),
    "paramiko": ("SSHException",),
}
"""What the filesystems raise that is no OSError; a name that is missing here ends the build as a bug does."""
_FINAL_ERRORS = {
    "aiohttp": ("InvalidURL", "NonHttpUrlClientError", "TooManyRedirects"),
    "botocore.exceptions": ("NoCredentialsError",),
}
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_GONE, _FEWEST_FINAL, _MENDABLE = 410, 300, frozenset({408, 425, 429})


class Reading(Protocol):
    """An open source that is read from some byte on."""

    start: int
    """The byte that comes first: what was asked for, or 0 where the server begins anew."""
    num_bytes: int
    """Size of the whole; -1 where the server does not say."""
    mark: str
    """What changes with the content; empty where nothing can show that a later answer is about the same bytes."""

    def read(self, num_bytes: int) -> bytes:
        """The next bytes, at most so many; none at the end."""


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One source on another machine, not opened yet."""

    filesystem: Any
    path: str = field(repr=False)
    """As the filesystem wants it, secrets included."""
    name: str
    """For messages."""

    @classmethod
    def of(cls, root: Root, source: str, limits: LimitConfig) -> RemoteObject:
        """The object that `source` names: a URL, or a key below a remote root.

        Raises:
            OpenError: `bad_url`.
            MissingExtraError: the package for the scheme is not installed.
        """
        name = printable(without_secrets(source))
        try:
            if isinstance(root, RemoteRoot):
                filesystem, above = filesystem_of(root.url, limits)
                return cls(filesystem, f"{above.rstrip('/')}/{source}", name)
            return cls(*filesystem_of(source, limits), name)
        except ValueError as error:
            raise OpenError("bad_url", f"'{name}' cannot be used: {words_of(error)}") from None

    @contextmanager
    def open(self, start: int = 0, mark: str = "") -> Iterator[Reading]:
        """The bytes from `start` on, if the content still has the `mark` that an earlier Reading had; else from 0.

        Raises:
            network_errors(): whatever the filesystem raises.
            OpenError: `bad_url`.
        """
        start = start if mark else 0
        protocol = self.filesystem.protocol
        if "http" in ((protocol,) if isinstance(protocol, str) else protocol):
            with closing(self._answer(start, mark)) as file:
                yield _HttpReading(file, start)
        else:
            # cache_type: the usual one holds 50 MB and reads ahead of what is asked.
            with closing(self.filesystem.open(self.path, "rb", cache_type="none")) as file:
                yield _ObjectReading(file, getattr(file, "details", None) or self.filesystem.info(self.path), start, mark)

    def _answer(self, start: int, mark: str) -> Any:  # noqa: ANN401 - fsspec has no types
        """The answer to one GET, as a file.

        fsspec's usual file would ask by HEAD first, which signed URLs refuse, and takes every failure of that for a missing file.
        A size, whatever it is, keeps it from asking; a block size of 0 makes it one answer that is read as it comes.
        """
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-", "If-Range": mark} if start else {})
        try:
            return self.filesystem.open(self.path, block_size=0, size=1, headers=headers)
        except ValueError as error:
            if isinstance(error, network_errors()):
                raise
            raise OpenError("bad_url", f"'{self.name}' is no URL that can be asked for") from None


class _HttpReading:
    """An answer that is read as it comes."""

    def __init__(self, file: Any, start: int) -> None:  # noqa: ANN401 - fsspec has no types
        self._file, answer = file, file.r
        self.start, self.num_bytes = _place(answer.status, answer.headers)
        if self.start not in (0, start):
            raise ConnectionError(f"the server sends bytes from {self.start} on, asked for {start}")
        tag = answer.headers.get("ETag", "")
        # A weak tag does not promise equal bytes.
        self.mark = answer.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            self.num_bytes, self.mark = -1, ""

    def read(self, num_bytes: int) -> bytes:
        data: bytes = self._file.read(num_bytes)
        return data


class _ObjectReading:
    """A seekable file of any filesystem; each read is a request of its own."""

    def __init__(self, file: Any, details: Mapping[str, Any], start: int, mark: str) -> None:  # noqa: ANN401 - see above
        self._file, size = file, details.get("size")
        self.num_bytes = -1 if size is None else int(size)
        self.mark = " ".join(f"{name}={details[name]}" for name in _MARKS if details.get(name))
        self.start = start if mark == self.mark else 0
        self._file.seek(self.start)

    def read(self, num_bytes: int) -> bytes:
        data: bytes = self._file.read(num_bytes)
        return data


def check_scheme(url: str) -> bool:
    """Whether fsspec knows the schemes of a URL.

    Raises:
        MissingExtraError: it does, but the package for one is not installed.
    """
    fsspec = _fsspec(url)
    for scheme in _SCHEMES.findall(url):
        if scheme not in fsspec.available_protocols():
            return False
        with _wording_import_errors(url):
            fsspec.get_filesystem_class(scheme)
    return True


def list_objects(root: RemoteRoot) -> Iterator[tuple[str, int]]:
    """Key below the root and size (-1: not told) of every object, in any order, by one recursive listing.

    Raises:
        ConfigError: the root cannot be listed, or its scheme is unknown.
        MissingExtraError: the package for the scheme is not installed.
    """
    if root.url.lower().startswith(_HTTP):
        raise ConfigError(
            f"'{root}': a web server has no listing; write a list of its URLs and use --dataset urls --root LIST.txt"
        )
    try:
        filesystem, path = filesystem_of(root.url)
        found = filesystem.find(path, detail=True)
    except _listing_errors() as error:
        hint = "see that the address and the credentials in the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL ...) are right"
        raise ConfigError(f"'{root}' cannot be listed: {words_of(error)}; {hint}") from None
    above = path.rstrip("/") + "/"
    for name, details in found.items():
        # Some stores keep an empty object whose name ends in a slash for each folder; a root that is a file lists itself.
        if details["type"] == "file" and not name.endswith("/") and name.startswith(above):
            size = details.get("size")
            yield name[len(above) :], -1 if size is None else int(size)


def network_errors() -> tuple[type[Exception], ...]:
    """What may be raised because of a network or a server. Bugs are not among them."""
    return (OSError, EOFError, *_classes(_OTHER_ERRORS))


def _listing_errors() -> tuple[type[Exception], ...]:
    return (ValueError, *network_errors())


def as_media_error(error: Exception, name: str) -> MediaError:
    """The row of a source that could not be had; its message has no secrets."""
    status = getattr(error, "status", 0)
    if isinstance(error, FileNotFoundError) or status == _GONE:
        return OpenError("missing", f"'{name}' is not there: {words_of(error)}")
    return MediaError("download", f"'{name}' cannot be downloaded: {words_of(error)}", retryable=True)


def is_final(error: Exception) -> bool:
    """Whether the same request would meet the same answer: what is missing or forbidden, or leads nowhere."""
    status = getattr(error, "status", 0)
    refused = _FEWEST_FINAL <= status < 500 and status not in _MENDABLE  # noqa: PLR2004 - the server's own failures begin there
    # No such host; while a network is down, the resolver says EAI_AGAIN.
    unknown_host = getattr(error, "errno", None) == socket.EAI_NONAME
    final: tuple[type[Exception], ...] = (FileNotFoundError, PermissionError, IsADirectoryError, *_classes(_FINAL_ERRORS))
    return refused or unknown_host or isinstance(error, final)


def _classes(table: Mapping[str, Sequence[str]]) -> Iterator[type[Exception]]:
    """The classes of a table, but for modules that were never loaded: those have raised nothing."""
    loaded = ((sys.modules.get(module), names) for module, names in table.items())
    return (getattr(module, name) for module, names in loaded if module for name in names)


def filesystem_of(url: str, limits: LimitConfig | None = None, connections: int | None = None) -> tuple[Any, str]:
    """The filesystem of a URL, and the URL as that wants it.

    With `limits` it tries once and waits for an answer as long as they say; without, as a listing, it tries as the filesystem
    does. `connections` are the most at a time to S3, the filesystem's own number by default.

    Raises:
        ValueError: it is no URL that fsspec can take.
        MissingExtraError: the package for the scheme is not installed.
    """
    fsspec = _fsspec(url)
    scheme = url.partition("://")[0].lower()
    with _wording_import_errors(url):
        if scheme in _HTTP:
            # Not by url_to_fs, which takes the "::" of an IPv6 address for the end of a URL. What is escaped already stays so: a
            # signature is about the bytes of the URL.
            quoted = quote(url, safe="%/:=&?~#+!$,;'@()*[]", errors="surrogateescape")
            return fsspec.filesystem(scheme, **_options(fsspec, scheme, limits)), quoted
        options = {name: _options(fsspec, name, limits, connections) for name in _SCHEMES.findall(url)}
        filesystem, path = fsspec.core.url_to_fs(url, **{name: given for name, given in options.items() if given})
    if limits and isinstance(getattr(filesystem, "retries", None), int):
        # Ours go on from the byte that was reached, and are counted.
        filesystem.retries = 1
    return filesystem, path


def _options(
    fsspec: Any,  # noqa: ANN401 - a module
    scheme: str,
    limits: LimitConfig | None,
    connections: int | None = None,
) -> dict[str, Any]:
    """What a filesystem is told beside the user's own configuration."""
    if scheme in _HTTP:
        import aiohttp  # noqa: PLC0415 - an extra

        seconds = limits.answer_seconds if limits else None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        # trust_env: proxies are found as curl finds them.
        return {"client_kwargs": {"timeout": timeout, "trust_env": True}, "encoded": True}
    if scheme not in _S3:
        return {}
    own: Mapping[str, Any] = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    waits = {"connect_timeout": limits.answer_seconds, "read_timeout": limits.answer_seconds} if limits else {}
    tries = {"retries": {"total_max_attempts": 1}} if limits else {}
    pool = {"max_pool_connections": connections} if connections else {}
    return {"use_listings_cache": False, "config_kwargs": {**waits, **tries, **pool, **own}}


def _fsspec(url: str) -> Any:  # noqa: ANN401 - a module
    with _wording_import_errors(url):
        import fsspec.core  # noqa: PLC0415 - an extra
    return fsspec


@contextmanager
def _wording_import_errors(url: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        scheme = url.partition("://")[0]
        package = error.name or _PACKAGES.get(scheme, scheme)
        way_out = "pip install '.[remote]' in vdata's checkout, or the package itself"
        raise MissingExtraError(f"reading {scheme}://", package, way_out) from error


def _place(status: int, headers: Mapping[str, str]) -> tuple[int, int]:
    """First byte and whole size of an answer."""
    if status == 206:  # noqa: PLR2004 - partial content
        match = re.match(r"bytes (\d+)-\d+/(\d+)$", headers.get("Content-Range", ""))
        if match is None:
            raise ConnectionError("the server does not say which bytes it sends")
        return int(match[1]), int(match[2])
    return 0, int(headers.get("Content-Length", -1))


def words_of(error: Exception) -> str:
    """What an error says, on one line, without secrets."""
    if status := getattr(error, "status", 0):
        # aiohttp's own words end with the whole URL.
        return f"the server answers {status} {getattr(error, 'message', '')}".rstrip()
    return without_secrets(" ".join(f"{type(error).__name__}: {error}".split()))[:500]
