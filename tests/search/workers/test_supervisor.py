"""What becomes of jobs when a process dies, hangs or lacks memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from paretrain.cli import UserError
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.network_config import Norm
from search.workers.engine import Died, Lost
from search.workers.job import Job
from search.workers.protocol import (
    Alive,
    Epoch,
    Failed,
    Finished,
    Go,
    Measured,
    Ready,
    Resumed,
    Stop,
    Train,
    Warned,
)
from search.workers.supervisor import (
    AWAY_MACHINE_S,
    LOADING_S,
    MOST_DEATHS,
    MOST_SET_ASIDE,
    ConfigChanged,
    CurveRestored,
    EpochOver,
    Happening,
    JobFailed,
    JobFinished,
    JobNote,
    LatencyMeasured,
    Supervisor,
    Woken,
    WorkerReplaced,
)
from tests.makers import epoch_result
from tests.search.workers.fake_pool import FakePool

STALL = 10.0
BATCH = 32


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in ("job", "supervisor"):
        monkeypatch.setattr(f"search.workers.{module}.time", made)
    return made


class Scene:
    """A supervisor over a fake pool, with jobs that wait for it."""

    def __init__(
        self,
        clock: Clock,
        folder: Path,
        workers: int,
        norm: Norm,
        pieces_allowed: bool,
        devices: Sequence[str],
        machines: Sequence[str],
    ) -> None:
        self.clock = clock
        self.pool = FakePool(workers, devices, machines)
        self.supervisor = Supervisor(self.pool, STALL, " (a hint)", pieces_allowed)
        self.jobs: list[Job] = []
        self.waiting: list[Job] = []
        self._folder, self._norm = folder, norm

    def add(self, count: int) -> None:
        """Jobs with numbers from 0 on, each with a checkpoint."""
        for _ in range(count):
            number = len(self.jobs)
            stage = VGGStage(width=4, kernels=("3x3",))
            config = TrainConfig(
                network=VGGConfig(stages=(stage,), norm=self._norm),
                optimizer=SGDConfig(lr=0.1),
                batch_size=BATCH,
            )
            path = self._folder / f"{number}.pt"
            path.touch()
            self.jobs.append(Job(number, config, path))
        self.waiting = self.jobs[-count:]

    def hand_out(self) -> list[int]:
        """Numbers of the jobs that begin."""

        def next_job() -> Job | None:
            return self.waiting.pop(0) if self.waiting else None

        return [job.number for job in self.supervisor.hand_out(next_job)]

    def hears(self, worker: int, message: object) -> list[Happening]:
        """What happens when a worker says this."""
        self.pool.say(worker, message)
        return list(self.supervisor.receive(0))

    def nothing_comes(self, seconds: float = 0.0) -> list[Happening]:
        """What happens while the workers are listened to for so long and say nothing."""
        assert self.pool.silent
        happened = list(self.supervisor.receive(0))
        while seconds > 0:
            self.clock.now += min(1.0, seconds)
            seconds -= 1.0
            happened += self.supervisor.receive(0)
        return happened

    @property
    def running(self) -> list[int]:
        return [job.number for job in self.supervisor.training]


MakeScene = Callable[..., Scene]


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> MakeScene:
    """Makes one whose workers have jobs 0, 1, ...; `more` jobs wait."""

    def make(
        workers: int = 1,
        more: int = 0,
        norm: Norm = "none",
        pieces_allowed: bool = False,
        devices: Sequence[str] = (),
        machines: Sequence[str] = (),
    ) -> Scene:
        made = Scene(clock, tmp_path, workers, norm, pieces_allowed, devices, machines)
        made.add(workers + more)
        assert made.hand_out() == list(range(workers))
        return made

    return make


def no_memory(trial: int, seconds: float = 2.0) -> Failed:
    return Failed(
        trial=trial, error="cannot allocate", traceback="where", out_of_memory=True, seconds=seconds
    )


def epoch(trial: int, number: int) -> Epoch:
    return Epoch(trial=trial, result=epoch_result(number))


def texts(happened: list[Happening]) -> list[str]:
    return [one.text for one in happened if isinstance(one, JobNote)]


def test_idle_workers_are_given_jobs_while_there_are_any(scene: MakeScene) -> None:
    seen = scene(workers=2, more=1)
    assert seen.hand_out() == []
    assert seen.pool.trained == [(0, 0), (1, 1)]
    assert seen.hears(1, Finished(trial=1, seconds=1.0)) == [JobFinished(seen.jobs[1])]
    assert seen.hand_out() == [2]
    assert seen.hears(1, Finished(trial=2, seconds=1.0)) == [JobFinished(seen.jobs[2])]
    assert seen.hand_out() == [] and seen.running == [0]


def test_an_order_to_train_has_the_checkpoint_and_whether_to_measure(scene: MakeScene) -> None:
    seen = scene()
    seen.add(1)
    seen.jobs[1].measure_latency = True
    seen.hears(0, Finished(trial=0, seconds=1.0))
    seen.hand_out()
    first, second = (order for _, order in seen.pool.sent if isinstance(order, Train))
    assert first.checkpoint == str(seen.jobs[0].checkpoint) and not first.measure
    assert second.checkpoint == str(seen.jobs[1].checkpoint) and second.measure


def test_what_a_worker_tells_of_its_job_becomes_happenings(scene: MakeScene) -> None:
    seen = scene()
    (job,) = seen.jobs
    job.measure_latency = True
    assert seen.hears(0, Measured(trial=0, microseconds=77)) == [LatencyMeasured(job, 77)]
    assert not job.measure_latency, "a worker that begins again need not measure again"
    before = (epoch_result(1), epoch_result(2))
    assert seen.hears(0, Resumed(trial=0, results=before)) == [CurveRestored(job)]
    assert job.results == list(before) and job.epochs_spent == 2
    assert seen.hears(0, epoch(0, 3)) == [EpochOver(job, epoch_result(3))]
    assert [result.epoch for result in job.results] == [1, 2, 3] and job.epochs_spent == 3
    assert seen.hears(0, Warned(trial=0, text="be careful")) == [JobNote(job, "be careful")]
    assert seen.hears(0, Alive(trial=0)) == []
    confusion = ((1, 0), (0, 1))
    done = Finished(trial=0, seconds=1.0, confusion=confusion)
    assert seen.hears(0, done) == [JobFinished(job)] and job.confusion == confusion
    assert seen.supervisor.jobs == []


def test_verdicts_go_to_the_worker_that_has_the_job(scene: MakeScene) -> None:
    seen = scene(workers=2)
    seen.supervisor.go_on(seen.jobs[1], 4)
    seen.supervisor.stop(seen.jobs[0])
    assert seen.pool.sent[2:] == [(1, Go(trial=1, epoch=4)), (0, Stop(trial=0))]


def test_other_news_than_a_workers_is_passed_on(scene: MakeScene) -> None:
    seen = scene()
    seen.pool.wake("news")
    assert list(seen.supervisor.receive(0)) == [Woken("news")]


def test_a_job_that_lacks_memory_beside_others_holds_up_nobody_and_runs_alone_in_the_end(
    scene: MakeScene,
) -> None:
    seen = scene(workers=2, more=2)
    happened = seen.hears(0, no_memory(0))
    assert texts(happened) == ["out of memory, tried again alone"] and len(happened) == 1
    assert seen.running == [1] and seen.supervisor.jobs == [seen.jobs[1], seen.jobs[0]]
    assert seen.jobs[0].seconds_lost == 2.0 and seen.jobs[0].config.micro_batch is None
    assert seen.hand_out() == [2], "others go on"
    assert seen.hears(1, Finished(trial=1, seconds=1.0)) == [JobFinished(seen.jobs[1])]
    assert seen.hand_out() == [3] and seen.hand_out() == []
    seen.hears(0, Finished(trial=2, seconds=1.0))
    assert seen.hand_out() == [], "not beside another one"
    seen.hears(1, Finished(trial=3, seconds=1.0))
    assert seen.hand_out() == [0], "alone, and no other job is left"
    assert seen.running == [0] and seen.hand_out() == []
    seen.add(1)
    assert seen.hand_out() == [], "nothing begins beside it"
    assert seen.jobs[0].checkpoint.exists(), "it is of the same configuration"
    assert seen.hears(0, Finished(trial=0, seconds=1.0)) == [JobFinished(seen.jobs[0])]
    assert seen.hand_out() == [4]


def test_many_jobs_that_lack_memory_have_the_device_for_themselves_before_others_go_on(
    scene: MakeScene,
) -> None:
    """Else a search would learn only at its end how much memory there is."""
    workers = MOST_SET_ASIDE + 1
    seen = scene(workers, more=2)
    for worker in range(MOST_SET_ASIDE):
        seen.hears(worker, no_memory(worker))
    assert seen.hand_out() == [] and seen.running == [MOST_SET_ASIDE]
    seen.hears(MOST_SET_ASIDE, Finished(trial=MOST_SET_ASIDE, seconds=1.0))
    assert seen.hand_out() == [0] and seen.hand_out() == []
    seen.hears(0, Finished(trial=0, seconds=1.0))
    assert seen.hand_out() == [workers, workers + 1], "three that wait hold up nobody"


def test_a_job_that_lacks_memory_alone_is_trained_in_smaller_and_smaller_pieces(
    scene: MakeScene,
) -> None:
    seen = scene(workers=2)
    job = seen.jobs[0]
    seen.hears(0, no_memory(0))
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0]
    seen.add(1)
    for pieces in (16, 8, 4, 2, 1):
        job.checkpoint.touch()
        seen.hears(0, epoch(0, 1))
        changed, note = seen.hears(0, no_memory(0))
        assert changed == ConfigChanged(job)
        assert note == JobNote(job, f"out of memory, in pieces of {pieces} images")
        assert job.config.micro_batch == pieces and job.config.batch_size == BATCH
        assert not job.checkpoint.exists(), "it was of another configuration"
        worker, order = seen.pool.sent[-1]
        assert worker == 0 and isinstance(order, Train) and order.config == job.config
        assert seen.running == [0] and seen.hand_out() == [], "it still runs alone"
    (failed,) = seen.hears(0, no_memory(0))
    assert failed == JobFailed(job, "does not fit into memory", "where", out_of_memory=True)
    assert job.seconds_lost == job.seconds_spent == 7 * 2.0
    assert seen.hand_out() == [2]


def test_a_job_with_cuda_graphs_that_lacks_memory_alone_is_tried_without_them_first(
    scene: MakeScene,
) -> None:
    """They keep the memory of a step, so that the network may well fit without."""
    seen = scene(workers=1, norm="batch")
    job = seen.jobs[0]
    job.config = job.config.model_copy(update={"cuda_graphs": True})
    job.checkpoint.touch()
    changed, note = seen.hears(0, no_memory(0))
    assert changed == ConfigChanged(job) and not job.config.cuda_graphs
    assert note == JobNote(job, "out of memory, without CUDA graphs")
    assert not job.checkpoint.exists(), "it was of another configuration"
    _, order = seen.pool.sent[-1]
    assert isinstance(order, Train) and order.config == job.config
    (failed,) = seen.hears(0, no_memory(0))
    assert isinstance(failed, JobFailed) and failed.out_of_memory


def test_how_steps_have_run_is_kept_with_the_job(scene: MakeScene) -> None:
    seen = scene(workers=1)
    seen.hears(0, Finished(trial=0, seconds=1.0, steps_as="eager: only 12 steps"))
    assert seen.jobs[0].steps_as == "eager: only 12 steps"


def test_a_worker_that_has_the_machine_for_itself_need_not_wait_to_be_alone(
    scene: MakeScene,
) -> None:
    seen = scene(workers=1)
    changed, _ = seen.hears(0, no_memory(0))
    assert changed == ConfigChanged(seen.jobs[0]) and seen.jobs[0].config.micro_batch == 16


def test_batchnorm_is_not_cut_in_pieces_because_that_would_be_another_training(
    scene: MakeScene,
) -> None:
    seen = scene(workers=1, norm="batch")
    (failed,) = seen.hears(0, no_memory(0))
    assert isinstance(failed, JobFailed) and failed.out_of_memory
    assert seen.jobs[0].config.micro_batch is None and seen.supervisor.jobs == []


def test_batchnorm_is_cut_in_pieces_where_that_is_allowed(scene: MakeScene) -> None:
    seen = scene(workers=1, norm="batch", pieces_allowed=True)
    changed, _ = seen.hears(0, no_memory(0))
    assert changed == ConfigChanged(seen.jobs[0]) and seen.jobs[0].config.micro_batch == 16


def test_an_error_of_the_training_is_not_tried_again(scene: MakeScene) -> None:
    seen = scene()
    error = Failed(
        trial=0, error="ValueError: x", traceback="where", out_of_memory=False, seconds=3.0
    )
    assert seen.hears(0, error) == [JobFailed(seen.jobs[0], "ValueError: x", "where")]
    assert seen.jobs[0].seconds_lost == 3.0 and seen.pool.restarted == []


def test_a_job_whose_worker_dies_is_tried_once_more(scene: MakeScene, clock: Clock) -> None:
    seen = scene(workers=2)
    job = seen.jobs[1]
    clock.now += 5
    (note,) = seen.hears(1, Died(1, "first line\nSegmentation fault"))
    said = "worker ended with exit code 1: Segmentation fault"
    assert note == JobNote(job, f"{said}; tried once more")
    assert seen.pool.restarted == [1] and seen.pool.trained[-1] == (1, 1)
    assert job.seconds_lost == job.seconds_spent == 5.0 and seen.running == [0, 1]
    clock.now += 2
    (failed,) = seen.hears(1, Died(1, "Segmentation fault"))
    assert failed == JobFailed(job, said, "Segmentation fault")
    assert seen.pool.restarted == [1, 1] and seen.running == [0]
    assert job.seconds_lost == 7.0


def test_a_worker_that_was_killed_beside_others_may_have_lacked_memory(scene: MakeScene) -> None:
    seen = scene(workers=2)
    (note,) = seen.hears(0, Died(-9, ""))
    assert isinstance(note, JobNote) and note.text == (
        "worker ended with exit code -9: killed, as the system does when memory is short; tried "
        "again alone"
    )
    assert seen.pool.restarted == [0] and seen.running == [1] and seen.hand_out() == []
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0]


def test_a_worker_that_was_killed_alone_is_tried_once_more_at_once(scene: MakeScene) -> None:
    seen = scene(workers=1)
    assert texts(seen.hears(0, Died(-9, "")))[0].endswith("; tried once more")
    assert seen.running == [0] and seen.jobs[0].alone_on is None


def test_a_job_that_was_set_aside_after_a_kill_fails_when_its_worker_dies_again(
    scene: MakeScene,
) -> None:
    seen = scene(workers=2)
    seen.hears(0, Died(-9, ""))
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0]
    (failed,) = seen.hears(0, Died(-9, ""))
    assert isinstance(failed, JobFailed) and not failed.out_of_memory


def test_a_worker_that_hangs_is_ended_and_its_job_tried_once_more(
    scene: MakeScene, clock: Clock
) -> None:
    seen = scene()
    clock.now += 1
    seen.hears(0, epoch(0, 1))  # its libraries are loaded
    assert seen.nothing_comes(STALL) == []
    (note,) = seen.nothing_comes(0.5)
    assert isinstance(note, JobNote)
    assert note.text == "worker hangs: no batch for 10 s (a hint); tried once more"
    assert seen.pool.restarted == [0] and seen.pool.trained == [(0, 0), (0, 0)]
    assert seen.nothing_comes() == [], "the new worker has its own time"


def test_a_worker_whose_machine_is_away_does_not_hang(scene: MakeScene) -> None:
    """However short --stall is: a lost machine is none of the job's deaths."""
    seen = scene(devices=["a cpu"], machines=["a"])
    seen.hears(0, epoch(0, 1))
    seen.pool.silences[0] = STALL + 1
    assert seen.nothing_comes(STALL + 1) == [], "nobody knows yet whether it is there"
    seen.pool.silences[0] = 0.5
    assert texts(seen.nothing_comes(0.5))[0].startswith("worker hangs: no batch for 11 s"), "it is"
    assert seen.jobs[0].deaths == 1
    for _ in range(2):
        seen.hears(0, epoch(0, 2))
        seen.pool.silences[0] = AWAY_MACHINE_S
        assert seen.nothing_comes(STALL + 1) == []
        seen.pool.silences[0] += 1
        (note,) = texts(seen.nothing_comes())
        assert (
            note == "a worker was lost: its machine has not answered for 121 s; goes on on another"
        )
        assert seen.hand_out() == [0]
    assert seen.jobs[0].deaths == 1 and seen.pool.restarted == [0, 0, 0]


