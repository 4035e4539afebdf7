"""The test part. Only the final training opens it: `search/` must never import this module
(tests/test_layers.py holds that)."""

from pathlib import Path

import torch

from paretrain.config import DataConfig
from paretrain.data.cache import decoded
from paretrain.data.digits import digit_images, digit_indices, digit_labels
from paretrain.data.folder import open_folder
from paretrain.data.parts import Part


def load_test(config: DataConfig) -> Part | None:
    """All images of the test part at the configuration's size, or None where there is none."""
    if config.source == "digits":
        indices = digit_indices(test=True)
        labels = torch.tensor(digit_labels(indices), dtype=torch.int64)
        return Part(digit_images(indices, config.image_size), labels)
    root = Path(config.source)
    folder = open_folder(root)
    if folder.test is None:
        return None
    files = folder.files(folder.test)
    images, _ = decoded(files, root, config.image_size, config.fit)
    return Part(images, torch.tensor(files.labels, dtype=torch.int64))
