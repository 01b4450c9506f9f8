"""What fails on the way to the Hub is tried again or taken up later; nobody sees half a release."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from captionstew.errors import IncompleteError, StewError
from captionstew.publish.contents import DataFile
from captionstew.publish.hub import Hub

from .sending import DOCUMENTS, KILOBYTES, content, made

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

pytest.importorskip("huggingface_hub", reason="the Hub's own client is not here")
pytestmark = pytest.mark.usefixtures("hurried")


def test_a_large_release_that_was_stopped_goes_on_in_its_pull_request(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.publish.hub_commit._BATCH", 3)
    target, files = made(hub, largest_commit=4), shards(6, count=7)
    hub.fail("commit", status=403, after=2)
    with pytest.raises(StewError, match="refused"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert set(hub.files(target.repository)) == set()  # readers of main see nothing of it
    hub.answers.asked.clear()
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert len(hub.asked("commit")) == 1
    assert not hub.asked("lfs-put")
    assert len(hub.repository(target.repository).pulls) == 1
    assert hub.files(target.repository, "v1.0.0") == {**content(files), **DOCUMENTS}


@pytest.mark.parametrize(
    ("route", "how"),
    [
        ("preupload", {"status": 503}),
        ("lfs-batch", {"status": 503}),
        ("lfs-put", {"cut": 10_000}),
        ("commit", {"status": 429, "retry_after": "0"}),
        ("commit", {"status": 503, "times": 2}),
        ("commit", {"cut": 50}),
        ("commit", {"lost": True}),
        ("tag", {"lost": True}),
        ("tag", {"status": 502}),
    ],
)
def test_what_fails_for_a_moment_is_tried_again(
    route: str, how: dict[str, Any], hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(7)
    hub.fail(route, **how)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert not hub.faults.left()
    there = hub.repository(target.repository)
    assert hub.files(target.repository, "v1.0.0") == {**content(files), **DOCUMENTS}
    assert len(list(there.history(there.resolve("main")))) == 2


def test_a_hub_that_keeps_failing_is_left_for_later_and_nothing_shows(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(8)
    hub.fail("commit", status=503, times=99)
    with pytest.raises(IncompleteError, match="503") as caught:
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert caught.value.exit_code == 3
    assert "same command" in caught.value.hint
    assert set(hub.files(target.repository)) == set()
    hub.forget()
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert not hub.asked("lfs-put")
    assert set(hub.files(target.repository, "v1.0.0")) == {*content(files), *DOCUMENTS}


def test_a_wait_longer_than_patience_is_not_waited_for(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target = made(hub)
    hub.fail("commit", status=429, retry_after="86400")
    with pytest.raises(IncompleteError, match="429"):
        target.send(shards(9), DOCUMENTS, [], "v1.0.0", "first")


_KILLED = """
import os, sys
from pathlib import Path
from captionstew.digest import file_sha256
from captionstew.publish.contents import DataFile
from captionstew.publish.hub import Hub
repository, folder, stop = sys.argv[1:]
files = [DataFile(path.relative_to(folder).as_posix(), path, path.stat().st_size, file_sha256(path))
         for path in sorted(Path(folder).rglob("*.parquet"))]
sent = Hub(repository).send(files, {"README.md": b"A stew."}, [], "v1.0.0", "first",
                            lambda news: os._exit(9) if news.step == stop else None)
print(sent.sent, sent.bytes)
"""


@pytest.mark.parametrize("xet", [True, False])
def test_a_process_killed_between_data_and_commit_is_taken_up_without_sending_again(
    xet: bool, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], tmp_path: Path
) -> None:
    target, files = made(hub), shards(12 + xet)
    environment = hub.environment(tmp_path, xet=xet)
    folder = files[0].source.parents[3]

    def run(stop: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-c", _KILLED, target.repository, str(folder), stop]
        return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60)

    assert run("commit").returncode == 9
    assert set(hub.files(target.repository)) == set()
    stored = hub.store.xet.bytes
    hub.answers.asked.clear()
    done = run("")
    assert done.returncode == 0, done.stderr
    sent, total = map(int, done.stdout.split())
    assert total == 3 * KILOBYTES * 1000 + len(b"A stew.")
    assert sent < 5_000
    assert hub.store.xet.bytes == stored
    assert not hub.asked("lfs-put")
    assert hub.files(target.repository, "v1.0.0") == {**content(files), "README.md": b"A stew."}
    assert hub.token not in done.stdout + done.stderr
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in kept if "logs" in path.parts] if xet else kept  # those of the Xet client too
    assert not [path for path in kept if hub.token.encode() in path.read_bytes()]


def test_a_repository_that_is_there_is_left_as_it_is(hub: "LoopbackHub") -> None:
    target = made(hub)
    hub.fail("create", lost=True)
    target.create(private=True)
    assert not target.published().private
    other = Hub(hub.fresh())
    hub.fail("create", lost=True)
    other.create(private=True)
    assert other.published().private


def test_an_upload_that_broke_off_goes_on_with_what_is_missing(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(24)
    hub.fail("lfs-put", status=403, after=2)
    with pytest.raises(StewError, match="the Hub refused"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    hub.answers.asked.clear()
    sent = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert len(hub.asked("lfs-put")) == 1
    assert sent.sent == KILOBYTES * 1000 + sum(map(len, DOCUMENTS.values()))
    assert set(hub.files(target.repository, "v1.0.0")) == {*content(files), *DOCUMENTS}
