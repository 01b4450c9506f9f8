"""Contents of large files on their way to the Hub: by Xet, which sends only chunks that it does not have, or by LFS."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any

from captionstew.errors import BuildError, StewError
from captionstew.publish.contents import DataFile
from captionstew.publish.hub_patience import library, page, patiently, said

logger = logging.getLogger(__name__)

# A batch is what an upload that was killed may send again at most: the Hub knows its chunks when it is whole.
_MOST_FILES, _MOST_BYTES = 64, 2 << 30
_NOWHERE = 404
_MOST_BY_LFS = 8  # files: by LFS there is news only after a batch


@dataclass(frozen=True)
class Sending:
    """How far an upload is: bytes of `total` that the Hub has, and bytes that went over the line for that."""

    step: str  # data, commit, tag
    done: int = 0
    total: int = 0
    sent: int = 0


Watch = Callable[[Sending], None]


def unwatched(_sending: Sending) -> None:
    """Nobody looks."""


@dataclass
class Upload:
    """Sends contents to a data set; they belong to no commit yet, so that nobody sees them. `sent` counts bytes."""

    api: Any
    repository: str
    watch: Watch = unwatched
    done: int = 0
    total: int = 0
    sent: int = 0
    begun: set[str] = field(default_factory=set)  # by LFS: hashes that are counted as sent

    def __call__(self, files: Sequence[DataFile | tuple[str, bytes]]) -> list[Any]:
        """The Hub has the content of each file; returns the operations that a commit takes them in by.

        A file of this disk has the hash that it is said to have, else BuildError; what was sent before, by a run that
        was stopped too, is not sent again.
        """
        self.total += sum(map(_size, files))
        operations = []
        for batch in _batches(files):
            with said(page(self.api, self.repository)):
                operations += patiently(partial(self._batch, batch), page(self.api, self.repository))
        return operations

    def _batch(self, files: Sequence[DataFile | tuple[str, bytes]]) -> list[Any]:
        before = self.done
        operations = [_operation(file) for file in files]
        try:
            (self._by_xet if by_xet() else self._by_lfs)(operations)
        except BaseException:
            self.done = before
            raise
        for file, operation in zip(files, operations, strict=True):
            _compare(file, operation.upload_info.sha256.hex())
        self.done = before + sum(map(_size, files))
        self._tell()
        return operations

    def _by_xet(self, operations: Sequence[Any]) -> None:
        """As huggingface_hub does it, but told of bytes; its session is let go of, and the store with it."""
        import hf_xet  # type: ignore[import-untyped]

        session, before, sent = hf_xet.XetSession(), self.done, self.sent

        def heard(report: Any, _items: Any) -> None:
            self.done = before + report.total_bytes_completed
            self.sent = sent + report.total_transfer_bytes_completed
            self._tell()

        try:
            commit = session.new_upload_commit(**self._access(), progress_callback=heard)
            handles = [_started(commit, operation) for operation in operations]
            report = commit.wait_to_finish()
        except BaseException:
            session.sigint_abort()
            raise
        for operation, handle in zip(operations, handles, strict=True):
            operation.upload_info.sha256 = bytes.fromhex(handle.result().xet_info.sha256)
            operation._upload_mode, operation._is_uploaded = "lfs", True  # create_commit uploads the others
        self.sent = sent + report.dedup_metrics.total_bytes_uploaded

    def _access(self) -> dict[str, Any]:
        """Where the store is, and the permission to write to it; the Xet client cannot say why it has none."""
        utils = library("utils")
        url = f"{self.api.endpoint}/api/datasets/{self.repository}/xet-write-token/main"
        headers = utils.build_hf_headers(token=self.api.token, library_name=self.api.library_name)
        answer = utils.http_backoff("GET", url, headers=headers)
        if answer.status_code == _NOWHERE and not answer.headers.get("X-Error-Code"):
            hint = "send by LFS: set HF_HUB_DISABLE_XET=1 and run the same command again"
            raise StewError("this Hub has no store for Xet", where=self.api.endpoint, hint=hint)
        utils.hf_raise_for_status(answer)
        facts = answer.json()
        plain = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        return {"endpoint": facts["casUrl"], "token": facts["accessToken"], "token_expiry_unix_secs": facts["exp"],
                "token_refresh_url": url, "token_refresh_headers": headers, "custom_headers": plain}  # fmt: skip

    def _by_lfs(self, operations: Sequence[Any]) -> None:
        """The Hub says first which contents it lacks: those are sent, and counted."""
        from huggingface_hub.lfs import post_lfs_batch_info

        for first in range(0, len(operations), _MOST_BY_LFS):
            some = operations[first : first + _MOST_BY_LFS]
            infos = [operation.upload_info for operation in some]
            told, _, _ = post_lfs_batch_info(
                infos, self.api.token, "dataset", self.repository, endpoint=self.api.endpoint
            )
            lacking = {one["oid"]: one["size"] for one in told if one.get("actions")}
            self.sent += sum(size for oid, size in lacking.items() if oid not in self.begun)
            self.begun.update(lacking)
            self.api.preupload_lfs_files(self.repository, some, repo_type="dataset", free_memory=False)
            self.done += sum(info.size for info in infos)
            self._tell()

    def _tell(self) -> None:
        self.watch(Sending("data", self.done, self.total, self.sent))


def moved(file: DataFile) -> Any:
    """The operation of a file whose content the repository has under another path, or had."""
    operation = _operation(file)
    operation.upload_info.sha256 = bytes.fromhex(file.sha256)
    operation._upload_mode, operation._is_uploaded = "lfs", True
    return operation


def by_xet() -> bool:
    """Whether uploads go by Xet: its client is installed, and HF_HUB_DISABLE_XET is not set."""
    from huggingface_hub import constants

    return find_spec("hf_xet") is not None and not constants.HF_HUB_DISABLE_XET


def _operation(file: DataFile | tuple[str, bytes]) -> Any:
    from huggingface_hub import CommitOperationAdd

    if isinstance(file, tuple):
        return CommitOperationAdd(*file)
    if not file.source.is_file() or file.source.stat().st_size != file.bytes:
        hint = "the same command stages it anew"
        raise BuildError(f"{file.path} is not as it was staged", where=str(file.source), hint=hint)
    return CommitOperationAdd(file.path, str(file.source))


def _started(commit: Any, operation: Any) -> Any:
    import hf_xet

    content = operation.path_or_fileobj
    start = commit.start_upload_bytes if isinstance(content, bytes) else commit.start_upload_file
    return start(content, sha256=hf_xet.COMPUTE_SHA256)


def _compare(file: DataFile | tuple[str, bytes], sha256: str) -> None:
    if isinstance(file, DataFile) and file.sha256 != sha256:
        hint = "the same command stages it anew"
        raise BuildError(f"{file.path} has changed since it was staged", cause=f"sha256 {sha256[:12]}, it was "
                         f"{file.sha256[:12]}", where=str(file.source), hint=hint)  # fmt: skip


def _size(file: DataFile | tuple[str, bytes]) -> int:
    return file.bytes if isinstance(file, DataFile) else len(file[1])


def _batches(files: Sequence[DataFile | tuple[str, bytes]]) -> Iterator[list[DataFile | tuple[str, bytes]]]:
    """In order, none with too many files or bytes."""
    batch: list[DataFile | tuple[str, bytes]] = []
    for file in files:
        if batch and (len(batch) == _MOST_FILES or sum(map(_size, batch)) + _size(file) > _MOST_BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
