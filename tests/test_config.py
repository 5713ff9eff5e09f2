import dataclasses
from dataclasses import dataclass, field
from typing import Literal

import pytest

from vdata.config import assign, digest, field_docs, from_mapping, merge, read_toml, to_mapping
from vdata.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    size: int = 3
    name: str = "a"


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    rate: float = 0.5
    flag: bool = False
    mode: Literal["x", "y"] = "x"
    pair: tuple[float, float] = (0.0, 1.0)
    names: tuple[str, ...] = ()
    end: float | None = None


def test_values_reach_nested_fields_in_their_types():
    values = {"inner": {"size": 4}, "rate": 1, "pair": [1, 2], "names": ["p", "q"], "end": 2, "mode": "y", "flag": True}
    config = from_mapping(Outer, values)
    assert config == Outer(Inner(4), 1.0, True, "y", (1.0, 2.0), ("p", "q"), 2.0)
    assert type(config.rate) is float
    assert from_mapping(Outer, to_mapping(config)) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rat": 1}, "no setting is named 'rat'. Did you mean 'rate'?"),
        ({"inner": {"siez": 1}}, "no setting is named 'inner.siez'. Did you mean 'inner.size'?"),
        ({"inner": 3}, "inner (3) must be a table of settings"),
        ({"inner": {"size": "4"}}, "inner.size ('4') must be of type int"),
        ({"inner": {"size": True}}, "inner.size (True) must be of type int"),
        ({"mode": "z"}, "mode ('z') must be one of 'x', 'y'"),
        ({"pair": [1]}, "pair ([1]) must have 2 items"),
        ({"rate": None}, "rate (None) must be of type float"),
        ({"flag": 1}, "flag (1) must be of type bool"),
    ],
)
def test_each_mistake_names_its_key(values, words):
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, values)
    assert words in str(caught.value)


def test_a_required_value_must_be_given_to_settings_not_to_the_class():
    rule = {"required": "must be a path"}
    made = dataclasses.make_dataclass("Made", [("path", str, dataclasses.field(default="", metadata=rule)), ("size", int, 3)])
    assert made() == made("", 3)
    assert from_mapping(made, {"path": "here"}, "own.") == made("here", 3)
    with pytest.raises(ConfigError, match=r"^own\.path \(''\) must be a path$"):
        from_mapping(made, {"size": 4}, "own.")


def test_assignments_are_toml_or_text():
    values = assign(["inner.size=7", "inner.name=hello", 'names=["a", "b"]', "rate=0.25", "end=none"])
    assert values == {"inner": {"size": 7, "name": "hello"}, "names": ["a", "b"], "rate": 0.25, "end": "none"}
    assert from_mapping(Outer, values).end is None
    with pytest.raises(ConfigError, match=r"SECTION\.KEY=VALUE"):
        assign(["inner.size"])


def test_merge_lays_tables_on_tables():
    assert merge({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}, "b": 1}


def test_toml_files(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("rate = 2\n[inner]\nsize = 9\n")
    assert from_mapping(Outer, read_toml(path)) == Outer(Inner(9), 2.0)
    path.write_text("rate = = 2")
    for bad in (path, tmp_path / "none.toml"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_toml(bad)


def test_the_digest_follows_every_value():
    assert digest(Outer()) == digest(Outer())
    assert len({digest(Outer()), digest(Outer(rate=0.6)), digest(Outer(inner=Inner(name="b"))), digest({"a": 1})}) == 4


@dataclass(frozen=True)
class Base:
    """A base."""

    first: int = 1
    """The first,
    over two lines."""
    second: int = 2


@dataclass(frozen=True)
class Derived(Base):
    """Another."""

    third: str = "x"
    """The third."""


def test_what_a_config_says_of_its_fields():
    assert field_docs(Derived) == {"first": "The first, over two lines.", "third": "The third."}
