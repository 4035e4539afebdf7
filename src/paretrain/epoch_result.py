"""What one epoch of a training gave."""

from pydantic import BaseModel, ConfigDict

from paretrain.health import Health


class EpochResult(BaseModel):
    """What one epoch gave. Accuracies are from 0 to 1; losses are mean cross entropy, in nats."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    epoch: int
    """Number of the epoch, from 1."""
    train_loss: float
    """Mean loss over the epoch's batches, on augmented images, with dropout."""
    train_acc: float
    val_loss: float
    val_acc: float
    per_class: tuple[float, ...]
    """Validation accuracy of each class (recall)."""
    lr: float
    """Learning rate at the epoch's last step."""
    seconds: float
    """Time of training and validation in this epoch."""
    health: Health
    val_score: float | None = None
    """Validation accuracy by the metric of the configuration; None where that is `val_acc`."""

    @property
    def score(self) -> float:
        """Validation accuracy by the metric of the configuration, from 0 to 1."""
        return self.val_acc if self.val_score is None else self.val_score
