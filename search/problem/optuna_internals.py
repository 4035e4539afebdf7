"""All that touches Optuna's private parts."""

import contextlib
import warnings
from collections.abc import Iterator

import optuna
from optuna.trial import TrialState


def set_state(study: optuna.Study, trial_id: int, state: TrialState) -> None:
    """Move a trial between waiting and running, under its own number: Optuna's public interface
    can only begin a waiting trial, never put a running one back."""
    study._storage.set_trial_state_values(trial_id, state)


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's warnings about its experimental parts that are used here on purpose."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        yield
