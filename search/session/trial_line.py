"""How a trial ended, in a line."""

from paretrain.formatting import short_count
from search.session.events import TrialEnded


def trial_line(event: TrialEnded) -> str:
    """One line a trial: number, size, how it ended, and accuracy with network, or the reason."""
    head = f"{event.done}/{event.trials} #{event.number:<3} {short_count(event.num_params):>6}"
    where = " (elsewhere)" if event.elsewhere else ""
    if event.ending == "finished" and event.record is not None:
        guesses = ""
        if event.guesses:
            # Of a few validation images even 100% may be right by luck.
            words = "could be luck" if event.above_chance else "no better than guessing"
            guesses = f" ({words})"
        return f"{head} finished {event.record.val_acc:.1%}{guesses}{where}  {event.network}"
    return f"{head} {event.ending:<8} {event.reason}{where}"
