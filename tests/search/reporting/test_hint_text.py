"""What is said of hints that trials contradict."""

from search.reporting.hint_text import hint_words


def test_only_hints_that_are_taken_half_as_often_as_at_first_are_named() -> None:
    assert hint_words({}) is None
    heeded = {"peak": 0.04, "flip": 0.6, "crop": 0.4, "batch_size": 0.2}
    words = hint_words({"hint_trust": {"trials": 12, "together": 0.5, "heeded": heeded}})
    assert words is not None
    assert words == (
        "Hints: 12 trials of this study contradict some HINTS of its space. At first a random "
        "network took each hinted value with a chance of 30%. Now that chance is 10% for "
        "batch_size, 2% for peak."
    )
    right = {"trials": 12, "together": 0.9, "heeded": {"flip": 0.6}}
    assert hint_words({"hint_trust": right}) is None
