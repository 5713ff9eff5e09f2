"""From TOML and `--set` to frozen dataclasses, and back to plain values.

Every default lives in the dataclass of the part that it steers. This module only moves values: nested dictionaries in,
checked dataclasses out, with an error that names the full key ("clip.gop") and the nearest known one.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import hashlib
import inspect
import itertools
import json
import textwrap
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vdata.errors import ConfigError

__all__ = ["assign", "check", "digest", "field_docs", "from_mapping", "merge", "read_toml", "to_mapping"]

T = TypeVar("T")


def check(ok: bool, key: str, value: object, rule: str) -> None:  # noqa: FBT001 - reads as a sentence at its call sites
    """Nothing, or the error of a setting that breaks its rule.

    Raises:
        ConfigError: `ok` is false; the message is "<key> (<value>) <rule>".
    """
    if not ok:
        msg = f"{key} ({value!r}) {rule}"
        raise ConfigError(msg)


def from_mapping(cls: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """The dataclass that the nested mapping describes; missing keys keep the dataclass's defaults.

    A field whose metadata has `required`, the words of its rule, must be in the mapping: its default serves only who makes the
    dataclass without settings, as the documentation does.

    Raises:
        ConfigError: an unknown key (the nearest is named), a value of the wrong type, or a required one that is missing.
    """
    check(isinstance(values, Mapping), prefix.rstrip(".") or "settings", values, "must be a table of settings")
    hints = _hints(typing.cast("Any", cls))
    known = {field.name for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise _unknown_key(prefix + key, sorted(prefix + name for name in known))
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if "required" in field.metadata:
            check(field.name in values, prefix + field.name, "", field.metadata["required"])
    return cls(**{key: _value(hints[key], value, prefix + key) for key, value in values.items()})


def to_mapping(config: object) -> dict[str, Any]:
    """The dataclass as nested plain values: what TOML, JSON and dataset.json can hold."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))  # type: ignore[call-overload]
    return plain


def read_toml(path: Path) -> dict[str, Any]:
    """The nested mapping of a TOML file.

    Raises:
        ConfigError: the file is absent or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        msg = f"config file '{path}' cannot be read: {error}"
        raise ConfigError(msg) from error


def assign(settings: Sequence[str]) -> dict[str, Any]:
    """The nested mapping of `section.key=value` settings; a value is TOML, or else a plain string.

    Raises:
        ConfigError: a setting without '='.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        check(bool(equals), "--set", setting, "must be SECTION.KEY=VALUE, for example clip.gop=16")
        *path, last = key.strip().split(".")
        nested: dict[str, Any] = {last: _toml_value(text.strip())}
        for name in reversed(path):
            nested = {name: nested}
        values = merge(values, nested)
    return values


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` laid on top, table by table."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def field_docs(cls: type) -> dict[str, str]:
    """What a dataclass says of its fields: the string behind each, as one line, its bases' too; fields without one are left out.

    They stand where people read them, behind the field; Python keeps no docstrings of fields, so the source is parsed.
    """
    found: dict[str, str] = {}
    for owner in reversed([base for base in cls.__mro__ if dataclasses.is_dataclass(base)]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, behind in itertools.pairwise(body):
            match field, behind:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    return found


def digest(value: object) -> str:
    """A hex string of 16 characters that changes with any part of a plain value or dataclass."""
    plain = to_mapping(value) if dataclasses.is_dataclass(value) else value
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields: 50 us each time, and a text.json has a dataclass for every cue."""
    return typing.get_type_hints(cls)


def _toml_value(text: str) -> Any:  # noqa: ANN401 - TOML values are any
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _unknown_key(key: str, known: Sequence[str]) -> ConfigError:
    nearest = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return ConfigError(f"no setting is named '{key}'.{hint} Known here: {', '.join(known)}")


def _value(hint: Any, value: Any, key: str) -> Any:  # noqa: ANN401 - type hints and TOML values are any
    """`value` as the field's type asks: dataclasses from tables, tuples from arrays, floats from integers."""
    if dataclasses.is_dataclass(hint):
        check(isinstance(value, Mapping), key, value, "must be a table of settings")
        return from_mapping(typing.cast("type[Any]", hint), value, prefix=f"{key}.")
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _union_value(args, value, key)
    if origin is typing.Literal:
        check(value in args, key, value, f"must be one of {', '.join(map(repr, args))}")
        return value
    if origin is tuple:
        return _tuple_value(args, value, key)
    if origin in (Mapping, dict):
        check(isinstance(value, Mapping), key, value, "must be a table of settings")
        return dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (Any, object):
        return value
    plain = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    check(plain, key, value, f"must be of type {hint.__name__}")
    return value


def _union_value(args: Sequence[Any], value: Any, key: str) -> Any:  # noqa: ANN401 - see _value
    if value is None or (value == "none" and type(None) in args):
        check(type(None) in args, key, value, "must have a value")
        return None
    for arg in args:
        if arg is type(None):
            continue
        try:
            return _value(arg, value, key)
        except ConfigError as error:
            refusal = error
    raise refusal


def _tuple_value(args: Sequence[Any], value: Any, key: str) -> Any:  # noqa: ANN401 - see _value
    if isinstance(value, str):
        value = [part for part in value.split(",") if part]
    check(isinstance(value, Sequence), key, value, "must be a list")
    if len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
        return tuple(_value(args[0], item, f"{key}[{i}]") for i, item in enumerate(value))
    check(len(value) == len(args), key, value, f"must have {len(args)} items")
    return tuple(_value(arg, item, f"{key}[{i}]") for i, (arg, item) in enumerate(zip(args, value, strict=True)))
