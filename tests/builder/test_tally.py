import json

from vdata.builder.tally import Tally


def test_tallies_add_and_travel():
    one = Tally(videos=2, built=1, failed=1, clips_written=3, reasons={"empty": 1}, parts={7: ("built",)})
    films = {7: ("failed", "built"), 9: ("built",)}
    two = Tally(videos=1, partial=1, clips_written=2, reasons={"empty": 1, "timeout": 2}, parts=films)
    both = one + two
    assert (both.videos, both.built, both.partial, both.failed, both.clips_written) == (3, 1, 1, 1, 5)
    assert both.reasons == {"empty": 2, "timeout": 2}
    assert both.parts == {7: ("built", "failed", "built"), 9: ("built",)}
    assert Tally.from_mapping(json.loads(json.dumps(both.to_mapping()))) == both


def test_a_film_is_one_video_whatever_its_parts():
    parts = {1: ("built", "built"), 2: ("failed", "failed"), 3: ("built", "failed"), 4: ("partial", "built")}
    settled = Tally(videos=4, parts=parts).settled()
    assert (settled.videos, settled.built, settled.partial, settled.failed) == (4, 1, 2, 1)
    assert settled.settled() == settled
