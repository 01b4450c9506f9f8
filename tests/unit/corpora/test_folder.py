"""The user's own data, in every form that needs no facts."""

import json
from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.read import CAPTIONS, CLIPS, Annotations, read
from captionstew.corpora.readers.folder import own
from captionstew.errors import CorpusError

ROWS = [
    {"audio": "dogs/a.wav", "caption": "A dog barks", "domain": "sound", "start": None, "end": None},
    {"audio": "b.flac", "caption": "A man talks", "domain": "speech", "start": 1.5, "end": 4.0},
]


def annotations(path: Path) -> Annotations:
    return read(*own(path))


def clips(path: Path) -> list[dict[str, object]]:
    table = annotations(path).clips.collect()
    assert table.schema == pl.Schema(CLIPS)
    return table.rows(named=True)


def texts(path: Path) -> list[str]:
    table = annotations(path).captions.collect().sort("row", "place")
    assert table.schema == pl.Schema(CAPTIONS)
    return table["text"].to_list()


def written(path: Path) -> Path:
    table = pl.DataFrame(ROWS)
    if path.suffix in {".csv", ".tsv"}:
        table.write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".parquet":
        table.write_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS))
    else:
        table.write_ndjson(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet"])
def test_tables_of_all_kinds_say_the_same(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"mine{suffix}")
    first, second = clips(path)
    assert (first["clip_id"], first["source_id"]) == ("folder:dogs/a.wav", "folder:dogs/a.wav")
    assert (first["file"], first["whole"], first["domain"]) == ("dogs/a.wav", False, "sound")
    assert (second["clip_id"], second["source_id"]) == ("folder:b.flac@1.5", "folder:b.flac")
    assert (second["start"], second["end"], second["whole"]) == (1.5, 4.0, True)
    assert (second["license"], second["split"]) == ("LicenseRef-unknown", "train")
    assert texts(path) == ["A dog barks", "A man talks"]


@pytest.mark.parametrize(
    "columns",
    [
        {"caption": ["one"], "captions": [["two", "three"]]},
        {"captions": [["one", "two", "three"]]},
        {"caption_2": ["two"], "caption_10": ["three"], "caption_1": ["one"]},
        {"caption": ["one"], "text": ["two"], "caption_1": ["three"]},
    ],
)
def test_captions_may_be_a_text_a_list_or_several_columns(columns: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pl.DataFrame({"file_name": ["a.wav"], **columns}).write_parquet(path)
    assert texts(path) == ["one", "two", "three"]


def test_an_id_names_the_clip_and_the_file_its_source(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,audio,start\none,long.wav,0\ntwo,long.wav,30\n")
    assert clips(path)[1]["clip_id"] == "folder:two"
    assert clips(path)[1]["source_id"] == "folder:long.wav"


def test_two_files_of_one_id_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,audio\none,a.wav\none,b.wav\n")
    with pytest.raises(CorpusError, match="two audio files have the id 'one'"):
        own(path)


def test_two_captions_of_one_id_are_two_rows(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,audio,caption\none,a.wav,first\none,a.wav,second\n")
    assert texts(path) == ["first", "second"]


def test_columns_of_the_schema_are_taken_and_the_others_listed(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "audio,name,split,license,tags,transcription,speaker,attribution,source_url,caption_style,caption,mood\n"
        "a.wav,Rex,validation,CC BY 4.0,dog; park,hello,s1,me,https://x,an LLM,A dog,good\n"
    )
    facts, places = own(path)
    (clip,) = read(facts, places).clips.collect().rows(named=True)
    assert (clip["split"], clip["license"], clip["tags"]) == ("val", "CC-BY-4.0", ["dog", "park"])
    assert (clip["transcript"], clip["speaker"], clip["attribution"]) == ("hello", "s1", "me")
    assert clip["source_url"] == "https://x"
    assert read(facts, places).captions.collect()["style"].to_list() == ["machine"]
    assert facts.traps == ("columns without a meaning here: name, mood",)


def test_a_licence_in_words_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('audio,license,attribution\na.wav,see repository,\nb.wav,"mine, all mine",me\n')
    first, second = clips(path)
    assert (first["license"], first["attribution"]) == ("LicenseRef-see-repository", "see repository")
    assert (second["license"], second["attribution"]) == ("LicenseRef-mine-all-mine", "me")


def test_absolute_paths_give_the_same_ids_as_relative_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"audio\n{tmp_path}/dogs/a.wav\n/elsewhere/b.wav\n")
    assert [clip["clip_id"] for clip in clips(path)] == ["folder:dogs/a.wav", "folder:elsewhere/b.wav"]
    assert clips(path)[1]["file"] == "/elsewhere/b.wav"


def test_a_folder_of_audio_needs_no_captions(tmp_path: Path) -> None:
    for name in ("b.WAV", "a/c.mp3", "a/.hidden.wav", ".git/d.wav", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [clip["clip_id"] for clip in clips(tmp_path)] == ["folder:b.WAV", "folder:a/c.mp3"]
    assert texts(tmp_path) == []


def test_sidecars_give_captions_and_columns(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        (tmp_path / name).touch()
    (tmp_path / "a.txt").write_text("One line\n\nAnother line\n")
    (tmp_path / "b.json").write_text(
        '{"captions": ["b1", "b2"], "domain": "music", "start": 3, "tags": ["x"]}'
    )
    (tmp_path / "c.json").write_text('["c1"]')
    assert texts(tmp_path) == ["One line", "Another line", "b1", "b2", "c1"]
    second = clips(tmp_path)[1]
    assert (second["clip_id"], second["domain"], second["tags"]) == ("folder:b.wav@3", "music", ["x"])


def test_the_fingerprint_of_a_folder_follows_its_sidecars(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    before = own(tmp_path)[0].fingerprint()
    assert own(tmp_path)[0].fingerprint() == before
    (tmp_path / "a.txt").write_text("A dog")
    assert own(tmp_path)[0].fingerprint() != before


def test_a_broken_sidecar_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(CorpusError) as error:
        own(tmp_path)
    assert error.value.where == str(tmp_path / "a.json")


def test_the_hubs_audiofolder_is_read_by_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "unlisted.wav").touch()
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.wav", "text": "A dog"}\n')
    assert [clip["file"] for clip in clips(tmp_path)] == ["a.wav"]
    assert texts(tmp_path) == ["A dog"]


@pytest.mark.parametrize(
    ("header", "message", "hint"),
    [
        (
            "audio_path,caption",
            "no column names the audio",
            "did you mean `audio_path`? rename it to `audio`",
        ),
        ("Filename,caption", "no column names the audio", "did you mean `Filename`? rename it to `audio`"),
        ("x,caption", "no column names the audio", "name the column of the paths `audio`"),
        ("audio,file_name", "both `audio` and `file_name` name audio", "keep one of them"),
    ],
)
def test_the_audio_column_is_guessed_never_chosen(
    header: str, message: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"{header}\na.wav,b\n")
    with pytest.raises(CorpusError) as error:
        own(path)
    assert (error.value.message, error.value.hint) == (message, hint)
    assert error.value.cause == f"the columns are {header.replace(',', ', ')}"


def test_audio_inside_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pl.DataFrame({"audio": [{"bytes": b"x", "path": "a.wav"}]}).write_parquet(path)
    with pytest.raises(CorpusError, match="`audio` is no path"):
        own(path)


@pytest.mark.parametrize("name", ["missing.csv", "mine.xlsx", "empty"])
def test_what_cannot_be_built_from_says_why(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.xlsx").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError) as error:
        own(tmp_path / name)
    assert error.value.where == str(tmp_path / name)
    assert error.value.hint


def test_audio_named_by_whole_paths_elsewhere_is_found_in_the_folder_that_holds_it_all(
    tmp_path: Path,
) -> None:
    sounds, tables = tmp_path / "data" / "sounds", tmp_path / "tables"
    for name in ("a/1.wav", "b/2.wav"):
        (sounds / name).parent.mkdir(parents=True)
        (sounds / name).write_bytes(b"")
    tables.mkdir()
    lines = "".join(f"{sounds}/{name},a sound\n" for name in ("a/1.wav", "b/2.wav"))
    (tables / "pairs.csv").write_text("audio,caption\n" + lines)
    assert own(tables / "pairs.csv")[1] == [tables, sounds]
    (tables / "pairs.csv").write_text(f"audio,caption\n{sounds}/a/1.wav,x\n/elsewhere/2.wav,y\n")
    with pytest.raises(CorpusError, match="nothing in common"):
        own(tables / "pairs.csv")
