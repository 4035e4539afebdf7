"""From pixels to probabilities: what is exported, and what a result folder is loaded as."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.augment import normalise
from paretrain.data.folder import image_files
from paretrain.data.pixels import BrokenImage, read_picture, square

BATCH = 64
"""Images in memory at once; with more a CPU is hardly faster."""


class PixelClassifier(nn.Module):
    """The network between the two steps that belong to it: the training's normalisation of pixels,
    and softmax. Its owner need not know means or deviations."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """images (N, 3, H, W), uint8 -> probabilities (N, classes), float32."""
        logits: Tensor = self.network(normalise(images, self.mean, self.std))
        return logits.float().softmax(1)


def on_cpu(network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> PixelClassifier:
    """A copy of a trained network for use: on the CPU, in evaluation mode, plain memory layout."""
    copied = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return PixelClassifier(copied, mean, std).eval().requires_grad_(False)


@dataclass(frozen=True)
class Prediction:
    """One image: the most probable class, and its probability (0 to 1)."""

    path: Path
    label: str
    probability: float


class Classifier:
    """A trained network with all that is needed to classify image files."""

    def __init__(
        self, classes: tuple[str, ...], data: DataConfig, run: Callable[[Tensor], Tensor]
    ) -> None:
        """`run` maps pixels (N, 3, image_size, image_size), uint8, to (N, classes)."""
        self.classes = classes
        self.image_size = data.image_size
        self._fit, self._run = data.fit, run

    def predict(self, paths: Path | str | Iterable[Path | str]) -> list[Prediction]:
        """Classes of image files, in their order, and of all images in folders.

        Raises UserError naming the first file that is missing or no image."""
        given = [paths] if isinstance(paths, Path | str) else paths
        return list(self.predictions(image_files(given)))

    def predictions(
        self, files: Iterable[Path], skipped: list[str] | None = None
    ) -> Iterator[Prediction]:
        """Classes of image files, a batch at a time. With `skipped`, files that are no images are
        noted there and left out. Raises UserError naming the first of them otherwise."""
        rest = iter(files)
        while batch := list(islice(rest, BATCH)):
            read: list[tuple[Path, np.ndarray]] = []
            for path in batch:
                try:
                    read.append((path, self._pixels(path)))
                except BrokenImage as error:
                    if skipped is None:
                        raise UserError(
                            f"{path} is no image: {error}: leave it out, or --skip-broken"
                        ) from None
                    skipped.append(f"{path}: {error}")
            if not read:
                continue
            pixels = torch.from_numpy(np.stack([image for _, image in read]))
            best = self.probabilities(pixels).max(1)
            for (path, _), value, index in zip(read, best.values, best.indices, strict=True):
                yield Prediction(path, self.classes[int(index)], float(value))

    def probabilities(self, pixels: Tensor) -> Tensor:
        """pixels (N, 3, image_size, image_size), uint8 -> probabilities (N, classes)."""
        with torch.inference_mode():
            return self._run(pixels)

    def _pixels(self, path: Path) -> np.ndarray:
        """Decoded and resized by the code that training uses."""
        picture, _ = read_picture(path)
        return square(picture, self.image_size, self._fit)
