"""What a run will do, decided before anything is created: options, then what an earlier run of the
same study used, then defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig, Metric, Precision, StartConfig, TrainConfig
from paretrain.data.names import SIDES, short_name
from paretrain.data.native import native_side
from paretrain.data.parts import ImageData
from paretrain.device import device_name, native_precision
from paretrain.formatting import count_of, percent
from paretrain.metric import NAMES
from paretrain.networks.epoch_cost import CPU, GPU, Speed
from paretrain.safe_text import visible_in_line
from search.problem.baselines import Choice
from search.problem.constraints import Constraints
from search.problem.latency_model import LatencyModel
from search.problem.objective import Objective
from search.problem.option_words import EngineName
from search.problem.space import Space
from search.sampling.samplers import SamplerName
from search.session.budget import Limits
from search.session.options import Options
from search.session.remembered import (
    LIFTABLE,
    OF_ALL_RUNS,
    OF_ITS_RUNS,
    OF_THE_STUDY,
    STORAGE_WAIT_S,
    Kept,
)
from search.stopping.pruners import PrunerName
from search.study.metric import metric_of, stored_name
from search.study.snapshot import objective_of
from search.study.storage_url import StorageUrl
from search.workers.devices import threads_per_worker, worker_devices
from search.workers.mps import shares
from search.workers.supervisor import STALL_S

T = TypeVar("T")

DIGITS_MAX_PARAMS = 120_000
"""The course report's networks with every width divided by 16 are below it."""
CPU_MAX_PARAMS, GPU_MAX_PARAMS = 1_000_000, 20_000_000
"""The largest networks that are worth waiting for: ResNet18 (11.7 million) is below the GPU's, the
VGGs with their FC layers (129 million and more) are not."""
DIGITS_EPOCHS, EPOCHS = 12, 30
"""50 trials of 12 epochs on the digits take minutes on one core. The course reports trained for 5
to 80 epochs, report E for 30."""
CPU_SIDE, GPU_SIDE = 64, 224
"""Pixels. 224 is what published weights were trained on; 64 has a twelfth of its pixels."""
SMALLEST_SIDE = 32
"""No default is smaller: a VGG halves its maps five times."""
DIGITS_SIDE = 32
DIGITS_VAL = 0.28
"""About 400 of the digits validate, so that one image is a quarter of a point."""


VAL_LEAST = 500
"""With --per-class, no more images validate than train, because validating 12,000 images after
every pass over 400 took 86 % of the time. With fewer than 500 the standard error of an accuracy
(at most 2.2 points here) would hide which of two networks is better."""


