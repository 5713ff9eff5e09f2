"""What lists and tables name: a video by its URL or path, with what of the name may be stored."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vdata.datasets._layout import names_in, path_id
from vdata.media.remote import check_scheme
from vdata.media.url import is_url, local_path, without_secrets
from vdata.records import readable

__all__ = ["LocalFiles", "Location", "Schemes"]


@dataclass(frozen=True, slots=True)
class Location:
    """A URL, or a path below the folder of the list."""

    name: str
    """As listed, secrets included."""

    @property
    def is_remote(self) -> bool:
        """Whether it must be downloaded."""
        return is_url(self.name) and local_path(self.name) is None

    @property
    def shown(self) -> str:
        """The name as it may be stored."""
        return readable(without_secrets(self.name) if is_url(self.name) else self.name)

    @property
    def source(self) -> str:
        """What two names of one video share: of a URL the part without secrets, of a path its bytes."""
        return self.shown if is_url(self.name) else self.name

    @property
    def location(self) -> str:
        """The whole URL where `source` leaves something out; else empty."""
        return self.name if self.source != self.name else ""

    @property
    def video_id(self) -> str:
        """The name as an id."""
        return self.shown if is_url(self.name) else path_id(self.name)


class Schemes:
    """Which schemes of URLs can be read; each is looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def fault(self, location: Location) -> str:
        """Why nothing can read a URL; empty for any other name.

        Raises:
            MissingExtraError: the package for its scheme is not installed.
        """
        if not location.is_remote:
            return ""
        scheme = location.name.partition("://")[0]
        if scheme not in self._known:
            self._known[scheme] = check_scheme(location.name)
        return "" if self._known[scheme] else f"nothing reads '{scheme}://'; write https, s3, gs ... or a path"


class LocalFiles:
    """Which paths lie below a folder, or where an absolute path leads; one scandir for each folder that is asked about."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, frozenset[str]] = {}

    def __contains__(self, source: str) -> bool:
        """Whether the folder of that path, or of that URL of a file, has an entry of that name."""
        parent, name = os.path.split(os.fspath(local_path(source) or source))
        if parent not in self._names:
            self._names[parent] = names_in(self._folder / parent)
        return name in self._names[parent]
