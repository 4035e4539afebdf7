"""Checkpoints: a training's state on disk, whole or not there. Reading one never runs code."""

from pathlib import Path

import torch

from paretrain.atomic import whole_or_not
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
        return len(state["curve"])
    except Exception:  # torch raises whatever the damaged bytes happen to look like
        return 0


def load_checkpoint(training: Training, path: Path) -> None:
    """Set a training to the state after the checkpoint's last epoch.

    Raises OSError when there is no checkpoint, ValueError when it is damaged or belongs to another
    training.
    """
    with path.open("rb") as file:
        try:
            state = torch.load(file, map_location=training.device, weights_only=True)
            training.load_state_dict(state)
        except ValueError:
            raise
        except Exception as error:  # torch raises whatever the damaged bytes happen to look like
            raise ValueError(f"damaged checkpoint {path}: {error}") from error
