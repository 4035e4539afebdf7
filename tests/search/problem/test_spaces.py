"""One contract for every space: what `docs/spaces.md` promises."""

import random
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import torch

from paretrain.cli import UserError
from paretrain.config import StartConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.data.noise import noise
from paretrain.describe import describe
from paretrain.networks.build import build_network, count_parameters
from paretrain.training import Training
from search.problem.baselines import load_baselines
from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.problem.space import Space, built_in_spaces, load_space

SLOW = {"compact"}
"""Spaces whose networks are measured one by one."""
SPACES = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in built_in_spaces()
]
SIZE = 224
"""Every network of every space can take such images."""
COUNTS = [
    (
        "vgg_reduce",
        10,
        {
            "VGG19": 139_611_210,
            "VGG11": 128_807_306,
            "VGG11, Adam": 128_807_306,
            "VGG11 BatchNorm": 128_812_810,
        },
    ),
    (
        "from_scratch",
        100,
        {
            "VGG19 BatchNorm": 139_990_948,
            "VGG19, plain": 139_979_940,
            "VGG19, LRN": 139_979_940,
            "ResNet50": 23_712_932,
        },
    ),
    (
        "finetune",
        219,
        {
            "AlexNet": 57_901_083,
            "AlexNet cut": 46_324_891,
            "AlexNet + 512 + 1024": 177_042_971,
            "AlexNet + 512 + 256": 60_261_147,
            "ResNet34": 21_397_019,
            "ResNet50": 23_956_763,
            "ResNet101": 42_948_891,
            "ResNeXt50": 23_428_635,
            "VGG11": 129_663_579,
            "GoogLeNet": 5_824_379,
        },
    ),
    (
        "data_scale",
        10,
        {
            "ResNet18, 1/16, batch 32 lr 1e-3": 11_181_642,
            "ResNet50, all, batch 32 lr 1e-4": 23_528_522,
        },
    ),
    ("resnet9", 100, {"ResNet9 halved": 7_598_820, "ResNet9": 30_274_916}),
]


def drawn(space: Space, seed: int) -> TrainConfig:
    return space.suggest(RandomTrial(random.Random(seed)))


def buildable(config: TrainConfig, size: int) -> bool:
    try:
        return count_parameters(config.network, 4, size) > 0
    except ValueError:
        return False


@pytest.mark.parametrize("name", SPACES)
def test_random_draws_build_and_survive_the_file(name: str) -> None:
    space = load_space(name)
    assert space.summary
    for seed in range(30):
        config = drawn(space, seed)
        assert TrainConfig.from_yaml(config.to_yaml()) == config
        assert TrainConfig.from_dict(config.to_dict()) == config
        assert describe(config)
        assert count_parameters(config.network, 10, SIZE) > 0


@pytest.mark.parametrize("name", SPACES)
def test_a_draw_trains_a_step(name: str) -> None:
    space = load_space(name)
    small = min(
        (config for seed in range(20) if buildable(config := drawn(space, seed), 32)),
        key=lambda config: count_parameters(config.network, 4, 32),
    ).model_copy(update={"start": StartConfig()})  # weights have tests of their own
    training = Training(small, noise(4, 32), torch.device("cpu"))
    step = next(training.steps(1))
    assert torch.isfinite(step.loss) and step.logits.shape == (len(step.labels), 4)


@pytest.mark.parametrize("name", SPACES)
def test_suggest_is_repeated_by_optuna_from_its_parameters(name: str) -> None:
    """Draws without Optuna and asks of Optuna speak of the same space."""
    space = load_space(name)
    for seed in range(5):
        trial = RandomTrial(random.Random(seed))
        config = space.suggest(trial)
        assert space.suggest(optuna.trial.FixedTrial(trial.params)) == config


@pytest.mark.parametrize("name", SPACES)
def test_all_baselines_lie_in_their_space(name: str) -> None:
    space = load_space(name)
    found = load_baselines(space, Constraints.of_images(10, SIZE), "all")
    assert [base.name for base in found] == [*space.baselines, *space.baseline_settings]
    assert set(space.claims) <= {base.name for base in found}
    assert {name for row in space.table.values() for name in row.values()} <= set(space.claims)
    assert all(base.num_params for base in found)


@pytest.mark.slow
def test_the_first_baseline_that_a_newcomer_sees_trained_learns() -> None:
    constraints = Constraints.of_images(10, 32)
    found = load_baselines(load_space("vgg_reduce"), constraints, "nets")
    first = next(base for base in found if (base.num_params or 0) <= 120_000)
    assert first.name == "VGG11 BatchNorm/16"
    config = first.config.model_copy(update={"epochs": 3, "seed": 1})
    *_, last = Training(config, load_data(config.data), torch.device("cpu")).epochs()
    assert last.val_acc > 0.5


