"""README and CONTRIBUTING say what is there: commands exist, code blocks run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vdata.builder import resolve
from vdata.builder.plan import make_plan
from vdata.builder.task import Order, build_shard
from vdata.datasets import DATASETS
from vdata.datasets._page import page

ROOT = Path(__file__).parents[1]
COMMANDS = {path.stem.replace("_", "-") for path in (ROOT / "vdata/cli").glob("[!_]*.py")}


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def test_readme_names_every_command_and_no_other():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`vdata ([\w-]+)", text)) | set(re.findall(r"^\.venv/bin/vdata ([\w-]+)", text, re.MULTILINE))
    assert named == COMMANDS


def test_the_page_of_datasets_is_the_one_that_the_code_makes():
    assert (ROOT / "docs/datasets.md").read_text() == page(), "run `make docs`"


def test_make_targets_in_the_texts_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"`?make ([a-z-]+)`?", (ROOT / name).read_text())) <= targets | {"a", "the"}


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_links_lead_to_files(page):
    text = page.read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"\bexamples/(\w+\.py)", text):
        assert (ROOT / "examples" / name).exists(), name


def test_the_training_code_of_the_readme_runs(tmp_path, write_demo_shards):
    (code,) = blocks("README.md", "python")
    code = (
        code.replace("shards/mine", str(write_demo_shards))
        .replace("batch_size=32", "batch_size=2")
        .replace("size=112", "size=32")
    )
    seen = []
    namespace = {"step": lambda v0, v1: seen.append((v0.shape, v1.shape))}
    exec(compile(code, "README.md", "exec"), namespace)
    assert seen
    assert all(tuple(shape) == (2, 3, 16, 32, 32) for pair in seen for shape in pair)
    assert set(namespace["state"]) >= {"seed", "epoch", "position"}


@pytest.mark.parametrize("number", [0, 1])
def test_the_recipes_of_contributing_register(number, tmp_path):
    """In a process of its own: the names must not stay in the tables of the other tests."""
    code = blocks("CONTRIBUTING.md", "python")[number]
    (tmp_path / "recipe.py").write_text(code)
    name = re.search(r'\.add\("(\w+)"\)', code)[1]
    table = re.search(r"@(\w+)\.add", code)[1]
    module = {"DATASETS": "vdata.datasets", "EXTRACTORS": "vdata.extract"}[table]
    look_up = f"from {module} import {table} as table; table[{name!r}](table[{name!r}].Config())"
    check = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import recipe; {look_up}"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.fixture
def write_demo_shards(tmp_path, make_video):
    for number in range(4):
        make_video(f"root/{number}.mp4", num_frames=70, seed=number)
    config = resolve("folder", settings={"clip": {"short_side": 96}})
    plan = make_plan(tmp_path / "root", DATASETS["folder"](config.own["folder"]).videos(tmp_path / "root", ""), config.plan)
    out = tmp_path / "out"
    out.mkdir()
    for shard, videos in plan.by_shard().items():
        build_shard(Order(out, tmp_path / "root", shard, videos, config))
    return out


def reasons_in_the_code():
    """The first argument of every MediaError, and the second of every Skipped, that the sources raise or make."""
    found = set()
    for path in (ROOT / "vdata").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            place = {"MediaError": 0, "OpenError": 0, "DecodeError": 0, "ContractError": 0, "Skipped": 1, "skip": 1}.get(name)
            if place is not None and len(call.args) > place and isinstance(call.args[place], ast.Constant):
                found.add(call.args[place].value)
    return found


def test_the_guide_explains_every_reason_and_no_other():
    table = (ROOT / "docs/building.md").read_text().split("| Reason |")[1].split("\n\n")[0]
    explained = {name for row in table.splitlines() for name in re.findall(r"`([a-z_]+)`", row.split(" | ")[0])}
    # A listing's reasons come in more shapes than a call.
    text = "".join(path.read_text() for path in (ROOT / "vdata/datasets").glob("*.py"))
    assert reasons_in_the_code() <= explained
    assert all(f'"{name}"' in text for name in explained - reasons_in_the_code())
