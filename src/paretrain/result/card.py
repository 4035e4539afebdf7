"""The model card: a README.md with the front matter that model hubs read.

Source of the format: huggingface.co/docs/hub/model-cards.
"""

import re
from typing import Any

import yaml

from paretrain.config import Metric, TrainConfig
from paretrain.data.amount import amount_used, leaves_out
from paretrain.data.names import SIDES, is_csv, short_name
from paretrain.describe import describe
from paretrain.formatting import count_of, named
from paretrain.metric import NAMES
from paretrain.network_config import OwnConfig
from paretrain.result.folder import CONFIG, CONFUSION, CURVE, ONNX, PER_CLASS, PROGRAM, WEIGHTS
from paretrain.safe_text import as_text, one_line

_HUB: dict[Metric, str] = {
    "acc": "accuracy",
    "balanced_acc": "balanced_accuracy",
    "macro_f1": "f1",
    "top5": "top_5_accuracy",
}
"""Identifiers of metrics in the front matter."""
SHOWN = 20
"""Most classes that the card names; metrics.json has all."""


def model_card(
    name: str, config: TrainConfig, metrics: dict[str, Any], origin: tuple[str, ...], part: str
) -> str:
    """Return the text of the card.

    `origin` says how the configuration was found. `part` names the images that the confusion matrix
    shows: "test" or "validation".
    """
    head = yaml.safe_dump(_front_matter(name, config, metrics), sort_keys=False, allow_unicode=True)
    sections = [
        f"# {_plain(name)}",
        f"An image classifier of {metrics['num_params']:,} parameters for "
        f"{len(metrics['classes'])} classes: {describe(config)}.",
        _accuracy(metrics),
        f"![Accuracy and loss]({CURVE}.png)",
        *_pictures(metrics, part),
        "## Load it",
        _loading(config, metrics),
        "## Data",
        _data(config, metrics),
        "## How it was found",
        _how_it_was_found(config, metrics, origin),
        "## Limits",
        _limits(config, metrics),
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def _front_matter(name: str, config: TrainConfig, metrics: dict[str, Any]) -> dict[str, Any]:
    onnx = ["onnx"] if ONNX in metrics["sha256"] else []
    head: dict[str, Any] = {
        "library_name": "paretrain",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "pytorch", "safetensors", *onnx],
        "metrics": ["accuracy"],
    }
    metric: Metric = metrics.get("metric", "acc")
    tested, part = metrics["test"], "test"
    accuracy = tested["acc"] if tested else metrics["val_acc"]
    if not tested:
        part = "validation"
    if accuracy is not None:
        data = short_name(config.data.source)
        values = [{"type": "accuracy", "name": f"Accuracy ({part})", "value": accuracy}]
        if metric != "acc":  # what counts comes first
            score = tested["score"] if tested else metrics["val_score"]
            name_of = NAMES[metric][0].upper() + NAMES[metric][1:]
            value = {"type": _HUB[metric], "name": f"{name_of} ({part})", "value": score}
            values, head["metrics"] = [value, *values], [_HUB[metric], "accuracy"]
        result = {
            "task": {"type": "image-classification", "name": "Image Classification"},
            "dataset": {"type": data, "name": data, "split": part},
            "metrics": values,
        }
        head["model-index"] = [{"name": name, "results": [result]}]
    return head


def _accuracy(metrics: dict[str, Any]) -> str:
    tested, metric = metrics["test"], metrics.get("metric", "acc")
    counts = ""
    if metric != "acc":
        score = tested["score"] if tested else metrics["val_score"]
        part = "test" if tested else "validation"
        counts = f"What counts here is the {NAMES[metric]}"
        counts += "." if score is None else f": **{part} {NAMES[metric]} {score:.2%}**."
        counts += " "
    if tested:
        low, high = tested["acc_interval_95"]
        text = (
            f"**Test accuracy {tested['acc']:.2%}** on {tested['images']:,} images (95 %: "
            f"{100 * low:.1f}-{100 * high:.1f} %), which were opened once, after training."
            f"{_mirrored(metrics)}"
        )
    else:
        text = f"**Not tested**: {_plain(metrics['untested'])}.{_mirrored(metrics)}"
    if metrics["val_acc"] is None:
        return (
            f"{counts}{text} The validation images were trained on, so there is no validation "
            "accuracy."
        )
    alone = " (without mirror images)" if metrics.get("test_time_flip", False) else ""
    validated = f"Validation accuracy {metrics['val_acc']:.2%}"
    if metric != "acc":
        validated = f"Validation {NAMES[metric]} {metrics['val_score']:.2%}, {validated.lower()}"
    measured = f"{counts}{text} {validated} on {metrics['validation_images']:,} images{alone}"
    if metrics.get("same_images_as_searched") is False:
        return f"{measured}. The search did not choose by these images."
    return f"{measured}; a search chooses by it, so it is too high by a little."


def _mirrored(metrics: dict[str, Any]) -> str:
    """Return a sentence about mirror images, or ""."""
    if not metrics.get("test_time_flip", False):
        return ""
    return (
        " Each answer is the mean of those to the image and to its mirror image "
        "(`--test-time-flip`), in all formats, and takes twice the time."
    )


