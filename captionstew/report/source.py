"""What a report is about: a build, or what was published of one, on this disk or behind a URL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from captionstew.corpora.facts import Corpus, corpora
from captionstew.pipeline.ledger import Entry, Ledger
from captionstew.publish.facts import Facts, facts
from captionstew.shards.manifest import Manifest, read_manifest
from captionstew.shards.release import ReleaseFile
from captionstew.shards.remote import Remote, RemoteFile, url_of


@dataclass(frozen=True)
class Source:
    """A folder with a manifest, and what else is known of how it was made."""

    folder: Path
    manifest: Manifest
    recipe: Mapping[str, Any] = field(default_factory=dict)  # recipe.json; empty where it is not known
    command: Sequence[str] = ()  # that built it; nothing if nobody knows
    remote: Remote | None = None  # where its shards are, if not in the folder

    @cached_property
    def facts(self) -> Facts:
        """The numbers of its manifest."""
        return facts(self.manifest)

    @cached_property
    def corpora(self) -> Mapping[str, Corpus]:
        """What is known of its corpora, by name; those of folders of one's own are not in it."""
        named = {one.name for one in self.facts.corpora} | {one.corpus for one in self.manifest.accounting}
        return {name: one for name, one in known_corpora().items() if name in named}

    def shard(self, path: str) -> Path | RemoteFile:
        """A shard by its path in the release."""
        return RemoteFile(self.remote, path) if self.remote else self.folder / path

    @property
    def provenance(self) -> Path | None:
        """What enrichment asked and got, if it did."""
        path = self.folder / "enrich" / "provenance.parquet"
        return path if path.is_file() else None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The ledger's lines; none where there is no ledger."""
        return tuple(Ledger(self.folder).entries())

    @property
    def has_drops(self) -> bool:
        """Whether the ids of what was dropped are here."""
        return (self.folder / "drops").is_dir()

    def files(self) -> Iterator[tuple[ReleaseFile, bool]]:
        """The files that hold every clip, and whether other files of them may hold the same clips.

        Of a corpus and split these are the files of its captions tier where that has all clips, else of all tiers.
        """
        splits = dict.fromkeys((file.corpus, file.split) for file in self.manifest.files)
        for corpus, split in splits:
            here = [file for file in self.manifest.files if (file.corpus, file.split) == (corpus, split)]
            whole = self.facts.corpus(corpus).splits[split].clips
            by_tier: dict[str, list[ReleaseFile]] = {}
            for file in here:
                by_tier.setdefault(file.tier, []).append(file)
            order = sorted(by_tier, key=lambda tier: (tier != "captions", tier))
            alone = next((t for t in order if sum(file.rows for file in by_tier[t]) == whole), None)
            for tier in [alone] if alone else order:
                yield from ((file, alone is None) for file in by_tier[tier])


def source(
    folder: str | Path, recipe: Mapping[str, Any] | None = None, command: Sequence[str] = ()
) -> Source:
    """The build or release in a folder, or behind a URL such as `hf://datasets/ORG/NAME`; read where it is.

    BuildError or StewError where it has no manifest.
    """
    if url := url_of(folder):
        remote = Remote(url)
        return Source(remote.folder, remote.manifest, remote=remote)
    folder = Path(folder)
    return Source(folder, read_manifest(folder), recipe or {}, command)


@cache
def known_corpora() -> Mapping[str, Corpus]:
    """The facts of every corpus, by name; read once."""
    return {one.name: one for one in corpora()}
