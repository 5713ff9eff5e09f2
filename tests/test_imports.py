"""What an import loads: torch, Ray and DALI only where they are used."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "nvidia", "pyarrow", "cv2", "skimage", "av")


def loaded(code):
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    return {name for name in HEAVY if name in names}


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import vdata", set()),
        ("import vdata.cli, vdata.cli.build, vdata.cli.add, vdata.cli.train, vdata.cli.bench", set()),
        ("from vdata import open_shards", {"pyarrow", "av"}),
        ("import vdata.builder", {"pyarrow", "av", "cv2", "skimage"}),
        ("from vdata.datasets import DATASETS; list(DATASETS)", {"pyarrow", "av", "cv2", "skimage"}),
        ("from vdata.extract import EXTRACTORS; list(EXTRACTORS)", {"pyarrow", "av", "cv2", "skimage"}),
        ("import vdata.train, vdata.evaluate; from vdata.methods import METHODS; list(METHODS)", {"torch", "pyarrow", "av"}),
        # It runs on Ray, but a worker that extracts has no need of it.
        ("import vdata.features", {"torch", "pyarrow", "av", "cv2", "skimage"}),
        ("import pipelines", {"torch", "nvidia", "pyarrow", "av", "cv2"}),
    ],
)
def test_an_import_loads_no_more_than_it_may(code, allowed):
    assert loaded(code) <= allowed
