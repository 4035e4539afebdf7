"""What every stored attribute may hold. A database may be damaged, of another program, or made by
somebody to mislead: SQLite keeps text in a column of numbers, and JSON has no types at all. So
everything passes one of these types before the program sees it."""

import copy
import marshal
import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import from_json
from typing_extensions import TypedDict

from paretrain.cli import UserError
from paretrain.config import DataConfig, Precision, ScheduledRate, TrainConfig
from paretrain.health import Health
from paretrain.safe_text import visible
from search.problem.description import SpaceDescription
from search.problem.option_words import MOST_COUNT, MOST_MB, MOST_SECONDS
from search.study import attributes as attr
from search.study.images import ImagesOfStudy

MOST_EPOCHS, MOST_CLASSES, MOST_FOLDERS = 100_000, 1_000_000, 1_000
LONGEST = 1_000_000
"""Characters of a text; a traceback is shorter."""


def _one_line(text: str) -> str:
    return visible(text).replace("\n", " ").replace("\t", " ")


def _of_trial(pair: list[float]) -> list[float]:
    if pair[0] < 0 or pair[0] != int(pair[0]):
        raise ValueError("must begin with the number of a trial")
    return pair


def _hexadecimal(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise ValueError("must be 32 hexadecimal digits")
    return text


Text = Annotated[str, Field(max_length=LONGEST), AfterValidator(visible)]
Line = Annotated[str, Field(max_length=10_000), AfterValidator(_one_line)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Size = Annotated[int, Field(ge=1, le=10**18)]
"""Sizes are compared by their logarithms; no network has none."""
Epochs = Annotated[int, Field(ge=0, le=MOST_EPOCHS)]
Number = Annotated[int, Field(ge=0, le=2**62)]
Whole = Annotated[float, Field(ge=0, le=2**53, multiple_of=1)]
"""Whole numbers of a decision, which are stored as floats."""
Real = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
"""Seconds."""
Loss = Annotated[float, AfterValidator(lambda loss: _not_negative(loss))]
"""Of a diverged training it is not finite."""


def _not_negative(value: float) -> float:
    if value < -1e-6:  # rounding
        raise ValueError("must not be below 0")
    return value


PerEpoch: TypeAlias = Annotated[list[Share], Field(max_length=MOST_EPOCHS)]
Losses: TypeAlias = Annotated[list[Loss], Field(max_length=MOST_EPOCHS)]
Rates: TypeAlias = Annotated[list[ScheduledRate], Field(max_length=MOST_EPOCHS)]
Seconds: TypeAlias = Annotated[list[Positive], Field(max_length=MOST_EPOCHS)]
_STRICT = ConfigDict(strict=True)
_OPEN = ConfigDict(strict=True, extra="allow")


@with_config(_STRICT)
class StoredCurve(TypedDict):
    """Lists with one value an epoch."""

    val_acc: PerEpoch
    health: Annotated[list[Health], Field(max_length=MOST_EPOCHS)]
    train_loss: NotRequired[Losses]
    train_acc: NotRequired[PerEpoch]
    val_loss: NotRequired[Losses]
    val_score: NotRequired[PerEpoch]
    lr: NotRequired[Rates]
    seconds: NotRequired[Seconds]


@with_config(_STRICT)
class StoredSpent(TypedDict):
    """What a trial has cost."""

    epochs: Count
    seconds: Positive
    lost_seconds: Positive


@with_config(_STRICT)
class StoredEvidence(TypedDict):
    """The numbers behind a decision, under their stored names."""

    epoch: NotRequired[Annotated[Whole, Field(ge=1, le=MOST_EPOCHS)]]
    val_acc: NotRequired[Share]
    min_acc: NotRequired[Share]
    expected: NotRequired[Share]
    low: NotRequired[Share]
    high: NotRequired[Share]
    front: NotRequired[Share]
    rival: NotRequired[Whole]
    probability: NotRequired[Share]
    gain: NotRequired[Real]
    rate: NotRequired[Real]
    rate_needed: NotRequired[Real]
    start_chance: NotRequired[Share]
    latest_start: NotRequired[Whole]
    waiting_share: NotRequired[Share]


Pair: TypeAlias = Annotated[
    list[Real], Field(min_length=2, max_length=2), AfterValidator(_of_trial)
]
Pairs: TypeAlias = Annotated[list[Pair], Field(max_length=1_000_000)]


@with_config(_STRICT)
class StoredMemory(TypedDict):
    """What the rule learned beside a decision."""

    order: Annotated[int, Field(ge=1, le=2**53)]
    first_gains: NotRequired[Pairs]
    ends: NotRequired[Pairs]
    ended: NotRequired[Annotated[list[Number], Field(min_length=2, max_length=2)]]
    realised: NotRequired[Real | None]


@with_config(_STRICT)
class StoredDecision(StoredEvidence):
    """A decision in full."""

    reason: Line
    why: NotRequired[Line]
    stop: bool
    would_stop: NotRequired[Real]
    memory: NotRequired[StoredMemory]


@with_config(_OPEN)
class StoredIdentity(TypedDict):
    """What a study is."""

    space: NotRequired[Annotated[str, Field(max_length=1_000), AfterValidator(visible)]]
    epochs: NotRequired[Annotated[int, Field(ge=1, le=MOST_EPOCHS)]]
    image_size: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    objectives: NotRequired[Annotated[list[Line], Field(max_length=10)]]
    data: NotRequired[Line]
    precision: NotRequired[Precision]
    pretrained: NotRequired[bool]
    deterministic: NotRequired[bool]
    cuda_graphs: NotRequired[bool]


def _data_settings(identity: StoredIdentity) -> StoredIdentity:
    """How images are read is stored beside the rest, under the names of `DataConfig`."""
    stored: Mapping[str, Any] = {**identity}
    fields = {name: stored[name] for name in DataConfig.model_fields if name in stored}
    try:
        DataConfig.model_validate(fields)
    except ValidationError as error:
        raise ValueError(_in_a_line(error)) from None
    return identity


@with_config(_OPEN)
class StoredProvenance(TypedDict):
    """Where results come from."""

    training_images: NotRequired[Count]
    validation_images: NotRequired[Count]
    data: NotRequired[Line]
    device: NotRequired[Line]
    torch: NotRequired[Line]
    seed: NotRequired[Number]
    classes: NotRequired[Annotated[list[Line], Field(max_length=MOST_CLASSES)]]
    data_fingerprint: NotRequired[Line]
    space_fingerprint: NotRequired[Line]


@with_config(_STRICT)
class StoredOwner(TypedDict):
    """The last sign of life of the process that runs a study."""

    host: Line
    pid: Annotated[int, Field(ge=1, lt=2**31)]
    time: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    run: NotRequired[Line]
    pids: NotRequired[Number]
    shares: NotRequired[bool]


@with_config(_STRICT)
class StoredSpaceFile(TypedDict):
    """The file of a space that is not built in."""

    path: Line
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@with_config(_STRICT)
class StoredRepeat(TypedDict):
    """A training with another seed."""

    trial: Number
    seed: Number
    val_accs: Annotated[list[Share], Field(min_length=1, max_length=MOST_EPOCHS)]
    health: Health
    seconds: Positive


@with_config(_STRICT)
class StoredPlace(TypedDict):
    """Where images are."""

    source: Line
    columns: Annotated[list[Line], Field(min_length=2, max_length=2)]
    images: Line | None


@with_config(_STRICT)
class StoredFile(TypedDict):
    """A database that is a file."""

    host: Line
    path: Line
    inode: Number


@with_config(_STRICT)
class StoredServer(TypedDict):
    """One on a server."""

    server: Line
    name: Line


@with_config(_OPEN)
class StoredSettings(TypedDict):
    """Settings of the last run."""

    max_params: NotRequired[Annotated[int, Field(ge=1, le=MOST_COUNT)] | None]
    max_size_mb: NotRequired[Annotated[float, Field(gt=0, le=MOST_MB)] | None]
    min_acc: NotRequired[Share | None]
    weights_dir: NotRequired[Line | None]
    microbatch: NotRequired[bool]
    stall_s: NotRequired[Annotated[float, Field(gt=0, le=MOST_SECONDS)]]
    storage_wait_s: NotRequired[Annotated[float, Field(gt=0, le=MOST_SECONDS)]]
    seed: NotRequired[Annotated[int, Field(ge=0, lt=2**31)]]
    pruner: NotRequired[Literal["front", "none"]]
    sampler: NotRequired[Literal["front", "tpe", "nsga2", "gp", "random"]]
    baselines: NotRequired[Literal["none", "nets", "all"]]
    prior: NotRequired[Line]


@with_config(_STRICT)
class StoredSource(TypedDict):
    """An earlier study, and how many of its trials were learned from."""

    name: Line
    trials: Count


@with_config(_STRICT)
class StoredPrior(TypedDict):
    """Where a study has learned from; the trials themselves are in pieces beside it."""

    option: Line
    pieces: Annotated[int, Field(ge=0, le=10_000)]
    sources: Annotated[list[StoredSource], Field(max_length=1_000)]


@with_config(_STRICT)
class StoredAgreement(TypedDict):
    """How what was expected agrees with what came."""

    correlation: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
    trials: Count


@with_config(_STRICT)
class StoredHintTrust(TypedDict):
    """The share of the proposals that heed hints, and how often their random networks take each of
    those that were tried, learned from so many trials."""

    trials: Count
    together: Share
    heeded: dict[Line, Share]


def _as(model: type[BaseModel], value: Any) -> Any:
    """A dictionary of what a model reads from it."""
    try:
        return model.model_validate(value).model_dump(mode="json")
    except ValidationError as error:
        raise ValueError(_in_a_line(error)) from None


_COME_AGAIN = frozenset(("data", "augment", "start", "schedule", "clip"))
_MOST_PARTS = 1_000
_parts: dict[bytes, tuple[Any, Any]] = {}
"""Parts of configurations as they are stored and as they are read, by name and what they say."""
_given: dict[frozenset[str], set[str]] = {}
"""Names of fields that are given together."""


def _share_names(model: BaseModel) -> None:
    """Pydantic keeps with each model the names of the fields that were given. Those that come again
    are one object: at 10,000 trials 30 MB less."""
    names = model.model_fields_set
    shared = _given.setdefault(frozenset(names), names)
    object.__setattr__(model, "__pydantic_fields_set__", shared)  # not by name: it is frozen


class StoredConfig(dict[str, Any]):
    """A stored configuration, with what it says. Nobody changes either, so that it need be checked
    only once."""

    __slots__ = ("config",)

    def __init__(self, values: Mapping[str, Any], config: TrainConfig) -> None:
        super().__init__(values)
        self.config = config

    def __deepcopy__(self, memo: dict[int, Any]) -> "StoredConfig":
        return StoredConfig({k: copy.deepcopy(v, memo) for k, v in self.items()}, self.config)

    @classmethod
    def of_text(cls, text: str) -> "StoredConfig":
        """From JSON, read by one parser for both. Parts that come again with many trials, such as
        how images are read, are one object for all: at 10,000 trials 60 MB less. Raises
        pydantic.ValidationError or ValueError."""
        values = from_json(text)
        if not isinstance(values, dict):
            raise ValueError("is no mapping")
        config = TrainConfig.model_validate_json(text)
        parts = config.__dict__  # frozen, but what takes a part's place here is equal to it
        for name in _COME_AGAIN & values.keys():
            known = values[name], parts[name]
            said = marshal.dumps((name, values[name]), 2)  # a fifth of the time of repr
            values[name], parts[name] = _parts.setdefault(said, known)
        if len(_parts) > _MOST_PARTS:
            _parts.clear()
        if len(_given) > _MOST_PARTS:
            _given.clear()
        _share_names(config)
        _share_names(config.network)
        return cls(values, config)


def _configuration(value: Any) -> StoredConfig:
    return StoredConfig(value, TrainConfig.from_dict(value))


_TRIAL: dict[str, Any] = {
    attr.CONFIG: Annotated[dict[str, Any], AfterValidator(_configuration)],
    attr.SIZE: Size,
    attr.AXIS: Size,
    attr.MEASURED: bool,
    attr.TRAINABLE: Count,
    attr.WORDS: Line,
    attr.ORIGIN: Line,
    attr.RUN_BY: Line,
    attr.BASELINE: Line | None,
    attr.PRIOR_SCORE: Real,
    attr.CURVE: StoredCurve,
    attr.PER_CLASS: Annotated[list[Share], Field(max_length=MOST_CLASSES)],
    attr.CONFUSION: Annotated[list[list[Count]], Field(max_length=100_000)],
    attr.HEALTH: Health,
    attr.BEST_ACC: Share,
    attr.BEST_EPOCH: Annotated[int, Field(ge=1, le=MOST_EPOCHS)],
    attr.LOWEST_LOSS_ACC: Share,
    attr.LAST_ACC: Share,
    attr.SECONDS: Positive,
    attr.SPENT: StoredSpent,
    attr.STEPS: Line,
    attr.VERDICT: Text,
    attr.NUMBERS: StoredEvidence,
    attr.DECISIONS: Annotated[list[StoredDecision], Field(max_length=MOST_EPOCHS)],
    attr.INFEASIBLE: Text,
    attr.STDERR: Text,
}
_STUDY: dict[str, Any] = {
    attr.IDENTITY: Annotated[StoredIdentity, AfterValidator(_data_settings)],
    attr.PROVENANCE: StoredProvenance,
    attr.THREADS: Annotated[int, Field(ge=1, le=1024)],
    attr.REFUSED: dict[Line, Count],
    attr.OWNER: StoredOwner | None,
    attr.UID: Annotated[str, AfterValidator(_hexadecimal)],
    attr.MIN_ACC: Share | None,
    attr.WEIGHTS_DIR: Line | None,
    attr.MAX_PARAMS: Annotated[int, Field(ge=1, le=MOST_COUNT)] | None,
    attr.SPACE_FILE: StoredSpaceFile | None,
    attr.SETTINGS: StoredSettings,
    attr.CHECKPOINTS: Annotated[list[Line], Field(max_length=MOST_FOLDERS)],
    attr.DATABASE: StoredFile | StoredServer,
    attr.IMAGE_PLACE: StoredPlace,
    attr.PRIOR: StoredPrior,
    attr.PRIOR_AGREEMENT: StoredAgreement,
    attr.HINT_TRUST: StoredHintTrust,
    attr.IMAGES: Annotated[dict[str, Any], AfterValidator(partial(_as, ImagesOfStudy))],
    attr.DESCRIPTION: Annotated[dict[str, Any], AfterValidator(partial(_as, SpaceDescription))],
}


def _adapters(types: Mapping[str, Any]) -> dict[str, TypeAdapter[Any]]:
    """Reading types of pydantic for them; a strict one where the type itself does not say."""
    return {name: TypeAdapter(type_) for name, type_ in types.items()}


TRIAL, STUDY = _adapters(_TRIAL), _adapters(_STUDY)
REPEAT = TypeAdapter(StoredRepeat)


def typed_text(key: str, text: str) -> Any:
    """The value of an attribute of TRIAL, from JSON, as its type has it. Raises ValueError: then
    `typed` says what is wrong, if anything is."""
    try:
        if key == attr.CONFIG:
            return StoredConfig.of_text(text)
        return TRIAL[key].validator.validate_json(text, strict=True)
    except UserError as error:
        raise ValueError(str(error)) from None


def typed(adapter: TypeAdapter[Any], value: Any) -> Any:
    """The value as its type has it. Raises ValueError that says in a line what is wrong."""
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(_in_a_line(error)) from None
    except UserError as error:
        raise ValueError(str(error)) from None


def _in_a_line(error: ValidationError) -> str:
    """The first fault: where, what is allowed, what is there."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = visible(".".join(str(part) for part in first["loc"]))[:200]
    seen = "" if isinstance(first["input"], dict | list) else f", not {short(first['input'])}"
    words = visible(first["msg"].removeprefix("Value error, ").removeprefix("Input "))
    return f"{place + ': ' if place else ''}{words}{seen}"


def short(value: object) -> str:
    """A value as it is shown in a line."""
    text = visible(repr(value))
    return text if len(text) <= 40 else text[:37] + "..."
