"""Manifests as a corpus that a build takes: rows, places, licences, and what is left out with its line."""

import gzip
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from captionstew.corpora.read import read
from captionstew.errors import CorpusError
from captionstew.interchange.imported import TABLE, Imported, imported

from .test_cuts import cut, recording

Make = Callable[..., Path]


@pytest.fixture
def manifest(tmp_path: Path) -> Make:
    """Write cuts, or lines as they are, into a file of some name; the audio is empty: nothing opens it here."""
    for name in ("a.wav", "b/a.wav", "b/c.wav"):
        path = tmp_path / "collection" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def make(*lines: Mapping[str, Any] | str, name: str = "cuts.jsonl") -> Path:
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        data = text.encode("utf-8", "surrogatepass")
        path = tmp_path / "collection" / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return make


def of(source: str, name: str, **changes: Any) -> dict[str, Any]:
    """A cut of a file, by its id."""
    sources = [{"type": "file", "channels": [0], "source": source}]
    return cut(id=name, recording=recording(id=f"r-{name}", sources=sources), **changes)


def take(*manifests: Path, **options: Any) -> tuple[Imported, list[dict[str, Any]], list[str]]:
    """What an import gives, and the clips and captions that a build reads of it."""
    given = {"license": "CC-BY-4.0"} | options
    found = imported(manifests, manifests[0].parent.parent / "out", **given)
    tables = read(found.corpus, found.places)
    captions = tables.captions.collect().sort("row", "place")
    return found, tables.clips.collect().rows(named=True), captions["text"].to_list()


@pytest.mark.parametrize("name", ["cuts.jsonl", "cuts.jsonl.gz"])
def test_paths_begin_where_the_manifest_lies(name: str, manifest: Make) -> None:
    found, (first, second), texts = take(manifest(of("a.wav", "1"), of("b/c.wav", "2"), name=name))
    assert [first["file"], second["file"]] == ["a.wav", "b/c.wav"]
    assert found.places[1] == found.places[0].parent / "collection"
    assert (first["clip_id"], first["license"], first["split"]) == ("folder:1", "CC-BY-4.0", "train")
    assert texts == ["Rain falls.", "Heavy rain"] * 2


def test_paths_from_the_root_on_are_taken_as_they_are(manifest: Make, tmp_path: Path) -> None:
    place = tmp_path / "collection"
    found, rows, _ = take(manifest(of(f"{place}/b/a.wav", "1"), of(f"{place}/x/../b/c.wav", "2")))
    assert [row["file"] for row in rows] == ["a.wav", "c.wav"]
    assert found.places[1] == place / "b"


def test_an_audio_root_is_never_left(manifest: Make, tmp_path: Path) -> None:
    root = tmp_path / "collection" / "b"
    lines = [of("c.wav", "1"), of("../a.wav", "2"), of(f"{root}/a.wav", "3"), of("/cluster/x/c.wav", "4"),
             of(f"{root}/../a.wav", "5")]  # fmt: skip
    found, rows, _ = take(manifest(*lines), audio_root=root / ".." / "b")
    assert found.places[1:] == (root,)
    assert [row["file"] for row in rows] == [
        "c.wav", None, "a.wav", "cluster/x/c.wav", f"{root.parent}/a.wav"[1:],
    ]  # fmt: skip
    assert rows[1]["refused"].startswith("path: cuts.jsonl, line 2: ../a.wav climbs out")


