"""Files below a URL, by fsspec: whole or by ranges, asked for again while the network fails."""

import importlib
import logging
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from captionstew.errors import StewError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES = 6
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0  # s
_NEEDS = {
    "hf": "huggingface_hub",
    "http": "fsspec[http]",
    "https": "fsspec[http]",
    "s3": "s3fs",
    "gs": "gcsfs",
}
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class UrlFiles:
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
        try:
            place = self._system.resolve_path(url)
        except ValueError as error:
            hint = "write hf://ORG/NAME, or hf://ORG/NAME@TAG"
            raise StewError(f"{url} is no place on the Hub", cause=_plain(error), hint=hint) from None
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
