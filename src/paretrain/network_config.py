"""The network families of a configuration. The field `family` says which one it is."""

import hashlib
import json
import keyword
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    model_validator,
)

Kernel = Literal["3x3", "1x1", "separable"]
Norm = Literal["none", "batch", "lrn"]
Pool = Literal["flatten", "adaptive7", "global"]
Stem = Literal["imagenet", "small"]
AlexNetForm = Literal["whole", "cut", "longer512-1024", "longer512-256"]
ZooName = Literal[
    "alexnet",
    "vgg11",
    "vgg16",
    "googlenet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "mobilenet_v2",
    "efficientnet_b0",
]
PositiveInt = Annotated[int, Field(ge=1, le=10**9)]
Width = Annotated[int, Field(ge=1, le=2**16)]
"""Channels or neurons of one layer. The widest published network has 4,096."""
MOST_LAYERS = 1000
"""Most entries of a list of layers."""
MOST_SOURCE = 60_000
"""Most characters of a file that travels with a configuration."""
Rate = Annotated[float, Field(ge=0.0, le=0.95)]

Plain = bool | int | float | Annotated[str, Field(max_length=1000)] | None
"""A value without structure."""
Value = Plain | tuple[Plain, ...] | tuple[tuple[Plain, ...], ...]


def _is_name(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ValueError("must be a name in Python")
    return text


Name = Annotated[str, Field(max_length=100), AfterValidator(_is_name)]


def _pairs(value: Any) -> Any:
    """Return a mapping as pairs, sorted by name; equal arguments are equal configurations."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _tuples(given)) for name, given in value.items()))
    return value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _lists(value: Any) -> Any:
    return [_lists(entry) for entry in value] if isinstance(value, tuple) else value


Arguments = Annotated[
    tuple[tuple[Name, Value], ...],
    Field(max_length=100),
    BeforeValidator(_pairs),
    PlainSerializer(lambda pairs: {name: _lists(value) for name, value in pairs}),
]
"""Keyword arguments of plain values. They are written and read as a mapping, and kept as pairs, so
that a configuration can be a key."""


class Frozen(BaseModel):
    """Base of every configuration: immutable, strict types, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class VGGStage(Frozen):
    """Convolutions of one width, followed by a 2x2 max pooling."""

    width: Width
    kernels: Annotated[tuple[Kernel, ...], Field(min_length=1, max_length=MOST_LAYERS)]
    """Kernel of each convolution. `separable` = depthwise 3x3, then 1x1 (Howard 2017, sec. 3.1)."""


class VGGConfig(Frozen):
    """A VGG (Simonyan & Zisserman 2014, table 1): stages of convolutions, then FC layers."""

    family: Literal["vgg"] = "vgg"
    stages: Annotated[tuple[VGGStage, ...], Field(min_length=1, max_length=MOST_LAYERS)]
    norm: Norm = "none"
    """Normalisation between each convolution and its ReLU."""
    pool: Pool = "flatten"
    """How the last map reaches the classifier. `flatten`: unchanged. `adaptive7`: averaged to 7x7,
    as torchvision does. `global`: averaged to 1x1."""
    hidden: Annotated[tuple[Width, ...], Field(max_length=MOST_LAYERS)] = ()
    """Widths of the fully connected layers before the output layer."""
    dropout: tuple[Rate, ...] = ()
    """Dropout rate after each hidden layer; 0 = none."""

    @model_validator(mode="after")
    def _one_rate_per_hidden_layer(self) -> "VGGConfig":
        if len(self.dropout) != len(self.hidden):
            raise ValueError(
                f"dropout needs one rate per hidden layer: {len(self.hidden)} hidden layers, "
                f"{len(self.dropout)} rates"
            )
        return self


class HeadConfig(Frozen):
    """The head: what replaces a published network's output layer."""

    hidden: Width | None = None
    """Width of a fully connected layer with ReLU before the output layer; None = none."""
    dropout: Rate = 0.0
    """Dropout rate directly before the output layer; 0 = none."""


class ResNetConfig(Frozen):
    """A residual network (He et al. 2015, table 1).

    The stride of a bottleneck is in its 3x3 convolution, as torchvision has it.
    """

    family: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50]
    width: Width = 64
    """Channels of the first stage. They double in each of the three others. A bottleneck (depth 50)
    gives four times as many."""
    stem: Stem = "imagenet"
    """First layers. `imagenet`: 7x7 convolution of stride 2, then max pooling. `small`: one 3x3
    convolution, for images of about 32 pixels (He et al. 2015, sec. 4.2)."""
    head: HeadConfig = HeadConfig()


