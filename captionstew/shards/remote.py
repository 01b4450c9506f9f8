"""A release behind a URL: clips by range requests, or its shards fetched whole, once, and verified."""

import fcntl
import importlib
import io
import logging
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from captionstew.digest import digest, file_sha256
from captionstew.errors import StewError
from captionstew.shards.atomic import disk_errors, write_bytes
from captionstew.shards.blocks import Blocks
from captionstew.shards.layout import AUDIO_TIERS, MANIFEST, SIDECAR, parse_shard
from captionstew.shards.manifest import Manifest, read_manifest
from captionstew.shards.release import ReleaseFile

logger = logging.getLogger(__name__)

T = TypeVar("T")

CACHE_BYTES = 20 << 30  # of clips read by range; shards that were asked for whole are not counted
_PIECE = 16 << 20  # bytes of one request when a whole file is fetched
_TRIES = 6
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0  # s
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?=[^/])(.*)")
_NEEDS = {
    "hf": "huggingface_hub",
    "http": "fsspec[http]",
    "https": "fsspec[http]",
    "s3": "s3fs",
    "gs": "gcsfs",
}
_KINDS = ("datasets/", "models/", "spaces/", "buckets/")
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


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
        self._store = _Store(url)
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


class _Store:
    """The files below a URL, by fsspec; may be used from many threads, and after a fork."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._process, self._system = os.getpid(), _system(url)
        if url.startswith("hf://"):
            with _missing(f"there is no {url}", url):
                self.url = self._try(lambda: self._pinned(url), url)

    def whole(self, path: str) -> bytes:
        """A small file; StewError if there is none."""
        where = f"{self.url}/{path}"
        with _missing(f"there is no {path}", self.url):
            return self._try(lambda: bytes(self._files().cat_file(where)), where)

    def size(self, path: str) -> int:
        """A file's bytes; FileNotFoundError if there is none."""
        where = f"{self.url}/{path}"
        return int(self._try(lambda: self._files().info(where)["size"], where))

    def range(self, path: str, position: int, length: int, size: int) -> bytes:
        """`length` bytes from `position` of a file of `size` bytes."""
        where = f"{self.url}/{path}"
        # A Hub's file system would ask for the size and read five megabytes ahead.
        options = {"size": size, "cache_type": "none"} if self.url.startswith("hf://") else {}

        def get() -> bytes:
            data = bytes(self._files().cat_file(where, position, position + length, **options))
            if len(data) != length:
                raise EOFError(f"{len(data)} of {length} bytes")
            return data

        with _missing(f"{path} is gone", self.url):
            return self._try(get, where)

    def _files(self) -> Any:
        if self._process != os.getpid():  # connections and event loops do not survive a fork
            self._process, self._system = os.getpid(), _system(self.url)
        return self._system

    def _pinned(self, url: str) -> str:
        """The same URL with the commit that its revision means now, so that all reads see one release."""
        place = self._system.resolve_path(url)
        facts = self._system._api.repo_info(place.repo_id, repo_type=place.repo_type, revision=place.revision)
        return f"hf://{replace(place, revision=facts.sha, _raw_revision=None).unresolve()}"

    def _try(self, action: Callable[[], T], where: str) -> T:
        """What the action gives; it is tried again, after longer and longer waits, while the network fails."""
        for number in range(_TRIES):
            try:
                return action()
            except _FOR_GOOD:
                raise
            except _failures() as error:
                if number + 1 == _TRIES or _refused(error):
                    hint = (
                        "check the connection, and hf auth login if it is private; the same command continues"
                    )
                    raise StewError(
                        "the release cannot be read", cause=_plain(error), where=where, hint=hint
                    ) from None
                wait = min(_FIRST_WAIT * 2**number, _LONGEST_WAIT) * random.SystemRandom().uniform(0.5, 1.5)
                logger.warning("%s: %s; again in %.1f s", where, _plain(error), wait)
                time.sleep(wait)
        raise AssertionError("the last try either returns or raises")


@contextmanager
def _missing(message: str, where: str) -> Iterator[None]:
    """What a server does not have, or does not show to strangers, becomes a StewError."""
    try:
        yield
    except _FOR_GOOD as error:
        hint = "name the folder with manifest.json, such as hf://datasets/OWNER/NAME; hf auth login if it is private"
        raise StewError(message, cause=_plain(error), where=where, hint=hint) from None


def _system(url: str) -> Any:
    scheme = url.partition(":")[0]
    need = _NEEDS.get(scheme, "fsspec")
    try:
        if scheme == "hf":
            from huggingface_hub import HfFileSystem

            return HfFileSystem(skip_instance_cache=True)
        fsspec = importlib.import_module("fsspec")
        return fsspec.filesystem(scheme, skip_instance_cache=True)
    except ImportError as error:
        extra = "pip install 'captionstew[hub]'" if scheme == "hf" else f"pip install '{need}'"
        raise StewError(f"{scheme}:// needs {need}", cause=str(error), where=url, hint=extra) from None
    except ValueError as error:
        hint = "hf://datasets/OWNER/NAME, https://..., s3://..., or a folder on this disk"
        raise StewError(f"{scheme}:// is not known", cause=str(error), where=url, hint=hint) from None


def _failures() -> tuple[type[Exception], ...]:
    """What a network that fails raises; clients that are in use have errors of their own that are no OSError."""
    clients = (("aiohttp", "ClientError"), ("httpx2", "HTTPError"), ("httpx", "HTTPError"))
    own = (getattr(sys.modules[module], name) for module, name in clients if module in sys.modules)
    return (OSError, EOFError, *own)


def _refused(error: Exception) -> bool:
    """Whether the server said something that will not change by asking again."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(status, int) and 400 <= status < 500 and status not in {408, 425, 429}


def _plain(error: Exception) -> str:
    """What an error says in one line, without the signatures that URLs carry."""
    return re.sub(r"\?\S+", "", f"{type(error).__name__}: {error}".split("\n")[0])
