import wds2idx

from vdata.shards.idx import idx_text
from vdata.shards.tar import TarWriter, read_members


def test_equals_what_dalis_own_tool_writes(shard_folder, tmp_path):
    for tar in sorted(shard_folder.glob("*.tar")):
        creator = wds2idx.IndexCreator(str(tar), str(tmp_path / "oracle.idx"), verbose=False)
        creator.create_index()
        creator.close()
        assert tar.with_suffix(".idx").read_text() == (tmp_path / "oracle.idx").read_text()


def test_extension_is_all_after_the_first_dot(tmp_path):
    with TarWriter(tmp_path / "a.tar") as tar:
        for name in ("a.mp4", "a.motion.npz", "b.mp4"):
            tar.add(name, b"12")
    lines = idx_text(read_members(tmp_path / "a.tar")).splitlines()
    assert lines == ["v1.2 2", "mp4 512 2 a.mp4 motion.npz 1536 2 a.motion.npz", "mp4 2560 2 b.mp4"]
