import json

import pytest

from vdata.bench import Bench, Skip, run_cases
from vdata.bench.run import case_files, machine
from vdata.errors import UnknownNameError


def test_the_cases_are_found_by_path():
    assert {"load", "motion", "transcode"} <= set(case_files())


def test_an_unknown_case_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match=r"no bench case is named 'laod'\. Did you mean 'load'\?"):
        run_cases(Bench(tmp_path, tmp_path), ["laod"])


def test_skips_become_rows_with_their_reason(tmp_path, monkeypatch):
    case = tmp_path / "one.py"
    case.write_text(
        '"""A case."""\nfrom vdata.bench import Skip, Variant\nUNIT = "x/s"\n'
        'def variants(bench):\n    return [Variant("a", lambda: 1.0), Skip("b", "not here")]\n'
    )
    monkeypatch.setattr("vdata.bench.run.case_files", lambda: {"one": case})
    ran, skipped = run_cases(Bench(tmp_path, tmp_path, quick=True))
    assert (ran.variant, ran.unit, ran.skipped) == ("a", "x/s", "")
    assert (skipped.variant, skipped.skipped) == ("b", "not here")
    assert Skip("b", "not here").reason == skipped.skipped


def test_the_machine_is_described_in_json():
    described = json.loads(json.dumps(machine()))
    assert described["cores"] >= 1
    assert described["packages"]["av"]
    assert described["ffmpeg"]
