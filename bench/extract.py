"""Every extractor as a build runs it: frames of the clips a second of CPU, on one core.

`motion+keyframes` decodes once for both, as a build does by default; with --peers it is held against the motion-vector-extractor
package. An extractor that looks at keyframes alone counts all frames of the clip. One with a setting that has no default, such as
a model's file, is left out; one that reads the source needs it where the build found it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from vdata import open_shards
from vdata.bench import Bench, Skip, Variant
from vdata.bench.timing import cpu_seconds, on_cpu
from vdata.bench.vector_peer import mvextractor
from vdata.builder.plan_file import read_plan
from vdata.errors import ConfigError, MediaError
from vdata.extract import EXTRACTORS, Extracted, Extractor
from vdata.media.clip import EncodedClip
from vdata.media.origin import Origin
from vdata.media.url import parse_root
from vdata.shards.dataset_json import read_dataset_json
from vdata.shards.encoded import encoded_clip

UNIT = "frames/s"
DEFAULT = ("motion", "keyframes")
LEAST = 0.01
"""CPU seconds of a round: some kernels count them in steps."""


def variants(bench: Bench) -> Sequence[Variant | Skip]:
    """The package if it is asked for, motion and keyframes together, then each extractor by itself."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clips = list(_clips(bench))
    # The pair is measured on the same clips, whatever they take.
    together, enough = _variant(DEFAULT, clips, math.inf), 0.1 if bench.quick else 2.0
    alone = [_variant((name,), clips, enough, base="+".join(DEFAULT)) for name in EXTRACTORS]
    return [mvextractor(bench, [clip.mp4 for clip in clips]), together, *alone]


def _clips(bench: Bench) -> Iterator[EncodedClip]:
    content, plan = read_dataset_json(bench.shards), read_plan(bench.shards)
    if content is None or plan is None:
        raise ConfigError(f"--shards ('{bench.shards}') must be a folder that `vdata build` made")
    root, videos = parse_root(content.root).absolute(), {planned.video_index: planned.video for planned in plan.videos}
    shards = open_shards(bench.shards)
    for number in range(min(len(shards), 8 if bench.quick else 40)):
        sample = shards[number]
        yield encoded_clip(sample, Origin(root, videos[sample.row["video_index"]]))


def _variant(names: Sequence[str], clips: Sequence[EncodedClip], enough: float, base: str = "") -> Variant | Skip:
    """As many clips as take `enough` seconds, each of them extracted twice and found equal."""
    label = "+".join(names)
    for name in names:
        for field in fields(EXTRACTORS[name].Config):
            if "required" in field.metadata:
                return Skip(label, f"{name}.{field.name} {field.metadata['required']}")
    once, again, chosen, spent = _extractors(names), _extractors(names), list[EncodedClip](), 0.0
    for clip in clips:
        start = cpu_seconds()
        try:
            found = _extracted(once, clip)
        except MediaError as error:
            return Skip(label, f"'{clip.origin.video.source}': {error}")
        chosen.append(clip)
        spent += cpu_seconds() - start
        if found != _extracted(again, clip):
            msg = f"{label} of '{clip.origin.video.source}' differs from itself"
            raise ValueError(msg)
        if spent > enough:
            break
    chosen *= 1 + int(LEAST / max(spent, 1e-5))

    def run() -> float:
        for clip in chosen:
            _extracted(once, clip)
        return float(sum(clip.num_frames for clip in chosen))

    return Variant(label, on_cpu(run), base=base)


def _extractors(names: Sequence[str]) -> list[Extractor]:
    return [EXTRACTORS[name](EXTRACTORS[name].Config()) for name in names]


def _extracted(extractors: Sequence[Extractor], clip: EncodedClip) -> list[Extracted]:
    fresh = replace(clip)  # decoded pictures and the motion pass are kept on a clip
    return [extractor(fresh) for extractor in extractors]
