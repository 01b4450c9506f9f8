"""What the system refuses, as an error that names the file and the remedy: no fault of ours."""

import errno
import os

from captionstew.errors import StewError

_FULL = "free some space"
_CLOSED = "let yourself read and write it, or choose another place"
_REMEDIES = {
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.EROFS: _CLOSED,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENAMETOOLONG: "take a shorter name",
    errno.ELOOP: "mend the links on the way to it: they lead in a circle",
    errno.ENOTDIR: "take a path through folders alone: a file stands where a folder should be",
    errno.EIO: "look at the disk, or at the network that it is behind; the same command continues",
    errno.ESTALE: "look at the server of that disk; the same command continues",
}


def refused(error: OSError) -> StewError | None:
    """What to tell about a file that the system keeps from us; None about what we may have got wrong ourselves."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None or error.filename is None:
        return None
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    shown = name if len(name) < 200 else f"{name[:80]}...{name[-80:]}"
    return StewError(
        "a file or folder cannot be used", cause=os.strerror(error.errno or 0), where=shown, hint=remedy
    )
