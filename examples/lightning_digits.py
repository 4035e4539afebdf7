"""Lightning: a study of two objectives whose trainings are pruned by a callback.

python -m examples.lightning_digits

Needs `pip install lightning`.
"""

import logging
import tempfile

import lightning.pytorch as pl
import optuna
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from examples.digits import digits
from search import FrontPruner, LightningPruningCallback

EPOCHS = 12
Batch = tuple[Tensor, Tensor]


class Net(pl.LightningModule):
    """One hidden layer."""

    def __init__(self, width: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.layers = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss."""
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def validation_step(self, batch: Batch, _: int) -> None:
        """Logs what the callback reports."""
        scores = self.layers(batch[0])
        self.log("val_loss", nn.functional.cross_entropy(scores, batch[1]))
        self.log("val_acc", (scores.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def run(n_trials: int = 25, seed: int = 0, limited: bool = False) -> optuna.Study:
    """The study, with its trials. `limited` is for a run that has so much time."""
    data = digits()
    train, val = (
        TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        for x, y in ((data.train_x, data.train_y), (data.val_x, data.val_y))
    )
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed)
    )
    pruner = FrontPruner(study, epochs=EPOCHS, chance=0.1, limited=limited)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        pl.seed_everything(seed, verbose=False)
        width = trial.suggest_int("width", 2, 128, log=True)
        module = Net(width, trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True))
        watched = pruner.watch(trial, size=sum(p.numel() for p in module.parameters()))
        with tempfile.TemporaryDirectory() as folder:
            trainer = pl.Trainer(
                accelerator="cpu",
                max_epochs=EPOCHS,
                default_root_dir=folder,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[LightningPruningCallback(watched, monitor="val_acc")],
            )
            trainer.fit(
                module,
                DataLoader(train, batch_size=64, shuffle=True),
                DataLoader(val, batch_size=len(val)),
            )
        return float(trainer.callback_metrics["val_acc"]), watched.size

    study.optimize(objective, n_trials=n_trials)
    return study


if __name__ == "__main__":
    from examples.optuna_own_loop import show

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    show(run(), EPOCHS)
