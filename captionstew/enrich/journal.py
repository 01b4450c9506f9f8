"""A journal: answers on disk as they come, one line each, so that a kill costs what is under way and no more."""

import fcntl
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from captionstew.enrich.engine import Answer
from captionstew.shards.atomic import disk_errors

SUFFIX = ".journal"
_encode = json.JSONEncoder(ensure_ascii=False).encode
Record = tuple[str, str | None, str, str | None, int, int]  # an Answer's fields, in its order


@dataclass(frozen=True)
class Read:
    """What a journal holds: its whole records, and how many lines are damaged other than a torn last one."""

    records: list[Record]
    damaged: int


class Journal:
    """The open journal of one writer; nobody else writes to it, and whoever finds it unlocked knows that it died.

    A line is the CRC-32 of its record and the record as JSON. Lines reach the system as they are added, so that a
    killed process loses none; `sync` makes them survive a power cut too.
    """

    def __init__(self, folder: Path) -> None:
        with disk_errors(folder, "Enrich.store"):
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                self.path = folder / f"{os.getpid():x}-{secrets.token_hex(6)}{SUFFIX}"
                self._descriptor = os.open(
                    self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644
                )
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
                if self.path.exists():  # else somebody took it for a dead one before it was locked
                    break
                os.close(self._descriptor)
        self.count = 0

    def add(self, answer: Answer) -> None:
        """The answer is on disk."""
        record = (
            answer.key,
            answer.text,
            answer.finish,
            answer.error,
            answer.prompt_tokens,
            answer.completion_tokens,
        )
        body = _encode(record).encode("utf-8", "replace")
        line = b"%08x %s\n" % (zlib.crc32(body), body)
        with disk_errors(self.path, "Enrich.store"):
            written = os.write(self._descriptor, line)
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        self.count += 1

    def sync(self) -> None:
        """Every line so far survives a power cut."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """The journal is anybody's."""
        os.close(self._descriptor)


def read_journal(path: Path) -> Read:
    """Every whole record; what a kill tore off at the end is no damage, for it was never answered."""
    data = path.read_bytes()
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    records = [record for record in map(_record, lines) if record is not None]
    return Read(records, len(lines) - len(records))


def abandoned(folder: Path) -> Iterator[Path]:
    """Journals whose writers are dead; each is locked while it is at hand, and gone afterwards if it was sealed."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # another process has just sealed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                yield path
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _record(line: bytes) -> Record | None:
    """The record of a line, or None where the checksum is not that of what stands there."""
    check, _, body = line.partition(b" ")
    try:
        if int(check, 16) != zlib.crc32(body):
            return None
        key, text, finish, error, prompt, completion = json.loads(body)
    except ValueError:
        return None
    return key, text, finish, error, prompt, completion
