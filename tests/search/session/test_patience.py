"""A search whose database server is away wherever it asks for something: it waits, and goes on."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from search.confirm import main as confirm
from search.session import runner
from search.study import patience
from search.study.checked_storage import CheckedStorage
from search.study.records import COUNTED
from search.study.repeats import read_repeats
from tests.harness import SMALL, STUDY, RunMain, empty_study, notes, stored_front, study

SEARCH = (*SMALL, "--baselines", "none", "--epochs", 1, "--json")


class Server:
    """It is away once wherever it is asked from: for each way in which the program's functions have
    called one another to get there. A SQLite file, of which the errors are those of a server."""

    def __init__(self) -> None:
        self.faults = 0
        self._seen: set[tuple[tuple[str, int], ...]] = set()

    def answer(self, *_: object) -> None:
        frame, way = sys._getframe(1), list[tuple[str, int]]()
        while frame.f_back is not None:
            frame = frame.f_back
            if "/search/" in frame.f_code.co_filename:
                way.append((frame.f_code.co_filename, frame.f_lineno))
        if (key := tuple(way)) not in self._seen:
            self._seen.add(key)
            self.faults += 1
            raise OperationalError("", {}, ConnectionError("no server"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """From when the program has opened its database."""
    made, really = Server(), patience.patient
    monkeypatch.setattr(patience, "TRY_EVERY_S", 0.0)

    @contextlib.contextmanager
    def away(seconds: float, *told: Any) -> Iterator[None]:
        if not seconds:  # it is asked, but not waited for
            with really(seconds, *told):
                yield
            return
        event.listen(Engine, "before_cursor_execute", made.answer)
        try:
            with really(seconds, *told):
                yield
        finally:
            event.remove(Engine, "before_cursor_execute", made.answer)

    monkeypatch.setattr(patience, "patient", away)
    monkeypatch.setattr(runner, "patient", away)
    return made


@pytest.mark.slow
def test_a_search_waits_for_its_server_wherever_it_asks_for_something(
    search: RunMain, server: Server
) -> None:
    empty_study()  # so that the database has answered before
    done = search(*SEARCH, "--trials", 1)
    assert done.code == 0, done.err
    made = server.faults
    assert made > 20 and "the database answers again" in notes(done.events)
    study().ask()  # another program's
    study().enqueue_trial({"batch_size": 32})
    done = search(*SEARCH, "--trials", 3, "--max-params", "15k")
    assert done.code == 0, done.err
    assert server.faults > made + 20
    states = [trial.state for trial in study().trials]
    assert sum(state in COUNTED for state in states) == 3
    assert states.count(TrialState.RUNNING) == 1 and TrialState.WAITING not in states
    assert study().user_attrs["settings"]["max_params"] == 15_000


@pytest.mark.slow
def test_a_confirmation_waits_too(command: RunMain, server: Server) -> None:
    code, out, err = command(confirm, *STUDY, "--seeds", 2, "--device", "cpu")
    assert code == 0 and "Rank" in out, err
    assert server.faults > 20 and "the database answers again" in err
    assert "(--storage-wait of search.run)" in err
    assert len(read_repeats(study())) == len(stored_front())


def test_a_server_that_has_never_answered_is_not_waited_for(
    search: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address may be wrong."""

    def nobody(self: CheckedStorage, *_: object, **__: object) -> Any:
        raise OperationalError("", {}, ConnectionError("no server"))

    monkeypatch.setattr(CheckedStorage, "__init__", nobody)
    monkeypatch.setattr(patience, "TRY_EVERY_S", 3600.0)
    code, _, err = search(*SEARCH, "--storage", "postgresql+x://me@db/studies")
    assert code == 2 and "cannot open --storage" in err and err.count("\n") == 1
