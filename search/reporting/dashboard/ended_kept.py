"""Answers with a study in which trials that have ended are turned into JSON once. optuna-dashboard
itself makes all of it anew for every browser: 107 MB at 10,000 trials."""

import copy
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode
from weakref import WeakKeyDictionary

import optuna
from optuna.trial import FrozenTrial
from pydantic_core import to_json

from search.problem.optuna_internals import id_of
from search.reporting.dashboard.ended_once import Serialize, serializer
from search.reporting.dashboard.storage import SHOWN_TEXT, DashboardStorage
from search.reporting.dashboard.theme import Application
from search.study.attributes import CONFIG

STUDY = re.compile(r"/api/studies/(\d+)/?")
"""The path of the answer with all of a study."""
_OF_TRIAL = re.compile(r"dashboard:(?:artifacts:)?(\d+):")
"""Begins the names of those attributes of a study that belong to one trial."""
_NO_TRIALS = 10**9
"""Asks for the trials after so many, so for none."""


def ended_trials_kept(dashboard: Application, storage: DashboardStorage) -> Application:
    """What `optuna_dashboard.wsgi` makes, asked for a study without trials, and the trials beside
    it. Versions other than 0.21 answer for themselves, so are only slower."""
    serialize = serializer()
    if serialize is None:
        return dashboard
    texts = _TrialTexts(storage, serialize)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = STUDY.fullmatch(environ["PATH_INFO"])
        after = parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[-1]
        if environ["REQUEST_METHOD"] != "GET" or not asked or not re.fullmatch("[0-9]{1,9}", after):
            return dashboard(environ, start_response)
        try:
            trials = texts.after(int(asked[1]), int(after))
        except Exception:  # not there, or a note is damaged: theirs says so
            return dashboard(environ, start_response)
        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            begun[:] = status, headers, exc_info

        without = environ | {"QUERY_STRING": urlencode({"after": _NO_TRIALS})}
        chunks = dashboard(without, begin)
        content = [b"".join(chunks)]
        if close := getattr(chunks, "close", None):
            close()
        status, headers, exc_info = begun
        if status.startswith("200"):
            rest = json.loads(content[0])
            del rest["trials"]
            content = [b'{"trials": [', trials, b"], ", json.dumps(rest).encode()[1:]]
        others = [(name, value) for name, value in headers if name.lower() != "content-length"]
        length = sum(map(len, content))
        start_response(status, [*others, ("Content-Length", str(length))], exc_info)
        return content

    return application


@dataclass
class _Kept:
    """What is kept of one study, by the ids of trials."""

    texts: dict[int, tuple[FrozenTrial, Mapping[str, Any], bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _TrialTexts:
    """The JSON of trials. That of an ended one is made again only when its note changes."""

    def __init__(self, storage: DashboardStorage, serialize: Serialize) -> None:
        self._storage, self._serialize = storage, serialize
        self._kept = WeakKeyDictionary[optuna.Study, _Kept]()

    def after(self, study_id: int, first: int) -> bytes:
        """The trials of a study but the first ones, with a comma between them. Raises KeyError
        where there is no such study, UserError where it cannot be read."""
        kept = self._kept.setdefault(self._storage.study(study_id), _Kept())
        trials = self._storage.get_all_trials(study_id, deepcopy=False)[first:]
        # To find the few attributes of a trial, optuna-dashboard looks through all of the study's.
        of_trial = defaultdict[int, dict[str, Any]](dict)
        for key, value in self._storage.get_study_system_attrs(study_id).items():
            if begin := _OF_TRIAL.match(key):
                of_trial[int(begin[1])][key] = value
        with kept.lock:
            texts = [self._text(study_id, kept, trial, of_trial[id_of(trial)]) for trial in trials]
        return b", ".join(texts)

    def _text(self, study_id: int, kept: _Kept, trial: FrozenTrial, attrs: dict[str, Any]) -> bytes:
        known = kept.texts.get(id_of(trial))
        if known is not None and known[0] is trial and known[1] == attrs:
            return known[2]
        bare = copy.copy(trial)
        bare.params, bare.user_attrs = {}, {}
        own = {"params": _params(trial), "user_attrs": self._attributes(trial)}
        text = to_json(self._serialize(study_id, bare, attrs) | own)
        if trial.state.is_finished():
            kept.texts[id_of(trial)] = trial, attrs, text
        return text

    def _attributes(self, trial: FrozenTrial) -> list[dict[str, str]]:
        """What optuna-dashboard says of attributes. The configuration, which makes half of the
        work, is said as it is stored."""
        texts = {key: _attribute(value) for key, value in trial.user_attrs.items() if key != CONFIG}
        if CONFIG in trial.user_attrs:
            stored = self._storage.config_text(trial)
            texts[CONFIG] = stored or _attribute(trial.user_attrs[CONFIG])
        return [{"key": key, "value": texts[key]} for key in trial.user_attrs]


def _attribute(value: object) -> str:
    """An attribute as the page shows it."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else json.dumps(value)[:SHOWN_TEXT]


def _params(trial: FrozenTrial) -> list[dict[str, Any]]:
    """What optuna-dashboard says of parameters, without their ranges and types: half of an answer,
    at which the page of version 0.21 never looks, because it takes ranges from the study's."""
    return [
        {
            "name": name,
            "param_internal_value": trial.distributions[name].to_internal_repr(value),
            "param_external_value": str(value),
        }
        for name, value in trial.params.items()
    ]
