"""Kinetics-400: about 306,000 ten-second clips of YouTube videos, 400 human actions; annotations by DeepMind, CC BY 4.0.

The videos are not published by their owners. The CVDF mirror (github.com/cvdfoundation/kinetics-dataset, 450 GB) has them as
tar.gz parts, flat under train/, val/ and test/ once unpacked, with replacements for corrupted files; ActivityNet's crawler
downloads what YouTube still has and writes one folder a class. No copy is whole: CVDF's has 240,258, 19,881 and 38,685 of the
videos that its lists name.

Source: Kay et al. 2017, arXiv 1705.06950; see _kinetics.py. The val and test lists were read; CVDF's lists and the train list
were not seen.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from vdata.datasets import DATASETS, About
from vdata.datasets._kinetics import ID_COLUMNS, Kinetics
from vdata.records import Column

__all__ = ["Kinetics400"]

_LAYOUT = """ROOT/
  train.csv, val.csv, test.csv        or validate.csv, kinetics-400_train.csv ...; in ROOT or annotations/
  train/ID_000010_000020.mp4 ...      val/, test/; flat, or in class folders; or class folders in ROOT
  replacement/replacement_for_corrupted_k400/ID_....mp4   if there
"""


@DATASETS.add("kinetics400")
class Kinetics400(Kinetics):
    """The rows of the split's CSV, in its order; replacements go before the files that they replace."""

    columns: ClassVar[tuple[Column, ...]] = (
        *ID_COLUMNS,
        Column("is_cc", pa.int8(), "1 if the video had a Creative Commons licence; null where the list does not say."),
    )
    about: ClassVar[About] = About(
        _LAYOUT, {"train": 246_534, "val": 19_906, "test": 39_805}, size_gb=450, needs="unpacked tar.gz parts"
    )
    name: ClassVar[str] = "kinetics400"
    list_folders: ClassVar[tuple[str, ...]] = (".", "annotations", "kinetics400")
    replacements: ClassVar[tuple[str, ...]] = (
        "replacement/replacement_for_corrupted_k400",
        "replacement_for_corrupted_k400",
    )
