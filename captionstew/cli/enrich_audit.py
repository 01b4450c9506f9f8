"""enrich audit: a blind sheet of generated captions for people to judge, and what their sheets say."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from captionstew.cli.console import LOOK, TICK, Console
from captionstew.cli.folder import build_folder
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.enrich.audit import Audit, Rate, audit
from captionstew.enrich.sheet import drawn, read_sheet, verdicts, write_sheet
from captionstew.errors import UsageError
from captionstew.figures import plural, share

_COLUMNS = (Column("guard's verdict"), Column("judged", right=True), Column("wrong", right=True),
            Column("share", right=True), Column("95 % interval", right=True))  # fmt: skip

_EXAMPLES = "lost-event", "invented-sound", "invented-count"  # of REASONS


def run(arguments: Arguments, console: Console) -> int:
    """Write a sheet, or read those that came back."""
    build = build_folder(arguments.folder).path
    return _read(build, arguments.read, console) if arguments.read else _write(build, arguments, console)


def _write(build: Path, arguments: Arguments, console: Console) -> int:
    path = Path(arguments.out).expanduser()
    if path.exists():
        raise UsageError(f"{path} exists", hint="choose another --out: somebody may have filled it in")
    lines = drawn(build, arguments.n)
    write_sheet(path, lines)
    console.data({"sheet": str(path), "captions": len(lines)})
    console.mark(TICK, f"{plural(len(lines), 'caption')} to judge in {path}")
    console.say(
        "  Give a copy to each person. `right` takes yes or no, from `before` and `events` alone; where it is no,"
    )
    console.say(f"  `reason` a word such as {', '.join(_EXAMPLES)}. Nobody is told what the guard thought.")
    console.next(f"captionstew enrich audit {arguments.folder} --read first.csv second.csv")
    return 0


def _read(build: Path, names: Sequence[str], console: Console) -> int:
    sheets = [read_sheet(Path(name).expanduser()) for name in names]
    if not any(sheets):
        raise UsageError("nobody has judged anything", hint="write yes or no into the column `right`")
    found = audit(verdicts(build, (row for sheet in sheets for row in sheet)), sheets)
    console.data({"sheets": list(names), **asdict(found), "shares": [one.share for one in found.rates]})
    _show(found, names, console)
    return 0


def _show(found: Audit, names: Sequence[str], console: Console) -> None:
    for pair in found.pairs:
        between = f"{Path(names[pair.first]).name} and {Path(names[pair.second]).name}"
        value = "not defined: both say the same of all" if pair.kappa is None else f"{pair.kappa:.2f}"
        alike = f"{share(pair.alike, 1)} alike on {plural(pair.captions, 'caption')}"
        console.say(f"{between}: {alike}, Cohen's kappa {value}")
    console.rows(_COLUMNS, [_row(rate) for rate in found.rates if rate.captions])
    console.say(
        "  wrong: kept though people say no, rejected though they say yes; a tie counts against the caption"
    )
    if found.reasons:
        console.mark(
            LOOK, "why kept ones are wrong: " + ", ".join(f"{name} {count}" for name, count in found.reasons)
        )


def _row(rate: Rate) -> Sequence[str]:
    interval = f"{share(rate.low, 1)} to {share(rate.high, 1)}"
    return rate.verdict, str(rate.captions), str(rate.wrong), share(rate.share, 1), interval
