"""Pieces of remote files kept on this disk, up to a bound; what was not read for longest goes first."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

BLOCK = (
    1 << 20
)  # bytes; a clip of ten seconds is a fifth of it, a request's round trip as long as half of it takes

Fetch = Callable[[int, int], bytes]  # from byte, so many bytes: all of them, or it raises


class Blocks:
    """A cache that many threads and processes may share; `most` bytes, exceeded only while one of them cleans up."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most
        self._lock = threading.Lock()
        self._held: int | None = None  # bytes, as far as this process knows
        self._writable = True

    def read(self, key: str, size: int, position: int, length: int, fetch: Fetch) -> bytes:
        """`length` bytes from `position` of the file of `size` bytes that `key`, a hash, names.

        What is not here comes by `fetch`, in as few pieces as possible, and stays.
        """
        end = min(position + length, size)
        parts: list[bytes] = []
        number, last = position // BLOCK, -(-end // BLOCK)
        while number < last:
            if (block := self._kept(key, number, size)) is not None:
                parts.append(block)
                number += 1
                continue
            missing = number + 1
            while missing < last and not self._path(key, missing).is_file():
                missing += 1
            data = fetch(number * BLOCK, min(missing * BLOCK, size) - number * BLOCK)
            for start in range(0, len(data), BLOCK):
                self._keep(self._path(key, number + start // BLOCK), data[start : start + BLOCK])
            parts.append(data)
            number = missing
        start = position - position // BLOCK * BLOCK
        return b"".join(parts)[start : start + max(0, end - position)]

    def _path(self, key: str, number: int) -> Path:
        return self.folder / key[:2] / f"{key}-{number}"

    def _kept(self, key: str, number: int, size: int) -> bytes | None:
        path = self._path(key, number)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data if len(data) == min(BLOCK, size - number * BLOCK) else None

    def _keep(self, path: Path, data: bytes) -> None:
        if not self._writable:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except OSError as error:
            self._writable = False
            logger.warning(
                "%s cannot be written (%s): nothing more is kept there", self.folder, error.strerror
            )
            with suppress(OSError):
                temporary.unlink()
            return
        with self._lock:
            self._held = self._used() if self._held is None else self._held + len(data)
            if self._held > self.most:
                self._held = self._cleaned()

    def _used(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _cleaned(self) -> int:
        """Bytes left after the oldest blocks have made room for a tenth of the bound."""
        files = sorted(self._files())
        held = sum(size for _, size, _ in files)
        for _, size, path in files:
            if held <= self.most - self.most // 10:
                break
            with suppress(OSError):  # another process was first
                path.unlink()
            held -= size
        return held

    def _files(self) -> list[tuple[float, int, Path]]:
        """When each block was last read, its bytes, and where it is."""
        found = []
        for path in self.folder.glob("*/*"):
            with suppress(OSError):
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
        return found
