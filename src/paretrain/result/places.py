"""What is handed over names no folder of this machine: where images lie is private."""

from pathlib import PurePath, PurePosixPath, PureWindowsPath

from paretrain.config import TrainConfig
from paretrain.data.locate import DIGITS
from paretrain.data.published import SIDES


def without_places(config: TrainConfig) -> TrainConfig:
    """Return a configuration to hand over: of an absolute path only the last name is left.

    `python -m paretrain --data` says where the images are, when it is trained again.
    """
    data, start = config.data, config.start
    places = {
        "source": _last_name(data.source),
        "images": None if data.images is None else _last_name(data.images),
    }
    weights = None if start.weights_dir is None else _last_name(start.weights_dir)
    return config.model_copy(
        update={
            "data": data.model_copy(update=places),
            "start": start.model_copy(update={"weights_dir": weights}),
        }
    )


def without_place(text: str, config: TrainConfig) -> str:
    """Return a message likewise, such as one that names a broken image of this configuration."""
    for place in (config.data.source, config.data.images):
        if place is not None and _last_name(place) != place:
            text = text.replace(place, _last_name(place))
    return text


def _last_name(text: str) -> str:
    """Return a path's last name where the path is absolute, else the path."""
    kinds: list[type[PurePath]] = [PurePosixPath, PureWindowsPath]
    for kind in kinds:
        if kind(text).is_absolute() or text.startswith("~"):
            name = kind(text).name or text
            # A folder may be called as a published set is.
            return f"./{name}" if name in (DIGITS, *SIDES) else name
    return text