def test_every_sign_gives_a_worker_time(scene: MakeScene) -> None:
    seen = scene()
    for _ in range(5):
        assert seen.nothing_comes(STALL - 1) == []
        assert seen.hears(0, Alive(trial=0)) == []
    assert seen.pool.restarted == []


def test_a_worker_may_take_longer_until_its_first_sign(scene: MakeScene) -> None:
    assert LOADING_S > STALL
    seen = scene()
    assert seen.nothing_comes(LOADING_S) == []
    assert texts(seen.nothing_comes(1)) == [
        "worker hangs: no batch for 121 s (a hint); tried once more"
    ]
    (failed,) = seen.nothing_comes(LOADING_S + 1)
    assert isinstance(failed, JobFailed) and failed.error.startswith("worker hangs")


def test_a_decision_that_takes_long_makes_no_worker_hang(scene: MakeScene, clock: Clock) -> None:
    seen = scene(workers=4)
    for worker in range(4):
        seen.hears(worker, epoch(worker, 1))
    for worker in (0, 1, 2):  # they wait for what is decided; 3 trains on
        seen.pool.say(worker, epoch(worker, 2))
    judged: list[int] = []
    while not seen.pool.silent or len(judged) < 3:
        for happening in seen.supervisor.receive(0):
            assert isinstance(happening, EpochOver)
            judged.append(happening.job.number)
            clock.now += 40 * STALL
            seen.pool.say(3, Alive(trial=3))
            seen.supervisor.go_on(happening.job, 2)
    assert judged == [0, 1, 2] and seen.pool.restarted == []
    seen.nothing_comes(STALL + 5)
    assert sorted(seen.pool.restarted) == [0, 1, 2, 3], "a worker that hangs is still found"


