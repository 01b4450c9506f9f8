"""All documents of a release: complete, the same every time, and without a word about the machine they were made on."""

import io
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from captionstew.corpora.facts import corpus
from captionstew.enrich.prompt import prompt
from captionstew.publish.changelog import changelog
from captionstew.publish.contents import Release, Removal
from captionstew.publish.documents import documents
from captionstew.publish.withdrawn import withdrawn
from captionstew.schema import parse, schema

from .releases import RECIPE, rich


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("build"))


def test_the_repository_has_every_document(release: Release) -> None:
    assert sorted(documents(release)) == [
        "CHANGELOG.md", "DATASHEET.md", "LICENSES.md", "README.md", "croissant.json",
        "examples/1.flac", "examples/2.flac",
        "recipe/corpora/audiocaps.toml", "recipe/corpora/fsd50k.toml", "recipe/corpora/libritts-p.toml",
        "recipe/corpora/sampler-audiocaps.toml",
        "recipe/events/audioset.toml", "recipe/events/corpora.toml", "recipe/events/synonyms.toml",
        "recipe/events/wording.toml", "recipe/prompts/flap.toml", "recipe/recipe.json",
        "removed.parquet",
        "schemas/caption.v1.toml", "schemas/clip.v1.toml", "schemas/release.v1.toml", "schemas/removed.v1.toml",
    ]  # fmt: skip


def test_the_same_release_gives_the_same_bytes(release: Release) -> None:
    assert documents(release, "2026-11-21") == documents(release, "2026-11-21")
    assert documents(release) != documents(release, "2026-11-21")


def test_a_tag_that_is_out_keeps_its_documents_on_any_later_day(release: Release) -> None:
    first = documents(release, "2026-11-21")
    out = replace(
        release, changelog=first["CHANGELOG.md"].decode(), previous=release.manifest, previous_tag=release.tag
    )
    assert documents(out, "2027-05-05") == documents(out) == first


def test_nothing_tells_of_the_machine(release: Release) -> None:
    for path, content in documents(release).items():
        for word in (b"/home/mira", b"http://inside", str(Path.cwd()).encode(), b"/tmp"):
            assert word not in content, path
    recipe = json.loads(documents(release)["recipe/recipe.json"])
    assert recipe["corpora"] == RECIPE["corpora"]
    assert recipe["stages"][1] == {
        "stage": "Enrich", "version": 1, "endpoint": "on", "store": "", "prompts": ["mine.toml"],
    }  # fmt: skip


def test_facts_prompts_and_contracts_are_those_that_were_used(release: Release) -> None:
    made = documents(release)
    for name in ("fsd50k", "audiocaps"):
        facts = tomllib.loads(made[f"recipe/corpora/{name}.toml"].decode())
        assert facts["title"] == corpus(name).title
    assert tomllib.loads(made["recipe/prompts/flap.toml"].decode())["version"] == prompt("flap").version
    assert parse(tomllib.loads(made["schemas/clip.v1.toml"].decode()), "clip") == schema("clip.v1")
    other = replace(release.manifest.enrichment[0], prompt="flap@0123456789abcdef")
    changed = documents(replace(release, manifest=replace(release.manifest, enrichment=(other,))))
    assert "recipe/prompts/flap.toml" not in changed, "not the one that was used"


def test_removals_are_a_table_by_id_even_if_there_are_none() -> None:
    rows = [Removal("yt:b@1", "x | y", "2026-01-02", "v1.1.0"), Removal("fs:1", "z", "2026-01-01", "v1.0.1")]
    table = pq.read_table(io.BytesIO(withdrawn(rows)))
    assert table["clip_id"].to_pylist() == ["fs:1", "yt:b@1"]
    assert table.schema.metadata[b"captionstew"] == b"removed.v1"
    assert withdrawn(rows) == withdrawn(rows[::-1])
    empty = pq.read_table(io.BytesIO(withdrawn(())))
    assert (len(empty), empty.column_names) == (0, ["clip_id", "reason", "date", "tag"])


def test_the_changelog_among_them_is_the_one_of_the_day(release: Release) -> None:
    assert documents(release, "2026-11-21")["CHANGELOG.md"].decode() == changelog(release, "2026-11-21")
