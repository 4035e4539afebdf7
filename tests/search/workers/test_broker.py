"""The process that is connected to Ray, with actors that do what a test wants them to."""

import io
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from search.workers.cluster.messages import (
    FROM_BROKER,
    Answers,
    Begin,
    End,
    Ended,
    Heard,
    Placed,
    Send,
)

ray = pytest.importorskip("ray", reason="needs the extra [ray]")
from search.workers.cluster import broker as of_ray  # noqa: E402  (needs Ray)
from search.workers.cluster.broker import Broker  # noqa: E402

WAIT_S = 60.0


class Actor:
    """Answers at once; its process ends when it is killed, or when it has been told to end."""

    def __init__(self, name: str) -> None:
        self.name, self.killed, self.told = name, False, list[str]()
        self._over = threading.Event()
        for method in ("about", "hear", "send"):
            setattr(self, method, SimpleNamespace(remote=getattr(self, f"_{method}")))

    def kill(self) -> None:
        self.killed = True
        self._over.set()

    def _about(self) -> Any:
        return {"node": self.name, "address": self.name, "device": "cpu", "versions": {}}

    def _send(self, text: str) -> None:
        self.told.append(text)
        if text == "end":
            self._over.set()

    def _hear(self) -> Any:
        assert self._over.wait(WAIT_S)
        return [] if self.killed else ["a line", (0, "last words")]


class Stage:
    """A broker, and the actors that it makes: the first one only when it may."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.broker = Broker(self.out)
        self.actors: list[Actor] = []
        self.asked, self.may_be_made = threading.Event(), threading.Event()
        self.made = threading.Condition()

    def make(self, order: Begin) -> Actor:
        if order.life == 1:
            self.asked.set()
            assert self.may_be_made.wait(WAIT_S)
        with self.made:
            self.actors.append(Actor(f"life {order.life}"))
            self.made.notify_all()
        return self.actors[-1]

    def tend(self, life: int) -> threading.Thread:
        """The thread that tends a life of worker 0."""
        before = {*threading.enumerate()}
        self.broker.obey(Begin(worker=0, life=life, threads=1, gpus=0.0))
        (thread,) = {*threading.enumerate()} - before
        return thread

    @property
    def said(self) -> list[Any]:
        return [FROM_BROKER.validate_json(text) for text in self.out.getvalue().splitlines()]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage()
    monkeypatch.setattr(of_ray, "_actor", made.make)
    monkeypatch.setattr(ray, "get", lambda answer: answer)
    monkeypatch.setattr(ray, "kill", Actor.kill)
    yield made
    made.may_be_made.set()
    for actor in made.actors:
        actor.kill()


def test_a_former_life_of_a_worker_never_takes_the_place_of_the_next(stage: Stage) -> None:
    """Ray takes its time to make the first actor; meanwhile the worker is begun anew."""
    first = stage.tend(life=1)
    assert stage.asked.wait(WAIT_S)
    second = stage.tend(life=2)
    with stage.made:
        assert stage.made.wait_for(lambda: stage.actors, WAIT_S)
    stage.may_be_made.set()
    first.join(WAIT_S)
    assert [actor.name for actor in stage.actors] == ["life 2", "life 1"]
    assert stage.actors[1].killed and not stage.actors[0].killed
    stage.broker.obey(Send(worker=0, text="end"))
    second.join(WAIT_S)
    assert stage.actors[0].told == ["end"] and not stage.actors[1].told
    assert stage.said == [
        Placed(worker=0, life=2, node="life 2", address="life 2", device="cpu", versions={}),
        Answers(worker=0, life=2),
        Heard(worker=0, life=2, text="a line"),
        Ended(worker=0, life=2, exit_code=0, stderr="last words"),
    ]


def test_a_worker_that_is_ended_before_it_has_an_actor_leaves_none(stage: Stage) -> None:
    thread = stage.tend(life=1)
    assert stage.asked.wait(WAIT_S)
    stage.broker.obey(End(worker=0))
    stage.may_be_made.set()
    thread.join(WAIT_S)
    assert stage.actors[0].killed and not stage.said
