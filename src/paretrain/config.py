"""`TrainConfig`: everything that a training depends on, typed and frozen.

The same object crosses every border: space -> worker -> database -> exported YAML -> training
command. JSON and YAML round trips are exact; unknown keys and wrong types are refused.
"""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from paretrain.cli import UserError, nearest

FORMAT = 1
"""Version of the file format. A file with a higher number was written by a newer program."""

Kernel = Literal["3x3", "1x1", "separable"]
Norm = Literal["none", "batch", "lrn"]
Pool = Literal["flatten", "adaptive7", "global"]
Init = Literal["torch", "normal0.01", "normal0.1", "glorot", "kaiming_uniform"]
Precision = Literal["fp32", "bf16"]
PositiveInt = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0.0, le=0.95)]


class Frozen(BaseModel):
    """Base of every configuration: immutable, strict types, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Frozen):
    """Which images, at which size, and how validation is split off."""

    source: str = "digits"
    """`digits` (scikit-learn's, no download), a published set such as `CIFAR10`, a folder in
    ImageFolder layout, or a .csv file."""
    columns: tuple[str, str] = ("path", "label")
    """Of a CSV file: the columns of image paths and of labels."""
    images: str | None = None
    """Folder that a CSV file's paths start from; None = where the file is."""
    image_size: Annotated[int, Field(ge=8, le=1024)] = 32
    """Side of the square image, in pixels."""
    fit: Literal["resize", "crop"] = "resize"
    """`resize` squeezes the whole image into the square; `crop` keeps the aspect ratio and cuts."""
    val_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of the training part that becomes validation where no validation part exists."""
    split_seed: int = 0
    fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of training and validation images used: stratified, and nested for one split seed."""
    per_class: PositiveInt | None = None
    """At most this many training images of each class."""
    skip_broken: bool = False
    """Leave out images that cannot be decoded, in every part, instead of refusing them."""


class AugmentConfig(Frozen):
    """Random changes to training images, drawn anew for each image of each epoch."""

    crop_padding: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Random crop after reflect padding by this share of the image size on every side; 0 = off."""
    flip: bool = False
    """Horizontal flip with probability 1/2."""


class VGGStage(Frozen):
    """Convolutions of one width; a 2x2 max pooling follows the stage."""

    width: PositiveInt
    kernels: Annotated[tuple[Kernel, ...], Field(min_length=1)]
    """One entry a convolution. `separable` = depthwise 3x3, then 1x1 (Howard 2017, sec. 3.1)."""


class VGGConfig(Frozen):
    """VGG family (Simonyan & Zisserman 2014, table 1): stages of convolutions, then FC layers."""

    family: Literal["vgg"] = "vgg"
    stages: Annotated[tuple[VGGStage, ...], Field(min_length=1)]
    norm: Norm = "none"
    """Between each convolution and its ReLU."""
    pool: Pool = "flatten"
    """Before the classifier: as it is; average to 7x7 as torchvision does; average to 1x1."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of the fully connected layers before the output layer."""
    dropout: tuple[Rate, ...] = ()
    """One rate after each hidden layer; 0 = none."""

    @model_validator(mode="after")
    def _one_rate_per_hidden_layer(self) -> "VGGConfig":
        if len(self.dropout) != len(self.hidden):
            raise ValueError(
                f"dropout needs one rate per hidden layer: {len(self.hidden)} hidden layers, "
                f"{len(self.dropout)} rates"
            )
        return self


NetworkConfig = VGGConfig
"""One member per network family, told apart by `family`."""


class SGDConfig(Frozen):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    lr: Annotated[float, Field(gt=0.0)]
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGDConfig":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got momentum 0")
        return self


class AdamConfig(Frozen):
    """Adam (Kingma & Ba 2014), or AdamW with decoupled weight decay (Loshchilov & Hutter 2017)."""

    kind: Literal["adam", "adamw"]
    lr: Annotated[float, Field(gt=0.0)]


OptimizerConfig = Annotated[SGDConfig | AdamConfig, Field(discriminator="kind")]


class ConstantSchedule(Frozen):
    """The learning rate stays as it is."""

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


class TrainConfig(Frozen):
    """One training, complete: the same configuration, seed and device give the same curve."""

    format: int = FORMAT
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    network: NetworkConfig
    init: Init = "torch"
    """`torch`: the layers' own default. `normal*`: zero-mean normal with that standard deviation.
    `glorot`: Glorot & Bengio 2010, eq. 16. `kaiming_uniform`: He 2015, fan in. All but the first
    set biases to zero."""
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = ConstantSchedule()
    regularisation: RegularisationConfig = RegularisationConfig()
    clip: ClipConfig = ClipConfig()
    batch_size: PositiveInt = 32
    micro_batch: PositiveInt | None = None
    """Images in one forward pass where memory is short; gradients add up to the whole batch's. With
    BatchNorm the statistics are those of the smaller batch, so it is another training."""
    epochs: PositiveInt = 30
    precision: Precision = "fp32"
    threads: PositiveInt | None = None
    """Of the CPU: sums in another order differ in the last bit. None = as many as torch chooses;
    a search sets its workers' own."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: int) -> int:
        if not 1 <= value <= FORMAT:
            raise ValueError(
                f"format {value} is not known here (1 to {FORMAT}): update paretrain to read it"
            )
        return value

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as stored with a trial."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The text of a configuration file; `from_yaml` gives back an equal object."""
        return yaml.dump(self.to_dict(), Dumper=_Dumper, sort_keys=False)

    @classmethod
    def from_dict(cls, values: object) -> "TrainConfig":
        """Raises UserError naming the first wrong key, its value and what is allowed."""
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
        """Raises UserError when the text is no YAML mapping or does not fit."""
        try:
            values = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader, see below)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            cause = " ".join(str(error).split())
            raise UserError(f"configuration is not YAML: {cause}") from None
        if not isinstance(values, dict):
            raise UserError(
                f"configuration must be a YAML mapping, got {type(values).__name__}: "
                "write one with python -m search.export"
            )
        return cls.from_dict(values)

    @classmethod
    def from_file(cls, path: Path) -> "TrainConfig":
        """Raises UserError when the file is missing, unreadable or wrong."""
        try:
            return cls.from_yaml(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(
                f"cannot read configuration {path}: {error.strerror}. "
                "Write one with python -m search.export"
            ) from None
        except UnicodeDecodeError:
            raise UserError(f"configuration {path} is not a text file") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def _first_fault(error: ValidationError) -> str:
    """Where, what and the value seen. An unknown key comes first: it is often a typing error that
    makes the right key missing."""
    faults = error.errors(include_url=False)
    first = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        missing = [str(f["loc"][-1]) for f in faults if f["type"] == "missing"]
        return f"{where}: unknown key{nearest(str(first['loc'][-1]), missing)}"
    seen = "" if isinstance(first["input"], dict | list) else f", got {first['input']!r}"
    return f"{where}: {first['msg']}{seen}"


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number, as YAML 1.2 does and people expect."""


class _Dumper(yaml.SafeDumper):
    """Quotes the strings that `_Loader` would take for a number."""


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def scaled_width(width: int, divisor: float) -> int:
    """A width divided as the hand-made networks' scaled forms do: rounded, at least 1."""
    return max(1, math.floor(width / divisor + 0.5))
