"""Options that several commands have, and values as people type them: `2M`, `90m`, `path,label`."""

import re
from typing import Annotated, cast

from typer import Option

from paretrain.cli import UserError, nearest
from paretrain.paths import is_folder, is_there, user_path
from search.problem.option_words import MOST_COUNT, MOST_SECONDS, EngineName
from search.study.storage_url import DEFAULT, VARIABLE, StorageUrl

StudyName = Annotated[str, Option(help="Name of the study, as the search printed it.")]


def parse_trial(text: str) -> int:
    """`5`, or `#5` as messages name it. Raises UserError."""
    match = re.fullmatch("#?([0-9]{1,9})", text.strip())
    if match is None:
        raise UserError(f"--trial {text}: must be the number of a trial, such as 5")
    return int(match[1])


TrialNumber = Annotated[
    int, Option(parser=parse_trial, metavar="<int>", help="Number of the trial.")
]
Storage = Annotated[
    StorageUrl,
    Option(
        parser=StorageUrl.of,
        metavar="TEXT",
        envvar=VARIABLE,
        help="SQLite file, or SQLAlchemy URL; give one with a password in the variable.",
    ),
]
STUDIES_DB = cast(StorageUrl, DEFAULT)
"""The default as it would be typed: `parser` reads it too, but not for `--help`."""
Trust = Annotated[
    bool,
    Option("--trust", help="Run the code of networks that the study holds: read it first."),
]
Device = Annotated[str, Option(help="auto, cpu, cuda, cuda:N or mps.")]
Engine = Annotated[EngineName, Option(help="Who runs the workers: this machine, or a Ray cluster.")]
RayAddress = Annotated[
    str | None, Option(help="HOST:PORT of the cluster. [default: the one of this machine]")
]
Checkpoints = Annotated[
    str | None, Option(help="Folder for the state of running trials. [default: in the cache]")
]

MAX_WORKERS = 256
_COUNT = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_TIME = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_count(text: str, option: str) -> int:
    """`2M`, `500k`, `1.5m`, `120000`, `120,000`. Raises UserError, also for `1,5k` and `1.000`: a
    comma stands before three digits, never for the decimal point, and a point never before them."""
    whole = "[0-9]+(?:_[0-9]+)*|[0-9]{1,3}(?:,[0-9]{3})+"
    match = re.fullmatch(rf"({whole})(?:(\.[0-9]+)?\s*([kKmMgG]))?", text.strip())
    value = 0.0
    if match:
        number = re.sub("[_,]", "", match[1]) + (match[2] or "")
        value = float(number) * _COUNT[(match[3] or "").lower()]
    if not 1 <= value <= MOST_COUNT:
        raise UserError(
            f"{option} {text}: must be a whole number from 1 to {MOST_COUNT:,} such as 120000, "
            "500k or 2M"
        )
    return round(value)


def parse_accuracy(text: str, option: str) -> float | None:
    """`55%` or `0.55`; None for `none`. Raises UserError, also for a bare `1` or `55`."""
    if text.strip().lower() == "none":
        return None
    value = _share(text, option)
    if value is None:
        raise UserError(
            f"{option} {text}: must be an accuracy of more than 0 and at most 100%, such as 55% or "
            "0.55, or none"
        )
    return value


def parse_share(text: str, option: str) -> float:
    """`1%` or `0.01`, `95%` or `0.95`. Raises UserError."""
    value = _share(text, option)
    if value is None:
        raise UserError(
            f"{option} {text}: must be more than 0 and at most 100%, such as 1%, 95% or 0.95"
        )
    return value


def _share(text: str, option: str) -> float | None:
    """None for what is no share. Raises UserError for every way to write 1 without a percent."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(%?)", text.strip())
    if match is None:
        return None
    value = float(match[1]) / (100 if match[2] else 1)
    if value == 1 and not match[2]:
        raise UserError(f"{option} {text}: {text.strip()} could be 1% or 100%: give one of them")
    return value if 0 < value <= 1 else None


def parse_duration(text: str, option: str) -> float:
    """`600`, `600s`, `90m`, `2h`, in seconds. Raises UserError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h)?", text.strip().lower())
    seconds = float(match[1]) * _TIME[match[2] or ""] if match else 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise UserError(
            f"{option} {text}: must be a time of more than 0, and at most {MOST_SECONDS:,.0f} s, "
            "such as 600s, 90m or 2h"
        )
    return seconds


def parse_workers(text: str) -> int:
    """A number of processes, 1 to 256. Raises UserError."""
    if not re.fullmatch("[0-9]{1,3}", text.strip()) or not 1 <= int(text) <= MAX_WORKERS:
        hint = nearest(text, ["auto"])
        raise UserError(f"--workers {text}{hint}: must be auto or a number from 1 to {MAX_WORKERS}")
    return int(text)


def parse_folder(text: str | None, option: str) -> str | None:
    """A folder to write to, made where it is missing; absolute. Raises UserError for a file."""
    if text is None:
        return None
    folder = user_path(text)
    if not text.strip() or (is_there(folder) and not is_folder(folder)):
        raise UserError(f"{option} '{text}': is no folder: give one")
    return str(folder.resolve())


def parse_columns(text: str, option: str) -> tuple[str, str]:
    """`file,class`: a column of paths and one of labels. Raises UserError."""
    names = text.split(",")
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise UserError(
            f"{option} {text}: must be two different column names with a comma between, such as "
            "path,label"
        )
    return names[0], names[1]
