"""What an epoch costs on a device: ratios between networks, and a fit to what was measured."""

import random
import statistics

import pytest

from paretrain.config import DataConfig, SGDConfig, TrainConfig
from paretrain.network_config import NetworkConfig, ResNet9Config, VGGConfig, VGGStage
from paretrain.networks.build import count_activations, count_macs
from paretrain.networks.epoch_cost import CPU, FURTHEST, GPU, Speed, fitted, relative_epoch_cost

IMAGES, CLASSES = 50_000, 10
BIG = ResNet9Config(widths=(64, 128, 256, 512, 1024))
SMALL = ResNet9Config(widths=(8, 8, 16, 16, 16))


def training(network: NetworkConfig, batch: int, side: int = 32) -> TrainConfig:
    return TrainConfig(
        data=DataConfig(image_size=side),
        network=network,
        optimizer=SGDConfig(lr=0.1),
        batch_size=batch,
    )


def cost(network: NetworkConfig, batch: int, speed: Speed) -> float:
    return relative_epoch_cost(training(network, batch), CLASSES, IMAGES, speed)


def networks(count: int) -> list[TrainConfig]:
    rng = random.Random(0)
    return [
        training(
            VGGConfig(
                stages=tuple(
                    VGGStage(width=rng.choice([4, 16, 64, 128]), kernels=("3x3",))
                    for _ in range(rng.randint(1, 4))
                ),
                hidden=(),
            ),
            rng.choice([8, 32, 128, 512]),
        )
        for _ in range(count)
    ]


def test_on_a_gpu_small_batches_cost_by_their_number_and_on_a_cpu_hardly_anything() -> None:
    """One that waits for nothing but its calls takes 64 times as long with 8 as with 512 images."""
    assert 30 < cost(SMALL, 8, GPU) / cost(SMALL, 512, GPU) <= 64
    assert cost(BIG, 8, CPU) / cost(BIG, 512, CPU) < 1.3


def test_on_a_gpu_large_networks_still_cost_more() -> None:
    assert cost(BIG, 512, GPU) > 5 * cost(SMALL, 512, GPU)
    assert cost(BIG, 8, GPU) < 2 * cost(SMALL, 8, GPU), "both wait for their calls"
    assert cost(BIG, 8, CPU) > 20 * cost(SMALL, 8, CPU)


def test_the_cost_is_the_sum_of_its_terms() -> None:
    config = training(SMALL, 500)
    macs = count_macs(SMALL, CLASSES, 32)
    layers = 5 + 2 * sum(SMALL.residual) + 1  # convolutions and the FC layer; two steps of 500
    assert relative_epoch_cost(config, CLASSES, 1000, Speed(1.0, 0.0)) == 2 * layers
    assert relative_epoch_cost(config, CLASSES, 1000, Speed(0.0, 1.0)) == 3000 * macs
    kept = count_activations(SMALL, CLASSES, 32)
    assert relative_epoch_cost(config, CLASSES, 1000, Speed(0.0, 0.0, 1.0)) == 1000 * kept


@pytest.mark.parametrize("truth", [Speed(1e-3, 3e-13, 1e-11), Speed(5e-5, 5e-14, 1e-10)])
def test_measured_networks_teach_what_others_cost(truth: Speed) -> None:
    """With noise of 10 % the error on new networks is about that; the first guess is far off."""
    rng, known, new = random.Random(1), networks(8), networks(40)[8:]

    def seconds(config: TrainConfig) -> float:
        return relative_epoch_cost(config, CLASSES, IMAGES, truth) * rng.uniform(0.9, 1.1)

    speed = fitted([(config, seconds(config)) for config in known], CLASSES, IMAGES, GPU)

    def error(model: Speed) -> float:
        """Spread of predicted over true costs; ratios alone matter."""
        ratios = [
            relative_epoch_cost(c, CLASSES, IMAGES, model)
            / relative_epoch_cost(c, CLASSES, IMAGES, truth)
            for c in new
        ]
        middle = statistics.median(ratios)
        return statistics.fmean(abs(ratio / middle - 1) for ratio in ratios)

    assert error(speed) < 0.15 and error(speed) < error(GPU) / 2


def test_few_or_odd_measurements_leave_the_guess_and_its_bounds() -> None:
    config = training(SMALL, 32)
    assert fitted([], CLASSES, IMAGES, GPU) == GPU
    assert fitted([(config, 0.0), (config, float("inf"))], CLASSES, IMAGES, GPU) == GPU
    slow = 7 * relative_epoch_cost(config, CLASSES, IMAGES, GPU)
    one = fitted([(config, slow)], CLASSES, IMAGES, GPU)
    assert one.layer_s == pytest.approx(7 * GPU.layer_s, rel=0.01)
    assert one.mac_s == pytest.approx(7 * GPU.mac_s, rel=0.01)
    odd = [(training(SMALL, 8), 1e-3), (training(BIG, 512), 1e3)]
    speed = fitted(odd, CLASSES, IMAGES, GPU)
    guess = [GPU.layer_s, GPU.mac_s, GPU.number_s]
    factors = [
        a / b for a, b in zip([speed.layer_s, speed.mac_s, speed.number_s], guess, strict=True)
    ]
    assert max(factors) / min(factors) <= FURTHEST**2 * 1.001 and min(factors) > 0
