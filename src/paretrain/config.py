"""`TrainConfig`: everything that a training depends on, typed and frozen.

The same object goes from space to worker, database, exported YAML and training command. JSON and
YAML round trips are exact. Unknown keys and wrong types are refused.
"""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from paretrain.cli import UserError, nearest
from paretrain.network_config import Frozen, PositiveInt, published_name
from paretrain.network_config import Kernel as Kernel
from paretrain.network_config import NetworkConfig as NetworkConfig
from paretrain.network_config import Norm as Norm
from paretrain.network_config import Pool as Pool
from paretrain.network_config import VGGConfig as VGGConfig
from paretrain.network_config import VGGStage as VGGStage
from paretrain.not_done import not_done
from paretrain.paths import read_text

FORMAT = 1
"""Version of the file format. A file with a higher number comes from a newer program."""
MOST_BYTES = 100_000
"""Largest configuration file. A written one has about 1,000 bytes."""
MOST_NODES = 20_000
"""Most values in a configuration. Those that YAML's aliases repeat count each time, and long text
counts for several."""

Init = Literal["torch", "normal0.01", "normal0.1", "glorot", "kaiming_uniform"]
Precision = Literal["fp32", "bf16"]
Normalise = Literal["data", "imagenet", "cifar100", "none", "published"]
Keep = Literal["last", "best", "lowest_loss"]
Metric = Literal["acc", "balanced_acc", "macro_f1", "top5"]
Policy = Literal["none", "randaugment", "trivialaugment"]


class DataConfig(Frozen):
    """Which images are used, at which size, and how validation is split off."""

    source: str = "digits"
    """`digits` (scikit-learn's, no download), the name of a published set such as `CIFAR10`, a
    folder in ImageFolder layout, or a .csv file."""
    columns: tuple[str, str] = ("path", "label")
    """Names of a CSV file's columns: image paths, labels."""
    images: str | None = None
    """Folder that a CSV file's paths start from; None = the folder of the file."""
    image_size: Annotated[int, Field(ge=8, le=1024)] = 32
    """Side of the square image, in pixels."""
    fit: Literal["resize", "crop"] = "resize"
    """How an image becomes a square: `resize` squeezes it, `crop` keeps its aspect ratio and cuts
    off the rest."""
    val_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of the training part that becomes validation where there is no validation part."""
    split_seed: int = 0
    fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the training and validation images that is used. The choice is stratified, and for
    one split seed a smaller share is part of a larger one."""
    per_class: PositiveInt | None = None
    """Largest number of training images of each class; None = all."""
    val_least: PositiveInt | None = None
    """Where `per_class` is set: no more validation images than training images, but so many at
    least, in the proportion of the classes; None = all of them."""
    skip_broken: bool = False
    """Whether images that cannot be decoded are left out in every part instead of refused."""


Strength = Annotated[float, Field(ge=0.0, le=1.0)]


class AugmentConfig(Frozen):
    """Random changes to training images, drawn anew for each image in each epoch."""

    crop_padding: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Random crop after reflect padding by this share of the image size on each side; 0 = off."""
    flip: bool = False
    """Horizontal flip with probability 1/2."""
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Largest turn to either side, in degrees; corners that come in are black."""
    brightness: Strength = 0.0
    """Range of the factor: 1 - x to 1 + x, also for contrast and saturation; 0 = off."""
    contrast: Strength = 0.0
    saturation: Strength = 0.0
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Largest shift to either side, as a share of the colour circle. The four colour changes are
    applied in an order drawn for each image, as torchvision's ColorJitter does."""
    policy: Policy = "none"
    """Operations drawn for each image from fourteen (shear, translate, rotate, brightness, color,
    contrast, sharpness, posterize, solarize, autocontrast, equalize, none), after crop, flip and
    rotation. `randaugment`: some with a strength given (Cubuk et al. 2020). `trivialaugment`: one
    with a strength drawn (Mueller & Hutter 2021), translated by up to 32 pixels. Both are
    torchvision's."""
    operations: Annotated[int, Field(ge=1, le=10)] = 2
    """How many operations `randaugment` applies to an image, one after the other."""
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    """How strong the operations of `randaugment` are; 30 is the most."""
    grayscale: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Probability that an image loses its colours."""
    erase: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Probability that a rectangle of 2 to 33 % of an image becomes the mean colour (random
    erasing, Zhong et al. 2020)."""
    mixup: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Each image is mixed with another one, and so are their labels, in shares drawn from Beta(x,
    x) (Zhang et al. 2018, who take 0.2 to 1); 0 = off."""
    cutmix: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Each image gets a rectangle of another one, and its label in proportion; shares are drawn
    from Beta(x, x) (Yun et al. 2019, who take 1); 0 = off. With mixup too, each image gets one of
    the two."""


