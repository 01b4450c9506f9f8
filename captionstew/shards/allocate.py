"""Room on the disk for a file that is about to be written."""

import ctypes
import sys
from functools import cache
from typing import Any

STEP = 32 << 20  # bytes asked for at a time where the end is not known


def allocate(descriptor: int, first: int, length: int) -> None:
    """Ask for blocks [first, first + length) of a file, its size growing with them; the writer cuts it at its end.

    A third of the price of writing to a new file is finding its blocks one page at a time. Where the system or the
    file system cannot do it (macOS, NFS), or the disk is full, nothing happens: the write itself will tell.
    """
    if sys.platform == "linux":
        _libc().fallocate(descriptor, 0, ctypes.c_int64(first), ctypes.c_int64(length))


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)
