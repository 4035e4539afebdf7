"""What a user writes today, run as a program of its own: Optuna's `study.optimize`, torchvision's
data set in a DataLoader with two processes, a plain loop, the default SQLite storage.

    python -m benchmarks.throughput.user WISHES.json

The same space, seeds, networks, epochs and images as a search of ours: `wishes` holds the
parameters of the trials. Prints seconds since the first trial began.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import optuna
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.augment import torchvisions
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import Part
from paretrain.networks.build import build_network, count_parameters, initialise
from paretrain.optim import build_schedule
from search.problem.space import load_space

PROCESSES = 2
Images = Dataset[tuple[Tensor, int]]


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures in memory, as in torchvision's CIFAR10."""

    def __init__(self, part: Part, change: Any) -> None:
        self._pixels, self._change = part.images_NCHW.permute(0, 2, 3, 1).numpy(), change
        self._labels = part.labels_N.tolist()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._change(Image.fromarray(self._pixels[index])), self._labels[index]


def images(wishes: dict[str, Any], config: TrainConfig) -> tuple[Images, Images, list[str]]:
    """Return training and validation images with torchvision's transforms, and the classes."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    size = wishes["image_size"]
    ready = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.25])]
    changed = [*torchvisions(config.augment, size), *ready]
    if wishes["source"] == "digits":
        data = load_data(DataConfig(source="digits", image_size=size))
        train = Pictures(data.train, v2.Compose(changed))
        return train, Pictures(data.val, v2.Compose(ready)), list(data.classes)
    fit = v2.Resize((size, size))
    folder = Path(wishes["source"])
    training = ImageFolder(folder / "train", v2.Compose([fit, *changed]))
    validation = ImageFolder(folder / "val", v2.Compose([fit, *ready]))
    return training, validation, training.classes


def optimizer_of(config: TrainConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Return torch's optimizer with the trial's settings."""
    chosen, decay = config.optimizer, config.regularisation.weight_decay
    weights = network.parameters()
    if chosen.kind == "sgd":
        return torch.optim.SGD(
            weights, chosen.lr, chosen.momentum, weight_decay=decay, nesterov=chosen.nesterov
        )
    kind = torch.optim.Adam if chosen.kind == "adam" else torch.optim.AdamW
    return kind(weights, chosen.lr, weight_decay=decay)


def train(config: TrainConfig, wishes: dict[str, Any]) -> tuple[float, int]:
    """Train one configuration; return its validation accuracy and its number of parameters."""
    device = torch.device(wishes["device"])
    torch.manual_seed(config.seed)
    train_set, val_set, classes = images(wishes, config)
    loader = DataLoader(train_set, config.batch_size, shuffle=True, num_workers=PROCESSES)
    val_loader = DataLoader(val_set, config.batch_size, num_workers=PROCESSES)
    network = build_network(config.network, len(classes), wishes["image_size"])
    initialise(network, config.init)
    network.to(device)
    optimizer = optimizer_of(config, network)
    schedule = build_schedule(config, optimizer, len(loader))
    accuracy = 0.0
    for _ in range(config.epochs):
        network.train()
        for batch, labels in loader:
            batch, labels = batch.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = F.cross_entropy(network(batch), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        network.eval()
        right = 0
        with torch.no_grad():
            for batch, labels in val_loader:
                answers = network(batch.to(device)).argmax(1).cpu()
                right += int((answers == labels).sum())
        accuracy = right / len(val_set)  # type: ignore[arg-type]
        print(f"epoch: {accuracy:.3f}", flush=True)
    size = count_parameters(config.network, len(classes), wishes["image_size"])
    return accuracy, size


def main() -> None:
    """Train all trials that are wished for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wishes", type=Path)
    wishes = json.loads(parser.parse_args().wishes.read_text(encoding="utf-8"))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = load_space(wishes["space"])
    study = optuna.create_study(
        storage="sqlite:///users.db",
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.RandomSampler(),
    )
    for parameters in wishes["trials"]:
        study.enqueue_trial(parameters)

    def objective(trial: optuna.Trial) -> tuple[float, int]:
        config = space.suggest(trial)
        changed = {"epochs": wishes["epochs"], "seed": trial.number}
        return train(config.model_copy(update=changed), wishes)

    start = time.perf_counter()
    study.optimize(objective, n_trials=len(wishes["trials"]))
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
