"""Train one image classifier from one typed configuration.

`TrainConfig` (paretrain.config) says everything about a training. `Training` (paretrain.training)
runs it, one epoch at a time. `python -m paretrain config.yaml` does both from the terminal and
leaves a result folder, which `paretrain.load(folder)` opens. Nothing here knows Optuna, `search/`
or `spaces/`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from paretrain.result.classifier import Classifier
    from paretrain.result.formats import Format

__version__ = "0.1.0"


def load(
    folder: "str | PathLike[str]",
    form: "Format" = "weights",
    device: str = "cpu",
    trust: bool = False,
    trust_code: bool = False,
    test_time_flip: bool | None = None,
) -> "Classifier":
    """Open the trained network of a result folder: `load("runs/best").predict(["photo.jpg"])`.

    `form` names the format of the file that computes: "weights", "pt2" or "onnx". `device` says
    where: "auto", "cpu", "cuda", "cuda:N" or "mps", the last three for "weights" only. "pt2" can
    run code that the file holds, so it needs `trust=True`. The weights of a network that somebody
    wrote need its code, which the folder holds too: where you have not searched with it, read it
    and give `trust_code=True`, or take another form. `test_time_flip` says whether answers are the
    mean of those to an image and to its mirror image; None = as it was tested. Raises UserError, a
    ValueError, when the folder holds no whole result or the device is not there.
    """
    from pathlib import Path

    from paretrain.result.load import load_classifier  # torch takes seconds to import

    return load_classifier(Path(folder), form, device, trust, trust_code, test_time_flip)
