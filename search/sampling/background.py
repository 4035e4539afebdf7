"""The next proposal, made in a thread of its own while the workers train."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from paretrain.config import TrainConfig
from search.sampling.hint_trust import Belief
from search.sampling.proposer import Proposal, Proposer


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """What a proposer is to know and learn of a trial of an earlier run; its fields are those of
    `Proposer.know` and `Proposer.learn`."""

    config: TrainConfig
    size: int
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    val_acc: float
    finished: bool
    deviation: float
    began: bool | None


class BackgroundProposer:
    """Everything that a `Proposer` is asked or told, one after the other, in one thread. So for one
    worker and one seed the proposals are the same whatever the timing: each knows the trials that
    had ended when the one before it was taken."""

    def __init__(self, proposer: Proposer, ready: Callable[[], None]) -> None:
        """`ready` is called, from the thread, when a proposal has been made or has failed."""
        self._proposer, self._ready = proposer, ready
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="proposals")
        self._next: Future[Proposal] | None = None

    def know(
        self,
        config: TrainConfig,
        size: int,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> "Future[int]":
        """See `Proposer.know`."""
        return self._thread.submit(self._proposer.know, config, size, params, distributions)

    def learn(
        self,
        shadow: "int | Future[int]",
        val_acc: float | None,
        finished: bool,
        deviation: float = 0.0,
        size: int | None = None,
        began: bool | None = None,
    ) -> None:
        """See `Proposer.learn`."""

        def work() -> None:
            # A future of this thread, submitted earlier: it is done.
            number = shadow if isinstance(shadow, int) else shadow.result()
            self._proposer.learn(number, val_acc, finished, deviation, size, began)

        self._thread.submit(work)

    def recall(self, trials: Sequence[EndedTrial]) -> None:
        """`know`, `learn_latency` and `learn` of each, all as one task: three of their own for each
        of 10,000 trials took two seconds."""

        def work(trial: EndedTrial) -> None:
            shadow = self._proposer.know(
                trial.config, trial.size, trial.params, trial.distributions
            )
            self._proposer.learn_latency(trial.config, trial.size)
            self._proposer.learn(
                shadow, trial.val_acc, trial.finished, trial.deviation, began=trial.began
            )

        def all_work() -> None:
            for trial in trials:
                with suppress(Exception):  # as where each is a task: one takes no other with it
                    work(trial)

        if trials:
            self._thread.submit(all_work)

    def learn_memory(self, config: TrainConfig) -> None:
        """See `Proposer.learn_memory`. A proposal that is already made is thrown away."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._thread.submit(self._proposer.learn_memory, config)

    def learn_latency(self, config: TrainConfig, microseconds: int) -> None:
        """See `Proposer.learn_latency`."""
        self._thread.submit(self._proposer.learn_latency, config, microseconds)

    def prepare(self) -> None:
        """Begin to make the next proposal, unless one is being made or is ready."""
        if self._next is None:
            self._next = self._thread.submit(self._proposer.propose)
            self._next.add_done_callback(lambda _: self._ready())

    def take(self) -> Proposal | None:
        """The proposal, or None while it is being made. Raises UserError when nothing passes."""
        self.prepare()
        if self._next is None or not self._next.done():
            return None
        ready, self._next = self._next, None
        return ready.result()

    @property
    def prior_agreement(self) -> tuple[float, int] | None:
        """See `Proposer.prior_agreement`. After `close`, when nothing is being learned any more."""
        return self._proposer.prior_agreement

    @property
    def hint_trust(self) -> Belief:
        """See `Proposer.hint_trust`. After `close`, as above."""
        return self._proposer.hint_trust

    def close(self) -> None:
        """End the thread, when all that has ended has been learned. A proposal that is being made
        is not waited for; nothing is learned after it."""
        made = self._next is None or self._next.done() or self._next.cancel()
        self._next = None
        self._thread.shutdown(wait=made, cancel_futures=not made)