LearningRate = Annotated[float, Field(gt=0.0)]
ScheduledRate = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
"""What a schedule makes of a learning rate in an epoch: no more than it, and as little as zero."""


class SGDConfig(Frozen):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    lr: LearningRate
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGDConfig":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got momentum 0")
        return self


class AdamConfig(Frozen):
    """Adam (Kingma & Ba 2014), or AdamW with decoupled weight decay (Loshchilov & Hutter 2017)."""

    kind: Literal["adam", "adamw"] = "adam"
    lr: LearningRate


OptimizerConfig = Annotated[SGDConfig | AdamConfig, Field(discriminator="kind")]


class ConstantSchedule(Frozen):
    """The learning rate stays the same."""

    kind: Literal["constant"] = "constant"


class StepSchedule(Frozen):
    """The learning rate is multiplied by `gamma` after each share `every` of the epochs."""

    kind: Literal["step"] = "step"
    every: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.4
    gamma: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1


class CosineSchedule(Frozen):
    """The learning rate falls to zero along a half cosine (Loshchilov & Hutter 2016, eq. 5)."""

    kind: Literal["cosine"] = "cosine"


class OneCycleSchedule(Frozen):
    """The learning rate rises to `lr`, then falls to nearly zero (Smith & Topin 2017)."""

    kind: Literal["onecycle"] = "onecycle"
    warmup: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3


ScheduleConfig = Annotated[
    ConstantSchedule | StepSchedule | CosineSchedule | OneCycleSchedule,
    Field(discriminator="kind"),
]


class RegularisationConfig(Frozen):
    """What keeps weights and outputs small. Dropout belongs to the network."""

    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


class ClipConfig(Frozen):
    """Gradient clipping before each optimizer step; value first, then norm, where both are set."""

    norm: Annotated[float, Field(gt=0.0)] | None = None
    value: Annotated[float, Field(gt=0.0)] | None = None


