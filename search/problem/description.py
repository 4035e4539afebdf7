"""What is shown of a space beside its trials: words, claims and the sizes of baselines. A study of
a space file stores it, so that the file need not be run again to show the study."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from paretrain.cli import UserError
from paretrain.safe_text import visible
from search.problem.space import Space

if TYPE_CHECKING:
    from search.problem.constraints import Constraints

Words = Annotated[str, Field(max_length=2_000), AfterValidator(visible)]
Size = Annotated[int, Field(ge=0, le=10**18)]
Value = bool | int | float | Words | None
"""What a parameter may be."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class DescribedBaseline(_Frozen):
    """A network, or a setting, that somebody tried by hand."""

    name: Words
    num_params: Size | None = None
    """None when it cannot take images of the study's size."""
    size: Size | None = None
    """What is to be small; None likewise, and where only measuring tells."""


class DescribedQuestion(_Frozen):
    """See `Space.questions`."""

    ask: Words
    of: Annotated[list[Words], Field(max_length=1_000)]
    levels: dict[Words, list[Value]] | None = None


class SpaceDescription(_Frozen):
    """See `Space`; all of it is text and numbers."""

    name: Words
    summary: Words = ""
    claims: dict[Words, Words] = {}
    claims_on: Words = ""
    table: dict[Words, dict[Words, Words]] = {}
    questions: dict[Words, DescribedQuestion] = {}
    baselines: Annotated[list[DescribedBaseline], Field(max_length=10_000)] = []

    @property
    def worded_questions(self) -> dict[str, dict[str, Any]]:
        """The questions as a space file has them."""
        return {name: asked.model_dump(exclude_none=True) for name, asked in self.questions.items()}


def describe_space(space: Space, constraints: Constraints | None) -> SpaceDescription:
    """What is shown of a space. `constraints` give baselines their sizes; without them, and where
    sizes must be measured, they have names only."""
    from search.problem.baselines import load_baselines  # counts networks, which takes torch

    names = [*space.baselines, *space.baseline_settings]
    baselines = [DescribedBaseline(name=str(name)) for name in names]
    if constraints is not None and constraints.objective != "latency":
        # Suppressed: a baseline that a run need not have does not fit its space.
        with contextlib.suppress(UserError):
            baselines = [
                DescribedBaseline(name=str(base.name), num_params=base.num_params, size=base.size)
                for base in load_baselines(space, constraints, "all")
            ]
    return SpaceDescription(
        name=space.name,
        summary=space.summary[:2_000],
        claims={str(name): claim for name, claim in space.claims.items()},
        claims_on=space.claims_on,
        table={
            str(row): {str(column): str(name) for column, name in cells.items()}
            for row, cells in space.table.items()
        },
        questions=_questions(space.questions),
        baselines=baselines,
    )


def _questions(stated: Mapping[str, Mapping[str, Any]]) -> dict[str, DescribedQuestion]:
    """Those that are text and plain values; others cannot be stored."""
    found = {}
    for name, fields in stated.items():
        try:
            levels = fields.get("levels")
            found[str(name)] = DescribedQuestion(
                ask=fields["ask"],
                of=list(fields["of"]),
                levels=levels and {str(word): list(values) for word, values in levels.items()},
            )
        except (ValidationError, TypeError, AttributeError):
            continue
    return found
