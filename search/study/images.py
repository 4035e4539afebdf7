"""What a study stores of its images, and what it says of guessing on them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import optuna
from optuna.trial import FrozenTrial
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from paretrain.data.parts import ImageData, Part
from paretrain.safe_text import visible
from search.problem.chance import Chance
from search.study import attributes as attr

Count = Annotated[int, Field(ge=0)]


class PartOfImages(BaseModel):
    """The images of one part that a study uses."""

    model_config = ConfigDict(frozen=True)

    images: Annotated[int, Field(gt=0, le=10**12)]
    most: Annotated[int, Field(gt=0, le=10**12)]
    """Images of the most frequent class."""
    most_of: Annotated[str, AfterValidator(visible)]
    """Its name."""
    fewest: Count
    """Images of the rarest class."""
    in_all: int | None = None
    """Images of the part before some were chosen; None = not known."""

    @model_validator(mode="after")
    def _no_class_has_more_than_all(self) -> "PartOfImages":
        if not self.fewest <= self.most <= self.images:
            raise ValueError(f"classes of {self.fewest} to {self.most} among {self.images} images")
        return self


class ImagesOfStudy(BaseModel):
    """Both parts."""

    model_config = ConfigDict(frozen=True)

    classes: Annotated[int, Field(gt=0, le=10**12)]
    training: PartOfImages
    validation: PartOfImages


def images_of(data: ImageData) -> ImagesOfStudy:
    """What is stored of these images."""
    return ImagesOfStudy(
        classes=len(data.classes),
        training=_part(data.classes, data.train, data.all_training),
        validation=_part(data.classes, data.val, data.all_validation),
    )


def chance_on(data: ImageData) -> Chance:
    """What guessing gives on these validation images."""
    return _chance(images_of(data))


def _part(classes: Sequence[str], part: Part, in_all: int | None) -> PartOfImages:
    counts = Counter(part.labels_N.tolist())
    label, most = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    fewest = min(counts.get(label, 0) for label in range(len(classes)))
    return PartOfImages(
        images=len(part), most=most, most_of=classes[label], fewest=fewest, in_all=in_all
    )


def read_images(attrs: Mapping[str, Any]) -> ImagesOfStudy | None:
    """None for a study of an earlier version, or one whose attribute is damaged."""
    try:
        return ImagesOfStudy.model_validate(attrs.get(attr.IMAGES))
    except ValidationError:
        return None


def chance_of(study: optuna.Study) -> Chance:
    """What guessing gives in a study."""
    return read_chance(study.user_attrs, study.get_trials(deepcopy=False))


def read_chance(attrs: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> Chance:
    """The same from what has been read of a study already.

    A study of an earlier version has not stored the shares of its classes. A confusion matrix has
    them: the sums of its rows. Without one, chance is at least 1 / classes, and at least the
    accuracy of every epoch that predicted one class, because that class is no more frequent than
    the most frequent one.
    """
    if (stored := read_images(attrs)) is not None:
        return _chance(stored)
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
    classes = max((len(t.user_attrs.get(attr.PER_CLASS, ())) for t in trials), default=0)
    classes = classes or len(names)
    shares = [1 / classes] if classes else []
    for trial in trials:
        curve = trial.user_attrs.get(attr.CURVE, {})
        epochs = zip(curve.get("val_acc", ()), curve.get("health", ()), strict=False)
        shares += [acc for acc, health in epochs if health == "one class" and 0 <= acc <= 1]
    images = origin.get("validation_images")
    return Chance(max(shares, default=0.0), int(images) if images else None, exact=False)


def _chance(stored: ImagesOfStudy) -> Chance:
    part = stored.validation
    return Chance(part.most / part.images, part.images, part.most_of)
