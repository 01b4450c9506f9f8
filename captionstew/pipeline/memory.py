"""How this process gives memory back: seldom, since every clip needs the same again."""

import ctypes
import platform
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 512 << 20


@cache
def keep_freed_memory() -> None:
    """Let glibc keep freed buffers below 512 MB; elsewhere nothing changes.

    By default each array of over 128 kB to 32 MB is fetched from the kernel and given back, page by page: 11 % of
    the build's processor time.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _KEPT)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
