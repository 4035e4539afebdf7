"""Where results come from."""

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import optuna
import torch

import paretrain
from paretrain.cli import UserError
from paretrain.device import device_name, libraries
from paretrain.paths import cache_folder
from search.study.attributes import UID

_LIBRARIES = ("torch", "torchvision", "optuna", "numpy", "pillow", "scikit-learn")


def environment(device: torch.device) -> dict[str, Any]:
    """Versions and hardware: what a curve depends on beside configuration, images and threads."""
    return {
        "paretrain": paretrain.__version__,
        "python": sys.version.split()[0],
        **{library: metadata.version(library) for library in _LIBRARIES},
        "platform": platform.platform(),
        "device": device_name(device),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        **libraries(device),
    }


def running_folder(chosen: str | None = None) -> Path:
    """Where the running trials of all studies keep their state: in the chosen folder, else in the
    cache, because it is worth nothing once they have ended."""
    return cache_folder() / "running" if chosen is None else Path(chosen)


def checkpoint_folder(study: optuna.Study, chosen: str | None = None) -> Path:
    """Where the running trials of this study keep their state. Its name was checked when it was
    read, so it is no path elsewhere. Raises UserError for a study without a name for it."""
    name = study.user_attrs.get(UID)
    if name is None:
        raise UserError(
            f"study '{study.study_name}' has no valid '{UID}', so no place for checkpoints: go on "
            "with it once by python -m search.run, which gives it a new one"
        )
    return checkpoints_of(str(name), chosen)


def checkpoints_of(uid: str, chosen: str | None = None) -> Path:
    """The same by what the study stores as its UID."""
    return running_folder(chosen) / uid
