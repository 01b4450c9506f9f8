"""removed.parquet: the ids that were taken down, for readers that hold older copies."""

from collections.abc import Iterable
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.publish.contents import Removal
from captionstew.schema import schema
from captionstew.shards.write import parquet_settings

PATH = "removed.parquet"
_CONTRACT = "removed.v1"


def withdrawn(removals: Iterable[Removal]) -> bytes:
    """The table, by id, as a Parquet file: the same bytes for the same rows, and without any a file without rows."""
    rows = sorted((asdict(one) for one in removals), key=lambda row: row["clip_id"])
    contract = schema(_CONTRACT).arrow()
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, contract, **parquet_settings(contract)) as writer:
        writer.write_table(pa.Table.from_pylist(rows, contract))
    return bytes(sink.getvalue())
