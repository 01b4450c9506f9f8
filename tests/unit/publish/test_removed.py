"""The list of removals is read strictly: a row that is not understood would leave a clip where it must not be."""

from pathlib import Path

import polars as pl
import pytest

from captionstew.errors import StewError
from captionstew.publish.contents import Removal
from captionstew.publish.removed import joined, read_removals

LINES = [("fs:1", "its maker asked", "2026-01-31"), ("yt:abc@30", "court order", "2026-02-01")]


def test_a_list_is_read_from_every_kind_of_table(tmp_path: Path) -> None:
    table = pl.DataFrame(LINES, schema=["clip_id", "reason", "date"], orient="row")
    table.write_csv(tmp_path / "a.csv")
    table.write_ndjson(tmp_path / "a.jsonl")
    table.with_columns(pl.col("date").str.to_date()).write_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert read_removals(tmp_path / name, "v1.0.1") == tuple(Removal(*line, "v1.0.1") for line in LINES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "clip_id,reason,date\nfs:1,,2026-01-01\n",
            "row 1 of the list of removals is not in order; cause: fs:1 has no reason",
        ),
        (
            "clip_id,reason,date\nfs:1,asked,2026-01-01\n../x,asked,2026-01-01\n",
            "row 2 .*'../x' is no clip id",
        ),
        ("clip_id,reason,date\nfs:1,asked,yesterday\n", "'yesterday' is no date"),
        ("clip_id,reason\nfs:1,asked\n", "no column `date`.*add it"),
        ("clipid,reason,date\nfs:1,asked,2026-01-01\n", "did you mean `clipid`"),
    ],
)
def test_a_row_that_is_not_in_order_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gone.csv"
    path.write_text(text)
    with pytest.raises(StewError, match=said):
        read_removals(path)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StewError, match="there is no such file"):
        read_removals(tmp_path / "gone.csv")
    (tmp_path / "gone.txt").write_text("fs:1\n")
    with pytest.raises(StewError, match=r"\.txt is no table"):
        read_removals(tmp_path / "gone.txt")


def test_what_was_taken_down_before_stays_as_it_was_noted() -> None:
    before = [Removal("fs:2", "first", "2026-01-01", "v1.0.1")]
    now = [Removal("fs:2", "again", "2026-02-02", "v1.0.2"), Removal("fs:1", "new", "2026-02-02", "v1.0.2")]
    assert joined(before, now) == (now[1], before[0])
    assert joined((), ()) == ()
