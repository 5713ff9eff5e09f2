"""Runs video2dataset: `python _run_video2dataset.py SETTINGS`, a JSON file that vdata/bench/peers.py writes.

This file runs in the environment of `make bench-peers`, which has nothing of vdata: it imports the peer alone.

The released package is changed in two places, because 1.3.0 does not run otherwise (1.2.0 with a resolution set fails too):

- its writer asks ResolutionSubsampler for `encode_formats`, an attribute that it does not have (issues 263 and 311 of
  iejMac/video2dataset);
- it imports torchaudio, for a reader of audio that is not used here; the one that fits its torch does not load.

`settings["encode"]` is added to the options of its ffmpeg, which it gives no way to set. The pool it starts imports this file
again in each process, so the changes are made at the top level.
"""

from __future__ import annotations

import json
import sys
from functools import partialmethod
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

# A specification is needed: transformers looks at it.
sys.modules.update({name: module_from_spec(ModuleSpec(name, None)) for name in ("torchaudio", "torchaudio.functional")})

from ffmpeg.nodes import FilterableStream  # noqa: E402
from video2dataset import video2dataset  # noqa: E402
from video2dataset.subsamplers import ResolutionSubsampler  # noqa: E402

SETTINGS = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))

ResolutionSubsampler.encode_formats = property(lambda self: {"video": self.encode_format})
FilterableStream.output = partialmethod(FilterableStream.output, **SETTINGS["encode"])

if __name__ == "__main__":
    video2dataset(**SETTINGS["call"])
