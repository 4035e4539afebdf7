"""Loads a result folder as a classifier."""

from pathlib import Path

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.device import pick_device
from paretrain.own_network import refuse_untrusted, trust_code_of
from paretrain.paths import is_file
from paretrain.result.classifier import Classifier
from paretrain.result.folder import CONFIG, PROGRAM
from paretrain.result.formats import FORMAT_FILES, Format
from paretrain.result.metrics import read_metrics
from paretrain.result.opening import check_sum, open_format


def load_classifier(
    folder: Path,
    form: Format = "weights",
    device: str = "cpu",
    trust: bool = False,
    trust_code: bool = False,
    test_time_flip: bool | None = None,
) -> Classifier:
    """Load the network of a result folder.

    `test_time_flip`: whether answers are the mean of those to an image and to its mirror image;
    None = as it was tested.

    Raises UserError when the folder holds no whole result, or one of another or a newer program.
    Raises it also when the device is not there, or cannot compute this format, and for "pt2"
    without `trust`, and for weights of a network whose code this user does not trust, without
    `trust_code`.
    """
    if form != "weights" and device not in ("auto", "cpu"):
        raise UserError(
            f"--device {device}: --form {form} computes on the CPU only: --device cpu, or --form "
            "weights"
        )
    if form == "pt2" and not trust:
        # The SHA-256 proves nothing: it comes from the same folder.
        raise UserError(
            f"{folder / PROGRAM} could run code on this machine: give --trust (in Python: "
            "trust=True) if you trained it yourself, else take --form weights, which gives the "
            "same answer"
        )
    picked = pick_device(device if form == "weights" else "cpu")
    metrics = read_metrics(folder)
    path = folder / CONFIG
    if not is_file(path):
        raise UserError(f"{folder} has no {CONFIG}: copy the folder again")
    config = TrainConfig.from_file(path)
    if form == "weights":
        if trust_code:
            trust_code_of(config.network)
        refuse_untrusted(
            config.network,
            str(path),
            "give --trust (in Python: trust_code=True), or take --form onnx, which needs no code",
        )
    flip = metrics.test_time_flip if test_time_flip is None else test_time_flip
    if form != "weights" and metrics.test_time_flip and not flip:
        raise UserError(
            f"--no-test-time-flip: {folder / FORMAT_FILES[form]} was written with --test-time-flip "
            "and mirrors by itself: take --form weights"
        )
    opened = open_format(folder, form, config, metrics, picked, flip)
    # Folders of earlier versions have no sum of it.
    if CONFIG in metrics.sha256:
        check_sum(path, metrics)
    return Classifier(metrics.classes, config.data, opened.run, opened.module)