class StartConfig(Frozen):
    """Which weights a training begins with."""

    pretrained: bool = False
    """Whether training begins with torchvision's published ImageNet weights of this network. The
    head, and layers that the published network does not have, are still drawn at random."""
    frozen: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Share of the pretrained layers that stay as they are, BatchNorm statistics included. Layers
    (convolutions, norms, FC layers, without the head) are counted from the image."""
    weights_dir: str | None = None
    """File, or folder of files with torchvision's names; None = torchvision's cache."""

    @model_validator(mode="after")
    def _only_trained_layers_are_frozen(self) -> "StartConfig":
        if self.frozen and not self.pretrained:
            raise ValueError(
                f"frozen {self.frozen} needs pretrained: true: random weights that never change "
                "are no use"
            )
        return self


class SearchedOn(Frozen):
    """The images on which a search found a configuration."""

    source: str
    """Their short name, without the folder that they were in."""
    fingerprint: str | None = None
    """As in `ImageData`; None where the configuration asks for others of them than the search."""
    classes: PositiveInt
    names: tuple[str, ...] = ()
    """Of the classes; of the first 50 where there are more."""


Balance = Literal["none", "weights", "sampling"]


class TrainConfig(Frozen):
    """Everything about one training. The same configuration and device give the same curve."""

    format: int = FORMAT
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    network: NetworkConfig
    init: Init = "torch"
    """How random weights are drawn. `torch`: the layers' own default. `normal*`: normal with mean
    zero and that standard deviation. `glorot`: Glorot & Bengio 2010, eq. 16. `kaiming_uniform`: He
    2015, fan in. All but `torch` set biases to zero. Pretrained weights are loaded afterwards."""
    start: StartConfig = StartConfig()
    normalise: Normalise = "data"
    """Which mean and deviation normalise pixels. `data`: those of the training images. `imagenet`:
    ImageNet's, which published weights expect. `cifar100`: CIFAR-100's (course report E). `none`:
    pixels stay on the scale from 0 to 1. `published`: those that the published weights of this
    network expect, which are not ImageNet's for some of timm's."""
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = ConstantSchedule()
    regularisation: RegularisationConfig = RegularisationConfig()
    clip: ClipConfig = ClipConfig()
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the steps over which the learning rate rises in a straight line to `lr`, before the
    schedule begins (Goyal et al. 2017, sec. 2.2). `onecycle` has a rise of its own."""
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Decay of an exponential moving average of the weights, a step; 0 = none. The average is what
    is validated, kept and exported; 0.99 averages over about the last 100 steps."""
    balance: Balance = "none"
    """What is done where classes are uneven. `weights`: the loss of an image is multiplied by the
    number of images over that of its class. `sampling`: an epoch draws as many images as there
    are, each class equally often, with replacement."""
    batch_size: PositiveInt = 32
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the training images that this training uses. The choice is stratified, and for one
    `data.split_seed` a smaller share is part of a larger one. The validation images stay the same,
    so that trials can be compared."""
    micro_batch: PositiveInt | None = None
    """Most images in one forward pass, where memory is short; None = the whole batch. Gradients add
    up to those of the batch. BatchNorm sees smaller batches, so that it is another training."""
    epochs: PositiveInt = 30
    keep: Keep = "last"
    """Epoch selection: whose weights and accuracy count. `last`: the last epoch's. `best`: those of
    the best validation accuracy. `lowest_loss`: those of the lowest validation loss."""
    metric: Metric = "acc"
    """Which accuracy counts, on validation and test images. `acc`: the share of images that are
    right. `balanced_acc`: the mean of the classes' recalls. `macro_f1`: the mean of their F1.
    `top5`: the share of images whose class is among the five most probable; needs 6 classes."""
    patience: PositiveInt | None = None
    """Training ends after so many epochs in a row without a better one; None = never. Better means
    a higher validation accuracy with `keep: best`, else a lower validation loss."""
    precision: Precision = "fp32"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """CPU threads; None = as many as torch chooses. Another number changes the order of sums, and
    so the last bit of results. A search gives its workers a number of their own."""
    deterministic: bool = False
    """Whether a GPU adds in a fixed order, so that the same device and versions give the same curve
    to the last bit. It costs speed there. A CPU always does."""
    cuda_graphs: bool = False
    """Whether a CUDA GPU replays the steps of full batches as one graph, where they can be
    recorded. The optimizer then gets its learning rate rounded to float32. Other devices ignore
    it."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    searched_on: SearchedOn | None = None
    """Written by an export, so that a training on other images can say so. It changes no curve."""

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: int) -> int:
        if not 1 <= value <= FORMAT:
            raise ValueError(
                f"format {value} is not known here (1 to {FORMAT}): update paretrain to read it"
            )
        return value

    @model_validator(mode="after")
    def _published_weights_exist(self) -> "TrainConfig":
        if self.start.pretrained and published_name(self.network) is None:
            raise ValueError(
                f"start.pretrained: no published weights fit this {self.network.family} network: "
                "set it to false, or take the widths, norm and stem of a published network"
            )
        if self.normalise == "published" and published_name(self.network) is None:
            raise ValueError(
                f"normalise published: no published weights fit this {self.network.family} network"
            )
        return self

    @model_validator(mode="after")
    def _one_rise_of_the_learning_rate(self) -> "TrainConfig":
        if self.warmup and self.schedule.kind == "onecycle":
            raise ValueError(
                f"warmup {self.warmup}: onecycle has a rise of its own: set schedule.warmup"
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, as they are stored with a trial."""
        return self.model_dump(
            mode="json", exclude={"searched_on"} if self.searched_on is None else None
        )

    def to_yaml(self) -> str:
        """Return the text of a configuration file. `from_yaml` gives back an equal object."""
        return yaml.dump(self.to_dict(), Dumper=_Dumper, sort_keys=False)

    @classmethod
    def from_dict(cls, values: object) -> "TrainConfig":
        """Check and build a configuration.

        Raises UserError with the first wrong key, its value and what is allowed.
        """
        try:
            text = json.dumps(values, default=str)
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"configuration holds what no configuration has: {error}") from None
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise UserError(f"configuration is wrong at {_first_fault(error)}") from None

    @classmethod
    def from_yaml(cls, text: str) -> "TrainConfig":
        """Read the text of a configuration file.

        Raises UserError when it is no YAML mapping or its values do not fit.
        """
        values = _plain_values(text)
        if not isinstance(values, dict):
            raise UserError(
                f"configuration must be a YAML mapping, got {type(values).__name__}: "
                "write one with python -m search.export"
            )
        return cls.from_dict(values)

    @classmethod
    def from_file(cls, path: Path) -> "TrainConfig":
        """Read a configuration file. Raises UserError when it is missing, unreadable or wrong."""
        try:
            return cls.from_yaml(read_text(path, MOST_BYTES))
        except OSError as error:
            raise UserError(
                f"cannot read configuration {path}: {error.strerror}. "
                "Write one with python -m search.export"
            ) from None
        except UnicodeDecodeError:
            raise UserError(f"configuration {path} is not a text file") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


