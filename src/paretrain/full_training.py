"""Runs a training to its last epoch, with progress on the screen and checkpoints on disk."""

from rich.console import Console
from rich.progress import TextColumn

from paretrain.bar import time_left_bar
from paretrain.checkpoint import save_checkpoint
from paretrain.config import TrainConfig
from paretrain.doing import Doing
from paretrain.epoch_result import EpochResult
from paretrain.interruption import raise_if_interrupted
from paretrain.metric import NAMES
from paretrain.result.folder import ResultFolder
from paretrain.screen import Screen
from paretrain.training import Training


def train_to_the_end(
    training: Training, folder: ResultFolder, console: Console, validated: bool
) -> None:
    """Train every epoch that is left; print a line and write a checkpoint after each.

    `validated` is False where the validation images are trained on. An epoch that
    KeyboardInterrupt ends is lost.
    """
    writes = True
    epochs = training.config.epochs
    with _Bar(training, console) as bar, _in_a_log(console) as doing:
        doing.say(f"training epoch {len(training.curve) + 1} of {epochs}")
        for result in training.epochs(bar.advance):
            last = result.epoch == epochs
            doing.say("ending" if last else f"training epoch {result.epoch + 1} of {epochs}")
            if writes and result.health != "diverged":
                writes = _keep(training, folder, console)
            console.print(_line(result, training.config, validated), highlight=False)
            raise_if_interrupted()


def _in_a_log(console: Console) -> Doing:
    """Says what goes on only where there is no bar."""
    return Doing(Screen(quiet=True) if console.is_terminal else console, "training")


def _keep(training: Training, folder: ResultFolder, console: Console) -> bool:
    """Write a checkpoint. Returns False, and says why, when the disk does not take it."""
    try:
        save_checkpoint(training, folder.checkpoint)
    except OSError as error:
        # The training itself is worth more than being able to interrupt it.
        text = f"note: trains on without checkpoints: {error.strerror or error}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        return False
    return True


_HEALTH = {"ok": "", "one class": "predicts one class"}
"""As people read it; what is not here is said as it is."""


def _line(result: EpochResult, config: TrainConfig, validated: bool) -> str:
    epochs = config.epochs
    validation = f"validation {result.val_acc:6.2%}  " if validated else ""
    if validated and config.metric != "acc":
        validation += f"{NAMES[config.metric]} {result.score:6.2%}  "
    health = f"  {_HEALTH.get(result.health, result.health)}" if validated else ""
    return (
        f"epoch {result.epoch:>3}/{epochs}  loss {result.train_loss:.4f}  "
        f"train {result.train_acc:6.2%}  {validation}"
        f"lr {result.lr:.2g}  {result.seconds:.1f} s{health}"
    ).rstrip()


class _Bar:
    """A progress bar over the batches of all epochs, with the time left; only on a terminal."""

    def __init__(self, training: Training, console: Console) -> None:
        each = training.pulses_per_epoch
        percent = TextColumn("{task.percentage:>3.0f}%,")
        self._bar = time_left_bar(console, "training", percent)
        self._task = self._bar.add_task(
            "", total=each * training.config.epochs, completed=each * len(training.curve)
        )

    def advance(self) -> None:
        """Count one more batch."""
        self._bar.advance(self._task)

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
