"""Does a shard keep the writer's promises: schema, row groups, page index, raw audio, addresses?"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.findings import Findings
from captionstew.shards.layout import SIDECAR, audio_files, inside, shard_files
from captionstew.shards.sidecar import Sidecar, addresses, read_sidecar
from captionstew.shards.write import AUDIO_LEAF, ROWS_PER_GROUP

_CONTRACTS: Mapping[str, str] = {"audio": "clip.v1", "captions": "caption.v1"}  # by tier
_VIEWER_LIMIT = 300_000_000  # the Hub's viewer shows no page of rows that needs more bytes


def check_schema(file: pq.ParquetFile, path: str, findings: Findings) -> bool:
    """Columns, nullability and the Hub's metadata are the contract's; False if rows cannot be checked."""
    contract = schema(_CONTRACTS["captions" if path.startswith("data/captions/") else "audio"]).arrow()
    got = file.schema_arrow
    findings.details["schema"] = "columns, nullability and Hub features as the contract has them"
    if not got.equals(contract, check_metadata=False):
        names = [c.name for c in contract if c.name not in got.names or not got.field(c.name).equals(c)]
        extra = sorted(set(got.names) - set(contract.names))
        findings.fail("schema", f"{path}: columns differ from the contract: {names + extra or 'order'}")
        return False
    for key, value in contract.metadata.items():
        if (got.metadata or {}).get(key) != value:
            findings.fail("schema", f"{path}: metadata {key.decode()} is not the contract's")
    return True


def check_layout(file: pq.ParquetFile, path: str, findings: Findings) -> None:
    """Row groups, page index and compression are as the writer promises, so that viewers read little."""
    metadata = file.metadata
    for number in range(metadata.num_row_groups):
        group, last = metadata.row_group(number), number == metadata.num_row_groups - 1
        if group.num_rows > ROWS_PER_GROUP or (group.num_rows < ROWS_PER_GROUP and not last):
            findings.fail("writer", f"{path}: row group {number} has {group.num_rows} rows")
        if group.total_byte_size > _VIEWER_LIMIT:
            findings.fail("writer", f"{path}: row group {number} has {group.total_byte_size:,} bytes")
        for index in range(group.num_columns):
            _check_chunk(group.column(index), f"{path}: row group {number}", findings)


def check_sidecar(folder: Path, findings: Findings) -> None:
    """The sidecar covers exactly the shards of the audio tier, and every address is where the clip lies."""
    paths = [inside(folder, path) for path in audio_files(folder)]
    if not paths and shard_files(folder, "captions") and not (folder / SIDECAR).exists():
        findings.details["sidecar"] = "no audio, no addresses"
        return
    try:
        sidecar = read_sidecar(folder)
    except StewError as error:
        findings.fail("sidecar", str(error))
        return
    if paths != [file.path for file in sidecar.files]:
        findings.fail("sidecar", f"{SIDECAR} covers other shards than lie there")
    start = 0
    for file in sidecar.files:
        if file.path in paths:
            _check_addresses(folder / file.path, file.path, _slice(sidecar, start, file.rows), findings)
        start += file.rows
    findings.details["sidecar"] = f"{len(sidecar.table)} addresses in {len(sidecar.files)} shards"


def _check_chunk(chunk: pq.ColumnChunkMetaData, where: str, findings: Findings) -> None:
    if not chunk.has_offset_index:
        findings.fail("writer", f"{where}: {chunk.path_in_schema} has no page index")
    if chunk.path_in_schema == AUDIO_LEAF and (
        chunk.compression != "UNCOMPRESSED" or not set(chunk.encodings) <= {"PLAIN", "RLE"}
    ):
        findings.fail("writer", f"{where}: audio is {chunk.compression}, {', '.join(chunk.encodings)}")


def _check_addresses(path: Path, name: str, claimed: pa.Table, findings: Findings) -> None:
    try:
        found = addresses(path)
    except StewError as error:
        findings.fail("sidecar", f"{name}: {error.message}")
        return
    if not found.equals(claimed):
        findings.fail("sidecar", f"{name}: the clips lie elsewhere than {SIDECAR} says")


def _slice(sidecar: Sidecar, start: int, rows: int) -> pa.Table:
    """The addresses of one file, in the form that `addresses` gives them."""
    part = sidecar.table[start : start + rows].drop_columns(["file"])
    if sidecar.sample_rate is not None:
        rates = pa.array([sidecar.sample_rate] * rows, pa.uint32())
        part = part.add_column(part.column_names.index("num_samples") + 1, "sample_rate", rates)
    return part.replace_schema_metadata(None)
