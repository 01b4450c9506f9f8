"""What the files of released clips are called."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from captionstew.attach.names import by_annotations, with_files
from captionstew.corpora.facts import Corpus, Id, corpus
from captionstew.corpora.read import read

KEPT = ["rank", "clip_id", "source_id", "corpus", "split", "start", "end"]


@pytest.mark.parametrize(
    ("name", "named"),
    [("clotho", True), ("esc50", True), ("paraspeechcaps", True), ("audiocaps", False), ("folder", False)],
)
def test_corpora_whose_files_are_called_by_their_ids_need_no_annotations(name: str, named: bool) -> None:
    assert by_annotations(corpus(name)) is named


def _annotated(facts: Corpus, folder: Path) -> pl.LazyFrame:
    """The examples of the facts as files in the folder, and the rows of a release of them."""
    for file in (file for file in facts.files if file.example):
        path = folder / file.path[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.example.lstrip("\n"))
    rows = read(facts, (folder,)).clips.with_columns(rank=pl.col("row").cast(pl.UInt64))
    return rows.select(*KEPT, published="file").collect().lazy()


def test_files_are_called_as_the_annotations_have_them(tmp_path: Path) -> None:
    facts = corpus("clotho")
    clips = _annotated(facts, tmp_path)
    found = with_files(clips, [facts], {"clotho": (tmp_path,)}).collect()
    assert found["published"].null_count() == 0
    assert found["file"].to_list() == found["published"].to_list()
    assert found["source_id"][0] == "fs:123456"
    assert found["whole"].sum() == 0


def test_of_several_rows_with_one_id_that_counts_which_agrees_in_split_then_the_first(tmp_path: Path) -> None:
    text = "filename,fold,src_file,take,category\none.wav,train,1,A,dog\ntwo.wav,test,1,A,dog\nthree.wav,test,1,A,dog\n"
    esc50 = corpus("esc50")
    facts = replace(esc50, id=Id("path", ("src_file",)), columns=replace(esc50.columns, split="fold"))
    facts = replace(facts, files=(replace(facts.files[0], example=text),))
    clips = _annotated(facts, tmp_path).unique("split", keep="first", maintain_order=True)
    found = with_files(clips, [facts], {"esc50": (tmp_path,)}).collect()
    assert dict(found.select("split", "file").iter_rows()) == {"train": "one.wav", "test": "two.wav"}


def test_without_a_row_in_the_annotations_the_file_is_called_as_the_recording(tmp_path: Path) -> None:
    facts = corpus("clotho")
    clips = _annotated(facts, tmp_path).with_columns(clip_id=pl.lit("clotho:development/unknown"))
    found = with_files(clips, [facts], {"clotho": (tmp_path,)}).collect()
    assert found["file"].to_list() == [name.split(":", 1)[1] for name in found["source_id"]]


def test_own_recordings_are_cut_where_their_clips_have_times(tmp_path: Path) -> None:
    row = {"rank": 0, "clip_id": "folder:a.wav@2", "source_id": "folder:a.wav", "corpus": "folder",
           "split": "train", "start": 2.0, "end": None}  # fmt: skip
    schema = {"rank": pl.UInt64, "start": pl.Float64, "end": pl.Float64}
    clips = pl.LazyFrame([row, row | {"rank": 1, "start": None}], schema_overrides=schema)
    found = with_files(clips, [corpus("folder")], {"folder": (tmp_path,)}).collect()
    assert found.select("file", "whole", "channel").rows() == [("a.wav", True, None), ("a.wav", False, None)]