@dataclass(frozen=True)
class Stored:
    """What an earlier run of the study has settled."""

    identity: dict[str, Any]
    """What `Plan.identity` gave then."""
    threads: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What its last run was given or took over; see `remembered.OF_ITS_RUNS`."""
    signs: Mapping[str, Any] = field(default_factory=dict)
    """The last signs of life of those who run it; see `study.owner.signs`."""


@dataclass(frozen=True)
class Plan:
    """One run of the search, complete."""

    space: Space
    data: DataConfig
    storage: StorageUrl
    study_name: str
    epochs: int
    max_params: int | None
    workers: int
    threads: int
    """CPU threads of each worker; a setting of the study, because sums in another order differ."""
    device: torch.device
    precision: Precision
    limits: Limits
    seed: int
    pruner: PrunerName
    sampler: SamplerName
    baselines: Choice
    min_acc: float | None = None
    """The search is for the smallest network of at least this accuracy; None = for the whole front.
    A setting of the run: it may change when a study goes on."""
    threads_fixed: bool = True
    """Whether `threads` is settled: by the study, by --threads, or for the digits."""
    precision_fixed: bool = True
    """Whether `precision` is settled: by the study, by --precision, or by the device."""
    auto_workers: bool = False
    """Find the number of workers (and their threads, in a new study) by measuring."""
    join: bool = False
    """Work on the study beside those that run it already."""
    goes_on: bool = False
    """Whether there was a study, from which settings were taken over."""
    engine: EngineName = "local"
    """Who runs the workers: this machine, or a Ray cluster."""
    ray_address: str | None = None
    """Which one; None = that which this machine belongs to."""
    checkpoints: str | None = None
    """Folder for the state of running trials; None = in the cache."""
    mps: bool = False
    """Start NVIDIA's Multi-Process Service where workers share a GPU."""
    sharing: Mapping[str, str] = field(default_factory=dict)
    """What workers that share a GPU need for it; empty where it was not started."""
    stall_s: float = STALL_S
    """A worker that trains no batch for so long is ended."""
    storage_wait_s: float = STORAGE_WAIT_S
    """So long is waited for a server with the database that does not answer."""
    objective: Objective = "params"
    """What is to be small. A setting of the study."""
    metric: Metric = "acc"
    """Which accuracy is to be large. A setting of the study."""
    prior: str = "none"
    """Earlier studies that it learns from: see `search.prior.choice`."""
    pretrained: bool = True
    """Whether spaces that ask for published weights get them."""
    weights_dir: str | None = None
    """File or folder with them; None = torchvision's cache."""
    max_size_mb: float | None = None
    """Limit on the file with a network's weights."""
    microbatch: bool = False
    """Whether a BatchNorm network that does not fit may be trained in smaller pieces."""
    deterministic: bool = False
    """Whether a GPU adds in a fixed order. A setting of the study."""
    cuda_graphs: bool = False
    """Whether a GPU replays steps as CUDA graphs. A setting of the study."""
    cuda_graphs_fixed: bool = True
    """Whether that is settled: by the study, by --cuda-graphs, or by the device."""
    notes: tuple[str, ...] = ()
    """What was chosen for the user, in words."""
    kept: tuple[Kept, ...] = ()
    """What was left open and is as the study has it."""

    def identity(self, fingerprint: str) -> dict[str, Any]:
        """What a study is: a resume with another value of any of these is refused. `fingerprint` is
        that of the images."""
        # Where images lie is no part of it: what they are is in the fingerprint.
        data = self.data.model_dump(mode="json", exclude={"source", "columns", "images"})
        return {
            "space": self.space.name,
            **data,
            "epochs": self.epochs,
            "precision": self.precision,
            "pretrained": self.pretrained,
            "deterministic": self.deterministic,
            "cuda_graphs": self.cuda_graphs,
            "objectives": [f"{stored_name(self.metric)} maximize", f"{self.objective} minimize"],
            "data": fingerprint,
        }

    def settings(self) -> dict[str, Any]:
        """What the next run of this study takes over."""
        return {name: getattr(self, name) for name in OF_ITS_RUNS}

    def complete(self, config: TrainConfig) -> TrainConfig:
        """A proposed configuration with this run's data, epochs, precision and weights."""
        names = ("data", "epochs", "precision", "deterministic", "cuda_graphs", "metric")
        update: dict[str, Any] = {name: getattr(self, name) for name in names}
        if config.start.pretrained:
            place = {"weights_dir": self.weights_dir}
            start = config.start.model_copy(update=place) if self.pretrained else StartConfig()
            return config.model_copy(update=update | {"start": start})
        return config.model_copy(update=update)

    @property
    def target_words(self) -> str:
        """What the search is after; empty for the whole front."""
        if self.min_acc is None:
            return ""
        what = "fewest parameters" if self.objective == "params" else f"least {self.objective}"
        return f"{what} at {percent(self.min_acc)} validation {NAMES[self.metric]} or more"

    @property
    def trials(self) -> int:
        """Number of trials in total, over all runs of the study."""
        return self.limits.trials

    @property
    def worker_devices(self) -> list[str]:
        """One for each worker: the GPUs in turn, unless one was named."""
        return worker_devices(self.device, self.workers)

    @property
    def speed(self) -> Speed:
        """What the parts of an epoch cost on the device, as far as is known without measuring."""
        return CPU if self.device.type == "cpu" else GPU

    @property
    def worker_environment(self) -> Mapping[str, str]:
        """What is added to the environment of the workers."""
        return self.sharing if shares(self.worker_devices) else {}

    def constraints(self, data: ImageData) -> Constraints:
        """What proposals must keep."""
        classes = len(data.classes)
        return Constraints(
            self.complete,
            classes,
            self.max_params,
            images=len(data.train),
            speed=self.speed,
            max_size_mb=self.max_size_mb,
            objective=self.objective,
            latency=(
                LatencyModel(classes, speed=self.speed) if self.objective == "latency" else None
            ),
        )

    def trial_seed(self, number: int) -> int:
        """Seed of a trial: its own, and the same whenever the study is run with the same seed."""
        return (self.seed * 1_000_003 + number) % 2**31

    def describe_device(self) -> str:
        """Device, workers, threads and arithmetic, for the first lines."""
        workers = f"{count_of(self.workers, 'worker')} x {count_of(self.threads, 'thread')}"
        order = ", deterministic" if self.deterministic else ""
        graphs = ", CUDA graphs" if self.cuda_graphs and self.device.type == "cuda" else ""
        return f"{device_name(self.device)}, {workers}, {self.precision}{graphs}{order}"


