"""How a process that works on audio uses memory and threads."""

import ctypes
import gc
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pyarrow as pa

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_LARGEST = 32 << 20  # bytes of a buffer that is kept (glibc takes no more); 80 s of 48 kHz stereo
_LOCK, _FOUND = threading.Lock(), list[tuple[int, int, int]]()  # thresholds of the garbage collector
_KEPT = 64 << 20  # bytes of free memory at the end of the heap


@contextmanager
def audio_process() -> Iterator[None]:
    """One BLAS thread per caller, and freed memory kept: 2.3 times less processor time (benchmarks/README.md).

    The products here are small: a pool of BLAS threads spends more on waiting than on them. Threads of our own
    work on other clips meanwhile.
    """
    from threadpoolctl import threadpool_limits

    with many_rows(), threadpool_limits(1, user_api="blas"):
        yield


@contextmanager
def many_rows() -> Iterator[None]:
    """Freed memory is kept meanwhile, and Python seldom looks for cyclic garbage, of which rows have none."""
    keep_freed_memory()
    try:
        with seldom_collected():
            yield
    finally:
        give_back_memory()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Cyclic garbage is looked for every million objects, not every 700: that took a third of enrichment's time.

    Several threads may be inside: who leaves last sets back what the first one found.
    """
    with _LOCK:
        _FOUND.append(gc.get_threshold())
        gc.set_threshold(1 << 20, *_FOUND[0][1:])
    try:
        yield
    finally:
        with _LOCK:
            gc.set_threshold(*_FOUND.pop())


@cache
def keep_freed_memory() -> None:
    """Let glibc keep freed buffers below 32 MB, in one arena per core, Arrow's too; elsewhere nothing changes.

    By default each array of over 128 kB to 32 MB is fetched from the kernel and given back, page by page: 11 %
    of the build's processor time. Arrow's own allocator does so with the audio of every row group.
    """
    if platform.libc_ver()[0] == "glibc":
        pa.set_memory_pool(pa.system_memory_pool())
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        libc.mallopt(
            _M_ARENA_MAX, max(2, os.cpu_count() or 1)
        )  # else eight per core, each with its own leavings


def give_back_memory() -> None:
    """Hand what is free to the system, so that one unit's leavings do not add up with the next one's."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
