"""Generated captions as files of their own: they join by clip id and resolve to what they were made of."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from captionstew.enrich.prompt import prompt
from captionstew.enrich.provenance import PROVENANCE, caption_hash
from captionstew.errors import BuildError
from captionstew.publish import enriched as module
from captionstew.publish.configs import configs
from captionstew.publish.contents import DataFile, Release
from captionstew.publish.documents import documents
from captionstew.publish.enriched import enriched

from .releases import MODEL, rich, written

TEXT = "a made up tone"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("build"))


def row(clip_id: str, text: str | None = TEXT, verdict: str = "kept", **changes: Any) -> dict[str, Any]:
    """A row of provenance as the stage writes it."""
    made = {
        "key": "k", "clip_id": clip_id, "corpus": "sampler-audiocaps", "split": "train", "text": text,
        "style": "enriched", "model": MODEL, "revision": "main", "license": "LicenseRef-Llama-2",
        "prompt": prompt("flap").label, "prompt_version": 1, "sampling": '{"top_p": 0.95}', "seed": 7, "attempt": 0,
        "rejected": [], "parents": [caption_hash(f"tone {int(clip_id[3:])}")],
        "events": [{"label": "Beep", "score": 1.0}], "certain": ["Beep"], "possible": [], "tags": ["tone"],
        "detector": "", "finish": "stop", "error": "", "prompt_tokens": 9, "completion_tokens": 5,
        "verdict": verdict, "detail": "", "made_with": "captionstew 0.1.0",
    }  # fmt: skip
    return made | changes


@pytest.fixture
def provenance(tmp_path: Path) -> Path:
    """Of the captions of three clips, out of order, with an attempt that was rejected."""
    rows = [row("fs:000004"), row("fs:000002", seed=1, verdict="lost-event"), row("fs:000003"),
            row("fs:000002", attempt=1, revision=""), row("fs:000009", None, "failed")]  # fmt: skip
    path = tmp_path / "provenance.parquet"
    pl.DataFrame(rows, schema=PROVENANCE).write_parquet(path)
    return path


def test_no_path_of_a_machine_names_the_detector(release: Release, tmp_path: Path) -> None:
    heard = {"detector": "/home/mira/models/ast-mine@1f2e"}
    rows = [row(f"fs:00000{n}", **heard) for n in (2, 3, 4)]
    rows[0] |= {"revision": ""}
    pl.DataFrame(rows, schema=PROVENANCE).write_parquet(tmp_path / "provenance.parquet")
    (file,) = enriched(release.files, tmp_path / "provenance.parquet", tmp_path / "out")
    captions = [one for row in pq.read_table(file.source).to_pylist() for one in row["captions"]]
    assert {one["detector"] for one in captions} == {"ast-mine@1f2e"}
    assert b"/home/mira" not in file.source.read_bytes()


def test_each_caption_resolves_to_its_parents(release: Release, provenance: Path, tmp_path: Path) -> None:
    (file,) = enriched(release.files, provenance, tmp_path / "out")
    assert file.path == "enriched/sampler-audiocaps/train-00000-of-00001.parquet"
    rows = pq.read_table(file.source).to_pylist()
    assert [one["clip_id"] for one in rows] == ["fs:000002", "fs:000003", "fs:000004"]
    for one in rows:
        (caption,) = one["captions"]
        assert (caption["text"], caption["license"]) == (TEXT, "LicenseRef-Llama-2")
        assert json.loads(caption["parents"]) == [caption_hash(f"tone {int(one['clip_id'][3:])}")]
        assert json.loads(caption["events"]) == {"certain": ["Beep"], "possible": [], "scores": {"Beep": 1.0}}
    assert [(one["captions"][0]["attempt"], one["captions"][0]["revision"]) for one in rows] == [
        (1, None), (0, "main"), (0, "main"),
    ]  # fmt: skip


def test_a_release_has_them_if_its_build_has_provenance(provenance: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "enrich").mkdir(parents=True)
    provenance.rename(build / "enrich" / "provenance.parquet")
    release = rich(build)
    assert release.files[-1].path == "enriched/sampler-audiocaps/train-00000-of-00001.parquet"
    assert release.files[-1].source.parent == build / "release" / "enriched"


def test_it_joins_the_captions_as_a_config_of_its_own(
    release: Release, provenance: Path, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    more = replace(release, files=(*release.files, *enriched(release.files, provenance, tmp_path / "out")))
    assert configs(more)[-1].whole.clips == 3
    folder = written(more, tmp_path / "it")
    loaded = datasets.load_dataset(str(folder), "enriched", split="train", cache_dir=str(tmp_path))
    captions = datasets.load_dataset(str(folder), "captions", split="train", cache_dir=str(tmp_path))
    whole = {one["clip_id"]: one["captions"] for one in captions}
    for one in loaded:
        assert [c["text"] for c in whole[one["clip_id"]] if c["source"] == "llm"] == [
            c["text"] for c in one["captions"]
        ]
    made = documents(more)
    assert "| `enriched` | captions by a language model alone" in made["README.md"].decode()
    assert "schemas/enriched.v1.toml" in made
    assert any(one["@id"] == "enriched" for one in json.loads(made["croissant.json"])["recordSet"])


def test_making_it_again_makes_nothing_and_leaves_nothing_old(
    release: Release, provenance: Path, tmp_path: Path
) -> None:
    first = enriched(release.files, provenance, tmp_path / "out")
    stamp = first[0].source.stat().st_mtime_ns
    assert enriched(release.files, provenance, tmp_path / "out") == first
    assert first[0].source.stat().st_mtime_ns == stamp
    pl.read_parquet(provenance).with_columns(seed=9).write_parquet(provenance)
    (other,) = enriched(release.files, provenance, tmp_path / "out")
    assert other.sha256 != first[0].sha256
    assert list((tmp_path / "out").glob("*.parquet")) == [other.source]


def test_portions_are_files_in_the_order_of_ids(
    release: Release, provenance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 1)
    shards = [file for file in release.files if file.path.startswith("data/captions/sampler-audiocaps/train")]
    table = pq.read_table(shards[0].source)
    halves = []
    for number, part in enumerate((table[:3], table[3:])):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(part, path)
        name = f"data/captions/sampler-audiocaps/train-0000{number}-of-00002.parquet"
        halves.append(DataFile(name, path, path.stat().st_size, str(number)))
    files = enriched(halves[::-1], provenance, tmp_path / "out")
    assert [file.path.rpartition("/")[2] for file in files] == [
        "train-00000-of-00002.parquet", "train-00001-of-00002.parquet",
    ]  # fmt: skip
    ids = [one for file in files for one in pq.read_table(file.source)["clip_id"].to_pylist()]
    assert ids == ["fs:000002", "fs:000003", "fs:000004"]


def test_a_caption_without_provenance_is_told_with_its_clip(
    release: Release, provenance: Path, tmp_path: Path
) -> None:
    pl.read_parquet(provenance).filter(pl.col("clip_id") != "fs:000003").write_parquet(provenance)
    with pytest.raises(BuildError, match=r"1 generated caption without provenance.*fs:000003"):
        enriched(release.files, provenance, tmp_path / "out")


def test_nothing_generated_makes_no_file(release: Release, provenance: Path, tmp_path: Path) -> None:
    others = [file for file in release.files if "sampler" not in file.path]
    assert enriched(others, provenance, tmp_path / "out") == ()
    assert enriched(release.files, tmp_path / "nowhere.parquet", tmp_path / "out") == ()
