"""How long a run will take, from measured networks."""

from collections import deque
from typing import Any, cast

import pytest

from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.workers.engine import Died, Lost
from search.workers.forecast import COORDINATOR_S, Course, forecast, probe_all, wall_seconds
from search.workers.pool import WorkerPool
from search.workers.protocol import Probe, Probed, Ready

EPOCHS = 4


def config(seconds: float) -> TrainConfig:
    """A network whose width says how long its epoch takes, for `Timed`."""
    network = VGGConfig(stages=(VGGStage(width=round(100 * seconds), kernels=("3x3",)),))
    return TrainConfig(network=network, optimizer=SGDConfig(lr=0.1), epochs=EPOCHS)


class Timed:
    """Workers that take the time that is asked for; those of `dead` widths measure nothing."""

    def __init__(self, workers: int = 1, dead: tuple[int, ...] = ()) -> None:
        self.workers = list(range(workers))
        self._dead = dead
        self._said: deque[tuple[int, Probed | Died | Lost]] = deque()

    def send(self, worker: int, order: Probe) -> None:
        network = order.config.network
        assert isinstance(network, VGGConfig)
        width = network.stages[0].width
        took = None if width in self._dead else width / 100
        setup = None if took is None else 0.0
        self._said.append((worker, Probed(setup_seconds=setup, epoch_seconds=took, peak_bytes=7)))

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        return self._said.popleft()


class OnCluster(Timed):
    """One worker, which is lost once with its node while it measures a network of that width."""

    def __init__(self, lost_at: int, comes_back: bool) -> None:
        super().__init__()
        self._lost_at, self._comes_back = lost_at, comes_back

    def send(self, worker: int, order: Probe) -> None:
        assert worker in self.workers
        network = order.config.network
        assert isinstance(network, VGGConfig)
        if network.stages[0].width == self._lost_at:
            self._lost_at = 0
            self._said.append((worker, Lost("its node is gone")))
        else:
            super().send(worker, order)

    def restart(self, worker: int, lost: bool = False) -> bool:
        assert not lost, "it is not to blame"
        self.workers = []
        return False

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        if self._said:
            return self._said.popleft()
        if self._comes_back:
            self.workers = [0]
            return 0, Ready(device_name="cpu")
        return None


@pytest.mark.parametrize(("comes_back", "probed"), [(True, 2), (False, 1)])
def test_a_node_that_is_lost_while_networks_are_measured_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, comes_back: bool, probed: int
) -> None:
    if not comes_back:
        monkeypatch.setattr("search.workers.forecast.PLACE_S", 0.0)
    pool = cast(WorkerPool, OnCluster(lost_at=30, comes_back=comes_back))
    networks = [config(0.3), config(0.5)]
    found = forecast(pool, [config(0.1)], networks, Course(trials=3, share=lambda place: 1.0))
    assert found is not None and found.probed == probed
    assert found.seconds >= alone(trained(0.1, 0.1, 0.1), 3)


class OneDies(Timed):
    """Two workers; the first to measure dies, before the other one has measured the same."""

    def __init__(self) -> None:
        super().__init__(workers=2)
        self.restarted: list[int] = []

    def send(self, worker: int, order: Probe) -> None:
        if self.restarted or self._said:
            super().send(worker, order)
        else:
            self._said.append((worker, Died(1, "boom")))

    def restart(self, worker: int, lost: bool = False) -> bool:
        self.restarted.append(worker)
        return False


def test_what_others_measured_when_one_died_is_not_taken_for_the_next_network() -> None:
    pool = OneDies()
    assert probe_all(cast(WorkerPool, pool), config(0.1)) is None and len(pool.restarted) == 1
    probed = probe_all(cast(WorkerPool, pool), config(0.5))
    assert probed is not None and [each.epoch_seconds for each in probed] == [0.5, 0.5]


def forecasted(
    pool: Timed, baselines: list[float], examples: list[float], **course: Any
) -> tuple[float, float] | None:
    """(expected seconds, at most)."""
    course = {"share": lambda place: 0.5} | course
    like = [config(seconds) for seconds in examples]
    found = forecast(cast(WorkerPool, pool), [config(s) for s in baselines], like, Course(**course))
    return None if found is None else (found.seconds, found.seconds_at_most)


def trained(*epoch_seconds: float) -> float:
    """What whole trainings of networks with such epochs keep a worker busy."""
    return EPOCHS * sum(epoch_seconds)


def alone(work: float, trials: int) -> float:
    """What one worker takes that leaves a core to the coordinator."""
    return wall_seconds(work, trials, 1, crowded=False)


def test_baselines_are_never_stopped_and_examples_run_first() -> None:
    found = forecasted(Timed(), [0.1, 0.2], [0.3, 0.5], trials=5, later=1.5)
    later = 1.5 * 0.4
    whole = alone(trained(0.1, 0.2, 0.3, 0.5, later), 5)
    stopped = alone(trained(0.1, 0.2, 0.15, 0.25, later / 2), 5)
    assert found == pytest.approx((stopped, whole))


def test_no_more_networks_are_counted_than_trials_are_left() -> None:
    found = forecasted(Timed(), [0.1, 0.2], [0.3], trials=1)
    assert found == pytest.approx((alone(trained(0.1), 1),) * 2)


def test_no_more_networks_are_measured_than_will_run() -> None:
    def measured(fresh: bool) -> int:
        examples = [config(seconds) for seconds in (0.2, 0.3, 0.4, 0.5)]
        pool = cast(WorkerPool, Timed())
        found = forecast(pool, [config(0.1)], examples, Course(2, lambda _: 1.0, fresh=fresh))
        assert found is not None
        return found.probed

    assert (measured(fresh=True), measured(fresh=False)) == (2, 4)


def test_a_study_that_goes_on_has_its_first_networks_behind_it() -> None:
    found = forecasted(Timed(), [], [0.2, 0.6], trials=1, fresh=False)
    whole = alone(trained(0.4), 1)
    assert found is not None and found[1] == pytest.approx(whole)


def test_what_cannot_be_measured_is_left_out() -> None:
    assert forecasted(Timed(dead=(20,)), [], [0.2], trials=3) is None
    found = forecasted(Timed(dead=(20,)), [0.1], [0.2], trials=2)
    assert found is not None and found[1] == pytest.approx(alone(trained(0.1, 0.1), 2))


def test_workers_share_the_work_but_one_waits_for_the_last_trial() -> None:
    one, two = (wall_seconds(100, 20, workers, False) for workers in (1, 2))
    half_a_trial = 100 / 20 / 2
    assert two == pytest.approx(one - 100 + (100 + half_a_trial) / 2)


def test_the_coordinator_takes_its_time_where_there_is_no_core_for_it() -> None:
    free, crowded = (wall_seconds(100, 20, 2, crowded) for crowded in (False, True))
    assert crowded == pytest.approx(free + 20 * COORDINATOR_S / 2)


def test_what_an_epoch_of_each_network_took_is_told() -> None:
    found = forecast(
        cast(WorkerPool, Timed(dead=(30,))),
        [config(0.1)],
        [config(0.3), config(0.5)],
        Course(trials=5, share=lambda place: 0.5),
    )
    assert found is not None
    assert found.epochs == ((config(0.1), 0.1), (config(0.5), 0.5))
