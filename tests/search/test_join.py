"""Several coordinators on one study on a server, each as if on a machine of its own: every trial
is trained once, and the total is exact however they end."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from search.problem.canonical import canonical_key
from search.run import main as run
from search.session import coordinator
from search.status import main as status
from search.study import owner, servers
from search.study.attributes import OWNER
from search.study.owner import beat
from search.study.records import config_of
from search.study.storage import open_storage
from search.study.storage_url import VARIABLE
from tests.harness import SMALL, RunMain, SearchProcess, study
from tests.servers import Server

pytestmark = pytest.mark.slow
ON_POSTGRESQL = pytest.mark.parametrize("server", ["postgresql"], indirect=True)


def become(host: str, stale: float) -> None:
    """A machine of that name, for the search that begins in this process."""
    socket.gethostname = lambda: host
    owner.BEAT_EVERY_S, owner.STALE_AFTER_S = 0.3, stale
    vars(coordinator)["LOOK_EVERY_S"] = 0.2


class Machine(SearchProcess):
    """A search on a machine of its own: with another name, cache and lock files. It takes others
    for lost after `stale` seconds."""

    def __init__(self, here: Path, host: str, *arguments: str, stale: float = 60.0) -> None:
        super().__init__(
            here,
            *arguments,
            prepare=partial(become, host, stale),
            PARETRAIN_CACHE=str(here / host),
            PARETRAIN_STATE=str(here / host),
        )

    @property
    def begun(self) -> list[int]:
        """Numbers of the trials that it has begun."""
        return [event["trial"] for event in self.events if event["event"] == "trial_started"]


def search_of(name: str, trials: int, *more: str) -> tuple[str, ...]:
    options = (*SMALL, "--epochs", "5", "--pruner", "none", "--baselines", "none")
    return (*options, "--trials", str(trials), "--study-name", name, *more)


def checked(name: str, trials: int) -> None:
    """All are there once, each with the whole of its curve, and nothing runs any more."""
    found = study(name, os.environ[VARIABLE])
    assert [trial.number for trial in found.trials] == list(range(trials))
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE}
    assert all(len(trial.user_attrs["curve"]["val_acc"]) == 5 for trial in found.trials)
    assert len({canonical_key(config_of(trial)) for trial in found.trials}) == trials
    assert not any(found.user_attrs[key] for key in found.user_attrs if key.startswith("owner"))


@pytest.fixture
def machines(on_server: Path) -> Iterator[Callable[..., Machine]]:
    """Makes machines, which end with the test."""
    made: list[Machine] = []

    def make(host: str, *arguments: str, stale: float = 60.0) -> Machine:
        made.append(Machine(on_server, host, *arguments, stale=stale))
        return made[-1]

    yield make
    for machine in made:
        machine.kill()


def joined(
    machines: Callable[..., Machine], name: str, trials: int, stale: tuple[float, float]
) -> tuple[Machine, Machine]:
    """Two machines that share a study. The first one is frozen from when it knows of the other,
    which has trained two epochs. Neither has done all trials before the other could begin one."""
    first = machines("first", *search_of(name, trials), stale=stale[0])
    first.until("trial_ended")
    first.process.send_signal(signal.SIGSTOP)
    second = machines("second", *search_of(name, trials, "--join"), stale=stale[1])
    second.until("study")
    first.process.send_signal(signal.SIGCONT)
    while "on second works on this study too" not in first.until("note")[0]["text"]:
        pass
    first.process.send_signal(signal.SIGSTOP)
    second.until("epoch", 2)
    return first, second


def test_two_machines_share_a_study_and_one_is_killed(
    machines: Callable[..., Machine], run_main: RunMain
) -> None:
    first, second = joined(machines, "shared", 16, stale=(5.0, 60.0))
    code, _, err = run_main(run, *search_of("shared", 16))
    assert code == 2 and f"is being run by process {first.process.pid} on first" in err
    _, out, _ = run_main(status, "--study-name", "shared")
    for name, machine in (("first", first), ("second", second)):
        assert f"run by process {machine.process.pid} on {name}" in out
    second.process.kill()
    first.process.send_signal(signal.SIGCONT)
    err = first.end()
    second.end()
    assert first.process.returncode == 0, err
    assert f"process {second.process.pid} on second has been silent for" in first.notes
    checked("shared", 16)
    assert first.begun and second.begun
    # What the killed one had not ended was begun anew.
    assert set(first.begun) | set(second.begun) == set(range(16))
    ended = [event for event in first.events if event["event"] == "trial_ended"]
    assert sorted(event["trial"] for event in ended) == list(range(16))
    assert [event["done"] for event in ended] == list(range(1, 17))


@ON_POSTGRESQL
def test_a_machine_that_slept_stores_nothing_when_it_wakes_up(
    machines: Callable[..., Machine],
) -> None:
    first, second = joined(machines, "slept", 12, stale=(60.0, 5.0))
    err = second.end()
    assert second.process.returncode == 0, err
    assert f"process {first.process.pid} on first has been silent for" in second.notes
    checked("slept", 12)
    before = study("slept", os.environ[VARIABLE]).trials
    first.process.send_signal(signal.SIGCONT)
    err = first.end()
    assert first.process.returncode == 2
    assert "has been run by another process meanwhile" in err and err.count("\n") == 1
    assert study("slept", os.environ[VARIABLE]).trials == before


@ON_POSTGRESQL
def test_the_same_command_on_all_machines_at_once(machines: Callable[..., Machine]) -> None:
    both = [machines(host, *search_of("at once", 5, "--join")) for host in ("first", "second")]
    for machine in both:
        err = machine.end()
        assert machine.process.returncode == 0, err
    checked("at once", 5)
    assert sorted(both[0].begun + both[1].begun) == list(range(5))


def test_who_is_frozen_in_a_transaction_holds_up_the_others_for_a_while_only(
    server: Server, on_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen: nothing follows on its lock."""
    monkeypatch.setattr(servers, "IDLE_S", 1)
    opened = open_storage(os.environ[VARIABLE])
    lock = text("SELECT * FROM version_info FOR UPDATE")
    with opened.engine.connect() as frozen, opened.engine.connect() as other:
        frozen.execute(lock)
        other.execute(text(server.WAITS))
        other.execute(lock)
        with pytest.raises(DBAPIError, match=server.ENDED):
            frozen.execute(text("SELECT 1"))


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--per-class", "10"), "was begun with other settings: per_class (study: 20, now: 10)"),
        (("--space", "resnet9"), "was begun with other settings: space"),
        (("--seed", "5"), "is being run with other settings: seed (study: 0, now: 5)"),
    ],
)
@pytest.mark.usefixtures("on_server")
def test_another_search_cannot_be_joined(
    run_main: RunMain, change: tuple[str, ...], said: str
) -> None:
    search = search_of("mine", 1)
    if change[0] == "--per-class":
        assert run_main(run, *search).code == 0
    found = study("mine", os.environ[VARIABLE])
    found.set_user_attr(OWNER, beat(shares=True) | {"host": "elsewhere", "run": "0" * 32})
    code, _, err = run_main(run, *search, "--trials", "3", "--join", *change)
    assert code == 2 and said in err and err.count("\n") == 1
