"""Broken annotation files: the file, the line, how it begins, and what to do."""

from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.read import read
from captionstew.corpora.readers.folder import own
from captionstew.errors import CorpusError

HEADER = "audiocap_id,youtube_id,start_time,caption\n"
GOOD = "1,abcdefghijk,30,A dog barks\n"


def broken(text: str, place: Path, name: str = "audiocaps", file: str = "dataset/train.csv") -> CorpusError:
    path = place / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CorpusError) as error:
        read(corpus(name), [place])
    assert str(path) in error.value.where
    assert error.value.hint
    return error.value


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("2,abcdefghijk,30,A dog, and a cat\n", "5 fields where 4 are due"),
        ("2,abcdefghijk,30\n", "3 fields where 4 are due"),
        ("2,abcdefghijk,soon,A cat\n", "start_time is 'soon', not a number"),
        ("2,abcdefghijk,,A cat\n", "start_time is '', not a number"),
        ("2,abcdefghijk,nan,A cat\n", "start_time is 'nan', not a number"),
        ('2,abcdefghijk,30,"A cat" purrs\n', "quotes that do not match"),
        ("2,abcdefghijk,30,caf\xe9\n", "not UTF-8"),
    ],
)
def test_a_broken_csv_row_is_named_by_line(row: str, cause: str, tmp_path: Path) -> None:
    error = broken(HEADER + GOOD + '3,abcdefghijl,0,"two\nlines"\n' + row + GOOD, tmp_path)
    assert cause in error.cause
    assert "line 5" in error.where


def test_the_beginning_of_the_row_is_quoted(tmp_path: Path) -> None:
    error = broken(HEADER + GOOD + "2,abcdefghijk,soon," + "A cat. " * 30 + "\n", tmp_path)
    assert "begins '2,abcdefghijk,soon,A cat. A cat." in error.where
    assert len(error.where) < len(str(tmp_path)) + 140


def test_a_quote_that_is_never_closed_is_named(tmp_path: Path) -> None:
    error = broken(HEADER + GOOD + '2,abcdefghijk,30,"A cat\n' + GOOD, tmp_path)
    assert "line 3" in error.where


def test_comments_count_as_lines(tmp_path: Path) -> None:
    (tmp_path / "AudioSetCaps_caption.csv").write_text("id,caption\nYabcdefghijk,A dog\n")
    segments = "# a\n# b\n# c\nabcdefghijk, 30.000, 40.000, x\nabcdefghijl, soon, 40.000, x\n"
    error = broken(segments, tmp_path, "audiosetcaps-audioset", "unbalanced_train_segments.csv")
    assert "line 5" in error.where


def test_metadata_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "clotho_captions_validation.csv").write_text(
        "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\na.wav,1,2,3,4,5\n"
    )
    text = "file_name,sound_id,duration\na.wav,1\n"
    assert "line 2" in broken(text, tmp_path, "clotho", "freesound_ids_validation.csv").where


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(HEADER + GOOD + "\n\n" + GOOD.replace("k,", "l,") + "\n", encoding="utf-8")
    clips = read(corpus("audiocaps"), [tmp_path]).clips.collect()
    assert clips["clip_id"].to_list() == ["yt:abcdefghijk@30", "yt:abcdefghijl@30"]


def test_a_row_whose_first_field_is_empty_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(HEADER + GOOD.removeprefix("1"), encoding="utf-8")
    assert read(corpus("audiocaps"), [tmp_path]).clips.collect().height == 1


def test_crlf_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + (HEADER + GOOD).replace("\n", "\r\n")
    (tmp_path / "train.csv").write_bytes(text.encode())
    found = read(corpus("audiocaps"), [tmp_path])
    assert found.captions.collect()["text"].to_list() == ["A dog barks"]


def test_a_byte_order_mark_does_not_hide_a_broken_number(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\ufeffstart,audio\n1,a.wav\nsoon,b.wav\n", encoding="utf-8")
    with pytest.raises(CorpusError) as error:
        read(*own(path))
    assert "line 3" in error.value.where
    assert error.value.cause == "start is 'soon', not a number"


def test_a_missing_column_is_guessed(tmp_path: Path) -> None:
    error = broken("audiocap_id,youtube_ids,start_time,caption\n" + GOOD, tmp_path)
    assert error.message == "audiocaps: there is no column `youtube_id`"
    assert error.hint == "did you mean `youtube_ids`?"


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    assert "empty" in broken("", tmp_path).cause


def test_broken_json_is_named_by_line(tmp_path: Path) -> None:
    text = '{"data": [\n{"id": "1", "caption": "a"},\n{"id": "2" "caption": "b"}]}'
    error = broken(text, tmp_path, "wavcaps-soundbible", "sb_final.json")
    assert "line 3" in error.where


def test_json_of_another_layout_lists_its_keys(tmp_path: Path) -> None:
    error = broken('{"rows": [1]}', tmp_path, "wavcaps-soundbible", "sb_final.json")
    assert "the keys are rows" in error.cause


def test_a_number_that_is_none_in_json_is_an_error(tmp_path: Path) -> None:
    text = '{"data": [{"id": "1", "caption": "a", "duration": "long"}]}'
    assert "duration" in broken(text, tmp_path, "wavcaps-soundbible", "sb_final.json").cause


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('{"audio": "b.wav", "start": "soon"}', "start is 'soon', not a number"),
        ('{"audio": "b.wav"', "no JSON"),
        ('["b.wav"]', "no JSON object"),
    ],
)
def test_a_broken_json_line_is_named(line: str, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"audio": "a.wav", "start": "1"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError) as error:
        read(*own(path))
    assert cause in error.value.cause
    assert "line 2" in error.value.where


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    broken("no parquet", tmp_path, "paraspeechcaps", "data/dev-00000-of-00001.parquet")


@pytest.mark.parametrize(("column", "word"), [("split", "tset"), ("domain", "noise")])
def test_words_that_mean_nothing_are_guessed(column: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pl.DataFrame({"audio": ["a.wav"], column: [word]}).write_parquet(path)
    with pytest.raises(CorpusError, match=f"{word!r} is no {column}"):
        read(*own(path))
