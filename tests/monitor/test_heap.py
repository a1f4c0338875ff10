"""Freed memory goes back to the system, and what stays is not gone through again and again."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAGMENTED = """
import sys, threading
from monitor import heap
from tests.benchmarks.hotpath.process import rss_megabytes
import os
if sys.argv[1] == "bound":
    heap.bound()

def long_prompts():
    for size in (1 << 20, 1 << 17, 1 << 16):  # the first raises the threshold above what follows
        texts = [b"x" * (size + number) for number in range(300_000_000 // size // 8)]
        kept.append(texts[-1][:600])

kept = []
before = rss_megabytes(os.getpid())
threads = [threading.Thread(target=long_prompts) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(rss_megabytes(os.getpid()) - before)
"""


def left(how: str) -> float:
    """Megabytes that a process still holds after texts of many threads are gone."""
    done = subprocess.run([sys.executable, "-c", FRAGMENTED, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_less_is_held_of_what_was_freed() -> None:
    assert left("bound") < 0.5 * left("as it is")


FROZEN = """
import gc
from monitor import heap
loaded = len(gc.get_objects())
heap.freeze()
print(len(gc.get_objects()) < loaded / 10, gc.get_threshold() > (700, 10, 10))
"""


def test_what_is_loaded_is_left_out_of_collections() -> None:
    done = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
