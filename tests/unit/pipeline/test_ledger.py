"""The ledger: work counts as done only while all that it left is still there."""

import json
import os
from pathlib import Path

import pytest

from captionstew.errors import BuildError
from captionstew.pipeline.ledger import Entry, Ledger, Output


def finish(
    folder: Path, stage: str = "read", shard: str = "all", fingerprint: str = "f1", text: str = "rows"
) -> Entry:
    """Work that leaves one file, in the ledger."""
    path = folder / f"{stage}-{shard}.txt"
    path.write_text(text)
    entry = Entry(stage, shard, fingerprint, 3, 2, {"id": 1}, {path.name: Output.of(path)}, 0.5)
    Ledger(folder).add(entry)
    return entry


def test_a_new_folder_has_no_entries(tmp_path: Path) -> None:
    assert list(Ledger(tmp_path).entries()) == []
    assert Ledger(tmp_path).done("read", "all", "f1") is None


def test_finished_work_is_done_in_a_later_run(tmp_path: Path) -> None:
    entry = finish(tmp_path)
    assert Ledger(tmp_path).done("read", "all", "f1") == entry


def test_another_fingerprint_stage_or_shard_is_not_done(tmp_path: Path) -> None:
    finish(tmp_path)
    ledger = Ledger(tmp_path)
    assert ledger.done("read", "all", "f2") is None
    assert ledger.done("merge", "all", "f1") is None
    assert ledger.done("read", "other", "f1") is None


def test_work_whose_output_is_gone_is_not_done(tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / "read-all.txt").unlink()
    assert Ledger(tmp_path).done("read", "all", "f1") is None


@pytest.mark.parametrize("text", ["ROWS", "row", "rows and more", ""])
def test_work_whose_output_was_changed_is_not_done(tmp_path: Path, text: str) -> None:
    finish(tmp_path)
    (tmp_path / "read-all.txt").write_text(text)
    os.utime(tmp_path / "read-all.txt", (1, 1))
    assert Ledger(tmp_path).done("read", "all", "f1") is None


def test_a_copy_with_another_time_is_the_same_output(tmp_path: Path) -> None:
    finish(tmp_path)
    os.utime(tmp_path / "read-all.txt", (1, 1))
    assert Ledger(tmp_path).done("read", "all", "f1") is not None


def test_a_folder_in_the_place_of_an_output_is_not_done(tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / "read-all.txt").unlink()
    (tmp_path / "read-all.txt").mkdir()
    assert Ledger(tmp_path).done("read", "all", "f1") is None


def test_the_last_entry_of_a_piece_of_work_counts(tmp_path: Path) -> None:
    finish(tmp_path)
    again = finish(tmp_path, fingerprint="f2", text="other rows")
    assert Ledger(tmp_path).done("read", "all", "f1") is None
    assert Ledger(tmp_path).done("read", "all", "f2") == again
    assert len(list(Ledger(tmp_path).entries())) == 1


def test_entries_come_in_the_order_of_the_work(tmp_path: Path) -> None:
    for shard in ("b", "a", "c"):
        finish(tmp_path, "audio", shard)
    finish(tmp_path, "read")
    assert [entry.shard for entry in Ledger(tmp_path).entries("audio")] == ["b", "a", "c"]
    assert len(list(Ledger(tmp_path).entries())) == 4


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_line_that_a_kill_cut_short_is_forgotten_and_written_over(tmp_path: Path, cut: int) -> None:
    first = finish(tmp_path)
    whole = (tmp_path / "ledger.jsonl").read_bytes()
    finish(tmp_path, "merge")
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    ledger = Ledger(tmp_path)
    assert list(ledger.entries()) == [first]
    assert ledger.done("merge", "all", "f1") is None
    finish(tmp_path, "locate")
    assert path.read_bytes().startswith(whole)
    assert [json.loads(line)["stage"] for line in path.read_text().splitlines()] == ["read", "locate"]


@pytest.mark.parametrize(
    "line", ["{broken", "5", '"text"', "null", "[]", "{}", "", "\0\0\0\0", '{"stage": "read"}', "\udcff"]
)
def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    finish(tmp_path)
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(line.encode(errors="surrogateescape") + b"\n" + path.read_bytes())
    with pytest.raises(BuildError, match="damaged") as caught:
        Ledger(tmp_path)
    assert caught.value.where == "line 1"
    assert "--fresh" in caught.value.hint


def test_an_entry_that_loses_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="lost rows"):
        Ledger(tmp_path).add(Entry("read", "all", "f1", 10, 8, {"id": 1}, {}, 0.0))
    assert not (tmp_path / "ledger.jsonl").exists()


def test_unicode_in_names_and_reasons_survives(tmp_path: Path) -> None:
    path = tmp_path / "tr\u00e4ume.txt"
    path.write_text("x")
    entry = Entry("read", "a\nb", "f", 1, 0, {"kein Ton\u2026": 1}, {path.name: Output.of(path)}, 0.0)
    Ledger(tmp_path).add(entry)
    assert Ledger(tmp_path).done("read", "a\nb", "f") == entry
