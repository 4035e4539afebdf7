"""Ray Tune: trials side by side, stopped by a scheduler of two objectives.

python -m examples.ray_tune_digits

Needs `pip install 'ray[tune]'`.
"""

import tempfile
from typing import Any

from ray import tune
from sklearn.neural_network import MLPClassifier

from examples.digits import digits
from search import FrontScheduler

EPOCHS = 20


def train(config: dict[str, Any]) -> None:
    """A training that reports every epoch."""
    data, width = digits(), int(config["width"])
    network = MLPClassifier((width,), learning_rate_init=config["learning_rate"], random_state=0)
    for _ in range(EPOCHS):
        network.partial_fit(data.train_x, data.train_y, classes=range(10))
        accuracy = float(network.score(data.val_x, data.val_y))
        tune.report({"accuracy": accuracy, "params": 64 * width + width + 10 * width + 10})


def run(samples: int = 16) -> tuple[tune.ResultGrid, FrontScheduler]:
    """The last result of every trial, and the scheduler with its decisions."""
    scheduler = FrontScheduler(metric="accuracy", size="params", epochs=EPOCHS, chance=0.1)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            train,
            param_space={
                "width": tune.lograndint(2, 128),
                "learning_rate": tune.loguniform(1e-4, 1e-1),
            },
            tune_config=tune.TuneConfig(
                num_samples=samples, scheduler=scheduler, reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        return tuner.fit(), scheduler


if __name__ == "__main__":
    GRID, SCHEDULER = run()
    SPENT = sum(result.metrics["training_iteration"] for result in GRID)
    print(SCHEDULER.debug_string(), f"{SPENT} of {len(GRID) * EPOCHS} epochs were trained.")
    BEST = -1.0
    for result in sorted(GRID, key=lambda r: (r.metrics["params"], -r.metrics["accuracy"])):
        if result.metrics["accuracy"] > BEST:
            BEST = result.metrics["accuracy"]
            print(f"{result.metrics['params']:8,} parameters  {BEST:.1%}")
