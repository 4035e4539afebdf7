"""Rows of a database into a trial, or into the attributes of a study. Everything is checked: what
comes out has the types and bounds of `stored.py`, and holds together."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from paretrain.safe_text import visible, visible_in_line
from search.problem.optuna_internals import allows
from search.study import attributes as attr
from search.study.stored import REPEAT, STUDY, TRIAL, short, typed, typed_text

MOST_TEXT = 50_000_000
"""Characters of an attribute; the longest curves have a hundredth of that."""
MOST_TRIALS = 10_000_000
MOST_OBJECTIVES = 100
LONGEST_READ = 1_000
DAMAGED = "damaged in the database"
"""Begins the verdict of a trial that cannot be read."""
_SCALARS = (bool, int, float, str, type(None))
_FIXED, _ARTIFACT, _METRICS = "fixed_params", "artifacts:", "study:metric_names"
_KNOWN = 10_000
"""Names, ranges and values that are remembered because they come again with nearly every trial; and
the most characters of one that is."""

Row = Any
"""A row as SQLAlchemy gives it: a tuple whose values have the names of `tables.py` too."""


def read_json(text: object) -> Any:
    """Raises ValueError for what is no JSON of a sane size."""
    if not isinstance(text, str):
        raise ValueError(f"is no text, but {short(text)}")
    if len(text) > MOST_TEXT:
        raise ValueError(f"has {len(text):,} characters, at most {MOST_TEXT:,} are read")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"is no JSON: {short(text)}") from None


LONGEST_NAME = 512
"""Characters that Optuna's table has for the name of a study."""


def read_name(text: object) -> str:
    """The name of a study, a parameter or an attribute. A name that comes again is one object: at
    10,000 trials, two dozen MB less. Raises ValueError."""
    if isinstance(text, str) and len(text) <= LONGEST_READ and (name := _name(text)) is not None:
        return name
    raise ValueError(f"is no name: {short(text)}")


@lru_cache(_KNOWN)
def _name(text: str) -> str | None:
    return text if text.strip() and visible(text) == text else None


def refuse_impossible_name(name: str, what: str) -> None:
    """Raises UserError for a name that no study can have, or under which it could not be shown in
    a line. `what` is the message's word for it."""
    if not name.strip():
        raise UserError(f"{what} '{name}' is empty: give a name")
    if len(name) > LONGEST_NAME:
        raise UserError(f"{what} has {len(name):,} characters: at most {LONGEST_NAME} are possible")
    if visible_in_line(name) != name:
        raise UserError(
            f"{what} is no name: {short(name)}: give one line, in which nothing acts on a terminal"
        )


def read_whole(value: object, most: int) -> int:
    """A whole number from 0 on. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"is {short(value)}, must be a whole number from 0 to {most:,}")
    return value


def study_attribute(key: str, text: object) -> Any:
    """The value of a study's attribute. Raises ValueError."""
    value = read_json(text)
    if key in STUDY:
        return typed(STUDY[key], value)
    if key.startswith(attr.JOINED):
        return typed(STUDY[attr.OWNER], value)
    if key.startswith(attr.REPEAT):
        repeat = typed(REPEAT, value)
        if key != f"{attr.REPEAT}{repeat['trial']}:{repeat['seed']}":
            raise ValueError("is that of another trial or seed than its name says")
        return repeat
    return value


def system_attribute(key: str, text: object, objectives: int | None = None) -> Any:
    """The value of an attribute that Optuna or its dashboard has stored, with a trial or with a
    study of so many objectives. Raises ValueError."""
    value = read_json(text)
    if key == _FIXED and not (isinstance(value, dict) and _plain(value.values())):
        raise ValueError("must give values to parameters")
    if key == _METRICS and objectives is not None:
        texts = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if not texts or len(value) != objectives:
            raise ValueError(f"must have the names of {objectives} objectives")
    if key.startswith(_ARTIFACT):
        meta = read_json(value)
        needed = ("artifact_id", "filename")
        if not isinstance(meta, dict) or not all(isinstance(meta.get(k), str) for k in needed):
            raise ValueError("describes no artifact")
    return value


def _plain(values: Any) -> bool:
    return all(isinstance(value, _SCALARS) for value in values)