_UNIONS = {"network", "optimizer", "schedule"}
"""Settings of several kinds. Pydantic's places have the kind as a part, which no file has."""


def _first_fault(error: ValidationError) -> str:
    """Say where the first fault is, what it is and which value was given.

    An unknown key comes first: it is often a typing error, which makes the right key missing.
    """
    faults = error.errors(include_url=False)
    first = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    place = [str(part) for part in first["loc"]]
    if len(place) > 1 and place[0] in _UNIONS:
        del place[1]
    where = ".".join(place) or "the file"
    if first["type"] == "extra_forbidden":
        if answer := not_done(str(first["loc"][-1])):
            return f"{where}: {answer}"
        missing = [str(f["loc"][-1]) for f in faults if f["type"] == "missing"]
        key, inner = str(first["loc"][-1]), len(first["loc"]) > 1
        return f"{where}: unknown key{nearest(key, missing) or nearest(key, _keys(inner) - {key})}"
    if first["type"] == "union_tag_not_found":
        return f"{where}: the key {first['ctx']['discriminator']} is missing"
    if first["type"] == "union_tag_invalid":
        kinds, given = first["ctx"]["expected_tags"], str(first["ctx"]["tag"])
        hint = nearest(given, re.findall("'(.*?)'", kinds))
        key = first["ctx"]["discriminator"].strip("'")
        return f"{where}.{key}: '{given}' is not one of {kinds}{hint}"
    got = "" if isinstance(first["input"], dict | list) else f", got {first['input']!r}"
    return f"{where}: {first['msg']}{got}"


def _keys(inner: bool) -> set[str]:
    """Return the keys that a file may have at the top, or those inside of all its settings."""
    schema = TrainConfig.model_json_schema()
    if not inner:
        return set(schema["properties"])
    return {key for part in schema["$defs"].values() for key in part.get("properties", ())}


def _plain_values(text: str) -> object:
    """Return what YAML text says. Raises UserError when it is no YAML, or grows when it is read."""
    if len(text) > MOST_BYTES:
        raise UserError(f"configuration has more than {MOST_BYTES:,} characters")
    try:
        loader = _Loader(text)
        top = loader.get_single_node()
        _refuse_growth(top)
        _refuse_repeated_keys(top)
        return None if top is None else loader.construct_document(top)
    except UserError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context).split())
        raise UserError(f"configuration is not YAML{where}: {problem}") from None
    except Exception as error:  # PyYAML raises whatever its Python code meets in odd values
        cause = " ".join(str(error).split())
        raise UserError(f"configuration is not YAML: {cause or type(error).__name__}") from None


def _refuse_growth(top: yaml.Node | None) -> None:
    """Raise UserError when aliases repeat too much: 1 kB of them can mean 2**60 values."""
    nodes, todo = 0, [top]
    while todo:
        value = getattr(todo.pop(), "value", None)
        nodes += 1 + (len(value) // 50 if isinstance(value, str) else 0)
        if nodes > MOST_NODES:
            raise UserError(
                f"configuration has more than {MOST_NODES:,} values: write them without aliases"
            )
        if isinstance(value, list):
            for entry in value:
                todo += entry if isinstance(entry, tuple) else (entry,)


def _refuse_repeated_keys(top: yaml.Node | None) -> None:
    """Raise UserError when a mapping has a key twice. PyYAML would take the last one silently."""
    todo = [top]
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                todo.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                line = key.start_mark.line + 1
                if key.value in lines:
                    first = lines[key.value]
                    where = f"line {line}" if line == first else f"lines {first} and {line}"
                    raise UserError(
                        f"configuration has '{key.value}' twice, in {where}: remove one"
                    )
                lines[key.value] = line


class _Loader(yaml.SafeLoader):
    """A SafeLoader that reads 1e-3 as a number, as YAML 1.2 does and people expect."""


class _Dumper(yaml.SafeDumper):
    """A SafeDumper that quotes the strings that `_Loader` would take for a number."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Write text of several lines, such as the code of a network, so that people can read it."""
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def scaled_width(width: int, divisor: float) -> int:
    """Return a width divided as in the baselines' scaled variants: rounded, at least 1."""
    return max(1, math.floor(width / divisor + 0.5))
