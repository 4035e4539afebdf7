"""What people ask of trainers and this one does not do: an answer instead of "unknown key"."""

import re

_METRIC = "metric is acc, balanced_acc, macro_f1 or top5: AUC and other measures are not done"
_WEIGHTS = "classes and images have no weights: all images count alike, so give rare classes more"
_LOSS = "cross entropy is the only loss (regularisation.label_smoothing changes it)"
_MIXING = "images are not mixed (mixup, CutMix): augment has crops, flips, rotations and colours"
_TASK = "an image gets one class of several: no multi-label, regression, detection or segmentation"

_ANSWERS = {
    **dict.fromkeys(("mixup", "cutmix", "mixupalpha", "cutmixalpha", "mosaic"), _MIXING),
    **dict.fromkeys(
        ("randaugment", "autoaugment", "trivialaugment", "augmix", "randomerasing", "cutout"),
        "drawn policies and erasing are not done: augment has crops, flips, rotations and colours",
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
        ("ema", "swa", "distillation", "teacher", "adversarial"),
        "one network is trained on its own: no averaged weights, no teacher",
    ),
    **dict.fromkeys(
        ("kfold", "folds", "crossvalidation", "cv"),
        "there is one validation part: python -m search.confirm trains again with other seeds",
    ),
}


def not_done(name: str) -> str | None:
    """Return why there is no setting or option of this name; None for any other name."""
    return _ANSWERS.get(re.sub(r"[\W_]", "", name.lower()))
