"""Where the images of a study are now. They may be moved while it lasts: what they are is in their
fingerprint, and a run that finds the same ones elsewhere notes the place."""

from pathlib import Path
from typing import Any

import optuna

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.paths import is_there
from paretrain.shell import command_line
from search.study.attributes import IDENTITY, IMAGE_PLACE, SPACE_FILE
from search.study.records import COUNTED

PLACE = {"source", "columns", "images"}
"""Fields of a data configuration that say where images are, not what they are."""


def place_of(data: DataConfig) -> dict[str, Any]:
    """What is stored of it."""
    return data.model_dump(mode="json", include=PLACE)


def where_they_are(study: optuna.Study, data: DataConfig) -> DataConfig:
    """A trial's data with the place where a run of the study last found them."""
    known = study.user_attrs.get(IMAGE_PLACE)
    if known is None:  # of an earlier version
        return data
    columns = (known["columns"][0], known["columns"][1])
    return data.model_copy(
        update={"source": known["source"], "columns": columns, "images": known["images"]}
    )


def is_lost(data: DataConfig) -> bool:
    """Whether the images are files that are not where the configuration says."""
    places = [Path(place) for place in (data.source, data.images) if place is not None]
    return any(place.is_absolute() and not is_there(place) for place in places)


def refuse_lost(study: optuna.Study, data: DataConfig) -> None:
    """Raises UserError when the images are not where they were last."""
    if is_lost(data):
        raise UserError(
            f"the images of study '{study.study_name}' were last in {data.source} (data.source), "
            "which is not there: put them back, or tell the study where they are now: "
            f"{how_to_tell(study)}"
        )


def how_to_tell(study: optuna.Study) -> str:
    """The command that finds them at another place, and trains nothing."""
    done = max(1, len(study.get_trials(deepcopy=False, states=COUNTED)))
    attrs = study.user_attrs
    file, name = attrs.get(SPACE_FILE), attrs.get(IDENTITY, {}).get("space", "SPACE")
    known = ("--study-name", study.study_name, "--space", file["path"] if file else name)
    command = command_line("search.run", "--data", "PLACE", "--trials", done, *known)
    return f"{command}, with the same --storage"