def test_a_word_that_lies_unread_for_long_is_no_silence(scene: MakeScene, clock: Clock) -> None:
    """Each decision is short, but there are many of them before a worker's turn comes."""
    seen = scene(workers=4)
    for worker in range(4):
        seen.hears(worker, epoch(worker, 1))
    for worker in range(4):
        seen.pool.say(worker, epoch(worker, 2))
    for worker in range(4):
        (over,) = list(seen.supervisor.receive(0))
        assert isinstance(over, EpochOver) and over.job.number == worker
        clock.now += STALL / 2.5
        seen.supervisor.go_on(over.job, 2)
    assert seen.pool.restarted == []


def test_time_in_which_the_coordinator_stood_still_is_no_silence(
    scene: MakeScene, clock: Clock
) -> None:
    seen = scene(workers=2)
    seen.hears(0, epoch(0, 1))
    clock.now += 3600  # Ctrl-Z, and an hour later fg: what was said is still in the pipes
    assert seen.nothing_comes() == [] and seen.pool.restarted == []
    (hangs,) = texts(seen.nothing_comes(STALL + 1))
    assert hangs.startswith("worker hangs: no batch for 11 s") and seen.pool.restarted == [0]


@pytest.mark.parametrize(
    "message",
    [
        epoch(0, 1),
        Finished(trial=0, seconds=1.0),
        no_memory(0),
        Measured(trial=0, microseconds=5),
        Resumed(trial=0, results=(epoch_result(1),)),
        Warned(trial=0, text="late"),
    ],
)
def test_a_message_of_a_job_that_the_worker_no_longer_has_changes_nothing(
    scene: MakeScene, clock: Clock, message: Any
) -> None:
    seen = scene(workers=1, more=1)
    seen.hears(0, Finished(trial=0, seconds=1.0))
    assert seen.hears(0, message) == [], "the worker is idle"
    assert seen.hand_out() == [1]
    clock.now += 3
    before = (seen.jobs[1].last_sign, seen.supervisor.busy_seconds, len(seen.pool.sent))
    assert seen.hears(0, message) == [], "the worker has another job"
    assert seen.running == [1] and seen.jobs[0].results == seen.jobs[1].results == []
    assert (seen.jobs[1].last_sign, seen.supervisor.busy_seconds, len(seen.pool.sent)) == before


