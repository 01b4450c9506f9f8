"""A release reaches the Hub whole and in one commit: by its own clients, against a true server."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.publish import hub_upload
from captionstew.publish.contents import DataFile, Removal
from captionstew.publish.hub import Hub
from captionstew.publish.hub_files import Published
from captionstew.publish.hub_upload import Sending
from captionstew.shards.manifest import Manifest

from .sending import DOCUMENTS, KILOBYTES, content, made

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

pytest.importorskip("huggingface_hub", reason="the Hub's own client is not here")
pytestmark = pytest.mark.usefixtures("hurried")


def test_a_release_is_on_main_by_one_commit_and_has_its_tag(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(1)
    sent = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    there = hub.repository(target.repository)
    assert hub.files(target.repository, "v1.0.0") == {**content(files), **DOCUMENTS}
    assert [one.title for one in there.history(there.resolve("main"))] == ["first", "initial commit"]
    assert there.resolve("v1.0.0").id == sent.commit == there.resolve("main").id
    order = [one.route for one in hub.asked() if one.route in {"xet-token", "lfs-put", "commit", "tag"}]
    data = ["xet-token"] if way == "xet" else ["lfs-put"] * 3
    assert order == [*data, "commit", "tag"]
    assert sent.bytes == 3 * KILOBYTES * 1000 + sum(map(len, DOCUMENTS.values()))
    assert sent.bytes <= sent.sent < sent.bytes * 1.02
    assert set(sent.changes.new) == {*content(files), *DOCUMENTS}


def test_the_second_time_nothing_is_sent(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(2)
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
    target = made(hub)
    target.send(shards(3), DOCUMENTS, [], "v1.0.0", "first")
    before, files = hub.store.xet.bytes, shards(3, changed=100)[:2]
    gone = shards(3)[2].path
    sent = target.send(files, DOCUMENTS, [gone], "v1.0.1", "second")
    grown = hub.store.xet.bytes - before
    assert 0 < grown < sent.sent < 0.95 * sent.bytes
    assert sent.sent < grown + 5_000  # what the client tells is what the store got, and its index
    assert hub.files(target.repository) == {**content(files), **DOCUMENTS}
    assert sent.changes.removed == (gone,)
    assert sent.changes.same == ("README.md", "SHA256SUMS")


def test_a_large_release_is_one_commit_too_by_a_pull_request(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.publish.hub_commit._BATCH", 3)
    target, files = made(hub, largest_commit=4), shards(5, count=7)
    sent = target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    there = hub.repository(target.repository)
    assert [one.title for one in there.history(there.resolve("main"))][1:] == ["initial commit"]
    assert hub.files(target.repository, "v1.0.0") == {**content(files), **DOCUMENTS}
    assert sent.commit == there.resolve("main").id
    assert {one.path.rsplit("/", 1)[1] for one in hub.asked("commit")} == {"refs%2Fpr%2F1"}
    assert len(hub.asked("commit")) == 3
    assert there.pulls[1].status == "merged"


def test_progress_is_told_in_bytes_and_ends_where_it_should(
    way: str,
    hub: "LoopbackHub",
    shards: Callable[..., list[DataFile]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_upload, "_MOST_FILES", 2)
    news: list[Sending] = []
    made(hub).send(shards(15, count=5), DOCUMENTS, [], "v1.0.0", "first", news.append)
    data = [one for one in news if one.step == "data"]
    assert [one.done for one in data] == sorted(one.done for one in data)
    assert data[-1].done == data[-1].total == 5 * KILOBYTES * 1000 <= data[-1].sent
    assert [one.step for one in news[len(data) :]] == ["commit", "tag"]


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


def test_nothing_of_the_client_shows_on_the_screen(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], capfd: pytest.CaptureFixture[str]
) -> None:
    made(hub).send(shards(18), DOCUMENTS, [], "v1.0.0", "first")
    out, error = capfd.readouterr()
    assert (out, error) == ("", "")


def test_changes_are_told_without_asking_the_hub(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(19)
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
    target, files = made(hub), shards(20)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    hub.answers.asked.clear()
    there = replace(files[2], path="data/audio/tones/val-00000-of-00001.parquet")
    played = np.random.default_rng(list(way.encode())).bytes(30_000)
    documents = {**DOCUMENTS, "examples/one.opus": played}
    sent = target.send([*files[:2], there], documents, [files[2].path], "v1.1.0", "second")
    assert sent.bytes == 30_000
    assert sum(one.bytes for one in hub.asked("lfs-put")) == (30_000 if way == "lfs" else 0)
    assert hub.repository(target.repository).resolve("main").tree["examples/one.opus"].sha256
    assert hub.files(target.repository) == {**content([*files[:2], there]), **documents}
