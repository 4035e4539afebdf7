"""Training and validation images of a configuration. The test part has a door of its own
(`paretrain.testset`), which the search never opens."""

import hashlib
from pathlib import Path

import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.cache import decoded
from paretrain.data.digits import CLASSES, digit_images, digit_indices, digit_labels
from paretrain.data.folder import open_folder
from paretrain.data.parts import ImageData, Part, channel_statistics
from paretrain.data.split import split_off, subset


def load_data(config: DataConfig) -> ImageData:
    """Decode (first time) or map (later) the images on the CPU.

    Raises UserError for a missing or empty folder, a broken image, or a class left without
    training or validation images.
    """
    if config.source == "digits":
        return _load_digits(config)
    return _load_folder(config)


def _load_digits(config: DataConfig) -> ImageData:
    indices = digit_indices(test=False)
    train, val = split_off(digit_labels(indices), config.val_fraction, config.split_seed)
    parts = []
    for chosen, per_class in ((train, config.per_class), (val, None)):
        chosen = [indices[i] for i in chosen]
        kept = subset(digit_labels(chosen), config.fraction, config.split_seed, per_class)
        chosen = [chosen[i] for i in kept]
        labels = torch.tensor(digit_labels(chosen), dtype=torch.int64)
        parts.append(Part(digit_images(chosen, config.image_size), labels))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.images_NCHW.numpy().tobytes() + part.labels_N.numpy().tobytes())
    return _assemble(CLASSES, parts[0], parts[1], digest.hexdigest())


def _load_folder(config: DataConfig) -> ImageData:
    root = Path(config.source)
    folder = open_folder(root)
    train = folder.files(folder.train)
    if folder.val is not None:
        val = folder.files(folder.val)
    else:
        rest, held_out = split_off(train.labels, config.val_fraction, config.split_seed)
        train, val = train.choose(rest), train.choose(held_out)
    train = train.choose(subset(train.labels, config.fraction, config.split_seed, config.per_class))
    val = val.choose(subset(val.labels, config.fraction, config.split_seed))
    train_images, train_digest = decoded(train, root, config.image_size, config.fit)
    val_images, val_digest = decoded(val, root, config.image_size, config.fit)
    return _assemble(
        folder.classes,
        Part(train_images, torch.tensor(train.labels, dtype=torch.int64)),
        Part(val_images, torch.tensor(val.labels, dtype=torch.int64)),
        hashlib.sha256(f"{train_digest}/{val_digest}".encode()).hexdigest(),
    )


def _assemble(classes: tuple[str, ...], train: Part, val: Part, digest: str) -> ImageData:
    for name, part in (("training", train), ("validation", val)):
        missing = sorted(set(range(len(classes))) - set(part.labels_N.tolist()))
        if missing:
            raise UserError(
                f"class '{classes[missing[0]]}' has no {name} image: every class needs at least "
                "one image in training and in validation (two where validation is split off)"
            )
    mean, std = channel_statistics(train.images_NCHW)
    return ImageData(classes, train, val, mean, std, digest[:16])
