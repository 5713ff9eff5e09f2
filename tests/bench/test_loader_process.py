import sys

import pytest

from vdata.bench import loader_process
from vdata.bench.loader_process import PeerProcess, link_libraries

ECHO = """
import json, os, sys
for line in sys.stdin:
    command = json.loads(line)
    if command.get("dies"):
        sys.exit("so it goes")
    print(json.dumps({**command, "path": os.environ["PYTHONPATH"], "libraries": os.environ["LD_LIBRARY_PATH"]}), flush=True)
"""


@pytest.fixture
def process(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(ECHO)
    monkeypatch.setattr(loader_process, "SCRIPT", script)
    started = PeerProcess(tmp_path / "peer", tmp_path / "packages")
    yield started
    started.close()


def test_it_answers_with_its_own_packages_and_libraries_on_its_path(process, tmp_path):
    answer = process.ask(do="it", many=[1, 2])
    assert (answer["do"], answer["many"]) == ("it", [1, 2])
    assert answer["path"] == str(tmp_path / "packages")
    assert answer["libraries"].split(":")[0] == str(tmp_path / "peer/lib")
    assert str(tmp_path / "packages") not in sys.path


def test_its_last_words_are_told(process):
    with pytest.raises(ValueError, match=r"ended with status 1: \.\.\.so it goes"):
        process.ask(dies=True)


def test_it_ends_when_it_is_closed(process):
    child = process._process
    process.close()
    assert child.returncode == 0


def test_libraries_of_a_wheel_get_their_plain_names(tmp_path):
    wheel = tmp_path / "av.libs"
    wheel.mkdir()
    for name in ("libavcodec-5e6b81c2.so.62.28.102", "libx264-d6533a8d.so.165", "README.so.1"):
        (wheel / name).touch()
    link_libraries(tmp_path / "lib", wheel)
    links = {path.name: path.resolve().name for path in (tmp_path / "lib").iterdir()}
    assert links == {"libavcodec.so.62": "libavcodec-5e6b81c2.so.62.28.102", "libx264.so.165": "libx264-d6533a8d.so.165"}
