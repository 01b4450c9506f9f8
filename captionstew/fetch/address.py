"""What kind of place an address names: a file on the web, files of a Hub repository, Google Drive."""

import logging
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from captionstew.errors import FetchError

_HUB = re.compile(r"hf://(datasets|models|spaces)/([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")
_HUB_PAGE = re.compile(r"/(datasets/|spaces/|)([^/]+/[^/]+)/(resolve|blob|tree)/([^/]+)(?:/(.*))?")
_GITHUB_PAGE = re.compile(r"https://github\.com/([^/]+/[^/]+)/blob/(.+)")
_DRIVE_FILE = re.compile(r"/(?:file/d/|drive/folders/|folders/)([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class Link:
    """One file behind an http address."""

    url: str

    @property
    def name(self) -> str:
        """The last part of its path."""
        return unquote(PurePosixPath(urlsplit(self.url).path).name) or "file"


@dataclass(frozen=True)
class Hub:
    """Files of a Hugging Face repository whose paths match `pattern`."""

    repository: str  # OWNER/NAME
    revision: str
    pattern: str
    kind: str = "dataset"

    @property
    def url(self) -> str:
        """Its address."""
        return f"hf://{self.kind}s/{self.repository}@{self.revision}/{self.pattern}"

    @property
    def page(self) -> str:
        """Where a person looks at the repository, and agrees to its terms."""
        return f"https://huggingface.co/{'datasets/' * (self.kind == 'dataset')}{self.repository}"


@dataclass(frozen=True)
class Drive:
    """A file, or a folder of files, that Google Drive shares."""

    id: str
    folder: bool = False


Address = Link | Hub | Drive


def address(url: str, path: str = "") -> Address:
    """The place that a URL of the facts names; `path` completes the page of a Hub folder by its last part."""
    if match := _HUB.fullmatch(url):
        return Hub(match[2], match[3] or "main", match[4], match[1].removesuffix("s"))
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        hint = "write https://..., hf://datasets/OWNER/NAME@REVISION/PATTERN or a Google Drive address"
        raise FetchError(f"{url} is no address that we know", where=url, hint=hint)
    if parts.hostname == "huggingface.co" and (match := _HUB_PAGE.fullmatch(unquote(parts.path))):
        inside = match[5] or ""
        if match[3] == "tree":
            inside = str(PurePosixPath(inside) / PurePosixPath(path or "*").name)
        return Hub(match[2], match[4], inside, match[1].strip("/").removesuffix("s") or "model")
    if parts.hostname in {"drive.google.com", "docs.google.com", "drive.usercontent.google.com"}:
        return _drive(url)
    page = _GITHUB_PAGE.fullmatch(url)
    return Link(f"https://raw.githubusercontent.com/{page[1]}/{page[2]}" if page else url)


def plain(url: str) -> str:
    """The address without its query, fragment and login, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else url


def _drive(url: str) -> Drive:
    parts = urlsplit(url)
    match = _DRIVE_FILE.search(parts.path)
    id = match[1] if match else parse_qs(parts.query).get("id", [""])[0]
    if not id:
        raise FetchError("the address names no file of Google Drive", where=url, hint="use its share link")
    return Drive(id, folder="/folders/" in parts.path)


def unsigned(text: str) -> str:
    """The text without what follows a question mark in its addresses: signatures let anybody in."""
    return re.sub(r"\?\S+", "", text)


def masked(record: logging.LogRecord) -> bool:
    """A filter of logs: libraries warn with whole addresses."""
    record.msg, record.args = unsigned(record.getMessage()), None
    return True
