"""What is to be small: its units, and a latency before it is measured."""

import pytest

from paretrain.config import SGDConfig, TrainConfig
from paretrain.network_config import ResNetConfig
from search.problem.latency_model import LatencyModel
from search.problem.objective import Objective, in_database, shown, with_unit


def resnet(width: int) -> TrainConfig:
    return TrainConfig(network=ResNetConfig(depth=18, width=width), optimizer=SGDConfig(lr=0.1))


def test_latency_is_predicted_from_what_was_measured() -> None:
    model = fresh = LatencyModel(num_classes=10)
    raw = model.predict(resnet(16))
    assert raw > model.predict(resnet(8)) > 0
    for factor in (0.5, 4.0, 0.25):
        model = model.with_measured(resnet(16), round(factor * raw))
    assert model.predict(resnet(16)) == pytest.approx(0.5 * raw, rel=0.01)
    assert fresh.predict(resnet(16)) == raw


@pytest.mark.parametrize(
    ("objective", "size", "stored", "text", "words"),
    [
        ("params", 12_345, 12_345.0, "12,345", "12.3k parameters"),
        ("flops", 1_230_000, 1_230_000.0, "1.23M", "1.23M FLOPs"),
        ("latency", 1_234, 1.234, "1.23 ms", "1.23 ms"),
        ("size_mb", 28_987_000, 28.987, "29 MB", "29 MB"),
    ],
)
def test_sizes_have_their_usual_unit(
    objective: Objective, size: int, stored: float, text: str, words: str
) -> None:
    assert in_database(objective, size) == stored
    assert shown(objective, size) == text
    assert with_unit(objective, size) == words
