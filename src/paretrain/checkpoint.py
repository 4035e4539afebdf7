"""Checkpoints: a training's state on disk, whole or not there. Reading one never runs code."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretrain.atomic import whole_or_not
from paretrain.epoch_result import EpochResult
from paretrain.torch_files import read_tensors
from paretrain.training import Training


def save_checkpoint(training: Training, path: Path) -> None:
    """Write a checkpoint, which replaces an earlier one only when it is whole.

    Raises OSError, for example on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_or_not(path) as partial, partial.open("wb") as file:
            torch.save(training.state_dict(), file)
    except RuntimeError as error:  # what torch's writer makes of any refusal of the file system
        raise OSError(str(error).splitlines()[0]) from error


def checkpoint_epochs(path: Path) -> int:
    """Return how many epochs a checkpoint holds; 0 when there is none, or a damaged one."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return len(_curve(state))
    except Exception:  # torch raises whatever the damaged bytes happen to look like
        return 0


def load_checkpoint(training: Training, path: Path) -> None:
    """Set a training to the state after the checkpoint's last epoch.

    Raises OSError when there is no checkpoint, ValueError when it is damaged or belongs to another
    training.
    """
    try:
        state = read_tensors(path, training.device)
        _check(state, training)
        training.load_state_dict(state)
    except OSError:
        raise
    except Exception as error:  # torch raises whatever the damaged values happen to be
        if "another configuration" in str(error):
            raise
        raise ValueError(f"damaged checkpoint {path}: {_first_line(error)}") from None


def _check(state: Any, training: Training) -> None:
    """Raise ValueError, or what reading a wrong type raises, for what no training writes.

    Otherwise it would show epochs later, as another error or as a wrong number.
    """
    classes = len(training.data.classes)
    curve = _curve(state)
    if not 1 <= len(curve) <= training.config.epochs:
        raise ValueError(f"it has {len(curve)} of {training.config.epochs} epochs")
    for number, result in enumerate(curve, start=1):
        shares = (result.train_acc, result.val_acc, result.score, *result.per_class)
        if result.epoch != number or len(result.per_class) != classes:
            raise ValueError(f"its epoch {number} is that of another training")
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"epoch {number} has an accuracy that is no share")
    matrix = state["confusion"]
    if matrix is not None and (
        [len(row) for row in matrix] != [classes] * classes
        or not all(isinstance(cell, int) and cell >= 0 for row in matrix for cell in row)
    ):
        raise ValueError("its confusion matrix is no matrix of these classes")
    shapes = {name: tensor.shape for name, tensor in training.network.state_dict().items()}
    others = [state[name] for name in ("kept", "average") if state.get(name) is not None]
    for weights in [state["network"], *others]:
        if {name: tensor.shape for name, tensor in weights.items()} != shapes:
            raise ValueError("its weights are of another network")
    parameters = list(training.network.parameters())
    for index, moments in state["optimizer"]["state"].items():
        for value in moments.values():
            if isinstance(value, Tensor) and value.shape not in (parameters[index].shape, ()):
                raise ValueError("its optimizer is that of another network")


def _curve(state: Any) -> list[EpochResult]:
    return [EpochResult.model_validate_json(text) for text in state["curve"]]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
