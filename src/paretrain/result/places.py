"""What is handed over names no folder of this machine: where images lie is private."""

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from paretrain.config import TrainConfig
from paretrain.data.names import DIGITS, SIDES


def without_places(config: TrainConfig) -> TrainConfig:
    """Return a configuration to hand over: of an absolute path only the last name is left.

    `python -m paretrain --data` says where the images are, when it is trained again.
    """
    return _with_places(config, last_name)


def seen_from_here(config: TrainConfig) -> TrainConfig:
    """Return a configuration to train here: paths near the working folder begin there."""
    return _with_places(config, from_here)


def _with_places(config: TrainConfig, change: Callable[[str], str]) -> TrainConfig:
    data, start = config.data, config.start
    places = {
        "source": change(data.source),
        "images": None if data.images is None else change(data.images),
    }
    weights = None if start.weights_dir is None else change(start.weights_dir)
    return config.model_copy(
        update={
            "data": data.model_copy(update=places),
            "start": start.model_copy(update={"weights_dir": weights}),
        }
    )


def without_place(text: str, config: TrainConfig) -> str:
    """Return a message likewise, such as one that names a broken image of this configuration."""
    for place in (config.data.source, config.data.images):
        if place is not None and last_name(place) != place:
            text = text.replace(place, last_name(place))
    return text


def from_here(text: str) -> str:
    """Return a path as seen from the working folder, where it lies in it or beside it.

    Any other path, and the name of published data, stays.
    """
    path, here = Path(text), Path.cwd()
    beside = here.parent
    if not path.is_absolute() or path == here:
        return text
    # Beside it, unless that is nearly everything.
    near = path.is_relative_to(here) or (path.is_relative_to(beside) and beside.parent != beside)
    if not near:
        return text
    seen = os.path.relpath(path, here)
    return f"./{seen}" if seen in (DIGITS, *SIDES) else seen


def handed_over(text: str) -> str:
    """Return a path as it is named in what is handed over: from here, or its last name."""
    return last_name(from_here(text))


def without_folders(text: str) -> str:
    """Return a message likewise, such as the reason why a trial failed."""
    return _ABSOLUTE.sub(lambda found: last_name(found[0]), text)


_END = r"""\s'"`,:;()<>"""
_ABSOLUTE = re.compile(rf"(?<![\w/.~:])(?:/[^/{_END}]+/|~/|[A-Za-z]:\\)[^{_END}]+")


def last_name(text: str) -> str:
    """Return a path's last name where the path is absolute, else the path."""
    kinds: list[type[PurePath]] = [PurePosixPath, PureWindowsPath]
    for kind in kinds:
        if kind(text).is_absolute() or text.startswith("~"):
            name = kind(text).name or text
            # A folder may be called as a published set is.
            return f"./{name}" if name in (DIGITS, *SIDES) else name
    return text
