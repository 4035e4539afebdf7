"""How many of the images a configuration uses, in words, and the same configuration with all."""

from paretrain.config import TrainConfig


def with_all_images(config: TrainConfig) -> TrainConfig:
    """Return the configuration without anything that leaves images out."""
    everything = {"fraction": 1.0, "per_class": None, "val_least": None}
    data = config.data.model_copy(update=everything)
    searched = config.searched_on
    if searched is not None and data != config.data:
        # The search had some of them, so the fingerprints differ even where nothing else does.
        searched = searched.model_copy(update={"fingerprint": None})
    return config.model_copy(update={"data": data, "share": 1.0, "searched_on": searched})


def leaves_out(config: TrainConfig) -> str:
    """Return what leaves images out, such as `per_class 40`; empty where nothing does."""
    data = config.data
    said = [f"per_class {data.per_class}"] if data.per_class is not None else []
    said += [f"fraction {data.fraction:g}"] if data.fraction < 1 else []
    said += [f"share {config.share:g}"] if config.share < 1 else []
    return ", ".join(said)


def amount_used(config: TrainConfig, used: int | None, in_all: int | None) -> str:
    """Return `400 of 48,000 training images (per_class 40)`; empty where all are used.

    `used` and `in_all` are numbers of training images, None where they are not known.
    """
    why = leaves_out(config)
    if not why or (used is not None and used == in_all):
        return ""
    if used is None:
        return f"a part of the training images ({why})"
    total = f" of {in_all:,}" if in_all is not None else ""
    return f"{used:,}{total} training images ({why})"
