"""The record of finished work: append-only, one line per (stage, shard), safe against a kill at any moment."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from captionstew.digest import file_sha256
from captionstew.errors import BuildError


@dataclass(frozen=True)
class Output:
    """One file that some work left behind, as it was when it was finished."""

    bytes: int
    sha256: str
    modified: int  # ns; an unchanged time and size spare hashing the file again

    @staticmethod
    def of(path: Path, sha256: str = "") -> "Output":
        """The file as it is now."""
        state = path.stat()
        return Output(state.st_size, sha256 or file_sha256(path), state.st_mtime_ns)

    def holds(self, path: Path) -> bool:
        """Whether the file is still there with the same content."""
        if not path.is_file() or (state := path.stat()).st_size != self.bytes:
            return False
        return state.st_mtime_ns == self.modified or file_sha256(path) == self.sha256


@dataclass(frozen=True)
class Entry:
    """One line: what was done, what came of it. Rows: received = kept + sum(drops)."""

    stage: str
    shard: str
    fingerprint: str
    received: int
    kept: int
    drops: dict[str, int]
    outputs: dict[str, Output]  # path inside the build folder -> state
    seconds: float


class Ledger:
    """The entries of a build folder; only one process writes, others may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "ledger.jsonl"
        self._entries: dict[tuple[str, str], Entry] = {}
        self._whole = 0  # bytes of finished lines; a kill while writing leaves a part of a line behind them
        self._load()

    def _load(self) -> None:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        self._whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[: self._whole].splitlines(), 1):
            try:
                entry = _entry(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BuildError(
                    f"{self.path} is damaged", cause=str(error), where=f"line {number}",
                    hint="delete that line, or start over with --fresh",
                ) from None  # fmt: skip
            self._entries[entry.stage, entry.shard] = entry

    def done(self, stage: str, shard: str, fingerprint: str) -> Entry | None:
        """The entry if this very work was finished and all it wrote is still there; else None."""
        entry = self._entries.get((stage, shard))
        if entry is None or entry.fingerprint != fingerprint:
            return None
        return entry if all(out.holds(self.folder / path) for path, out in entry.outputs.items()) else None

    def add(self, entry: Entry) -> None:
        """Write a line and make it durable; the outputs must be durable already."""
        assert entry.received == entry.kept + sum(entry.drops.values()), (
            f"{entry.stage} {entry.shard} lost rows: {entry}"
        )
        line = json.dumps(asdict(entry), sort_keys=True).encode() + b"\n"
        with self.path.open("ab") as file:
            file.truncate(self._whole)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._whole += len(line)
        self._entries[entry.stage, entry.shard] = entry

    def entries(self, stage: str | None = None) -> Iterable[Entry]:
        """The last entry of each (stage, shard), in the order they were first written."""
        return (entry for entry in self._entries.values() if stage is None or entry.stage == stage)


def _entry(line: dict[str, Any]) -> Entry:
    outputs = {path: Output(**state) for path, state in line.pop("outputs").items()}
    return Entry(**line, outputs=outputs)
