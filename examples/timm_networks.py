"""Small networks of timm, by name and with keyword arguments.

pip install 'paretrain[timm]'
python -m search.run --space examples/timm_networks.py --data CIFAR10
"""

from typing import Any

from paretrain.choices import Trial
from paretrain.config import AdamConfig, CosineSchedule, TrainConfig
from paretrain.network_config import TimmConfig

NAMES = ("lcnet_035", "mobilenetv3_small_050", "convnext_atto", "efficientnet_lite0")


def suggest(trial: Trial) -> TrainConfig:
    """Choose a network of timm; one is made narrower and shallower than any published one."""
    name = trial.suggest_categorical("network", [*NAMES, "own convnext"])
    arguments: dict[str, Any] = {"drop_rate": trial.suggest_float("drop_rate", 0.0, 0.4, step=0.1)}
    if name == "own convnext":
        width = trial.suggest_int("width", 8, 48, log=True)
        name, arguments["dims"] = "convnext_atto", [width, 2 * width, 4 * width, 8 * width]
        arguments["depths"] = [1, 1, trial.suggest_int("depth", 1, 6), 1]
        arguments["patch_size"] = trial.suggest_categorical("patch", [2, 4])
    return TrainConfig(
        network=TimmConfig.of(name, **arguments),
        optimizer=AdamConfig(kind="adamw", lr=trial.suggest_float("lr", 1e-4, 1e-2, log=True)),
        schedule=CosineSchedule(),
    )