class TrialRows:
    """All rows of one trial."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.params: list[Row] = []
        self.values: list[Row] = []
        self.intermediate: list[Row] = []
        self.user: list[Row] = []
        self.system: list[Row] = []


def read_trial(rows: TrialRows, ours: bool) -> FrozenTrial:
    """The trial. `ours`: whether this program began its study; attributes of another program's
    trial may have our names and hold anything, so what does not fit is left out.

    Raises ValueError that says in a line what is damaged.
    """
    user = _user_attributes(rows.user, ours)
    system = {
        key: _about(f"attribute '{key}'", system_attribute, key, row.value_json)
        for key, row in _by_name(rows.system, "attribute").items()
    }
    params, distributions = _parameters(rows.params)
    state = _state(rows.row.state)
    values = _values(rows.values, state)
    if ours or attr.CONFIG in user:
        check_trial(state, values, user)
    return FrozenTrial(
        number=_about("number", read_whole, rows.row.number, MOST_TRIALS),
        state=state,
        value=None,
        values=values,
        datetime_start=_about("datetime_start", _time, rows.row.datetime_start),
        datetime_complete=_about("datetime_complete", _time, rows.row.datetime_complete),
        params=params,
        distributions=distributions,
        user_attrs=user,
        system_attrs=system,
        intermediate_values=_intermediate(rows.intermediate),
        trial_id=rows.row.trial_id,
    )


def damaged_trial(rows: TrialRows, number: int, what: str) -> FrozenTrial:
    """What stands in the place of a trial that cannot be read: it failed, and says why."""
    now = datetime.now()
    return FrozenTrial(
        number=number,
        state=TrialState.FAIL,
        value=None,
        values=None,
        datetime_start=now,
        datetime_complete=now,
        params={},
        distributions={},
        user_attrs={attr.VERDICT: f"{DAMAGED}: {what}"},
        system_attrs={},
        intermediate_values={},
        trial_id=rows.row.trial_id,
    )


def check_trial(state: TrialState, values: Sequence[float] | None, user: Mapping[str, Any]) -> None:
    """Whether the attributes of a trial hold together. Attributes of a running trial are written
    one after the other, so only those of an ended one are compared. Raises ValueError."""
    curve = user.get(attr.CURVE, {})
    lengths = {len(curve[key]) for key in (*attr.CURVE_KEYS, attr.SCORE) if key in curve}
    if len(lengths) > 1:
        raise ValueError(f"curve has lists of {' and '.join(map(str, sorted(lengths)))} epochs")
    epochs = max(lengths, default=0)
    most = user[attr.CONFIG].get("epochs") if attr.CONFIG in user else None
    if most is not None and epochs > most:
        raise ValueError(f"curve has {epochs} epochs of at most {most}")
    judged = [stored["epoch"] for stored in user.get(attr.DECISIONS, ()) if "epoch" in stored]
    if any(later < earlier for earlier, later in pairwise(judged)):
        raise ValueError("decisions are not in the order of their epochs")
    if most is not None and judged and judged[-1] > most:
        raise ValueError(f"decision on epoch {judged[-1]:.0f} of at most {most}")
    spent = user.get(attr.SPENT)
    if spent is not None and spent["lost_seconds"] > spent["seconds"] + 1e-3:
        raise ValueError(f"spent {spent['seconds']} s, but lost {spent['lost_seconds']} s of them")
    confusion = user.get(attr.CONFUSION)
    if confusion is not None and any(len(row) != len(confusion) for row in confusion):
        raise ValueError("confusion is no square")
    if state in (TrialState.COMPLETE, TrialState.PRUNED) and attr.CONFIG in user:
        _check_ended(epochs, user)
    if values is not None and not (
        len(values) == 2 and 0 <= values[0] <= 1 and 0 <= values[1] < math.inf
    ):
        raise ValueError(f"values are {short(list(values))}: no accuracy (0 to 1) and size")


def _check_ended(epochs: int, user: Mapping[str, Any]) -> None:
    if attr.SIZE not in user:
        raise ValueError(f"attribute '{attr.SIZE}' is missing")
    if not epochs:
        raise ValueError(f"attribute '{attr.CURVE}' is missing, or has no epoch")
    if user.get(attr.BEST_EPOCH, 1) > epochs:
        raise ValueError(f"best epoch is {user[attr.BEST_EPOCH]} of {epochs}")
    per_class, confusion = user.get(attr.PER_CLASS), user.get(attr.CONFUSION)
    if confusion is not None and per_class is not None and len(confusion) != len(per_class):
        raise ValueError(f"confusion is of {len(confusion)} classes, per_class of {len(per_class)}")


def _about(what: str, read: Any, *arguments: Any) -> Any:
    """What `read` gives; its ValueError says what of."""
    try:
        return read(*arguments)
    except ValueError as error:
        raise ValueError(f"{visible(what)[:80]} {error}") from None


def _by_name(rows: Sequence[Row], what: str) -> dict[str, Row]:
    """Rows by what is in their third column."""
    try:
        named = {read_name(row[2]): row for row in rows}
    except ValueError as error:
        raise ValueError(f"name of a {what} {error}") from None
    if len(named) < len(rows):
        raise ValueError(f"has two {what}s of one name")
    return named


def _user_attributes(rows: Sequence[Row], ours: bool) -> dict[str, Any]:
    found, foreign = {}, False
    for key, (_, _, _, text) in _by_name(rows, "attribute").items():
        try:
            found[key] = _trial_attribute(key, text)
        except ValueError as error:
            if ours:
                raise ValueError(f"attribute '{visible(key)[:80]}' {error}") from None
            foreign = True
    return {key: value for key, value in found.items() if key not in TRIAL} if foreign else found


def _trial_attribute(key: str, text: object) -> Any:
    if key not in TRIAL:
        return read_json(text)
    if isinstance(text, str) and len(text) <= MOST_TEXT:
        try:
            return typed_text(key, text)
        except ValueError:
            pass  # read again, step by step, to say what is wrong
    return typed(TRIAL[key], read_json(text))


def _state(stored: object) -> TrialState:
    if not isinstance(stored, str) or stored not in TrialState.__members__:
        raise ValueError(f"state is {short(stored)}: there are {', '.join(TrialState.__members__)}")
    return TrialState[stored]


def _time(stored: object) -> datetime | None:
    """Stored is a time in UTC; the result is in local time, both without saying so."""
    if stored is None:
        return None
    if isinstance(stored, str):
        try:
            stored = datetime.fromisoformat(stored)
        except ValueError:
            raise ValueError(f"is no time: {short(stored)}") from None
    if not isinstance(stored, datetime) or not 1970 < stored.year < 3000:
        raise ValueError(f"is no time: {short(stored)}")
    return stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def _parameters(rows: Sequence[Row]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    for _, _, stored, number, text in rows:
        # Whole numbers, such as places of choices, come again with nearly every trial.
        again = type(number) is float and number.is_integer() and type(text) is type(stored) is str
        read = _known_parameter if again and len(text) <= _KNOWN else _parameter
        name, value, distribution = read(stored, number, text)
        params[name], distributions[name] = value, distribution
    if len(params) < len(rows):
        raise ValueError("has two parameters of one name")
    return params, distributions


def _parameter(stored: object, number: object, text: object) -> tuple[str, Any, BaseDistribution]:
    """Its name, what its number stands for, and its range. Raises ValueError."""
    name = _about("name of a parameter", read_name, stored)
    try:
        distribution = _distribution(text)
        value = _in_range(distribution, _real(number))
    except ValueError as error:
        raise ValueError(f"{_shown(name)[:80]} {error}") from None
    if value is _OUTSIDE:
        raise ValueError(f"{_shown(name)} is {short(number)}, outside its range")
    return name, value, distribution


def _shown(name: str) -> str:
    return visible(f"parameter '{name}'")


_known_parameter = lru_cache(_KNOWN)(_parameter)


_OUTSIDE = object()


def _in_range(distribution: BaseDistribution, value: float) -> Any:
    """What a stored number stands for; _OUTSIDE where it stands for nothing."""
    try:
        stands_for = distribution.to_external_repr(value)
        return stands_for if allows(distribution, stands_for) else _OUTSIDE
    except (ValueError, TypeError, IndexError, OverflowError):
        return _OUTSIDE


def _distribution(text: object) -> BaseDistribution:
    if isinstance(text, str) and len(text) <= _KNOWN:
        return _known_distribution(text)
    return _read_distribution(text)


def _read_distribution(text: object) -> BaseDistribution:
    read_json(text)
    assert isinstance(text, str)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a choice that is no plain value is only warned of
            distribution = json_to_distribution(text)
    except Exception:  # what Optuna raises for what it never wrote is anything
        raise ValueError(f"has no range: {short(text)}") from None
    ends = [getattr(distribution, "low", 0), getattr(distribution, "high", 0)]
    numbers = all(isinstance(end, int | float) and abs(end) < 1e100 for end in ends)
    if distribution is None or not numbers or not _plain(getattr(distribution, "choices", ())):
        raise ValueError(f"has no range: {short(text)}")
    return distribution


_known_distribution = lru_cache(_KNOWN)(_read_distribution)


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"is {short(value)}, must be a number")
    return float(value)


def _values(rows: Sequence[Row], state: TrialState) -> list[float] | None:
    """One for each objective, in their order."""
    if not rows:
        if state == TrialState.COMPLETE:
            raise ValueError("has finished, but its values are missing")
        return None
    by_objective = {
        _about("objective", read_whole, objective, MOST_OBJECTIVES): _typed_real(
            f"value of objective {short(objective)}", value, kind
        )
        for _, _, objective, value, kind in rows
    }
    if sorted(by_objective) != list(range(len(rows))):
        raise ValueError("values of some objectives are missing")
    return [by_objective[objective] for objective in range(len(rows))]


def _intermediate(rows: Sequence[Row]) -> dict[int, float]:
    return {
        _about("step", read_whole, step, 2**62): _typed_real(
            f"value at step {short(step)}", value, kind
        )
        for _, _, step, value, kind in rows
    }


_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


def _typed_real(what: str, value: object, kind: object) -> float:
    """A number that is stored with its kind, because not every database has infinite ones."""
    if kind == "FINITE":
        return float(_about(what, _real, value))
    if not isinstance(kind, str) or kind not in _INFINITE or value is not None:
        raise ValueError(f"{what} is {short(value)} and {short(kind)}")
    return _INFINITE[kind]
