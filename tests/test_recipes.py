import pytest

from vdata.config import to_mapping
from vdata.errors import ConfigError, UnknownNameError
from vdata.methods import METHODS
from vdata.methods.simclr import SimClrConfig
from vdata.nn.backbones import BACKBONES
from vdata.recipes import TrainConfig, read_recipe, train_config
from vdata.views import check_views

RECIPES = [(method, recipe) for method in METHODS for recipe in ("small", "paper")]


def leaves(table, path=()):
    """Every value of nested tables, by its path."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


@pytest.mark.parametrize(("method", "recipe"), RECIPES)
def test_the_packages_recipes_load(method, recipe):
    """Every method has both, and no line of a recipe is lost on the way."""
    config = train_config(method, recipe)
    assert config.backbone in BACKBONES
    check_views(config.views)
    values = read_recipe(method, recipe)
    own = dict(leaves(to_mapping(config.method_config)))
    for path, value in leaves(values.pop(method)):
        assert own[path] == value or list(own[path]) == value
    resolved = dict(leaves(to_mapping(config)))
    for path, value in leaves(values):
        assert resolved[path] == value or list(resolved[path]) == value


def test_the_papers_recipe_has_the_papers_numbers():
    config = train_config("simclr", "paper")
    assert config.method_config.temperature == 0.1
    assert config.optim.lr * config.batch_size / 256 == pytest.approx(1.2)
    assert (config.optim.name, config.optim.scaling) == ("lars", "linear")


def test_what_is_said_last_wins():
    config = train_config("simclr", "small", {"steps": 7, "optim": {"lr": 0.5}, "simclr": {"temperature": 0.9}})
    assert (config.steps, config.optim.lr, config.method_config.temperature) == (7, 0.5, 0.9)
    assert config.method_config.frames == read_recipe("simclr", "small")["simclr"]["frames"]
    assert train_config("simclr").method_config == SimClrConfig()


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("steps = 3\n[simclr]\naugment = { area = [0.2, 0.9] }\n")
    config = train_config("simclr", str(path))
    assert config.steps == 3
    assert config.views[0].augment.area == (0.2, 0.9)
    path.write_text('method = "cmd"')
    with pytest.raises(ConfigError, match="must be 'simclr'"):
        train_config("simclr", str(path))


def test_unknown_names_tell_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no recipe of simclr is named 'smal'\. Did you mean 'small'"):
        train_config("simclr", "smal")
    with pytest.raises(UnknownNameError, match=r"no method is named 'simclear'\. Did you mean 'simclr'"):
        train_config("simclear")
    with pytest.raises(ConfigError, match=r"'simclr\.temprature'\. Did you mean 'simclr\.temperature'"):
        train_config("simclr", None, {"simclr": {"temprature": 1.0}})
    with pytest.raises(ConfigError, match=r"'optim\.rate'"):
        train_config("simclr", None, {"optim": {"rate": 1.0}})


@pytest.mark.parametrize(
    "setting", [{"steps": 0}, {"batch_size": 0}, {"log_every": 0}, {"checkpoint_every": 0}, {"seed": -1}, {"device": "tpu"}]
)
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        TrainConfig("simclr", **setting)


def test_the_batch_is_shared_out_among_the_ranks(monkeypatch):
    config = TrainConfig("simclr", batch_size=12)
    assert config.rank_batch_size == 12
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert config.rank_batch_size == 4
    assert TrainConfig("simclr", batch_size=12, accumulate=2).rank_batch_size == 2
    monkeypatch.setenv("WORLD_SIZE", "5")
    with pytest.raises(ConfigError, match="must be a multiple of 5: 5 ranks"):
        _ = config.rank_batch_size
