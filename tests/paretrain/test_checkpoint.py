"""A training that goes on from disk is the training that was never interrupted."""

import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from paretrain.checkpoint import checkpoint_epochs, load_checkpoint, save_checkpoint
from paretrain.cli import UserError
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    CosineSchedule,
    OneCycleSchedule,
    SGDConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
)
from paretrain.data.load import load_data
from paretrain.networks.weight_files import read_weights
from paretrain.training import Training

MakeConfig = Callable[..., TrainConfig]
DROPOUT = VGGConfig(
    stages=(VGGStage(width=8, kernels=("3x3",)),), norm="batch", hidden=(16,), dropout=(0.4,)
)


def training(config: TrainConfig) -> Training:
    return Training(config, load_data(config.data), torch.device("cpu"))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": SGDConfig(lr=0.05), "schedule": CosineSchedule()},
        {"optimizer": AdamConfig(kind="adamw", lr=0.01), "schedule": OneCycleSchedule()},
        {"augment": AugmentConfig(crop_padding=0.125, flip=True), "network": DROPOUT},
    ],
    ids=["sgd cosine", "adamw onecycle", "dropout and augmentation"],
)
def test_the_rest_of_the_curve_is_the_same_to_the_last_bit(
    tiny_config: MakeConfig, tmp_path: Path, changes: dict[str, object]
) -> None:
    config = tiny_config(epochs=4, **changes)
    whole = training(config)
    expected = [r.model_copy(update={"seconds": 0}) for r in whole.epochs()]
    first = training(config)
    for result in first.epochs():
        if result.epoch == 2:
            break
    path = tmp_path / "folder" / "7.pt"
    save_checkpoint(first, path)
    torch.manual_seed(99)  # whatever the process did meanwhile
    second = training(config)
    load_checkpoint(second, path)
    assert [r.epoch for r in second.curve] == [1, 2]
    rest = list(second.epochs())
    assert [r.epoch for r in rest] == [3, 4]
    assert [r.model_copy(update={"seconds": 0}) for r in second.curve] == expected
    for a, b in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_damaged_or_foreign_checkpoint_is_refused(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    one = training(tiny_config())
    next(one.epochs())
    path = tmp_path / "1.pt"
    save_checkpoint(one, path)
    with pytest.raises(ValueError, match="another configuration"):
        load_checkpoint(training(tiny_config(seed=5)), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged"):
        load_checkpoint(training(tiny_config()), path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(training(tiny_config()), tmp_path / "2.pt")


def test_one_changed_byte_anywhere_is_noticed(tiny_config: MakeConfig, tmp_path: Path) -> None:
    """A weight that differs by one bit would give another curve, and nobody would know."""
    one, path = training(tiny_config()), tmp_path / "1.pt"
    next(one.epochs())
    save_checkpoint(one, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    draws = random.Random(0)
    for member in members:
        begin = member.header_offset + 30 + len(member.filename)
        at = draws.randrange(begin + 200, begin + 200 + max(1, member.file_size - 200))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        fresh = training(tiny_config())
        try:
            load_checkpoint(fresh, path)
        except ValueError as error:
            assert "damaged checkpoint" in str(error) and "\n" not in str(error)
        else:  # the byte is padding between members
            assert fresh.curve == one.curve
            for a, b in zip(one.network.parameters(), fresh.network.parameters(), strict=True):
                assert torch.equal(a, b)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(curve=[]),
        lambda s: s.update(curve=s["curve"] * 9),
        lambda s: s.update(curve=["{}"]),
        lambda s: s.update(curve=3),
        lambda s: s.update(curve=[s["curve"][0].replace('"epoch":1', '"epoch":2')]),
        lambda s: s.update(curve=[re.sub('"val_acc":[^,]*', '"val_acc":7.5', s["curve"][0])]),
        lambda s: s.update(confusion=((1, 2),)),
        lambda s: s.update(confusion="abc"),
        lambda s: s.update(kept={}),
        lambda s: s.update(kept={name: torch.zeros(2) for name in s["network"]}),
        lambda s: s["network"].popitem(),
        lambda s: s.update(network=None),
        lambda s: s["optimizer"].update(state={0: {"momentum_buffer": torch.zeros(3)}}),
        lambda s: s["optimizer"].update(state={99: {"momentum_buffer": torch.zeros(3)}}),
        lambda s: s["optimizer"].update(param_groups=[]),
        lambda s: s.pop("schedule"),
        lambda s: s.clear(),
    ],
)
def test_what_no_training_writes_is_one_line(
    tiny_config: MakeConfig, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    one, path = training(tiny_config()), tmp_path / "1.pt"
    next(one.epochs())
    state = one.state_dict()
    change(state)
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        load_checkpoint(training(tiny_config()), path)


def test_what_unpacks_to_more_than_the_file_is_refused(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    one, path = training(tiny_config()), tmp_path / "1.pt"
    next(one.epochs())
    save_checkpoint(one, tmp_path / "whole.pt")
    with (
        zipfile.ZipFile(tmp_path / "whole.pt") as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in whole.namelist():
            bomb.writestr(name, whole.read(name) + bytes(20_000_000))
    assert path.stat().st_size < 10_000_000
    with pytest.raises(ValueError, match="compressed"):
        load_checkpoint(training(tiny_config()), path)
    with pytest.raises(UserError, match="compressed"):
        read_weights(path)


def test_a_checkpoint_tells_how_many_epochs_it_spares(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    one = training(tiny_config(epochs=3))
    path = tmp_path / "1.pt"
    assert checkpoint_epochs(path) == 0
    for result in one.epochs():
        save_checkpoint(one, path)
        assert checkpoint_epochs(path) == result.epoch
    path.write_bytes(path.read_bytes()[:1000])
    assert checkpoint_epochs(path) == 0


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_one_before(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    """The kernel refuses to let any file grow beyond a kilobyte: a real failed write."""
    resource = pytest.importorskip("resource")
    one = training(tiny_config())
    next(one.epochs())
    path = tmp_path / "1.pt"
    save_checkpoint(one, path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(OSError):
            save_checkpoint(one, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".pt"] == ["1.pt"]


def test_what_a_pulse_raises_ends_the_training_between_two_batches(tiny_config: MakeConfig) -> None:
    class Cut(Exception):
        pass

    batches = 0

    def pulse() -> None:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise Cut

    one = training(tiny_config(batch_size=8))
    with pytest.raises(Cut):
        next(one.epochs(pulse))
    assert batches == 3 and one.curve == []


def test_a_checkpoint_of_an_earlier_version_lacks_later_settings_and_goes_on(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    config, path = tiny_config(), tmp_path / "7.pt"
    begun = training(config)
    next(begun.epochs())
    state = begun.state_dict()
    assert ',"val_least":null' in state["config"]
    torch.save(state | {"config": state["config"].replace(',"val_least":null', "")}, path)
    gone_on = training(config)
    load_checkpoint(gone_on, path)
    assert len(gone_on.curve) == 1
    other = training(tiny_config(batch_size=16))
    with pytest.raises(ValueError, match="another configuration"):
        load_checkpoint(other, path)
    torch.save(state | {"config": "{}"}, path)
    with pytest.raises(ValueError, match=r"^the checkpoint is of another configuration$"):
        load_checkpoint(gone_on, path)
