"""The classifier from pixels to probabilities: what is exported, and what a result is loaded as."""

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
from paretrain.data.decoder import decode_file, decoding
from paretrain.data.folder import image_files
from paretrain.data.pixels import BrokenImage

BATCH = 64
"""Most images in memory at once. With more a CPU is hardly faster."""


class PixelClassifier(nn.Module):
    """A network together with its normalisation of pixels before it and softmax after it.

    Whoever uses it need not know means and deviations.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, H, W) -> float32 probabilities (N, classes)."""
        logits: Tensor = self.network(normalise(images, self.mean, self.std))
        return logits.float().softmax(1)


def on_cpu(network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> PixelClassifier:
    """Copy a trained network for use: on the CPU, in evaluation mode, in plain memory layout."""
    copied = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return PixelClassifier(copied, mean, std).eval().requires_grad_(False)


@dataclass(frozen=True)
class Prediction:
    """The most probable class of one image, and its probability (0 to 1)."""

    path: Path
    label: str
    probability: float


class Classifier:
    """A trained network with everything that it needs to classify image files."""

    def __init__(
        self, classes: tuple[str, ...], data: DataConfig, run: Callable[[Tensor], Tensor]
    ) -> None:
        """`run` maps uint8 pixels (N, 3, image_size, image_size) to probabilities (N, classes)."""
        self.classes = classes
        self.image_size = data.image_size
        self._fit, self._run = data.fit, run

    def predict(self, paths: Path | str | Iterable[Path | str]) -> list[Prediction]:
        """Classify image files and all images in folders, in the order given.

        Raises UserError with the first file that is missing or no image.
        """
        each = [paths] if isinstance(paths, Path | str) else paths
        return list(self.predictions(image_files(each)))

    def predictions(
        self, files: Iterable[Path], skipped: list[str] | None = None
    ) -> Iterator[Prediction]:
        """Classify image files, a batch at a time.

        With `skipped`, files that are no images are noted in it and left out. Without it, raises
        UserError with the first of them.
        """
        rest = iter(files)
        while batch := list(islice(rest, BATCH)):
            decoded: list[tuple[Path, np.ndarray]] = []
            for path in batch:
                try:
                    decoded.append((path, self._pixels(path)))
                except BrokenImage as error:
                    if skipped is None:
                        raise UserError(
                            f"{path} is no image: {error}: leave it out, or --skip-broken"
                        ) from None
                    skipped.append(f"{path}: {error}")
            if not decoded:
                continue
            pixels = torch.from_numpy(np.stack([image for _, image in decoded]))
            best = self.probabilities(pixels).max(1)
            for (path, _), value, index in zip(decoded, best.values, best.indices, strict=True):
                yield Prediction(path, self.classes[int(index)], float(value))

    def probabilities(self, pixels: Tensor) -> Tensor:
        """uint8 pixels (N, 3, image_size, image_size) -> probabilities (N, classes)."""
        with torch.inference_mode():
            return self._run(pixels)

    def _pixels(self, path: Path) -> np.ndarray:
        """Decode and resize an image with the code that training uses."""
        with decoding():
            return decode_file(path, self.image_size, self._fit).pixels
