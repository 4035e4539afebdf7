"""A training on disk between two epochs: whole or not there, and never a pickle that runs code."""

from pathlib import Path

import torch

from paretrain.atomic import whole_or_not
from paretrain.training import Training


def save_checkpoint(training: Training, path: Path) -> None:
    """Replaces an earlier one only when complete. Raises OSError, for example on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_or_not(path) as partial, partial.open("wb") as file:
            torch.save(training.state_dict(), file)
    except RuntimeError as error:  # torch's own writer, for whatever the file system refused
        raise OSError(str(error).splitlines()[0]) from error


def checkpoint_epochs(path: Path) -> int:
    """So many epochs need not be trained again: 0 when there is no checkpoint, or a damaged one."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return len(state["curve"])
    except Exception:  # torch raises whatever the damaged bytes happen to look like
        return 0


def load_checkpoint(training: Training, path: Path) -> None:
    """The training goes on after the checkpoint's last epoch.

    Raises OSError when there is none, ValueError when it is damaged or of another training.
    """
    with path.open("rb") as file:
        try:
            state = torch.load(file, map_location=training.device, weights_only=True)
            training.load_state_dict(state)
        except ValueError:
            raise
        except Exception as error:  # torch raises whatever the damaged bytes happen to look like
            raise ValueError(f"damaged checkpoint {path}: {error}") from error
