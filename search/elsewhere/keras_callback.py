"""`FrontPruner` in a training of Keras, with any of its backends.

watched = pruner.watch(trial, size=model.count_params())
model.fit(..., validation_data=..., callbacks=[..., KerasPruningCallback(watched)])
"""

from typing import Any

import keras
import optuna

from search.elsewhere.front_pruner import WatchedTrial
from search.elsewhere.logged import logged_accuracy


class KerasPruningCallback(keras.callbacks.Callback):
    """Reports every epoch of `fit`. A trial that is to be stopped ends after that epoch, and `fit`
    raises `optuna.TrialPruned`, so put this last among the callbacks.

    `monitor`: the logged validation accuracy. `loss`: what is watched for NaN, where it is logged.

    `fit` raises UserError, a ValueError, where `monitor` is not logged.
    """

    def __init__(
        self, trial: WatchedTrial, monitor: str = "val_accuracy", loss: str = "val_loss"
    ) -> None:
        super().__init__()
        self._watched, self._monitor, self._loss = trial, monitor, loss

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """See `keras.callbacks.Callback`. Keras counts epochs from 0."""
        logs = logs or {}
        accuracy = logged_accuracy(logs, self._monitor)
        self._watched.report(accuracy, epoch, loss=logs.get(self._loss))
        if self._watched.should_prune():
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """See `keras.callbacks.Callback`."""
        if self._watched.should_prune():
            raise optuna.TrialPruned(self._watched.reason)
