"""What a release promises is checked where it lies, in a folder or on the Hub, and what it breaks is named."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.cli.main import main
from captionstew.digest import file_sha256
from captionstew.errors import StewError
from captionstew.publish.assemble import write_folder
from captionstew.publish.contents import DataFile
from captionstew.publish.hub import Hub
from captionstew.publish.released import Folder, OnHub, is_release, released
from captionstew.publish.validate import CHECKS, validate_release
from captionstew.schema import schema
from captionstew.shards.findings import Report
from captionstew.shards.layout import MANIFEST, SIDECAR, SUMS
from captionstew.shards.manifest import read_manifest
from captionstew.shards.release import totals
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.write import parquet_settings

from .releases import prepared

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

Change = Callable[[list[dict[str, Any]]], None]
AUDIO = "data/audio/sampler-audiocaps/train-00000-of-00001.parquet"
CAPTIONS = "data/captions/sampler-audiocaps/train-00000-of-00001.parquet"
TAKEN = "fs:000005"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release in all tiers, with one clip taken down; not to be changed."""
    from captionstew.publish.contents import Removal

    folder = tmp_path_factory.mktemp("release")
    taken = Removal(TAKEN, "asked for by its author", "2026-11-01", "")
    write_folder(prepared(folder / "build", removals=(taken,)).repository, folder / "whole")
    return folder / "whole"


@pytest.fixture
def release(whole: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(whole, tmp_path / "release"))


def _settle(release: Path, **facts: Any) -> None:
    """Manifest, addresses and checksums agree with the files as they are now."""
    files = []
    for file in read_manifest(release).files:
        path = release / file.path
        rows = pq.read_table(path, columns=["duration"])
        size, seconds = path.stat().st_size, sum(rows["duration"].to_pylist())
        files.append(replace(file, bytes=size, sha256=file_sha256(path), rows=len(rows), seconds=seconds))
    write_sidecar(release)
    manifest = replace(read_manifest(release), files=tuple(files), totals=totals(release, files))
    (release / MANIFEST).write_bytes(replace(manifest, **facts).encode())
    _sum(release)


def _sum(release: Path) -> None:
    files = sorted(path for path in release.rglob("*") if path.is_file() and path.name != SUMS)
    (release / SUMS).write_text(
        "".join(f"{file_sha256(one)}  {one.relative_to(release).as_posix()}\n" for one in files)
    )


def _rewrite(path: Path, change: Change, **settings: Any) -> None:
    """Rows of a shard, changed by hand: the writer itself would refuse them."""
    rows = pq.read_table(path).to_pylist()
    change(rows)
    contract = schema("caption.v1" if "/captions/" in str(path) else "clip.v1").arrow()
    with pq.ParquetWriter(path, contract, **(parquet_settings(contract) | settings)) as writer:
        writer.write_table(pa.Table.from_pylist(rows, contract), row_group_size=100)


def _set(number: int, **values: Any) -> Change:
    return lambda rows: rows[number].update(values)


def _failures(report: Report) -> dict[str, str]:
    assert [check.name for check in report.checks] == list(CHECKS)
    assert report.passed == (not any(check.failures for check in report.checks))
    return {check.name: "\n".join(check.failures) for check in report.checks if not check.passed}


def _sent(hub: "LoopbackHub", release: Path) -> str:
    """Its address on the Hub."""
    target, data, documents = Hub(hub.fresh()), [], {}
    target.create(private=True)
    for path in sorted(path for path in release.rglob("*") if path.is_file()):
        name = path.relative_to(release).as_posix()
        if name.startswith(("data/", "index/")):
            data.append(DataFile(name, path, path.stat().st_size, file_sha256(path)))
        else:
            documents[name] = path.read_bytes()
    target.send(data, documents, [], "v1.0.0", "first")
    return f"hf://{target.repository}@v1.0.0"


def test_a_release_that_keeps_its_promises_passes_in_a_folder(whole: Path) -> None:
    assert is_release(whole)
    report = validate_release(released(whole))
    assert _failures(report) == {}
    assert report.clips == sum(file.rows for file in read_manifest(whole).files if file.tier == "captions")
    assert {check.name: check.detail for check in report.checks}["removed"] == "1 ids that were taken down"


def test_on_the_hub_it_passes_too_and_little_of_it_is_read(
    whole: Path, hub: "LoopbackHub", tmp_path: Path
) -> None:
    url = _sent(hub, whole)
    hub.answers.asked.clear()
    report = validate_release(OnHub(url), sample=1)
    assert _failures(report) == {}
    assert f"@{hub.repository(url[5:].partition('@')[0]).resolve('main').id}" in report.where
    shards = {one.path.partition("?")[0] for one in hub.asked("large")}
    assert len(shards) > 5
    assert not list(tmp_path.rglob("hub-home/**/*.parquet"))  # none is fetched


