"""A run's folder: the frozen recipe, the environment, a ledger of what happened, checkpoints, curves."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from captionstew.errors import BuildError, StewError
from captionstew.shards.atomic import disk_errors, write_bytes
from captionstew.train.metrics import METRICS
from captionstew.train.run import Run

RUN, ENVIRONMENT, LEDGER = "run.json", "environment.json", "ledger.jsonl"
SAMPLES = "captions.jsonl"  # decoded captions beside the references, one line per validation
_FREE = {
    "steps",
    "log_every",
    "validate_every",
    "save_every",
    "keep",
    "wandb",
    "about",
}  # may change when resumed
_PACKAGES = {"captionstew", "torch", "transformers", "tokenizers", "numpy", "pyarrow", "safetensors", "ray"}


@dataclass(frozen=True)
class RunFolder:
    """Where a run lives; made by `open_folder`."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints, `step-00001000` and so on."""
        return self.path / "checkpoints"

    @property
    def tokens(self) -> Path:
        """The folder of tokenisers that this run learnt from its captions."""
        return self.path / "tokens"

    @property
    def begun(self) -> bool:
        """Whether a step may have been taken here: the first is logged and the last saved."""
        return (self.path / METRICS).is_file() or any(self.checkpoints.glob("step-*"))

    def note(self, event: str, **facts: Any) -> None:
        """One more line of the ledger, on the disk before this returns."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}, sort_keys=True) + "\n"
        path = self.path / LEDGER
        with disk_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def frozen(self) -> Mapping[str, Any]:
        """The recipe as it was when the run began, and its data; StewError if the file is damaged."""
        path = self.path / RUN
        try:
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            hint = "put back the file as it was, or choose another --out"
            raise StewError(f"{RUN} is damaged", cause=str(error), where=str(path), hint=hint) from error
        return facts


def open_folder(path: Path, run: Run, data: str | Path) -> RunFolder:
    """A new folder for the run, or the one that it goes on in; BuildError if that holds another run.

    One that was opened for another run and never took a step is a new one.
    """
    folder = RunFolder(path)
    check_free(path)
    now = {"run": _jsonable(run.plain()), "data": _place(data), "build": _build(data)}
    if (path / RUN).is_file():
        if folder.begun:
            _check_same(folder, now)
            return folder
        shutil.rmtree(folder.tokens, ignore_errors=True)  # perhaps learnt for what the recipe said before
    with disk_errors(path):
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
    write_bytes(path / ENVIRONMENT, _json(environment()))
    write_bytes(path / RUN, _json(now))
    return folder


def check_free(path: Path) -> None:
    """BuildError if there is something at the path that is no run's folder."""
    if path.exists() and not path.is_dir():
        raise BuildError(f"{path} is no folder", hint="choose another --out")
    if (
        path.is_dir()
        and not (path / RUN).is_file()
        and any(not p.name.startswith(".") for p in path.iterdir())
    ):
        raise BuildError(f"{path} is not empty and no run", hint="choose another --out")


def environment() -> Mapping[str, Any]:
    """What the run's figures depend on besides its recipe: packages, machine, revision of the code."""
    from captionstew.train.launch import gpus  # it imports torch, which commands that look at runs do without

    found = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"] in _PACKAGES}
    return {
        "python": sys.version.split()[0], "platform": platform.platform(), "processor": platform.processor(),
        "cores": os.cpu_count(), "devices": gpus(), "packages": dict(sorted(found.items())),
        "revision": revision(),
    }  # fmt: skip


def revision() -> str:
    """The git commit of this checkout, with `+` if files differ from it; nothing outside a checkout."""
    here = Path(__file__).parent
    try:
        head = _git(here, "rev-parse", "HEAD")
        return head + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def _check_same(folder: RunFolder, now: Mapping[str, Any]) -> None:
    before = folder.frozen()
    changed = {name: pair for name, pair in _changes(before["run"], now["run"]).items() if name not in _FREE}
    if changed:
        cause = ", ".join(
            f"{name} was {json.dumps(old)}, is {json.dumps(new)}" for name, (old, new) in changed.items()
        )
        hint = "choose another --out; steps and the intervals may change when a run goes on"
        raise BuildError(f"{folder.path} holds another run", cause=cause[:400], hint=hint)
    if before["build"] != now["build"]:
        hint = "choose another --out: a run that goes on must see the same clips"
        raise BuildError(f"{folder.path} was trained on other shards", cause=str(before["data"]), hint=hint)


def _changes(before: Any, now: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """What differs between two recipes, by the name that `--set` gives it."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return {name: (before, now)} if before != now else {}
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*before, *now}):
        found |= _changes(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
    return found


def _place(data: str | Path) -> str:
    """A build's folder or address, the same wherever the command is given."""
    return str(data) if "://" in str(data) else str(Path(data).absolute())


def _build(data: str | Path) -> str:
    """What names the build: the hash of its manifest; its folder or address where none is at hand."""
    from captionstew.digest import file_sha256
    from captionstew.shards.layout import MANIFEST

    path = Path(data) / MANIFEST
    return file_sha256(path) if path.is_file() else _place(data)


def _jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def finished(folder: Path) -> Mapping[str, Any]:
    """The frozen recipe of a run's folder; StewError if there is no run."""
    if not (folder / RUN).is_file():
        raise StewError(f"{folder} is no run", hint="captionstew train makes one in runs/NAME")
    return RunFolder(folder).frozen()
