"""train: from a build's shards to an encoder, whatever interrupts it."""

import json
import os
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

from captionstew.cli.console import DOT, TICK, Console
from captionstew.cli.extras import bringing
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.errors import StewError, UsageError
from captionstew.figures import count, hours, plural, size, span
from captionstew.shards.layout import MANIFEST
from captionstew.train.folder import SAMPLES
from captionstew.train.run import Run
from captionstew.training import run as recipe_run
from captionstew.training import set_fields

_NEEDED = {
    "huggingface_hub",
    "torch",
    "transformers",
    "safetensors",
    "tokenizers",
    "tensorboard",
    "matplotlib",
}
TRAINING = bringing("train")
_LONGEST = 90  # characters of a caption that are shown
_TABLES = {".csv", ".tsv", ".jsonl", ".parquet"}


def run(arguments: Arguments, console: Console) -> int:
    """Check, launch, train, account; the same command again continues."""
    check_packages()
    made = set_fields(recipe_run(arguments.recipe), arguments.set)
    if arguments.gpus and arguments.ranks:
        raise UsageError("--gpus and --ranks say the same", hint="give one of them")
    ranks = arguments.gpus or arguments.ranks or 1
    out = Path(arguments.out).expanduser() if arguments.out else Path("runs") / made.name
    data = _data(arguments.data, made, console)
    if arguments.cluster:
        return _on_ray(arguments, made, data, out, ranks, console)
    from captionstew.train.launch import launch, launched, reporting

    if ranks > 1 and not launched() and not arguments.dry_run:
        launch(_words(arguments, data, out), ranks, console.tell)
        return 0
    with reporting():
        return _here(made, data, out, arguments, console)


def _here(made: Run, data: str, out: Path, arguments: Arguments, console: Console) -> int:
    """Train in this process, which may be one of several."""
    from captionstew.train.session import Order, check, train

    order = Order(made, data, out)
    speaks = int(os.environ.get("RANK", "0")) == 0
    talk = _Talk(console if speaks else Console(quiet=True), made)
    if arguments.dry_run:
        estimate = check(order, talk.told)
        console.data({"run": made.name, "data": data, **estimate.plain()})
        console.next(shlex.join(["captionstew", *_words(arguments, data, out)]))
        return 0
    if speaks:
        console.tell(f"{made.name} \u2192 {out}   (stop any time; the same command continues)")
    summary = train(order, talk.seen, talk.told)
    if summary.stopped:
        talk.console.tell(f"stopped after step {summary.step:,}, which is saved; the same command continues")
        raise KeyboardInterrupt(summary.step)  # said already
    if speaks:
        _result(made, out, summary, console)
    return 0


def _on_ray(arguments: Arguments, made: Run, data: str, out: Path, ranks: int, console: Console) -> int:
    from captionstew.train.cluster import train_on_ray
    from captionstew.train.session import Order

    console.tell(f"{made.name} \u2192 {out} on Ray ({arguments.cluster}, {plural(ranks, 'worker')})")
    order = Order(made, str(Path(data).absolute()) if "://" not in data else data, out.absolute())
    summary = train_on_ray(order, arguments.cluster, ranks, gpu=bool(arguments.gpus))
    _result(made, out, summary, console)
    return 0


class _Talk:
    """The story of a run on stderr: the estimate, then a line per logged step."""

    def __init__(self, console: Console, made: Run) -> None:
        self.console, self.run = console, made

    def told(self, estimate: "object") -> None:
        """What the pre-flight found."""
        from captionstew.train.preflight import Estimate

        assert isinstance(estimate, Estimate), f"{estimate!r} is no estimate"
        one = estimate
        parts = [f"{count(one.parameters)} parameters", plural(one.clips, "clip"), f"{hours(one.hours)} h"]
        held = [
            f"{plural(one.validation_clips, 'clip')} held out",
            f"{plural(one.ranks, 'rank')} on {one.device}",
        ]
        self.console.tell(DOT.join(parts + held))
        self.console.tell(
            f"worst batch {one.worst_clips} x {one.worst_seconds:.1f} s: {size(one.peak_bytes)}, "
            f"{one.step_seconds:.2f} s a step; all {self.run.steps:,} steps in about {span(one.total_seconds)}, "
            f"{hours(one.hours_per_day)} h of audio a day"
        )

    def seen(self, seen: "object") -> None:
        """A logged step, or a validation."""
        from captionstew.train.loop import Seen

        assert isinstance(seen, Seen), f"{seen!r} is no step"
        values = seen.values
        if seen.kind == "validation":
            shown = DOT.join(f"{name} {value:.4g}" for name, value in values.items())
            self.console.tell(f"  validation at {seen.step:,}: {shown}")
            return
        rate = values.get("throughput", 0.0)
        each = self.run.data.seconds * self.run.accumulate
        left = (seen.steps - seen.step) * each / rate if rate else 0.0
        self.console.tell(
            f"  {seen.step:>7,}/{seen.steps:,}  loss {values['loss']:.4f}  rate {values['rate/encoder']:.2e}  "
            f"{rate:,.0f} audio-s/s  {span(left)} left"
        )


