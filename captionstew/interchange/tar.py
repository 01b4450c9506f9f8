"""Tar archives with the same bytes for the same members: no times, no owners."""

import tarfile
from collections.abc import Callable

_END = bytes(2 * tarfile.BLOCKSIZE)


class Tar:
    """Members one after the other to `write`, as `tar` would (pax, POSIX.1-2001); `end` closes the archive."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._size = write, 0

    def add(self, name: str, data: bytes) -> None:
        """A regular file, readable by all, owned by nobody, of the year 1970."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._put(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        self._put(data)
        self._put(bytes(-len(data) % tarfile.BLOCKSIZE))

    def end(self) -> None:
        """The archive is whole."""
        self._put(_END)
        self._put(bytes(-self._size % tarfile.RECORDSIZE))

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._size += len(data)
