"""mlcroissant takes the document without a word, and streams from the files the rows that pyarrow reads."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from captionstew.publish.configs import configs
from captionstew.publish.contents import Release
from captionstew.publish.croissant import croissant
from captionstew.schema import schema

from .releases import rich, written


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def folder(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(release, tmp_path_factory.mktemp("repository") / "it")


@pytest.fixture(scope="module")
def facts(folder: Path) -> Any:
    return json.loads((folder / "croissant.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Any:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    return mlcroissant.Dataset(jsonld=str(folder / "croissant.json"), mapping={"repo": str(folder)})


def test_its_reader_has_nothing_to_say(dataset: Any) -> None:
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    told = dataset.metadata.to_json()
    assert told["conformsTo"] == [
        "http://mlcommons.org/croissant/1.1",
        "http://mlcommons.org/croissant/RAI/1.0",
    ]
    assert told["version"] == "1.0.0"


def test_it_streams_the_rows_of_each_config(dataset: Any, folder: Path, release: Release) -> None:
    for config in configs(release):
        if config.corpus:
            continue
        found = {record[f"{config.name}/clip_id"].decode(): record for record in dataset.records(config.name)}
        rows = {row["clip_id"]: row for row in pq.read_table(folder / "data" / config.tier).to_pylist()}
        assert found.keys() == rows.keys()
        for clip_id, row in rows.items():
            record = found[clip_id]
            if "audio" in row:
                assert record[f"{config.name}/audio"] == row["audio"]["bytes"]
            assert record[f"{config.name}/duration"] == row["duration"]
            assert [one.decode() for one in record[f"{config.name}/tags"]] == row["tags"]
            prefix = f"{config.name}/captions/"
            texts = [one[f"{prefix}text"].decode() for one in record[f"{config.name}/captions"]]
            assert texts == [caption["text"] for caption in row["captions"]]


def test_a_column_that_is_not_there_is_found(folder: Path, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    page = (
        (folder / "croissant.json").read_text("utf-8").replace('"column": "duration"', '"column": "length"')
    )
    (tmp_path / "croissant.json").write_text(page)
    wrong = mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"), mapping={"repo": str(folder)})
    with pytest.raises(Exception, match="Read\\(files-captions\\)"):
        list(wrong.records("captions"))


def test_every_parquet_file_is_there_with_its_hash_and_the_whole_with_theirs(
    facts: Any, release: Release
) -> None:
    files = {one["@id"]: one for one in facts["distribution"] if one["@type"] == "cr:FileObject"}
    parquet = {one.path: one for one in release.files if one.path.endswith(".parquet")}
    assert files.keys() - {"repo"} == parquet.keys()
    for path, file in parquet.items():
        assert (files[path]["sha256"], files[path]["contentSize"]) == (file.sha256, f"{file.bytes} B")
        assert files[path]["contentUrl"].endswith(f"/resolve/v1.0.0/{path}")
    lines = "".join(f"{parquet[path].sha256}  {path}\n" for path in sorted(parquet))
    assert files["repo"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_fields_are_the_columns_of_the_contracts(facts: Any) -> None:
    records = {one["@id"]: one for one in facts["recordSet"]}
    for name, contract in (("audio", "clip.v1"), ("captions", "caption.v1")):
        assert tuple(field["name"] for field in records[name]["field"]) == schema(contract).names
    captions = next(field for field in records["captions"]["field"] if field["name"] == "captions")
    assert captions["isArray"] is True
    assert [one["name"] for one in captions["subField"]][:3] == ["text", "source", "style"]
    assert [one["splits/name"] for one in records["splits"]["data"]] == ["train", "test"]


def test_provenance_and_responsible_use_are_told(facts: Any) -> None:
    assert {one["prov:label"] for one in facts["prov:wasDerivedFrom"]} == {
        "AudioCaps 1.0", "FSD50K", "LibriTTS-P", "Sampler in the layout of AudioCaps",
    }  # fmt: skip
    agents = [one["prov:wasAssociatedWith"]["prov:label"] for one in facts["prov:wasGeneratedBy"]]
    assert agents[0].startswith("CaptionStew ")
    assert agents[1] == "lmsys/vicuna-7b-v1.5@main"
    assert "Of 39 rows in the corpora 30 are here" in facts["rai:dataCollectionMissingData"]
    assert "More captions by lmsys/vicuna-7b-v1.5, checked by rules." in facts["rai:dataAnnotationProtocol"]
    assert {"rai:dataBiases", "rai:dataLimitations", "rai:personalSensitiveInformation"} <= facts.keys()


def test_the_date_is_there_only_if_it_is_given(release: Release) -> None:
    assert json.loads(croissant(release, "2026-11-21"))["datePublished"] == "2026-11-21"
    assert "datePublished" not in json.loads(croissant(release))
