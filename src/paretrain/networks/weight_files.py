"""Files of published weights: in torchvision's cache, or in a file or folder of the user.

The cache is filled by a download at first use. Reading a file never runs code in it.
"""

import contextlib
import http.client
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from paretrain.cli import UserError
from paretrain.locks import LockedError, locked
from paretrain.network_config import TIMM
from paretrain.networks.library import timm_settings
from paretrain.paths import sha256, user_path
from paretrain.torch_files import read_tensors

VERSION = "IMAGENET1K_V1"
"""torchvision's name of the weights from the papers' own recipes, which the course reports used."""
SUFFIXES = (".pth", ".pt", ".safetensors")
SAY_AFTER_S, GIVE_UP_AFTER_S = 5.0, 7200.0
"""Seconds of waiting for another process's download. The largest files have 2.5 GB."""
GO_ON = "or go on without them: --pretrained no (in a configuration file: start.pretrained)"


def find_weights(name: str, place: str | None) -> Path:
    """Return the file with the weights of torchvision's network of that name.

    `place` is a file, a folder of files with torchvision's names (`resnet18.pth`,
    `resnet18-f37072fd.pth`), or None for torchvision's cache, into which they are downloaded when
    they are missing. Raises UserError when there is no such file.
    """
    if place is None:
        return _cached_timm(name.removeprefix(TIMM)) if name.startswith(TIMM) else _cached(name)
    name = name.removeprefix(TIMM)
    path = user_path(place)
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"no weights in {path}: it is no file and no folder: correct it, {GO_ON}")
    files = [
        file
        for file in sorted(path.iterdir())
        if file.suffix in SUFFIXES and file.stem.partition("-")[0] == name
    ]
    if len(files) > 1:
        raise UserError(
            f"{path} has two files for {name}, {files[0].name} and {files[1].name}: leave one"
        )
    if not files:
        raise UserError(
            f"no weights of {name} in {path}: expected {name}.pth, .pt or .safetensors, or "
            f"torchvision's own file name: place it there, {GO_ON}"
        )
    return files[0]


def digest_of(path: Path) -> str:
    """SHA-256 of a file, to tell whether another machine has the same. Raises UserError."""
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"cannot read weights {path}: {error.strerror or error}") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors by name, on the CPU. Raises UserError for what is no state dict of tensors."""
    try:
        if path.suffix == ".safetensors":
            state: object = load_file(path)
        else:
            state = read_tensors(path, old=True)  # torchvision's older files are
    except OSError as error:
        raise UserError(f"cannot read weights {path}: {error.strerror or error}") from None
    except (ValueError, SafetensorError) as error:
        cause = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path} holds no weights that can be read safely ({cause}): "
            "save a state dict of tensors with torch.save or safetensors"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(
            f"{path} holds {type(state).__name__}, must be a state dict, names to tensors: save "
            "network.state_dict()"
        )
    return state


def _cached_timm(name: str) -> Path:
    """Return the file in the cache of the Hugging Face hub, downloaded if it is missing."""
    settings = timm_settings(name)
    if not settings.hf_hub_id:
        raise UserError(
            f"timm publishes no weights of {name} on its hub: give --weights-dir, {GO_ON}"
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        found = hf_hub_download(settings.hf_hub_id, "model.safetensors")
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0][:150]
        raise UserError(
            f"cannot download the weights of timm's {name} ({settings.hf_hub_id}: {cause}): "
            f"connect to the network, give --weights-dir with {name}.safetensors in it, {GO_ON}"
        ) from None
    return Path(found)


def _cached(name: str) -> Path:
    """Return the file in torchvision's cache, downloaded if it is missing."""
    from torchvision import models

    every = models.get_model_weights(name)
    weights = every[VERSION] if VERSION in every.__members__ else every.DEFAULT
    target = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not target.exists():
        with _alone(target, name):  # workers of a node ask for it at the same moment
            if not target.exists():
                _download(name, weights.url, target)
    return target


@contextlib.contextmanager
def _alone(target: Path, name: str) -> Iterator[None]:
    """Hold the lock on a download. Says when it waits long for another process, and gives up where
    that one is frozen. Raises UserError."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(str(target), SAY_AFTER_S))
        except LockedError as holder:
            print(f"waiting for the weights of {name}: {holder} loads them", file=sys.stderr)
            try:
                stack.enter_context(locked(str(target), GIVE_UP_AFTER_S))
            except LockedError as holder:
                raise UserError(
                    f"{holder} still downloads the weights of {name}, after "
                    f"{GIVE_UP_AFTER_S / 3600:.0f} hours: end it, place the file in "
                    f"{target.parent}, give --weights-dir, {GO_ON}"
                ) from None
        yield


def _download(name: str, url: str, target: Path) -> None:
    new_folders = [path for path in (target.parent, *target.parent.parents) if not path.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url,
            str(target),
            target.stem.rpartition("-")[2],
            progress=sys.stderr.isatty(),  # hundreds of megabytes for some
        )
    except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
        for path in new_folders:  # a download that fails leaves nothing behind
            with contextlib.suppress(OSError):
                path.rmdir()
        cause = " ".join(str(error).split())
        raise UserError(
            f"cannot download the weights of {name} ({url}: {cause}): connect to the "
            f"network, place the file in {target.parent}, give --weights-dir, {GO_ON}"
        ) from None
