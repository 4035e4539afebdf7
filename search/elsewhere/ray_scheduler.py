"""The stopping rule as a scheduler of Ray Tune.

tune.report({"accuracy": accuracy, "params": size})  # in the trainable, after every epoch
tune.TuneConfig(scheduler=FrontScheduler(metric="accuracy", size="params", epochs=20, chance=0.1))
"""

from typing import Any

from ray.tune.schedulers import FIFOScheduler

from search.elsewhere.live_judge import LiveJudge
from search.elsewhere.logged import logged_accuracy
from search.elsewhere.settings import Keep, Settings


class FrontScheduler(FIFOScheduler):
    """Starts trials in the order in which they come and stops those that are not worth their
    epochs. A trial that has reached `epochs` has finished.

    Every result must have the accuracy, 0 to 1, under the name `metric`, and the size, the same in
    all results of a trial, under the name `size`. A result is an epoch (`training_iteration`).
    Where a result has the name `loss`, NaN or infinity there means that the training diverged. The
    other settings are those of `FrontPruner`.

    Raises UserError, a ValueError, for settings that cannot be meant, and while it runs for results
    without those names or that are no accuracy or no size.
    """

    def __init__(
        self,
        *,
        metric: str,
        size: str,
        epochs: int,
        chance: float,
        loss: str = "loss",
        largest: float | None = None,
        min_acc: float | None = None,
        limited: bool = False,
        keep: Keep = "last",
        unit: float = 1,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        self._metric, self._size, self._loss = metric, size, loss
        self.judge = LiveJudge(
            Settings(
                epochs=epochs,
                chance=chance,
                largest=largest,
                min_acc=min_acc,
                limited=limited,
                keep=keep,
                unit=unit,
                seed=seed,
            )
        )
        """Has the decisions, by the trials' `trial_id`."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """See Ray Tune's `TrialScheduler`."""
        epoch = result["training_iteration"]
        decision = self.judge.report(
            trial.trial_id,
            logged_accuracy(result, self._size),
            logged_accuracy(result, self._metric),
            epoch,
            loss=result.get(self._loss),
        )
        if decision.stop:
            self.judge.end(trial.trial_id, "stopped")
        elif epoch == self.judge.settings.epochs:
            self.judge.end(trial.trial_id, "finished")
        else:
            return str(self.CONTINUE)
        return str(self.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """See Ray Tune's `TrialScheduler`."""
        self.judge.end(trial.trial_id, "finished")

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """See Ray Tune's `TrialScheduler`."""
        self.judge.end(trial.trial_id, "failed")

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """See Ray Tune's `TrialScheduler`."""
        self.judge.end(trial.trial_id, "failed")

    def debug_string(self) -> str:
        """See Ray Tune's `TrialScheduler`."""
        stopped, finished = self.judge.count("stopped"), self.judge.count("finished")
        return f"Front rule: {finished} finished, {stopped} stopped."