class ResNet9Config(Frozen):
    """Course report E's network.

    In order: conv, conv + pool, residual block, twice conv + pool, residual block, conv + pool,
    residual block, max pool, linear. Each conv is 3x3 with bias, BatchNorm and ReLU.
    """

    family: Literal["resnet9"] = "resnet9"
    widths: tuple[Width, Width, Width, Width, Width]
    """Widths of the convolutions outside the blocks, in order. A block keeps the last width."""
    residual: tuple[bool, bool, bool] = (True, True, True)
    """Which of the three blocks, of two convolutions each, are there."""


class AlexNetConfig(Frozen):
    """AlexNet as torchvision has it (Krizhevsky 2014), or changed as course report C did."""

    family: Literal["alexnet"] = "alexnet"
    form: AlexNetForm = "whole"
    """`whole`: unchanged. `cut`: only the first two convolutions. `longer512-1024`,
    `longer512-256`: two more convolutions of these widths, each 3x3 with ReLU and MaxPool(3,
    stride 1). In `longer512-1024` the first FC layer has no bias."""
    head: HeadConfig = HeadConfig()


class _ByName(Frozen):
    """What a library calls by a name."""

    @classmethod
    def of(cls, name: str, head: HeadConfig = HeadConfig(), **arguments: Any) -> Self:  # noqa: B008
        """Describe a network by its name and keyword arguments: `of("mobilenet_v2",
        width_mult=0.5)` of torchvision, `of("convnext_atto", drop_rate=0.1)` of timm."""
        return cls(name=name, head=head, arguments=arguments)  # type: ignore[call-arg]


class ZooConfig(_ByName):
    """A network of torchvision by its name in `torchvision.models.list_models()`."""

    family: Literal["torchvision"] = "torchvision"
    name: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9_]+$")]
    arguments: Arguments = ()
    """What its function is called with beside the number of classes, such as `dropout`."""
    head: HeadConfig = HeadConfig()

    @property
    def measured_before(self) -> bool:
        """Whether it is one of the twelve that are measured once for all heads."""
        return self.name in get_args(ZooName) and not self.arguments


class TimmConfig(_ByName):
    """A network of timm by its name in `timm.list_models()`: what `timm.create_model` makes.

    A tag of published weights may follow: `convnext_atto.d2_in1k`.
    """

    family: Literal["timm"] = "timm"
    name: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9_]+(\.[a-zA-Z0-9_]+)?$")]
    arguments: Arguments = ()
    """What it is called with beside the number of classes, such as `drop_rate` or `depths`."""
    head: HeadConfig = HeadConfig()


class OwnFile(Frozen):
    """A file that a network's own file imports from its folder. It is never written to a disk."""

    place: Annotated[
        str,
        Field(max_length=255, pattern=r"^([A-Za-z_][A-Za-z0-9_]*/)*[A-Za-z_][A-Za-z0-9_]*\.py$"),
    ]
    """Where it lies in that folder."""
    source: Annotated[str, Field(max_length=MOST_SOURCE)]
    """Its content."""


