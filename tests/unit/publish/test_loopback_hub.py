"""The Hub of the tests behaves as the Hub's own clients expect, so that what they say of us can be believed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

httpx2 = pytest.importorskip("httpx2", reason="the Hub's own client is not here")
hub_client = pytest.importorskip("huggingface_hub", reason="the Hub's own client is not here")

_XET = """
import json, sys
from pathlib import Path
from huggingface_hub import CommitOperationAdd, HfApi
api, (repository, folder) = HfApi(), sys.argv[1:]
api.create_repo(repository, repo_type="dataset", exist_ok=True)
files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
operations = [CommitOperationAdd(path.relative_to(folder).as_posix(), str(path)) for path in files]
api.create_commit(repository, operations, commit_message="files", repo_type="dataset")
got = api.snapshot_download(repository, repo_type="dataset", local_dir=Path(folder) / "../got")
print(json.dumps({path.relative_to(folder).as_posix(): (Path(got) / path.relative_to(folder)).read_bytes()
                  == path.read_bytes() for path in files}))
"""


def _folder(tmp_path: Path, seed: int = 0) -> Path:
    import numpy as np

    folder = tmp_path / "made"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for number in range(2):
        content = np.random.default_rng([seed, number]).bytes(200_000)
        (folder / "data" / f"{number}.parquet").write_bytes(content)
    (folder / "README.md").write_text(f"---\nlicense: other\n---\nseed {seed}\n")
    return folder


def _by_xet(hub: "LoopbackHub", repository: str, folder: Path, home: Path) -> dict[str, bool]:
    arguments = [sys.executable, "-c", _XET, repository, str(folder)]
    done = subprocess.run(arguments, env=hub.environment(home), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result: dict[str, bool] = json.loads(done.stdout)
    return result


def test_by_xet_the_true_client_stores_chunks_and_the_files_come_back(
    hub: "LoopbackHub", tmp_path: Path
) -> None:
    repository, folder = hub.fresh(), _folder(tmp_path)
    before = hub.store.xet.bytes
    assert set(_by_xet(hub, repository, folder, tmp_path).values()) == {True}
    grown = hub.store.xet.bytes - before
    assert 400_000 < grown < 440_000
    assert hub.files(repository)["data/1.parquet"] == (folder / "data/1.parquet").read_bytes()
    assert not hub.asked("lfs-batch", "lfs-put")
    _by_xet(hub, hub.fresh(), folder, tmp_path)
    assert hub.store.xet.bytes - before == grown  # the same content in another repository is stored once


def test_by_lfs_the_files_come_back_and_nothing_is_sent_twice(hub: "LoopbackHub", tmp_path: Path) -> None:
    repository, folder = hub.fresh(), _folder(tmp_path, seed=1)
    api = hub_client.HfApi(endpoint=hub.url)
    api.create_repo(repository, repo_type="dataset")
    for _ in range(2):
        api.upload_folder(repo_id=repository, folder_path=str(folder), repo_type="dataset")
    assert sum(one.bytes for one in hub.asked("lfs-put")) == 400_000
    got = Path(api.snapshot_download(repository, repo_type="dataset", local_dir=str(tmp_path / "got")))
    assert (got / "data/0.parquet").read_bytes() == (folder / "data/0.parquet").read_bytes()
    assert len(api.list_repo_commits(repository, repo_type="dataset")) == 2


def test_a_commit_on_top_of_something_else_is_refused(hub: "LoopbackHub") -> None:
    repository, api = hub.fresh(), hub_client.HfApi(endpoint=hub.url)
    api.create_repo(repository, repo_type="dataset")
    first = api.repo_info(repository, repo_type="dataset").sha
    note = [hub_client.CommitOperationAdd("note.txt", b"one")]
    api.create_commit(repository, note, commit_message="one", repo_type="dataset", parent_commit=first)
    with pytest.raises(hub_client.errors.HfHubHTTPError, match="412"):
        api.create_commit(
            repository, [hub_client.CommitOperationAdd("note.txt", b"two")], commit_message="two",
            repo_type="dataset", parent_commit=first,
        )  # fmt: skip


def test_trees_come_page_by_page_with_hashes(hub: "LoopbackHub") -> None:
    repository, api = hub.fresh(), hub_client.HfApi(endpoint=hub.url)
    api.create_repo(repository, repo_type="dataset")
    content = {f"data/{number}.parquet": bytes([number]) * 100 for number in range(7)}
    operations = [hub_client.CommitOperationAdd(path, data) for path, data in content.items()]
    api.create_commit(repository, operations, commit_message="data", repo_type="dataset")
    hub.answers.page = 3
    entries = list(api.list_repo_tree(repository, recursive=True, repo_type="dataset"))
    assert [one.path for one in entries] == [".gitattributes", "data", *content]
    assert len(hub.asked("tree")) == 3
    assert {len(one.lfs.sha256) for one in entries if one.path in content} == {64}


def test_strangers_see_no_private_repository_and_write_none(hub: "LoopbackHub") -> None:
    repository, api = hub.fresh(), hub_client.HfApi(endpoint=hub.url)
    api.create_repo(repository, repo_type="dataset", private=True)
    stranger = hub_client.HfApi(endpoint=hub.url, token=False)
    with pytest.raises(hub_client.errors.RepositoryNotFoundError):
        stranger.repo_info(repository, repo_type="dataset")
    with pytest.raises(hub_client.errors.HfHubHTTPError, match="401"):
        stranger.create_repo(hub.fresh(), repo_type="dataset")
    assert api.repo_info(repository, repo_type="dataset").private


def test_what_is_asked_to_fail_fails_as_often_as_asked(hub: "LoopbackHub") -> None:
    repository, api = hub.fresh(), hub_client.HfApi(endpoint=hub.url)
    hub.fail("create", status=503, retry_after="7")
    with pytest.raises(hub_client.errors.HfHubHTTPError, match="503") as caught:
        api.create_repo(repository, repo_type="dataset")
    assert caught.value.response.headers["Retry-After"] == "7"
    hub.fail("create", lost=True)
    with pytest.raises(
        hub_client.errors.httpx2.TransportError if False else Exception, match=r"disconnected|closed"
    ):
        api.create_repo(repository, repo_type="dataset")
    assert repository in hub.store.repositories


def test_a_download_that_breaks_off_is_taken_up_again(hub: "LoopbackHub", tmp_path: Path) -> None:
    repository, api = hub.fresh(), hub_client.HfApi(endpoint=hub.url)
    api.create_repo(repository, repo_type="dataset")
    content = bytes(range(256)) * 1000
    large = [hub_client.CommitOperationAdd("one.parquet", content)]
    api.create_commit(repository, large, commit_message="one", repo_type="dataset")
    hub.fail("large", cut=100_000)
    got = api.hf_hub_download(repository, "one.parquet", repo_type="dataset", local_dir=str(tmp_path))
    assert Path(got).read_bytes() == content
    assert len([one for one in hub.asked("large") if one.method == "GET"]) == 2
