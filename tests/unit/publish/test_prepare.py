"""A release follows what is published: numbered, documented, planned; a dry run holds what an upload would."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError, UsageError, ValidationError
from captionstew.publish.assemble import write_folder
from captionstew.publish.contents import Release, Removal
from captionstew.publish.documents import documents
from captionstew.publish.hub_files import Stored
from captionstew.publish.prepare import Order, Prepared, Standing, prepare
from captionstew.publish.version import rows_in
from captionstew.shards.validate import validate

from .builds import Row, clip, ids, make_build

NAME = "org/stew"


def clips(numbers: Sequence[int] = range(60)) -> list[Row]:
    licenses = ("CC0-1.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0")
    train = [clip(n, "fsd50k", licenses[n % 3]) for n in numbers]
    return [*train, *(clip(n, "fsd50k", "CC0-1.0", "test") for n in range(100, 110))]


def order(build: Path, **fields: object) -> Order:
    recipe = json.loads((build / "recipe.json").read_text())
    return Order(build, NAME, recipe, **fields)  # type: ignore[arg-type]


def texts(release: Release) -> dict[str, bytes]:
    return {"README.md": f"{release.tag} after {release.previous_tag}".encode(), "recipe/recipe.json": b"{}"}


def published(made: Prepared, folder: Path) -> Standing:
    """The repository after an upload, kept in a folder."""
    write_folder(made.repository, folder)
    release = made.release
    held = {one.path: Stored(one.bytes, one.sha256, "") for one in release.files}
    held |= {
        path: Stored(len(text), hashlib.sha256(text).hexdigest(), "")
        for path, text in made.repository.documents.items()
    }
    places = {one.path: folder / one.path for one in release.files}
    return Standing(held, release.tag, release.manifest, "", release.removals, rows_in(places))


@pytest.fixture
def build(tmp_path: Path) -> Path:
    make_build(tmp_path / "build", clips(), shard=20)
    return tmp_path / "build"


def test_a_dry_run_is_a_whole_repository_that_keeps_every_promise(build: Path, tmp_path: Path) -> None:
    made = prepare(order(build), Standing(), documents)
    assert (made.release.tag, made.withdrawn, made.plan.changed, made.plan.same) == ("v1.0.0", 0, (), ())
    texts = sum(map(len, made.repository.documents.values()))
    assert made.plan.bytes == made.plan.total == sum(one.bytes for one in made.release.files) + texts
    folder = tmp_path / "repository"
    write_folder(made.repository, folder)
    assert (folder / "README.md").is_file()
    report = validate(folder)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.clips == 70
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=folder,
        check=False,
        capture_output=True,
    )
    assert (checked.returncode, checked.stdout) == (0, b"")
    named = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    lying = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert lying == named | {"SHA256SUMS"}
    (folder / "README.md").write_text("something else")
    assert "README.md: not what SHA256SUMS says" in validate(folder).checks[0].failures


def test_the_same_build_again_changes_nothing(build: Path, tmp_path: Path) -> None:
    standing = published(prepare(order(build), Standing(), texts), tmp_path / "hub")
    again = prepare(order(build), standing, texts)
    assert (again.step, again.release.tag, again.plan.nothing) == (None, "v1.0.0", True)
    noted = prepare(order(build, notes=("a word",)), standing, texts)
    assert (noted.release.tag, noted.plan.documents) == ("v1.0.1", ("README.md", "SHA256SUMS"))
    assert noted.plan.bytes == sum(len(noted.repository.documents[path]) for path in noted.plan.documents)


def test_an_upload_that_was_stopped_before_its_tag_is_the_same_release_again(
    build: Path, tmp_path: Path
) -> None:
    first = prepare(order(build), Standing(), texts)
    stopped = replace(published(first, tmp_path / "hub"), tag="", manifest=None)
    again = prepare(order(build), stopped, texts)
    assert again.step
    assert (again.plan.nothing, again.release.tag) == (True, "v1.0.0")
    assert again.repository.documents == first.repository.documents


def test_a_stopped_upload_keeps_its_day(build: Path, tmp_path: Path) -> None:
    first = prepare(order(build), Standing(), partial(documents, date="2026-01-31"))
    told = first.repository.documents["CHANGELOG.md"].decode()
    stopped = replace(
        published(first, tmp_path / "hub"), tag="", manifest=None, untagged=(first.release.manifest, told)
    )
    again = prepare(order(build), stopped, partial(documents, date="2026-02-01"))
    assert again.plan.nothing
    assert again.repository.documents == first.repository.documents
    rows = clips()[:-1]
    make_build(tmp_path / "next", rows, shard=20)
    other = prepare(order(tmp_path / "next"), stopped, partial(documents, date="2026-02-01"))
    assert "2026-02-01" in other.repository.documents["CHANGELOG.md"].decode()


def test_a_changed_caption_is_a_patch_and_only_its_files_are_sent(build: Path, tmp_path: Path) -> None:
    standing = published(prepare(order(build), Standing(), texts), tmp_path / "hub")
    rows = clips()
    rows[3]["captions"][0]["text"] = "a better word"
    make_build(tmp_path / "next", rows, shard=20)
    made = prepare(order(tmp_path / "next"), standing, texts)
    assert (made.release.tag, made.release.previous_tag) == ("v1.0.1", "v1.0.0")
    assert {path for path in made.plan.changed if "train-00000" in path} == set(made.plan.changed) - {
        "index/clips.arrow"
    }
    with pytest.raises(UsageError, match=r"v1\.0\.0 cannot follow v1\.0\.0"):
        prepare(order(tmp_path / "next", tag="v1.0.0"), standing, texts)


def test_a_clip_taken_down_stays_down_whatever_the_build_has(build: Path, tmp_path: Path) -> None:
    standing = published(prepare(order(build), Standing(), texts), tmp_path / "hub")
    gone = (Removal("fs:000101", "asked", "2026-01-01", ""), Removal("fs:777777", "asked", "2026-01-01", ""))
    made = prepare(order(build, removals=gone), standing, texts)
    assert (made.release.tag, made.withdrawn, made.absent) == (
        "v1.0.1",
        2,
        ("fs:777777",),
    )  # a test clip may go
    assert [one.tag for one in made.release.removals] == ["v1.0.1", "v1.0.1"]
    standing = published(made, tmp_path / "hub")
    make_build(tmp_path / "next", clips(range(61)), shard=20)
    later = prepare(order(tmp_path / "next"), standing, texts)
    assert later.release.tag == "v1.1.0"
    assert [one.tag for one in later.release.removals] == ["v1.0.1", "v1.0.1"]
    there = {
        name for one in later.release.files if "data/" in one.path for name in ids(pq.read_table(one.source))
    }
    assert "fs:000101" not in there
    assert "fs:000060" in there


def test_paths_that_the_release_no_longer_has_are_deleted_and_others_left(
    build: Path, tmp_path: Path
) -> None:
    standing = published(prepare(order(build), Standing(), texts), tmp_path / "hub")
    standing = replace(standing, held={**standing.held, "notes.txt": Stored(1, "", "x")})
    made = prepare(order(build, tier="captions"), standing, texts)
    assert made.step
    assert made.release.tag == "v2.0.0"
    assert "index/clips.arrow" in made.plan.deleted
    assert {path.split("/")[1] for path in made.plan.deleted} == {"audio", "audio-sa", "clips.arrow"}


def test_a_repository_of_somebody_elses_data_is_left_alone(build: Path) -> None:
    standing = Standing({"README.md": Stored(1, "", "x"), "train.csv": Stored(9, "", "y")})
    with pytest.raises(StewError, match=r"org/stew holds something else; cause: there is train\.csv"):
        prepare(order(build), standing, texts)
    prepare(
        order(build), Standing({"README.md": Stored(1, "", "x"), ".gitattributes": Stored(9, "", "y")}), texts
    )


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("missing", "train-00000-of-00003.parquet"),
        ("damaged", "train-00000-of-00003.parquet cannot be read"),
        ("sums", "does not agree with manifest.json"),
    ],
)
def test_a_build_that_breaks_a_quick_promise_is_not_published(build: Path, harm: str, said: str) -> None:
    shard = build / "data/audio/fsd50k/train-00000-of-00003.parquet"
    if harm == "missing":
        shard.unlink()
    elif harm == "damaged":
        shard.write_bytes(b"PAR1" + bytes(shard.stat().st_size - 4))
    else:
        (build / "SHA256SUMS").write_text("")
    with pytest.raises(ValidationError, match="not fit to be published") as caught:
        prepare(order(build), Standing(), texts)
    assert said in str(caught.value)


def test_nothing_is_published_of_a_build_that_may_not_be(tmp_path: Path) -> None:
    make_build(tmp_path, [clip(n, "laion-audiostock", "LicenseRef-Audiostock") for n in range(3)])
    with pytest.raises(StewError, match="nothing of this build may be published") as caught:
        prepare(order(tmp_path), Standing(), texts)
    assert "its facts allow nothing" in caught.value.cause
