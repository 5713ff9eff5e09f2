"""The tree says where things are: tests mirror the source, files and functions stay small, names say what they hold."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "vdata").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")])
LOADER = {"test_resume", "test_ddp", "test_bad_samples", "test_interop", "test_documents"}
"""They treat the loader as one thing."""
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def functions(path):
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function):
    """Lines of a function without its docstring."""
    doc = function.body[0] if ast.get_docstring(function) else None
    return function.end_lineno - function.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)


@pytest.mark.parametrize("folder", ["tests"])
def test_every_test_file_has_its_source(folder):
    sources = {path.relative_to(ROOT).with_suffix("") for path in SOURCES} | {
        path.relative_to(ROOT).with_suffix("") for folder in ("bench", "examples") for path in (ROOT / folder).glob("*.py")
    }
    for path in sorted((ROOT / folder).rglob("test_*.py")):
        place = path.relative_to(ROOT / folder)
        if place.parts[0] == "soak":
            continue  # they treat a whole build as one thing
        if place.stem in {"test_layout", "test_imports", "test_docs", "test_real_videos"} | LOADER:
            continue
        stem = place.stem.removeprefix("test_")
        names = {place.with_name(stem), Path("vdata") / place.with_name(stem)}
        names |= {parent / place.with_name(f"_{stem}") for parent in (Path(), Path("vdata"))}
        assert any(name in sources or (ROOT / name).is_dir() for name in names), f"{place} mirrors no source file"


def test_no_file_is_over_500_lines_and_no_function_over_60():
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= 500, path
        for function in functions(path):
            assert length(function) <= 60, f"{path}: {function.name}"


def test_the_median_function_is_short():
    lengths = sorted(length(function) for path in SOURCES for function in functions(path))
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 30


def test_no_file_has_a_name_that_says_nothing():
    for path in SOURCES:
        assert path.stem.strip("_") not in FORBIDDEN, path


def test_no_path_of_a_machine_is_in_the_sources():
    for path in [*SOURCES, *(ROOT / "bench").glob("*.py"), *(ROOT / "examples").glob("*.py")]:
        text = path.read_text()
        assert "/work/" not in text, path
        assert "/root/" not in text, path
