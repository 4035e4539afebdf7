import sys

import psutil
import pytest
import torch

import paretrain.training  # noqa: F401 (keeps freed memory from now on)
from paretrain.allocator import give_back_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="settings of glibc")
MEGABYTE = 2**20


def _taken_and_freed(megabytes: int) -> None:
    torch.ones(megabytes * MEGABYTE, dtype=torch.uint8)


def test_a_block_of_64_megabytes_is_taken_again_without_asking_the_system() -> None:
    import resource

    def faults() -> int:
        return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt

    for _ in range(10):  # other tests leave a heap with holes, which fills up first
        _taken_and_freed(64)
    before = faults()
    for _ in range(5):
        _taken_and_freed(64)
    pages = 64 * MEGABYTE // resource.getpagesize()
    assert faults() - before < pages / 2


def test_what_is_free_is_given_back_to_the_system() -> None:
    def resident() -> int:
        return psutil.Process().memory_info().rss

    some = [torch.ones(8 * MEGABYTE, dtype=torch.uint8) for _ in range(16)]
    last = torch.ones(8, dtype=torch.uint8)  # what lies behind keeps the heap's end where it is
    del some
    kept = resident()
    give_back_memory()
    assert kept - resident() > 64 * MEGABYTE
    assert last.sum() == 8
