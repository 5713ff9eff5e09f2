import importlib.metadata
import sys
from pathlib import Path

import pytest

from vdata import doctor
from vdata.doctor import examine
from vdata.media import ffmpeg


def states(out):
    return {finding.name: finding for finding in examine(out)}


def test_a_machine_that_runs_the_tests_is_well(tmp_path):
    found = states(tmp_path / "not/there/yet")
    for name in ("machine", "ffmpeg", "av", "ray", "torch", "nvidia-dali-cuda130", "locks", "temporary files"):
        assert found[name].state == "ok", found[name]
    assert found["av"].found == importlib.metadata.version("av")
    assert str(tmp_path) in found["disk"].found
    assert list(tmp_path.iterdir()) == []
    assert all(bool(finding.remedy) == (finding.state != "ok") for finding in found.values())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo ffmpeg version 1.0; exit 3", "does not encode"),
        ("echo ffmpeg version 1.0", "protocol fd"),
    ],
)
def test_another_ffmpeg_is_tried_before_a_build_meets_it(tmp_path, monkeypatch, script, words):
    fake = tmp_path / "ffmpeg"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    # As a process sees it that starts with VDATA_FFMPEG set: both answers are kept for its life.
    monkeypatch.setattr(doctor, "binary", lambda: str(fake))
    monkeypatch.setattr(doctor, "ffmpeg_version", lambda: "1.0")
    finding = states(tmp_path)["ffmpeg"]
    assert finding.state == "broken"
    assert words in finding.found
    assert "VDATA_FFMPEG" in finding.remedy
    assert ffmpeg.binary() != str(fake)


def test_an_ffmpeg_that_is_not_there_is_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "binary", lambda: "/nowhere/ffmpeg")
    monkeypatch.setattr(doctor, "ffmpeg_version", lambda: "1.0")
    assert "does not run" in states(tmp_path)["ffmpeg"].found


def test_a_missing_extra_has_its_command(tmp_path, monkeypatch):
    real = importlib.metadata.version

    def without_ray(name):
        if name == "ray":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", without_ray)
    finding = states(tmp_path)["ray"]
    assert (finding.state, finding.remedy) == ("absent", "in vdata's checkout: pip install '.[build]'")


def test_a_package_that_does_not_import_is_broken(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    finding = states(tmp_path)["torch"]
    assert finding.state == "broken"
    assert "does not import" in finding.found


def test_a_full_or_locked_disk_is_told(tmp_path, monkeypatch):
    class Usage:
        free = 2**30

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage)
    assert states(tmp_path)["disk"].state == "broken"
    monkeypatch.undo()
    assert states(Path("/proc/nothing"))["locks"].state == "broken"
