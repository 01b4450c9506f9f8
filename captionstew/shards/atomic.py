"""Files that appear whole or not at all."""

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from captionstew.errors import BuildError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BARRED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG,
}  # fmt: skip
_REMEDIES = {errno.ENOENT: "make the folder", errno.ENAMETOOLONG: "take a shorter name"}


@contextmanager
def replacing(path: Path, option: str = "--out") -> Iterator[Path]:
    """A temporary name beside `path` to write to; when the block ends well it is synced and becomes `path`.

    When the block fails, nothing is left of it and an older `path` stands as it was. `option` is what chooses it.
    """
    # Two nodes of a cluster may do the same work, in processes of the same number.
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.part")
    with disk_errors(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        settle(temporary, path, option)
    finally:
        temporary.unlink(missing_ok=True)


def settle(temporary: Path, path: Path, option: str = "--out") -> None:
    """The file `temporary` is synced and becomes `path`, on the same disk."""
    assert temporary.exists() or not temporary.parent.is_dir(), f"{temporary} was never written"
    with disk_errors(path, option):
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)


def write_bytes(path: Path, content: bytes | memoryview, option: str = "--out") -> None:
    """The file holds exactly `content`, or is as it was."""
    with replacing(path, option) as temporary, disk_errors(path, option):
        temporary.write_bytes(content)


def clear_partial(folder: Path) -> int:
    """Remove what killed writers left below a folder that nobody writes to now; how many files there were."""
    left = list(folder.rglob(".*.part"))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


@contextmanager
def disk_errors(path: Path, option: str = "--out") -> Iterator[None]:
    """A full disk or a closed folder becomes a BuildError about `path`; any other fault rises as it is."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL | _BARRED and not _nowhere(error, path):
            raise
        full = error.errno in _FULL
        message = f"no room to write {path.name}" if full else f"cannot write {path.name}"
        remedy = "free some space" if full else _REMEDIES.get(error.errno or 0, "make the folder writable")
        other = f" or choose another with {option}" if option else ""
        hint = f"{remedy}{other}; the same command continues"
        cause = os.strerror(error.errno or 0)
        raise BuildError(message, cause=cause, where=str(path.parent), hint=hint) from error


def _nowhere(error: OSError, path: Path) -> bool:
    """Whether the folder of `path` is not there, or takes no new files, as in /proc; other files may be missing too."""
    if error.errno != errno.ENOENT or not isinstance(error.filename, str):
        return False
    missing = Path(error.filename)
    return missing in path.parents or missing.parent == path.parent


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
