"""Where results come from."""

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import optuna
import torch

import paretrain
from paretrain.data.cache import cache_folder
from paretrain.device import device_name
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
    }


def checkpoint_folder(study: optuna.Study) -> Path:
    """Where the running trials of this study keep their state: in the cache, because it is worth
    nothing once they have ended."""
    return cache_folder() / "running" / str(study.user_attrs[UID])
