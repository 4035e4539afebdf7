"""What the front rule asks of the trials that have ended. It is kept up to date as more end, so
that a decision costs the same in a study of a hundred trials and in one of ten thousand."""

from bisect import insort
from collections.abc import Sequence

from search.problem.front import GrowingFront, hypervolume
from search.stopping.curve import Curve
from search.stopping.final_accuracy import CompletedCurves
from search.stopping.late_start import Starts
from search.stopping.rule import View


class Ended:
    """The trials of a study that have ended, all that a view has shown so far."""

    def __init__(self, epochs: int) -> None:
        self.front: GrowingFront[Curve] = GrowingFront()
        """Of the finished trials."""
        self.completed = CompletedCurves((), epochs)
        """Finished trials that learned."""
        self.starts = Starts()
        self._epochs = epochs
        self._seen: tuple[list[Curve], list[Curve]] = ([], [])
        self._by_number: list[tuple[int, int]] = []
        """(number, epochs) of all, by number."""
        self._before: GrowingFront[Curve] = GrowingFront()
        """Front of the finished trials before those that `realised` calls recent ..."""
        self._recent: list[Curve] = []
        """... which are among these."""

    def shows(self, view: View) -> bool:
        """Whether all that was taken in so far is in this view too."""
        return view.epochs == self._epochs and all(
            len(now) >= len(seen)
            and (not seen or (now[0] is seen[0] and now[len(seen) - 1] is seen[-1]))
            for now, seen in zip((view.finished, view.stopped), self._seen, strict=True)
        )

    def catch_up(self, view: View) -> None:
        """Take in what has ended since the last time."""
        for now, seen in zip((view.finished, view.stopped), self._seen, strict=True):
            finished = seen is self._seen[0]
            for curve in now[len(seen) :]:
                seen.append(curve)
                self._take_in(curve, finished)

    def _take_in(self, curve: Curve, finished: bool) -> None:
        insort(self._by_number, (curve.number, len(curve.accs)))
        self.starts.add(curve, finished)
        if finished:
            self.front.add(curve)
            self._recent.append(curve)
            if curve.learned:
                self.completed.add(curve)

    def realised(self, view: View, trainings: float) -> float | None:
        """Hypervolume that the front gained an epoch over the last so many full trainings; None in
        a study that is not as old."""
        left, first = trainings * view.epochs, 0
        for number, epochs in reversed(self._by_number):
            first = number
            left -= epochs
            if left <= 0:
                break
        # Trials get their numbers in turn, so nobody who is not recent becomes so again.
        for curve in self._recent:
            if curve.number < first:
                self._before.add(curve)
        self._recent = [curve for curve in self._recent if curve.number >= first]
        before: Sequence[Curve] = self._before.points
        if left > 0 or not before:
            return None
        floor = view.target.reference_point(before)
        now = hypervolume(self.front.points, floor, view.largest)
        grown = now - hypervolume(before, floor, view.largest)
        return grown / (trainings * view.epochs - left)
