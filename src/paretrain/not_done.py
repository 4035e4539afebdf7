"""What people ask of trainers and this one does not do: an answer instead of "unknown key"."""

import re

_METRIC = "metric is acc, balanced_acc, macro_f1 or top5: AUC and other measures are not done"
_WEIGHTS = "a configuration has balance: weights or sampling, for uneven classes; images have none"
_LOSS = "cross entropy is the only loss (regularisation.label_smoothing changes it)"
_MIXING = "images are mixed by augment.mixup and augment.cutmix, each the alpha of Beta(x, x)"
_POLICY = (
    "augment.policy is randaugment or trivialaugment, with augment.operations and augment.magnitude"
)
_TASK = "an image gets one class of several: no multi-label, regression, detection or segmentation"

_ANSWERS = {
    **dict.fromkeys(("mixup", "cutmix", "mixing", "mixupalpha", "cutmixalpha"), _MIXING),
    **dict.fromkeys(
        ("randaugment", "trivialaugment", "trivialaugmentwide", "autoaugment", "augmix", "randaug"),
        f"{_POLICY}; others are not done",
    ),
    **dict.fromkeys(
        ("randomerasing", "cutout", "reprob"),
        "augment.erase is the probability of random erasing",
    ),
    **dict.fromkeys(
        ("classweight", "classweights", "sampleweight", "sampleweights", "posweight"), _WEIGHTS
    ),
    **dict.fromkeys(
        ("sampler", "weightedsampler", "oversample", "oversampling", "balanced"),
        _WEIGHTS,
    ),
    **dict.fromkeys(("loss", "lossfn", "criterion", "focalloss", "focal"), _LOSS),
    **dict.fromkeys(
        ("metric", "metrics", "monitor", "f1", "f1score", "auc", "auroc", "topk", "scoring"),
        _METRIC,
    ),
    **dict.fromkeys(("task", "multilabel", "regression", "detection", "segmentation"), _TASK),
    **dict.fromkeys(
        ("ema", "emadecay", "swa"),
        "ema, a setting beside augment and optimizer, is the decay of an average of the weights",
    ),
    **dict.fromkeys(
        ("distillation", "teacher", "adversarial"),
        "one network is trained on its own, without a teacher",
    ),
    **dict.fromkeys(
        ("kfold", "folds", "crossvalidation", "cv"),
        "there is one validation part: python -m search.confirm trains again with other seeds",
    ),
}


def not_done(name: str) -> str | None:
    """Return why there is no setting or option of this name; None for any other name."""
    return _ANSWERS.get(re.sub(r"[\W_]", "", name.lower()))
