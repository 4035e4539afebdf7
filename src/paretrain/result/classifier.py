"""The classifier from pixels to probabilities: what is exported, and what a result is loaded as."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor, nn

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.augment import normalise
from paretrain.data.decoder import decode_file, decoding, from_picture
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

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        flip: bool = False,
    ) -> None:
        """With `flip` an answer is the mean of those to an image and to its mirror image."""
        super().__init__()
        self.network, self.flip = network, flip
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, H, W) -> float32 probabilities (N, classes)."""
        answer = self._answer(images)
        return (answer + self._answer(images.flip(3))) / 2 if self.flip else answer

    def _answer(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(normalise(images, self.mean, self.std))
        return logits.float().softmax(1)


def on_cpu(
    network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], flip: bool = False
) -> PixelClassifier:
    """Copy a trained network for use: on the CPU, in evaluation mode, in plain memory layout."""
    copied = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return PixelClassifier(copied, mean, std, flip).eval().requires_grad_(False)


Image = Path | str | PIL.Image.Image | np.ndarray
"""An image file, a picture of Pillow, or pixels: uint8 (H, W), (H, W, 3) or (H, W, 4)."""


@dataclass(frozen=True)
class Prediction:
    """The most probable class of one image, and its probability (0 to 1)."""

    path: Path | None
    """None for a picture that came from memory."""
    label: str
    probability: float
    top: tuple[tuple[str, float], ...] = ()
    """The most probable classes with their probabilities, the best first: as many as were asked
    for."""


class Classifier:
    """A trained network with everything that it needs to classify image files."""

    def __init__(
        self,
        classes: tuple[str, ...],
        data: DataConfig,
        run: Callable[[Tensor], Tensor],
        module: nn.Module | None = None,
    ) -> None:
        """`run` maps uint8 pixels (N, 3, image_size, image_size) to probabilities (N, classes)."""
        self.classes = classes
        self.image_size = data.image_size
        self.module = module
        """What computes, as a module of torch that maps uint8 pixels (N, 3, image_size,
        image_size) to probabilities (N, classes). None with onnxruntime. Of a network loaded from
        its weights, `module.network` gives logits."""
        self._fit, self._run = data.fit, run
        # Large images take as much memory as 64 of 256 pixels do.
        self._batch = max(1, min(BATCH, BATCH * 256**2 // data.image_size**2))

    def predict(self, images: Image | Iterable[Image], top: int = 1) -> list[Prediction]:
        """Classify images, in the order given: files, folders of them, and pictures in memory.

        `top` says how many classes each prediction lists. Raises UserError with the first image
        that is missing or no image.
        """
        one = isinstance(images, Path | str | PIL.Image.Image | np.ndarray)
        each = [images] if one else images
        return list(self.predictions(_listed(each), top=top))  # type: ignore[arg-type]

    def predictions(
        self, images: Iterable[Image], skipped: list[str] | None = None, top: int = 1
    ) -> Iterator[Prediction]:
        """Classify image files and pictures, a batch at a time.

        With `skipped`, files that are no images are noted in it and left out. Without it, raises
        UserError with the first of them.
        """
        if top < 1:
            raise UserError(f"top {top}: must be 1 or more")
        rest = iter(images)
        while batch := list(islice(rest, self._batch)):
            decoded: list[tuple[Path | None, np.ndarray]] = []
            for image in batch:
                path = Path(image) if isinstance(image, Path | str) else None
                try:
                    decoded.append((path, self._pixels(image)))
                except BrokenImage as error:
                    name = path or "a picture in memory"
                    if skipped is None:
                        raise UserError(
                            f"{name} is no image: {error}: leave it out, or --skip-broken"
                        ) from None
                    skipped.append(f"{name}: {error}")
            if not decoded:
                continue
            pixels = torch.from_numpy(np.stack([image for _, image in decoded]))
            best = self.probabilities(pixels).topk(min(top, len(self.classes)), 1)
            for (path, _), values, indices in zip(
                decoded, best.values.tolist(), best.indices.tolist(), strict=True
            ):
                named = tuple(zip((self.classes[i] for i in indices), values, strict=True))
                yield Prediction(path, *named[0], named)

    def probabilities(self, pixels: Tensor) -> Tensor:
        """uint8 pixels (N, 3, image_size, image_size) -> probabilities (N, classes).

        Raises UserError when the network gives anything else, as one of a damaged file does.
        """
        with torch.inference_mode():
            answer = self._run(pixels)
        expected = (len(pixels), len(self.classes))
        if answer.shape != expected or not answer.is_floating_point():
            shape, wanted = tuple(answer.shape), f"{expected[0]}x{expected[1]} probabilities"
            raise UserError(f"the network gives {answer.dtype} of shape {shape}, must be {wanted}")
        if not bool(((answer >= 0) & (answer <= 1 + 1e-5)).all()):
            raise UserError(
                "the network gives what is no probability: its files are damaged: copy the result "
                "folder again"
            )
        return answer

    def _pixels(self, image: Image) -> np.ndarray:
        """Decode and resize an image with the code that training uses."""
        if isinstance(image, Path | str):
            with decoding():
                return decode_file(Path(image), self.image_size, self._fit).pixels
        if isinstance(image, np.ndarray):
            image = _picture(image)
        if not isinstance(image, PIL.Image.Image):
            raise UserError(
                f"cannot classify {type(image).__name__}: give a path, a picture of Pillow, or an "
                "array of uint8 (height, width, 3)"
            )
        return from_picture(image, self.image_size, self._fit)


def _listed(images: Iterable[Image]) -> Iterator[Image]:
    """Yield images, those of folders one by one."""
    for image in images:
        if isinstance(image, Path | str):
            yield from image_files([image])
        else:
            yield image


def _picture(pixels: np.ndarray) -> PIL.Image.Image:
    """Return an array as a picture. Raises UserError for what has another shape or type."""
    grey = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    coloured = grey.ndim == 3 and grey.shape[2] in (3, 4)
    if grey.dtype != np.uint8 or not (grey.ndim == 2 or coloured) or 0 in grey.shape:
        raise UserError(
            f"cannot classify an array of {pixels.dtype} with shape {pixels.shape}: give uint8 "
            "(height, width), (height, width, 3) or (height, width, 4), values 0 to 255"
        )
    return PIL.Image.fromarray(np.ascontiguousarray(grey))
