"""A prior as a study keeps it: what it was learned from. So the study goes on with the same one
wherever its database goes, and whatever becomes of the studies that it came from.

A server may hold 64 kB of text in an attribute, so the trials are compressed and cut into pieces.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from search.problem.past_study import PastStudy, PastTrial
from search.study import attributes as attr

PIECE = 30_000
"""Characters of an attribute."""
MOST_BYTES = 20_000_000
"""No prior is larger, however small it was compressed."""

Number = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Trial(BaseModel):
    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any]
    size: Annotated[int, Field(ge=1)]
    val_acc: Number


class _Study(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    trials: list[_Trial]
    at_random: bool


_STUDIES = TypeAdapter(list[_Study])


def to_attributes(prior: str, studies: Sequence[PastStudy]) -> dict[str, Any]:
    """Attributes of a study. `prior` is the option that led to these studies."""
    models = [
        _Study(
            name=study.name,
            trials=[
                _Trial(params={**t.params}, size=t.size, val_acc=t.val_acc) for t in study.trials
            ],
            at_random=study.at_random,
        )
        for study in studies
    ]
    text = base64.b64encode(zlib.compress(_STUDIES.dump_json(models), 9)).decode()
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    described = {
        "option": prior,
        "pieces": len(pieces),
        "sources": [{"name": study.name, "trials": len(study.trials)} for study in studies],
    }
    named = {f"{attr.PRIOR_PIECE}{number}": piece for number, piece in enumerate(pieces)}
    return named | {attr.PRIOR: described}  # last: with it the prior is whole


def from_attributes(attrs: Mapping[str, Any]) -> tuple[PastStudy, ...] | None:
    """What `to_attributes` stored; None where nothing was. Raises ValueError where it cannot be
    read."""
    if attr.PRIOR not in attrs:
        return None
    try:
        pieces = [attrs[f"{attr.PRIOR_PIECE}{n}"] for n in range(attrs[attr.PRIOR]["pieces"])]
        unpack = zlib.decompressobj()
        data = unpack.decompress(base64.b64decode("".join(pieces), validate=True), MOST_BYTES)
        models = _STUDIES.validate_json(data)
    except (KeyError, TypeError, zlib.error, ValidationError, ValueError) as error:
        raise ValueError(f"its prior cannot be read ({type(error).__name__})") from None
    return tuple(
        PastStudy(
            study.name,
            [PastTrial(trial.params, trial.size, trial.val_acc) for trial in study.trials],
            study.at_random,
        )
        for study in models
    )
