"""Kinetics-600: about 495,000 ten-second clips of YouTube videos, 600 human actions; annotations by DeepMind, CC BY 4.0.

The videos are not published by their owners. The CVDF mirror (github.com/cvdfoundation/kinetics-dataset) has them as one tar.gz
a class; ActivityNet's crawler downloads what YouTube still has. The mirror's train.csv and val.csv are incomplete by its own
words (val.csv names about half of its videos), and its train.txt and val.txt are whole but in a form that nobody here has seen:
take kinetics-600_train.csv and _val.csv of the crawler, or DeepMind's kinetics600.tar.gz.

Source: Carreira et al. 2018, arXiv 1808.01340; see _kinetics.py. The val and test lists were read: 30,000 and 72,924 rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from vdata.config import check
from vdata.datasets import DATASETS, About
from vdata.datasets._kinetics import Kinetics, KineticsConfig, list_names

__all__ = ["Kinetics600", "Kinetics600Config"]

_LAYOUT = """ROOT/
  kinetics-600_train.csv ...          or train.csv, val.csv or validate.csv, test.csv; in ROOT or annotations/
  kinetics600_holdout_test.csv        for --set kinetics600.test=holdout
  train/ID_000010_000020.mp4 ...      val/, test/; flat, or in class folders; or class folders in ROOT
"""
_HOLDOUT = ("kinetics600_holdout_test.csv", "kinetics-600_holdout_test.csv", "holdout_test.csv")


@dataclass(frozen=True)
class Kinetics600Config(KineticsConfig):
    """Which of the two test lists is built, and what a file's name does not tell."""

    test: Literal["test", "holdout"] = "test"
    """The list of the split `test`: the public one, or the one held out for the challenge. Only the latter's name was seen."""

    def __post_init__(self) -> None:
        """Checks the list's name."""
        check(self.test in ("test", "holdout"), "kinetics600.test", self.test, "must be test or holdout")


@DATASETS.add("kinetics600")
class Kinetics600(Kinetics):
    """The rows of the split's CSV, in its order; `kinetics600.test` chooses between the two test lists."""

    Config: ClassVar[type] = Kinetics600Config
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 392_622, "val": 30_000, "test": 72_924}, needs="unpacked tar.gz files, and lists that are whole"
    )
    name: ClassVar[str] = "kinetics600"
    list_folders: ClassVar[tuple[str, ...]] = (".", "annotations", "kinetics600")
    config: Kinetics600Config

    def list_names(self, split: str) -> tuple[str, ...]:
        """What the list of a split may be called: the crawler's, then DeepMind's, then the mirror's incomplete ones."""
        if split == "test" and self.config.test == "holdout":
            return _HOLDOUT
        names = list_names("600", split)
        plain = [name for name in names if "kinetics" not in name]
        return (*(name for name in names if name not in plain), *reversed(plain))
