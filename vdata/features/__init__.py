"""Features of every few frames by a trained backbone, for shards that stand.

Here Ray and torch meet on purpose, so nothing but the command line imports it. `cuda` has not been run on a GPU yet.
"""

from vdata.features.actors import feature_addition, run_on_actors
from vdata.features.config import FeaturesConfig
from vdata.features.extractor import FeatureExtractor

__all__ = ["FeatureExtractor", "FeaturesConfig", "feature_addition", "run_on_actors"]
