"""A release reaches the Hub whole or not at all: by its own clients, against a true server that fails on request."""

import io
import logging
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.digest import file_sha256
from captionstew.errors import BuildError, IncompleteError, StewError
from captionstew.fetch.patience import Patience
from captionstew.publish import hub_patience, hub_upload
from captionstew.publish.contents import DataFile, Removal
from captionstew.publish.hub import Hub
from captionstew.publish.hub_files import Published
from captionstew.publish.hub_upload import Sending
from captionstew.shards.manifest import Manifest

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

pytest.importorskip("huggingface_hub", reason="the Hub's own client is not here")

KILOBYTES = 120
DOCUMENTS = {"README.md": b"---\nlicense: other\n---\nA stew.\n", "SHA256SUMS": b"of all\n"}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Patience(tries=3, first_wait=0.01, longest_wait=0.02, longest_asked=5)
    monkeypatch.setattr(hub_patience, "PATIENCE", quick)
    clock = SimpleNamespace(sleep=lambda _seconds: None)  # its own tries are a second apart
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)


@pytest.fixture(params=["xet", "lfs"])
def way(
    request: pytest.FixtureRequest, hub: "LoopbackHub", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """How contents are sent in this test."""
    hub.enter(monkeypatch, tmp_path / "hub-home", xet=request.param == "xet")
    return str(request.param)


@pytest.fixture
def shards(tmp_path: Path) -> Callable[..., list[DataFile]]:
    """Files of the data tier that no other test and seed have: the Hub keeps each content once."""
    salt = zlib.crc32(str(tmp_path).encode())

    def make(seed: int, count: int = 3, changed: int = 0) -> list[DataFile]:
        files = []
        for number in range(count):
            path = f"data/audio/tones/train-{number:05d}-of-{count:05d}.parquet"
            source = tmp_path / str(seed) / str(changed) / path
            source.parent.mkdir(parents=True, exist_ok=True)
            content = bytearray(np.random.default_rng([salt, seed, number]).bytes(KILOBYTES * 1000))
            content[:changed] = bytes(changed)
            source.write_bytes(content)
            files.append(DataFile(path, source, len(content), file_sha256(source)))
        return files

    return make


def _made(hub: "LoopbackHub", largest_commit: int = 500) -> Hub:
    target = Hub(hub.fresh(), largest_commit=largest_commit)
    target.create(private=False)
    hub.answers.asked.clear()
    return target


def _content(files: list[DataFile]) -> dict[str, bytes]:
    return {file.path: file.source.read_bytes() for file in files}


def test_a_release_is_on_main_by_one_commit_and_has_its_tag(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(1)
    sent = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    there = hub.repository(target.repository)
    assert hub.files(target.repository, "v1.0.0") == {**_content(files), **DOCUMENTS}
    assert [one.title for one in there.history(there.resolve("main"))] == ["first", "initial commit"]
    assert there.resolve("v1.0.0").id == sent.commit == there.resolve("main").id
    order = [one.route for one in hub.asked() if one.route in {"xet-token", "lfs-put", "commit", "tag"}]
    data = ["xet-token"] if way == "xet" else ["lfs-put"] * 3
    assert order == [*data, "commit", "tag"]
    assert sent.bytes == 3 * KILOBYTES * 1000 + sum(map(len, DOCUMENTS.values()))
    assert sent.bytes <= sent.sent < sent.bytes * 1.02
    assert set(sent.changes.new) == {*_content(files), *DOCUMENTS}


def test_the_second_time_nothing_is_sent(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(2)
    first = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    stored = hub.store.xet.bytes
    hub.answers.asked.clear()
    second = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert (second.commit, second.bytes, second.sent) == (first.commit, 0, 0)
    assert not second.changes
    assert not [one for one in hub.asked() if one.method != "GET"]
    assert hub.store.xet.bytes == stored


def test_a_small_change_sends_little_by_xet_and_what_is_gone_goes(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.enter(monkeypatch, tmp_path / "hub-home", xet=True)
    target = _made(hub)
    target.send(shards(3), DOCUMENTS, [], "v1.0.0", "first")
    before, files = hub.store.xet.bytes, shards(3, changed=100)[:2]
    gone = shards(3)[2].path
    sent = target.send(files, DOCUMENTS, [gone], "v1.0.1", "second")
    grown = hub.store.xet.bytes - before
    assert 0 < grown < sent.sent < 0.95 * sent.bytes
    assert sent.sent < grown + 5_000  # what the client tells is what the store got, and its index
    assert hub.files(target.repository) == {**_content(files), **DOCUMENTS}
    assert sent.changes.removed == (gone,)
    assert sent.changes.same == ("README.md", "SHA256SUMS")


def test_a_tag_never_changes(hub: "LoopbackHub", shards: Callable[..., list[DataFile]]) -> None:
    target, files = _made(hub), shards(4)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    with pytest.raises(StewError, match=r"v1\.0\.0 is there and holds something else") as caught:
        target.send(files, {**DOCUMENTS, "README.md": b"other"}, [], "v1.0.0", "again")
    assert "next one" in caught.value.hint
    assert hub.files(target.repository)["README.md"] == DOCUMENTS["README.md"]


def test_a_large_release_is_one_commit_too_by_a_pull_request(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.publish.hub_commit._BATCH", 3)
    target, files = _made(hub, largest_commit=4), shards(5, count=7)
    sent = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    there = hub.repository(target.repository)
    assert [one.title for one in there.history(there.resolve("main"))][1:] == ["initial commit"]
    assert hub.files(target.repository, "v1.0.0") == {**_content(files), **DOCUMENTS}
    assert sent.commit == there.resolve("main").id
    assert {one.path.rsplit("/", 1)[1] for one in hub.asked("commit")} == {"refs%2Fpr%2F1"}
    assert len(hub.asked("commit")) == 3
    assert there.pulls[1].status == "merged"


def test_where_no_pull_request_may_be_opened_the_remedy_is_named(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    hub.fail("discuss", status=403)
    with pytest.raises(StewError, match="no pull request may be opened") as caught:
        _made(hub, largest_commit=2).send(shards(21), DOCUMENTS, [], "v1.0.0", "first")
    assert "allow them in its settings" in caught.value.hint


def test_a_large_release_that_was_stopped_goes_on_in_its_pull_request(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.publish.hub_commit._BATCH", 3)
    target, files = _made(hub, largest_commit=4), shards(6, count=7)
    hub.fail("commit", status=403, after=2)
    with pytest.raises(StewError, match="refused"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert set(hub.files(target.repository)) == set()  # readers of main see nothing of it
    hub.answers.asked.clear()
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert len(hub.asked("commit")) == 1
    assert not hub.asked("lfs-put")
    assert len(hub.repository(target.repository).pulls) == 1
    assert hub.files(target.repository, "v1.0.0") == {**_content(files), **DOCUMENTS}


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
    target, files = _made(hub), shards(7)
    hub.fail(route, **how)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert not hub.faults.left()
    there = hub.repository(target.repository)
    assert hub.files(target.repository, "v1.0.0") == {**_content(files), **DOCUMENTS}
    assert len(list(there.history(there.resolve("main")))) == 2


def test_a_hub_that_keeps_failing_is_left_for_later_and_nothing_shows(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(8)
    hub.fail("commit", status=503, times=99)
    with pytest.raises(IncompleteError, match="503") as caught:
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert caught.value.exit_code == 3
    assert "same command" in caught.value.hint
    assert set(hub.files(target.repository)) == set()
    hub.forget()
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert not hub.asked("lfs-put")
    assert set(hub.files(target.repository, "v1.0.0")) == {*_content(files), *DOCUMENTS}


def test_a_wait_longer_than_patience_is_not_waited_for(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target = _made(hub)
    hub.fail("commit", status=429, retry_after="86400")
    with pytest.raises(IncompleteError, match="429"):
        target.send(shards(9), DOCUMENTS, [], "v1.0.0", "first")


def test_who_publishes_at_the_same_time_is_not_overwritten(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(10)
    looked = target.published()
    Hub(target.repository).send([], {"README.md": b"theirs"}, [], "v0.9.0", "theirs")
    with pytest.raises(StewError, match="somebody else published meanwhile"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first", there=looked)
    hub.fail("commit", status=412)
    with pytest.raises(StewError, match="somebody else published meanwhile"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert hub.files(target.repository) == {"README.md": b"theirs"}


def test_who_publishes_just_before_the_commit_is_not_overwritten(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target = _made(hub)
    other = Hub(target.repository)
    hub.fail("validate-yaml", first=lambda: other.send([], {"README.md": b"theirs"}, [], "v0.9.0", "theirs"))
    with pytest.raises(StewError, match="somebody else published meanwhile"):
        target.send(shards(23), DOCUMENTS, [], "v1.0.0", "first")
    assert hub.files(target.repository) == {"README.md": b"theirs"}


def test_a_pull_request_is_not_merged_over_somebody_elses_commit(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub, largest_commit=2), shards(11)
    looked = target.published()
    Hub(target.repository).send([], {"NOTES.md": b"theirs"}, [], "v0.9.0", "theirs")
    with pytest.raises(StewError, match="somebody else published meanwhile"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first", there=looked)
    assert hub.files(target.repository) == {"NOTES.md": b"theirs"}
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert {pull.status for pull in hub.repository(target.repository).pulls.values()} == {"closed", "merged"}
    assert set(hub.files(target.repository)) == {*_content(files), *DOCUMENTS, "NOTES.md"}


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
    target, files = _made(hub), shards(12 + xet)
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
    assert hub.files(target.repository, "v1.0.0") == {**_content(files), "README.md": b"A stew."}
    assert hub.token not in done.stdout + done.stderr
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in kept if "logs" in path.parts] if xet else kept  # those of the Xet client too
    assert not [path for path in kept if hub.token.encode() in path.read_bytes()]


def test_a_file_that_changed_since_it_was_staged_is_not_published(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(14)
    files[1].source.write_bytes(bytes(files[1].bytes))
    with pytest.raises(BuildError, match="has changed since it was staged"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    files[1].source.unlink()
    with pytest.raises(BuildError, match="not as it was staged"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert hub.files(target.repository) == {}


def test_progress_is_told_in_bytes_and_ends_where_it_should(
    way: str,
    hub: "LoopbackHub",
    shards: Callable[..., list[DataFile]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_upload, "_MOST_FILES", 2)
    news: list[Sending] = []
    _made(hub).send(shards(15, count=5), DOCUMENTS, [], "v1.0.0", "first", news.append)
    data = [one for one in news if one.step == "data"]
    assert [one.done for one in data] == sorted(one.done for one in data)
    assert data[-1].done == data[-1].total == 5 * KILOBYTES * 1000 <= data[-1].sent
    assert [one.step for one in news[len(data) :]] == ["commit", "tag"]


def test_a_repository_that_is_there_is_left_as_it_is(hub: "LoopbackHub") -> None:
    target = _made(hub)
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
    target, files = _made(hub), shards(24)
    hub.fail("lfs-put", status=403, after=2)
    with pytest.raises(StewError, match="the Hub refused"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    hub.answers.asked.clear()
    sent = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert len(hub.asked("lfs-put")) == 1
    assert sent.sent == KILOBYTES * 1000 + sum(map(len, DOCUMENTS.values()))
    assert set(hub.files(target.repository, "v1.0.0")) == {*_content(files), *DOCUMENTS}


def test_what_is_published_is_told_with_its_own_words(hub: "LoopbackHub") -> None:
    assert Hub(hub.fresh()).published() == Published()
    target = Hub(hub.fresh())
    target.create(private=True)
    manifest = Manifest("stew", "0" * 16, (), (), (), {})
    rows = [{"clip_id": "fs:1", "reason": "asked", "date": "2026-11-21", "tag": "v1.0.0"}]
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), table)
    documents = {
        "manifest.json": manifest.encode(), "CHANGELOG.md": b"# v1.0.0\n", "removed.parquet": table.getvalue(),
    }  # fmt: skip
    sent = target.send([], documents, [], "v1.0.0", "first")
    there = target.published("v1.0.0")
    assert (there.commit, there.private, there.tags) == (sent.commit, True, {"v1.0.0": sent.commit})
    assert there.manifest == manifest
    assert there.changelog == "# v1.0.0\n"
    assert there.removals == (Removal("fs:1", "asked", "2026-11-21", "v1.0.0"),)
    assert all(there.files[path].holds(content) for path, content in documents.items())
    assert not there.files["CHANGELOG.md"].holds(b"# v1.0.1\n")
    with pytest.raises(StewError, match="no such revision"):
        target.published("v9.9.9")


def test_a_card_that_the_hub_would_refuse_is_told_before_a_commit(hub: "LoopbackHub") -> None:
    target = _made(hub)
    with pytest.raises(StewError, match="Hub would refuse this") as caught:
        target.send([], {"README.md": b"---\nlicense: [\n---\n"}, [], "v1.0.0", "first")
    assert "README.md" in caught.value.cause
    assert not hub.asked("commit")


def test_who_may_not_write_is_told_how_to_log_in(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, files = _made(hub), shards(16)
    monkeypatch.setenv("HF_TOKEN", "hf_somebodyElse")
    with pytest.raises(StewError, match=r"refused|no such repository") as caught:
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert "hf auth login" in caught.value.hint
    assert "hf_somebodyElse" not in str(caught.value)
    with pytest.raises(StewError, match="no name for a repository"):
        Hub("no/such/name").create(private=True)


@pytest.mark.parametrize(
    ("xet", "route", "status", "says"),
    [
        (False, "lfs-put", 403, "the Hub refused"),
        (True, "xet-token", 403, "the Hub refused"),
        (True, "xet-token", 404, "this Hub has no store for Xet"),
    ],
)
def test_a_store_that_refuses_is_told_in_plain_words(
    xet: bool,
    route: str,
    status: int,
    says: str,
    hub: "LoopbackHub",
    shards: Callable[..., list[DataFile]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    hub.enter(monkeypatch, tmp_path / "hub-home", xet=xet)
    target = _made(hub)
    hub.fail(route, status=status, times=9)
    with pytest.raises(StewError, match=says) as caught:
        target.send(shards(22), DOCUMENTS, [], "v1.0.0", "first")
    assert caught.value.hint
    assert "signature" not in str(caught.value)


def test_no_output_log_or_file_names_the_token_or_a_signature(
    way: str,
    hub: "LoopbackHub",
    shards: Callable[..., list[DataFile]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    target, files = _made(hub), shards(17)
    for route, how in (
        ("lfs-put", {"status": 503}),
        ("commit", {"status": 503}),
        ("xet-token", {"status": 503}),
    ):
        hub.fail(route, **how)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    hub.fail("tag", status=403)
    with pytest.raises(StewError) as caught:
        target.send(files, {**DOCUMENTS, "README.md": b"next"}, [], "v1.1.0", "second")
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    out, error = capfd.readouterr()
    told = "\n".join([caplog.text, out, error, str(caught.value), repr(target)])
    assert "again" in told
    for secret in (hub.token, "signed-for-one-request"):
        assert secret not in told
        assert not [content for content in written if secret.encode() in content]
    assert {one.token for one in hub.asked("commit")} == {hub.token}


def test_nothing_of_the_client_shows_on_the_screen(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], capfd: pytest.CaptureFixture[str]
) -> None:
    _made(hub).send(shards(18), DOCUMENTS, [], "v1.0.0", "first")
    out, error = capfd.readouterr()
    assert (out, error) == ("", "")


def test_changes_are_told_without_asking_the_hub(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(19)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    there = target.published()
    hub.answers.asked.clear()
    other = [replace(files[0], sha256="0" * 64), *files[1:2]]
    changes = target.changes(there, other, {"NEW.md": b"", **DOCUMENTS}, [files[2].path, "never/there"])
    assert changes.new == ("NEW.md",)
    assert changes.changed == (files[0].path,)
    assert changes.removed == (files[2].path,)
    assert changes.same == ("README.md", "SHA256SUMS", files[1].path)
    assert not hub.asked()


def test_a_file_that_only_moved_and_a_played_example_are_no_text(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = _made(hub), shards(20)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    hub.answers.asked.clear()
    there = replace(files[2], path="data/audio/tones/val-00000-of-00001.parquet")
    played = np.random.default_rng(list(way.encode())).bytes(30_000)
    documents = {**DOCUMENTS, "examples/one.opus": played}
    sent = target.send([*files[:2], there], documents, [files[2].path], "v1.1.0", "second")
    assert sent.bytes == 30_000
    assert sum(one.bytes for one in hub.asked("lfs-put")) == (30_000 if way == "lfs" else 0)
    assert hub.repository(target.repository).resolve("main").tree["examples/one.opus"].sha256
    assert hub.files(target.repository) == {**_content([*files[:2], there]), **documents}
