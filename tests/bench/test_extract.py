import pytest

from vdata.bench import Bench, run_cases
from vdata.bench.run import _load, case_files
from vdata.errors import ConfigError
from vdata.extract import EXTRACTORS


def test_every_extractor_has_a_figure_or_the_setting_that_it_lacks(shards, tmp_path):
    figures = {figure.variant: figure for figure in run_cases(Bench(shards, tmp_path, quick=True, peers=True), ["extract"])}
    assert set(figures) == {*EXTRACTORS, "motion+keyframes", "mvextractor"}
    skipped = {name for name, figure in figures.items() if figure.skipped}
    assert skipped <= {"detector", "mvextractor"}
    assert figures["detector"].skipped.startswith("detector.model must be")
    assert all(figures[name].value > 0 for name in set(figures) - skipped)
    assert figures["slic"].value < figures["motion+keyframes"].value < figures["keyframes"].value
    assert set(figures["motion"].ratio_to) == {"motion+keyframes"}


def test_an_extractor_that_differs_from_itself_is_not_timed(shards, tmp_path, monkeypatch):
    case = _load(case_files()["extract"])
    clip = next(case._clips(Bench(shards, tmp_path)))
    assert clip.origin.video.source == "0.mp4"
    answers = iter(range(100))
    monkeypatch.setattr(EXTRACTORS["keyframes"], "__call__", lambda *_: next(answers))
    with pytest.raises(ValueError, match=r"keyframes of '0\.mp4' differs from itself"):
        case._variant(("keyframes",), [clip], 1.0)


def test_clips_that_no_build_made_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="folder that `vdata build` made"):
        list(_load(case_files()["extract"])._clips(Bench(tmp_path, tmp_path)))
