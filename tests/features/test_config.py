import hashlib
from fractions import Fraction

import pytest

from vdata.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vdata.errors import ConfigError
from vdata.features.config import FeaturesConfig, pinned
from vdata.features.extractor import FeatureExtractor


@pytest.mark.parametrize(
    ("fps", "settings", "stride"),
    [
        (Fraction(25), {"rate": 15.0}, 2),
        (Fraction(25), {"rate": 3.0}, 8),
        (Fraction(30000, 1001), {}, 2),
        (Fraction(15), {}, 1),
        (Fraction(5), {}, 1),
        (Fraction(25), {"stride": 5, "rate": 1.0}, 5),
    ],
)
def test_the_stride_is_the_whole_one_nearest_to_the_rate(fps, settings, stride):
    assert FeaturesConfig("c.pt", **settings).stride_at(fps) == stride


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("checkpoint", ""), ("rate", 0.0), ("rate", float("inf")), ("stride", 0), ("frames", 0), ("step", -1), ("size", 0)),
        *(("batch", 0), ("dtype", "float16"), ("device", "tpu")),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(key, value):
    with pytest.raises(ConfigError, match=f"features.{key}"):
        FeaturesConfig(**({"checkpoint": "c.pt"} | {key: value}))


def test_a_pinned_config_refuses_another_file(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(checkpoint.parent)
    config = pinned(FeaturesConfig("checkpoint.pt"))
    assert config.checkpoint == str(checkpoint)
    assert config.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert pinned(config) == config == FeatureExtractor(config).config
    other = tmp_path / "checkpoint.pt"
    saved = load_checkpoint(checkpoint)
    save_checkpoint(other, Checkpoint(saved.config, 2, saved.model, {}, {}))
    for refuse in (pinned, FeatureExtractor):
        with pytest.raises(ConfigError, match=r"features\.sha256"):
            refuse(FeaturesConfig(str(other), config.sha256))
