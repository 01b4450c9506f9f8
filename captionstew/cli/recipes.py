"""recipes: what can be built; one in full; a copy to change."""

import os
from dataclasses import asdict
from pathlib import Path

from captionstew.cli.console import Console
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.corpora.strict import nearest
from captionstew.errors import BuildError, UsageError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.recipe import recipe, recipes, source
from captionstew.training import run as training_run
from captionstew.training import run_file, runs

_WAYS = ("show", "copy")


def run(arguments: Arguments, console: Console) -> int:
    """List, show or copy."""
    if arguments.action is None:
        _list(console)
    elif arguments.action not in _WAYS:
        raise UsageError(f'recipes cannot "{arguments.action}"', hint=nearest(arguments.action, _WAYS))
    elif arguments.name is None:
        raise UsageError(f"recipes {arguments.action} needs a NAME", hint=f"one of: {', '.join(recipes())}")
    elif arguments.action == "show":
        _show(arguments.name, console)
    else:
        _copy(arguments.name, arguments.file, console)
    return 0


def _list(console: Console) -> None:
    known = [recipe(name) for name in recipes()]
    console.data(
        [*map(_facts, known), *({"recipe": name, "about": training_run(name).about} for name in runs())]
    )
    columns = (
        Column("recipe"),
        Column("corpora", right=True),
        Column("stages", right=True),
        Column("", least=30),
    )
    rows = [(one.name, str(len(one.corpora)), str(len(one.stages)), one.about) for one in known]
    console.rows(columns, [*rows, ("NAME", "1", "12", "any corpus by its name: captionstew corpora")])
    console.say()
    console.rows(
        (Column("to train with"), Column("", least=30)), [(name, training_run(name).about) for name in runs()]
    )
    console.next("captionstew recipes show paper", "captionstew plan sampler")


def _show(name: str, console: Console) -> None:
    if name in runs():
        console.data(training_run(name).plain())
        console.say(run_file(name).read_text(encoding="utf-8").rstrip())
        console.next(
            f"captionstew train {name} --data build/sampler", f"captionstew recipes copy {name} mine.py"
        )
        return
    console.data(_facts(recipe(name)))
    console.say(source(name).rstrip())
    console.next(f"captionstew plan {name}", f"captionstew recipes copy {name} mine.py")


def _copy(name: str, file: str | None, console: Console) -> None:
    text = run_file(name).read_text(encoding="utf-8") if name in runs() else source(name)
    if file is None:
        raise UsageError("recipes copy needs a FILE", hint=f"captionstew recipes copy {name} mine.py")
    path = Path(file).expanduser()
    path = path / f"{name}.py" if path.is_dir() else path
    if path.suffix != ".py":
        raise UsageError(f"{file} is no name for a recipe", hint=f"recipes are Python: {file}.py")
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise BuildError(f"{file} exists already", hint="choose another name, or remove it") from None
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise BuildError(f"cannot write {file}", cause=cause, hint="choose another place") from error
    console.data({"recipe": name, "file": str(path.absolute())})
    console.say(f"wrote {path}: {len(text.splitlines())} lines, all yours to change")
    console.next(
        f"captionstew train {path} --data build/sampler" if name in runs() else f"captionstew plan {path}"
    )


def _facts(pipeline: Pipeline) -> dict[str, object]:
    stages = [{"stage": type(stage).__name__, **asdict(stage)} for stage in pipeline.stages]
    return {"recipe": pipeline.name, "about": pipeline.about, "corpora": pipeline.corpora, "stages": stages}
