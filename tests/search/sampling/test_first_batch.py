"""Which networks are refused before their first epoch."""

import math

import pytest
import torch

from paretrain.config import DataConfig, Norm, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.training import Training
from search.problem.target import Target
from search.sampling.candidates import ALIKE
from search.sampling.first_batch import LEFT_ALONE, MOST_REFUSED, FirstBatch
from search.sampling.proposer import Proposer
from search.sampling.start_spread import IMAGES, log_spread, measure_on
from tests.search.sampling.test_proposer import constraints, one_width


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load_data(DataConfig())


def deep(norm: Norm) -> TrainConfig:
    stage = VGGStage(width=4, kernels=("3x3",) * 3)
    network = VGGConfig(stages=(stage,) * 3, norm=norm)
    return TrainConfig(network=network, optimizer=SGDConfig(lr=0.1), init="normal0.01")


def test_small_weights_shrink_what_tells_images_apart_and_batch_norm_restores_it(
    digits: ImageData,
) -> None:
    measure = measure_on(digits)
    shrunk, restored = measure(deep("none")), measure(deep("batch"))
    assert shrunk is not None and restored is not None
    assert shrunk < -6 and restored > -3


def test_the_spread_is_that_of_the_outputs_of_a_training_step(digits: ImageData) -> None:
    config = deep("batch").model_copy(update={"seed": 0})
    images = digits.train.images_NCHW[:IMAGES]
    training = Training(config, digits, torch.device("cpu"))
    training.network.train()
    outputs = training.network(training._normalised(images))
    expected = math.log10(float(outputs.detach().std(0).mean()))
    assert log_spread(config, digits, images) == pytest.approx(expected, abs=1e-4)


def test_measuring_leaves_random_numbers_as_they_were(digits: ImageData) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    measure_on(digits)(deep("none"))
    assert torch.equal(torch.rand(3), expected)


def test_nothing_is_measured_of_what_is_too_large(
    digits: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.sampling.start_spread.MOST_MACS", 1000)
    assert measure_on(digits)(deep("none")) is None


def test_what_cannot_be_computed_is_left_to_its_training(
    digits: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "search.sampling.start_spread.build_network", lambda *_: torch.nn.Linear(1, 1)
    )
    assert measure_on(digits)(deep("none")) is None


def by_lr(config: TrainConfig) -> float | None:
    """A stand-in for the spread: networks of these tests differ in their learning rate alone."""
    return math.log10(config.optimizer.lr)


def with_lr(lr: float) -> TrainConfig:
    return deep("none").model_copy(update={"optimizer": SGDConfig(lr=lr)})


def told(*trials: tuple[float, bool | None]) -> FirstBatch[TrainConfig]:
    first_batch: FirstBatch[TrainConfig] = FirstBatch(by_lr)
    for number, (lr, began) in enumerate(trials):
        first_batch.note(number, with_lr(lr))
        first_batch.learn(number, began)
    return first_batch


DEAD = ((1e-5, False), (2e-5, False), (3e-5, False))
ALIVE = ((1e-2, True), (1e-1, True))


def test_refused_is_what_tells_images_apart_less_than_any_network_that_began() -> None:
    first_batch = told(*DEAD, *ALIVE)
    assert first_batch.refuses(with_lr(1e-3), 1)
    assert not first_batch.refuses(with_lr(1e-2), 1)


@pytest.mark.parametrize(
    "trials",
    [
        (*DEAD, ALIVE[0]),
        (*DEAD[:2], *ALIVE),
        (*DEAD[:2], (1e-5, None), *ALIVE),
        (*DEAD, *ALIVE, (1e-6, True)),
    ],
    ids=["one began", "two did not", "one failed", "a late starter"],
)
def test_nothing_is_refused_where_too_little_is_known_or_such_networks_learn(
    trials: tuple[tuple[float, bool | None], ...],
) -> None:
    assert not told(*trials).refuses(with_lr(1e-5), 1)


def test_one_proposal_in_ten_is_left_alone() -> None:
    first_batch = told(*DEAD, *ALIVE)
    refused = [first_batch.refuses(with_lr(1e-5), proposals) for proposals in range(20)]
    assert [i for i, no in enumerate(refused) if not no] == [0, LEFT_ALONE]


def test_the_front_sampler_refuses_them_but_never_runs_out_of_proposals() -> None:
    """Here all candidates are alike, so that in the end each is proposed nevertheless."""
    first_batch: FirstBatch[TrainConfig] = FirstBatch(
        lambda config: 0.0 if config.optimizer.lr == 1.0 else -9.0
    )
    for number, (lr, began) in enumerate([(0.1, False)] * 3 + [(1.0, True)] * 2):
        first_batch.note(-1 - number, with_lr(lr))
        first_batch.learn(-1 - number, began)
    proposer = Proposer(
        one_width, constraints(None), "front", 0, Target(0.1), first_batch=first_batch
    )
    sizes = {proposer.propose().size for _ in range(3)}
    assert len(sizes) == 3
    assert proposer.refused[ALIKE] == 2 * MOST_REFUSED  # the very first one is left alone


def test_optunas_samplers_are_left_as_they_are() -> None:
    proposer = Proposer(
        one_width, constraints(None), "tpe", 0, Target(0.1), first_batch=told(*DEAD, *ALIVE)
    )
    assert proposer._first_batch is None
