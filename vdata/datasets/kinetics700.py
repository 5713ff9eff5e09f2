"""Kinetics-700, edition 2020: about 648,000 ten-second clips of YouTube videos, 700 human actions; by DeepMind, CC BY 4.0.

The videos are not published by their owners. The CVDF mirror (github.com/cvdfoundation/kinetics-dataset, k700-2020) has them as
tar.gz parts under train/, val/ and test/, with its lists in annotations/; DeepMind's kinetics700_2020.tar.gz has train.csv,
validate.csv and test.csv. The edition of 2019 has the same columns. Its test list has no labels.

Source: Smaira et al. 2020, arXiv 2010.10864; see _kinetics.py. Nobody here has seen the lists themselves: columns and names
are from readers' code, the numbers below from memory of the paper; times are taken as they stand, whole seconds or not.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About
from vdata.datasets._kinetics import ID_COLUMNS, Kinetics
from vdata.records import Column

__all__ = ["Kinetics700"]

_LAYOUT = """ROOT/
  train.csv, val.csv, test.csv        or validate.csv; in ROOT, annotations/ or kinetics700_2020/
  train/ID_000010_000020.mp4 ...      val/, test/; flat, or in class folders; or class folders in ROOT
"""


@DATASETS.add("kinetics700")
class Kinetics700(Kinetics):
    """The rows of the split's CSV, in its order."""

    columns: ClassVar[tuple[Column, ...]] = (
        ID_COLUMNS[0],
        *(Column(column.name, pa.float64(), column.doc) for column in ID_COLUMNS[1:]),
    )
    about: ClassVar[About] = About(_LAYOUT, {"train": 545_793, "val": 34_256, "test": 67_858}, needs="unpacked tar.gz parts")
    name: ClassVar[str] = "kinetics700"
    list_folders: ClassVar[tuple[str, ...]] = (
        *(".", "annotations", "kinetics700_2020", "kinetics700"),
        *("annotations/deepmind", "annotations/deepmind/kinetics700_2020"),
    )
    time_type: ClassVar[type[int | float]] = float
