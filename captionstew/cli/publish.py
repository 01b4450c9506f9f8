"""publish: a build as a dataset on the Hub: the plan, one question, the upload, the tag."""

import datetime
import re
import sys
from functools import partial
from pathlib import Path

from captionstew.cli.console import TICK, Console
from captionstew.cli.folder import BuildFolder, finished
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import watcher
from captionstew.cli.publish_hub import now, send
from captionstew.cli.publish_page import plain, show
from captionstew.cli.resume import shown
from captionstew.corpora.strict import nearest
from captionstew.enrich.items import GENERATED
from captionstew.errors import BuildError, UsageError
from captionstew.figures import size
from captionstew.pipeline.ledger import Ledger
from captionstew.publish.assemble import write_folder
from captionstew.publish.documents import documents
from captionstew.publish.hub import Hub
from captionstew.publish.hub_files import Published
from captionstew.publish.lock import locked
from captionstew.publish.prepare import Order, Prepared, prepare
from captionstew.publish.released import is_release
from captionstew.publish.removed import read_removals
from captionstew.publish.stage import FOLDER
from captionstew.publish.version import is_version

# As the Hub has names: no sign at either end of a part, no .. and no --, 96 letters in all.
_NAME = re.compile(
    r"(?!.*(\.\.|--))(?=.{3,96}$)[A-Za-z0-9]([\w.-]*[A-Za-z0-9_])?/[A-Za-z0-9]([\w.-]*[A-Za-z0-9_])?",
    re.ASCII,
)
REPOSITORY = "repository"  # below the folder of releases: what a dry run writes


def run(arguments: Arguments, console: Console) -> int:
    """Check, stage, show, ask, send; the same command again continues."""
    folder = _complete(arguments.folder)
    order = _order(arguments, folder)
    if not (arguments.dry_run or arguments.yes or sys.stdin.isatty()):
        hint = "add --yes to publish without being asked, or --dry-run to look first"
        raise UsageError("nobody is there to be asked", hint=hint)
    console.tell(f"{folder.path} → {order.repository}   (stop any time; the same command continues)")
    try:
        with locked(folder.path):
            hub = Hub(order.repository, hurry=arguments.dry_run)
            main, standing = now(hub, arguments, console)
            with watcher(console, passing=True) as seen:
                made = prepare(order, standing, partial(documents, date=_today()), seen)
            return _done(made, hub, main, arguments, console)
    except KeyboardInterrupt as end:
        console.tell()
        console.tell("stopped; what was made and sent is kept. To continue:")
        console.tell(f"  {shown(_words(arguments))}")
        raise KeyboardInterrupt("told") from end


def _done(made: Prepared, hub: Hub, main: Published, arguments: Arguments, console: Console) -> int:
    """The plan, and what comes after it."""
    release = made.release
    here = Path(arguments.folder).expanduser() / FOLDER / REPOSITORY
    if arguments.dry_run:
        if made.step:
            write_folder(made.repository, here)
        console.data(plain(made) | {"sent": None, "folder": str(here) if made.step else None})
        show(made, console)
        if made.step:
            console.say(f"Nothing was sent. The whole repository is in {here}")
            console.next(f"captionstew validate {here}", shown(_words(arguments, dry=False)))
        return 0
    if made.step is None:
        console.data(plain(made) | {"sent": {"commit": None, "bytes": 0}})
        show(made, console)
        console.next(f"captionstew validate hf://{release.repository}@{release.tag}")
        return 0
    show(made, console)
    if not arguments.yes and not _agreed(release.repository, console):
        console.data(plain(made) | {"sent": None})
        console.say("Nothing was sent.")
        console.next(shown(_words(arguments)))
        return 1
    sent = send(made, hub, main, arguments.private, console)
    console.data(plain(made) | {"sent": {"commit": sent.commit, "url": sent.url, "bytes": sent.sent}})
    what = f"{size(sent.sent)} went over the line, of {size(made.plan.total)} in all"
    console.mark(TICK, f"published {release.repository} {release.tag}: {what}")
    console.say(f"  {sent.url}")
    console.next(f"captionstew validate hf://{release.repository}@{release.tag}")
    return 0


def _complete(name: str) -> BuildFolder:
    """The build, whole and still; BuildError if it is not, UsageError if it is a release that was made of one."""
    if is_release(Path(name).expanduser()):
        hint = "name the build that it was made of: captionstew publish BUILD ORG/NAME"
        raise UsageError(f"{name} is a release, not a build", hint=hint)
    folder = finished(name)
    if not folder.complete(Ledger(folder.path)):
        cause = "a build is running in it" if folder.running else "its shards are not those of its manifest"
        hint = f"captionstew status {name} says what continues it"
        raise BuildError(f"{name} is not built to its end", cause=cause, hint=hint)
    return folder


def _order(arguments: Arguments, folder: BuildFolder) -> Order:
    if not _NAME.fullmatch(arguments.repository):
        hint = "write ORG/NAME, of letters, digits, and single -, _ and . within, such as mira/CaptionStew"
        raise UsageError(f'"{arguments.repository}" is no name of a dataset', hint=hint)
    if arguments.tag and not is_version(arguments.tag):
        raise UsageError(f'"{arguments.tag}" is no version', hint="write vMAJOR.MINOR.PATCH, such as v1.0.0")
    models = {}
    for text in arguments.allow_model:
        name, _, note = text.partition("=")
        if not note.strip():
            hint = f'--allow-model {name or "NAME"}="why its captions may be published"'
            raise UsageError(f'"{text}" gives no reason', hint=hint)
        models[name] = note.strip()
    known = {total.corpus for total in (folder.manifest.totals if folder.manifest else ())}
    known |= {account.corpus for account in (folder.manifest.accounting if folder.manifest else ())}
    known |= {GENERATED}  # a user's own captions may be a model's too, which no account says
    for name in arguments.without:
        if name not in known:
            raise UsageError(f"there is no {name} in this build", hint=nearest(name, sorted(known)))
    removals = read_removals(Path(arguments.remove).expanduser()) if arguments.remove else ()
    return Order(folder.path, arguments.repository, folder.recipe, arguments.tier, arguments.tag,
                 tuple(arguments.note), removals, tuple(arguments.without), models)  # fmt: skip


def _today() -> str:
    """The day of publication, for the documents."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _agreed(name: str, console: Console) -> bool:
    """Whether the one question is answered with yes."""
    sys.stdout.flush()
    print(f"Publish this as {name}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _words(arguments: Arguments, dry: bool | None = None) -> list[str]:
    """The command again; `dry` other than it was."""
    found = ["publish", arguments.folder, arguments.repository]
    if arguments.tier != "audio":
        found += ["--tier", arguments.tier]
    found += ["--tag", arguments.tag] if arguments.tag else []
    found += ["--remove", arguments.remove] if arguments.remove else []
    for option, values in (("note", arguments.note), ("without", arguments.without),
                           ("allow-model", arguments.allow_model)):  # fmt: skip
        for value in values:
            found += [f"--{option}", value]
    found += ["--private"] * arguments.private + ["--yes"] * arguments.yes
    return [*found, *["--dry-run"] * (arguments.dry_run if dry is None else dry)]
