"""Keras: a study of two objectives whose trainings are pruned by a callback.

KERAS_BACKEND=torch python -m examples.keras_digits

Needs `pip install keras` and one of its backends.
"""

import keras
import optuna

from examples.digits import digits
from search import FrontPruner, KerasPruningCallback

EPOCHS = 12


def run(n_trials: int = 25, seed: int = 0, limited: bool = False) -> optuna.Study:
    """The study, with its trials. `limited` is for a run that has so much time."""
    data = digits()
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed)
    )
    pruner = FrontPruner(study, epochs=EPOCHS, chance=0.1, limited=limited)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        keras.utils.set_random_seed(seed)
        width = trial.suggest_int("width", 2, 128, log=True)
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        layers = [keras.layers.Dense(width, activation="relu"), keras.layers.Dense(10)]
        model = keras.Sequential([keras.Input((64,)), *layers])
        model.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        watched = pruner.watch(trial, size=model.count_params())
        fitted = model.fit(
            data.train_x,
            data.train_y,
            validation_data=(data.val_x, data.val_y),
            epochs=EPOCHS,
            batch_size=64,
            verbose=0,
            callbacks=[KerasPruningCallback(watched)],
        )
        return fitted.history["val_accuracy"][-1], watched.size

    study.optimize(objective, n_trials=n_trials)
    return study


if __name__ == "__main__":
    from examples.optuna_own_loop import show

    show(run(), EPOCHS)
