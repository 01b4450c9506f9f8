"""status: where a build is, from its ledger and its manifest; while it runs and after it was killed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import polars as pl

from captionstew.cli import outcome
from captionstew.cli.console import DOT, LOOK, TICK, Console
from captionstew.cli.folder import BuildFolder, build_folder
from captionstew.cli.parser import Arguments
from captionstew.cli.resume import started
from captionstew.cli.table import Column
from captionstew.errors import IncompleteError
from captionstew.figures import NONE, count, reasons, share, span
from captionstew.pipeline.ledger import Entry, Ledger

_COLUMNS = (
    Column(""),
    Column("stage"),
    Column("done", right=True),
    Column("received", right=True, spare=2),
    Column("kept", right=True),
    Column("dropped", right=True),
    Column("why", least=12),
    Column("took", right=True, spare=1),
)


@dataclass
class Stage:
    """A stage as the ledger tells it; of the audio pass, all of its pieces together."""

    name: str
    pieces: int = 0
    left: int | None = None  # clips that the audio pass has still to do
    received: int = 0
    kept: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, entry: Entry) -> None:
        """One more piece."""
        self.pieces += 1
        self.received += entry.received
        self.kept += entry.kept
        self.seconds += entry.seconds
        for reason, number in entry.drops.items():
            self.drops[reason] = self.drops.get(reason, 0) + number

    @property
    def over(self) -> bool:
        """Whether nothing of it is left, as far as can be seen."""
        return self.pieces > 0 and not self.left


def run(arguments: Arguments, console: Console) -> int:
    """Exit 3 unless the build is complete."""
    folder = build_folder(arguments.folder)
    ledger = Ledger(folder.path)
    complete = folder.complete(ledger)
    state = "complete" if complete else "running" if folder.running else "stopped"
    stages = _stages(folder, ledger)
    made = outcome.outcomes(folder.manifest) if complete and folder.manifest else ()
    resume = str(started(folder.path))
    name = str(folder.recipe.get("recipe") or "published shards")
    following = [f"captionstew validate {arguments.folder}", f"captionstew inspect {arguments.folder}"]
    if not complete:
        following = [f"captionstew status {arguments.folder}" if state == "running" else resume]
    console.data({"recipe": name, "out": str(folder.path), "state": state, "next": following[0],
                  "stages": [asdict(stage) for stage in stages], "corpora": outcome.plain(made)})  # fmt: skip
    console.mark(TICK if complete else LOOK, DOT.join([name, str(folder.path), state]))
    if stages:  # a release has no ledger
        console.say()
        console.rows(_COLUMNS, [_row(stage) for stage in stages])
    if made and folder.manifest:
        console.say()
        outcome.show(made, console)
        outcome.show_leaks(folder.manifest, console)
    elif folder.manifest:
        console.say()
        console.say("  the shards of an earlier build are here; since then another was begun")
    console.next(*following)
    return 0 if complete else IncompleteError.exit_code


def _stages(folder: BuildFolder, ledger: Ledger) -> list[Stage]:
    """The stages that were begun, then those that the recipe still has."""
    found: dict[str, Stage] = {}
    audio = {entry.stage for entry in ledger.entries() if ".." in entry.stage}
    for entry in ledger.entries():
        stage = found.setdefault(entry.stage, Stage(entry.stage))
        pieces = entry.stage in audio or ".parquet" in entry.shard
        there = all((folder.path / path).exists() for path in entry.outputs)
        if (entry.shard != "all" or not pieces) and there:
            stage.add(entry)
    for name in audio:
        found[name].left = _clips_left(folder, found[name])
    names = [str(one["stage"]).lower() for one in folder.recipe.get("stages", ())]
    return _in_order(found, names)


def _clips_left(folder: BuildFolder, stage: Stage) -> int | None:
    plan = folder.path / "work" / "units.parquet"
    if not plan.is_file():
        return None
    return max(0, int(pl.scan_parquet(plan).select(pl.len()).collect().item()) - stage.received)


def _in_order(found: dict[str, Stage], names: Sequence[str]) -> list[Stage]:
    """As the recipe has them; the stages of the audio pass are one."""
    ordered, inside = [], ""
    for name in names:
        whole = next((one for one in found if one.startswith(f"{name}..")), "")
        inside = whole or inside
        if inside and not whole:
            inside = "" if inside.endswith(f"..{name}") else inside
            continue
        ordered.append(found.get(whole or name) or Stage(name))
    return ordered or list(found.values())


def _row(stage: Stage) -> list[str]:
    if not stage.pieces:
        return ["", stage.name, NONE, "", "", "", "", ""]
    whole = stage.received + (stage.left or 0)
    done = share(stage.received, whole) if stage.left else count(stage.pieces)
    return [
        TICK if stage.over else LOOK,
        stage.name,
        done,
        count(stage.received),
        count(stage.kept),
        share(stage.received - stage.kept, stage.received),
        reasons(stage.drops, 3),
        span(stage.seconds),
    ]
