"""The audio files under some folders, members of tar archives included, as one table."""

import os
import tarfile
from collections.abc import Iterator, Sequence
from errno import ELOOP, ENOENT, ENOTDIR
from itertools import islice
from pathlib import Path, PurePosixPath
from stat import S_ISREG

import polars as pl

from captionstew.errors import CorpusError

SUFFIXES = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".m4a",
    ".mp4",
    ".aac",
    ".webm",
    ".aif",
    ".aiff",
)
FILES = {
    "root": pl.UInt16,
    "path": pl.String,
    "name": pl.String,
    "offset": pl.Int64,
    "length": pl.Int64,
    "modified": pl.Int64,
}
_ENDINGS = (*SUFFIXES, ".tar")
_ROWS = 1 << 16  # files at a time
_SUFFIX_PATTERN = r"(?i)\.(" + "|".join(s[1:] for s in SUFFIXES) + r")$"


def audio_files(roots: Sequence[Path]) -> pl.DataFrame:
    """Every audio file under `roots` (columns `FILES`), sorted; `path` is relative to its root, offset -1 a whole file.

    Folders that are linked in are followed once. A member of an uncompressed .tar is a file too: `path` is the tar,
    `name` the member's own path. Left out are hidden files and folders, names that are not UTF-8, and members whose
    name climbs out of its folder. A tar that cannot be read is a CorpusError.
    """
    found = (row for number, root in enumerate(roots) for row in _found(number, root))
    parts = [pl.DataFrame(schema=FILES)]
    while rows := list(islice(found, _ROWS)):  # a table takes a quarter of what tuples take
        parts.append(pl.DataFrame(rows, schema=FILES, orient="row"))
    return pl.concat(parts).sort("root", "name", "path")


def _found(number: int, root: Path) -> Iterator[tuple[int, str, str, int, int, int]]:
    for relative, path, state in _walk(str(root)):
        if relative.lower().endswith(".tar"):
            yield from ((number, relative, *member, state.st_mtime_ns) for member in _members(Path(path)))
        else:
            yield number, relative, relative, -1, state.st_size, state.st_mtime_ns


def bare(path: pl.Expr) -> pl.Expr:
    """A path without an audio suffix; other dots stay (`20090412.fountain`)."""
    return path.str.replace(_SUFFIX_PATTERN, "")


def stem(path: pl.Expr) -> pl.Expr:
    """The last part of a path without an audio suffix."""
    return bare(path.str.split("/").list.last())


def _walk(root: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Path in the root, path and state of each file; by plain strings, a third of the time that `Path` takes."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:  # a link back into the tree
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if _usable(name))
        inside = Path(folder).relative_to(root).as_posix()
        before = "" if inside == "." else f"{inside}/"
        for name in sorted(files):
            if name.lower().endswith(_ENDINGS) and _usable(name):
                path = os.path.join(folder, name)
                try:
                    state = os.stat(path)
                except OSError as error:
                    if error.errno in {ENOENT, ENOTDIR, ELOOP}:  # a link to nothing, or to itself
                        continue
                    raise
                if S_ISREG(state.st_mode):
                    yield before + name, path, state


def _members(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep a kilobyte of each
                name = PurePosixPath(member.name)
                whole = member.isfile() and not member.issparse()
                if whole and name.suffix.lower() in SUFFIXES and all(_usable(part) for part in name.parts):
                    yield name.as_posix(), member.offset_data, member.size
    except tarfile.TarError as error:
        hint = "fetch it again, or unpack it: it must be whole and not compressed"
        raise CorpusError(f"{path.name} is no tar", cause=str(error), where=str(path), hint=hint) from error


def _usable(name: str) -> bool:
    """Whether a file or folder of this name counts: not hidden, and text."""
    return not name.startswith(".") and not any("\udc80" <= character <= "\udcff" for character in name)