def test_an_epoch_after_the_stop_is_spent_but_not_on_the_curve(scene: MakeScene) -> None:
    seen = scene()
    (job,) = seen.jobs
    seen.hears(0, epoch(0, 1))
    seen.supervisor.stop(job)
    assert seen.hears(0, epoch(0, 2)) == [EpochOver(job, epoch_result(2))]
    assert job.stopping and job.epochs_spent == 2
    assert job.results == [epoch_result(1)]
    assert seen.hears(0, Finished(trial=0, seconds=2.0)) == [JobFinished(job)]
    assert job.confusion is None


def test_a_job_that_begins_again_without_a_checkpoint_has_a_new_curve(scene: MakeScene) -> None:
    seen = scene()
    (job,) = seen.jobs
    for number in (1, 2):
        seen.hears(0, epoch(0, number))
    seen.supervisor.stop(job)
    seen.hears(0, Died(1, ""))
    assert not job.stopping, "the new worker has not been told to stop"
    seen.hears(0, epoch(0, 1))
    assert job.results == [epoch_result(1)] and job.epochs_spent == 3


def test_a_worker_that_dies_without_a_job_is_replaced(scene: MakeScene) -> None:
    seen = scene(workers=2, more=1)
    seen.waiting, later = [], seen.waiting
    seen.hears(0, Finished(trial=0, seconds=1.0))
    assert seen.hand_out() == []
    for _ in range(2 * MOST_DEATHS):
        (replaced,) = seen.hears(0, Died(-9, ""))
        assert replaced == WorkerReplaced(
            "worker ended with exit code -9: killed, as the system does when memory is short; it "
            "had nothing to train, and was begun anew"
        )
        assert seen.hears(0, Ready(device_name="cpu")) == [], "it has started well"
    assert seen.pool.restarted == [0] * 2 * MOST_DEATHS and seen.running == [1]
    seen.waiting = later
    assert seen.hand_out() == [2] and seen.pool.trained[-1] == (0, 2)


