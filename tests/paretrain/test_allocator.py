"""Each in a process of its own, as a worker's: the heap of a process that has run other tests is in
a state of theirs."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="settings of glibc"),
]
BEGINNING = """
import resource
import psutil
import torch
import paretrain.training
from paretrain.allocator import give_back_memory

MEGABYTE = 2**20
"""
TAKEN_AGAIN = """
def taken_and_freed():
    torch.ones(64 * MEGABYTE, dtype=torch.uint8)

def faults():  # of all threads: torch fills a block by several
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def asked():
    before = faults()
    taken_and_freed()
    return faults() - before

for _ in range(20):  # the heap grows until a block fits into what was freed
    taken_and_freed()
again = [asked() for _ in range(20)]
pages = 20 * 64 * MEGABYTE // resource.getpagesize()  # all of them where nothing is kept
assert sum(again) < pages / 2, again
"""
GIVEN_BACK = """
def resident():
    return psutil.Process().memory_info().rss

some = [torch.ones(8 * MEGABYTE, dtype=torch.uint8) for _ in range(16)]
last = torch.ones(8, dtype=torch.uint8)  # what lies behind keeps the heap's end where it is
del some
kept = resident()
give_back_memory()
assert kept - resident() > 64 * MEGABYTE, (kept, resident())
assert last.sum() == 8
"""


@pytest.mark.parametrize("script", [TAKEN_AGAIN, GIVEN_BACK], ids=["taken again", "given back"])
def test_freed_memory_is_kept_until_it_is_given_back(script: str) -> None:
    """A block of 64 megabytes is taken again without asking the system for its pages."""
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
