"""Table stages: what they leave is written whole, and a row that vanishes is caught."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from captionstew.errors import BuildError
from captionstew.pipeline.account import CAPTIONS, accounts, audio_accounts, counted, reasons
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped
from captionstew.pipeline.table import Files, run_table, totals
from captionstew.shards.manifest import Account
from captionstew.stages.duration import Duration
from captionstew.stages.probe import Probe

NOWHERE = Context((), {})


@pytest.fixture
def given() -> Tables:
    """Four clips of two corpora, and five captions."""
    clips = pl.LazyFrame(
        {"rank": [0, 1, 2, 3], "clip_id": ["a:1", "a:2", "b:1", "b:2"], "corpus": ["a", "a", "b", "b"]},
        schema={"rank": pl.UInt64, "clip_id": pl.String, "corpus": pl.String},
    )
    captions = pl.LazyFrame(
        {"rank": [0, 0, 1, 2, 3], "text": list("vwxyz"), "source": ["a", "a", "a", "b", "b"]},
        schema={"rank": pl.UInt64, "text": pl.String, "source": pl.String},
    )
    return Tables(clips, captions)


@dataclass(frozen=True)
class Odd(TableStage):
    """Drop clips of odd rank, and the caption w."""

    def __call__(self, tables: Tables, context: Context) -> Out:
        odd = pl.col("rank") % 2 == 1
        lost = tables.captions.filter(pl.col("text") == "w").select(
            "rank", clip_id=pl.lit(""), corpus="source"
        )
        return Out(
            Tables(tables.clips.filter(~odd), tables.captions.filter(pl.col("text") != "w")),
            dropped(tables.clips.filter(odd), "odd", "by one"),
            dropped(lost, "boring"),
        )


@dataclass(frozen=True)
class Thief(TableStage):
    """Lose one clip, or one caption, without a word; or drop a caption and invent another."""

    what: str = "clip"

    def __call__(self, tables: Tables, context: Context) -> Out:
        some = pl.col("rank") != 2
        if self.what == "clip":
            return Out(Tables(tables.clips.filter(some), tables.captions))
        if self.what == "caption":
            return Out(Tables(tables.clips, tables.captions.filter(some)))
        if self.what == "twice":
            return Out(Tables(pl.concat([tables.clips, tables.clips.head(1)]), tables.captions))
        lost = tables.captions.filter(~some).select("rank", clip_id=pl.lit(""), corpus="source")
        return Out(tables, dropped(lost.filter(False), ""), dropped(lost, "invented"))


def test_what_a_stage_keeps_and_drops_is_written_and_counted(tmp_path: Path, given: Tables) -> None:
    files = Files(tmp_path / "01-odd")
    run_table(Odd(), given, NOWHERE, files)
    assert files.tables.clips.collect()["clip_id"].to_list() == ["a:1", "b:1"]
    assert files.tables.captions.collect()["text"].to_list() == ["v", "x", "y", "z"]
    assert files.drops().select("clip_id", "reason", "detail").collect().rows() == [
        ("a:2", "odd", "by one"),
        ("b:2", "odd", "by one"),
    ]
    assert files.accounts() == [
        Account("a", "odd", 2, 1, {"odd": 1}),
        Account("b", "odd", 2, 1, {"odd": 1}),
        Account("a", "odd" + CAPTIONS, 3, 2, {"boring": 1}),
        Account("b", "odd" + CAPTIONS, 2, 2, {}),
    ]
    assert totals(files.accounts()) == (4, 2, {"odd": 2})
    assert reasons(files.accounts()) == "odd 2"


@pytest.mark.parametrize("what", ["clip", "caption", "twice", "swap"])
def test_a_stage_that_loses_or_invents_rows_is_caught(tmp_path: Path, given: Tables, what: str) -> None:
    with pytest.raises(AssertionError, match="rows were lost"):
        run_table(Thief(what), given, NOWHERE, Files(tmp_path / "01-thief"))


def test_nothing_is_left_under_a_temporary_name(tmp_path: Path, given: Tables) -> None:
    files = Files(tmp_path / "01-odd")
    run_table(Odd(), given, NOWHERE, files)
    assert sorted(path.name for path in files.folder.iterdir()) == sorted(path.name for path in files.all)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, given: Tables) -> None:
    first, second = Files(tmp_path / "1"), Files(tmp_path / "2")
    for files in (first, second):
        run_table(Odd(), given, NOWHERE, files)
    assert [path.read_bytes() for path in first.all] == [path.read_bytes() for path in second.all]


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path, given: Tables) -> None:
    (tmp_path / "01-odd").write_text("a file where the folder should be")
    with pytest.raises(BuildError, match="cannot write"):
        run_table(Odd(), given, NOWHERE, Files(tmp_path / "01-odd"))


@pytest.mark.parametrize(
    ("received", "kept", "drops"),
    [
        ({"a": 3}, {"a": 1}, [("a", "x")]),
        ({"a": 1}, {"a": 2}, []),
        ({"a": 2}, {"a": 1}, [("b", "x")]),
        ({}, {"a": 1}, []),
    ],
)
def test_an_account_that_does_not_balance_is_refused(
    received: dict[str, int], kept: dict[str, int], drops: list[tuple[str, str]]
) -> None:
    table = pl.LazyFrame(drops, schema={"corpus": pl.String, "reason": pl.String}, orient="row")
    with pytest.raises(AssertionError, match="rows were lost"):
        accounts("test", received, kept, table)


def test_a_corpus_of_which_nothing_stays_has_an_account() -> None:
    table = pl.LazyFrame({"corpus": ["a", "a"], "reason": ["x", "y"]})
    assert accounts("test", {"a": 2, "b": 0}, {}, table) == [
        Account("a", "test", 2, 0, {"x": 1, "y": 1}),
        Account("b", "test", 0, 0, {}),
    ]


def test_each_audio_stage_receives_what_the_one_before_kept() -> None:
    drops = pl.LazyFrame(
        {
            "corpus": ["a", "a", "b", "a"],
            "stage": ["probe", "probe", "probe", "duration"],
            "reason": ["empty", "outside", "empty", "duration"],
        }
    )
    assert list(audio_accounts([Probe(), Duration()], {"a": 10, "b": 1}, drops)) == [
        Account("a", "probe", 10, 8, {"empty": 1, "outside": 1}),
        Account("b", "probe", 1, 0, {"empty": 1}),
        Account("a", "duration", 8, 7, {"duration": 1}),
        Account("b", "duration", 0, 0, {}),
    ]


def test_rows_are_counted_by_corpus(given: Tables) -> None:
    assert counted(given.clips) == {"a": 2, "b": 2}
    assert counted(given.captions, "source") == {"a": 3, "b": 2}
    assert counted(given.clips.filter(False)) == {}


def test_reasons_are_told_most_frequent_first() -> None:
    made = [
        Account("a", "x", 9, 4, {"few": 2, "many": 3}),
        Account("b", "y", 9, 8, {"few": 1}),
        Account("a", "x.captions", 9, 0, {"text": 9}),
    ]
    assert reasons(made) in {"few 3, many 3", "many 3, few 3"}
    assert reasons([]) == ""
