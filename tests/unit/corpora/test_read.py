"""Reading: what lies where, what stands beside it, and what the two tables hold."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.read import read
from captionstew.errors import CorpusError

HEADER = "audiocap_id,youtube_id,start_time,caption\n"
METADATA = "file_name,keywords,sound_id,sound_link,start_end_samples,manufacturer,license\n"
CAPTIONS = "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\n"


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def rows(facts: Corpus, place: Path) -> list[dict[str, object]]:
    return read(facts, [place]).clips.collect().rows(named=True)


def test_a_file_that_is_nowhere_names_itself_its_source_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"audiocaps: dataset/train\.csv or v1/train\.csv or train\.csv"
    ) as error:
        read(corpus("audiocaps"), [tmp_path])
    assert error.value.where == str(tmp_path)
    assert "https://raw.githubusercontent.com/cdjkim/audiocaps/master/dataset/train.csv" in error.value.hint
    assert "--audio audiocaps=DIR" in error.value.hint


def test_no_place_at_all_says_so() -> None:
    with pytest.raises(CorpusError) as error:
        read(corpus("audiocaps"), [])
    assert error.value.where == "no folder was given"


def test_splits_without_a_file_are_listed_not_hidden(tmp_path: Path) -> None:
    put(tmp_path / "dataset" / "val.csv", HEADER + "1,abcdefghijk,30,A dog barks\n")
    found = read(corpus("audiocaps"), [tmp_path])
    assert [file.split for file in found.missing] == ["train", "test"]
    assert found.files == (tmp_path / "dataset" / "val.csv",)
    assert found.clips.collect()["split"].to_list() == ["val"]


def test_a_file_without_a_split_is_needed_even_beside_others(tmp_path: Path) -> None:
    facts = corpus("audiocaps")
    put(tmp_path / "train.csv", HEADER + "1,abcdefghijk,30,A dog barks\n")
    files = (facts.files[0], replace(facts.files[1], split="", path=("more.csv",)))
    with pytest.raises(CorpusError, match=r"more\.csv"):
        read(replace(facts, files=files), [tmp_path])


def test_a_wanted_split_without_its_file_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "dataset" / "val.csv", HEADER + "1,abcdefghijk,30,A dog barks\n")
    with pytest.raises(CorpusError, match=r"test\.csv"):
        read(corpus("audiocaps"), [tmp_path], ["test"])


def test_patterns_go_before_places_and_places_are_searched_in_turn(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put(one / "train.csv", HEADER + "1,abcdefghijk,1,bare\n")
    official = put(two / "dataset" / "train.csv", HEADER + "1,abcdefghijk,2,official\n")
    assert read(corpus("audiocaps"), [one, two]).files == (official,)


def test_splits_of_a_column_are_filtered(tmp_path: Path) -> None:
    put(tmp_path / "vggsound.csv", "abcdefghijk,30,dog,train\nabcdefghijl,0,cat,test\n")
    clips = read(corpus("vggsound"), [tmp_path], ["test"]).clips.collect()
    assert clips["clip_id"].to_list() == ["yt:abcdefghijl@0"]


def test_a_stand_in_is_read_only_without_the_file_it_stands_in_for(tmp_path: Path) -> None:
    put(tmp_path / "test.csv", "abcdefghijk_000030.mp4,dog\n")
    found = read(corpus("vggsound"), [tmp_path])
    assert found.clips.collect()["clip_id"].to_list() == ["yt:abcdefghijk@30"]
    assert found.missing == ()
    put(tmp_path / "vggsound.csv", "abcdefghijl,0,cat,train\n")
    assert read(corpus("vggsound"), [tmp_path]).clips.collect()["clip_id"].to_list() == ["yt:abcdefghijl@0"]


def test_rows_and_captions_are_numbered_in_order(tmp_path: Path) -> None:
    put(tmp_path / "clotho_captions_development.csv", CAPTIONS + "a.wav,1,2,3,4,5\nb.wav,6,7,8,,10\n")
    found = read(corpus("clotho"), [tmp_path])
    captions = found.captions.collect()
    assert captions.select("row", "place", "text").rows()[4:9] == [
        (0, 4, "5"), (1, 0, "6"), (1, 1, "7"), (1, 2, "8"), (1, 3, ""),
    ]  # fmt: skip
    assert found.clips.collect()["row"].to_list() == [0, 1]


def test_ids_do_not_depend_on_metadata_but_sources_do(tmp_path: Path) -> None:
    put(
        tmp_path / "clotho_captions_development.csv",
        CAPTIONS + "Caf\u00e9 1.wav,1,2,3,4,5\nb.wav,1,2,3,4,5\n",
    )
    (bare, _) = rows(corpus("clotho"), tmp_path)
    put(
        tmp_path / "clotho_metadata_development.csv",
        METADATA + 'Caf\u00e9 1.wav,kettle;steam,123,https://x,"[44100, 88200]",me,'
        "http://creativecommons.org/licenses/by-nc/3.0/\nb.wav,,Not found,,,,\n",
        encoding="iso-8859-1",
    )
    (full, lost) = rows(corpus("clotho"), tmp_path)
    assert full["clip_id"] == bare["clip_id"] == "clotho:development/Caf\u00e9 1"
    assert bare["source_id"] == bare["clip_id"]
    assert (full["source_id"], full["start"], full["end"]) == ("fs:123", 1.0, 2.0)
    assert (full["license"], full["attribution"], full["tags"]) == ("CC-BY-NC-3.0", "me", ["kettle", "steam"])
    assert (lost["source_id"], lost["license"]) == ("clotho:development/b", "LicenseRef-Freesound-unstated")


def test_the_same_file_name_in_two_splits_is_two_clips(tmp_path: Path) -> None:
    for split in ("development", "evaluation"):
        put(tmp_path / f"clotho_captions_{split}.csv", CAPTIONS + "a.wav,1,2,3,4,5\n")
        put(tmp_path / f"freesound_ids_{split}.csv", f"file_name,sound_id,duration\na.wav,{len(split)},9.5\n")
    clips = rows(corpus("clotho"), tmp_path)
    assert [clip["clip_id"] for clip in clips] == ["clotho:development/a", "clotho:evaluation/a"]
    assert [clip["source_id"] for clip in clips] == ["fs:11", "fs:10"]
    assert [clip["file"] for clip in clips] == ["development/a.wav", "evaluation/a.wav"]


def test_starts_published_elsewhere_are_taken_over(tmp_path: Path) -> None:
    put(tmp_path / "AudioSetCaps_caption.csv", "id,caption\nYabcdefghijk,A dog\nY-bcdefghijk,A cat\n")
    segments = '# one\n# two\n# three\nabcdefghijk, 30.000, 40.000, "/m/a,/m/b"\n'
    put(tmp_path / "unbalanced_train_segments.csv", segments)
    found = read(corpus("audiosetcaps-audioset"), [tmp_path])
    clips = found.clips.collect()
    assert clips.select("clip_id", "start", "end").rows() == [
        ("yt:abcdefghijk@30", 30.0, 40.0), ("yt:-bcdefghijk", None, None),
    ]  # fmt: skip
    assert found.captions.collect()["clip_id"].to_list() == clips["clip_id"].to_list()


def test_strong_labels_give_starts_in_milliseconds(tmp_path: Path) -> None:
    put(
        tmp_path / "as_final.json",
        '{"data": [{"id": "Yabc_efghijk.wav", "caption": "A dog", "duration": 10}]}',
    )
    header = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n"
    put(tmp_path / "audioset_train_strong.tsv", header + "abc_efghijk_30500\t0.0\t1.5\t/m/a\n" * 2)
    (clip,) = rows(corpus("wavcaps-audioset"), tmp_path)
    assert (clip["clip_id"], clip["start"]) == ("yt:abc_efghijk@30.5", 30.5)


def test_numbers_of_mixed_types_are_read(tmp_path: Path) -> None:
    lines = '[{"id": "9", "caption": "a", "duration": "2.5"}, {"id": 10, "caption": null, "duration": 1}]'
    put(tmp_path / "sb_final.json", '{"data": ' + lines + "}")
    found = read(corpus("wavcaps-soundbible"), [tmp_path])
    assert found.clips.collect().select("clip_id", "duration").rows() == [
        ("soundbible:9", 2.5),
        ("soundbible:10", 1.0),
    ]
    assert found.captions.collect()["text"].to_list() == ["a", ""]


def test_unsafe_ids_and_empty_captions_are_kept_for_the_stage_that_counts(tmp_path: Path) -> None:
    put(tmp_path / "dataset" / "train.csv", HEADER + "1,../../x,30,A dog\n2,abcdefghijk,0,\n")
    found = read(corpus("audiocaps"), [tmp_path])
    assert found.clips.collect()["clip_id"].to_list() == ["?../../x@30", "yt:abcdefghijk@0"]
    assert found.captions.collect()["text"].to_list() == ["A dog", ""]


def test_start_and_end_are_cut_only_out_of_whole_recordings(tmp_path: Path) -> None:
    put(tmp_path / "dataset" / "train.csv", HEADER + "1,abcdefghijk,30,A dog\n")
    facts = corpus("audiocaps")
    assert rows(facts, tmp_path)[0]["whole"] is False
    assert rows(replace(facts, audio=replace(facts.audio, whole=True)), tmp_path)[0]["whole"] is True


def test_an_unknown_reader_is_named(tmp_path: Path) -> None:
    put(tmp_path / "dataset" / "train.csv", HEADER)
    facts = corpus("audiocaps")
    for reader in ("xml", "../x"):
        files = tuple(replace(file, read=replace(file.read, reader=reader)) for file in facts.files)
        with pytest.raises(CorpusError, match="no reader"):
            read(replace(facts, files=files), [tmp_path])


def test_the_tables_stream(tmp_path: Path) -> None:
    put(tmp_path / "dataset" / "train.csv", HEADER + "1,abcdefghijk,30,A dog\n" * 1000)
    found = read(corpus("audiocaps"), [tmp_path])
    found.clips.sink_parquet(tmp_path / "clips.parquet")
    assert pl.read_parquet(tmp_path / "clips.parquet")["row"].to_list() == list(range(1000))


def test_audiosets_lists_of_segments_read_at_their_real_length(tmp_path: Path) -> None:
    line = '{}, 30.000, 40.000, "/m/01g317,/m/04rlf"\n'
    ids_ = [f"a{number:010}" for number in range(120_000)]  # several chunks of the parser
    (tmp_path / "unbalanced_train_segments.csv").write_text(
        "# one\n# two\n# three\n" + "".join(map(line.format, ids_))
    )
    (tmp_path / "AudioSetCaps_caption.csv").write_text(f"id,caption\nY{ids_[-1]},A bell rings\n")
    found = read(corpus("audiosetcaps-audioset"), [tmp_path])
    assert found.clips.collect()["clip_id"].to_list() == [f"yt:{ids_[-1]}@30"]
