"""A copy of a release gives no clip that was taken down since it was made."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.shards.batching import Batching
from captionstew.shards.plan import Plan
from captionstew.shards.read import Clips
from captionstew.shards.withdrawn import REMOVED, withdrawn


def test_training_leaves_out_what_the_newest_list_names(build: Path) -> None:
    settings, clips = Batching(shortest=0, captions="none"), Clips(build)
    before = Plan.of(clips, settings)
    assert "withdrawn" not in before.left_out
    gone = [clips.row(number, ["clip_id"])["clip_id"][0].as_py() for number in (20, 33, 269)]
    pq.write_table(pa.table({"clip_id": [*gone, "fs:nowhere"]}), build / REMOVED)
    plan = Plan.of(clips, settings)
    assert (plan.num_items, plan.left_out["withdrawn"]) == (before.num_items - 3, 3)
    assert plan.digest != before.digest
    mask = withdrawn(clips)
    assert mask is not None
    assert mask.nonzero()[0].tolist() == [20, 33, 269]
    pq.write_table(pa.table({"clip_id": pa.array([], pa.string())}), build / REMOVED)
    assert withdrawn(clips) is None
