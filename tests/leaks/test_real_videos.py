"""How many near copies of real videos are found, by kind, and how many other videos are taken for copies."""

import itertools

import av
import numpy as np
import pytest

from vdata.leaks import LeakConfig, find_leaks
from vdata.leaks.hash import frame_distances, hash_picture

pytestmark = pytest.mark.videos

EDITS = {
    "crf 38": {"crf": 38},
    "half size": {"filters": "scale=trunc(iw/4)*2:trunc(ih/4)*2"},
    "brighter": {"filters": "eq=brightness=0.12:contrast=1.15"},
    "squashed": {"filters": "scale=trunc(iw*0.75/2)*2:ih,setsar=1"},
    "17 frames/s": {"filters": "fps=17"},
    "cropped 5 %": {"filters": "crop=trunc(iw*0.95/2)*2:trunc(ih*0.95/2)*2"},
    "letterboxed": {"filters": "pad=iw:ceil(ih*1.25/2)*2:0:(oh-ih)/2"},
    "logo": {"filters": "drawbox=x=iw*0.03:y=ih*0.85:w=iw*0.25:h=ih*0.1:color=white@0.9:t=fill"},
    "mirrored": {"filters": "hflip"},
    "from 1.37 s": {"start": 1.37, "seconds": 4.63},
    "cropped 10 %": {"filters": "crop=trunc(iw*0.9/2)*2:trunc(ih*0.9/2)*2"},
}
RECALL = {
    **dict.fromkeys(("crf 38", "half size", "brighter", "squashed", "mirrored"), 1.0),
    "17 frames/s": 0.95,
    "letterboxed": 0.95,
    "cropped 5 %": 0.85,
    "from 1.37 s": 0.85,
    "logo": 0.7,
}
"""At least so many of the copies are found; docs/leaks.md has the figures."""
ONE_SOURCE = [
    {"interlaced_h264", "mpeg2", "odd_241x137_444", "one_frame", "opengop_h264", "vfr_h264", "wmv2", "xvid_packed_like_ucf"},
    {"sample_av1", "sample_with_srt"},
    {"vid_h264", "vid_mpeg4_part2"},
]
"""Files that were made of one video, by their README and by looking at them."""


def files_of_all_names(videos_root):
    good = sorted(path for path in (videos_root / "good").rglob("*") if path.is_file())
    return [path for path in good if (path.name != "sample.flv" and path.stem != "test") or path.suffix == ".mp4"]


def keyframe_hashes(path):
    """Of every twelfth frame; None of those without content."""
    with av.open(str(path), metadata_errors="replace") as container:
        frames = itertools.islice(container.decode(video=0), 0, None, 12)
        return [hash_picture(frame.to_ndarray(format="gray"), LeakConfig().min_sure_bits) for frame in frames]


def distances_of_copies(tmp_path, files, convert, side, copied_at):
    """Of pictures of a short side to their copies at crf 38, encoded at another one."""
    scale = "scale='if(lt(iw,ih),{0},-2)':'if(lt(iw,ih),-2,{0})':flags=area"
    first, coded, copy = (tmp_path / f"{name}.mp4" for name in ("first", "coded", "copy"))
    found = []
    for source in files:
        convert(source, first, scale.format(side), crf=18, seconds=2)
        convert(source, coded, scale.format(copied_at), crf=38, seconds=2)
        convert(coded, copy, scale.format(side), crf=18)
        pairs = zip(keyframe_hashes(first), keyframe_hashes(copy), strict=False)
        found += [int(frame_distances(one, other)) for one, other in pairs if one is not None and other is not None]
    return np.array(found)


def is_one_source(first, second):
    return any({first, second} <= names for names in ONE_SOURCE)


def names_of(pair):
    return tuple(video.source.rpartition(".")[0] for video in (pair.first, pair.second))


def counted(base, copies, scenes, *, mirror):
    """How many copies are found, of how many, and how many others are taken for some."""
    report = find_leaks([base, copies], LeakConfig(mirror=mirror))
    pairs = [names_of(pair) for pair in report.pairs]
    others = [pair for pair in pairs if pair[0] != pair[1] and not is_one_source(*pair)]
    return {
        "found": sum(first == second for first, second in pairs),
        "of": min(facts.videos - facts.unchecked for facts in report.folders),
        "same scene": sum(set(pair) <= scenes for pair in others),
        "wrong": sum(not set(pair) <= scenes for pair in others),
        "other pairs": report.folders[0].videos * (report.folders[1].videos - 1),
    }


def test_copies_of_a_few_videos_are_found_and_others_are_not(tmp_path, videos_root, build, convert):
    files = [videos_root / "good" / name for name in ("action/test.mp4", "action/video1.mp4", "people/vid_h264.mp4")]
    for number, (source, name) in enumerate(zip(files, ("crf 38", "cropped 5 %", "mirrored"), strict=True)):
        convert(source, tmp_path / f"base/{number}.mp4", crf=18, seconds=2)
        convert(source, tmp_path / f"copies/{number}.mp4", **EDITS[name], seconds=2)
    folders = [build(tmp_path / name, tmp_path / f"shards-{name}") for name in ("base", "copies")]
    plain = find_leaks(folders)
    assert {names_of(pair) for pair in plain.pairs} == {("0", "0"), ("1", "1")}
    mirrored = find_leaks(folders, LeakConfig(mirror=True))
    assert {(names_of(pair), pair.mirrored) for pair in mirrored.pairs} == {
        (("0", "0"), False),
        (("1", "1"), False),
        (("2", "2"), True),
    }


@pytest.mark.slow
def test_recall_by_kind_of_copy_and_precision_over_all_pairs(tmp_path, videos_root, build, convert):
    """Prints the table of docs/leaks.md: `pytest -m slow -s tests/leaks/test_real_videos.py`."""
    files = files_of_all_names(videos_root)
    scenes = {path.stem for path in files if path.parent.name == "gestures"}
    for source, (name, edit) in itertools.product(files, {"base": {"crf": 18}, **EDITS}.items()):
        convert(source, tmp_path / name / f"{source.stem}.mp4", **edit)
    folders = {name: build(tmp_path / name, tmp_path / "shards" / name, short_side=128) for name in ("base", *EDITS)}
    found = {name: counted(folders["base"], folders[name], scenes, mirror=name == "mirrored") for name in EDITS}
    for name, counts in found.items():
        print(f"{name}: {counts}")  # noqa: T201 - what the test is for
    assert all(counts["wrong"] == 0 for counts in found.values())
    assert all(found[name]["found"] >= least * found[name]["of"] for name, least in RECALL.items())


@pytest.mark.slow
def test_a_copy_is_farther_the_smaller_it_was_encoded(tmp_path, videos_root, convert):
    """Prints the second table of docs/leaks.md, as the first is printed."""
    files = files_of_all_names(videos_root)[::2]
    medians = []
    for side, copied_at in ((256, 256), (128, 128), (96, 96), (64, 64), (48, 48), (48, 256)):
        found = distances_of_copies(tmp_path, files, convert, side, copied_at)
        medians.append(float(np.median(found)))
        shares = [f"{np.mean(found > most):.0%} above {most}" for most in (20, 25, 56)]
        print(f"{side} px, copied at {copied_at}: {len(found)} keyframes, median {medians[-1]:g}, {shares}")  # noqa: T201 - as above
    assert medians[:5] == sorted(medians[:5])
    assert medians[5] < medians[2]
