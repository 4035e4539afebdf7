"""The name of every attribute that is stored with a trial or a study. Databases of earlier versions
must load, so none of these strings ever changes, whatever the things are called today."""

# Of a trial: what it is.
CONFIG = "config"
SIZE = "num_params"
"""Number of parameters, always."""
AXIS = "size"
"""What is to be small, where that is not the number of parameters."""
MEASURED = "size_measured"
TRAINABLE = "trainable_params"
WORDS = "network"
ORIGIN = "origin"
RUN_BY = "run_by"
"""Which coordinator trains it, or trained it to its end, by what its sign of life calls `run`;
NOBODY while it waits. So one that runs and says NOBODY was taken by another program, through
Optuna's own `ask`. Earlier versions stored nothing, or left the last coordinator."""
NOBODY = ""
BASELINE = "baseline"
PRIOR_SCORE = "prior_score"
"""What earlier studies let expect of it, as a normal score."""

# Of a trial: how it went.
CURVE = "curve"
CURVE_KEYS = ("train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds", "health")
"""Lists in CURVE, each with one value an epoch."""
SCORE = "val_score"
"""One more of them, where the study has another metric than `acc`: accuracy by that metric. Every
other stored accuracy but that of CURVE_KEYS is by the metric, too, whatever its name."""
PER_CLASS, CONFUSION, HEALTH = "per_class", "confusion", "health"
BEST_ACC, BEST_EPOCH, LOWEST_LOSS_ACC = "val_acc_best", "best_epoch", "val_acc_at_lowest_loss"
LAST_ACC, SECONDS, SPENT = "val_acc_last", "train_seconds", "spent"
STEPS = "steps"
"""How the steps have run, where a GPU was to replay them: `CUDA graph`, or `eager: ` and why."""

# Of a trial: what was decided.
VERDICT = "verdict"
"""How it ended, in words."""
NUMBERS, DECISIONS = "decision", "decisions"
"""The evidence of its stop, and all decisions."""
INFEASIBLE, STDERR = "infeasible", "stderr"

# Of a study.
IDENTITY, PROVENANCE, THREADS, REFUSED = "identity", "provenance", "threads", "refused"
OWNER, UID, MIN_ACC = "owner", "uid", "min_acc"
JOINED = "owner:"
"""Begins the names of attributes with the signs of life of coordinators that have joined the one of
OWNER, one each."""
WEIGHTS_DIR, MAX_PARAMS, SPACE_FILE = "weights_dir", "max_params", "space_file"
SETTINGS = "settings"
"""What the last run was given or took over (session/remembered.py), by the names of options."""
CHECKPOINTS = "checkpoints"
"""Folders that its runs were given for the state of running trials, beside that in the cache."""
DATABASE = "database"
"""In which database its last run was, to tell that one from a copy (study/copies.py)."""
IMAGE_PLACE = "image_place"
"""Where the last run found the images."""
DESCRIPTION = "space_description"
"""What is shown of a space that is not built in."""
IMAGES = "images"
"""How many images there are, of the most frequent class and of the rarest, in each part."""
PRIOR, PRIOR_PIECE, PRIOR_AGREEMENT = "prior", "prior:", "prior_agreement"
"""Which earlier studies a study has learned from; begins the names of attributes with their trials;
how their order agrees with its own."""
HINT_TRUST = "hint_trust"
"""How far the hints of its space were believed at the end."""
REPEAT = "repeat:"
"""Begins the names of attributes with repeats, one a repeat."""

# Of other people's studies, which `search.FrontPruner` judges: one attribute of a trial, and one of
# the study.
FRONT_PRUNER = "front_pruner"