def _result(made: Run, out: Path, summary: "object", console: Console) -> None:
    from captionstew.train.session import Summary

    assert isinstance(summary, Summary), f"{summary!r} is no summary"
    facts = {
        "run": made.name, "out": str(out), "step": summary.step, "audio_hours": summary.audio_hours,
        "skipped_steps": summary.num_skipped, "wall": summary.wall, "validation": dict(summary.figures),
    }  # fmt: skip
    console.data(facts)
    took = f"in {span(summary.wall)}"
    if summary.steps_now < summary.step:
        took = f"({summary.steps_now:,} of them now, {took})" if summary.steps_now else "done before"
    parts = [f"{made.name}: {plural(summary.step, 'step')} {took}"]
    console.mark(TICK, DOT.join([*parts, f"{hours(summary.audio_hours)} h of audio"]))
    for name, value in summary.figures.items():
        console.say(f"  {name:26} {value:.4f}")
    _captions(out, console)
    console.say(f"  it lies in {out} (checkpoints, metrics.jsonl, curves.png)")
    console.next(f"captionstew export {out}")


def _captions(out: Path, console: Console) -> None:
    """What the last validation wrote beside what people wrote, for reading."""
    path = out / SAMPLES
    if not path.is_file():
        return
    pairs = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["captions"]
    rows = [(pair["decoded"][:_LONGEST], pair["reference"][:_LONGEST]) for pair in pairs]
    console.rows((Column("decoded", least=20), Column("reference", least=20)), rows)


def _data(given: str, made: Run, console: Console) -> str:
    """The build to learn from; of a folder or table of audio and captions, the build that is made of it first."""
    if "://" in given or (Path(given).expanduser() / MANIFEST).is_file():
        return given if "://" in given else str(Path(given).expanduser())
    path = Path(given).expanduser()
    if not path.exists():
        raise StewError(
            f"there is no data at {given}", hint="captionstew build sampler makes some to try with"
        )
    if path.is_dir() and (path / "ledger.jsonl").is_file():
        raise StewError(f"the build in {given} is not finished", hint=f"captionstew status {given}")
    if path.is_file() and path.suffix.lower() not in _TABLES:
        raise StewError(
            f"{given} is no build and no table", hint="a build, a folder of audio, .csv .jsonl .parquet"
        )
    if os.environ.get("RANK", "0") != "0":
        raise UsageError(
            "build the data first where several machines train", hint="captionstew build folder --from"
        )
    return _built(path, console)


def _built(path: Path, console: Console) -> str:
    """The shards of the user's own pairs, in build/NAME; built once, continued if stopped."""
    from captionstew.cli import build
    from captionstew.cli.commands import COMMANDS

    out = Path("build") / path.stem
    console.tell(f"{path} is no build yet: building it into {out}")
    (command,) = [one for one in COMMANDS if one.name == "build"]
    words = ["folder", "--from", str(path), "--out", str(out)]
    with redirect_stdout(sys.stderr):  # the result is that of the training
        build.run(command.parse(words), Console(quiet=console.quiet))
    return str(out)


def _words(arguments: Arguments, data: str, out: Path) -> list[str]:
    """The command again for each process of a group."""
    words = ["train", arguments.recipe, "--data", data, "--out", str(out)]
    for setting in arguments.set:
        words += ["--set", setting]
    return [*words, *(["--json"] if arguments.json else []), *(["--quiet"] if arguments.quiet else [])]


def missing_packages() -> list[str]:
    """What training needs and is not installed."""
    from importlib.util import find_spec

    return sorted(name for name in _NEEDED if find_spec(name) is None)


def check_packages() -> None:
    """StewError if what training needs is not installed."""
    if missing := missing_packages():
        cause = f"not installed: {', '.join(missing)}"
        raise StewError("training needs more packages", cause=cause, hint=TRAINING)
