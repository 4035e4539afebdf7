"""Keeps workers busy with jobs, through everything that goes wrong with a process: a worker that
dies, hangs or is lost, and a lack of memory. Knows nothing of studies."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.epoch_result import EpochResult
from paretrain.networks.build import has_batch_statistics
from paretrain.own_network import refuse_untrusted
from search.workers.engine import Died, Lost, Pool
from search.workers.job import Job
from search.workers.protocol import (
    Epoch,
    Failed,
    Finished,
    Go,
    Measured,
    Resumed,
    Stop,
    Train,
    Warned,
)

STALL_S = 300.0
"""A worker that trains no batch for so long hangs, unless the user says otherwise."""
LOADING_S = 120.0
"""A worker may need so long until its first sign: a busy machine takes a while to load torch."""
AWAY_S = 5.0
"""Time between two looks at the workers, beyond the wait for a message, that counts as silence of
theirs. In what is more than that nobody listened to them: a decision took long, or Ctrl-Z."""
AWAY_MACHINE_S = 120.0
"""A machine that has not answered for so long is lost, where its engine has not said so before. Ray
does after about a minute."""
MOST_SET_ASIDE = 4
"""So many jobs that lacked memory wait until a device has nothing else to do; then it is emptied
for them, so that what they teach of memory is not learned at the end of the run."""
MOST_DEATHS = 3
"""A worker that dies so often without a job, and says nothing in between, cannot start."""


@dataclass(frozen=True)
class EpochOver:
    """An epoch is over. The worker trains on, and waits after the next one for `go_on` or
    `stop`."""

    job: Job
    result: EpochResult


@dataclass(frozen=True)
class CurveRestored:
    """The job goes on from its checkpoint."""

    job: Job


@dataclass(frozen=True)
class LatencyMeasured:
    """The latency of one image was measured, before the first epoch."""

    job: Job
    microseconds: int


@dataclass(frozen=True)
class ConfigChanged:
    """The job is trained without CUDA graphs, or in smaller pieces, from now on."""

    job: Job


@dataclass(frozen=True)
class JobFinished:
    """The job has ended: by its last epoch, by `stop` or by divergence."""

    job: Job


@dataclass(frozen=True)
class JobFailed:
    """The job has failed and is not tried again."""

    job: Job
    error: str
    details: str
    """Traceback, or what the worker wrote to standard error."""
    out_of_memory: bool = False


@dataclass(frozen=True)
class JobNote:
    """Something that the user should know, in one line."""

    job: Job
    text: str


@dataclass(frozen=True)
class WorkerReplaced:
    """A worker without a job has died; another one is in its place."""

    text: str
    """In one line."""


@dataclass(frozen=True)
class Woken:
    """Something else than a worker has news (see `Pool.wake`)."""

    message: object


Happening = (
    EpochOver
    | CurveRestored
    | LatencyMeasured
    | ConfigChanged
    | JobFinished
    | JobFailed
    | JobNote
    | WorkerReplaced
    | Woken
)


class Supervisor:
    """Hands jobs to the workers of a pool and tells what comes of them.

    A job whose worker dies is tried once more. One whose worker is lost with its machine goes on on
    another, as often as that happens. One that lacks memory beside others is tried again
    alone on its device, then without CUDA graphs, then in smaller pieces where that is the same
    training, or where it is allowed. A worker whose device computes no more is replaced.
    """

    def __init__(
        self,
        pool: Pool,
        stall_s: float = STALL_S,
        stall_hint: str = "",
        pieces_allowed: bool = False,
    ) -> None:
        """`stall_hint` follows the time without a batch in messages. `pieces_allowed`: also
        networks with BatchNorm may be trained in smaller pieces."""
        self._pool, self._stall_s, self._stall_hint = pool, stall_s, stall_hint
        self._pieces_allowed = pieces_allowed
        self._busy: dict[int, Job] = {}
        self._set_aside: deque[Job] = deque()
        """Jobs that lacked memory beside others, each with `alone_on`."""
        self._returned: deque[Job] = deque()
        """Jobs whose worker was lost: the next idle one takes them."""
        self._unread: deque[tuple[int, object]] = deque()
        """What workers have said and nobody has looked at yet."""
        self._looked = time.monotonic()
        """When it was last known what the workers had said."""
        self._idle_deaths: Counter[int] = Counter()
        """Deaths of each worker without a job since it last said anything."""
        self.busy_seconds = 0.0
        """Time that workers had a job, summed over them."""

    @property
    def jobs(self) -> list[Job]:
        """Jobs under way, or set aside until nothing runs beside them, or without their worker."""
        return [*self._busy.values(), *self._set_aside, *self._returned]

    @property
    def training(self) -> list[Job]:
        """Jobs that a worker has."""
        return list(self._busy.values())

    def hand_out(self, next_job: Callable[[], Job | None]) -> Iterator[Job]:
        """Give every idle worker a job, and yield each job that begins: those whose worker was
        lost, what `next_job` gives until it gives None, then those set aside, where nothing runs
        beside them."""
        if self._pool.workers and not self._busy:
            # A worker that died may have begun anew on another machine. Nobody else would tell.
            self._free_from({job.alone_on or "" for job in self._set_aside} - self._places_left)
        more = True
        for worker in self._pool.workers:
            if worker in self._busy or any(
                self._concerns(job, worker) for job in self._busy.values()
            ):
                continue
            waiting = [job for job in self._set_aside if self._concerns(job, worker)]
            job = None
            if more and len(waiting) < MOST_SET_ASIDE:
                job = self._returned.popleft() if self._returned else next_job()
            if job is None:
                more = more and len(waiting) >= MOST_SET_ASIDE
                if not waiting or self._under_way(waiting[0].alone_on or ""):
                    continue
                job = waiting[0]
                self._set_aside.remove(job)
                self._free_device(worker)
            self._train(worker, job)
            yield job

    def receive(self, timeout: float) -> Iterator[Happening]:
        """What happened until the next message or the end of the timeout, in seconds.

        Raises UserError when a worker cannot start.
        """
        self._listen(timeout)
        if self._unread:
            yield from self._interpret(*self._unread.popleft())
        self._listen(0)
        heard = {worker for worker, _ in self._unread}
        for worker, job in list(self._busy.items()):
            silent = self._looked - job.last_sign
            limit = max(self._stall_s, LOADING_S if job.silent else 0.0)
            if silent <= limit or worker in heard:
                continue
            unanswered = self._pool.silence(worker)
            if unanswered > AWAY_MACHINE_S:
                why = f"its machine has not answered for {unanswered:.0f} s"
                yield self._worker_lost(worker, Lost(why))
            elif unanswered < silent - limit:  # its machine was there when the time was over
                why = f"no batch for {silent:.0f} s{self._stall_hint}"
                yield from self._worker_died(worker, Died(0, why, "hangs"))

    def _listen(self, timeout: float) -> None:
        """Take in all that workers have said, so that nobody whose word lies unread is taken for
        silent. Waits for the first word only where none is known."""
        wait = 0.0 if self._unread else timeout
        away = -wait - AWAY_S
        while (received := self._pool.receive(wait)) is not None:
            self._unread.append(received)
            wait = 0.0
        now = time.monotonic()
        away += now - self._looked
        self._looked = now
        if away > 0:
            for job in self._busy.values():
                job.last_sign = min(now, job.last_sign + away)

    def go_on(self, job: Job, epoch: int) -> None:
        """The epoch has been judged: train on."""
        self._send(job, Go(trial=job.number, epoch=epoch))

    def stop(self, job: Job) -> None:
        """End the job between two batches."""
        job.stopping = True
        self._send(job, Stop(trial=job.number))

    def interrupt(self) -> list[Job]:
        """End all workers; gives the jobs that were under way or set aside."""
        self._pool.close()
        interrupted = self.jobs
        for job in interrupted:
            self._pause(job)
        self._busy.clear()
        self._set_aside.clear()
        self._returned.clear()
        return interrupted

    def _interpret(self, worker: int, message: object) -> Iterator[Happening]:
        job = self._busy.get(worker)
        if isinstance(message, Died):
            yield from self._worker_died(worker, message)
            return
        if isinstance(message, Lost):
            yield self._worker_lost(worker, message)
            return
        if worker < 0:
            yield Woken(message)
            return
        self._idle_deaths[worker] = 0
        if job is not None and getattr(message, "trial", None) == job.number:
            job.note_sign()
            yield from self._hear(worker, job, message)

    def _hear(self, worker: int, job: Job, message: object) -> Iterator[Happening]:
        match message:
            case Epoch(result=result):
                job.add_epoch(result)
                yield EpochOver(job, result)
            case Measured(microseconds=microseconds):
                job.measure_latency = False
                yield LatencyMeasured(job, microseconds)
            case Resumed(results=results):
                job.resume(results)
                yield CurveRestored(job)
            case Finished(seconds=seconds, confusion=confusion):
                self._release(worker, seconds)
                job.confusion, job.steps_as = confusion, message.steps_as
                yield JobFinished(job)
            case Failed(device_lost=True):
                # Not always this job's fault: what shares a GPU may fall together.
                yield from self._worker_died(worker, Died(0, message.error, "lost its device"))
            case Failed(out_of_memory=True):
                yield from self._out_of_memory(worker, message)
            case Failed():
                self._release(worker, message.seconds, lost=True)
                yield JobFailed(job, message.error, message.traceback)
            case Warned(text=text):
                yield JobNote(job, text)

    def _out_of_memory(self, worker: int, failed: Failed) -> Iterator[Happening]:
        job, device = self._busy[worker], self._pool.device(worker)
        self._pause(job, failed.seconds, lost=True)
        if len(self._under_way(device)) > 1 and job.alone_on is None:
            yield self._put_aside(worker, device, "out of memory, tried again alone")
        elif job.config.cuda_graphs:
            # A graph keeps the memory of a whole step, which validation then cannot have.
            yield from self._change(worker, job, {"cuda_graphs": False}, "without CUDA graphs")
        elif (pieces := self._smaller_pieces(job.config)) is not None:
            change = {"micro_batch": pieces}
            yield from self._change(worker, job, change, f"in pieces of {pieces} images")
        else:
            self._release(worker)
            yield JobFailed(job, "does not fit into memory", failed.traceback, out_of_memory=True)

    def _change(
        self, worker: int, job: Job, change: Mapping[str, object], how: str
    ) -> Iterator[Happening]:
        """Begin a job that lacked memory anew, with a changed configuration."""
        job.config = job.config.model_copy(update=dict(change))
        job.checkpoint.unlink(missing_ok=True)  # of another configuration
        yield ConfigChanged(job)
        yield JobNote(job, f"out of memory, {how}")
        self._train(worker, job)

    def _worker_died(self, worker: int, died: Died) -> Iterator[Happening]:
        unshared = self._restart(worker, lost=True)
        job = self._busy.get(worker)
        if job is None:
            self._idle_deaths[worker] += 1
            if self._idle_deaths[worker] >= MOST_DEATHS:
                raise UserError(f"a worker cannot start: {died}")
            yield WorkerReplaced(f"{died}; it had nothing to train, and was begun anew")
            return
        self._pause(job, lost=True)
        job.deaths += 1
        if job.deaths > 1:
            self._release(worker)
            yield JobFailed(job, str(died), died.stderr)
        elif died.killed and len(self._under_way(machine := self._pool.machine(worker))) > 1:
            # The system had killed it, for the memory of the machine.
            yield self._put_aside(worker, machine, f"{died}; tried again alone")
        else:
            without = ", without MPS" if unshared else ""
            yield JobNote(job, f"{died}; tried once more{without}")
            if worker in self._pool.workers:
                self._train(worker, job)
            else:  # until it has a place, another one may be idle
                del self._busy[worker]
                self._give_back(job)

    def _worker_lost(self, worker: int, lost: Lost) -> JobNote | WorkerReplaced:
        gone, job = self._places(worker), self._busy.pop(worker, None)
        self._restart(worker)
        if job is not None:
            self._pause(job, lost=True)
            self._give_back(job)
        self._free_from({*gone} - self._places_left)
        if job is None:
            return WorkerReplaced(f"{lost}; it had nothing to train")
        return JobNote(job, f"{lost}; goes on on another")

    @property
    def _places_left(self) -> set[str]:
        """Devices and machines that have a worker."""
        return {place for worker in self._pool.workers for place in self._places(worker)}

    def _free_from(self, gone: set[str]) -> None:
        """Let jobs go on anywhere that were to have one of these places for themselves."""
        for job in [job for job in self._set_aside if job.alone_on in gone]:
            self._set_aside.remove(job)
            job.alone_on = None
            self._returned.append(job)

    def _give_back(self, job: Job) -> None:
        """A job without its worker waits for the next idle one, or until it can be alone."""
        (self._returned if job.alone_on is None else self._set_aside).append(job)

    def _put_aside(self, worker: int, alone_on: str, why: str) -> JobNote:
        """Until nothing runs on that device or machine."""
        job = self._busy.pop(worker)
        job.alone_on = alone_on
        self._set_aside.append(job)
        return JobNote(job, why)

    def _under_way(self, place: str) -> list[Job]:
        """Jobs under way on a device or a machine."""
        return [job for worker, job in self._busy.items() if place in self._places(worker)]

    def _places(self, worker: int) -> tuple[str, str]:
        return self._pool.device(worker), self._pool.machine(worker)

    def _concerns(self, job: Job, worker: int) -> bool:
        """Whether nothing may run beside this job where that worker is."""
        return job.alone_on is not None and job.alone_on in self._places(worker)

    def _free_device(self, worker: int) -> None:
        """Begin the other workers of a GPU anew: each keeps its images and libraries there."""
        device = self._pool.device(worker)
        for other in self._pool.workers:
            on_gpu = not device.endswith("cpu")
            if on_gpu and other != worker and self._pool.device(other) == device:
                self._restart(other)

    def _restart(self, worker: int, lost: bool = False) -> bool:
        """A fresh process; what the former one said last is forgotten. See `Pool.restart`."""
        changed = self._pool.restart(worker, lost)
        self._unread = deque(said for said in self._unread if said[0] != worker)
        return changed

    def _smaller_pieces(self, config: TrainConfig) -> int | None:
        """Images for one forward pass: half as many, where that is the same training or allowed."""
        batch_norm = has_batch_statistics(config.network, config.data.image_size)
        if batch_norm and not self._pieces_allowed:
            return None
        images = config.micro_batch or config.batch_size
        return images // 2 if images > 1 else None

    def _train(self, worker: int, job: Job) -> None:
        # The worker runs what it is sent. Whoever made this job has asked before.
        refuse_untrusted(job.config.network, "the study")
        self._busy[worker] = job
        job.start()
        self._pool.send(
            worker,
            Train(
                trial=job.number,
                config=job.config,
                checkpoint=str(job.checkpoint),
                measure=job.measure_latency,
            ),
        )

    def _send(self, job: Job, message: Go | Stop) -> None:
        for worker, busy_with in self._busy.items():
            if busy_with is job:
                self._pool.send(worker, message)
                job.last_sign = time.monotonic()  # until now it may have waited for this

    def _release(self, worker: int, seconds: float | None = None, lost: bool = False) -> None:
        self._pause(self._busy.pop(worker), seconds, lost)

    def _pause(self, job: Job, seconds: float | None = None, lost: bool = False) -> None:
        self.busy_seconds += job.pause(seconds, lost)