def _pictures(metrics: dict[str, Any], part: str) -> list[str]:
    if metrics["test"] is None and metrics["val_acc"] is None:
        return []
    return [
        f"![Confusion matrix of the {part} images]({CONFUSION}.png)",
        f"![Recall and precision of each class, {part} images]({PER_CLASS}.png)",
    ]


def _needs_code(config: TrainConfig) -> str:
    """Return a sentence about code that the weights need, or ""."""
    if not isinstance(config.network, OwnConfig):
        return ""
    return (
        f"\n\nThe weights need the code of the network, {config.network.file}, which is in "
        f"`{CONFIG}`. "
        "Read it, then load with `trust_code=True` (`--trust`). The other formats need no code."
    )


def _loading(config: TrainConfig, metrics: dict[str, Any]) -> str:
    lines = [
        "    import paretrain",
        "",
        '    classifier = paretrain.load("PATH/OF/THIS/FOLDER")',
        '    for prediction in classifier.predict(["one.png", "two.jpg"]):',
        "        print(prediction.path, prediction.label, prediction.probability)",
    ]
    formats = [f"`{WEIGHTS}`"]
    if PROGRAM in metrics["sha256"]:
        formats.append(f"`{PROGRAM}` (torch.export)")
    if ONNX in metrics["sha256"]:
        formats.append(f"`{ONNX}` (runs without PyTorch)")
    return "\n".join(lines) + (
        f"\n\nor `python -m paretrain.predict PATH/OF/THIS/FOLDER one.png`. "
        f"The formats are {', '.join(formats)}"
        ". The last ones take uint8 pixels (N, 3, height, width), resized but not normalised, "
        "and give probabilities; `metrics.json` has the names of the classes in their order."
        + _needs_code(config)
    )


def _data(config: TrainConfig, metrics: dict[str, Any]) -> str:
    source = config.data.source
    kind = "" if source in (*SIDES, "digits") else " (a table)" if is_csv(source) else " (a folder)"
    names = metrics["classes"]
    used, in_all = metrics["training_images"], metrics["training_images_in_all"]
    total = f" of {in_all:,}" if amount_used(config, used, in_all) and in_all is not None else ""
    why = f" ({leaves_out(config)})" if total else ""
    return (
        f"{_code(short_name(source))}{kind}: trained on {used:,}{total} "
        f"{metrics['trained_on']}{why} of {config.data.image_size}x{config.data.image_size} "
        "pixels. "
        f"Fingerprint of training and validation images: `{metrics['data_fingerprint']}`.\n\n"
        f"Classes: {named([_code(name) for name in names], SHOWN)}."
    )


def _how_it_was_found(config: TrainConfig, metrics: dict[str, Any], origin: tuple[str, ...]) -> str:
    trained = (
        f"Trained by paretrain {metrics['paretrain']} (torch {metrics['torch']}) for "
        f"{count_of(metrics['epochs'], 'epoch')} with seed "
        f"{config.seed} on {metrics['device']}, "
        f"{count_of(metrics['threads'], 'CPU thread')}; `config.yaml` "
        "has everything that the training depends on."
    )
    if metrics.get("steps"):
        trained += f" Steps on the GPU: {_plain(metrics['steps'])}."
    return "\n".join(
        [*(f"- {_plain(line)}" for line in origin), "", trained] if origin else [trained]
    )


def _limits(config: TrainConfig, metrics: dict[str, Any]) -> str:
    fit = "squeezed into a square" if config.data.fit == "resize" else "cut to a square"
    lines = [
        "Every image gets one of the classes, also one that shows none of them; the probability is "
        "the network's own and has not been calibrated.",
        f"Images are {fit} of {config.data.image_size} pixels: what is smaller than a few of these "
        "pixels is not seen.",
        "The accuracy is that of images like those above; for others it is unknown.",
        "No licence has been chosen: the data's own terms apply.",
    ]
    arithmetic = metrics.get("arithmetic") or config.precision
    if arithmetic != "fp32":
        lines.append(
            f"Accuracies were measured in {_NAMES[arithmetic]}; on a CPU all formats compute in "
            "fp32, and may classify single images differently."
        )
    return "\n".join(f"- {line}" for line in lines)


_NAMES = {"tf32": "TF32 (fp32 with 10 bits of mantissa in convolutions)", "bf16": "bf16"}

_MARKS = re.compile(r"([\\`*_{}\[\]<>|!~$&])")
"""What Markdown, or the HTML and formulas in it, would take for a mark."""
_BLOCK = re.compile(r"^(\s*)([#+=-]|\d+[.)])")
"""What begins a heading or a list where a line begins with it."""


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return _BLOCK.sub(r"\1\\\2", _MARKS.sub(r"\\\1", as_text(one_line(text))))


def _code(text: str) -> str:
    """Return a name as code that it cannot end, however many backticks it has."""
    line = as_text(one_line(text)) or "''"  # there is no empty code
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    room = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) else ""
    return f"{fence}{room}{line}{room}{fence}"
