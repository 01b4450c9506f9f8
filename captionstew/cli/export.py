"""export: a run's encoder for transformers, or a build's clips for other tools."""

import shlex
from pathlib import Path

from captionstew.cli.console import DOT, TICK, Console, program
from captionstew.cli.folder import finished
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import watcher
from captionstew.cli.train import check_packages
from captionstew.corpora.strict import nearest
from captionstew.errors import StewError, UsageError
from captionstew.figures import hours, plural, size, span
from captionstew.interchange.choose import Choice
from captionstew.interchange.export import FORMS, SHARD_CLIPS, Exported, export
from captionstew.interchange.form import Form
from captionstew.shards.atomic import disk_errors
from captionstew.shards.layout import MANIFEST
from captionstew.shards.remote import url_of

_OF_BUILDS: dict[str, object] = {
    "corpus": [],
    "split": [],
    "subset": None,
    "shard_clips": None,
    "audio": None,
}
_OF_RUNS: dict[str, object] = {"last": False, "encoder": False}


def run(arguments: Arguments, console: Console) -> int:
    """Write the folder of the newest checkpoint, or that of the clips."""
    _check(arguments)
    return _build(arguments, console) if arguments.to else _encoder(arguments, console)


def _check(arguments: Arguments) -> None:
    """The options are those of what is exported."""
    others, what = (_OF_RUNS, "a run") if arguments.to else (_OF_BUILDS, "a build")
    for name, default in others.items():
        if getattr(arguments, name) != default:
            hint = "leave it out" if arguments.to else f"add --to {'|'.join(form.name for form in FORMS)}"
            raise UsageError(f"--{name.replace('_', '-')} is for {what}", hint=hint)
    folder = Path(arguments.folder).expanduser()
    if not arguments.to and (folder / MANIFEST).is_file():
        hint = f"say as what: captionstew export {shlex.quote(str(folder))} --to {FORMS[0].name}"
        raise UsageError(f"{folder} is a build, not a run", hint=hint)


def _encoder(arguments: Arguments, console: Console) -> int:
    check_packages()
    from captionstew.train.export import export_run

    folder = Path(arguments.folder).expanduser()
    out = Path(arguments.out).expanduser() if arguments.out else folder / "export"
    with disk_errors(out):
        export_run(folder, out, encoder_alone=arguments.encoder, averaged=not arguments.last)
    held = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    console.data({"run": str(folder), "out": str(out), "bytes": held})
    console.mark(TICK, f"exported {folder} to {out}, {size(held)}")
    loading = (
        f'import captionstew.train.auto, transformers; m = transformers.AutoModel.from_pretrained("{out}")'
    )
    console.say(
        "  m(waves).last_hidden_state: float waves (B, S) at 16 kHz to frames (B, T, D); pooler_output: (B, D)"
    )
    called = program()
    python = "python" if called == "captionstew" else Path(called).with_name("python")
    console.next(f"{python} -i -c '{loading}'")
    return 0


def _build(arguments: Arguments, console: Console) -> int:
    form = _form(arguments)
    url = url_of(arguments.folder)
    if url and not arguments.out:
        raise UsageError(f"{arguments.folder} is not on this disk", hint="say where to write: --out DIR")
    build = url or finished(arguments.folder).path
    out = Path(arguments.out).expanduser() if arguments.out else Path(build) / "export" / form.name
    choice = Choice(tuple(arguments.corpus), tuple(arguments.split), (arguments.subset or "").lower())
    console.tell(f"{build} → {out}   (stop any time; the same command continues)")
    with watcher(console) as seen:
        exported = export(build, out, form, choice, arguments.shard_clips or SHARD_CLIPS, seen)
    _result(exported, form, console)
    return 0


def _form(arguments: Arguments) -> Form:
    """The form that was asked for, with its audio where that was asked for."""
    form = next(form for form in FORMS if form.name == arguments.to)
    audio = arguments.audio or form.audios[0]
    if audio not in form.audios:
        raise StewError(f"{form.name} has no --audio {audio}", hint=nearest(audio, form.audios))
    return form(audio)


def _result(exported: Exported, form: Form, console: Console) -> None:
    plan, counts = exported.plan, exported.plan.counts
    length = sum(count.seconds for count in counts) / 3600
    console.data({"out": str(exported.out), "form": form.name, "received": plan.received,
                  "left_out": dict(plan.left_out), "clips": plan.num_clips, "hours": length,
                  "captions": sum(count.captions for count in counts), "shards": len(plan.parts),
                  "written": exported.done, "bytes": exported.bytes})  # fmt: skip
    parts = [plural(plan.num_clips, "clip"), f"{hours(length)} h", plural(len(plan.parts), "shard")]
    console.mark(TICK, DOT.join([f"exported as {form.name} in {span(exported.seconds)}", *parts]))
    left = [f"{name} {number:,}" for name, number in plan.left_out.items() if number]
    if left:
        console.say(f"  not chosen, of {plan.received:,}: {', '.join(left)}")
    if not exported.done:
        console.say("  nothing had changed: all of it was there")
    console.next(f"less {shlex.quote(str(exported.out / 'README.md'))}")
