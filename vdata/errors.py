"""The tree of errors a user can meet.

    VdataError
      ConfigError(ValueError)            a setting: names the key, the value, the rule
        UnknownNameError(LookupError)    not in a table: the nearest name, then all names
      MissingExtraError(ImportError)     a feature whose packages are not installed
      MediaError                         one video or clip is unusable: recorded, skipped
        OpenError  DecodeError  ContractError
      ShardError                         shards on disk: names shard and key
        SchemaMismatchError  CorruptShardError
      BuildFailedError                   a build that was stopped: too many failures, or workers that keep dying
        DiskFullError                    no room for the shards
      DivergedError                      a training run whose loss is no longer finite

Every message is one line: what was asked, the value found, the rule, the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BuildFailedError",
    "ConfigError",
    "ContractError",
    "CorruptShardError",
    "DecodeError",
    "DiskFullError",
    "DivergedError",
    "MediaError",
    "MissingExtraError",
    "OpenError",
    "SchemaMismatchError",
    "ShardError",
    "UnknownNameError",
    "VdataError",
]


class VdataError(Exception):
    """Any error that vdata raises on purpose."""


class ConfigError(VdataError, ValueError):
    """A setting breaks its rule."""


class UnknownNameError(ConfigError, LookupError):
    """A name that no table holds."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Words the error as "no method is named 'cdm'. Did you mean 'cmd'? Known: ..."."""
        names = sorted(known)
        nearest = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
        super().__init__(f"no {kind} is named '{name}'.{hint} Known: {', '.join(names)}")
        self.kind, self.name, self.known = kind, name, names

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str]]]:
        """Travels between processes with its three parts, not its one message."""
        return type(self), (self.kind, self.name, self.known)


class MissingExtraError(VdataError, ImportError):
    """A feature whose packages are not installed."""

    def __init__(self, feature: str, package: str, install: str) -> None:
        """Words the error as "<feature> needs the package '<package>': <install>"."""
        super().__init__(f"{feature} needs the package '{package}', which is not installed: {install}")
        self.feature, self.package, self.install = feature, package, install

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        """Travels between processes with its three parts, not its one message."""
        return type(self), (self.feature, self.package, self.install)


class MediaError(VdataError):
    """One video or clip is unusable: it becomes a row of errors.parquet and the build goes on.

    `reason` is the row's short code, `message` the sentence, `tail` the last words of ffmpeg.
    """

    retryable = False
    """Whether another try may end otherwise (time, memory, disk)."""

    def __init__(self, reason: str, message: str, tail: str = "", *, retryable: bool = False) -> None:
        """Keeps the row's parts beside the one-line message."""
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.tail, self.retryable = reason, message, tail, retryable

    def __reduce__(self) -> tuple[object, ...]:
        """Travels between processes with all its parts."""
        return type(self), (self.reason, self.message, self.tail), {"retryable": self.retryable}


class OpenError(MediaError):
    """The bytes are no video that ffmpeg can open."""


class DecodeError(MediaError):
    """The stream opens but does not decode, or not to the frames it promised."""


class ContractError(MediaError):
    """Our own clip breaks the encode contract: it is not written."""


class ShardError(VdataError):
    """Shards on disk are not as their rows say."""


class SchemaMismatchError(ShardError):
    """Shards of another format version, or without a column or field that was asked."""


class CorruptShardError(ShardError):
    """Bytes on disk differ from what the row promises; names shard and key."""


class BuildFailedError(VdataError):
    """A build was stopped before its end; what is finished stays, and the same command goes on."""


class DiskFullError(BuildFailedError):
    """There is no room left for the shards."""


class DivergedError(VdataError):
    """A training run whose loss is no longer finite."""
