"""Whether a training has the images on which a search found its configuration, in words."""

from collections.abc import Sequence

from paretrain.config import SearchedOn, TrainConfig
from paretrain.data.names import short_name
from paretrain.data.parts import ImageData
from paretrain.networks.build import count_parameters
from paretrain.safe_text import as_text, one_line

SHOWN = 3
"""Most classes of a set that are named."""


def same_images(config: TrainConfig, data: ImageData) -> bool | None:
    """Return whether these are the images of the search; None where that is not known.

    Images that are split or scaled in another way are not the same.
    """
    searched = config.searched_on
    if searched is None:
        return None
    if searched.fingerprint is not None:
        return searched.fingerprint == data.fingerprint
    return None if _same_classes(searched, data) else False


def other_images(config: TrainConfig, data: ImageData, asked: str) -> str:
    """Return what differs from the images of the search; "" where nothing does, as far as is known.

    `asked` is the source that the configuration file names. The text names no folder.
    """
    searched, same = config.searched_on, same_images(config, data)
    then = short_name(asked) if searched is None else searched.source
    now = short_name(config.data.source)
    if same or (same is None and then == now):
        return ""
    if searched is None or same is None:
        text = (
            f"the configuration is for {then}, this uses {now}: whether the search had the same "
            "images is not known"
        )
    else:
        text = (
            f"other images than in the search: {_difference(config, searched, then, data, now)}. "
            "The accuracy in the search says little about these images"
        )
    return as_text(one_line(text))


def _difference(
    config: TrainConfig, searched: SearchedOn, then: str, data: ImageData, now: str
) -> str:
    if _same_classes(searched, data):
        if then == now:
            return f"{now} has changed, or is split or scaled in another way; same classes"
        return f"it used {then}, this uses {now}; same classes"
    there = _in_words(searched.classes, searched.names)
    here = _in_words(len(data.classes), data.classes)
    text = f"it used {then} ({there}), this uses {now} ({here})"
    if searched.classes != len(data.classes):
        size = config.data.image_size
        before = count_parameters(config.network, searched.classes, size)
        text += (
            f"; {count_parameters(config.network, len(data.classes), size):,} parameters instead "
            f"of {before:,}"
        )
    return text


def _same_classes(searched: SearchedOn, data: ImageData) -> bool:
    """Return whether number and names are equal, as far as they are known."""
    names = data.classes[: len(searched.names)]
    return (searched.classes, searched.names) == (len(data.classes), names)


def _in_words(count: int, names: Sequence[str]) -> str:
    """Return such as `10 classes: 0, 1, 2, ...`."""
    shown = ", ".join(names[:SHOWN]) + (", ..." if count > SHOWN else "")
    return f"{count:,} classes" + (f": {shown}" if names else "")
