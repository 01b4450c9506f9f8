"""A release is what its manifest says, or it is refused with the reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.attach.facts import facts_of
from captionstew.attach.release import CaptionsRelease, open_release
from captionstew.corpora.facts import corpus
from captionstew.digest import file_sha256
from captionstew.errors import CorpusError, StewError
from captionstew.rooms import room

from .conftest import NUM_CLIPS

SHARD = "data/captions/folder/train-00000-of-00001.parquet"


def _edited(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """The manifest changed by `edit`, which is given the row of the shard."""
    facts = json.loads((folder / "manifest.json").read_text())
    edit(facts["files"][0])
    (folder / "manifest.json").write_text(json.dumps(facts))


def _rewritten(folder: Path, table: pa.Table) -> None:
    """Other rows in the shard, which the manifest knows of."""
    pq.write_table(table, folder / SHARD)
    size, sha256 = (folder / SHARD).stat().st_size, file_sha256(folder / SHARD)
    _edited(folder, lambda file: file.update(bytes=size, sha256=sha256))


def test_a_release_tells_its_corpora_clips_and_recipe(release: CaptionsRelease) -> None:
    assert release.corpora == ("folder",)
    assert release.clips("folder") == NUM_CLIPS
    assert release.hours("folder") == pytest.approx(NUM_CLIPS * 2 / 3600)
    assert release.recipe["recipe"] == "folder"
    release.fetch(release.corpora)


def test_the_recipe_of_a_repository_lies_in_a_folder_of_its_own(folder: Path) -> None:
    (folder / "recipe").mkdir()
    (folder / "recipe" / "recipe.json").write_text('{"recipe": "theirs", "stages": []}')
    assert open_release(str(folder)).recipe["recipe"] == "theirs"
    (folder / "recipe" / "recipe.json").write_text('{"stages": [1]}')
    with pytest.raises(StewError, match="is damaged"):
        open_release(str(folder))


def test_a_build_without_captions_tier_is_no_release(built: Path, tmp_path: Path) -> None:
    with pytest.raises(StewError, match="has no captions tier"):
        open_release(str(built))
    for nothing in (tmp_path, tmp_path / "absent"):
        with pytest.raises(StewError, match="is no release"):
            open_release(str(nothing))


def test_a_file_that_is_not_what_the_manifest_says_is_refused(folder: Path, release: CaptionsRelease) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / SHARD).write_bytes(data)
    with pytest.raises(StewError, match="is not what the manifest says"):
        release.fetch(["folder"])
    (folder / SHARD).unlink()
    with pytest.raises(StewError, match="is missing"):
        release.fetch(["folder"])
    release.fetch([])


@pytest.mark.parametrize("path", ["../../etc/passwd", "data/captions/other/train-00000-of-00001.parquet"])
def test_a_manifest_that_leads_elsewhere_is_refused(folder: Path, path: str) -> None:
    _edited(folder, lambda file: file.update(path=path))
    with pytest.raises(StewError, match="which is no shard"):
        open_release(str(folder))


def test_rows_of_another_corpus_or_without_a_column_are_refused(folder: Path) -> None:
    table = pq.read_table(folder / SHARD)
    at = table.column_names.index("corpus")
    foreign = pa.array(["clotho", *["folder"] * (NUM_CLIPS - 1)])
    _rewritten(folder, table.set_column(at, table.schema.field("corpus"), foreign))
    with pytest.raises(StewError, match="rows of other corpora"):
        open_release(str(folder)).fetch(["folder"])
    _rewritten(folder, table.drop_columns(["audio_sha256"]))
    with pytest.raises(StewError, match="is not of caption") as caught:
        open_release(str(folder)).fetch(["folder"])
    assert "audio_sha256" in caught.value.cause


def test_of_a_corpus_that_is_not_known_here_the_release_says_what_files_are_called(folder: Path) -> None:
    release = open_release(str(folder))
    assert facts_of(release, "clotho") == corpus("clotho")
    with pytest.raises(CorpusError, match="nothing is known of the corpus hums"):
        facts_of(release, "hums")
    place = folder / "recipe" / "corpora"
    place.mkdir(parents=True)
    ours = room("pipelines") / "corpora" / "esc50.toml"
    (place / "noises.toml").write_text(ours.read_text().replace('"esc50"', '"noises"'))
    (place / "hums.toml").write_text('name = "hums"\nlike = "noises"\nmade_by = "sampler.take"\n')
    facts = facts_of(release, "hums")
    assert facts.audio == corpus("esc50").audio
    assert (facts.files, facts.archives, facts.made_by) == ((), (), "")
    (place / "hums.toml").write_text('name = "hums"\nlike = "../../../etc"\n')
    with pytest.raises(CorpusError, match="nothing is known"):
        facts_of(release, "hums")
