"""What a pool on a Ray cluster makes of what its broker says. No Ray is needed: the tests speak."""

import queue
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paretrain.cli import UserError
from paretrain.config import DataConfig
from search.workers.cluster import pool as cluster_pool
from search.workers.cluster.messages import (
    Begin,
    FromBroker,
    Gone,
    Heard,
    Node,
    Placed,
    Send,
    ToBroker,
    Unusable,
)
from search.workers.cluster.pool import ClusterPool, Needs, refuse_silent
from search.workers.cluster.versions import versions
from search.workers.engine import Lost
from search.workers.protocol import Go, Prepared, Ready, line


@dataclass
class Told:
    """A pool whose broker says what a test says."""

    pool: ClusterPool
    notes: list[str] = field(default_factory=list)
    orders: list[ToBroker] = field(default_factory=list)

    def hear(self, said: FromBroker) -> tuple[int, object] | None:
        self.pool._inbox.put((getattr(said, "worker", -1), said))
        return self.pool.receive(0)

    @property
    def begun(self) -> Begin:
        """The order to begin that was given last."""
        return [each for each in self.orders if isinstance(each, Begin)][-1]

    def placed(self, node: str, worker: int = 0, **others: str) -> Placed:
        return Placed(
            worker=worker,
            life=self.pool._lives[worker],
            node=node,
            address=f"10.0.0.{ord(node)}",
            device="cpu",
            versions={**versions(), **others},
        )

    def prepared(self, worker: int = 0, **found: Any) -> Heard:
        said = Prepared(**{"fingerprint": "f", "shared": True, "computes": "cpu", **found})
        life = self.pool._lives[worker]
        return Heard(worker=worker, life=life, text=line(said).decode())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One worker was begun, and runs nowhere yet."""
    begin: Callable[..., Any] = subprocess.Popen

    def silent(command: list[str], **options: Any) -> Any:
        return begin(["sh", "-c", "cat > orders"], **options, cwd=tmp_path)

    monkeypatch.setattr(subprocess, "Popen", silent)
    nodes = (Node(id="a", address="10.0.0.97", cpus=1, gpus=0),)
    monkeypatch.setattr(ClusterPool, "_connected", lambda self: nodes)
    with monkeypatch.context() as patch:
        patch.setattr(ClusterPool, "_wait_for", lambda self, count: None)
        notes: list[str] = []
        pool = ClusterPool("10.0.0.97:6379", notes.append)
        made = Told(pool, notes)
        monkeypatch.setattr(pool, "_order", made.orders.append)
        pool.begin(1, 1, 0.0, Needs(DataConfig(), "f", tmp_path / "running", False))
    with pool:
        yield made


@pytest.mark.parametrize(
    ("why", "versions_there", "found"),
    [
        ("has other versions: torch", {"torch": "0.1"}, {}),
        ("has other images", {}, {"fingerprint": "other"}),
        ("cannot read the images", {}, {"fingerprint": None, "error": "no folder"}),
        ("no weights of resnet18", {}, {"weights": "no weights of resnet18 in w: place it there"}),
    ],
)
def test_a_node_that_lacks_what_is_needed_costs_no_worker(
    told: Told, why: str, versions_there: dict[str, str], found: dict[str, Any]
) -> None:
    for _ in range(2):  # one that waited for a place before may be placed there too
        first = told.begun
        told.hear(told.placed("b", 0, **versions_there))
        if found:
            told.hear(told.prepared(**found))
        assert told.begun.avoid == ("b",) and told.begun.life > first.life
        assert told.begun.after == 0 and told.pool.workers == []
    assert len(told.notes) == 1 and why in told.notes[0]
    # What it is told meanwhile, it hears on the node that has room.
    told.pool.send(0, Go(trial=0, epoch=1))
    told.hear(told.placed("c"))
    _, said = told.hear(told.prepared()) or (0, None)
    assert isinstance(said, Ready) and told.pool.workers == [0]
    assert isinstance(told.orders[-1], Send) and '"go"' in told.orders[-1].text
    # A lost one is not placed there either.
    assert isinstance((told.hear(Gone(worker=0, life=told.begun.life, why="x")) or [0, 0])[1], Lost)
    told.pool.restart(0)
    assert told.begun.avoid == ("b",)


def test_a_node_that_cannot_begin_a_worker_is_avoided_or_tried_again_later(told: Told) -> None:
    told.hear(Unusable(worker=0, life=told.begun.life, node="b", why="ModuleNotFoundError: search"))
    assert told.begun.avoid == ("b",) and told.begun.after == 0
    told.hear(Unusable(worker=0, life=told.begun.life, node="", why="OSError: no memory"))
    assert told.begun.avoid == ("b",) and told.begun.after == cluster_pool.UNUSABLE_S
    assert "ModuleNotFoundError" in told.notes[0] and "OSError" in told.notes[1]


def test_a_search_whose_workers_are_all_gone_ends_with_an_error(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.hear(told.placed("b"))
    told.hear(told.prepared())
    monkeypatch.setattr(cluster_pool, "NOBODY_S", -1.0)
    assert told.pool.receive(0) is None, "one is ready"
    told.hear(Gone(worker=0, life=told.begun.life, why="its node is gone"))
    told.pool.restart(0)
    monkeypatch.setattr(cluster_pool, "NOBODY_S", 600.0)
    assert told.pool.receive(0) is None, "its node may come back"
    monkeypatch.setattr(cluster_pool, "NOBODY_S", -1.0)
    with pytest.raises(
        UserError, match=r"no worker in the Ray cluster .* the same command goes on"
    ):
        told.pool.receive(0)


@pytest.mark.parametrize(
    "address",
    ["host", "ray://host:10001", "http://host:8265", "host:port", "a..b:1", "127.0.0.1:1"],
)
def test_an_address_that_is_none_is_refused_by_the_name_of_its_source(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match=re.escape(f"--ray-address {address}: ")):
        refuse_silent(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=re.escape(f"RAY_ADDRESS={address}: ")) as error:
        refuse_silent(address)
    assert "\n" not in str(error.value) and "ray start --head" in str(error.value)


def test_a_folder_that_nobody_used_is_gone_afterwards(told: Told, tmp_path: Path) -> None:
    """As when nodes are refused, and after a dry run."""
    assert len([*(tmp_path / "running").iterdir()]) == 1
    told.pool.close()
    assert not (tmp_path / "running").exists() and tmp_path.exists()


class Inbox(list[tuple[int, object] | None]):
    """Instead of a queue: None = for a while nothing came."""

    put = list.append

    def get(self, timeout: float | None = None) -> tuple[int, object]:
        if not self or (said := self.pop(0)) is None:
            raise queue.Empty
        return said


def test_a_node_that_decodes_the_images_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    inbox = Inbox()
    monkeypatch.setattr(told.pool, "_inbox", inbox)
    told.hear(told.placed("b"))
    inbox.extend([None, None, (0, told.prepared())])
    monkeypatch.setattr(cluster_pool, "PLACE_S", -1.0)
    told.pool._wait_for(1)
    assert told.pool.workers == [0] and len(told.notes) == 1 and "read the images" in told.notes[0]

    told.pool.restart(0)
    inbox.clear()
    with pytest.raises(UserError, match="no worker a place"):
        told.pool._wait_for(1)
    told.hear(told.placed("b"))
    monkeypatch.setattr(cluster_pool, "PREPARE_S", -1.0)
    with pytest.raises(UserError, match="no node has read the images of"):
        told.pool._wait_for(1)