def test_a_worker_that_dies_again_and_again_before_it_says_anything_cannot_start(
    scene: MakeScene,
) -> None:
    seen = scene(workers=1)
    seen.hears(0, Finished(trial=0, seconds=1.0))
    for _ in range(MOST_DEATHS - 1):
        assert len(seen.hears(0, Died(3, "no torch"))) == 1
    with pytest.raises(UserError, match=r"a worker cannot start: .* exit code 3: no torch"):
        seen.hears(0, Died(3, "no torch"))


def test_what_a_worker_said_before_it_was_replaced_is_forgotten(scene: MakeScene) -> None:
    seen = scene(workers=2)
    seen.pool.say(0, Died(1, "a fault"))
    seen.pool.say(0, epoch(0, 7))  # as if the dead one had said it
    assert len(list(seen.supervisor.receive(0))) == 1
    assert list(seen.supervisor.receive(0)) == [] and seen.jobs[0].results == []


def test_an_interruption_gives_all_jobs_back_and_stops_their_clocks(
    scene: MakeScene, clock: Clock
) -> None:
    seen = scene(workers=3)
    clock.now += 1
    seen.hears(0, no_memory(0, seconds=1.0))
    clock.now += 4
    assert seen.supervisor.interrupt() == [seen.jobs[1], seen.jobs[2], seen.jobs[0]]
    assert seen.pool.closed and seen.supervisor.jobs == seen.supervisor.training == []
    clock.now += 100
    assert [job.seconds for job in seen.jobs] == [1.0, 5.0, 5.0]
    assert [job.seconds_lost for job in seen.jobs] == [1.0, 0.0, 0.0]
    assert seen.supervisor.busy_seconds == 11.0


