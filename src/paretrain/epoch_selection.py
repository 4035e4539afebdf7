"""Epoch selection: which epoch of a training counts, and for how long none has been better."""

from collections.abc import Sequence

from paretrain.config import Keep


def kept_epochs(accs: Sequence[float], losses: Sequence[float], keep: Keep) -> list[int]:
    """Return, for each epoch, the position (from 0) of the one that counts if training ends there.

    Of equal epochs the earlier one counts.
    """
    kept: list[int] = []
    for now in range(len(accs)):
        before = kept[-1] if kept else 0
        better = keep == "last" or _better(accs, losses, keep, now, before)
        kept.append(now if better else before)
    return kept


def kept_accuracies(accs: Sequence[float], losses: Sequence[float], keep: Keep) -> list[float]:
    """Return, for each epoch, the accuracy of the one that counts if training ends there."""
    return [accs[epoch] for epoch in kept_epochs(accs, losses, keep)]


def epochs_without_better(accs: Sequence[float], losses: Sequence[float], keep: Keep) -> int:
    """Return the epochs since the highest accuracy with `best`, else since the lowest loss."""
    watched: Keep = "best" if keep == "best" else "lowest_loss"
    return len(accs) - 1 - kept_epochs(accs, losses, watched)[-1]


def _better(
    accs: Sequence[float], losses: Sequence[float], keep: Keep, now: int, before: int
) -> bool:
    return accs[now] > accs[before] if keep == "best" else losses[now] < losses[before]
