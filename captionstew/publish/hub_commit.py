"""Changes of a data set that readers see all at once: one commit, or a pull request that becomes one.

The Hub looks at each file of a commit before it answers, and its gateway gives up after a minute; huggingface_hub's own
uploads put 250 to 1,000 files into one. More than that goes into a pull request, batch by batch, where no reader
of `main` is, and its merge is one commit on `main`. A commit whose answer was lost is found again by what it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from captionstew.errors import StewError
from captionstew.publish.hub_files import Stored, blob, stored
from captionstew.publish.hub_patience import line, page, patiently, said, silence, status

LARGEST_COMMIT = 500  # operations of one commit on `main`
_BATCH = 250  # of one commit in a pull request
_FORBIDDEN, _OVERTAKEN = 403, 412


@dataclass
class Commits:
    """Commits to the data set `repository`, each on top of the commit that the caller has looked at."""

    api: Any
    repository: str
    largest: int = LARGEST_COMMIT

    def __call__(self, operations: Sequence[Any], parent: str, tag: str, message: str) -> str:
        """The commit of `main` that holds all operations; StewError if `main` is no longer at `parent`."""
        if len(operations) <= self.largest:
            return self._commit("main", operations, parent, message)
        number = self._pull_request(f"{tag} on {parent[:12]}", message)
        revision = f"refs/pr/{number}"
        for first in range(0, len(operations), _BATCH):
            batch = operations[first : first + _BATCH]
            head = self._head(revision)
            if not self._holds(head, batch):  # else a run that was stopped has made it
                self._commit(revision, batch, head, f"{message} ({first // _BATCH + 1})")
        return self._merge(number, operations, parent)

    def _commit(self, revision: str, operations: Sequence[Any], parent: str, message: str) -> str:
        """One commit; where the Hub says that something came between, that may have been this very one."""

        def make() -> str:
            from huggingface_hub import errors

            head = self._head(revision)
            if head != parent:
                return self._ours(head, operations)
            try:
                return str(self.api.create_commit(
                    self.repository, list(operations), commit_message=message, repo_type="dataset",
                    revision=revision, parent_commit=parent).oid)  # fmt: skip
            except errors.HfHubHTTPError as error:
                if status(error) != _OVERTAKEN:
                    raise
                return self._ours(self._head(revision), operations)

        with said(page(self.api, self.repository)), silence():
            return patiently(make, page(self.api, self.repository))

    def _ours(self, head: str, operations: Sequence[Any]) -> str:
        """The commit, if it is the one that we wanted to make."""
        if self._holds(head, operations):
            return head
        hint = "the same command looks at what is there now, and plans anew"
        raise StewError(
            "somebody else published meanwhile", where=f"{self.repository} at {head[:12]}", hint=hint
        )

    def _holds(self, revision: str, operations: Sequence[Any]) -> bool:
        """Whether a commit has every file as the operations leave it."""
        there = stored(self.api.list_repo_tree(self.repository, recursive=True, revision=revision,
                                               repo_type="dataset"))  # fmt: skip
        return all(_left(there.get(operation.path_in_repo), operation) for operation in operations)

    def _head(self, revision: str) -> str:
        facts = self.api.repo_info(self.repository, repo_type="dataset", revision=revision)
        return str(facts.sha)

    def _pull_request(self, title: str, message: str) -> int:
        """The open one with this title, else a new one. Those of the same tag on another commit are of no use now."""

        def find() -> int:
            every = self.api.get_repo_discussions(self.repository, repo_type="dataset")
            mine = [one for one in every if one.is_pull_request and one.status in {"draft", "open"}]
            if found := [one.num for one in mine if one.title == title]:
                return int(found[0])
            for one in mine:
                if one.title.partition(" on ")[0] == title.partition(" on ")[0]:
                    self.api.change_discussion_status(self.repository, one.num, "closed", repo_type="dataset")
            return self._opened(title, message)

        with said(page(self.api, self.repository)):
            return patiently(find, page(self.api, self.repository))

    def _opened(self, title: str, message: str) -> int:
        from huggingface_hub import errors

        try:
            made = self.api.create_pull_request(
                self.repository, title, repo_type="dataset", description=message
            )
        except errors.HfHubHTTPError as error:
            if status(error) != _FORBIDDEN:
                raise
            hint = f"a release of more than {self.largest} new files needs one: allow them in its settings"
            where = page(self.api, self.repository)
            raise StewError(
                "no pull request may be opened", cause=line(error), where=where, hint=hint
            ) from error
        return int(made.num)

    def _merge(self, number: int, operations: Sequence[Any], parent: str) -> str:
        """`main` holds all of it by one commit; nothing is merged if `main` has moved."""

        def merge() -> str:
            if (head := self._head("main")) != parent:
                return self._ours(head, operations)
            found = self.api.get_discussion_details(self.repository, number, repo_type="dataset")
            if found.status == "draft":
                self.api.change_discussion_status(self.repository, number, "open", repo_type="dataset")
            self.api.merge_pull_request(self.repository, number, repo_type="dataset")
            return self._ours(self._head("main"), operations)

        with said(page(self.api, self.repository)):
            return patiently(merge, page(self.api, self.repository))


def _left(file: Stored | None, operation: Any) -> bool:
    """Whether a path is as the operation leaves it."""
    info = getattr(operation, "upload_info", None)
    if info is None or file is None:  # taken away
        return file is None and info is None
    if file.sha256:
        return bool(file.sha256 == info.sha256.hex())
    with operation.as_file() as content:
        return file.blob == blob(content.read())
