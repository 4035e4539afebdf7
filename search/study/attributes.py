"""The name of every attribute that is stored with a trial or a study. Old databases must load, so
no string here ever changes."""

# Of a trial.
CONFIG, SIZE, WORDS, ORIGIN = "config", "num_params", "network", "origin"
BASELINE, CURVE, PER_CLASS, VERDICT = "baseline", "curve", "per_class", "verdict"
BEST_ACC, BEST_EPOCH, LOWEST_LOSS_ACC = "val_acc_best", "best_epoch", "val_acc_at_lowest_loss"
LAST_ACC, HEALTH, SECONDS = "val_acc_last", "health", "train_seconds"
NUMBERS, SPENT, INFEASIBLE = "decision", "spent", "infeasible"
DECISIONS, CONFUSION = "decisions", "confusion"
AXIS, TRAINABLE, MEASURED = "size", "trainable_params", "size_measured"
"""AXIS: what is to be small, where that is not the number of parameters."""
CURVE_KEYS = ("train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds", "health")

# Of a study.
IDENTITY, PROVENANCE, THREADS, REFUSED = "identity", "provenance", "threads", "refused"
OWNER, UID, MIN_ACC = "owner", "uid", "min_acc"
WEIGHTS_DIR, MAX_PARAMS, SPACE_FILE = "weights_dir", "max_params", "space_file"
PREFIX = "repeat:"
"""Of the attributes with repeats, one a repeat."""
