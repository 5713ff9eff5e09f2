import pytest
import torch

from vdata.checkpoint import Checkpoint, load_backbone, load_checkpoint, save_checkpoint
from vdata.errors import ConfigError
from vdata.methods.simclr import SimClr, SimClrConfig
from vdata.nn.backbones import make_backbone


def checkpoint(step=3):
    method = SimClr(make_backbone("r3d_small", seed=5), SimClrConfig())
    config = {"method": "simclr", "backbone": "r3d_small", "optim": {"betas": [0.9, 0.999]}}
    return Checkpoint(config, step, method.state_dict(), {"state": {}, "param_groups": []}, {"epoch": 1, "digest": "ab"})


def test_what_is_saved_comes_back(tmp_path):
    saved = checkpoint()
    save_checkpoint(tmp_path / "checkpoint.pt", saved)
    loaded = load_checkpoint(tmp_path / "checkpoint.pt")
    assert (loaded.config, loaded.step, loaded.optimizer, loaded.loader) == (
        saved.config,
        saved.step,
        saved.optimizer,
        saved.loader,
    )
    assert loaded.model.keys() == saved.model.keys()
    assert all(torch.equal(loaded.model[key], saved.model[key]) for key in saved.model)


def test_the_backbone_comes_without_the_heads(tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", checkpoint())
    backbone = load_backbone(load_checkpoint(tmp_path / "checkpoint.pt"))
    clip = torch.rand(1, 3, 4, 24, 24)
    assert not backbone.training
    assert torch.equal(backbone(clip), make_backbone("r3d_small", seed=5).eval()(clip))


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, checkpoint(step=3))

    def crash(values, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, checkpoint(step=4))
    assert load_checkpoint(path).step == 3


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint at all"])
def test_an_unreadable_file_is_an_error_of_one_line(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"checkpoint '.*checkpoint.pt' cannot be read") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [{"format_version": 99}, {"weights": torch.zeros(1)}, [1, 2]])
def test_a_foreign_file_is_refused(tmp_path, values):
    torch.save(values, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="has format version"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_code_in_a_file_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("exploded").touch, ())

    torch.save({"format_version": 1, "config": Bomb()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "exploded").exists()


def test_a_file_without_the_parts_of_a_checkpoint_is_refused(tmp_path):
    torch.save({"format_version": 1, "weights": torch.zeros(1)}, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="holds weights, not the parts"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_weights_of_another_network_are_refused(tmp_path):
    saved = checkpoint()
    save_checkpoint(tmp_path / "checkpoint.pt", Checkpoint({**saved.config, "backbone": "r3d18"}, 3, saved.model, {}, {}))
    with pytest.raises(ConfigError, match="do not fit backbone 'r3d18'") as caught:
        load_backbone(load_checkpoint(tmp_path / "checkpoint.pt"))
    assert "\n" not in str(caught.value)
