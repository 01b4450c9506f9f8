"""report: one HTML page to look at and to listen to."""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from captionstew.cli.console import DOT, TICK, Console
from captionstew.cli.extras import bringing
from captionstew.cli.folder import finished
from captionstew.cli.parser import Arguments
from captionstew.cli.resume import started
from captionstew.errors import StewError, UsageError
from captionstew.figures import plural, size, span
from captionstew.publish.released import is_release
from captionstew.shards.atomic import write_bytes
from captionstew.shards.remote import url_of

if TYPE_CHECKING:
    from captionstew.report.source import Source

_PACKAGES = ("librosa", "matplotlib", "PIL")
_PAGE = "report.html"
_MOST = 120  # clips; beyond, pictures alone would make the page large
_OPEN = "for everybody"
_OWN = "for yourself: --public leaves out what may not be passed on"


def run(arguments: Arguments, console: Console) -> int:
    """Write the page."""
    if arguments.clips > _MOST:
        message = f"{arguments.clips} clips are too many for one page"
        raise UsageError(message, hint=f"--clips {_MOST} at most")
    out = _out(arguments)
    _check_packages()
    from captionstew.report.material import material
    from captionstew.report.page import page

    began = time.monotonic()
    build = _opened(arguments.folder)
    earlier = _opened(arguments.against) if arguments.against else None
    found = material(
        build, clips_shown=arguments.clips, public=arguments.public, against=earlier, tell=console.tell
    )
    console.tell("drawing the page ...")
    content = page(found)
    write_bytes(out, content)
    took = time.monotonic() - began
    console.data({"folder": arguments.folder, "out": str(out), "bytes": len(content), "sounds": found.sounds,
                  "public": arguments.public, "seconds": round(took, 1)})  # fmt: skip
    console.mark(TICK, DOT.join([str(out), size(len(content)), plural(found.sounds, "sound"), span(took)]))
    console.say(f"  {_OPEN if arguments.public else _OWN}")
    after = "inspect {}" if is_release(arguments.folder) else "publish {} ORG/NAME --dry-run"
    console.next(f"captionstew {after.format(arguments.folder)}")
    return 0


def _out(arguments: Arguments) -> Path:
    """The file to write: in a build's own folder; of a release, which has a hash for each of its files, here."""
    if not arguments.out:
        folder = Path(arguments.folder).expanduser()
        return folder / _PAGE if (folder / "recipe.json").is_file() else Path(_PAGE)
    out = Path(arguments.out).expanduser()
    if out.is_dir():
        raise UsageError(f"{out} is a folder", hint=f"name a file: --out {out / _PAGE}")
    return out


def _opened(name: str) -> "Source":
    """A build, or a release in a folder or behind a URL."""
    from captionstew.report.source import source

    if url_of(name):
        return source(name)
    folder = finished(name)
    return source(folder.path, folder.recipe, started(folder.path).words)


def _check_packages() -> None:
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        cause = f"not installed: {', '.join(missing)}"
        raise StewError("a report needs more packages", cause=cause, hint=bringing("report"))
