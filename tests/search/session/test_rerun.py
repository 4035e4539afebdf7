"""What is not as it was when a study began."""

from search.session.rerun import differences


def test_what_differs_between_then_and_now_is_named() -> None:
    then = {"torch": "2.0", "device": "cpu", "data_fingerprint": "a"}
    assert differences(then, {"torch": "2.0", "device": "cpu", "cpu": "AVX2"}, "a", 1, 1) == []
    assert differences(then, {"torch": "2.1", "device": "NVIDIA H100"}, "b", 1, 2) == [
        "torch 2.0 then, 2.1 now",
        "device cpu then, NVIDIA H100 now",
        "the images, whose content has changed",
        "threads 1 then, 2 now",
    ]
