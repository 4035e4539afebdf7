"""Curves of trainings that level off at an accuracy that grows with the width."""

import math

import optuna
import optunahub

EPOCHS = 20
FrontPruner = optunahub.load_module("pruners/front_pruner").FrontPruner

study = optuna.create_study(
    directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=0)
)
pruner = FrontPruner(study, epochs=EPOCHS, chance=0.1)


def objective(trial: optuna.Trial) -> tuple[float, float]:
    """The accuracy after the last epoch, and the size."""
    width = trial.suggest_int("width", 4, 200, log=True)
    rate = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
    level = 0.85 * (1 - math.exp(-width / 40)) * math.exp(-((math.log10(rate) + 2) ** 2) / 2)
    watched = pruner.watch(trial, size=9 * width**2)
    accuracy = 0.1
    for epoch in range(1, EPOCHS + 1):
        accuracy = 0.1 + level * (1 - math.exp(-epoch / 4))
        watched.report(accuracy, epoch)
        if watched.should_prune():
            raise optuna.TrialPruned(watched.reason)
    return accuracy, watched.size


study.optimize(objective, n_trials=50)
pruned = study.get_trials(states=[optuna.trial.TrialState.PRUNED])
spent = sum(len(trial.user_attrs["front_pruner"]["val_acc"]) for trial in study.trials)
print(f"{len(pruned)} of {len(study.trials)} trials were pruned, {spent} epochs trained.")
