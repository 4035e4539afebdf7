"""Loads training and validation images. `paretrain.testset` alone loads the test part."""

import hashlib
from collections import Counter

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.locate import open_source
from paretrain.data.native import native_side_of
from paretrain.data.parts import ImageData, Part, channel_statistics
from paretrain.data.quality import quality_warnings, refuse_too_dark
from paretrain.data.source import Items
from paretrain.data.split import split_off, subset
from paretrain.safe_text import one_line


def load_data(config: DataConfig) -> ImageData:
    """Load the images of a configuration, on the CPU.

    Raises UserError for a source that is missing, empty or wrong, a broken image (unless such are
    skipped), a class left without training or validation images,
    or images of more than eight bits that use hardly any of them.
    """
    source = open_source(config)
    items = source.train_part()
    all_train, all_val = _parts(items, source.val_part(), config)
    train, val = _chosen(all_train, all_val, config)
    train_part, train_digest = train.decode(config)
    val_part, val_digest = val.decode(config)
    for name, part in (("training", train_part), ("validation", val_part)):
        _refuse_missing_class(source.classes, name, part)
    refuse_too_dark(train_part)
    mean, std = channel_statistics(train_part.images_NCHW)
    digest = hashlib.sha256(f"{train_digest}/{val_digest}".encode()).hexdigest()
    notes = (*source.notes, *quality_warnings(source.classes, train_part, val_part))
    return ImageData(
        source.classes,
        train_part,
        val_part,
        mean,
        std,
        digest[:16],
        parts=one_line(source.origin.in_words(config.val_fraction)),
        all_training=len(all_train.labels) - len(train_part.broken),
        all_validation=len(all_val.labels) - len(val_part.broken),
        native_side=native_side_of(items),
        warnings=tuple(map(one_line, notes)),
    )


def _parts(train: Items, val: Items | None, config: DataConfig) -> tuple[Items, Items]:
    """Return all images of both parts; validation is split off where there is none."""
    if val is None:
        if max(Counter(train.labels).values(), default=0) < 2:
            raise UserError(
                f"every class has one training image only ({len(train.labels):,} classes), so none "
                "has an image to validate with: classes need two or more, or a validation part"
            )
        rest, held_out = split_off(train.labels, config.val_fraction, config.split_seed)
        return train.choose(rest), train.choose(held_out)
    return train, val


def _chosen(train: Items, val: Items, config: DataConfig) -> tuple[Items, Items]:
    """Choose the images that are used.

    Which images are broken is not known yet, so skipping them does not change the choice of others.
    Validation images keep the proportion of their classes, so that accuracy means the same with few
    of them as with all.
    """
    seed, fraction = config.split_seed, config.fraction
    train = train.choose(subset(train.labels, fraction, seed, config.per_class))
    if config.per_class is not None and config.val_least is not None:
        most = max(len(train.labels), config.val_least)
        fraction = min(fraction, most / max(1, len(val.labels)))
    return train, val.choose(subset(val.labels, fraction, seed))


def _refuse_missing_class(classes: tuple[str, ...], name: str, part: Part) -> None:
    missing = sorted(set(range(len(classes))) - set(part.labels_N.tolist()))
    if missing:
        skipped = f" (broken images skipped: {len(part.broken)})" if part.broken else ""
        raise UserError(
            f"class '{classes[missing[0]]}' has no {name} image{skipped}: every class needs at "
            "least one image in training and in validation (two where validation is split off)"
        )
