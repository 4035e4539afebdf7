"""What is said of hints that trials contradict."""

from search.reporting.hint_text import hint_words


def test_only_hints_that_are_taken_half_as_often_as_at_first_are_named() -> None:
    assert hint_words({}) is None
    heeded = {"peak": 0.04, "flip": 0.6, "crop": 0.4, "batch_size": 0.2}
    words = hint_words({"hint_trust": {"trials": 12, "together": 0.5, "heeded": heeded}})
    assert words is not None
    assert "12 trials of this study contradict those of batch_size (10%), peak (2%)." in words
    assert "30% at first" in words and "flip" not in words and "crop" not in words
    right = {"trials": 12, "together": 0.9, "heeded": {"flip": 0.6}}
    assert hint_words({"hint_trust": right}) is None
