"""What the small Hub keeps: repositories of commits in memory, their content in plain files."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.loopback_hub.xet import Xet

_LFS = (".parquet", ".arrow", ".flac", ".wav", ".opus", ".zip", ".gz", ".zst", ".bin")
_LARGE = 10 << 20  # bytes; anything larger is no regular file
ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in _LFS).encode()


class Refused(Exception):
    """An answer that is no success: its status, what it says, and the Hub's own name for it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class File:
    """A file of a tree; `sha256` of its content if it is no regular one."""

    oid: str  # of the blob that Git has: the content, or the pointer to it
    size: int
    sha256: str = ""

    def said(self, path: str) -> dict[str, Any]:
        """As the tree and the paths say it."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        if self.sha256:
            pointer = len(_pointer(self.sha256, self.size))
            entry["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": pointer}
        return entry


Tree = dict[str, File]


@dataclass(frozen=True)
class Commit:
    """A tree, and the commit before it."""

    id: str
    parent: str
    title: str
    tree: Tree


@dataclass
class Pull:
    """A pull request: draft, open, merged or closed."""

    number: int
    title: str
    description: str
    status: str = "draft"


@dataclass
class Repository:
    """A data set; refs are full names such as refs/heads/main."""

    name: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)

    def resolve(self, revision: str) -> Commit:
        """The commit that a branch, tag, ref or hash means."""
        names = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        found = next((self.refs[name] for name in names if name in self.refs), revision)
        if found not in self.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[found]

    def branch(self, revision: str) -> str:
        """The ref that a commit to this revision moves."""
        for name in (f"refs/heads/{revision}", revision):
            if name in self.refs and not name.startswith("refs/tags/"):
                return name
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, ref: str, title: str, tree: Tree) -> Commit:
        """The ref moves to a new commit of this tree."""
        parent = self.refs.get(ref, "")
        lines = [parent, title, *(f"{path} {tree[path].oid}" for path in sorted(tree))]
        made = Commit(
            hashlib.sha1(f"{len(self.commits)}\n{chr(10).join(lines)}".encode()).hexdigest(),
            parent,
            title,
            tree,
        )
        self.commits[made.id] = made
        self.refs[ref] = made.id
        return made

    def history(self, commit: Commit) -> Iterator[Commit]:
        """The commit and those before it."""
        while True:
            yield commit
            if not commit.parent:
                return
            commit = self.commits[commit.parent]


class Store:
    """Repositories by name; `blobs` holds regular content, `large` whole files of LFS and Xet, `xet` the true store."""

    def __init__(self, folder: Path) -> None:
        self.blobs, self.large, self.arriving = folder / "blobs", folder / "large", folder / "arriving"
        for one in (self.blobs, self.large, self.arriving):
            one.mkdir(parents=True, exist_ok=True)
        self.xet = Xet(folder / "xet", folder / "mirror")
        self.repositories: dict[str, Repository] = {}

    def repository(self, name: str) -> Repository:
        """The repository; 404 if there is none."""
        if name not in self.repositories:
            raise Refused(404, "Repository not found", "RepoNotFound")
        return self.repositories[name]

    def create(self, name: str, private: bool) -> Repository:
        """A new one, with the attributes that the Hub gives each."""
        made = self.repositories[name] = Repository(name, private)
        made.commit("refs/heads/main", "initial commit", {".gitattributes": self.keep(ATTRIBUTES)})
        return made

    def keep(self, content: bytes) -> File:
        """A regular file's blob is kept."""
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        (self.blobs / oid).write_bytes(content)
        return File(oid, len(content))

    def content(self, file: File) -> Path:
        """Where the bytes of a file are."""
        return self.large / file.sha256 if file.sha256 else self.blobs / file.oid

    def pointed(self, sha256: str, size: int | None) -> File:
        """A large file that was sent before; 400 if it was not, or not all of it."""
        path = self.large / sha256
        if not path.is_file() and not self.xet.fetch(sha256, path):
            raise Refused(400, f"Your push was rejected: the LFS object {sha256} does not exist")
        there = path.stat().st_size
        if size not in {None, there}:
            raise Refused(400, f"the LFS object {sha256} has {there} bytes, not {size}")
        oid = hashlib.sha1(_blob(_pointer(sha256, there))).hexdigest()
        return File(oid, there, sha256)

    def mode(self, path: str, size: int, sample: bytes) -> str:
        """How a file of this name and size is to be sent."""
        return "lfs" if path.endswith(_LFS) or size > _LARGE or b"\0" in sample else "regular"

    def pull(self, repository: Repository, number: int) -> Pull:
        """A pull request; 404 if there is none."""
        if number not in repository.pulls:
            raise Refused(404, "Discussion not found")
        return repository.pulls[number]

    def merge(self, repository: Repository, pull: Pull) -> Commit:
        """One commit on main that makes all changes of the pull request; 409 where main has changed the same files."""
        head = repository.resolve(f"refs/pr/{pull.number}")
        main = repository.resolve("main")
        known = {commit.id for commit in repository.history(main)}
        base = next(commit for commit in repository.history(head) if commit.id in known)
        changed = {path for path in {*base.tree, *head.tree} if base.tree.get(path) != head.tree.get(path)}
        moved = {path for path in {*base.tree, *main.tree} if base.tree.get(path) != main.tree.get(path)}
        if pull.status != "open" or changed & moved:
            raise Refused(409, "This pull request cannot be merged")
        tree = {path: file for path, file in main.tree.items() if path not in changed}
        tree |= {path: head.tree[path] for path in changed if path in head.tree}
        pull.status = "merged"
        return repository.commit("refs/heads/main", f"{pull.title} (#{pull.number})", tree)


def changed(store: Store, tree: Tree, operations: Sequence[Mapping[str, Any]]) -> Tree:
    """The tree after the operations of a commit."""
    made = dict(tree)
    for operation in operations:
        value = operation["value"]
        path = value["path"]
        match operation["key"]:
            case "file":
                made[path] = store.keep(base64.b64decode(value["content"]))
            case "lfsFile":
                made[path] = store.pointed(value["oid"], value.get("size"))
            case "deletedFile":
                made.pop(path, None)
            case "deletedFolder":
                made = {
                    name: file for name, file in made.items() if not name.startswith(f"{path.strip('/')}/")
                }
            case "copyFile":
                made[path] = replace(tree[value["srcPath"]])
            case other:
                raise Refused(400, f"unknown operation {other}")
    return made


def _pointer(sha256: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def _blob(content: bytes) -> bytes:
    return b"blob %d\0" % len(content) + content
