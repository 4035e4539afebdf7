"""Makes weights to start from where published ones cannot be downloaded.

torchvision's networks are trained by this program on one half of the classes, for `finetune` and
`data_scale` on the other half.

    python -m benchmarks.pretrain --data cifar10 --out halves --networks resnet18 resnet50
    python -m search.run --space data_scale --data halves/second --weights-dir halves/weights

`--data` is a folder with one sub-folder a class, or with such folders in train/, val/ and test/.
`halves/first` and `halves/second` link to its class folders in turn, in alphabetical order.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

import torch

from paretrain.atomic import whole_or_not
from paretrain.cli import UserError
from paretrain.config import (
    AugmentConfig,
    CosineSchedule,
    DataConfig,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
)
from paretrain.data.load import load_data
from paretrain.device import native_precision, pick_device
from paretrain.network_config import ZooConfig, ZooName
from paretrain.training import Training

PARTS = ("", "train", "val", "valid", "validation", "test")


def halves(data: Path, out: Path) -> tuple[Path, Path]:
    """Make two folders with every other class of each part.

    Raises UserError where there are fewer than four classes.
    """
    names: set[str] = set()
    for part in PARTS:
        folder = data / part
        if folder.is_dir():
            names |= {f.name for f in folder.iterdir() if f.is_dir() and f.name not in PARTS}
    if len(names) < 4:
        raise UserError(f"{data} has {len(names)} class folders: two halves need 4 or more")
    folders = (out / "first", out / "second")
    for number, name in enumerate(sorted(names)):
        for part in PARTS:
            source = data / part / name
            if source.is_dir():
                target = folders[number % 2] / part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.is_symlink():
                    target.symlink_to(source.resolve(), target_is_directory=True)
    return folders


def pretrain(name: ZooName, data: DataConfig, options: argparse.Namespace) -> float:
    """Train a network and write its state dict; return its validation accuracy."""
    device = pick_device(options.device)
    config = TrainConfig(
        data=data,
        network=ZooConfig(name=name),
        normalise="imagenet",
        augment=AugmentConfig(crop_padding=0.125, flip=True),
        optimizer=SGDConfig(lr=options.lr),
        schedule=CosineSchedule(),
        regularisation=RegularisationConfig(weight_decay=5e-4),
        batch_size=options.batch,
        epochs=options.epochs,
        precision=native_precision(device),
        seed=options.seed,
    )
    training = Training(config, load_data(data), device)
    if name == "googlenet":  # its published weights expect such an input
        training.network.transform_input = True
    for result in training.epochs():
        print(f"{name} epoch {result.epoch}: {result.val_acc:.2%} ({result.seconds:.0f} s)")
    target = options.out / "weights" / f"{name}.pth"
    target.parent.mkdir(parents=True, exist_ok=True)
    state = {key: t.detach().cpu().contiguous() for key, t in training.network.state_dict().items()}
    with whole_or_not(target) as partial:
        torch.save(state, partial)
    return training.kept.val_acc


def main() -> None:
    """Run the command. It leaves networks alone whose weights are there, so that it can go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=get_args(ZooName), default=["resnet18"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--per-class", type=int)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    try:
        first, second = halves(options.data.resolve(), options.out)
    except UserError as error:
        sys.exit(f"error: {error}")
    data = DataConfig(
        source=str(first.resolve()),
        image_size=options.image_size,
        fraction=options.fraction,
        per_class=options.per_class,
    )
    for name in options.networks:
        if not (options.out / "weights" / f"{name}.pth").exists():
            print(f"{name}: {pretrain(name, data, options):.2%} on {first}", flush=True)
    print(f"next: --data {second} --weights-dir {options.out / 'weights'}")


if __name__ == "__main__":
    main()
