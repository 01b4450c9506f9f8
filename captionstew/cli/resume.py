"""The command that a build was started with, kept in its folder: to go on, and to find its corpora again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captionstew.cli.parser import Arguments
from captionstew.pipeline.progress import Event, Watch
from captionstew.pipeline.request import Request
from captionstew.shards.atomic import write_bytes

_FILE = "command.json"


@dataclass(frozen=True)
class Started:
    """How a build was started; `str` gives the command line that continues it from where we are now."""

    folder: Path
    words: tuple[str, ...] = ()  # nothing if nobody knows
    home: Path = Path()
    places: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.words:
            return f"captionstew build RECIPE --out {shlex.quote(str(self.folder))}"
        elsewhere = "--out" not in self.words and self.home != Path.cwd()
        return shown([*self.words, *(["--out", str(self.folder.absolute())] if elsewhere else [])])


def remembering(watch: Watch, arguments: Arguments, request: Request, *, anew: bool) -> Watch:
    """Keep the command in the folder of its build, as soon as the folder is ours: at the first event.

    Without `anew` a command that is kept there already stays.
    """
    kept = not anew and (request.out / _FILE).is_file()

    def watching(event: Event) -> None:
        nonlocal kept
        if not kept:
            keep_command(words("build", arguments), request)
            kept = True
        watch(event)

    return watching


def keep_command(line: Sequence[str], request: Request) -> None:
    """Keep the command, as words, in the folder of its build."""
    facts = {
        "command": list(line),
        "home": str(Path.cwd()),
        "places": {name: [str(path) for path in paths] for name, paths in request.places.items()},
    }
    write_bytes(request.out / _FILE, (json.dumps(facts, indent=1) + "\n").encode())


def started(folder: Path) -> Started:
    """The command that the folder was last built with, as far as it is known."""
    try:
        facts = json.loads((folder / _FILE).read_bytes())
        places = {name: tuple(map(Path, paths)) for name, paths in facts["places"].items()}
        return Started(folder, tuple(facts["command"]), Path(facts["home"]), places)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Started(folder)


def words(verb: str, arguments: Arguments) -> list[str]:
    """The command again, every path absolute, `--fresh` left out."""
    recipe: str = arguments.recipe
    found = [verb, _absolute(recipe) if recipe.endswith(".py") else recipe]
    if getattr(arguments, "plan", None):
        return [*found, "--plan", _absolute(arguments.plan)]
    found += _places(arguments)
    for option in ("only", "set"):
        for value in getattr(arguments, option):
            found += [f"--{option}", value]
    if arguments.enrich:
        found += ["--enrich", _served(arguments.enrich)]
    if arguments.subset:
        found += ["--subset", arguments.subset]
    if arguments.limit:
        found += ["--limit", str(arguments.limit)]
    found += ["--offline"] * arguments.offline
    if arguments.cluster != "auto":
        found += ["--cluster", arguments.cluster]
    return [*found, "--out", _absolute(arguments.out)] if arguments.out else found


def _places(arguments: Arguments) -> list[str]:
    found = ["--from", _absolute(arguments.source)] if arguments.source else []
    for place in arguments.audio:
        name, _, path = place.partition("=")
        found += ["--audio", f"{name}={_absolute(path)}"]
    return found


def shown(line: Sequence[str]) -> str:
    """A command line; paths below the current folder are relative to it."""
    here = f"{Path.cwd()}/"
    return shlex.join(["captionstew", *(word.replace(here, "") for word in line)])


def _served(where: str) -> str:
    return f"@{_absolute(where[1:])}" if where.startswith("@") else where


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
