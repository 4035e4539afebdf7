"""What a run will do, decided before anything is created: options, then what an earlier run of the
same study used, then defaults."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig, Precision, StartConfig, TrainConfig
from paretrain.data.native import native_side
from paretrain.data.parts import ImageData
from paretrain.data.published import SIDES
from paretrain.device import device_name
from paretrain.formatting import count_of, percent
from search.problem.baselines import Choice
from search.problem.constraints import Gate
from search.problem.objective import OBJECTIVES, LatencyModel, Objective
from search.problem.space import Space
from search.sampling.samplers import SamplerName
from search.session.budget import Limits
from search.stopping.pruners import PrunerName
from search.workers.devices import worker_devices

DIGITS_CAP = 120_000
"""The report's networks with every width divided by 16 fit under it."""
CPU_CAP, GPU_CAP = 1_000_000, 20_000_000
DIGITS_EPOCHS, EPOCHS = 12, 30
CPU_SIZE, GPU_SIZE = 64, 224
SMALLEST_SIZE = 32
"""No default is smaller: a VGG halves its maps five times."""
DIGITS_SIZE = 32
DIGITS_VAL = 0.28
"""About 400 of the digits validate, so that one image is a quarter of a point."""


@dataclass(frozen=True)
class Plan:
    """One run of the search, complete."""

    space: Space
    data: DataConfig
    storage: str
    study_name: str
    epochs: int
    max_params: int | None
    workers: int
    threads: int
    """Of each worker; a setting of the study, because sums in another order differ."""
    device: torch.device
    precision: Precision
    limits: Limits
    seed: int
    pruner: PrunerName
    sampler: SamplerName
    baselines: Choice
    min_acc: float | None = None
    """The search is for the fewest parameters at no less than this accuracy; None = for the whole
    front. A setting of the run: it may change when a study goes on."""
    auto_workers: bool = False
    """Find the number of workers (and their threads, in a new study) by measuring."""
    stall_s: float = 300.0
    """A worker that trains no batch for so long is ended."""
    objective: Objective = "params"
    """What is to be small. A setting of the study."""
    pretrained: bool = True
    """Whether spaces that ask for published weights get them."""
    weights_dir: str | None = None
    """File or folder with them; None = torchvision's cache."""
    max_size_mb: float | None = None
    """Of the file with a network's weights."""
    microbatch: bool = False
    """Whether a BatchNorm network that does not fit may be trained in smaller pieces."""
    notes: tuple[str, ...] = ()
    """Limits that were chosen for the user, in words."""

    def identity(self, fingerprint: str) -> dict[str, Any]:
        """What a study is: a resume with another value of any of these is refused."""
        # Where images lie is no part of it: what they are is in the fingerprint.
        data = self.data.model_dump(mode="json", exclude={"source", "columns", "images"})
        return {
            "space": self.space.name,
            **data,
            "epochs": self.epochs,
            "precision": self.precision,
            "pretrained": self.pretrained,
            "objectives": ["val_acc maximize", f"{self.objective} minimize"],
            "data": fingerprint,
        }

    def complete(self, config: TrainConfig) -> TrainConfig:
        """A proposed configuration with this run's data, epochs, precision and weights."""
        update = {"data": self.data, "epochs": self.epochs, "precision": self.precision}
        if config.start.pretrained:
            place = {"weights_dir": self.weights_dir}
            start = config.start.model_copy(update=place) if self.pretrained else StartConfig()
            return config.model_copy(update=update | {"start": start})
        return config.model_copy(update=update)

    @property
    def aim_words(self) -> str:
        """What the search is after, or the empty string for the whole front."""
        if self.min_acc is None:
            return ""
        what = "fewest parameters" if self.objective == "params" else f"least {self.objective}"
        return f"{what} at {percent(self.min_acc)} validation accuracy or more"

    @property
    def trials(self) -> int:
        """In total, over all runs of the study."""
        return self.limits.trials

    @property
    def worker_devices(self) -> list[str]:
        """One for each worker: the GPUs in turn, unless one was named."""
        return worker_devices(self.device, self.workers)

    def gate(self, data: ImageData) -> Gate:
        """What proposals must pass."""
        classes, images = len(data.classes), len(data.train)
        model = LatencyModel(classes) if self.objective == "latency" else None
        caps = (self.max_params, images, self.max_size_mb)
        return Gate(self.complete, classes, *caps, self.objective, model)

    def trial_seed(self, number: int) -> int:
        """Seed of a trial: its own, and the same whenever the study is run with the same seed."""
        return (self.seed * 1_000_003 + number) % 2**31

    def describe_device(self) -> str:
        """For the first lines: device, workers, threads, arithmetic."""
        workers = f"{count_of(self.workers, 'worker')} x {count_of(self.threads, 'thread')}"
        return f"{device_name(self.device)}, {workers}, {self.precision}"


