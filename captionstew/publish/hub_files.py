"""What a repository on the Hub holds at one revision: its files with their hashes, and what they say of it."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import StewError
from captionstew.publish.contents import Removal
from captionstew.shards.layout import MANIFEST
from captionstew.shards.manifest import Manifest, read_manifest

CHANGELOG, REMOVED = "CHANGELOG.md", "removed.parquet"


@dataclass(frozen=True)
class Stored:
    """A file as the Hub has it: `sha256` of a large one, else the name that Git gives its content."""

    size: int  # bytes
    sha256: str
    blob: str

    def holds(self, content: bytes) -> bool:
        """Whether it is this content."""
        return len(content) == self.size and (
            hashlib.sha256(content).hexdigest() == self.sha256 if self.sha256 else blob(content) == self.blob
        )


@dataclass(frozen=True)
class Published:
    """A repository at one commit; without a `commit` there is none yet, or none that this token may see.

    `manifest`, `changelog` and `removals` are those of this commit: nothing where it has no such file.
    """

    commit: str = ""
    private: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)  # the commit of each
    files: Mapping[str, Stored] = field(default_factory=dict)
    manifest: Manifest | None = None
    changelog: str = ""
    removals: tuple[Removal, ...] = ()


def blob(content: bytes) -> str:
    """The name that Git gives a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def stored(entries: Iterable[Any]) -> dict[str, Stored]:
    """The files among the entries of a tree, by path."""
    files = (one for one in entries if hasattr(one, "size"))
    return {one.path: Stored(one.size, one.lfs.sha256 if one.lfs else "", one.blob_id) for one in files}


def manifest(content: bytes) -> Manifest:
    """The manifest that these bytes are; BuildError if they are none."""
    with TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_bytes(content)
        return read_manifest(Path(folder))


def removals(content: bytes, where: str) -> tuple[Removal, ...]:
    """The rows of `removed.parquet`; StewError if it cannot be read, for then nobody knows what was taken down."""
    try:
        rows = pq.read_table(io.BytesIO(content), columns=["clip_id", "reason", "date", "tag"]).to_pylist()
    except (pa.ArrowException, OSError) as error:
        hint = "ask its publisher; no release may follow before it can be read"
        raise StewError(f"{REMOVED} is damaged", cause=str(error), where=where, hint=hint) from error
    return tuple(Removal(**{name: str(value) for name, value in row.items()}) for row in rows)