def settle(options: Options, stored: Stored | None) -> Plan:
    """The plan of a run: what the options leave open is taken from the existing study, else from
    defaults. Raises UserError when no trial could begin."""
    choice = _Choice(options, stored)
    data = choice.data()
    epochs = choice.epochs()
    total = options.limits.epochs
    if total is not None and total < epochs:
        raise UserError(
            f"--epochs-total {total}: one trial may take {epochs} epochs, so none could begin: "
            f"give {epochs} or more, or fewer --epochs in a new study"
        )
    if options.precision == "bf16" and native_precision(options.device) != "bf16":
        raise UserError(
            f"--precision bf16: {device_name(options.device)} does not compute it natively: leave "
            "the option out"
        )
    if options.cuda_graphs and options.device.type != "cuda":
        raise UserError(
            f"--cuda-graphs yes: {device_name(options.device)} has none: leave the option out"
        )
    if options.join and options.storage.path is not None:
        raise UserError(
            f"--join is for machines that share a study, which cannot share the file "
            f"{options.storage}: on one machine use more --workers, on several a --storage on a "
            "server (docs/scale.md)"
        )
    workers = options.workers or 1
    of_runs = {name: choice.of_its_runs(name) for name in OF_ITS_RUNS if name != "max_params"}
    return Plan(
        space=options.space,
        data=data,
        storage=options.storage,
        study_name=study_name_of(options),
        epochs=epochs,
        max_params=choice.max_params(),
        workers=workers,
        threads=choice.threads(workers),
        threads_fixed=stored is not None or options.threads is not None or choice.digits,
        device=options.device,
        precision=choice.first(options.precision, "precision", native_precision(options.device)),
        precision_fixed=stored is not None or options.precision is not None,
        deterministic=choice.first(options.deterministic, "deterministic", False),
        cuda_graphs=choice.first(options.cuda_graphs, "cuda_graphs", False),
        cuda_graphs_fixed=(
            stored is not None or options.cuda_graphs is not None or options.device.type != "cuda"
        ),
        limits=options.limits,
        auto_workers=options.workers is None,
        join=options.join,
        goes_on=stored is not None,
        engine=options.engine,
        ray_address=options.ray_address,
        checkpoints=options.checkpoints,
        mps=options.mps,
        objective=choice.objective(),
        metric=choice.metric(),
        pretrained=choice.first(options.pretrained, "pretrained", True),
        notes=tuple(choice.notes),
        kept=tuple(choice.kept),
        **of_runs,
    )


def study_name_of(options: Options) -> str:
    """The given name, or SPACE-DATA."""
    return options.study_name or default_name(options.space.name, options.data.source)


def default_name(space: str, source: str) -> str:
    """The name of a study that is given none."""
    # A folder may be called anything; a study's name is printed and stored.
    return visible_in_line(f"{space}-{short_name(source)}")


