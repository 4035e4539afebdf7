"""What denormal numbers cost on a CPU: the same training with and without flushing them to zero.

python -m benchmarks.denormals
"""

import time

import torch

from paretrain.config import AdamConfig, DataConfig, Kernel, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.training import Training

EPOCHS = 3


def main() -> None:
    """Prints seconds per epoch of a network that does not learn, flushed and not, in turn."""
    torch.set_num_threads(1)
    data = load_data(DataConfig())
    separable: Kernel = "separable"
    stages = tuple(VGGStage(width=19, kernels=(separable,) * n) for n in (1, 2, 1, 3))
    config = TrainConfig(
        network=VGGConfig(stages=stages, pool="global"),
        init="normal0.01",
        optimizer=AdamConfig(kind="adamw", lr=5e-4),
        batch_size=128,
        epochs=EPOCHS,
    )
    print("epoch  flushed s  not flushed s  ratio")
    columns = []
    for flush in (True, False):
        torch.set_flush_denormal(flush)
        training = Training(config, data, torch.device("cpu"))
        times = []
        for epoch in range(1, EPOCHS + 1):
            start = time.perf_counter()
            for _ in training.steps(epoch):
                pass
            times.append(time.perf_counter() - start)
        columns.append(times)
    for epoch, (flushed, plain) in enumerate(zip(*columns, strict=True), start=1):
        print(f"{epoch:5}  {flushed:9.2f}  {plain:13.2f}  {plain / flushed:5.1f}")


if __name__ == "__main__":
    main()
