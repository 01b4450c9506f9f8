"""C code of this package, compiled once per machine where there is a compiler."""

import ctypes
import hashlib
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

logger = logging.getLogger(__name__)

# Vectorised history of a predictor is a third slower; a product and a sum are rounded each, as numpy rounds them.
_COMMAND = ("cc", "-O3", "-fno-tree-vectorize", "-ffp-contract=off", "-shared", "-fPIC")
_SECONDS = 60


@cache
def compiled(
    name: str, believed: Callable[[ctypes.CDLL], bool], *, native: bool = False
) -> ctypes.CDLL | None:
    """The library made of `<name>.c` in this folder, or None where none can be had: there must be another way.

    It is kept in `captionstew/compiled` in XDG_CACHE_HOME (`~/.cache` unless set), by the hash of its source, and was
    `believed` when it was made. `native` lets it use all that the processor has; its features are then hashed too, for
    machines of several kinds may share a home. On Linux alone: elsewhere asking for a compiler may open a window.
    """
    if sys.platform != "linux":
        return None
    source = Path(__file__).with_name(f"{name}.c")
    features = _features() if native and platform.machine() == "x86_64" else ""
    command = (*_COMMAND, *(("-march=native",) if features else ()))
    machine = (command, platform.machine(), platform.libc_ver(), features)
    key = hashlib.sha256(repr(machine).encode() + source.read_bytes())
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "captionstew" / "compiled"
    path = folder / f"{name}-{key.hexdigest()[:16]}.so"
    try:
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _compile(command, source, path, believed)
        return ctypes.CDLL(str(path)) if _ours(path) else None
    except (OSError, subprocess.SubprocessError) as error:
        logger.info("%s is not compiled: %s", source.name, error)
        return None


def _features() -> str:
    """What the processor says that it can do; empty where that cannot be read."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line for line in lines if line.startswith("flags")), "")
    return ""


def _compile(
    command: tuple[str, ...], source: Path, path: Path, believed: Callable[[ctypes.CDLL], bool]
) -> None:
    """`path` appears whole, and only if it can be believed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        arguments = [*command, "-o", str(temporary), str(source)]
        subprocess.run(arguments, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS)
        temporary.chmod(0o700)
        if not believed(ctypes.CDLL(str(temporary))):
            raise OSError(f"what {command[0]} made of it is wrong")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _ours(path: Path) -> bool:
    """Whether nobody else may write there: what is loaded runs."""
    return all(
        state.st_uid == os.geteuid() and not state.st_mode & 0o022
        for state in (path.stat(), path.parent.stat())
    )
