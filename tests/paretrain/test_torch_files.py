"""Files of torch.save from elsewhere: what they name is compared with what they hold."""

import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from paretrain.torch_files import read_tensors


def old_file(path: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state = OrderedDict(
        weight=torch.rand(16, 3, 3, 3), bias=torch.rand(16), half=torch.rand(40, 50).half()
    )
    state["view"] = state["weight"][3:7].permute(1, 0, 2, 3)
    state["count"] = torch.tensor(7)
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return state


def test_an_old_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = old_file(path)
    read = read_tensors(path, old=True)
    assert list(read) == list(state)
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    with pytest.raises(ValueError, match=r"no whole file of torch.save"):
        read_tensors(path)


def crafted(path: Path, numel: int, memo: bool = False) -> None:
    """As torch wrote them, but with one size that the file does not hold."""
    old_file(path)
    content = path.read_bytes()
    size = pickle.dumps(16 * 27, 2)[2:-1]  # without mark and stop
    assert content.count(size) > 0
    large = pickle.dumps(numel, 2)[2:-1] + (b"r\x00\x01\x00\x00" if memo else b"")
    path.write_bytes(content.replace(size, large, 1))


@pytest.mark.parametrize("numel", [10**9, 2**40, 2**62, -(2**40)])
def test_an_old_file_that_names_more_than_it_holds_is_refused(tmp_path: Path, numel: int) -> None:
    path = tmp_path / "bomb.pth"
    crafted(path, numel)
    with pytest.raises(ValueError, match=r"it names .* numbers, but has .* bytes"):
        read_tensors(path, old=True)


def test_a_number_cannot_be_stored_once_and_taken_often(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    crafted(path, 100_000, memo=True)
    with pytest.raises(ValueError, match=r"stores a number for later"):
        read_tensors(path, old=True)


@pytest.mark.parametrize("content", [b"", b"x", b"\x80\x02", b"\x8e" + b"\xff" * 8, b"N." * 4])
def test_what_is_no_file_of_torch_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        read_tensors(path, old=True)
