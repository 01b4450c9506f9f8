"""A release behind a URL: clips by range requests, or its shards fetched whole, once, and verified."""

import fcntl
import io
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captionstew.digest import digest, file_sha256
from captionstew.errors import StewError
from captionstew.shards.atomic import disk_errors, write_bytes
from captionstew.shards.blocks import Blocks
from captionstew.shards.layout import AUDIO_TIERS, MANIFEST, SIDECAR, parse_shard
from captionstew.shards.manifest import Manifest, read_manifest
from captionstew.shards.release import ReleaseFile
from captionstew.shards.url_files import UrlFiles

logger = logging.getLogger(__name__)

CACHE_BYTES = 20 << 30  # of clips read by range; shards that were asked for whole are not counted
_PIECE = 16 << 20  # bytes of one request when a whole file is fetched
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?=[^/])(.*)")
_KINDS = ("datasets/", "models/", "spaces/", "buckets/")


def url_of(folder: str | Path) -> str:
    """The URL if it is one, also where a Path has swallowed a slash of it; else nothing.

    A repository of the Hub is one of data: `hf://OWNER/NAME` is `hf://datasets/OWNER/NAME`.
    """
    match = _URL.fullmatch(str(folder))
    if not match or Path(folder).exists():
        return ""
    owned = match[1] == "hf" and not match[2].startswith(_KINDS)
    return f"{match[1]}://{'datasets/' * owned}{match[2].rstrip('/')}"


def cache_folder() -> Path:
    """Where remote files are kept: `captionstew` in XDG_CACHE_HOME, which is `~/.cache` unless set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "captionstew"


class Remote:
    """A release at `url`, as it is now: on a Hub its revision is looked up once and kept to.

    `folder` is its image on this disk: the manifest, the indexes, and those shards that were fetched.
    """

    def __init__(self, url: str, cache: Path | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        cache = cache or cache_folder()
        self._store = UrlFiles(url)
        self.url = self._store.url
        self._blocks = Blocks(cache / "blocks", cache_bytes)
        content = self._store.whole(MANIFEST)
        self.folder = (
            cache / "releases" / digest(self.url.partition("@")[0], content.decode("utf-8", "replace"))
        )
        write_bytes(self.folder / MANIFEST, content)
        self.manifest: Manifest = read_manifest(self.folder)
        self.files: Mapping[str, ReleaseFile] = {file.path: file for file in self.manifest.files}
        if strange := [path for path in self.files if not parse_shard(path)]:
            hint = "ask its publisher: only data/TIER/CORPUS/SPLIT-NNNNN-of-NNNNN.parquet belongs there"
            raise StewError(
                f"the manifest names {strange[0]!r}, which is no shard", where=self.url, hint=hint
            )
        self.audio = {
            path: (file.bytes, file.sha256) for path, file in self.files.items() if file.tier in AUDIO_TIERS
        }

    def has_sidecar(self) -> bool:
        """Whether the release publishes a sidecar; if so, it is in `folder` now."""
        if (self.folder / SIDECAR).is_file():
            return True
        try:
            size = self._store.size(SIDECAR)
        except FileNotFoundError:
            logger.info("%s has no %s", self.url, SIDECAR)
            return False
        self._fetch(SIDECAR, size, "")
        return True

    def fetched(self, path: str) -> Path:
        """The shard on this disk, whole, its hash as the manifest has it; a stopped fetch goes on where it was."""
        file = self.files[path]
        return self._fetch(path, file.bytes, file.sha256)

    def document(self, path: str) -> bytes | None:
        """A small file beside the shards, such as `removed.parquet`; None if the release has none of that name."""
        try:
            size = self._store.size(path)
        except FileNotFoundError:
            return None
        return self._store.range(path, 0, size, size) if size else b""

    def read(self, path: str, position: int, length: int) -> bytes:
        """So many bytes of a shard, by way of the cache of blocks."""
        file = self.files[path]

        def fetch(start: int, count: int) -> bytes:
            return self._store.range(path, start, count, file.bytes)

        return self._blocks.read(file.sha256, file.bytes, position, length, fetch)

    def exactly(self, path: str, position: int, length: int) -> bytes:
        """So many bytes of a shard and no more, kept nowhere."""
        return self._store.range(path, position, length, self.files[path].bytes)

    def _fetch(self, path: str, size: int, sha256: str) -> Path:
        final = self.folder / path
        if final.is_file() and final.stat().st_size == size:
            return final
        part = final.with_name(f".{final.name}.part")
        with disk_errors(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with part.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # other threads and processes wait for the one that fetches
                if final.is_file() and final.stat().st_size == size:
                    part.unlink(missing_ok=True)  # made anew by waiting for it
                    return final
                file.seek(0, os.SEEK_END)
                while (have := file.tell()) < size:
                    file.write(self._store.range(path, have, min(_PIECE, size - have), size))
                    file.flush()
                if file.tell() > size or (sha256 and file_sha256(part) != sha256):
                    part.unlink()
                    hint = "the same command fetches it again; if that fails too, the release is damaged"
                    raise StewError(f"{path} is not what the manifest says", where=self.url, hint=hint)
                os.fsync(file.fileno())
                os.replace(part, final)
        return final


class RemoteFile(io.RawIOBase):
    """A shard of a release as a file that Arrow can read in."""

    def __init__(self, remote: Remote, path: str) -> None:
        self.remote, self.path, self.position = remote, path, 0
        self.bytes = remote.files[path].bytes
        self.name = path.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return f"{self.remote.url}/{self.path}"

    def exactly(self, position: int, length: int) -> bytes:
        """So many bytes and no more, kept nowhere: for the few bytes between the clips."""
        return self.remote.exactly(self.path, position, length)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte."""
        self.position = offset + (0, self.position, self.bytes)[whence]
        return self.position

    def tell(self) -> int:
        """The byte that comes next."""
        return self.position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or as much of it as the file still has."""
        data = self.remote.read(self.path, self.position, len(buffer))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)
