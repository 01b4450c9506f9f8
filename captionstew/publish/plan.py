"""What an upload would do: the repository as it will be, compared with the repository as it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from captionstew.errors import StewError
from captionstew.publish.assemble import Repository
from captionstew.publish.hub_files import Stored
from captionstew.shards.layout import MANIFEST, parse_shard

Held = Mapping[str, Stored]  # by path
_OURS = ("data/", "index/", "recipe/", "schemas/", "examples/")  # hold what a release says, nothing else
_PLAIN = {".gitattributes", "README.md", "LICENSE"}  # what a new repository may have from the start


@dataclass(frozen=True)
class Plan:
    """The data files that are new, changed and the same, and the paths that go; `bytes` of all files that are sent.

    A file that only moves, its content being there under another path, is not sent.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    deleted: tuple[str, ...]
    documents: tuple[str, ...]  # that are new or differ
    bytes: int
    total: int  # bytes of all files, documents too

    @property
    def nothing(self) -> bool:
        """Whether every file is there as it should be."""
        return not (self.new or self.changed or self.deleted or self.documents)


def planned(repository: Repository, held: Held) -> Plan:
    """The plan for a repository that holds these files."""
    files, there = repository.release.files, {one.sha256 for one in held.values()}
    new = [file for file in files if file.path not in held]
    changed = [file for file in files if file.path in held and held[file.path].sha256 != file.sha256]
    same = [file.path for file in files if file.path in held and held[file.path].sha256 == file.sha256]
    gone = [path for path in held if path.startswith(_OURS) and path not in repository.paths]
    texts = [
        path
        for path, content in repository.documents.items()
        if path not in held or not held[path].holds(content)
    ]
    return Plan(
        tuple(file.path for file in new),
        tuple(file.path for file in changed),
        tuple(same),
        tuple(sorted(gone)),
        tuple(sorted(texts)),
        sum(file.bytes for file in (*new, *changed) if file.sha256 not in there)
        + sum(len(repository.documents[path]) for path in texts),
        sum(file.bytes for file in files) + sum(map(len, repository.documents.values())),
    )


def check_home(name: str, held: Held, repository: Repository) -> None:
    """StewError if a repository holds what no release of ours put there: an upload would mix the two."""
    ours = _PLAIN | repository.paths  # an upload that was interrupted leaves shards without a manifest
    strangers = sorted(path for path in held if path not in ours and not parse_shard(path))
    if strangers and MANIFEST not in held:
        raise StewError(
            f"{name} holds something else",
            cause=f"there is {strangers[0]} and no {MANIFEST}",
            hint="choose another name; a release wants a repository of its own",
        )
