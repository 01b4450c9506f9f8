"""The audio files under some folders, members of tar archives included, as one table."""

import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import polars as pl

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
_SUFFIX_PATTERN = r"(?i)\.(" + "|".join(s[1:] for s in SUFFIXES) + r")$"


def audio_files(roots: Sequence[Path]) -> pl.DataFrame:
    """Every audio file under `roots` (columns `FILES`), sorted; `path` is relative to its root, offset -1 a whole file.

    Folders that are linked in are followed once. A member of an uncompressed .tar is a file too: `path` is the tar,
    `name` the member's own path; one whose name climbs out of its folder is left out.
    """
    rows: list[tuple[int, str, str, int, int, int]] = []
    for number, root in enumerate(roots):
        for path in _walk(root):
            relative = path.relative_to(root).as_posix()
            state = path.stat()
            if path.suffix.lower() == ".tar":
                rows += [(number, relative, *member, state.st_mtime_ns) for member in _members(path)]
            else:
                rows.append((number, relative, relative, -1, state.st_size, state.st_mtime_ns))
    return pl.DataFrame(rows, schema=FILES, orient="row").sort("root", "name", "path")


def stem(path: pl.Expr) -> pl.Expr:
    """The last part of a path without an audio suffix; other dots stay (`20090412.fountain`)."""
    return path.str.split("/").list.last().str.replace(_SUFFIX_PATTERN, "")


def _walk(root: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:  # a link back into the tree
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith((*SUFFIXES, ".tar")) and not name.startswith("."):
                path = Path(folder, name)
                if path.is_file():
                    yield path


def _members(path: Path) -> Iterator[tuple[str, int, int]]:
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            if member.isfile() and ".." not in name.parts and name.suffix.lower() in SUFFIXES:
                yield name.as_posix(), member.offset_data, member.size
