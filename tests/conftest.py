"""Fixtures for every test: one thread, a cache of its own, small image folders, a tiny training."""

import random
import signal
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from tests.databases import make_databases_quickly
from tests.harness import SMALL, Finished, Main, RunMain, exit_code, succeed_in

# A shell's background command ignores Ctrl-C and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

make_databases_quickly()


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One torch thread, random numbers that are the same each time, and an empty image cache for
    this test alone. Gives the cache folder."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    cache = tmp_path / "image-cache"
    monkeypatch.setenv("PARETRAIN_CACHE", str(cache))
    monkeypatch.setenv("PARETRAIN_STATE", str(tmp_path / "user-state"))
    return cache


@pytest.fixture(autouse=True)
def no_lines_about_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine a command says what it is at, which is not what a test asks about."""
    monkeypatch.setattr("paretrain.doing.EVERY_S", 3600.0)


@pytest.fixture(autouse=True)
def secrets_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test keeps secret may be a common word of another one's messages."""
    monkeypatch.setattr("paretrain.cli._SECRETS", set())


@pytest.fixture(autouse=True)
def proxies_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib keeps the proxies that it saw when somebody first opened an address in this process:
    what one test sets to be offline would keep all later ones from servers of their own."""
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture
def run_main(capfd: pytest.CaptureFixture[str]) -> RunMain:
    """Runs a console script in this process."""

    def run(main: Main, *arguments: object) -> Finished:
        capfd.readouterr()
        code = exit_code(main, *arguments)
        return Finished(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with one finished study of the digits, `vgg_reduce-digits`. To be read only."""
    from search.run import main

    folder = tmp_path_factory.mktemp("study")
    succeed_in(folder, main, *SMALL, "--epochs", 3, "--trials", 10, "--workers", 1)
    return str(folder / "studies.db")


@pytest.fixture
def image_folder(tmp_path: Path) -> Callable[..., Path]:
    """A maker of ImageFolder trees. `train`, `val` and `test` are images per class, 0 = no such
    part; `flat` puts the class folders of the training part directly under the root. Every image
    has another colour and other noise."""

    def make(
        name: str = "images",
        *,
        classes: Sequence[str] = ("cat", "dog"),
        train: int = 4,
        val: int = 2,
        test: int = 0,
        val_name: str = "val",
        flat: bool = False,
        size: tuple[int, int] = (20, 16),
        suffix: str = ".png",
        seed: int = 0,
    ) -> Path:
        root = tmp_path / name
        draws = np.random.default_rng(seed)
        width, height = size
        parts = {"": train} if flat else {"train": train, val_name: val, "test": test}
        for part, count in parts.items():
            for class_name in classes if count else ():
                folder = root / part / class_name
                folder.mkdir(parents=True)
                for number in range(count):
                    colour = draws.integers(0, 216, 3)
                    noise = draws.integers(0, 40, (height, width, 3))
                    pixels = (colour + noise).astype(np.uint8)
                    Image.fromarray(pixels).save(folder / f"{number:03}{suffix}")
        return root

    return make


@pytest.fixture
def tiny_config() -> Callable[..., TrainConfig]:
    """A maker of trainings that take a blink: 8 channels, a tenth of the digits, 2 epochs.
    Keyword arguments replace whole fields of `TrainConfig`."""

    def make(**changes: Any) -> TrainConfig:
        fields: dict[str, Any] = {
            "data": DataConfig(source="digits", image_size=8, fraction=0.1),
            "network": VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),), norm="batch"),
            "optimizer": SGDConfig(lr=0.05),
            "epochs": 2,
        }
        return TrainConfig(**(fields | changes))

    return make


@pytest.fixture
def plan() -> Callable[..., Any]:
    """A maker of plans of a small search, complete but for what is given."""
    from search.problem.space import load_space
    from search.session.budget import Limits
    from search.session.plan import Plan
    from search.study.storage_url import StorageUrl

    def make(space: str = "data_scale", **changes: Any) -> Plan:
        return replace(
            Plan(
                space=load_space(space),
                data=DataConfig(image_size=32),
                storage=StorageUrl.of("x.db"),
                study_name="x",
                epochs=2,
                max_params=None,
                workers=1,
                threads=1,
                device=torch.device("cpu"),
                precision="fp32",
                limits=Limits(5, None, None, None),
                seed=0,
                pruner="front",
                sampler="front",
                baselines="nets",
            ),
            **changes,
        )

    return make
