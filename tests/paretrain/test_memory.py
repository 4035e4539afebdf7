"""Micro-batches give the gradients of the batch; lack of memory is recognised and estimated."""

from collections.abc import Callable

import pytest
import torch

from paretrain.config import AdamConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.memory import estimate_memory, is_out_of_memory
from paretrain.networks.build import build_network, count_activations
from paretrain.training import Training

MakeConfig = Callable[..., TrainConfig]
PLAIN = VGGConfig(stages=(VGGStage(width=8, kernels=("3x3", "1x1")),), hidden=(16,), dropout=(0.0,))


@pytest.mark.parametrize("micro", [1, 5, 16])
def test_micro_batches_without_batchnorm_are_the_same_training(
    tiny_config: MakeConfig, micro: int
) -> None:
    data = load_data(tiny_config().data)

    def weights(micro_batch: int | None) -> list[torch.Tensor]:
        config = tiny_config(network=PLAIN, batch_size=16, micro_batch=micro_batch)
        training = Training(config, data, torch.device("cpu"))
        losses = [result.train_loss for result in training.epochs()]
        assert losses[-1] < losses[0]
        return list(training.network.parameters())

    for a, b in zip(weights(None), weights(micro), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_failed_allocation_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(failed.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(other.value)


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ("CUDA error: out of memory", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", True),
        ("MPS backend out of memory (MPS allocated: 17.9 GB)", True),
        ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if ...", False),
        ("CUDA error: an illegal memory access was encountered", False),
        ("CUDA error: device-side assert triggered", False),
    ],
)
def test_what_libraries_say_when_memory_is_short_is_known(said: str, short: bool) -> None:
    assert is_out_of_memory(RuntimeError(said)) is short


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("kernels", [("3x3", "3x3"), ("separable", "1x1")])
def test_activations_are_counted_as_the_network_makes_them(norm: str, kernels: tuple[str]) -> None:
    config = VGGConfig.model_validate(
        {
            "stages": ({"width": 6, "kernels": kernels}, {"width": 9, "kernels": kernels}),
            "norm": norm,
            "hidden": (11,),
            "dropout": (0.0,),
        }
    )
    network = build_network(config, 10, 32)
    seen = [3 * 32 * 32]
    for module in network.modules():
        if not list(module.children()) and not isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(
                lambda m, _, out: seen.append(0 if isinstance(m, torch.nn.Dropout) else out.numel())
            )
    network(torch.zeros(1, 3, 32, 32))
    # The Identity in the place of the pooling is counted, that of a dropout of rate 0 is not.
    assert count_activations(config, 10, 32) == sum(seen) - 11


def test_more_images_and_more_moments_need_more_memory(tiny_config: MakeConfig) -> None:
    small = estimate_memory(tiny_config(batch_size=16), 10)
    assert estimate_memory(tiny_config(batch_size=64), 10) > small
    assert estimate_memory(tiny_config(batch_size=64, micro_batch=16), 10) == small
    adam = tiny_config(batch_size=16, optimizer=AdamConfig(kind="adam", lr=0.1))
    sgd = tiny_config(batch_size=16, optimizer=SGDConfig(lr=0.1))
    assert estimate_memory(adam, 10) > estimate_memory(sgd, 10)
