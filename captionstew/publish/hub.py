"""A release on its way to the Hub: contents first, then one commit with all of it, then the tag."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from captionstew.errors import StewError
from captionstew.publish.contents import DataFile
from captionstew.publish.hub_commit import LARGEST_COMMIT, Commits
from captionstew.publish.hub_files import CHANGELOG, REMOVED, Published, manifest, removals, stored
from captionstew.publish.hub_patience import HURRY, PATIENCE, client, page, patiently, said, silence, status
from captionstew.publish.hub_upload import Sending, Upload, Watch, moved, unwatched
from captionstew.shards.layout import MANIFEST

_EXISTS = 409
_LARGE = 10_000_000  # bytes; the Hub wants no text of that size in a commit


@dataclass(frozen=True)
class Changes:
    """What a release changes on the Hub: paths, sorted."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)


@dataclass(frozen=True)
class Sent:
    """What came of it: the commit with the tag, what it changed, and the bytes that went over the line for it."""

    commit: str
    url: str
    changes: Changes
    bytes: int  # of new and changed files, but for those that only moved
    sent: int


@dataclass(frozen=True)
class Hub:
    """The data set `repository` (ORG/NAME) on the Hub, or at `endpoint`.

    The token is what `hf auth login` keeps, or HF_TOKEN; it is handed to the Hub's own client alone. In `hurry` a Hub
    that does not answer within seconds is not asked again.
    """

    repository: str
    endpoint: str | None = None
    largest_commit: int = LARGEST_COMMIT
    hurry: bool = False

    @property
    def url(self) -> str:
        """Its page."""
        return page(self._api(), self.repository)

    def published(self, revision: str = "main") -> Published:
        """What is there at a branch, tag or commit; an empty one where there is no such repository."""
        from huggingface_hub import errors

        patience = HURRY if self.hurry else PATIENCE

        def look() -> Published:
            api = self._api()
            try:
                facts = api.repo_info(
                    self.repository, repo_type="dataset", revision=revision, timeout=patience.read
                )
            except errors.GatedRepoError:
                raise
            except errors.RepositoryNotFoundError:
                return Published()
            refs = api.list_repo_refs(self.repository, repo_type="dataset")
            tags = {one.name: one.target_commit for one in refs.tags}
            tree = api.list_repo_tree(
                self.repository, recursive=True, revision=facts.sha, repo_type="dataset"
            )
            return self._described(Published(facts.sha, bool(facts.private), tags, stored(tree)))

        with said(self.url):
            return patiently(look, self.url, patience)

    def check_token(self) -> None:
        """The Hub knows whose token this is; StewError if it does not."""
        with said(self.url):
            patiently(lambda: self._api().whoami(), self.url)

    def create(self, private: bool) -> None:
        """The repository is there; one that was there stays as public as it was."""
        with said(self.url):
            patiently(
                lambda: self._api().create_repo(
                    self.repository, repo_type="dataset", private=private, exist_ok=True
                ),
                self.url,
            )

    def changes(
        self,
        there: Published,
        files: Sequence[DataFile],
        documents: Mapping[str, bytes],
        deleted: Sequence[str],
    ) -> Changes:
        """How the release differs from what is there; nothing is asked of the Hub."""
        same = {one.path for one in files if one.path in there.files
                and there.files[one.path].sha256 == one.sha256}  # fmt: skip
        same |= {path for path, content in documents.items() if path in there.files
                 and there.files[path].holds(content)}  # fmt: skip
        every = {one.path for one in files} | set(documents)
        other = every - same
        known = other & set(there.files)
        gone = {path for path in deleted if path in there.files} - every
        return Changes(*(tuple(sorted(paths)) for paths in (other - known, known, same, gone)))

    def send(
        self,
        files: Sequence[DataFile],
        documents: Mapping[str, bytes],
        deleted: Sequence[str],
        tag: str,
        message: str,
        watch: Watch = unwatched,
        there: Published | None = None,
    ) -> Sent:
        """The release is on `main`, all of it by one commit, and has the tag; what is there already is not sent.

        `files` and `documents` are all of the release, `deleted` the paths that it no longer has, `there` is what the
        caller has looked at. StewError if the tag is there and holds something else, or if somebody else has published
        since then; IncompleteError if the Hub keeps failing: the same call goes on where it was.
        """
        main = there or self.published()
        if not main.commit:
            raise StewError("there is no such repository", where=self.url, hint="create it first")
        if tag in main.tags:
            return self._tagged(main.tags[tag], files, documents, deleted, tag)
        changes = self.changes(main, files, documents, deleted)
        chosen = {*changes.new, *changes.changed}
        held = {one.sha256 for one in main.files.values()}
        texts = {
            path: documents[path] for path in sorted(chosen & set(documents)) if _is_text(documents[path])
        }
        binaries = [(path, documents[path]) for path in sorted(chosen & set(documents) - set(texts))]
        data = [one for one in files if one.path in chosen]
        upload = Upload(self._api(), self.repository, watch)
        with silence():
            operations = upload([*(one for one in data if one.sha256 not in held), *binaries])
        operations += [moved(one) for one in data if one.sha256 in held]
        commit = main.commit
        if changes:
            watch(Sending("commit", upload.total, upload.total, upload.sent))
            commits = Commits(self._api(), self.repository, self.largest_commit)
            small = _small(texts, changes.removed)
            commit = commits([*operations, *small], main.commit, tag, message)
        watch(Sending("tag", upload.total, upload.total, upload.sent))
        self._tag(commit, tag)
        carried = sum(map(len, texts.values()))
        return Sent(commit, self._at(tag), changes, upload.total + carried, upload.sent + carried)

    def _tagged(
        self,
        commit: str,
        files: Sequence[DataFile],
        documents: Mapping[str, bytes],
        deleted: Sequence[str],
        tag: str,
    ) -> Sent:
        """Nothing is to be done, if the tag holds this very release."""
        changes = self.changes(self.published(commit), files, documents, deleted)
        if not changes:
            return Sent(commit, self._at(tag), changes, 0, 0)
        first = [*changes.new, *changes.changed, *changes.removed][0]
        hint = "a tag never changes: give this release the next one"
        raise StewError(f"{tag} is there and holds something else", cause=f"{first} differs",
                        where=self._at(tag), hint=hint)  # fmt: skip

    def _tag(self, commit: str, tag: str) -> None:
        from huggingface_hub import errors

        def make() -> None:
            api = self._api()
            try:
                api.create_tag(self.repository, tag=tag, revision=commit, repo_type="dataset")
            except errors.HfHubHTTPError as error:
                tags = api.list_repo_refs(self.repository, repo_type="dataset").tags
                if status(error) != _EXISTS or commit not in {
                    one.target_commit for one in tags if one.name == tag
                }:
                    raise

        with said(self.url):
            patiently(make, self.url)

    def _described(self, there: Published) -> Published:
        """With what its own files say."""

        def content(path: str) -> bytes:
            return self._read(path, there.commit) if path in there.files else b""

        told = content(MANIFEST)
        return replace(
            there,
            manifest=manifest(told) if told else None,
            changelog=content(CHANGELOG).decode("utf-8", "replace"),
            removals=removals(content(REMOVED), self.url) if REMOVED in there.files else (),
        )

    def _read(self, path: str, commit: str) -> bytes:
        from huggingface_hub import HfFileSystem

        system = HfFileSystem(endpoint=self._api().endpoint, skip_instance_cache=True)
        return bytes(system.cat_file(f"datasets/{self.repository}@{commit}/{path}"))

    def _at(self, revision: str) -> str:
        return f"{self.url}/tree/{revision}"

    def _api(self) -> Any:
        return client(self.endpoint or os.environ.get("HF_ENDPOINT") or None)


def _small(texts: Mapping[str, bytes], removed: Sequence[str]) -> list[Any]:
    """What a commit itself carries: documents, then what goes."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    written = [CommitOperationAdd(path, content) for path, content in texts.items()]
    return [*written, *(CommitOperationDelete(path, is_folder=False) for path in removed)]


def _is_text(content: bytes) -> bool:
    """Whether the Hub takes a document in a commit: binary and large files it wants beforehand."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return len(content) < _LARGE and b"\0" not in content