def test_busy_seconds_are_those_of_all_workers_and_all_attempts(
    scene: MakeScene, clock: Clock
) -> None:
    seen = scene(workers=2, more=1)
    clock.now += 2
    seen.hears(0, Died(1, ""))  # 2 s by the clock
    clock.now += 3
    seen.hears(0, Finished(trial=0, seconds=2.5))  # as the worker says
    seen.hears(1, Finished(trial=1, seconds=4.5))
    assert seen.supervisor.busy_seconds == 2 + 2.5 + 4.5
    clock.now += 10  # idle
    assert seen.hand_out() == [2]
    clock.now += 1
    assert seen.jobs[2].seconds == 1.0, "also while it runs"
    seen.supervisor.interrupt()
    assert seen.supervisor.busy_seconds == 10.0
    assert seen.supervisor.busy_seconds == sum(job.seconds for job in seen.jobs)


TWO_GPUS = ("cuda:0", "cuda:0", "cuda:1", "cuda:1")


def test_a_lack_of_memory_on_one_gpu_does_not_hold_up_the_others(scene: MakeScene) -> None:
    seen = scene(workers=4, devices=TWO_GPUS)
    seen.hears(0, no_memory(0))
    seen.hears(2, Finished(trial=2, seconds=1.0))
    assert seen.hand_out() == [], "on the other GPU it would lack what it lacked here"
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0] and seen.pool.trained[-1] == (0, 0)
    assert seen.pool.restarted == [1], "the idle worker beside it kept memory"
    assert seen.hand_out() == []
    seen.add(3)
    assert seen.hand_out() == [4], "the other GPU goes on"
    assert seen.pool.trained[-1] == (2, 4)
    seen.hears(3, Finished(trial=3, seconds=1.0))
    assert seen.hand_out() == [5] and seen.pool.trained[-1] == (3, 5)
    seen.hears(0, Finished(trial=0, seconds=1.0))
    assert seen.hand_out() == [6] and seen.pool.trained[-1] == (0, 6)