def test_files_that_share_nothing_but_the_disk_are_linked(manifest: Make, tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("there is no /dev/shm to be another disk")
    found, rows, _ = take(manifest(of("a.wav", "1"), of(f"{shared}/a.wav", "2")))
    top = tmp_path.parts[1]
    assert [row["file"] for row in rows] == [f"audio/{top}/a.wav", "audio/dev/a.wav"]
    assert (found.places[0] / f"audio/{top}").resolve() == (tmp_path / "collection").resolve()


def test_audio_that_is_nowhere_here_is_told(manifest: Make) -> None:
    with pytest.raises(CorpusError, match=r"the audio is not there.*/cluster/audio.*--audio-root"):
        take(manifest(of("/cluster/audio/a.wav", "1")))


def test_bad_lines_are_rows_that_say_where(manifest: Make) -> None:
    lines = [of("a.wav", "1"), "{", "", "[]", '{"id": NaN}', of("a.wav", "\ud800"), "[" * 100_000,
             cut(type="MixedCut"), "x" * (17 << 20)]  # fmt: skip
    found, rows, texts = take(manifest(*lines))
    assert dict(found.seen.refused) == {"json": 6, "mixed": 1}
    refused = [row["refused"] for row in rows if row["refused"]]
    assert [text.partition(": ")[0] for text in refused] == ["json"] * 5 + ["mixed", "json"]
    assert "cuts.jsonl, line 2: no JSON" in refused[0]
    assert "cuts.jsonl, line 9: longer than 16 MB" in refused[-1]
    assert texts == ["Rain falls.", "Heavy rain"]


def test_a_damaged_gzip_is_an_error(manifest: Make) -> None:
    path = manifest(*(of("a.wav", str(n)) for n in range(50)), name="cuts.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CorpusError, match=r"cuts\.jsonl\.gz cannot be read"):
        take(path)


def test_one_id_for_two_sounds_is_refused_the_second_time(manifest: Make) -> None:
    lines = [of("a.wav", "1"), of("a.wav", "1"), of("b/a.wav", "1"), of("b/c.wav", "2")]
    found, rows, _ = take(manifest(*lines))
    assert [bool(row["refused"]) for row in rows] == [False, False, True, False]
    assert rows[2]["refused"] == "id-twice: cuts.jsonl, line 3: another cut is called folder:1"
    assert found.seen.refused == {"id-twice": 1}


def test_a_license_must_be_known(manifest: Make) -> None:
    lines = [of("a.wav", "1", custom={"license": "CC BY-NC 4.0"}), of("b/a.wav", "2")]
    with pytest.raises(CorpusError, match=r"1 of 2 cuts have no license.*line 2.*--license CC-BY-4.0"):
        take(manifest(*lines), license="")
    _, rows, _ = take(manifest(*lines), license="LicenseRef-Mine")
    assert [row["license"] for row in rows] == ["CC-BY-NC-4.0", "LicenseRef-Mine"]


def test_captions_keep_style_model_and_language(manifest: Make) -> None:
    captions = [
        {"text": "a", "style": "machine", "model": "m", "language": "de"}, {"text": "b"}, {"text": "c", "model": "n"},
    ]  # fmt: skip
    path = manifest(of("a.wav", "1", supervisions=[], custom={"captions": captions}), of("b/a.wav", "2"))
    found = imported([path], path.parent.parent / "out", license="MIT")
    table = read(found.corpus, found.places).captions.collect().sort("row", "place")
    told = table.select("text", "style", "model", "language").rows()
    assert told == [
        ("b", "human", None, "en"), ("c", "human", "n", "en"), ("a", "machine", "m", "de"),
        ("Rain falls.", "human", None, "en"), ("Heavy rain", "human", None, "en"),
    ]  # fmt: skip


def test_several_manifests_are_one_corpus(manifest: Make) -> None:
    first = manifest(of("a.wav", "1"), name="one.jsonl")
    second = manifest(of("b/a.wav", "2"), cut(type="MixedCut"), name="two.jsonl.gz")
    _, rows, _ = take(first, second, split="val")
    assert [row["clip_id"] for row in rows] == ["folder:1", "folder:2", "?line 2 of two.jsonl.gz"]
    assert {row["split"] for row in rows} == {"val"}


def test_the_same_cuts_leave_the_table_alone(manifest: Make, tmp_path: Path) -> None:
    path = manifest(of("a.wav", "1"))
    take(path)
    before = (tmp_path / "out" / TABLE).stat().st_mtime_ns
    take(path)
    assert (tmp_path / "out" / TABLE).stat().st_mtime_ns == before
    take(manifest(of("a.wav", "2")))
    assert (tmp_path / "out" / TABLE).stat().st_mtime_ns != before
    assert [path.name for path in (tmp_path / "out").iterdir()] == [TABLE]
    assert pl.read_parquet(tmp_path / "out" / TABLE)["id"].to_list() == ["folder:2"]


@pytest.mark.parametrize("lines", [[], ["{"], [cut(type="MixedCut")], [cut()["recording"]]])
def test_a_manifest_without_a_usable_cut_is_an_error(lines: list[Any], manifest: Make) -> None:
    with pytest.raises(CorpusError, match="no cut can be used"):
        take(manifest(*lines))


def test_one_id_in_two_manifests_of_one_name_is_told_apart(manifest: Make) -> None:
    first = manifest(of("a.wav", "1"), of("c.wav", "2"), name="cuts.jsonl")
    second = manifest(of("a.wav", "1"), of("a.wav", "3"), name="b/cuts.jsonl")
    _, rows, _ = take(first, second)
    assert [bool(row["refused"]) for row in rows] == [False, False, True, False]


@pytest.mark.parametrize("suffix", [".flac", ".opus"])
def test_shar_has_its_sounds_in_a_tar_beside_it(suffix: str, manifest: Make, tmp_path: Path) -> None:
    sources = [{"type": "shar", "channels": [0], "source": ""}]
    path = manifest(cut(id="a/b.c", recording=recording(sources=sources)), name="cuts.000007.jsonl.gz")
    with tarfile.open(path.with_name("recording.000007.tar"), "w") as tar:
        tar.addfile(tarfile.TarInfo(f"a/b.c{suffix}"))
    found, (row,), _ = take(path)
    assert row["file"] == f"a/b.c{suffix}"
    assert found.places[1] == tmp_path / "collection"
    other = manifest(cut(recording=recording(sources=sources)), of("a.wav", "1"), name="cuts.000008.jsonl.gz")
    assert dict(take(other)[0].seen.refused) == {"source": 1}
