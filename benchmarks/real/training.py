"""Trains one network, keeps its weights, and asks them about the test part later."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from paretrain.atomic import write_whole
from paretrain.config import TrainConfig
from paretrain.data.parts import ImageData, Part
from paretrain.describe import describe
from paretrain.networks.build import count_parameters
from paretrain.own_network import trust_code_of
from paretrain.training import Training

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Trained:
    """A trained network, whose weights lie beside its record."""

    name: str
    words: str
    """The network and its settings."""
    num_params: int
    curve: list[float]
    """Validation accuracy after each epoch."""
    seconds: float
    """Processor time of its training."""
    config: dict[str, object]

    @property
    def val_acc(self) -> float:
        """Validation accuracy after the last epoch."""
        return self.curve[-1]

    @property
    def size(self) -> int:
        """What is to be small: the number of parameters."""
        return self.num_params


def train(name: str, config: TrainConfig, data: ImageData, folder: Path) -> Trained:
    """Train a network to its last epoch, or until it diverges; give back what is already there."""
    record = folder / f"{name}.json"
    if record.exists():
        return read(record)
    begin = time.process_time()
    training = Training(config, data, CPU)
    for result in training.epochs():
        if result.health == "diverged":
            break
    trained = Trained(
        name,
        describe(config),
        count_parameters(config.network, len(data.classes), config.data.image_size),
        [epoch.val_acc for epoch in training.curve],
        round(time.process_time() - begin, 1),
        config.to_dict(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.contiguous() for key, value in training.network.state_dict().items()}
    save_file(weights, folder / f"{name}.safetensors")
    write_whole(record, json.dumps(asdict(trained)))
    return trained


def read(record: Path) -> Trained:
    """Read the record of a network."""
    return Trained(**json.loads(record.read_text(encoding="utf-8")))


def accuracy_on_test(trained: Trained, folder: Path, data: ImageData, test: Part) -> float:
    """Return the accuracy of a kept network on the test part, 0 to 1."""
    answer = folder / f"{trained.name}.test"
    if answer.exists():
        return float(answer.read_text())
    config = TrainConfig.from_dict(trained.config)
    trust_code_of(config.network)  # `train` has run it before
    training = Training(config, data, CPU)
    training.network.load_state_dict(load_file(folder / f"{trained.name}.safetensors"))
    acc = training.evaluate(test).acc
    write_whole(answer, repr(acc))
    return acc
