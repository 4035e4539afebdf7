"""`FrontPruner` in a training of Lightning.

watched = pruner.watch(trial, size=sum(p.numel() for p in module.parameters()))
Trainer(..., callbacks=[LightningPruningCallback(watched, monitor="val_acc")]).fit(module, ...)
"""

from typing import Any

import optuna

from paretrain.cli import UserError
from search.elsewhere.front_pruner import WatchedTrial
from search.elsewhere.logged import logged_accuracy

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError:  # the package under its other name
    from pytorch_lightning import Callback


class LightningPruningCallback(Callback):
    """Reports every epoch that was validated. A trial that is to be stopped ends after that epoch,
    and `fit` raises `optuna.TrialPruned` when all is put away.

    `monitor`: the logged validation accuracy. `loss`: what is watched for NaN, where it is logged.

    `fit` raises UserError, a ValueError, where `monitor` is not logged, or in a training of several
    processes, which do not share the trial.
    """

    def __init__(
        self, trial: WatchedTrial, monitor: str = "val_acc", loss: str = "val_loss"
    ) -> None:
        super().__init__()
        self._watched, self._monitor, self._loss = trial, monitor, loss

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """See Lightning's `Callback`."""
        if trainer.world_size > 1:
            raise UserError(
                f"this training has {trainer.world_size} processes, which do not share an Optuna "
                "trial: give the Trainer devices=1, and run several trials side by side instead"
            )

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """See Lightning's `Callback`. Lightning counts epochs from 0."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        logs = trainer.callback_metrics
        accuracy = logged_accuracy(logs, self._monitor)
        self._watched.report(accuracy, trainer.current_epoch, loss=logs.get(self._loss))
        if self._watched.should_prune():
            trainer.should_stop = True

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """See Lightning's `Callback`."""
        if self._watched.should_prune():
            raise optuna.TrialPruned(self._watched.reason)
