"""What a notebook shows of a running search."""

from paretrain.screen import in_notebook
from search.session.events import EpochDone, Note, TrialEnded
from search.session.notebook import Notebook


class _Shown(Notebook):
    """Counts what a browser is sent."""

    def __init__(self) -> None:
        super().__init__(done=1, trials=4)
        self.pages: list[str] = []

    def _show(self, now: bool) -> None:
        self.pages.append(self.page())


def ended(reason: str) -> TrialEnded:
    return TrialEnded(1, "stopped", reason, 1200, "4-M-4-M", None, done=2, trials=4)


def test_this_is_no_notebook() -> None:
    assert not in_notebook()


def test_the_bar_grows_with_every_epoch_and_trial() -> None:
    shown = _Shown()
    for event in (EpochDone(1, 1, 2, 0.5), ended("epoch 1: others promise more")):
        shown(event)
    assert 'value="0.3750"' in shown.pages[0] and "1 of 4 trials" in shown.pages[0]
    assert 'value="0.5000"' in shown.pages[1] and "2 of 4 trials" in shown.pages[1]
    assert "others promise more" in shown.pages[1]


def test_names_are_text_and_only_the_last_lines_are_kept() -> None:
    shown = _Shown()
    shown(ended("<script>alert(1)</script>"))
    assert "<script>" not in shown.pages[-1] and "&lt;script&gt;" in shown.pages[-1]
    for number in range(10):
        shown(Note(f"note {number}"))
    assert "note 9" in shown.pages[-1] and "note 2" not in shown.pages[-1]