def settle(plan: Plan, stored: dict[str, Any] | None, given: dict[str, Any]) -> Plan:
    """Fill in what the user left open: `stored` is the identity of an existing study, `given` the
    options that were typed (others are None)."""
    digits, gpu = plan.data.source == "digits", plan.device.type != "cpu"
    notes: list[str] = []

    def choose(key: str, default: Any, note: str = "") -> Any:
        if given.get(key) is not None:
            return given[key]
        if stored is not None and key in stored:
            return stored[key]
        if note:
            notes.append(note)
        return default

    of_space = plan.space.defaults
    epochs = of_space.get("epochs") or (DIGITS_EPOCHS if digits else EPOCHS)
    where = "digits" if digits else "a GPU" if gpu else "a CPU"
    image_size = choose("image_size", None)
    if image_size is None:
        image_size, why = _usual_size(plan, where)
        notes.append(f"images at {image_size}x{image_size} ({why}; --image-size)")
    data = replace_data(
        plan.data,
        val_fraction=choose("val_fraction", DIGITS_VAL if digits else plan.data.val_fraction),
        image_size=image_size,
        fraction=choose("fraction", 1.0),
        per_class=choose("per_class", None),
        skip_broken=choose("skip_broken", False),
    )
    chosen_epochs = choose("epochs", epochs, f"{epochs} epochs a trial (default; --epochs)")
    total = plan.limits.epochs
    if total is not None and total < chosen_epochs:
        raise UserError(
            f"--epochs-total {total}: one trial may take {chosen_epochs} epochs, so none could "
            f"begin: give {chosen_epochs} or more, or fewer --epochs in a new study"
        )
    max_params = plan.max_params
    if given.get("max_params") is None:
        max_params = DIGITS_CAP if digits else GPU_CAP if gpu else CPU_CAP
        if "max_params" in of_space:
            max_params, where = of_space["max_params"], plan.space.name
        most = "no cap on" if max_params is None else f"at most {max_params:,}"
        notes.append(f"{most} parameters (default for {where}; --max-params, or none)")
    return replace(
        plan,
        data=data,
        epochs=chosen_epochs,
        max_params=max_params,
        precision=choose("precision", plan.precision),
        pretrained=choose("pretrained", True),
        objective=choose("objective", _stored_objective(stored)),
        notes=tuple(notes),
    )


def _usual_size(plan: Plan, where: str) -> tuple[int, str]:
    """Side of the images where neither the user nor an earlier run has chosen, and why."""
    source = plan.data.source
    if side := plan.space.defaults.get("image_size"):
        return side, f"default for {plan.space.name}"
    if source in SIDES:
        return SIDES[source], f"default for {source}"
    if source == "digits":
        return DIGITS_SIZE, f"default for {where}"
    most, native = CPU_SIZE if plan.device.type == "cpu" else GPU_SIZE, native_side(plan.data)
    if native is None or native >= most:
        return most, f"default for {where}"
    # Larger ones would show nothing more.
    side = max(native, SMALLEST_SIZE)
    return side, "their own size" if native == side else f"their own is {native}"


def _stored_objective(stored: dict[str, Any] | None) -> Objective:
    """Of an existing study; the number of parameters in a new one."""
    for name in OBJECTIVES:
        if f"{name} minimize" in (stored or {}).get("objectives", ()):
            return name
    return "params"


def replace_data(data: DataConfig, **changes: Any) -> DataConfig:
    """A data configuration with some fields changed, checked like any other."""
    return DataConfig.model_validate(data.model_dump() | changes)


def differences(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What differs between two identities, in words. The data's hash only counts where nothing
    else explains it."""
    # Studies from before there were the choices.
    stored = {"skip_broken": False, "pretrained": True} | stored
    keys = [key for key in wanted if stored.get(key) != wanted[key]]
    explained = [key for key in keys if key != "data"]
    if not explained and "data" in keys:
        return ["the images (their content has changed)"]
    return [f"{key} (study: {stored.get(key)}, now: {wanted[key]})" for key in explained]


def refuse_other_study(name: str, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises UserError when the wanted run is not a run of the stored study."""
    if differing := differences(stored, wanted):
        raise UserError(
            f"study '{name}' was begun with other settings: {', '.join(differing)}: "
            "use the study's, or another --study-name"
        )
