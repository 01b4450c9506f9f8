"""WebDataset-like tar files: `<key>.<audio>` beside `<key>.json` or `<key>.txt`; no audio is unpacked."""

import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from captionstew.corpora.find import Found
from captionstew.corpora.walk import SUFFIXES
from captionstew.errors import CorpusError

if TYPE_CHECKING:
    from captionstew.corpora.find import Shelf


@dataclass(frozen=True)
class Member:
    """A file inside a tar file: its bytes begin at `offset`, so nothing need be unpacked."""

    archive: str
    name: str
    offset: int
    size: int

    def text(self) -> str:
        """The member as it stands in `file`: `shard-0001.tar#key.flac@1536+20480`."""
        return f"{self.archive}#{self.name}@{self.offset}+{self.size}"

    @staticmethod
    def parse(text: str) -> "Member | None":
        """The member written by `text`, or None where it is a plain path."""
        archive, hashed, rest = text.partition(".tar#")
        name, at, span = rest.rpartition("@")
        offset, plus, size = span.partition("+")
        if not (hashed and at and plus and offset.isdigit() and size.isdigit()):
            return None
        return Member(f"{archive}.tar", name, int(offset), int(size))

    def read(self, place: Path) -> bytes:
        """The bytes of the member, its archive being in `place`."""
        with (place / self.archive).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass
class _Sample:
    audio: Member | None = None
    fields: dict[str, Any] = field(default_factory=dict)


def rows(found: Found, shelf: "Shelf") -> pl.LazyFrame:
    """One row per audio member: `key`, `file`, `captions` (of the .txt) and the fields of the .json."""
    lines = [
        {"key": key, "file": sample.audio.text(), **sample.fields}
        for path in found.paths
        for key, sample in _samples(path, shelf)
        if sample.audio
    ]
    return pl.DataFrame(lines, infer_schema_length=None).lazy()


def _samples(path: Path, shelf: "Shelf") -> Iterator[tuple[str, _Sample]]:
    """Neighbouring members with one key; the members of a sample stand together."""
    archive = next((path.relative_to(place) for place in shelf.places if path.is_relative_to(place)), path)
    current, sample = "", _Sample()
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                if not member.isfile():
                    continue
                folder, base = os.path.split(member.name)
                stem, _, suffix = base.partition(".")
                key = os.path.join(folder, stem)
                if key != current and current:
                    yield current, sample
                    sample = _Sample()
                current = key
                _add(sample, f".{suffix.lower()}", member, tar, archive.as_posix())
    except (tarfile.TarError, json.JSONDecodeError) as error:
        cause = f"{error} (at {current})" if current else str(error)
        hint = "get the file again"
        raise CorpusError(
            f"{shelf.corpus.name}: no tar of samples", cause=cause, where=str(path), hint=hint
        ) from error
    if current:
        yield current, sample


def _add(sample: _Sample, suffix: str, member: tarfile.TarInfo, tar: tarfile.TarFile, archive: str) -> None:
    if suffix in SUFFIXES:
        sample.audio = Member(archive, member.name, member.offset_data, member.size)
    elif suffix in {".json", ".txt"}:
        file = tar.extractfile(member)
        text = file.read().decode("utf-8", errors="replace") if file else ""
        sample.fields |= json.loads(text) if suffix == ".json" else {"captions": text.splitlines()}