@dataclass
class _Choice:
    """What is chosen for the user, and said."""

    options: Options
    stored: Stored | None
    notes: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def digits(self) -> bool:
        """Whether the data are the embedded ones."""
        return self.options.data.source == "digits"

    @property
    def where(self) -> str:
        """What a default is for."""
        gpu = self.options.device.type != "cpu"
        return "digits" if self.digits else "a GPU" if gpu else "a CPU"

    def first(self, given: T | None, key: str, default: T) -> T:
        """What was given, else what the study has under that key of its identity, else the
        default."""
        if given is not None:
            return given
        if self.stored is not None and key in self.stored.identity:
            value: T = self.stored.identity[key]
            if key in OF_THE_STUDY and value != default:
                self.kept.append(Kept(key, value))
            return value
        return default

    def of_its_runs(self, name: str) -> Any:
        """What was given, else what the study's last run had, else what new studies have."""
        given, default = getattr(self.options, name), OF_ITS_RUNS[name]
        if given is not None:
            return None if given == "none" and name in LIFTABLE else given
        if self.stored is None or name not in self.stored.settings:
            return default
        value = self.stored.settings[name]
        if value != default or name == "max_params":
            self.kept.append(Kept(name, value))
        return value

    def objective(self) -> Objective:
        """What is to be small."""
        if self.options.objective is not None:
            return self.options.objective
        objective = objective_of(self.stored.identity if self.stored else {})
        if objective != "params":
            self.kept.append(Kept("objective", objective))
        return objective

    def metric(self) -> Metric:
        """Which accuracy is to be large."""
        if self.options.metric is not None:
            return self.options.metric
        metric = metric_of(self.stored.identity if self.stored else {})
        if metric != "acc":
            self.kept.append(Kept("metric", metric))
        return metric

    def data(self) -> DataConfig:
        """The data with their sizes and shares. Raises UserError for one that is not allowed."""
        options = self.options
        image_size = self.first(options.image_size, "image_size", None)
        if image_size is None:
            image_size, why = self._usual_side()
            self.notes.append(f"images at {image_size}x{image_size} ({why}; --image-size)")
        val_fraction = DIGITS_VAL if self.digits else options.data.val_fraction
        return with_changes(
            options.data,
            val_fraction=self.first(None, "val_fraction", val_fraction),
            image_size=image_size,
            fraction=self.first(options.fraction, "fraction", 1.0),
            per_class=self.first(options.per_class, "per_class", None),
            val_least=self._val_least(),
            skip_broken=self.first(options.skip_broken or None, "skip_broken", False),
        )

    def _val_least(self) -> int | None:
        """What bounds the validation images. An existing study keeps what it was begun with: all of
        them, where an earlier version began it."""
        if self.stored is not None:
            least: int | None = self.stored.identity.get("val_least")
            return least
        return VAL_LEAST if self.options.per_class is not None else None

    def threads(self, workers: int) -> int:
        """Of each worker. Raises UserError for another number than the study's: sums in another
        order would differ in the last digits."""
        given, stored = self.options.threads, self.stored
        if stored is None:
            return given or threads_per_worker(workers, self.digits)
        if given not in (None, stored.threads):
            raise UserError(
                f"study '{study_name_of(self.options)}' was begun with other settings: threads "
                f"(study: {stored.threads}, now: {given}): use the study's, or another --study-name"
            )
        return stored.threads

    def epochs(self) -> int:
        """Epochs of a trial."""
        chosen: int | None = self.first(self.options.epochs, "epochs", None)
        if chosen is None:
            usual = DIGITS_EPOCHS if self.digits else EPOCHS
            chosen = self.options.space.defaults.get("epochs") or usual
            self.notes.append(f"{count_of(chosen, 'epoch')} a trial (default; --epochs)")
        return chosen

    def max_params(self) -> int | None:
        """The limit on parameters, which is one of the run."""
        given, defaults = self.options.max_params, self.options.space.defaults
        remembered = self.stored is not None and "max_params" in self.stored.settings
        if given is not None or remembered:
            limit: int | None = self.of_its_runs("max_params")
            return limit
        gpu = self.options.device.type != "cpu"
        limit = GPU_MAX_PARAMS if gpu else CPU_MAX_PARAMS
        limit, where = DIGITS_MAX_PARAMS if self.digits else limit, self.where
        if "max_params" in defaults:
            limit, where = defaults["max_params"], self.options.space.name
        most = "no limit on" if limit is None else f"at most {limit:,}"
        self.notes.append(f"{most} parameters (default for {where}; --max-params, or none)")
        return limit

    def _usual_side(self) -> tuple[int, str]:
        """Side of the images, in pixels, and why."""
        options, source = self.options, self.options.data.source
        if side := options.space.defaults.get("image_size"):
            return side, f"default for {options.space.name}"
        if source in SIDES:
            return SIDES[source], f"default for {source}"
        if self.digits:
            return DIGITS_SIDE, f"default for {self.where}"
        most = CPU_SIDE if options.device.type == "cpu" else GPU_SIDE
        native = native_side(options.data)
        if native is None or native >= most:
            return most, f"default for {self.where}"
        # Larger ones would show nothing more.
        side = max(native, SMALLEST_SIDE)
        return side, "their own size" if native == side else f"their own is {native}"


def with_changes(data: DataConfig, **changes: Any) -> DataConfig:
    """A data configuration with some fields changed, checked like any other."""
    return DataConfig.model_validate(data.model_dump() | changes)


def differences(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What differs between two identities, in words. The data's hash only counts where nothing
    else explains it."""
    # Studies from before there were the choices.
    begun: dict[str, Any] = {"skip_broken": False, "pretrained": True, "val_least": None}
    stored = begun | {"deterministic": False, "cuda_graphs": False} | stored
    stored, wanted = _by_option(stored), _by_option(wanted)
    keys = [key for key in wanted if stored.get(key) != wanted[key]]
    explained = [key for key in keys if key != "data"]
    if not explained and "data" in keys:
        return ["the images (their content has changed)"]
    return [f"{key} (study: {stored.get(key)}, now: {wanted[key]})" for key in explained]


def _by_option(identity: dict[str, Any]) -> dict[str, Any]:
    """An identity with its objectives under the names of the options that choose them."""
    if "objectives" not in identity:
        return identity
    chosen = {"objective": objective_of(identity), "metric": metric_of(identity)}
    return {key: value for key, value in identity.items() if key != "objectives"} | chosen


def refuse_other_settings(name: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises UserError when those that run a study search it with other settings."""
    differing = [
        f"{key.replace('_', '-')} (study: {stored[key]}, now: {wanted[key]})"
        for key in OF_ALL_RUNS
        if key in stored and stored[key] != wanted[key]
    ]
    if differing:
        raise UserError(
            f"study '{name}' is being run with other settings: {', '.join(differing)}: leave them "
            "out, or use another --study-name"
        )


def refuse_other_study(name: str, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises UserError when the wanted run is not a run of the stored study."""
    if differing := differences(stored, wanted):
        raise UserError(
            f"study '{name}' was begun with other settings: {', '.join(differing)}: "
            "use the study's, or another --study-name"
        )
