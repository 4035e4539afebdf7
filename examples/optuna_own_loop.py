"""Optuna, two objectives and a training loop of your own: which trainings are worth their epochs.

python -m examples.optuna_own_loop

Networks of scikit-learn on its handwritten digits, so no torch is needed. Prints what was pruned,
and the front.
"""

import optuna
from sklearn.neural_network import MLPClassifier

from examples.digits import digits
from search import FrontPruner

EPOCHS = 20


def run(n_trials: int = 40, seed: int = 0) -> optuna.Study:
    """The study, with its trials."""
    data = digits()
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed)
    )
    pruner = FrontPruner(study, epochs=EPOCHS, chance=0.1)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        width = trial.suggest_int("width", 2, 128, log=True)
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        network = MLPClassifier((width,), learning_rate_init=rate, random_state=seed)
        watched = pruner.watch(trial, size=64 * width + width + 10 * width + 10)
        accuracy = 0.0
        for epoch in range(1, EPOCHS + 1):
            network.partial_fit(data.train_x, data.train_y, classes=range(10))
            accuracy = network.score(data.val_x, data.val_y)
            watched.report(accuracy, epoch)
            if watched.should_prune():
                raise optuna.TrialPruned(watched.reason)
        return accuracy, watched.size

    study.optimize(objective, n_trials=n_trials)
    return study


def show(study: optuna.Study, epochs: int = EPOCHS) -> None:
    """Say what was pruned, and the front."""
    spent = 0
    for trial in study.trials:
        reported = trial.user_attrs["front_pruner"]
        spent += len(reported["val_acc"])
        if trial.state == optuna.trial.TrialState.PRUNED:
            print(f"#{trial.number} pruned: {reported['decisions'][-1]['reason']}")
    print(f"\n{spent} of {len(study.trials) * epochs} epochs were trained. The front:")
    for trial in sorted(study.best_trials, key=lambda trial: trial.values[1]):
        print(f"{trial.values[1]:8,.0f} parameters  {trial.values[0]:.1%}  #{trial.number}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    show(run())
