"""attach: the audio tier of a captions release, from audio that its user has; run again to go on."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from captionstew.attach.compare import Compare
from captionstew.attach.names import by_annotations
from captionstew.attach.order import Order, ordered
from captionstew.attach.outcome import LISTS, left_out, other_copies, write_list
from captionstew.attach.pipeline import name_of
from captionstew.attach.release import open_release
from captionstew.cli import attach_page
from captionstew.cli.console import Console
from captionstew.cli.fetch import fetch_for_build
from captionstew.cli.machine import standing
from captionstew.cli.order import check_cluster, check_encoder, check_out, given_places
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import Step, watcher
from captionstew.cli.rates import remember
from captionstew.cli.resume import keep_command, shown
from captionstew.cli.supply import supply
from captionstew.errors import BuildError, UsageError
from captionstew.figures import reasons
from captionstew.pipeline.build import Build
from captionstew.pipeline.draft import Draft, draft
from captionstew.pipeline.progress import Event, Watch
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import nothing
from captionstew.pipeline.table import Files
from captionstew.shards.atomic import disk_errors
from captionstew.stages.encode import Encode

LIST = "attach.csv"  # of a finished build: what is not as published, clip by clip


def run(arguments: Arguments, console: Console) -> int:
    """Check, say what is here, attach, account; the same command again continues."""
    order = _order(arguments, console)
    request = order.request
    listed = _listed(arguments) or request.out / LIST
    _survey(order, listed if arguments.dry_run and arguments.list else None, arguments, console)
    if arguments.dry_run:
        console.next(_again(arguments, order))
        return 0
    console.tell(f"{order.release.where} \u2192 {request.out}   (stop any time; the same command continues)")
    console.tell()
    seen = watcher(console)
    try:
        with seen:
            summary = Build(request, _keeping(seen, arguments, request)).run()
    except (KeyboardInterrupt, SystemExit) as end:  # Ray turns a polite kill into an exit
        console.tell(f"\nstopped; {seen.saved}. To continue:\n  {_again(arguments, order)}")
        raise KeyboardInterrupt(seen.saved) from end
    except BuildError as error:
        raise _unlike(error, seen.steps) from error
    if ":" not in request.cluster:  # of this machine
        remember("audio", summary.audio_seconds, summary.audio_wall)
    copies = other_copies(request.out, order.release)
    number = write_list(listed, pl.concat([left_out(request.out), copies.lazy()]), order.release)
    attach_page.result(order, summary, copies, (listed, number), console)
    return 0


def _order(arguments: Arguments, console: Console) -> Order:
    """The order, with everything at hand that it needs; all that can be wrong is told before any work."""
    check_cluster(arguments.cluster)
    _listed(arguments)
    if arguments.codec:
        Encode(codec=arguments.codec)
    release = open_release(arguments.release)
    given = given_places(arguments.audio, release.corpora)
    out = Path(arguments.out).expanduser() if arguments.out else Path("build") / name_of(release)
    order = ordered(
        release, given, out, arguments.only, arguments.codec, other_audio=arguments.accept_other_audio,
        limit=arguments.limit, cluster=arguments.cluster, fresh=arguments.fresh,
    )  # fmt: skip
    check_out(out, order.request.pipeline, fresh=arguments.fresh)
    check_encoder(order.request.pipeline)
    if release.remote is not None:
        console.tell(f"reading the captions of {release.where}")
    release.fetch(order.request.pipeline.corpora)
    fetch = None if arguments.offline else partial(fetch_for_build, console=console)
    noted = tuple(facts for facts in order.request.corpora if by_annotations(facts))
    pipeline = replace(order.request.pipeline, corpora=tuple(facts.name for facts in noted))
    places = supply(pipeline, noted, dict(order.request.places), fetch)
    return replace(order, request=replace(order.request, places=places))


def _listed(arguments: Arguments) -> Path | None:
    """The table that was asked for; UsageError if it would be of a kind that is not written."""
    if not arguments.list:
        return None
    path = Path(arguments.list).expanduser()
    if path.is_dir():
        raise UsageError(f"--list {path} is a folder", hint=f"name a file: --list {path / LIST}")
    if path.suffix not in LISTS:
        raise UsageError(
            f"--list {path}: no such kind of table", hint=f"end its name in {' or '.join(LISTS)}"
        )
    return path


def _survey(order: Order, listed: Path | None, arguments: Arguments, console: Console) -> None:
    """Say which clips are here and which are not, and list those if asked; BuildError if none is."""
    out = order.request.out
    above = standing(out.absolute().parent)
    with disk_errors(above / out.name):
        passing = tempfile.TemporaryDirectory(prefix=".captionstew-plan-", dir=above)
    with passing as work:
        try:
            with watcher(console, passing=True) as watch:
                drawn: Draft = draft(order.request, Path(work), watch)
        except BuildError as error:
            raise _nowhere(error, _drops(order.request, Path(work))) from error
        if listed:
            write_list(listed, _drops(order.request, Path(work)), order.release)
        attach_page.survey(order, drawn, console, alone=arguments.dry_run)


def _drops(request: Request, work: Path) -> pl.LazyFrame:
    """What the stages before the audio left out, as the survey or an earlier run found it."""
    tables = [nothing()]
    for number, stage in enumerate(request.pipeline.before, 1):
        name = f"{number:02}-{stage.name}"
        here = Files(work / name)
        files = here if here.all[2].is_file() else Files(request.out / "work" / name)
        tables += [files.drops()] if files.all[2].is_file() else []
    return pl.concat(tables)


def _nowhere(error: BuildError, drops: pl.LazyFrame) -> BuildError:
    """The error that no clip has its audio, with some of the names that were looked for."""
    names = drops.filter(pl.col("reason") == "missing").select("detail").head(3).collect()["detail"].to_list()
    if not names:
        return error
    cause = f"looked for files such as {', '.join(names)}"
    return BuildError(
        "no clip of the release has its audio here", cause=cause, where=error.where, hint=error.hint
    )


def _unlike(error: BuildError, steps: Mapping[str, Step]) -> BuildError:
    """An error that comes after all clips were found to be other audio says so, and what would keep them."""
    compared = steps.get(Compare.__name__.lower())
    if compared is None or compared.clips or not compared.drops:
        return error
    hint = "is it the audio of this release? what a captions release describes is in its card"
    if "other-copy" in compared.drops:
        hint = "--accept-other-audio keeps copies of the same sound"
    return BuildError("none of the audio is that of the release", cause=reasons(compared.drops), hint=hint)


def _keeping(watch: Watch, arguments: Arguments, request: Request) -> Watch:
    """The watch, after the command is kept in the folder of the build, once the folder is ours."""
    kept = False

    def watching(event: Event) -> None:
        nonlocal kept
        if not kept:
            keep_command(_words(arguments), request)
            kept = True
        watch(event)

    return watching


def _words(arguments: Arguments) -> list[str]:
    """The command again, every path absolute, without `--fresh` and `--dry-run`."""
    found = [
        "attach",
        _absolute(arguments.release) if Path(arguments.release).exists() else arguments.release,
    ]
    for place in arguments.audio:
        name, _, path = place.partition("=")
        found += ["--audio", f"{name}={_absolute(path)}"]
    for name in arguments.only:
        found += ["--only", name]
    given = {"--codec": arguments.codec, "--limit": arguments.limit}
    for option, value in given.items():
        found += [option, str(value)] if value else []
    found += ["--cluster", arguments.cluster] * (arguments.cluster != "auto")
    found += ["--accept-other-audio"] * arguments.accept_other_audio + ["--offline"] * arguments.offline
    for option, path in (("--list", arguments.list), ("--out", arguments.out)):
        found += [option, _absolute(path)] if path else []
    return found


def _again(arguments: Arguments, order: Order) -> str:
    return shown(_words(arguments))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
