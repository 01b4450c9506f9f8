"""The folder of a build, as commands that look at it find it."""

import fcntl
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captionstew.cli.machine import standing
from captionstew.corpora.strict import nearest
from captionstew.errors import BuildError
from captionstew.pipeline.ledger import Ledger
from captionstew.shards.layout import MANIFEST
from captionstew.shards.manifest import Manifest, read_manifest

_SIGNS = (MANIFEST, "recipe.json")  # a ledger is in the folders of runs and exports too
_RUN = "run.json"


@dataclass(frozen=True)
class BuildFolder:
    """A folder that a build has at least begun in."""

    path: Path

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe as it was run last; empty where only shards were published."""
        return frozen_recipe(self.path)

    @property
    def manifest(self) -> Manifest | None:
        """What the last finished build says of itself; None if none was finished."""
        return read_manifest(self.path) if (self.path / MANIFEST).is_file() else None

    @property
    def running(self) -> bool:
        """Whether a build is at work here now."""
        lock = self.path / ".lock"
        if not lock.is_file():
            return False
        try:
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    def complete(self, ledger: Ledger) -> bool:
        """Whether the manifest is about the work that was done last, and its shards are there."""
        manifest = self.manifest
        if manifest is None or self.running:
            return False
        for file in manifest.files:
            path = self.path / file.path
            if not path.is_file() or path.stat().st_size != file.bytes:
                return False
        if not ledger.path.is_file():
            return True
        later = ledger.path.stat().st_mtime_ns > (self.path / MANIFEST).stat().st_mtime_ns
        return not later or _agree(ledger, manifest)


def frozen_recipe(folder: Path) -> dict[str, Any]:
    """`recipe.json` of a build; empty where there is none."""
    path = folder / "recipe.json"
    if not path.is_file():
        return {}
    try:
        recipe = json.loads(path.read_bytes())
        if isinstance(recipe, dict):
            return recipe
        raise ValueError("it is no object")
    except ValueError as error:
        hint = "remove it: the next build writes it again"
        raise BuildError("recipe.json is damaged", cause=str(error), where=str(path), hint=hint) from error


def build_folder(name: str) -> BuildFolder:
    """The build at a path; an error that looks around if there is none."""
    path = Path(name).expanduser()
    if path.is_dir() and any((path / sign).is_file() for sign in _SIGNS):
        return BuildFolder(path)
    above = path if path.is_dir() else standing(path)
    near = sorted(
        {str(found.parent) for place in (above, Path("build")) for found in place.glob("*/recipe.json")}
    )
    hint = "captionstew build sampler makes one"
    if near:
        close = nearest(name, near)
        hint = close if close.startswith("did") and not path.is_dir() else f"builds: {', '.join(near[:6])}"
    raise BuildError(f"{name} is no build", cause=_instead(path), hint=hint)


def _instead(path: Path) -> str:
    """What there is in place of a build."""
    if path.is_dir():
        return "it is a run of captionstew train" if (path / _RUN).is_file() else "nothing was built in it"
    return "it is a file" if path.exists() else "there is no such folder"


def finished(name: str) -> BuildFolder:
    """The build at a path, with its shards."""
    folder = build_folder(name)
    if folder.manifest is None:
        hint = f"captionstew status {name} says how far it is and what continues it"
        raise BuildError(f"{name} is not built to its end", cause="it has no manifest yet", hint=hint)
    return folder


def _agree(ledger: Ledger, manifest: Manifest) -> bool:
    """Whether the ledger tells of the very shards and counts that are in the manifest."""
    made = {
        path: out.sha256
        for e in ledger.entries()
        for path, out in e.outputs.items()
        if path.startswith("data/")
    }
    if any(made.get(file.path) != file.sha256 for file in manifest.files):
        return False
    counts: dict[str, list[int]] = {}
    for account in manifest.accounting:
        sums = counts.setdefault(account.stage, [0, 0])
        sums[0], sums[1] = sums[0] + account.received, sums[1] + account.kept
    done = {entry.stage: [entry.received, entry.kept] for entry in ledger.entries() if entry.shard == "all"}
    return all(counts[stage] == numbers for stage, numbers in done.items() if stage in counts)
