"""The benchmark of a real search: its networks, and weights that are kept for the test part."""

import itertools
import json
import random
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.real.by_hand_part import ROOM, by_hand
from benchmarks.real.seeds_page import works_of, write_seeds_page
from benchmarks.real.tpe_part import run_tpe, spent, trained
from benchmarks.real.training import Trained, accuracy_on_test, read, train
from paretrain.cli import UserError
from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.network_config import ResNet9Config
from paretrain.networks.build import build_network, count_parameters
from paretrain.training import Training
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from tests.benchmarks.test_live import TINY

pytestmark = pytest.mark.slow


def test_networks_by_hand_are_below_the_limit_and_resnet20_is_he_et_al_s() -> None:
    configs = by_hand()
    sizes = {name: count_parameters(each.network, 10, 32) for name, each in configs.items()}
    assert max(sizes.values()) <= 300_000
    # Table 6 of He et al. 2015 says 0.27 million; without a shortcut's parameters these are:
    body = 16 * 16 * 9 * 6 + (16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64) * 9
    norms = 2 * (7 * 16 + 6 * 32 + 6 * 64)
    assert sizes["ResNet20"] == 3 * 16 * 9 + body + norms + 64 * 10 + 10
    network = build_network(configs["ResNet20"].network, 10, 32)
    assert sum(isinstance(each, nn.Conv2d) for each in network.modules()) == 19
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    forms = [configs[name].model_dump(exclude={"network"}) for name in ("ResNet9/11", "ResNet9/16")]
    assert forms[0] == forms[1]


def test_the_narrow_space_is_the_built_in_one_with_narrower_widths() -> None:
    narrow, full = load_space(str(ROOM / "narrow_resnet9.py")), load_space("resnet9")
    assert narrow.hints == full.hints
    for seed in range(20):
        trial = RandomTrial(random.Random(seed))
        config = narrow.suggest(trial)
        assert isinstance(config.network, ResNet9Config)
        assert max(config.network.widths) <= 170 and min(config.network.widths) >= 2
        within = {name: value for name, value in trial.params.items() if "width" not in name}
        same = full.suggest(RandomTrial(random.Random(0), trial.params | within))
        settings = {"network", "data"}
        assert config.model_dump(exclude=settings) == same.model_dump(exclude=settings)


def test_kept_weights_answer_as_the_training_did(tmp_path: Path) -> None:
    config = TrainConfig(
        data=DataConfig(source="digits", image_size=16, per_class=10),
        network=VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),), norm="batch"),
        optimizer=SGDConfig(lr=0.05),
        epochs=2,
    )
    data = load_data(config.data)
    kept = train("one", config, data, tmp_path)
    assert train("one", config, data, tmp_path) == read(tmp_path / "one.json") == kept
    training = Training(config, data, torch.device("cpu"))
    assert kept.curve == [epoch.val_acc for epoch in training.epochs()]
    # The validation part stands in for a test part here: its accuracy is known.
    assert accuracy_on_test(kept, tmp_path, data, data.val) == kept.val_acc
    (tmp_path / "one.safetensors").unlink()
    assert accuracy_on_test(kept, tmp_path, data, data.val) == kept.val_acc  # asked once


def test_tpe_goes_on_until_its_time_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = TINY.plan(0, tmp_path, hints=False)
    data = load_data(plan.data)
    ticks = itertools.count()  # one second between any two looks at the clock
    monkeypatch.setattr("benchmarks.real.tpe_part.seconds", lambda: float(next(ticks)))
    run_tpe(plan, data, tmp_path, 2.0)
    first = trained(tmp_path)
    assert [network.name for network in first] == ["tpe-0"] and spent(tmp_path) == 2.0
    run_tpe(plan, data, tmp_path, 2.0)
    assert trained(tmp_path) == first
    run_tpe(plan, data, tmp_path, 7.0)
    more = trained(tmp_path)
    assert [network.name for network in more] == ["tpe-0", "tpe-1", "tpe-2"]
    assert more[0] == first[0] and more[1].config != first[0].config and spent(tmp_path) == 6.0


def test_seeds_are_compared_by_the_hypervolume_of_all_together(tmp_path: Path) -> None:
    for folder, accuracy in ((tmp_path, 0.3), (tmp_path / "seed-1", 0.2)):
        (folder / "tpe").mkdir(parents=True)
        record = Trained("tpe-0", "a network", 1000, [0.1, accuracy], 1.0, {})
        (folder / "tpe" / "tpe-0.json").write_text(json.dumps(asdict(record)))
    write_seeds_page(works_of(tmp_path), tmp_path / "page.md")
    lines = (tmp_path / "page.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if "TPE |" in line]
    assert [row[:2] + row[-1:] for row in rows] == [["0", "TPE", "100.0%"], ["1", "TPE", "50.0%"]]


def test_seeds_are_compared_only_where_there_are_several(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has one seed only: repeat the searches with --seed 1"):
        works_of(tmp_path)
