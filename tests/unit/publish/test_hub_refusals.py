"""What may not be published is not, nothing of others is written over, and secrets stay secret."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from captionstew.errors import BuildError, StewError
from captionstew.publish.contents import DataFile
from captionstew.publish.hub import Hub

from .sending import DOCUMENTS, content, made

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

pytest.importorskip("huggingface_hub", reason="the Hub's own client is not here")
pytestmark = pytest.mark.usefixtures("hurried")


def test_a_tag_never_changes(hub: "LoopbackHub", shards: Callable[..., list[DataFile]]) -> None:
    target, files = made(hub), shards(4)
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    with pytest.raises(StewError, match=r"v1\.0\.0 is there and holds something else") as caught:
        target.send(files, {**DOCUMENTS, "README.md": b"other"}, [], "v1.0.0", "again")
    assert "next one" in caught.value.hint
    assert hub.files(target.repository)["README.md"] == DOCUMENTS["README.md"]


def test_where_no_pull_request_may_be_opened_the_remedy_is_named(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    hub.fail("discuss", status=403)
    with pytest.raises(StewError, match="no pull request may be opened") as caught:
        made(hub, largest_commit=2).send(shards(21), DOCUMENTS, [], "v1.0.0", "first")
    assert "allow them in its settings" in caught.value.hint


def test_who_publishes_at_the_same_time_is_not_overwritten(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(10)
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
    target = made(hub)
    other = Hub(target.repository)
    hub.fail("validate-yaml", first=lambda: other.send([], {"README.md": b"theirs"}, [], "v0.9.0", "theirs"))
    with pytest.raises(StewError, match="somebody else published meanwhile"):
        target.send(shards(23), DOCUMENTS, [], "v1.0.0", "first")
    assert hub.files(target.repository) == {"README.md": b"theirs"}


def test_a_pull_request_is_not_merged_over_somebody_elses_commit(
    hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub, largest_commit=2), shards(11)
    looked = target.published()
    Hub(target.repository).send([], {"NOTES.md": b"theirs"}, [], "v0.9.0", "theirs")
    with pytest.raises(StewError, match="somebody else published meanwhile"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first", there=looked)
    assert hub.files(target.repository) == {"NOTES.md": b"theirs"}
    target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert {pull.status for pull in hub.repository(target.repository).pulls.values()} == {"closed", "merged"}
    assert set(hub.files(target.repository)) == {*content(files), *DOCUMENTS, "NOTES.md"}


def test_a_file_that_changed_since_it_was_staged_is_not_published(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]]
) -> None:
    target, files = made(hub), shards(14)
    files[1].source.write_bytes(bytes(files[1].bytes))
    with pytest.raises(BuildError, match="has changed since it was staged"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    files[1].source.unlink()
    with pytest.raises(BuildError, match="not as it was staged"):
        target.send(files, DOCUMENTS, [], "v1.0.0", "first")
    assert hub.files(target.repository) == {}


def test_a_card_that_the_hub_would_refuse_is_told_before_a_commit(hub: "LoopbackHub") -> None:
    target = made(hub)
    with pytest.raises(StewError, match="Hub would refuse this") as caught:
        target.send([], {"README.md": b"---\nlicense: [\n---\n"}, [], "v1.0.0", "first")
    assert "README.md" in caught.value.cause
    assert not hub.asked("commit")


def test_who_may_not_write_is_told_how_to_log_in(
    way: str, hub: "LoopbackHub", shards: Callable[..., list[DataFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, files = made(hub), shards(16)
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
    target = made(hub)
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
    target, files = made(hub), shards(17)
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
