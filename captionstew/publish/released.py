"""A release to be looked at again, on this disk or on the Hub: what lies there, and its bytes where they are needed."""

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from captionstew.digest import file_sha256
from captionstew.errors import StewError
from captionstew.publish.hub_files import Stored, stored
from captionstew.publish.hub_patience import client, patiently, said
from captionstew.shards.columns import ShardFile
from captionstew.shards.layout import MANIFEST
from captionstew.shards.manifest import Manifest, read_manifest
from captionstew.shards.read import Clips
from captionstew.shards.remote import Remote, RemoteFile, url_of

_PLACE = re.compile(r"hf://datasets/([^/@]+/[^/@]+)@([0-9a-f]{40})")
_CARD, _BUILT = "README.md", "recipe.json"
_OWN = {".gitattributes"}  # what the Hub itself puts into a repository


class Released(Protocol):
    """A release wherever it is. `files` are all that lie there by path, but for what the Hub itself put there."""

    where: str

    @property
    def files(self) -> Mapping[str, Stored]:
        """Bytes and hash of each; the hash of a small file on the Hub is not told, but of its content."""

    @property
    def manifest(self) -> Manifest:
        """What it says of itself; BuildError if that is damaged."""

    def content(self, path: str) -> bytes:
        """A small file."""

    def shard(self, path: str) -> ShardFile:
        """A shard of the manifest, to read columns of."""

    def clips(self) -> Clips:
        """Its clips with audio."""


class Folder:
    """A release that lies in a folder, as a dry run writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.where = folder, str(folder)

    @cached_property
    def files(self) -> Mapping[str, Stored]:
        """Every file below, each read once for its hash."""
        paths = sorted(
            path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith(".")
        )
        return {
            path.relative_to(self.folder).as_posix(): Stored(path.stat().st_size, file_sha256(path), "")
            for path in paths
        }

    @cached_property
    def manifest(self) -> Manifest:
        """As it lies there."""
        return read_manifest(self.folder)

    def content(self, path: str) -> bytes:
        """The file, whole."""
        return (self.folder / path).read_bytes()

    def shard(self, path: str) -> ShardFile:
        """The file itself."""
        return self.folder / path

    def clips(self) -> Clips:
        """As training reads them."""
        return Clips(self.folder)


class OnHub:
    """A release on the Hub, at the commit that its URL means now: hashes are told by the Hub, bytes come by ranges."""

    def __init__(self, url: str) -> None:
        self._remote = Remote(url_of(url))
        self.where = self._remote.url
        if not (match := _PLACE.fullmatch(self.where)):
            hint = "name a data set of the Hub, hf://OWNER/NAME@TAG, or a folder"
            raise StewError("only a release on the Hub can be checked from afar", where=url, hint=hint)
        self.repository, self.commit = match[1], match[2]

    @cached_property
    def files(self) -> Mapping[str, Stored]:
        """By one listing."""

        def listed() -> dict[str, Stored]:
            tree = client(None).list_repo_tree(
                self.repository, recursive=True, revision=self.commit, repo_type="dataset"
            )
            return {path: file for path, file in stored(tree).items() if path not in _OWN}

        with said(self.where):
            return patiently(listed, self.where)

    @property
    def manifest(self) -> Manifest:
        """As it was when this began."""
        return self._remote.manifest

    def content(self, path: str) -> bytes:
        """The file, whole."""
        found = self._remote.document(path)
        if found is None:
            raise StewError(f"there is no {path}", where=self.where, hint="ask its publisher")
        return found

    def shard(self, path: str) -> RemoteFile:
        """By requests for no more than is read."""
        return _Exactly(self._remote, path)

    def clips(self) -> Clips:
        """Each by one request."""
        return Clips(self.where)


class _Exactly(RemoteFile):
    """A shard of which little is read, once: a block of the cache would be a hundred times as much."""

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or as much of it as the file still has."""
        length = min(len(buffer), self.bytes - self.position)
        buffer[:length] = self.exactly(self.position, length) if length else b""
        self.position += length
        return length


def released(place: str | Path) -> Released:
    """The release at a URL or in a folder; StewError if there is none."""
    if url := url_of(place):
        return OnHub(url)
    folder = Path(place)
    if not (folder / MANIFEST).is_file():
        raise StewError(
            f"there is no {MANIFEST}", where=str(place), hint="name the folder that holds a whole release"
        )
    return Folder(folder)


def is_release(place: str | Path) -> bool:
    """Whether a place is a URL, or a folder that holds a whole release and not a build."""
    if url_of(place):
        return True
    folder = Path(place)
    return all((folder / name).is_file() for name in (MANIFEST, _CARD)) and not (folder / _BUILT).exists()


def sha256_of(release: Released, path: str) -> str:
    """The hash of a file: told, or of its content."""
    return release.files[path].sha256 or hashlib.sha256(release.content(path)).hexdigest()
