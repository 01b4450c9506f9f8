"""A captions release: where it lies, what it says of itself, and its files on this disk, checked."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from captionstew.digest import file_sha256
from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.atomic import write_bytes
from captionstew.shards.columns import readable
from captionstew.shards.layout import MANIFEST, parse_shard
from captionstew.shards.manifest import Manifest, read_manifest
from captionstew.shards.release import ReleaseFile
from captionstew.shards.remote import Remote, url_of

REMOVED = "removed.parquet"
_RECIPES = ("recipe/recipe.json", "recipe.json")  # of a published repository, of a build
FACTS = "recipe/corpora"  # the facts of its corpora, where they are published with it
TIER, CONTRACT = "captions", "caption.v1"


@dataclass(frozen=True)
class CaptionsRelease:
    """A release as it was opened; its captions are on this disk once `fetch` has brought and checked them."""

    where: str  # as its user calls it
    folder: Path  # the release, or its image on this disk
    manifest: Manifest
    recipe: Mapping[str, Any]  # as it was run; empty where it is not published
    remote: Remote | None = None

    @property
    def files(self) -> tuple[ReleaseFile, ...]:
        """The files of the captions tier, in the order of their paths."""
        return tuple(sorted(of_tier(self.manifest), key=lambda file: file.path))

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora of the captions tier, in the recipe's order as far as that is known."""
        found = dict.fromkeys(file.corpus for file in self.files)
        order = [name for name in self.recipe.get("corpora", ()) if name in found]
        return tuple(dict.fromkeys([*order, *found]))

    def clips(self, corpus: str) -> int:
        """How many clips of a corpus the captions tier has."""
        return sum(file.rows for file in self.files if file.corpus == corpus)

    def hours(self, corpus: str) -> float:
        """How much audio they describe."""
        return sum(file.seconds for file in self.files if file.corpus == corpus) / 3600

    def fetch(self, corpora: Iterable[str]) -> None:
        """The captions of these corpora are in `folder`, each file what the manifest says; StewError if not."""
        wanted = set(corpora)
        for file in self.files:
            if file.corpus in wanted:
                path = self.remote.fetched(file.path) if self.remote else self._whole(file)
                _check_rows(path, file)

    def facts(self, corpus: str) -> Path | None:
        """The file with the facts of a corpus as the release has them; None if it has none."""
        return _document(self.folder, self.remote, f"{FACTS}/{corpus}.toml")

    def _whole(self, file: ReleaseFile) -> Path:
        path, hint = self.folder / file.path, "get the release again: it is damaged or incomplete"
        if not path.is_file():
            raise StewError(f"{file.path} is missing", where=self.where, hint=hint)
        if path.stat().st_size != file.bytes or file_sha256(path) != file.sha256:
            raise StewError(f"{file.path} is not what the manifest says", where=self.where, hint=hint)
        return path


def of_tier(manifest: Manifest) -> list[ReleaseFile]:
    """The files of the captions tier."""
    return [file for file in manifest.files if file.tier == TIER]


def open_release(where: str) -> CaptionsRelease:
    """The release in a folder or behind a URL; StewError if there is none, or if it has no captions tier."""
    url = url_of(where)
    remote = Remote(url) if url else None
    folder = remote.folder if remote else _folder(where)
    manifest = remote.manifest if remote else read_manifest(folder)
    _check_names(manifest, where)
    recipe = next(filter(None, (_document(folder, remote, name) for name in _RECIPES)), None)
    _document(folder, remote, REMOVED)
    opened = CaptionsRelease(where, folder, manifest, _recipe(recipe), remote)
    if not opened.files:
        tiers = ", ".join(sorted({file.tier for file in manifest.files})) or "no tier at all"
        hint = "its audio is in it: captionstew inspect, or train, as it is"
        raise StewError(
            f"{where} has no captions tier", cause=f"it has {tiers}", hint=hint if "audio" in tiers else
            "a release with captions is made by captionstew publish --tier captions",
        )  # fmt: skip
    return opened


def _folder(where: str) -> Path:
    path = Path(where).expanduser()
    if not (path / MANIFEST).is_file():
        cause = f"it holds no {MANIFEST}" if path.is_dir() else "there is no such folder"
        hint = "name a folder with a captions release, or hf://ORG/NAME"
        raise StewError(f"{where} is no release", cause=cause, hint=hint)
    return path.absolute()


def _document(folder: Path, remote: Remote | None, name: str) -> Path | None:
    """A file beside the data; of a remote release its image, brought anew each time."""
    path = folder / name
    if remote is not None:
        content = remote.document(name)
        if content is None:
            path.unlink(missing_ok=True)
            return None
        write_bytes(path, content)
    return path if path.is_file() else None


def _recipe(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    try:
        facts = json.loads(path.read_bytes())
        if not isinstance(facts, dict) or not all(isinstance(one, dict) for one in facts.get("stages", [])):
            raise ValueError("it is no recipe")
    except ValueError as error:
        hint = "get the release again"
        raise StewError("its recipe.json is damaged", cause=str(error), where=str(path), hint=hint) from None
    return facts


def _check_names(manifest: Manifest, where: str) -> None:
    """Paths lead nowhere but to where their rows say that they belong."""
    for file in manifest.files:
        name = parse_shard(file.path)
        if name is None or (name.tier, name.corpus, name.split) != (file.tier, file.corpus, file.split):
            hint = "get the release again, or ask its publisher"
            raise StewError(f"the manifest names {file.path!r}, which is no shard", where=where, hint=hint)


def _check_rows(path: Path, file: ReleaseFile) -> None:
    """The columns are the contract's, and every row belongs where the file says."""
    contract = schema(CONTRACT).arrow()
    with readable(path) as parquet:
        got = parquet.schema_arrow
        wrong = [c.name for c in contract if c.name not in got.names or got.field(c.name).type != c.type]
        rows = parquet.read(columns=["corpus", "split"]) if not wrong else pa.table({})
    hint = "it was made by another version of captionstew, or it is damaged"
    if wrong:
        cause = f"missing or of another type: {', '.join(wrong)}"
        raise StewError(f"{file.path} is not of {CONTRACT}", cause=cause, where=str(path), hint=hint)
    homes = [pc.unique(rows[name]).to_pylist() for name in ("corpus", "split")]
    if homes != [[file.corpus], [file.split]]:
        raise StewError(f"{file.path} holds rows of other corpora or splits", where=str(path), hint=hint)
