"""Drives Optuna over a space of configurations: accuracy up, parameters down."""
