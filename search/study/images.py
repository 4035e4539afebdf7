"""What a study stores of its images, and what it says of guessing on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import optuna
from optuna.trial import FrozenTrial
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from paretrain.config import DataConfig, Metric, SearchedOn
from paretrain.data.names import short_name
from paretrain.metric import TOP, guess_among
from paretrain.safe_text import visible
from search.problem.chance import LEVEL, Chance
from search.problem.class_means import highest_by_luck
from search.study import attributes as attr
from search.study.metric import metric_of

if TYPE_CHECKING:
    from paretrain.data.parts import ImageData, Part

Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(gt=0, le=10**12)]


class PartOfImages(BaseModel):
    """The images of one part that a study uses."""

    model_config = ConfigDict(frozen=True)

    images: Some
    most: Some
    """Images of the most frequent class."""
    most_of: Annotated[str, AfterValidator(visible)]
    """Its name."""
    fewest: Count
    """Images of the rarest class."""
    in_all: int | None = None
    """Images of the part before some were chosen; None = not known."""
    sizes: tuple[tuple[Some, Some], ...] | None = None
    """Pairs of a number of images and the number of classes that have so many; None = not known."""

    @model_validator(mode="after")
    def _no_class_has_more_than_all(self) -> PartOfImages:
        if not self.fewest <= self.most <= self.images:
            raise ValueError(f"classes of {self.fewest} to {self.most} among {self.images} images")
        if self.sizes is not None and sum(n * classes for n, classes in self.sizes) != self.images:
            raise ValueError(f"classes of {self.sizes} images, but {self.images} in all")
        return self


class ImagesOfStudy(BaseModel):
    """Both parts."""

    model_config = ConfigDict(frozen=True)

    classes: Some
    training: PartOfImages
    validation: PartOfImages
    native_side: Some | None = None
    """Median shorter side of the images before they were resized, in pixels; None = not known."""


def images_of(data: ImageData) -> ImagesOfStudy:
    """What is stored of these images."""
    return ImagesOfStudy(
        classes=len(data.classes),
        training=_part(data.classes, data.train, data.all_training),
        validation=_part(data.classes, data.val, data.all_validation),
        native_side=data.native_side,
    )


def chance_on(data: ImageData, metric: Metric = "acc") -> Chance:
    """What guessing gives on these validation images."""
    return _chance(images_of(data), metric)


def _part(classes: Sequence[str], part: Part, in_all: int | None) -> PartOfImages:
    counts = Counter(part.labels_N.tolist())
    label, most = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    fewest = min(counts.get(label, 0) for label in range(len(classes)))
    return PartOfImages(
        images=len(part),
        most=most,
        most_of=classes[label],
        fewest=fewest,
        in_all=in_all,
        sizes=tuple(sorted(Counter(counts.values()).items())),
    )


def read_images(attrs: Mapping[str, Any]) -> ImagesOfStudy | None:
    """None for a study of an earlier version, or one whose attribute is damaged."""
    try:
        return ImagesOfStudy.model_validate(attrs.get(attr.IMAGES))
    except ValidationError:
        return None


def searched_on(study: optuna.Study, data: DataConfig) -> SearchedOn | None:
    """What an export says of the images of its search; None for a study of an earlier version.

    `data` says where they are.
    """
    origin, stored = study.user_attrs.get(attr.PROVENANCE, {}), read_images(study.user_attrs)
    fingerprint = origin.get("data_fingerprint")
    if stored is None or fingerprint is None:
        return None
    return SearchedOn(
        source=short_name(data.source),
        fingerprint=fingerprint,
        classes=stored.classes,
        names=tuple(origin.get("classes", ())),
    )


def chance_of(study: optuna.Study) -> Chance:
    """What guessing gives in a study."""
    return read_chance(study.user_attrs, study.get_trials(deepcopy=False))


def read_chance(attrs: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> Chance:
    """The same from what has been read of a study already.

    A study of an earlier version has not stored the shares of its classes. A confusion matrix has
    them: the sums of its rows. Without one, chance is at least 1 / classes, and at least the
    accuracy of every epoch that predicted one class, because that class is no more frequent than
    the most frequent one. All this holds for `acc`, the metric of every such study.
    """
    metric = metric_of(attrs.get(attr.IDENTITY, {}))
    if (stored := read_images(attrs)) is not None:
        return _chance(stored, metric)
    if metric != "acc":  # what was stored is damaged
        classes = _classes_of(attrs, trials)
        return Chance(guess_among(metric, classes) if classes else 0.0, exact=False, metric=metric)
    origin = attrs.get(attr.PROVENANCE, {})
    names = [str(name) for name in origin.get("classes", ())]
    for trial in trials:
        try:
            rows = [sum(map(int, row)) for row in trial.user_attrs.get(attr.CONFUSION) or ()]
        except (TypeError, ValueError):  # damaged
            continue
        if sum(rows) > 0:
            most = max(rows)
            first = rows.index(most)
            answer = names[first] if first < len(names) else None
            return Chance(most / sum(rows), sum(rows), answer)
    classes = _classes_of(attrs, trials)
    shares = [1 / classes] if classes else []
    for trial in trials:
        curve = trial.user_attrs.get(attr.CURVE, {})
        epochs = zip(curve.get("val_acc", ()), curve.get("health", ()), strict=False)
        shares += [acc for acc, health in epochs if health == "one class" and 0 <= acc <= 1]
    images = origin.get("validation_images")
    return Chance(max(shares, default=0.0), int(images) if images else None, exact=False)


def _classes_of(attrs: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> int:
    """Number of classes; 0 where nothing says it."""
    measured = max((len(t.user_attrs.get(attr.PER_CLASS, ())) for t in trials), default=0)
    return measured or len(attrs.get(attr.PROVENANCE, {}).get("classes", ()))


def _chance(stored: ImagesOfStudy, metric: Metric) -> Chance:
    part = stored.validation
    if metric == "acc":
        return Chance(part.most / part.images, part.images, part.most_of)
    if part.sizes is None:  # of a study from before there were other metrics
        return Chance(guess_among(metric, stored.classes), exact=False, metric=metric)
    if metric == "top5":
        sizes = sorted((n for n, classes in part.sizes for _ in range(min(TOP, classes))))
        return Chance(sum(sizes[-TOP:]) / part.images, part.images, metric=metric)
    return Chance(
        1 / sum(classes for _, classes in part.sizes),
        part.images,
        metric=metric,
        by_luck=highest_by_luck(part.sizes, LEVEL),
    )
