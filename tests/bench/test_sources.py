from dataclasses import replace

import av
import pytest

from vdata.bench.sources import HD, UCF, make_sources


# Two seconds, which no clip has: they are repeated, as for the ten that a build is timed on.
@pytest.mark.parametrize("kind", [UCF, replace(HD, seconds=2)])
def test_sources_are_of_their_kind_and_as_many_as_asked(tmp_path, shards, kind):
    paths = make_sources(shards, tmp_path / "root", kind, 5, distinct=2)
    assert sorted(tmp_path.joinpath("root").iterdir()) == list(paths)
    for path in paths[:2]:
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            assert (video.width, video.height, video.average_rate) == (kind.width, kind.height, kind.fps)
            assert sum(1 for _ in container.decode(video)) == kind.seconds * kind.fps
    assert paths[0].stat().st_ino == paths[2].stat().st_ino != paths[1].stat().st_ino
