"""Byte addresses of clips, and the sidecar that keeps them."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.shards import sidecar as module
from captionstew.shards.layout import SIDECAR, shard_files, shard_path
from captionstew.shards.sidecar import addresses, open_sidecar, read_sidecar, write_sidecar
from captionstew.shards.write import write_shard


def _sounds(path: Path) -> list[bytes | None]:
    """The audio by the addresses."""
    data, table = path.read_bytes(), addresses(path)
    spans = zip(table["offset"].to_pylist(), table["length"].to_pylist(), strict=True)
    return [None if at is None else data[at : at + size] for at, size in spans]


def test_addresses_of_our_own_shard(finished: Path) -> None:
    path = shard_files(finished, "audio")[1]
    table = pq.ParquetFile(path).read()
    assert _sounds(path) == [row["bytes"] for row in table["audio"].to_pylist()]
    found = addresses(path)
    assert found["num_samples"].to_pylist() == table["num_samples"].to_pylist()
    assert found["num_captions"].to_pylist() == [len(captions) for captions in table["captions"].to_pylist()]
    assert set(found["sample_rate"].to_pylist()) == {16_000}


def test_addresses_of_a_file_that_datasets_wrote(tmp_path: Path, make_table: Any) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    table = make_table(range(230)).select(["clip_id", "audio", "captions", "num_samples"])
    nullable = pa.schema([column.with_nullable(True) for column in table.schema])
    plain = datasets.Dataset(table.cast(nullable)).cast_column("audio", datasets.Audio(16_000, decode=False))
    path = tmp_path / "theirs.parquet"
    plain.to_parquet(str(path), batch_size=100)
    assert pq.read_metadata(path).num_row_groups == 3
    assert pq.read_schema(path).field("audio").nullable
    assert _sounds(path) == [row["bytes"] for row in table["audio"].to_pylist()]
    assert addresses(path).column_names == ["offset", "length", "num_samples", "num_captions"]


def test_addresses_where_audio_is_plain_binary_and_partly_absent(tmp_path: Path) -> None:
    pq.write_table(pa.table({"audio": [b"one", None, b"three"]}), tmp_path / "a.parquet", compression="none")
    assert _sounds(tmp_path / "a.parquet") == [b"one", None, b"three"]


def test_compressed_audio_is_said_with_what_to_do(tmp_path: Path, make_table: Any) -> None:
    pq.write_table(make_table(range(3)), tmp_path / "a.parquet")
    with pytest.raises(StewError, match=r"compressed \(SNAPPY\).*hint: write column audio.bytes unc"):
        addresses(tmp_path / "a.parquet")


def test_the_sidecar_is_small_and_the_same_bytes_each_time(build: Path) -> None:
    first = (build / SIDECAR).read_bytes()
    (build / SIDECAR).unlink()
    assert write_sidecar(build).read_bytes() == first
    sidecar = open_sidecar(build)
    assert len(sidecar.table) == 270
    assert sum(column.nbytes for column in sidecar.table.columns) <= 32 * 270
    assert [file.rows for file in sidecar.files] == [20, 150, 100]
    assert (sidecar.files[1].first_id, sidecar.files[1].last_id) == ("yt:00000000000@30", "yt:00000000149@30")
    assert sidecar.sample_rate == 16_000


def test_hashes_are_the_manifests_or_else_computed(build: Path) -> None:
    claimed = [file["sha256"] for file in json.loads((build / "manifest.json").read_text())["files"]]
    (build / "manifest.json").unlink()
    write_sidecar(build)
    assert [file.sha256 for file in open_sidecar(build).files] == claimed


def test_rates_are_kept_per_clip_where_they_differ(tmp_path: Path, make_row: Any, make_table: Any) -> None:
    rows = pa.Table.from_pylist([make_row(0), make_row(1, sample_rate=8_000)], make_table([]).schema)
    write_shard(tmp_path / shard_path("audio", "tones", "train", 0, 1), [rows])
    sidecar = open_sidecar(tmp_path)
    assert sidecar.sample_rate is None
    assert sidecar.table["sample_rate"].to_pylist() == [16_000, 8_000]


def test_a_missing_sidecar_is_made(build: Path) -> None:
    before = (build / SIDECAR).read_bytes()
    shutil.rmtree(build / "index")
    assert open_sidecar(build).table.num_rows == 270
    assert (build / SIDECAR).read_bytes() == before


@pytest.mark.parametrize("size", [0, 10, 5_000, -1])
def test_a_damaged_sidecar_is_made_again(build: Path, size: int) -> None:
    before = (build / SIDECAR).read_bytes()
    (build / SIDECAR).write_bytes(before[:size])
    with pytest.raises(StewError, match="is damaged"):
        read_sidecar(build)
    assert open_sidecar(build).table.num_rows == 270
    assert (build / SIDECAR).read_bytes() == before


def test_another_table_is_no_sidecar(build: Path) -> None:
    with pa.OSFile(str(build / SIDECAR), "wb") as sink, pa.ipc.new_file(sink, pa.schema([])) as writer:
        writer.write_table(pa.table({}))
    with pytest.raises(StewError, match="is damaged"):
        read_sidecar(build)


def test_a_sidecar_of_other_files_is_damaged(build: Path) -> None:
    with pa.memory_map(str(build / SIDECAR)) as source:
        table = pa.ipc.open_file(source).read_all()
    facts = json.loads(table.schema.metadata[b"sidecar.v1"])
    facts["files"][0]["rows"], facts["files"][1]["rows"] = 150, 20
    (build / SIDECAR).unlink()  # the table is mapped from it
    table = table.replace_schema_metadata({"sidecar.v1": json.dumps(facts)})
    with pa.OSFile(str(build / SIDECAR), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(StewError, match="not those of its files"):
        read_sidecar(build)


def test_a_changed_shard_makes_it_stale(build: Path, make_table: Any, finish: Any) -> None:
    path = shard_files(build, "audio")[0]
    write_shard(path, [make_table(range(300, 305), corpus="beeps", split="val")])
    assert len(open_sidecar(build).table) == 255


def test_a_changed_hash_makes_it_stale(build: Path) -> None:
    """Same size, other content: only the manifest can tell without reading everything."""
    manifest = (build / "manifest.json").read_text()
    old = open_sidecar(build).files[0].sha256
    (build / "manifest.json").write_text(manifest.replace(old, "f" * 64))
    assert open_sidecar(build).files[0].sha256 == "f" * 64


def test_a_removed_or_added_shard_makes_it_stale(build: Path) -> None:
    shard_files(build, "audio")[0].unlink()
    assert len(open_sidecar(build).table) == 250


def test_a_folder_that_cannot_be_written_still_opens(build: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(build / "index")
    (build / "index").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, module.__name__):
        assert len(open_sidecar(build).table) == 270
    assert "kept in memory" in caplog.text


def test_no_shards_no_addresses(tmp_path: Path) -> None:
    assert len(open_sidecar(tmp_path).table) == 0
    assert len(open_sidecar(tmp_path).table) == 0


def test_a_stranger_in_the_folder_is_named(build: Path) -> None:
    path = build / "data/audio/tones/stranger.parquet"
    pq.write_table(pa.table({"audio": [b"x"]}), path, compression="none")
    with pytest.raises(StewError, match=r"stranger.parquet is not a shard of clips"):
        open_sidecar(build)


def test_order_of_rows_is_the_order_of_the_file(finished: Path) -> None:
    table = open_sidecar(finished).table
    offsets, files = table["offset"].to_numpy(), table["file"].to_numpy()
    assert all(np.all(np.diff(offsets[files == number].astype(np.int64)) > 0) for number in range(3))
