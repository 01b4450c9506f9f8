"""The store that the true Xet client writes on this disk, and the files that can be put together from it."""

import hashlib
import itertools
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER = 48  # bytes of a shard before its files: tag, version, size of the footer
_ENTRY = 48  # bytes of each record
_VERIFIED, _DESCRIBED = (
    1 << 31,
    1 << 30,
)  # flags of a file: with a record per segment more, with a record of its SHA-256
_END = b"\xff" * 32
_KEPT = "xet/xorbs"  # where the client puts chunks, shards and its database


class Xet:
    """A content-addressed store in `folder`, as `local://` has the client make it.

    The client keeps its database locked while it lives. Files are therefore read from a mirror of hard links.
    """

    def __init__(self, folder: Path, mirror: Path) -> None:
        self.folder, self.mirror = folder, mirror
        self.numbers = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """What the Hub tells its clients."""
        return f"local://{self.folder}"

    @property
    def bytes(self) -> int:
        """Bytes of all chunks that are stored."""
        return sum(path.stat().st_size for path in (self.folder / _KEPT / "xorbs").glob("default.*"))

    def fetch(self, sha256: str, path: Path) -> bool:
        """Put a file together at the path; False if it was never sent, or not whole."""
        found = next((one for one in self.files() if one[1] == sha256), None)
        if not found:
            return False
        import hf_xet  # type: ignore[import-untyped]

        mirror = self.mirror / str(next(self.numbers))
        shutil.copytree(self.folder / _KEPT, mirror / _KEPT, copy_function=_linked)
        part = path.with_name(f"{path.name}.part")
        with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{mirror}") as group:
            group.start_download_file(hf_xet.XetFileInfo(found[0], found[2]), str(part))
        shutil.rmtree(mirror)
        with part.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                part.unlink()
                return False
        os.replace(part, path)
        return True

    def files(self) -> Iterator[tuple[str, str, int]]:
        """Each file of the shards: its Xet hash, SHA-256 and bytes."""
        for shard in sorted((self.folder / _KEPT / "shards").glob("*.mdb")):
            yield from _files(shard.read_bytes())


def _files(shard: bytes) -> Iterator[tuple[str, str, int]]:
    """The files that a shard tells of (xet-core, `mdb_shard`: a header, then records of 48 bytes)."""
    position = _HEADER
    while shard[position : position + 32] != _END:
        name = _hexadecimal(shard[position : position + 32])
        flags, count = struct.unpack_from("<II", shard, position + 32)
        position += _ENTRY
        sizes = [
            struct.unpack_from("<I", shard, position + _ENTRY * number + 36)[0] for number in range(count)
        ]
        position += _ENTRY * count * (2 if flags & _VERIFIED else 1)
        if flags & _DESCRIBED:
            yield name, _hexadecimal(shard[position : position + 32]), sum(sizes)
            position += _ENTRY


def _hexadecimal(value: bytes) -> str:
    """A hash as text: four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", value))


def _linked(source: str, target: str) -> None:
    if source.endswith(".redb"):  # the client goes on writing it
        shutil.copyfile(source, target)
    else:
        os.link(source, target)