def test_alone_on_its_gpu_a_job_has_nobody_to_wait_for(scene: MakeScene) -> None:
    seen = scene(workers=2, devices=("cuda:0", "cuda:1"))
    changed, note = seen.hears(0, no_memory(0))
    assert changed == ConfigChanged(seen.jobs[0])
    assert note == JobNote(seen.jobs[0], "out of memory, in pieces of 16 images")


def test_a_worker_killed_for_the_memory_of_the_machine_waits_for_all_gpus(
    scene: MakeScene,
) -> None:
    seen = scene(workers=2, devices=("cuda:0", "cuda:1"))
    seen.hears(0, Died(-9, ""))
    assert seen.hand_out() == []
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0]
    seen.add(1)
    assert seen.hand_out() == [], "not even on the other GPU"
    seen.hears(0, Finished(trial=0, seconds=1.0))
    assert seen.hand_out() == [2]


def test_a_worker_whose_gpu_computes_no_more_is_replaced_and_its_job_tried_once_more(
    scene: MakeScene,
) -> None:
    seen = scene(workers=2, devices=("cuda:0", "cuda:0"))
    error = "AcceleratorError: CUDA error: an illegal memory access was encountered"
    lost = Failed(
        trial=0, error=error, traceback="", out_of_memory=False, seconds=1.0, device_lost=True
    )
    assert texts(seen.hears(0, lost)) == [f"worker lost its device: {error}; tried once more"]
    assert seen.pool.restarted == [0] and seen.pool.trained[-1] == (0, 0)
    (failed,) = seen.hears(0, lost)
    assert isinstance(failed, JobFailed) and failed.error == f"worker lost its device: {error}"
    assert seen.pool.restarted == [0, 0] and seen.running == [1]


def test_what_shares_a_gpu_through_a_server_does_not_after_one_is_lost(scene: MakeScene) -> None:
    seen = scene(workers=2, devices=("cuda", "cuda"))
    seen.pool.sharing = True
    lost = Failed(
        trial=0, error="e", traceback="", out_of_memory=False, seconds=1.0, device_lost=True
    )
    (first,) = texts(seen.hears(0, lost))
    assert first.endswith("; tried once more, without MPS")
    # The other one falls with it, and has its second try beside nobody that could pull it down.
    (second,) = texts(seen.hears(1, Died(1, "")))
    assert second.endswith("; tried once more") and seen.running == [0, 1]


def test_a_job_whose_worker_is_lost_goes_on_on_the_next_idle_one_however_often(
    scene: MakeScene,
) -> None:
    seen = scene(workers=2, more=1)
    seen.hears(0, epoch(0, 1))
    for _ in range(5):
        seen.pool.workers = [1]  # the other's place is not there any more
        (note,) = seen.hears(0, Lost("its node is gone"))
        assert isinstance(note, JobNote) and "its node is gone" in note.text
        assert seen.hand_out() == [], "nobody is idle"
        assert seen.supervisor.jobs == [seen.jobs[1], seen.jobs[0]]
        seen.pool.workers = [0, 1]  # a node has joined
        assert seen.hand_out() == [0], "before any other"
    assert seen.jobs[0].deaths == 0 and seen.jobs[0].checkpoint.exists()
    assert seen.pool.restarted == [0] * 5
    assert seen.hears(0, Resumed(trial=0, results=(epoch_result(1),)))
    assert seen.hears(0, Finished(trial=0, seconds=1.0)) == [JobFinished(seen.jobs[0])]
    assert seen.hand_out() == [2]


def test_an_idle_worker_may_be_lost_as_often_as_its_node_is(scene: MakeScene) -> None:
    seen = scene()
    seen.hears(0, Finished(trial=0, seconds=1.0))
    for _ in range(MOST_DEATHS + 1):
        (told,) = seen.hears(0, Lost("its node is gone"))
        assert isinstance(told, WorkerReplaced) and "its node is gone" in told.text


