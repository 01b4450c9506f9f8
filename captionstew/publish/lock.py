"""One publisher of a build at a time, and no build in the folder meanwhile."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from captionstew.errors import BuildError
from captionstew.publish.stage import FOLDER
from captionstew.shards.atomic import clear_partial, disk_errors


@contextmanager
def locked(build: Path) -> Iterator[None]:
    """Nobody else builds or publishes here; BuildError if somebody does."""
    folder = build / FOLDER
    with ExitStack() as stack:
        with disk_errors(folder, option=""):
            folder.mkdir(exist_ok=True)
        # A build locks its file alone, others that read along share it.
        for path, kind, who in (
            (build / ".lock", fcntl.LOCK_SH, "a build is running here"),
            (folder / ".lock", fcntl.LOCK_EX, "this build is being published already"),
        ):
            with disk_errors(path, option=""):
                file = stack.enter_context(path.open("a"))
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BuildError(who, where=str(build), hint="wait for it to end") from None
        clear_partial(folder / "files")
        yield
