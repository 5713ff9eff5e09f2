from fractions import Fraction

import pytest

from vdata.builder.config import RunConfig, resolve
from vdata.config import assign
from vdata.errors import ConfigError, UnknownNameError


def test_defaults_are_the_dataclasses_own():
    config = resolve("folder")
    assert config.extract == ("keyframes", "motion")
    assert config.clip.gop == 12
    assert config.format == "tar"


def test_settings_reach_their_sections():
    config = resolve("folder", ("motion",), {"clip": {"gop": 16, "seconds": 4}, "motion": {"form": "vectors"}})
    assert (config.clip.gop, config.clip.seconds, config.own["motion"].form) == (16, 4.0, "vectors")


def test_a_dataset_suggests_and_the_user_decides():
    assert resolve("sample").clip.short_side == 96
    assert resolve("sample", None, {"clip": {"short_side": 128}}).clip.short_side == 128


def test_the_config_comes_back_from_its_plain_values():
    config = resolve("sample", ("keyframes",), {"clip": {"gop": 8}, "format": "parquet"})
    assert config.format == "parquet"
    plain = config.to_mapping()
    settings = {key: value for key, value in plain.items() if key not in {"dataset", "extract"}}
    assert resolve(plain["dataset"], tuple(plain["extract"]), settings) == config


@pytest.mark.parametrize(
    ("dataset", "extract", "settings", "words"),
    [
        ("foldr", None, {}, "no dataset is named 'foldr'. Did you mean 'folder'?"),
        ("folder", ("moton",), {}, "no extractor is named 'moton'. Did you mean 'motion'?"),
        ("folder", None, {"clp": {}}, "no settings section is named 'clp'. Did you mean 'clip'?"),
        ("folder", None, {"clip": {"gopp": 3}}, "no setting is named 'clip.gopp'. Did you mean 'clip.gop'?"),
        ("folder", None, {"clip": {"gop": 251}}, "clip.gop (251) must be in [1, 250]"),
        ("folder", None, {"clip": {"gop": 18, "layers": 3}}, "clip.gop (18) must be a multiple of 4 with clip.layers=3"),
        ("folder", None, {"clip": {"gop": "many"}}, "clip.gop ('many') must be of type int"),
        ("folder", None, {"clip": {"layers": 2}}, "clip.layers (2) must be one of 1, 3"),
        ("folder", None, {"clip": {"fps": "fast"}}, "clip.fps ('fast') must be a number or a fraction"),
        ("folder", None, {"clip": 3}, "clip (3) must be a table of settings"),
        ("folder", None, {"format": "zip"}, "format ('zip') must be one of tar, parquet"),
        ("folder", None, {"clip": {"seconds": float("inf")}}, "clip.seconds (inf) must be positive"),
        ("folder", ("motion", "motion"), {}, "must not name an extractor twice"),
    ],
)
def test_each_mistake_is_named(dataset, extract, settings, words):
    with pytest.raises(ConfigError) as caught:
        resolve(dataset, extract, settings)
    assert words in str(caught.value)
    assert isinstance(caught.value, UnknownNameError) == words.startswith(("no dataset", "no extractor", "no settings section"))


@pytest.mark.parametrize(("settings", "gop"), [({}, 12), ({"layers": 3}, 16), ({"layers": 3, "gop": 8}, 8), ({"gop": 16}, 16)])
def test_a_gop_that_nobody_names_is_the_structure_s_own_and_is_stored_as_a_number(settings, gop):
    config = resolve("folder", settings={"clip": settings})
    assert config.clip.gop == config.to_mapping()["clip"]["gop"] == gop


def test_workers_default_to_the_cores_of_this_process():
    assert RunConfig().num_workers >= 1
    assert RunConfig(workers=5).num_workers == 5
    with pytest.raises(ConfigError, match="--workers"):
        RunConfig(workers=-1)


def test_a_rate_may_be_typed_as_a_number():
    assert resolve("folder", settings=assign(["clip.fps=12.5"])).clip.rate == Fraction(25, 2)
    assert resolve("folder", settings=assign(["clip.fps=25"])).clip.rate == 25
    assert resolve("folder", settings=assign(["clip.fps=30000/1001"])).clip.rate == Fraction(30000, 1001)


def test_the_extractor_dataset_is_no_dataset_s_name():
    """Both have a section of that name; what is saved comes back."""
    config = resolve("folder", ("dataset",))
    saved = config.to_mapping()
    assert (saved["dataset"], saved["extract"]) == ("folder", ["dataset"])
    settings = {name: value for name, value in saved.items() if name not in ("dataset", "extract")}
    assert resolve(saved["dataset"], tuple(saved["extract"]), settings) == config
