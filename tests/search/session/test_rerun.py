"""What is not as it was when a study began."""

import torch

from search.session.rerun import differences, order_of_sums
from tests.makers import CONFIG


def test_what_differs_between_then_and_now_is_named() -> None:
    then = {"torch": "2.0", "device": "cpu", "data_fingerprint": "a"}
    assert differences(then, {"torch": "2.0", "device": "cpu", "cpu": "AVX2"}, "a", 1, 1) == []
    assert differences(then, {"torch": "2.1", "device": "NVIDIA H100"}, "b", 1, 2) == [
        "torch 2.0 then, 2.1 now",
        "device cpu then, NVIDIA H100 now",
        "the images, whose content has changed",
        "threads 1 then, 2 now",
    ]


def test_on_a_gpu_sums_have_no_order_unless_a_training_keeps_it() -> None:
    kept = CONFIG.model_copy(update={"deterministic": True})
    assert "--deterministic" in order_of_sums(CONFIG, torch.device("cuda"))[0]
    assert order_of_sums(kept, torch.device("cuda")) == []
    assert order_of_sums(CONFIG, torch.device("cpu")) == []
