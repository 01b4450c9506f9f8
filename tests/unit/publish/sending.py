"""A repository and contents for tests that send releases."""

from typing import TYPE_CHECKING

from captionstew.publish.contents import DataFile
from captionstew.publish.hub import Hub

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

KILOBYTES = 120  # of a shard
DOCUMENTS = {"README.md": b"---\nlicense: other\n---\nA stew.\n", "SHA256SUMS": b"of all\n"}


def made(hub: "LoopbackHub", largest_commit: int = 500) -> Hub:
    """A repository with nothing in it, of which nothing was asked yet."""
    target = Hub(hub.fresh(), largest_commit=largest_commit)
    target.create(private=False)
    hub.answers.asked.clear()
    return target


def content(files: list[DataFile]) -> dict[str, bytes]:
    """What is to be in the repository, by path."""
    return {file.path: file.source.read_bytes() for file in files}