@pytest.mark.parametrize("name", SPACES)
def test_every_hint_is_a_value_that_its_space_can_take(name: str) -> None:
    space = load_space(name)
    for key, hint in space.hints.items():
        for seed in range(50):  # not every draw asks for it
            trial = RandomTrial(random.Random(seed), {key: hint})
            space.suggest(trial)
            if key in trial.params:
                break
        assert trial.params[key] == hint


@pytest.mark.parametrize(("name", "classes", "counts"), COUNTS, ids=[row[0] for row in COUNTS])
def test_the_reports_networks_have_its_parameter_counts(
    name: str, classes: int, counts: dict[str, int]
) -> None:
    constraints = Constraints.of_images(classes, SIZE)
    sizes = {
        base.name: base.num_params for base in load_baselines(load_space(name), constraints, "all")
    }
    assert {key: sizes[key] for key in counts} == counts


@pytest.mark.parametrize(
    ("name", "row", "column", "claim"),
    [
        ("data_scale", "ResNet18, 1/16", "batch 32 lr 1e-3", "62 %"),
        ("data_scale", "ResNet50, all", "batch 32 lr 1e-4", "86.2 %"),
        ("data_scale", "ResNet50, 1/16", "batch 256 lr 1e-3", "67.1 %"),
    ],
)
def test_the_reports_table_has_its_accuracies(name: str, row: str, column: str, claim: str) -> None:
    space = load_space(name)
    assert space.claims[space.table[row][column]] == claim


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DEFAULTS = {'epoch': 3}\n", r"DEFAULTS\['epoch'\].*did you mean 'epochs'"),
        ("DEFAULTS = {'epochs': 'many'}\n", r"DEFAULTS\['epochs'\].*whole number"),
        ("CLAIMS = {'mine': '55 %'}\n", r"CLAIMS\['mine'\].*no baseline"),
        ("BASELINES = {'mine': {}}\nCLAIMS = {'mine': 0.55}\n", r"CLAIMS\['mine'\].*text"),
        ("CLAIMS_ON = ['CIFAR10']\n", r"CLAIMS_ON .* is \['CIFAR10'\]: must be text"),
    ],
)
def test_wrong_claims_and_defaults_are_named(tmp_path: Path, text: str, message: str) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(text + "def suggest(trial):\n    pass\n")
    with pytest.raises(UserError, match=message):
        load_space(str(mine))


def test_every_row_of_the_reports_table_is_a_baseline() -> None:
    settings = load_space("vgg_reduce").baseline_settings
    for name in (
        *("momentum 0.1", "momentum 0.5", "lr 0.1", "lr 0.05", "lr 0.001", "Adam"),
        *("no dropout", "dropout after FC1", "BatchNorm", "batch 8", "batch 32", "batch 64"),
    ):
        for form in ("", "/4", "/8", "/16"):
            assert f"VGG11{form}, {name}" in settings


def test_unknown_space_names_the_nearest_one() -> None:
    with pytest.raises(UserError, match=r"'vgg_redcue' \(did you mean 'vgg_reduce'\?\)"):
        load_space("vgg_redcue")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def suggest(trial)\n    pass\n", r"mine.py:1 does not import: SyntaxError"),
        ("import os\nimport nothing_like_it\n", r"mine.py:2 does not import: ModuleNotFound"),
        ("x = 1\n", r"no function suggest\(trial\)"),
    ],
)
def test_a_wrong_space_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(text)
    with pytest.raises(UserError, match=message):
        load_space(str(mine))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {'lr': 0.1}", "returned dict, must return a TrainConfig"),
        ("x = 1\n    return trial.suggest_itn('n', 1, 2)", r"mine.py:3: AttributeError"),
    ],
)
def test_a_wrong_suggest_is_named_with_its_line(tmp_path: Path, body: str, message: str) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(f"def suggest(trial):\n    {body}\n")
    with pytest.raises(UserError, match=message):
        load_space(str(mine)).suggest(SimpleNamespace())


def test_a_baseline_outside_its_space_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage\n"
        "BASELINES = {'wide': {'width': 99}}\n"
        "def suggest(trial):\n"
        "    stage = VGGStage(width=trial.suggest_int('width', 1, 8), kernels=('3x3',))\n"
        "    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))\n"
    )
    constraints = Constraints.of_images(10, 32)
    with pytest.raises(UserError, match=r"baseline 'wide' .* width is out of range"):
        load_baselines(load_space(str(mine)), constraints, "nets")


def test_built_network_and_count_agree_for_random_draws() -> None:
    space = load_space("vgg_reduce")
    for seed in range(40):
        network = drawn(space, seed).network
        with torch.device("meta"):
            built = build_network(network, 7, 32)
        assert count_parameters(network, 7, 32) == sum(p.numel() for p in built.parameters())