def test_jobs_of_lost_workers_are_interrupted_like_others(scene: MakeScene) -> None:
    seen = scene()
    seen.pool.workers = []
    seen.hears(0, Lost("its node is gone"))
    assert seen.supervisor.interrupt() == seen.jobs and not seen.supervisor.jobs


def test_a_job_that_needs_a_machine_for_itself_holds_up_no_other_machine(
    scene: MakeScene,
) -> None:
    devices, machines = ["a cpu", "a cpu", "b cpu"], ["a", "a", "b"]
    seen = scene(workers=3, more=2, devices=devices, machines=machines)
    assert texts(seen.hears(0, Died(-9, ""))) == [
        "worker ended with exit code -9: killed, as the system does when memory is short; "
        "tried again alone"
    ]
    assert seen.hand_out() == [3]
    seen.hears(0, Finished(trial=3, seconds=1.0))
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [4], "what waits does so until nothing else is left"
    seen.hears(0, Finished(trial=4, seconds=1.0))
    assert seen.hand_out() == [0] and seen.jobs[0].alone_on == "a"
    seen.add(2)
    assert seen.hand_out() == [], "not beside it"
    seen.hears(2, Finished(trial=2, seconds=1.0))
    assert seen.hand_out() == [5], "but on the other machine"


def test_a_job_that_was_to_have_a_machine_for_itself_goes_on_elsewhere_when_it_is_lost(
    scene: MakeScene,
) -> None:
    seen = scene(workers=3, devices=["a", "a", "b"], machines=["a", "a", "b"])
    seen.hears(0, no_memory(0))
    assert seen.jobs[0].alone_on == "a"
    seen.pool.workers = [1, 2]
    seen.hears(0, Lost("gone"))
    assert seen.jobs[0].alone_on == "a", "a worker of that machine is left"
    seen.pool.workers = [2]
    seen.hears(1, Lost("gone"))
    seen.hears(2, Finished(trial=2, seconds=1.0))
    assert [seen.hand_out(), seen.running] == [[1], [1]]
    seen.hears(2, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0] and seen.jobs[0].alone_on is None


def test_a_job_whose_worker_died_need_not_wait_for_its_next_place(scene: MakeScene) -> None:
    seen = scene(workers=2)
    seen.hears(1, Finished(trial=1, seconds=1.0))
    seen.pool.workers = [1]  # the other one begins anew, and has no place yet
    assert texts(seen.hears(0, Died(1, "boom"))) == [
        "worker ended with exit code 1: boom; tried once more"
    ]
    assert seen.jobs[0].deaths == 1 and seen.hand_out() == [0]
    assert seen.pool.trained[-1] == (1, 0)


def test_a_job_that_must_be_alone_stays_so_when_its_worker_dies(scene: MakeScene) -> None:
    places = ["a", "a", "b", "b"]
    seen = scene(workers=4, devices=places, machines=places)
    seen.hears(0, no_memory(0))
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [0] and seen.pool.trained[-1] == (0, 0)
    seen.pool.workers = [2, 3]  # those of the first machine have no place yet
    seen.hears(0, Died(1, "boom"))
    seen.hears(2, Finished(trial=2, seconds=1.0))
    assert seen.hand_out() == [], "not beside another one, on any machine"
    seen.pool.workers = [0, 1, 2, 3]
    assert seen.hand_out() == [0] and seen.pool.trained[-1] == (0, 0)


def test_a_job_whose_place_has_no_worker_any_more_is_trained_elsewhere(scene: MakeScene) -> None:
    """Workers that died may begin anew on other machines than theirs."""
    seen = scene(workers=3, devices=["a", "a", "b"], machines=["a", "a", "b"])
    seen.hears(0, Died(-9, ""))
    seen.hears(1, Died(1, "boom"))
    assert seen.jobs[0].alone_on == "a" and seen.running == [1, 2]
    seen.pool.devices = seen.pool.machines = ["b", "b", "b"]
    seen.hears(1, Finished(trial=1, seconds=1.0))
    assert seen.hand_out() == [], "it may still get its place"
    seen.pool.workers = []
    seen.hears(2, Finished(trial=2, seconds=1.0))
    assert seen.hand_out() == [] and seen.jobs[0].alone_on == "a", "nobody is there"
    seen.pool.workers = [1, 2]
    assert seen.hand_out() == [0] and seen.jobs[0].alone_on is None
    assert seen.hears(1, Finished(trial=0, seconds=1.0)) == [JobFinished(seen.jobs[0])]
    assert seen.supervisor.jobs == []