class OwnConfig(Frozen):
    """A network of the user: what a function of a file builds. `own_network` makes one.

    It is code, and is run only if its user trusts it (paretrain.trusted_code).
    """

    family: Literal["own"] = "own"
    file: Annotated[str, Field(max_length=255, pattern=r"^[^/\\\x00-\x1f\x7f]+\.py$")]
    """Name of the file, without its folder."""
    function: Name
    """A function, or the class of the network, at the file's top level."""
    arguments: Arguments = ()
    """What it is called with, beside `num_classes` and, where it asks for it, `image_size`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the file's content, with that of `files`."""
    source: Annotated[str, Field(max_length=MOST_SOURCE)]
    """The file's content."""
    files: tuple[OwnFile, ...] = ()
    """What it imports from its folder, directly or not, by their places."""

    @model_validator(mode="after")
    def _whole(self) -> "OwnConfig":
        if len({each.place for each in self.files}) < len(self.files):
            raise ValueError("files: two have the same place")
        if len(self.source) + sum(len(each.source) for each in self.files) > MOST_SOURCE:
            raise ValueError(f"files: all together have more than {MOST_SOURCE:,} characters")
        if digest_of(self.source, self.files) != self.sha256:
            named = " with its files" if self.files else ""
            raise ValueError(
                f"the content of {self.file}{named} is not what its sha256 says: it was changed "
                "after its search; put it back, or search with the changed file"
            )
        return self


def digest_of(source: str, files: Sequence[OwnFile]) -> str:
    """Return the SHA-256 of a network's file and of those that it imports."""
    text = source
    if files:
        text = json.dumps([source, *([each.place, each.source] for each in files)])
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _family(value: Any) -> Any:
    """Return the family. Configurations from before there were families are VGGs. What is no
    configuration, such as a module of torch, has none."""
    if isinstance(value, dict):
        return value.get("family", "vgg")
    return getattr(value, "family", None)


NetworkConfig = Annotated[
    Annotated[VGGConfig, Tag("vgg")]
    | Annotated[ResNetConfig, Tag("resnet")]
    | Annotated[ResNet9Config, Tag("resnet9")]
    | Annotated[AlexNetConfig, Tag("alexnet")]
    | Annotated[ZooConfig, Tag("torchvision")]
    | Annotated[TimmConfig, Tag("timm")]
    | Annotated[OwnConfig, Tag("own")],
    Discriminator(
        _family,
        custom_error_type="family",
        custom_error_message=(
            "family must be vgg, resnet, resnet9, alexnet, torchvision, timm or own; an nn.Module "
            "of yours is described by own_network(function, ...)"
        ),
    ),
]
"""One configuration class per network family; `family` says which one it is."""

TIMM = "timm/"
"""Begins the names of timm's networks where both libraries' are meant."""
_WITHOUT_WEIGHTS = {"dropout", "stochastic_depth_prob", "drop_rate", "drop_path_rate"}
"""Arguments that change no shape."""
_VGGS: dict[tuple[int, ...], str] = {
    (1, 1, 2, 2, 2): "vgg11",
    (2, 2, 2, 2, 2): "vgg13",
    (2, 2, 3, 3, 3): "vgg16",
    (2, 2, 4, 4, 4): "vgg19",
}


def published_name(network: NetworkConfig) -> str | None:
    """Return torchvision's name of the network whose published weights fit all but the head.

    One of timm is `timm/` and its name. None where there is none, because a width, a kernel, the
    norm or the stem is another.
    """
    if isinstance(network, ZooConfig | TimmConfig):
        changed = {name for name, _ in network.arguments} - _WITHOUT_WEIGHTS
        prefix = TIMM if isinstance(network, TimmConfig) else ""
        return None if changed else prefix + network.name
    if isinstance(network, AlexNetConfig):
        return "alexnet"
    if isinstance(network, ResNetConfig):
        whole = network.width == 64 and network.stem == "imagenet"
        return f"resnet{network.depth}" if whole else None
    if isinstance(network, VGGConfig):
        plain = all(set(stage.kernels) == {"3x3"} for stage in network.stages)
        widths = tuple(stage.width for stage in network.stages)
        name = _VGGS.get(tuple(len(stage.kernels) for stage in network.stages))
        if name and plain and widths == (64, 128, 256, 512, 512) and network.norm != "lrn":
            return f"{name}_bn" if network.norm == "batch" else name
    return None