def test_the_command_says_what_fails_and_exits_with_four(
    release: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(release)]) == 0
    assert "11 checks passed" in capsys.readouterr().out
    card = (release / "README.md").read_text().replace("data/audio/*/train-", "data/sound/*/train-")
    (release / "README.md").write_text(card)
    _sum(release)
    url = _sent(hub, release)
    assert main(["validate", url, "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in told["checks"] if not check["passed"]] == ["card"]
    assert main(["validate", url]) == 4
    out = capsys.readouterr().out
    assert "data/sound/*/train-*.parquet finds no file" in out
    assert "1 of 11 checks failed" in out
    assert main(["validate", "hf://org/never-there"]) == 1
    assert main(["validate", url, "--audio", "clotho=/nowhere"]) == 2


@pytest.mark.parametrize(
    ("path", "change", "check", "fault"),
    [
        (CAPTIONS, _set(3, license="unknown"), "licenses", "'unknown' is no SPDX expression"),
        (CAPTIONS, _set(3, license="LicenseRef-Nobody-Knows"), "licenses", "may not be published"),
        (AUDIO, _set(3, license="CC-BY-NC-4.0"), "licenses", "CC-BY-NC-4.0 may not be in audio"),
        (AUDIO, _set(3, license="LicenseRef-YouTube"), "licenses", "may not be in audio"),
        (AUDIO, _set(5, clip_id="fs:000005"), "removed", "audio: fs:000005: was taken down"),
        (AUDIO, _set(3, clip_id="fs:000001"), "ids", "more than one row has this id"),
        (CAPTIONS, _set(3, clip_id="../x"), "ids", "is not a safe id"),
        (CAPTIONS, _set(3, split="val"), "files", "rows of sampler-audiocaps val"),
        (AUDIO, _set(0, audio_sha256="0" * 64), "audio", "fs:000000"),
    ],
)
def test_a_row_that_may_not_be_there_is_named(
    path: str, change: Change, check: str, fault: str, release: Path
) -> None:
    _rewrite(release / path, change)
    _settle(release)
    assert fault in _failures(validate_release(Folder(release), sample=1000))[check]


def test_the_files_of_the_hub_are_compared_by_the_hashes_that_it_tells(
    release: Path, hub: "LoopbackHub"
) -> None:
    _rewrite(release / CAPTIONS, _set(3, license="CC-BY-4.0"))
    found = _failures(validate_release(OnHub(_sent(hub, release)), sample=1))
    assert f"{CAPTIONS}: " in found["files"]
    assert f"{CAPTIONS}: not what SHA256SUMS says" in found["manifest"]
    assert set(found) == {"files", "manifest"}


@pytest.mark.parametrize("name", ["LICENSES.md", "removed.parquet", SIDECAR, AUDIO, "croissant.json"])
def test_what_is_missing_is_named(name: str, release: Path) -> None:
    (release / name).unlink()
    found = _failures(validate_release(Folder(release)))
    assert f"{name}: in {SUMS}, but not there" in found["manifest"]
    assert f"{name}: missing" in "\n".join(found.values())


def test_what_nobody_announced_is_named(release: Path) -> None:
    shutil.copy(release / AUDIO, release / AUDIO.replace("train", "val"))
    (release / "notes.txt").write_text("hello")
    found = _failures(validate_release(Folder(release)))
    assert f"{AUDIO.replace('train', 'val')}: not in the manifest" in found["files"]
    assert "notes.txt: not in SHA256SUMS" in found["manifest"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("data/audio/*/train-*.parquet", "data/sound/*/train-*.parquet", "finds no file"),
        ("data/audio/*/train-*.parquet", "data/sound/*/train-*.parquet", f"{AUDIO}: in no config"),
        ("num_examples: 3", "num_examples: 4", "4 rows, 3 in the manifest"),
        ("---\npretty_name", "pretty_name", "it has no header"),
    ],
)
def test_a_card_that_misleads_is_told(old: str, new: str, fault: str, release: Path) -> None:
    text = (release / "README.md").read_text()
    assert old in text
    (release / "README.md").write_text(text.replace(old, new))
    _sum(release)
    found = _failures(validate_release(Folder(release)))
    assert set(found) == {"card"}
    assert fault in found["card"]


def test_splits_that_the_recipe_keeps_apart_share_nothing(release: Path) -> None:
    recipe = json.loads((release / "recipe/recipe.json").read_text())
    recipe["stages"].append({"stage": "Separate", "recordings": ["test"], "speakers": []})
    (release / "recipe/recipe.json").write_text(json.dumps(recipe))
    _sum(release)
    assert _failures(validate_release(Folder(release))) == {}
    _rewrite(release / CAPTIONS, _set(3, source_id="fs:12"))
    _settle(release)
    found = _failures(validate_release(Folder(release)))
    assert "its recording fs:12 is in test too" in found["splits"]


def test_totals_that_are_not_those_of_the_rows_are_named(release: Path) -> None:
    before = read_manifest(release).totals
    _rewrite(release / CAPTIONS, _set(3, license="CC-BY-4.0"))
    _settle(release, totals=before)
    found = _failures(validate_release(Folder(release)))
    assert set(found) == {"manifest"}
    assert "captions/sampler-audiocaps/train, CC-BY-4.0: 1 clips" in found["manifest"]


def test_a_footer_without_page_index_and_an_account_that_is_wrong_are_named(release: Path) -> None:
    _rewrite(release / AUDIO, lambda rows: None, write_page_index=False)
    wrong = tuple(replace(one, received=one.received + 1) for one in read_manifest(release).accounting)
    _settle(release, accounting=wrong)
    found = _failures(validate_release(Folder(release)))
    assert set(found) == {"writer", "accounting"}
    assert "no page index" in found["writer"]


def test_a_shard_that_is_none_is_a_failure_and_no_accident(release: Path) -> None:
    (release / AUDIO).write_bytes(bytes((release / AUDIO).stat().st_size))
    found = _failures(validate_release(Folder(release)))
    assert f"{AUDIO}: cannot be read" in found["files"]


def test_where_there_is_no_release_that_is_said(tmp_path: Path, hub: "LoopbackHub") -> None:
    assert not is_release(tmp_path)
    with pytest.raises(StewError, match="no manifest"):
        released(tmp_path)
    with pytest.raises(StewError):
        released("hf://org/never-there")
