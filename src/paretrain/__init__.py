"""Train one image classifier from one typed configuration.

`TrainConfig` (paretrain.config) says everything about a training; `Training` (paretrain.training)
runs it as a generator of epochs; `python -m paretrain config.yaml` does both from the terminal, and
`paretrain.load(folder)` takes up what it leaves.
Nothing here knows of Optuna, of `search/` or of `spaces/`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from paretrain.result.classifier import Classifier
    from paretrain.result.formats import Form

__version__ = "0.1.0"


def load(
    folder: "str | PathLike[str]", form: "Form" = "weights", device: str = "cpu"
) -> "Classifier":
    """The trained network of a result folder: `load("runs/best").predict(["photo.jpg"])`.

    `form` is the file that computes: "weights", "pt2" or "onnx"; `device` where: "auto", "cpu",
    "cuda", "cuda:N" or "mps", the last three for "weights" only. Raises UserError, a ValueError,
    when the folder holds no whole result or the device is not there.
    """
    from pathlib import Path

    from paretrain.result.load import load_classifier  # torch takes seconds to import

    return load_classifier(Path(folder), form, device)
