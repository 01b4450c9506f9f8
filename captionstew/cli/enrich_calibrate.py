"""enrich calibrate: the thresholds of an event detector, class by class, from a build whose corpora have labels."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from captionstew.cli.console import LOOK, TICK, Console
from captionstew.cli.folder import build_folder
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import watcher
from captionstew.cli.table import Column
from captionstew.enrich.calibrate import Calibrated, calibrate
from captionstew.enrich.detector import AST, Detector
from captionstew.enrich.thresholds import Calibration
from captionstew.errors import UsageError
from captionstew.figures import plural

_COLUMNS = (Column("class", least=20), Column("clips", right=True), Column("possible from", right=True),
            Column("certain from", right=True))  # fmt: skip
_NAMED = 5  # classes to a line


def run(arguments: Arguments, console: Console) -> int:
    """Hear the clips, set the thresholds, write them."""
    out, build = Path(arguments.out).expanduser(), build_folder(arguments.folder).path
    calibration, model = _asked(arguments), arguments.detector or AST
    detector = Detector(model, arguments.revision)
    detector.check()
    with watcher(console) as watch:
        found = calibrate(build, detector, calibration, arguments.n, arguments.cache, watch)
    found.thresholds.save(out)
    console.data({"file": str(out), "calibration": asdict(calibration), **asdict(found)})
    _show(found, calibration, console)
    console.mark(TICK, f"thresholds of {_classes(len(found.thresholds.certain))} in {out}")
    given = {"Events.model": model if model != AST else "", "Events.revision": arguments.revision,
             "Events.thresholds": str(out), "Guard.thresholds": str(out)}  # fmt: skip
    settings = " ".join(f"--set {name}={value}" for name, value in given.items() if value)
    console.next(f"captionstew build stew --enrich @serve/endpoints.json {settings}")
    return 0


def _asked(arguments: Arguments) -> Calibration:
    given = {name: getattr(arguments, name) for name in ("certain", "possible", "fewest")}
    found = replace(Calibration(), **{name: value for name, value in given.items() if value is not None})
    if found.possible > found.certain:
        hint = f"give --certain more than {found.possible:g}, or --possible less than {found.certain:g}"
        raise UsageError("what is certain must be as sure as what is possible", hint=hint)
    return found


def _show(found: Calibrated, calibration: Calibration, console: Console) -> None:
    made = found.thresholds
    console.say(f"{made.model}@{made.revision}, {made.data}")
    console.rows(_COLUMNS, [_row(found, name) for name in found.support if name in made.certain])
    if never := [name for name in made.certain if made.certain[name] == 1]:
        console.mark(LOOK, f"wrong too often at any score to be certain: {_named(never)}")
    if rare := [name for name in found.support if name not in made.certain]:
        console.mark(LOOK, f"in fewer than {plural(calibration.fewest, 'clip')}: {_named(rare)}")
        console.say(f"  these and all others keep the default: possible from {made.least_possible}, "
                    f"certain from {made.least_certain}")  # fmt: skip


def _row(found: Calibrated, name: str) -> Sequence[str]:
    limits = (found.thresholds.possible[name], found.thresholds.certain[name])
    return name, f"{found.support[name]:,}", *("never" if least == 1 else f"{least:.4f}" for least in limits)


def _named(names: Sequence[str]) -> str:
    more = "; ..." if len(names) > _NAMED else ""
    return f"{_classes(len(names))} ({'; '.join(names[:_NAMED])}{more})"


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number:,} classes"
